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
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
