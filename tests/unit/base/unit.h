/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef ARNIA_TEST_UNIT_H
#define ARNIA_TEST_UNIT_H
/* cmocka wants these first, in this order. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A fresh folder under TMPDIR; its descriptor, to be given to unit_tmp_done. `path` is at least 64 bytes. */
int unit_tmp(char *path);
void unit_tmp_done(int fd, const char *path);
/* Whole-file helpers that fail the test themselves. */
void unit_put(int dir, const char *name, const char *text);
void unit_expect(int dir, const char *name, const char *text);
/* Number of open descriptors of this process. */
int unit_count_fds(void);

#endif
