/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The keeper replaces its own program: what it holds goes along. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "tests/unit/keeper/harness.h"
#include "lib/base/fd.h"
#include "lib/base/file.h"
#include "lib/base/proc.h"
#include "lib/base/str.h"
#include "lib/base/time.h"

static void end_container(struct rig *r, const char *id, pid_t pid)
{
	kill(pid, SIGKILL);
	assert_int_equal(rig_exit(r, id).pid, pid);
}

/* The new program says hello on the old connection. */
static void wait_hello(struct rig *r)
{
	struct frame f;

	rig_expect(r, KP_HELLO, &f);
	assert_int_equal(((struct kp_hello *)f.body)->pid, r->keeper);
	frame_done(&f);
}

static void reexec_keeps_all(struct rig *r, void (*ask)(struct rig *r))
{
	struct rig_job prepare = { .id = ID(4), .plan = "prepare 0", .session = -1, .flags = KP_JOB_KEEP };
	struct rig_job start = { .id = ID(5), .plan = "pipe 0\nexit 5", .session = -1 };
	auto_free char *dir = str_fmt("%s/containers/%s", r->in.state, ID(1));
	int end, s = session_pair(&end), end2, s2 = session_pair(&end2);
	pid_t plain, console;
	struct kp_result res;
	uint64_t hang;
	char text[256];
	size_t n;

	assert_int_equal(mkdir(dir, 0700), 0);
	plain = rig_run(r, ID(1), "pipe 10000\nwhile read a; do echo [$a]; done; exit 21", end, KP_JOB_STDIN);
	console = rig_run(r, ID(2), "tty 0\nstty -echo; while read a; do echo [$a]; done; exit 22", end2,
			  KP_JOB_STDIN);
	rig_run(r, ID(3), "pipe 0\nexit 23", -1, 0);
	rig_exit(r, ID(3));
	assert_int_equal(rig_result(r, rig_job(r, &prepare), &res), 0);
	hang = rig_job(r, &(struct rig_job){ .id = ID(6), .plan = "hang 0", .session = -1 });
	usleep(300000);
	ask(r);
	wait_hello(r);
	session_say(s, SESSION_IN, "one\n", 4);
	session_next(s, text, sizeof(text), &n);
	assert_string_equal(text, "[one]\n");
	session_say(s2, SESSION_IN, "two\n", 4);
	session_next(s2, text, sizeof(text), &n);
	assert_string_equal(text, "[two]\r\n");
	/* The worker at a job and the prepared one came along. */
	start.worker = res.worker;
	assert_int_equal(rig_result(r, rig_job(r, &start), NULL), 0);
	assert_int_equal(rig_exit(r, ID(5)).status, 5);
	rig_send(r, KP_CANCEL, hang, NULL, 0, NULL, 0);
	assert_int_equal(rig_result(r, hang, NULL), -ECANCELED);
	/* Still their parent: exact exits. */
	session_say(s, SESSION_IN_EOF, NULL, 0);
	assert_int_equal(session_collect(s, text, sizeof(text), &n).status, 21);
	assert_int_equal(rig_exit(r, ID(1)).pid, plain);
	kill(console, SIGKILL);
	assert_int_equal(session_collect(s2, text, sizeof(text), &n).code, CLD_KILLED);
	assert_int_equal(rig_exit(r, ID(2)).pid, console);
	close(s);
	close(s2);
}

static void ask_frame(struct rig *r)
{
	rig_send(r, KP_REEXEC, 0, NULL, 0, NULL, 0);
}

static void ask_signal(struct rig *r)
{
	kill(r->keeper, SIGHUP);
}

static void test_reexec(void **state)
{
	struct rig *r = *state;
	struct rig_sync y;

	reexec_keeps_all(r, ask_frame);
	rig_disconnect(r);
	rig_connect(r, &y);
	assert_int_equal(y.containers, 0);
	assert_int_equal(y.exits, 4);
}

static void test_reexec_by_signal(void **state)
{
	reexec_keeps_all(*state, ask_signal);
}

/* A client that does not read, and a program that does not: what waits for them comes along. */
static void test_reexec_of_busy_sessions(void **state)
{
	struct rig *r = *state;
	int end, s = session_pair(&end);
	auto_free char *big = mem_alloc(120000);
	size_t got = 0, n;
	char text[SESSION_DATA + 1];
	pid_t pid = rig_run(r, ID(1),
			    "pipe 0\ni=0; while [ $i -lt 50000 ]; do echo 0123456789; i=$((i + 1)); done; sleep 1; wc -c; exit 9",
			    end, KP_JOB_STDIN);

	memset(big, 'x', 120000);
	for (size_t at = 0; at < 120000; at += 30000)
		session_say(s, SESSION_IN, big + at, 30000);
	usleep(500000); /* both sockets and both pipes are full */
	ask_frame(r);
	wait_hello(r);
	while (got < 550000) {
		session_next(s, text, sizeof(text), &n);
		got += n;
	}
	assert_int_equal(got, 550000);
	session_say(s, SESSION_IN_EOF, NULL, 0);
	assert_int_equal(session_collect(s, text, sizeof(text), &n).status, 9);
	text[n] = '\0';
	assert_string_equal(text, "120000\n");
	assert_int_equal(rig_exit(r, ID(1)).pid, pid);
	close(s);
}

static int count_fds(pid_t pid)
{
	char path[64];
	struct stat st;

	/* Since 6.2 the size of the folder is the count (proc_pid_fd(5)). */
	snprintf(path, sizeof(path), "/proc/%d/fd", pid);
	assert_int_equal(stat(path, &st), 0);
	return (int)st.st_size;
}

static void test_reexec_many_times(void **state)
{
	struct rig *r = *state;
	pid_t pid = rig_run(r, ID(1), "pipe 0\nexec sleep 600", -1, 0);
	int before = 0, after;

	for (int i = 0; i < 10; i++) {
		ask_frame(r);
		wait_hello(r);
		/* Both spares are there again. */
		assert_int_equal(rig_result(r,
					    rig_job(r, &(struct rig_job){ .id = ID(2),
									  .plan = "prepare 0",
									  .session = -1 }),
					    NULL),
				 0);
		usleep(200000);
		after = count_fds(r->keeper);
		if (i == 0)
			before = after;
	}
	assert_int_equal(before, after);
	end_container(r, ID(1), pid);
}

/* A program that cannot take over does not get to. */
static void test_reexec_refused(void **state)
{
	struct rig *r = *state;
	auto_free char *path = str_fmt("%s/bin/arnia-keeper", r->root);
	auto_free char *fresh = str_fmt("%s/bin/new", r->root);
	static const char *const bad[] = { "#!/bin/false\n", "not a program", "#!/bin/sh\nexec sleep 600\n" };
	pid_t pid = rig_run(r, ID(1), "pipe 0\nexec sleep 600", -1, 0);

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		int fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0755);

		assert_int_equal(fd_write_all(fd, bad[i], strlen(bad[i])), 0);
		close(fd);
		assert_int_equal(rename(fresh, path), 0);
		ask_frame(r);
		assert_int_equal(rig_result(r,
					    rig_job(r, &(struct rig_job){ .id = ID(2),
									  .plan = "prepare 0",
									  .session = -1 }),
					    NULL),
				 0);
	}
	end_container(r, ID(1), pid);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, rig_setup, rig_teardown)
		T(test_reexec),
		T(test_reexec_by_signal),
		T(test_reexec_of_busy_sessions),
		T(test_reexec_many_times),
		T(test_reexec_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
