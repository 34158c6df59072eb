/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef ARNIA_TEST_SANDBOX_FIXTURE_H
#define ARNIA_TEST_SANDBOX_FIXTURE_H
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>
#include "lib/base/fd.h"
#include "lib/base/mem.h"
#include "lib/base/path.h"
#include "lib/base/str.h"
#include "lib/sandbox/sandbox.h"

/* What is applied cannot be taken back, so it is applied in a child. `fn` returns 0 when all is as it should
 * be, else the line that is not (use CHECK). Fails the test with that line. */
void in_child(int (*fn)(void *arg), void *arg);
#define CHECK(cond)                                                                                          \
	do {                                                                                                 \
		if (!(cond))                                                                                 \
			return __LINE__;                                                                     \
	} while (0)
/* Skips the test unless we are root. */
void need_root(void);
/* From here on openat2(2) answers ENOSYS, as under filters that are older than it. 0 or -errno. */
int hide_openat2(void);
/* A field of /proc/self/status as text: "CapEff". buf is at least 128 bytes. */
const char *status_field(const char *name, char *buf);
/* A fresh folder, and its end. */
char *folder_make(void);
void folder_remove(char *path);
void file_make(const char *dir, const char *name, const char *text);

#endif
