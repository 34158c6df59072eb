/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef ARNIA_TEST_CGROUP_FIXTURE_H
#define ARNIA_TEST_CGROUP_FIXTURE_H
/* A branch of its own for each test binary. */
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
#include <errno.h>
#include <cmocka.h>
#include "lib/base/fd.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "cgroup/internal.h"

struct fixture {
	int root;
	char branch[64];
};

/* Skips the test where cgroups cannot be made. */
struct fixture fixture_open(void);
void fixture_done(struct fixture *f);
/* A child that waits in the cgroup until it is killed. */
pid_t fixture_sleeper(int cg);

#endif
