/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a worker takes for its guest, and gives back: in a process of its own for each test. */
#include "tests/unit/worker/rig.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "lib/base/file.h"
#include "lib/base/str.h"

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x00000080
#endif

/* In the forked process. */
#define CHECK(x)                                                                                             \
	do {                                                                                                 \
		if (!(x)) {                                                                                  \
			fprintf(stderr, "line %d: %s\n", __LINE__, #x);                                      \
			_exit(1);                                                                            \
		}                                                                                            \
	} while (0)

static void apart(void (*act)(void))
{
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		act();
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}
#define APART(name)                                                                                          \
	static void in_##name(void **state)                                                                  \
	{                                                                                                    \
		(void)state;                                                                                 \
		if (geteuid() != 0) {                                                                        \
			print_message("needs root\n");                                                       \
			skip();                                                                              \
		}                                                                                            \
		apart(name);                                                                                 \
	}

static struct plan plan = { .kind = PLAN_START, .sandbox.oom_score_adj = INT32_MIN };
static struct allowance a = ALLOWANCE_NONE;
static struct error err;

static int take(void)
{
	return allowance_take(&plan, &a, &err);
}
static void limits(struct sandbox_rlimit *v, size_t n)
{
	plan.sandbox.rlimits.v = v;
	plan.sandbox.rlimits.n = n;
}
static struct rlimit own(int resource)
{
	struct rlimit l;

	CHECK(getrlimit(resource, &l) == 0);
	return l;
}
static void lower(int resource, rlim_t soft, rlim_t hard)
{
	const struct rlimit l = { soft, hard };

	CHECK(setrlimit(resource, &l) == 0);
}

/* CAP_SYS_RESOURCE: root of a nested host may lack it. */
static bool may_raise(void)
{
	auto_free char *text = NULL;
	const char *at = NULL;

	if (file_read_at(AT_FDCWD, "/proc/self/status", 65536, &text, NULL) > 0)
		at = strstr(text, "CapEff:");
	return at && strtoull(at + strlen("CapEff:"), NULL, 16) >> 24 & 1;
}

/* Hard limits and only upwards: the soft ones are the guest's. Named twice, the first value is what was there. */
static void raised(void)
{
	struct sandbox_rlimit v[] = { { RLIMIT_NOFILE, 100, 200, false }, { RLIMIT_NOFILE, 100, 300, false }, { RLIMIT_CORE, 0, 0, false } };

	lower(RLIMIT_NOFILE, 64, 100);
	limits(v, ARRAY_SIZE(v));
	CHECK(take() == 0);
	CHECK(own(RLIMIT_NOFILE).rlim_max == 300 && own(RLIMIT_NOFILE).rlim_cur == 64);
	CHECK(own(RLIMIT_CORE).rlim_max > 0);
	allowance_return(&a);
	CHECK(own(RLIMIT_NOFILE).rlim_max == 100 && own(RLIMIT_NOFILE).rlim_cur == 64);
	CHECK(a.raised == 0 && a.time_home == -1);
	/* And once more, which changes nothing. */
	allowance_return(&a);
	CHECK(own(RLIMIT_NOFILE).rlim_max == 100);
}
static void in_raised(void **state)
{
	(void)state;
	if (!may_raise()) {
		print_message("no right to raise a limit here\n");
		skip();
	}
	apart(raised);
}

/* Beyond fs.nr_open, or beyond one's own without the right: an error, unless it is a default. */
static void beyond_what_there_is(void)
{
	struct sandbox_rlimit v[] = { { RLIMIT_CPU, 0, 400, false }, { RLIMIT_NOFILE, 1, RLIM_INFINITY, false } };

	lower(RLIMIT_CPU, 300, 400);
	lower(RLIMIT_NOFILE, 64, 100);
	v[0].hard += may_raise() ? 100 : 0;
	limits(v, ARRAY_SIZE(v));
	CHECK(take() == -EPERM);
	CHECK(strstr(err.text, "resource limit nofile=1:unlimited") && strstr(err.hint, "at most "));
	CHECK(own(RLIMIT_NOFILE).rlim_max == 100);
	/* What came before is given back. */
	CHECK(own(RLIMIT_CPU).rlim_max == v[0].hard);
	allowance_return(&a);
	CHECK(own(RLIMIT_CPU).rlim_max == 400);
	v[1].best_effort = true;
	CHECK(take() == 0);
	CHECK(own(RLIMIT_NOFILE).rlim_max == 100);
	allowance_return(&a);
	CHECK(own(RLIMIT_CPU).rlim_max == 400 && own(RLIMIT_NOFILE).rlim_max == 100);
}
APART(beyond_what_there_is)

static void unknown_limits(void)
{
	static const uint32_t numbers[] = { 16, 17, 1000, UINT32_MAX };

	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
		struct sandbox_rlimit v[] = { { numbers[i], 1, 1, false } };

		limits(v, 1);
		CHECK(take() == -EINVAL);
	}
}
APART(unknown_limits)

static int score(void)
{
	auto_free char *text = NULL;

	CHECK(file_read_at(AT_FDCWD, "/proc/self/oom_score_adj", 64, &text, NULL) > 0);
	return atoi(text);
}

static void oom_score(void)
{
	CHECK(file_write_ctl_at(AT_FDCWD, "/proc/self/oom_score_adj", 0x9fa0, "0", NULL) == 0);
	plan.sandbox.oom_score_adj = 321;
	CHECK(take() == 0);
	CHECK(score() == 321);
	allowance_return(&a);
	CHECK(score() == 0);
	plan.sandbox.oom_score_adj = 1001;
	CHECK(take() < 0);
	allowance_return(&a);
	CHECK(score() == 0);
}
APART(oom_score)

/* What was not asked for is not set to 0 afterwards. */
static void oom_score_that_is_left(void)
{
	CHECK(file_write_ctl_at(AT_FDCWD, "/proc/self/oom_score_adj", 0x9fa0, "77", NULL) == 0);
	CHECK(take() == 0);
	CHECK(score() == 77);
	allowance_return(&a);
	CHECK(score() == 77);
}
APART(oom_score_that_is_left)

/* ---- clocks ---- */

static void home_of(char buf[64])
{
	ssize_t n = readlink("/proc/self/ns/time_for_children", buf, 63);

	CHECK(n > 0);
	buf[n] = '\0';
}
static int64_t offset_of(const char *clock)
{
	auto_free char *text = NULL;
	const char *at;
	long long s, ns;

	CHECK(file_read_at(AT_FDCWD, "/proc/self/timens_offsets", 256, &text, NULL) > 0);
	at = strstr(text, clock);
	CHECK(at && sscanf(at + strlen(clock), "%lld %lld", &s, &ns) == 2);
	CHECK(ns >= 0 && ns < 1000000000);
	return s * 1000000000 + ns;
}

static void clocks(void)
{
	static const int64_t offsets[][2] = { { 0, 0 }, { 1500000000, 2 }, { -1, -1500000000 }, { -1000000000, 86400ll * 1000000000 } };
	char before[64], now[64];

	home_of(before);
	for (size_t i = 0; i < ARRAY_SIZE(offsets); i++) {
		plan.sandbox.namespaces = CLONE_NEWTIME;
		plan.sandbox.time_mono_ns = offsets[i][0];
		plan.sandbox.time_boot_ns = offsets[i][1];
		if (take() < 0 && err.kind == ERR_UNSUPPORTED)
			_exit(0);
		CHECK(err.code == 0);
		home_of(now);
		CHECK(strcmp(before, now) != 0);
		CHECK(offset_of("monotonic") == offsets[i][0] && offset_of("boottime") == offsets[i][1]);
		allowance_return(&a);
		home_of(now);
		CHECK(strcmp(before, now) == 0);
	}
}
APART(clocks)

/* A clock before its own beginning. */
static void clocks_that_cannot_be(void)
{
	char before[64], now[64];

	home_of(before);
	plan.sandbox.namespaces = CLONE_NEWTIME;
	plan.sandbox.time_mono_ns = INT64_MIN / 2;
	CHECK(take() < 0);
	allowance_return(&a);
	home_of(now);
	CHECK(strcmp(before, now) == 0);
}
APART(clocks_that_cannot_be)

/* An exec has the clocks of what it enters. */
static void no_clocks_of_an_exec(void)
{
	char before[64], now[64];

	home_of(before);
	plan.kind = PLAN_EXEC;
	plan.sandbox.namespaces = CLONE_NEWTIME;
	CHECK(take() == 0);
	home_of(now);
	CHECK(strcmp(before, now) == 0 && a.time_home == -1);
}
APART(no_clocks_of_an_exec)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(in_raised),
		cmocka_unit_test(in_beyond_what_there_is),
		cmocka_unit_test(in_unknown_limits),
		cmocka_unit_test(in_oom_score),
		cmocka_unit_test(in_oom_score_that_is_left),
		cmocka_unit_test(in_clocks),
		cmocka_unit_test(in_clocks_that_cannot_be),
		cmocka_unit_test(in_no_clocks_of_an_exec),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
