/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Jobs, adoption, exits. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include "tests/unit/keeper/harness.h"
#include "lib/base/fd.h"
#include "lib/base/proc.h"

/* The record in run/exit, or -ENOENT. */
static int read_record(const struct rig *r, const char *id, struct kp_exit *ret)
{
	char path[4200];
	int fd, n;

	snprintf(path, sizeof(path), "%s/exit/%s", r->in.run, id);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	n = (int)fd_read_full(fd, ret, sizeof(*ret));
	close(fd);
	return n == (int)sizeof(*ret) ? 0 : -EIO;
}

static void test_order_and_exit(void **state)
{
	struct rig *r = *state;
	uint64_t seq = rig_job(r, &(struct rig_job){ .id = ID(1), .plan = "pipe 0\nexit 7", .session = -1 });
	const struct kp_container *c;
	const struct kp_result *res;
	const struct kp_exit *x;
	struct kp_exit record;
	struct frame f;
	pid_t pid;

	rig_next(r, &f);
	assert_int_equal(f.head.type, KP_CONTAINER);
	c = frame_body(&f, sizeof(*c));
	assert_string_equal(c->id, ID(1));
	assert_int_equal(c->role, KP_ROLE_CONTAINER);
	/* stdin was closed at once: the job did not ask for it. */
	assert_int_equal(c->fds, KP_FD_PIDFD | KP_FD_OUT | KP_FD_ERR);
	assert_int_equal(f.nfds, 3);
	pid = c->pid;
	frame_done(&f);
	rig_next(r, &f);
	assert_int_equal(f.head.type, KP_RESULT);
	assert_int_equal(f.head.seq, seq);
	res = frame_body(&f, sizeof(*res));
	assert_int_equal(res->error.code, 0);
	assert_int_equal(res->pid, pid);
	rig_next(r, &f);
	assert_int_equal(f.head.type, KP_EXIT);
	x = frame_body(&f, sizeof(*x));
	assert_string_equal(x->id, ID(1));
	assert_int_equal(x->pid, pid);
	assert_int_equal(x->code, CLD_EXITED);
	assert_int_equal(x->status, 7);
	assert_true(x->time_ns > 1000000000ull * 1500000000ull);
	assert_int_equal(read_record(r, ID(1), &record), 0);
	assert_memory_equal(&record, x, sizeof(record));
}

static void test_killed(void **state)
{
	struct rig *r = *state;
	pid_t pid = rig_run(r, ID(1), "pipe 0\nexec sleep 600", -1, 0);
	struct kp_exit x;

	kill(pid, SIGTERM);
	x = rig_exit(r, ID(1));
	assert_int_equal(x.code, CLD_KILLED);
	assert_int_equal(x.status, SIGTERM);
	assert_false(process_lives(pid));
}

static void test_forget(void **state)
{
	struct rig *r = *state;
	struct kp_exit record;
	struct rig_sync y;

	rig_run(r, ID(1), "pipe 0\nexit 0", -1, 0);
	rig_exit(r, ID(1));
	assert_int_equal(read_record(r, ID(1), &record), 0);
	rig_disconnect(r);
	rig_connect(r, &y);
	assert_int_equal(y.exits, 1);
	assert_string_equal(y.last_exit.id, ID(1));
	rig_forget(r, ID(1));
	rig_disconnect(r);
	rig_connect(r, &y);
	assert_int_equal(y.exits, 0);
	assert_int_equal(read_record(r, ID(1), &record), -ENOENT);
	/* The id may start again. */
	rig_run(r, ID(1), "pipe 0\nexit 3", -1, 0);
	assert_int_equal(rig_exit(r, ID(1)).status, 3);
}

/* Its first process ended before the keeper was told of it, which is still told in order, and once. */
static void test_quick_end(void **state)
{
	static const uint32_t order[] = { KP_CONTAINER, KP_RESULT, KP_EXIT, KP_RESULT };
	struct rig *r = *state;
	struct frame f;

	rig_job(r, &(struct rig_job){ .id = ID(1), .plan = "quick 0\nexit 5", .session = -1 });
	for (size_t i = 0; i < ARRAY_SIZE(order); i++) {
		rig_next(r, &f);
		/* It may be too late for its descriptors. */
		if (i == 0 && f.head.type == KP_RESULT)
			i++;
		assert_int_equal(f.head.type, order[i]);
		if (f.head.type == KP_EXIT) {
			assert_int_equal(((struct kp_exit *)f.body)->code, CLD_EXITED);
			assert_int_equal(((struct kp_exit *)f.body)->status, 5);
			rig_job(r, &(struct rig_job){ .id = ID(2), .plan = "prepare 0", .session = -1 });
		}
		frame_done(&f);
	}
}

/* Many at once, while the keeper looks elsewhere: it reaps before it reads what the workers said. */
static void test_many_quick_ends(void **state)
{
	struct rig *r = *state;
	char id[ID_LEN + 1];
	struct frame f;

	for (int i = 0; i < 30; i++) {
		snprintf(id, sizeof(id), "%016x", 0xe00 + i);
		rig_job(r, &(struct rig_job){ .id = id, .plan = "slow 0\nexit 3", .session = -1 });
	}
	usleep(1000000);
	kill(r->keeper, SIGSTOP);
	usleep(1500000);
	kill(r->keeper, SIGCONT);
	for (int exits = 0; exits < 30;) {
		rig_expect(r, KP_EXIT, &f);
		assert_int_equal(((struct kp_exit *)f.body)->code, CLD_EXITED);
		assert_int_equal(((struct kp_exit *)f.body)->status, 3);
		frame_done(&f);
		exits++;
	}
}

static void test_job_fails(void **state)
{
	struct rig *r = *state;
	struct kp_exit record;
	struct rig_sync y;
	int end, s = session_pair(&end);
	char text[64];
	size_t n;
	uint64_t seq = rig_job(r, &(struct rig_job){ .id = ID(1), .plan = "fail 0\nexit 5", .session = end });

	assert_int_equal(rig_result(r, seq, NULL), -ENOENT);
	assert_int_equal(rig_exit(r, ID(1)).status, 99);
	/* The client hears of it from arniad, not by an exit. */
	assert_int_equal(session_next(s, text, sizeof(text), &n), 0);
	close(s);
	assert_int_equal(read_record(r, ID(1), &record), -ENOENT);
	rig_disconnect(r);
	rig_connect(r, &y);
	assert_int_equal(y.exits + y.containers, 0);
}

static void test_worker_killed_before_adoption(void **state)
{
	struct rig *r = *state;
	struct kp_result res;
	struct rig_sync y;
	uint64_t seq =
		rig_job(r, &(struct rig_job){ .id = ID(1), .plan = "kill-early 0\nexit 5", .session = -1 });

	assert_int_equal(rig_result(r, seq, &res), -ECHILD);
	assert_non_null(strstr(res.error.text, "signal 9"));
	/* The child it had cloned is reaped, and the next job finds a worker. */
	rig_run(r, ID(2), "pipe 0\nexit 4", -1, 0);
	assert_int_equal(rig_exit(r, ID(2)).status, 4);
	rig_disconnect(r);
	rig_connect(r, &y);
	assert_int_equal(y.containers, 0);
}

static void test_worker_killed_after_adoption(void **state)
{
	struct rig *r = *state;
	struct kp_container c;
	struct frame f;
	uint64_t seq = rig_job(
		r, &(struct rig_job){ .id = ID(1), .plan = "kill-late 0\nexec sleep 600", .session = -1 });

	rig_expect(r, KP_CONTAINER, &f);
	memcpy(&c, f.body, sizeof(c));
	frame_done(&f);
	assert_int_equal(rig_result(r, seq, NULL), -ECHILD);
	/* What it had started is still known, and its end is told. */
	assert_true(process_lives(c.pid));
	kill(c.pid, SIGKILL);
	assert_int_equal(rig_exit(r, ID(1)).status, SIGKILL);
}

static void test_cancel(void **state)
{
	struct rig *r = *state;
	uint64_t seq = rig_job(r, &(struct rig_job){ .id = ID(1), .plan = "hang 0", .session = -1 });

	rig_send(r, KP_CANCEL, seq, NULL, 0, NULL, 0);
	assert_int_equal(rig_result(r, seq, NULL), -ECANCELED);
}

/* Nothing new is begun without descriptors in reserve; what takes away is, and nobody waits for ever. */
static void test_out_of_descriptors(void **state)
{
	struct rig *r = *state;
	struct rig_job start = { .id = ID(1), .plan = "pipe 0\nexec sleep 600", .session = -1 };
	struct rig_job end = { .id = ID(2), .plan = "progress 0", .session = -1, .flags = KP_JOB_LESS };
	pid_t first = rig_run(r, ID(3), "pipe 0\nexec sleep 600", -1, 0);
	struct rlimit old, low;
	struct kp_result res;

	assert_int_equal(prlimit(r->keeper, RLIMIT_NOFILE, NULL, &old), 0);
	for (unsigned used = 8; used < 48; used++) {
		low = (struct rlimit){ used, old.rlim_max };
		assert_int_equal(prlimit(r->keeper, RLIMIT_NOFILE, &low, NULL), 0);
		if (rig_result(r, rig_job(r, &start), &res) == 0) {
			kill(res.pid, SIGKILL);
			rig_exit(r, ID(1));
			rig_forget(r, ID(1));
		} else {
			assert_int_equal(res.error.code, -EMFILE);
			assert_int_equal(res.error.kind, ERR_REFUSED);
		}
	}
	low.rlim_cur = 8; /* nothing at all: what is in reserve is in use */
	assert_int_equal(prlimit(r->keeper, RLIMIT_NOFILE, &low, NULL), 0);
	assert_int_equal(rig_result(r, rig_job(r, &start), NULL), -EMFILE);
	assert_true(process_lives(first));
	assert_int_equal(prlimit(r->keeper, RLIMIT_NOFILE, &old, NULL), 0);
	assert_int_equal(rig_result(r, rig_job(r, &end), NULL), 0);
	assert_int_equal(rig_result(r, rig_job(r, &start), &res), 0);
	kill(res.pid, SIGKILL);
	kill(first, SIGKILL);
}

static void test_progress(void **state)
{
	struct rig *r = *state;
	struct frame f;
	uint64_t seq = rig_job(r, &(struct rig_job){ .id = ID(1), .plan = "progress 0", .session = -1 });

	rig_next(r, &f);
	assert_int_equal(f.head.type, KP_PROGRESS);
	assert_int_equal(f.head.seq, seq);
	assert_string_equal((char *)f.body, "one");
	rig_next(r, &f);
	assert_string_equal((char *)f.body, "two");
	assert_int_equal(rig_result(r, seq, NULL), 0);
}

static void test_prepared_worker(void **state)
{
	struct rig *r = *state;
	struct rig_job prepare = { .id = ID(1), .plan = "prepare 0", .session = -1, .flags = KP_JOB_KEEP };
	struct rig_job start = { .id = ID(2), .plan = "pipe 0\nexit 6", .session = -1 };
	struct kp_result res;
	uint64_t seq = rig_job(r, &prepare);

	assert_int_equal(rig_result(r, seq, &res), 0);
	assert_true(res.worker > 0);
	start.worker = res.worker;
	assert_int_equal(rig_result(r, rig_job(r, &start), NULL), 0);
	assert_int_equal(rig_exit(r, ID(2)).status, 6);
	/* Used up. */
	assert_int_equal(rig_result(r, rig_job(r, &start), NULL), -ESRCH);
	/* Given up: told with the number of the prepare job. */
	seq = rig_job(r, &prepare);
	assert_int_equal(rig_result(r, seq, &res), 0);
	rig_send(r, KP_CANCEL, seq, NULL, 0, NULL, 0);
	assert_int_equal(rig_result(r, seq, &res), -ECANCELED);
	start.worker = res.worker;
	assert_int_equal(rig_result(r, rig_job(r, &start), NULL), -ESRCH);
}

static void test_worker_used_once(void **state)
{
	struct rig *r = *state;

	for (int i = 0; i < 5; i++) {
		uint64_t seq = rig_job(r, &(struct rig_job){ .id = ID(1), .plan = "last 0", .session = -1 });

		assert_int_equal(rig_result(r, seq, NULL), 0);
	}
}

static void test_many_at_once(void **state)
{
	struct rig *r = *state;
	unsigned results = 0, exits = 0;
	struct frame f;
	char id[ID_LEN + 1];

	for (int i = 0; i < 40; i++) {
		snprintf(id, sizeof(id), "%016x", 0xb00 + i);
		rig_job(r, &(struct rig_job){ .id = id, .plan = "pipe 0\nexit 9", .session = -1 });
	}
	while (results < 40 || exits < 40) {
		rig_next(r, &f);
		if (f.head.type == KP_RESULT) {
			assert_int_equal(((struct kp_result *)f.body)->error.code, 0);
			results++;
		}
		if (f.head.type == KP_EXIT) {
			assert_int_equal(((struct kp_exit *)f.body)->status, 9);
			exits++;
		}
		frame_done(&f);
	}
}

static void test_exec_exit_is_not_recorded(void **state)
{
	struct rig *r = *state;
	int end, s = session_pair(&end), null = open("/dev/null", O_RDWR | O_CLOEXEC);
	int stdio[3] = { null, null, null };
	struct kp_exit record;
	struct session_exit x;
	char text[64];
	size_t n;
	uint64_t seq = rig_job(
		r,
		&(struct rig_job){ .id = "e-1", .plan = "exec 0\nexit 11", .session = end, .stdio = stdio });

	assert_int_equal(rig_result(r, seq, NULL), 0);
	assert_int_equal(rig_exit(r, "e-1").status, 11);
	x = session_collect(s, text, sizeof(text), &n);
	assert_int_equal(x.code, CLD_EXITED);
	assert_int_equal(x.status, 11);
	assert_int_equal(read_record(r, "e-1", &record), -ENOENT);
	close(s);
	close(null);
}

static void test_bad_frames(void **state)
{
	struct rig *r = *state;
	struct kp_job body = { .kind = 1, .fds = KP_FD_PLAN | KP_FD_TARGET };
	int fd = fd_memfd_sealed("plan", "pipe 0", 6);

	/* Unknown, cut short, without its descriptors: none of them ends the connection or the keeper. */
	rig_send(r, 4711, 1, "x", 1, NULL, 0);
	rig_send(r, KP_JOB, 2, "x", 1, &fd, 1);
	rig_send(r, KP_ATTACH, 3, "x", 1, &fd, 1);
	rig_send(r, KP_GIVE, 4, "x", 1, &fd, 1);
	rig_send(r, KP_JOB, 5, &body, sizeof(body), &fd, 1);
	assert_int_equal(rig_result(r, 5, NULL), -EINVAL);
	rig_run(r, ID(1), "pipe 0\nexit 0", -1, 0);
	close(fd);
}

static void test_strangers_are_reaped(void **state)
{
	struct rig *r = *state;
	char path[64], text[4096];
	ssize_t n;
	int fd;

	/* A grandchild whose parent goes away comes to the keeper, which is a subreaper. */
	rig_run(r, ID(1), "pipe 0\n(setsid sh -c 'sleep 0.2') & exit 0", -1, 0);
	rig_exit(r, ID(1));
	usleep(600000);
	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", r->keeper, r->keeper);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	assert_true(n >= 0);
	text[n] = '\0';
	for (char *at = text, *end; *at && *at != '\n'; at = end) {
		pid_t pid = (pid_t)strtol(at, &end, 10);

		if (end == at)
			break;
		assert_true(process_lives(pid));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, rig_setup, rig_teardown)
		T(test_order_and_exit),
		T(test_killed),
		T(test_forget),
		T(test_quick_end),
		T(test_many_quick_ends),
		T(test_job_fails),
		T(test_worker_killed_before_adoption),
		T(test_worker_killed_after_adoption),
		T(test_cancel),
		T(test_out_of_descriptors),
		T(test_progress),
		T(test_prepared_worker),
		T(test_worker_used_once),
		T(test_many_at_once),
		T(test_exec_exit_is_not_recorded),
		T(test_bad_frames),
		T(test_strangers_are_reaped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
