/* SPDX-License-Identifier: GPL-2.0-or-later */
/* arniad dies, the keeper dies, the keeper is replaced in place. */
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

static void test_arniad_replaced(void **state)
{
	struct rig *r = *state;
	int end, s = session_pair(&end);
	struct rig_sync y;
	char text[256];
	size_t n;
	pid_t pid = rig_run(r, ID(1), "pipe 0\nread a; echo $a; exec sleep 600", end, KP_JOB_STDIN);

	rig_disconnect(r);
	/* Sessions do not notice. */
	session_say(s, SESSION_IN, "still here\n", 11);
	session_next(s, text, sizeof(text), &n);
	assert_string_equal(text, "still here\n");
	rig_connect(r, &y);
	assert_int_equal(y.containers, 1);
	assert_string_equal(y.last_container.id, ID(1));
	assert_int_equal(y.last_container.pid, pid);
	assert_int_equal(y.last_container.fds, KP_FD_PIDFD | KP_FD_OUT | KP_FD_ERR);
	assert_true(pidref_alive(&(struct pidref){ .fd = y.last_fds[0] }));
	assert_true(process_lives(pid));
	for (int i = 0; i < 5; i++)
		fd_close(&y.last_fds[i]);
	end_container(r, ID(1), pid);
	close(s);
}

static void test_job_of_earlier_arniad(void **state)
{
	struct rig *r = *state;
	struct rig_job prepare = { .id = ID(2), .plan = "prepare 0", .session = -1, .flags = KP_JOB_KEEP };
	struct rig_job start = { .id = ID(3), .plan = "pipe 0\nexit 0", .session = -1 };
	struct kp_result res;
	struct rig_sync y;

	assert_int_equal(rig_result(r, rig_job(r, &prepare), &res), 0);
	rig_job(r, &(struct rig_job){ .id = ID(1), .plan = "hang 0", .session = -1 });
	/* Taken by a worker, not only queued: else it would be dropped. */
	assert_int_equal(
		rig_result(r,
			   rig_job(r, &(struct rig_job){ .id = ID(2), .plan = "prepare 0", .session = -1 }),
			   NULL),
		0);
	rig_disconnect(r);
	rig_connect(r, &y);
	assert_int_equal(y.jobs, 1);
	assert_true(y.last_job >> 63);
	/* What was prepared is given up. */
	start.worker = res.worker;
	assert_int_equal(rig_result(r, rig_job(r, &start), NULL), -ESRCH);
	rig_send(r, KP_CANCEL, y.last_job, NULL, 0, NULL, 0);
	assert_int_equal(rig_result(r, y.last_job, &res), -ECANCELED);
	assert_string_equal(res.id, ID(1));
}

/* More to tell than the socket takes at once, to one who does not read for a while. */
static void test_sync_of_many(void **state)
{
	struct rig *r = *state;
	struct kp_hello hello = { .version = 1, .pid = getpid() };
	unsigned exits = 0;
	struct frame f;
	char id[ID_LEN + 1];

	for (int i = 0; i < 400; i++) {
		snprintf(id, sizeof(id), "%016x", 0xc00 + i);
		rig_run(r, id, "pipe 0\nexit 0", -1, 0);
		rig_exit(r, id);
	}
	for (int i = 0; i < 3; i++)
		rig_send(r, KP_HELLO, 5, &hello, sizeof(hello), NULL, 0);
	usleep(300000);
	for (int synced = 0; synced < 3;) {
		rig_next(r, &f);
		exits += f.head.type == KP_EXIT;
		synced += f.head.type == KP_SYNCED;
		frame_done(&f);
	}
	assert_int_equal(exits, 1200);
}

static bool kernel_tells_exit(void)
{
	struct pidfd_info info = { .mask = PIDFD_INFO_EXIT };
	pid_t pid = fork();
	int fd;

	if (pid == 0)
		_exit(0);
	fd = proc_pidfd_open(pid);
	waitpid(pid, NULL, 0);
	if (ioctl(fd, PIDFD_GET_INFO, &info) < 0)
		info.mask = 0;
	close(fd);
	return info.mask & PIDFD_INFO_EXIT;
}

/* What arniad does after the keeper died: gives the descriptors it holds to the next one. */
static void give(struct rig *r, struct rig_sync *held)
{
	size_t n = (size_t)__builtin_popcount(held->last_container.fds);

	rig_send(r, KP_GIVE, 0, &held->last_container, sizeof(held->last_container), held->last_fds, n);
	for (size_t i = 0; i < n; i++)
		fd_close(&held->last_fds[i]);
}

static void hold(struct rig *r, struct rig_sync *ret)
{
	rig_disconnect(r);
	rig_connect(r, ret);
	assert_int_equal(ret->containers, 1);
}

static void test_keeper_killed(void **state)
{
	struct rig *r = *state;
	auto_free char *dir = str_fmt("%s/containers/%s", r->in.state, ID(1));
	auto_free char *old = str_fmt("%s/log.1", dir);
	struct rig_sync y, after;
	int end, s = session_pair(&end);
	char text[256];
	struct kp_exit x;
	struct stat st;
	size_t n;
	pid_t pid, parent = r->keeper;

	assert_int_equal(mkdir(dir, 0700), 0);
	pid = rig_run(r, ID(1),
		      "pipe 100000\ntrap 'echo two' USR1; trap 'exit 21' TERM; echo one; while :; do sleep "
		      "0.02; done",
		      end, 0);
	session_next(s, text, sizeof(text), &n);
	assert_string_equal(text, "one\n");
	hold(r, &y);
	rig_kill_keeper(r);
	rig_disconnect(r);
	assert_int_equal(session_next(s, text, sizeof(text), &n), 0);
	close(s);
	assert_true(process_lives(pid));
	rig_start(r);
	assert_int_not_equal(r->keeper, parent);
	rig_connect(r, &after);
	assert_int_equal(after.containers, 0);
	give(r, &y);
	s = session_pair(&end);
	rig_attach(r, ID(1), end, true);
	kill(pid, SIGUSR1);
	session_next(s, text, sizeof(text), &n);
	assert_string_equal(text, "two\n");
	/* A record cut short by the kill could only be at the end of the file before. */
	assert_int_equal(stat(old, &st), 0);
	kill(pid, SIGTERM);
	wait_gone(pid);
	x = rig_exit(r, ID(1));
	assert_int_equal(x.pid, pid);
	assert_int_equal(x.code, kernel_tells_exit() ? CLD_EXITED : 0);
	assert_int_equal(x.status, kernel_tells_exit() ? 21 : 0);
	close(s);
}

/* Its status can be asked for only once its new parent has reaped it. */
static void test_orphan_reaped_late(void **state)
{
	struct rig *r = *state;
	unsigned long before;
	uint64_t begin;
	struct rig_sync y;
	struct kp_exit x;
	pid_t pid = rig_run(r, ID(1), "pipe 0\nexec sleep 600", -1, 0);

	hold(r, &y);
	rig_kill_keeper(r);
	rig_disconnect(r);
	rig_start(r);
	rig_connect(r, NULL);
	give(r, &y);
	before = cpu_ticks(r->keeper);
	kill(pid, SIGTERM);
	usleep(500000);
	assert_true(cpu_ticks(r->keeper) - before < 15); /* of 50 */
	begin = time_mono_ms();
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	x = rig_exit(r, ID(1));
	assert_true(time_mono_ms() - begin < 2000);
	assert_int_equal(x.code, kernel_tells_exit() ? CLD_KILLED : 0);
	assert_int_equal(x.status, kernel_tells_exit() ? SIGTERM : 0);
}

static void test_given_console(void **state)
{
	struct rig *r = *state;
	struct rig_sync y;
	int end, s = session_pair(&end);
	char text[256];
	size_t n;
	pid_t pid =
		rig_run(r, ID(1), "tty 0\nstty -echo; read a; echo [$a]; exec sleep 600", -1, KP_JOB_STDIN);

	usleep(300000);
	hold(r, &y);
	assert_int_equal(y.last_container.fds, KP_FD_PIDFD | KP_FD_MASTER);
	rig_kill_keeper(r);
	rig_disconnect(r);
	rig_start(r);
	rig_connect(r, NULL);
	give(r, &y);
	/* Given twice: the first stays. */
	rig_attach(r, ID(1), end, true);
	session_say(s, SESSION_IN, "typed\n", 6);
	session_next(s, text, sizeof(text), &n);
	assert_string_equal(text, "[typed]\r\n");
	kill(pid, SIGKILL);
	wait_gone(pid);
	rig_exit(r, ID(1));
	close(s);
}

static void test_exit_recorded_by_dead_keeper(void **state)
{
	struct rig *r = *state;
	struct rig_sync y;

	rig_run(r, ID(1), "pipe 0\nexit 13", -1, 0);
	rig_exit(r, ID(1));
	rig_kill_keeper(r);
	rig_disconnect(r);
	rig_start(r);
	rig_connect(r, &y);
	assert_int_equal(y.exits, 1);
	assert_string_equal(y.last_exit.id, ID(1));
	assert_int_equal(y.last_exit.status, 13);
	rig_forget(r, ID(1));
	rig_disconnect(r);
	rig_connect(r, &y);
	assert_int_equal(y.exits, 0);
}

static void test_garbled_exit_is_not_believed(void **state)
{
	struct rig *r = *state;
	auto_free char *path = str_fmt("%s/exit/%s", r->in.run, ID(1));
	auto_free char *aside = str_fmt("%s/exit/bad-%s", r->in.run, ID(1));
	auto_free char *half = str_fmt("%s/exit/.%s.tmp", r->in.run, ID(2));
	struct rig_sync y;
	char byte;
	int fd;

	rig_run(r, ID(1), "pipe 0\nexit 13", -1, 0);
	rig_exit(r, ID(1));
	rig_kill_keeper(r);
	rig_disconnect(r);
	fd = open(path, O_RDWR | O_CLOEXEC);
	assert_int_equal(pread(fd, &byte, 1, 40), 1);
	byte ^= 1;
	assert_int_equal(pwrite(fd, &byte, 1, 40), 1);
	close(fd);
	fd = open(half, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	close(fd);
	rig_start(r);
	rig_connect(r, &y);
	assert_int_equal(y.exits, 0);
	assert_int_equal(access(path, F_OK), -1);
	assert_int_equal(access(half, F_OK), -1);
	assert_int_equal(access(aside, F_OK), 0);
}

/* Killed at each of its steps: the next keeper starts, and what runs can be given to it. */
static void test_killed_at_each_step(void **state)
{
	static const char *const steps[] = { "keeper-spawn", "keeper-adopt", "keeper-result", "keeper-exit",
					     "keeper-log",   "file-write",   "file-rename" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
		struct rig *r = rig_new();
		auto_free char *fail = str_fmt("%s:kill", steps[i]);
		auto_free char *dir = str_fmt("%s/containers/%s", r->in.state, ID(1));
		struct frame f;

		assert_int_equal(mkdir(dir, 0700), 0);
		rig_lock(r);
		setenv("ARNIA_FAIL_AT", fail, 1);
		if (i == 0) {
			/* The first spare worker: before or after it is ready, so it cannot be waited for. */
			auto_free char *path = str_fmt("%s/bin/arnia-keeper", r->root);
			pid_t pid = fork();

			if (pid == 0) {
				execl(path, path, "--foreground", (char *)NULL);
				_exit(127);
			}
			wait_gone(pid);
		} else {
			rig_start(r);
			rig_connect(r, NULL);
			rig_job(r, &(struct rig_job){ .id = ID(1),
						      .plan = "pipe 1000\necho text; exit 1",
						      .session = -1 });
			for (wait_readable(r->s); frame_recv(r->s, KP_MAGIC, &f, MSG_DONTWAIT) > 0;
			     wait_readable(r->s))
				frame_done(&f);
			rig_disconnect(r);
			wait_gone(r->keeper);
			r->keeper = 0;
		}
		unsetenv("ARNIA_FAIL_AT");
		rig_start(r);
		rig_connect(r, NULL);
		rig_run(r, ID(2), "pipe 0\nexit 2", -1, 0);
		assert_int_equal(rig_exit(r, ID(2)).status, 2);
		rig_free(r);
	}
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
		T(test_arniad_replaced),
		T(test_job_of_earlier_arniad),
		T(test_sync_of_many),
		T(test_keeper_killed),
		T(test_orphan_reaped_late),
		T(test_given_console),
		T(test_exit_recorded_by_dead_keeper),
		T(test_garbled_exit_is_not_believed),
		cmocka_unit_test(test_killed_at_each_step),
		T(test_reexec),
		T(test_reexec_by_signal),
		T(test_reexec_of_busy_sessions),
		T(test_reexec_many_times),
		T(test_reexec_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
