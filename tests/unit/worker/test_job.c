/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a worker says to its keeper, and waits to hear from it. */
#include "tests/unit/worker/rig.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include "lib/base/fd.h"

static struct rig rig;

static int set_up(void **state)
{
	(void)state;
	rig_up(&rig);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	rig_down(&rig);
	return 0;
}

static void a_frame_with_descriptors(void **state)
{
	int fds[2], got;
	struct stat a, b;
	struct frame f;

	(void)state;
	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	assert_int_equal(job_send(&rig.job, KW_PROGRESS, "text", 5, fds, 2), 0);
	rig_told(&rig, KW_PROGRESS, &f);
	assert_int_equal(f.len, 5);
	assert_string_equal((const char *)f.body, "text");
	assert_int_equal(f.nfds, 2);
	/* Those of the caller stay open, the others are the same files. */
	for (size_t i = 0; i < 2; i++) {
		got = frame_take_fd(&f, i);
		assert_int_equal(fstat(got, &a), 0);
		assert_int_equal(fstat(fds[i], &b), 0);
		assert_int_equal(a.st_ino, b.st_ino);
		close(got);
		close(fds[i]);
	}
	frame_done(&f);
}

static void nobody_hears(void **state)
{
	(void)state;
	fd_close(&rig.keeper);
	assert_int_equal(job_send(&rig.job, KW_READY, NULL, 0, NULL, 0), -EPIPE);
}

static void too_much_for_a_frame(void **state)
{
	static const char much[FRAME_MAX];
	struct frame f;

	(void)state;
	assert_int_equal(job_send(&rig.job, KW_PROGRESS, much, FRAME_MAX - sizeof(struct frame_head) + 1, NULL, 0), -EMSGSIZE);
	assert_int_equal(job_send(&rig.job, KW_PROGRESS, much, FRAME_MAX - sizeof(struct frame_head), NULL, 0), 0);
	rig_told(&rig, KW_PROGRESS, &f);
}

static void go_and_nothing_else(void **state)
{
	static const enum kp_type others[] = { KW_JOB, KW_HOOKS, KW_ADOPT, 0, UINT32_MAX };

	(void)state;
	rig_answer(&rig, KW_GO);
	assert_int_equal(job_await_go(&rig.job, &rig.err), 0);
	for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
		rig_answer(&rig, others[i]);
		assert_int_equal(job_await_go(&rig.job, &rig.err), -ECANCELED);
		assert_string_equal(rig.err.text, "called off");
	}
}

static void a_runtime_that_gave_up(void **state)
{
	(void)state;
	assert_int_equal(send(rig.keeper, "noise of no protocol at all", 27, 0), 27);
	assert_int_equal(job_await_go(&rig.job, &rig.err), -EPROTO);
	fd_close(&rig.keeper);
	assert_int_equal(job_await_go(&rig.job, &rig.err), -ECANCELED);
	assert_string_equal(rig.err.text, "the runtime is gone or gave up");
}

/* Descriptors that come along with an answer do not stay. */
static void an_answer_with_descriptors(void **state)
{
	int fds[2] = { rig.keeper, rig.w.keeper }, before = dup(0), after;

	(void)state;
	close(before);
	assert_int_equal(frame_send(rig.keeper, KP_MAGIC, KW_GO, 42, NULL, 0, fds, 2), 0);
	assert_int_equal(job_await_go(&rig.job, &rig.err), 0);
	after = dup(0);
	close(after);
	assert_int_equal(after, before);
}

static ino_t inode(int fd)
{
	struct stat st;

	assert_int_equal(fstat(fd, &st), 0);
	return st.st_ino;
}

static void namespaces(void **state)
{
	int user = -7, net = -7;
	struct stat st;

	(void)state;
	assert_int_equal(namespaces_open(getpid(), true, &user, &net, &rig.err), 0);
	assert_int_equal(stat("/proc/self/ns/user", &st), 0);
	assert_int_equal(inode(user), st.st_ino);
	assert_int_equal(stat("/proc/self/ns/net", &st), 0);
	assert_int_equal(inode(net), st.st_ino);
	assert_true(fcntl(user, F_GETFD) & FD_CLOEXEC && fcntl(net, F_GETFD) & FD_CLOEXEC);
	close(user);
	close(net);
	assert_int_equal(namespaces_open(getpid(), false, &user, &net, &rig.err), 0);
	assert_true(user >= 0 && net == -1);
	close(user);
}

static void namespaces_of_nobody(void **state)
{
	int user = -7, net = -7;

	(void)state;
	assert_int_equal(namespaces_open(0x7fffffff, true, &user, &net, &rig.err), -ENOENT);
	assert_string_equal(rig.err.text, "open the new user namespace: No such file or directory");
	assert_true(user == -7 && net == -7);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(a_frame_with_descriptors),
		CASE(nobody_hears),
		CASE(too_much_for_a_frame),
		CASE(go_and_nothing_else),
		CASE(a_runtime_that_gave_up),
		CASE(an_answer_with_descriptors),
		CASE(namespaces),
		CASE(namespaces_of_nobody),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
