/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/unit/worker/rig.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include "lib/base/fd.h"

static struct rig rig;

static int set_up(void **state)
{
	(void)state;
	rig_up(&rig);
	rig.plan.rootfs.id_base = geteuid(); /* an owner that any user may name */
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	rig_down(&rig);
	return 0;
}

static int lowest_free(void)
{
	int fd = dup(rig.keeper);

	close(fd);
	return fd;
}

static void assert_none(const struct stdio *s)
{
	for (int i = 0; i < 3; i++)
		assert_true(s->own[i] == -1 && s->far[i] == -1);
}

static void neither_of_null_nor_of_a_terminal(void **state)
{
	static const uint32_t kinds[] = { PLAN_STDIO_NULL, PLAN_STDIO_TTY };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		struct stdio s = STDIO_NONE;

		rig.plan.stdio = kinds[i];
		rig.plan.open_stdin = true;
		assert_int_equal(stdio_prepare(&rig.job, &s, &rig.err), 0);
		assert_none(&s);
		stdio_done(&s);
	}
}

static void pass(int from, int to)
{
	char c = 0;

	assert_int_equal(write(from, "x", 1), 1);
	assert_int_equal(read(to, &c, 1), 1);
	assert_int_equal(c, 'x');
}

static void pipes(void **state)
{
	struct stdio s = STDIO_NONE;
	int before = lowest_free();
	struct stat st;

	(void)state;
	rig.plan.stdio = PLAN_STDIO_LOG;
	rig.plan.open_stdin = true;
	assert_int_equal(stdio_prepare(&rig.job, &s, &rig.err), 0);
	pass(s.far[0], s.own[0]);
	pass(s.own[1], s.far[1]);
	pass(s.own[2], s.far[2]);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(fstat(s.own[i], &st), 0);
		assert_true(S_ISFIFO(st.st_mode) && st.st_uid == geteuid());
		assert_true(fcntl(s.own[i], F_GETFD) & FD_CLOEXEC && fcntl(s.far[i], F_GETFD) & FD_CLOEXEC);
	}
	stdio_done(&s);
	assert_none(&s);
	assert_int_equal(lowest_free(), before);
}

/* Nobody writes to an input that is not asked for. */
static void no_input(void **state)
{
	struct stdio s = STDIO_NONE;

	(void)state;
	rig.plan.stdio = PLAN_STDIO_LOG;
	assert_int_equal(stdio_prepare(&rig.job, &s, &rig.err), 0);
	assert_true(s.own[0] == -1 && s.far[0] == -1 && s.own[1] >= 0 && s.own[2] >= 0);
	stdio_done(&s);
}

/* The program itself keeps its output whole when nobody reads it for a while; its input ends when nobody writes. */
static void a_reader_that_is_gone(void **state)
{
	struct stdio s = STDIO_NONE;
	char c;

	(void)state;
	rig.plan.stdio = PLAN_STDIO_LOG;
	rig.plan.open_stdin = true;
	assert_int_equal(stdio_prepare(&rig.job, &s, &rig.err), 0);
	signal(SIGPIPE, SIG_IGN);
	for (int i = 1; i < 3; i++) {
		fd_close(&s.far[i]);
		assert_int_equal(write(s.own[i], "x", 1), 1);
	}
	fd_close(&s.far[0]);
	assert_int_equal(read(s.own[0], &c, 1), 0);
	signal(SIGPIPE, SIG_DFL);
	stdio_done(&s);
}

/* Those of the caller are lent: they stay open. */
static void descriptors_of_the_caller(void **state)
{
	struct stdio s = STDIO_NONE;
	int fds[2];

	(void)state;
	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	rig.plan.stdio = PLAN_STDIO_FDS;
	rig.job.stdio[0] = fds[0];
	rig.job.stdio[2] = fds[1];
	assert_int_equal(stdio_prepare(&rig.job, &s, &rig.err), 0);
	assert_true(s.own[0] == fds[0] && s.own[1] == -1 && s.own[2] == fds[1]);
	stdio_done(&s);
	assert_none(&s);
	pass(fds[1], fds[0]);
	close(fds[0]);
	close(fds[1]);
}

static void another_kind(void **state)
{
	struct stdio s = STDIO_NONE;

	(void)state;
	rig.plan.stdio = 17;
	assert_int_equal(stdio_prepare(&rig.job, &s, &rig.err), -EPROTO);
	assert_string_equal(rig.err.text, "unknown kind of standard streams 17");
	assert_none(&s);
}

/* However many descriptors there are left: it fails, and each that was made is closed once by its owner. */
static void no_descriptor_is_left(void **state)
{
	struct rlimit own, few;
	int before = lowest_free();

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &own), 0);
	rig.plan.stdio = PLAN_STDIO_LOG;
	rig.plan.open_stdin = true;
	for (rlim_t room = 0; room < 7; room++) {
		struct stdio s = STDIO_NONE;
		int r;

		few = (struct rlimit){ (rlim_t)before + room, own.rlim_max };
		assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
		r = stdio_prepare(&rig.job, &s, &rig.err);
		assert_int_equal(setrlimit(RLIMIT_NOFILE, &own), 0);
		assert_int_equal(r, -EMFILE);
		stdio_done(&s);
		assert_none(&s);
		assert_int_equal(lowest_free(), before);
	}
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(neither_of_null_nor_of_a_terminal),
		CASE(pipes),
		CASE(no_input),
		CASE(a_reader_that_is_gone),
		CASE(descriptors_of_the_caller),
		CASE(another_kind),
		CASE(no_descriptor_is_left),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
