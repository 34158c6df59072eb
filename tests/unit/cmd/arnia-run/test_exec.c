/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Programs in a running container. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "tests/unit/cmd/arnia-run/keeper.h"
#include "cgroup/cgroup.h"
#include "lib/base/fd.h"
#include "lib/base/frame.h"
#include "lib/base/mem.h"
#include "lib/base/proc.h"

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x80
#endif

/* A container that only waits, and a worker beside it. */
struct box {
	struct fake_worker w;
	struct plan *p;
	struct answer a;
};

static void box_open(struct box *b, const char *id)
{
	b->p = plan_container(id, "exec sleep 1000");
	worker_start(&b->w, NULL);
	job_do(&b->w, b->p, NULL, &b->a);
	assert_success(&b->a);
}

static void box_close(struct box *b)
{
	struct plan *d = plan_like(b->p, PLAN_DESTROY);
	struct answer r;

	job_do(&b->w, d, NULL, &r);
	assert_success(&r);
	assert_clean(b->p, &b->a);
	answer_done(&r);
	answer_done(&b->a);
	assert_int_equal(worker_end(&b->w), 0);
	free(d);
	plan_free(b->p);
}

/* Exec with stdout on a pipe; what it wrote. */
static char *exec_run_in(struct box *b, struct plan *x, int want_status)
{
	struct give g = { { -1, -1, -1 }, b->a.pidfd };
	struct answer r;
	char *out;
	int ends[2];

	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	g.stdio[0] = open("/dev/null", O_RDONLY | O_CLOEXEC);
	g.stdio[1] = ends[1];
	g.stdio[2] = STDERR_FILENO;
	job_do(&b->w, x, &g, &r);
	assert_success(&r);
	assert_true(r.res.again);
	assert_int_equal(r.c.role, KP_ROLE_EXEC);
	assert_string_equal(r.c.id, x->exec_id);
	assert_string_equal(r.c.container, b->p->id);
	assert_int_equal(r.c.fds, KP_FD_PIDFD);
	close(ends[1]);
	close(g.stdio[0]);
	out = read_all(ends[0]);
	close(ends[0]);
	assert_int_equal(adopted_wait(&r), want_status);
	answer_done(&r);
	plan_free(x);
	return out;
}

static void test_inside(void **state)
{
	struct box b;
	char *out;

	(void)state;
	NEED_WORLD();
	box_open(&b, "00000000000000b1");
	for (int i = 0; i < 3; i++) {
		out = exec_run_in(
			&b,
			plan_exec_of(
				b.p,
				"hostname; readlink /proc/1/exe; cat /proc/self/uid_map; ls /proc/self/fd;"
				"grep -E '^(Cap|NoNew|Seccomp)' /proc/self/status; cat /proc/self/cgroup;"
				"for n in user mnt pid net uts ipc cgroup; do a=$(readlink /proc/1/ns/$n);"
				"[ $a = $(readlink /proc/self/ns/$n) ] || echo other $n; done; exit 5"),
			5 << 8);
		assert_text(out, "box\n/bin/busybox\n");
		assert_text(out, "         0 1900000000      65536\n0\n1\n2\n3\n");
		assert_text(
			out,
			"CapEff:\t00000000000004a9\nCapBnd:\t00000000000004a9\nCapAmb:\t0000000000000000\n"
			"NoNewPrivs:\t1\nSeccomp:\t2\n");
		assert_text(out, "0::/\n");
		assert_null(strstr(out, "other"));
		free(out);
	}
	box_close(&b);
}

static void test_user(void **state)
{
	struct plan *x;
	struct box b;
	char *out;

	(void)state;
	NEED_WORLD();
	box_open(&b, "00000000000000b2");
	x = plan_exec_of(b.p, "id -u; pwd; grep CapEff /proc/self/status; cat /proc/self/oom_score_adj");
	x->process.user = "user";
	x->process.cwd = "/tmp";
	x->sandbox.oom_score_adj = 77;
	out = exec_run_in(&b, x, 0);
	assert_string_equal(out, "1000\n/tmp\nCapEff:\t0000000000000000\n77\n");
	free(out);
	box_close(&b);
}

static void test_tty(void **state)
{
	struct give g = GIVE_NONE;
	struct answer r;
	struct plan *x;
	struct box b;
	char *out;

	(void)state;
	NEED_WORLD();
	box_open(&b, "00000000000000b3");
	x = plan_exec_of(b.p, "tty; stty size; stat -c %t:%T $(tty); echo x > /dev/tty");
	x->stdio = PLAN_STDIO_TTY;
	x->process.tty = true;
	x->process.rows = 20;
	x->process.cols = 70;
	x->process.user = "user";
	g.target = b.a.pidfd;
	job_do(&b.w, x, &g, &r);
	assert_success(&r);
	assert_true(r.master >= 0 && r.c.tty);
	out = read_all(r.master);
	assert_string_equal(out, "/dev/pts/0\r\n20 70\r\n88:0\r\nx\r\n");
	free(out);
	assert_int_equal(adopted_wait(&r), 0);
	answer_done(&r);
	plan_free(x);
	box_close(&b);
}

static void expect_failure(struct box *b, struct plan *x, enum err_kind kind, const char *text)
{
	struct give g = { { -1, -1, -1 }, b->a.pidfd };
	struct answer r;

	x->stdio = PLAN_STDIO_NULL;
	job_do(&b->w, x, &g, &r);
	assert_int_equal(r.res.error.kind, kind);
	assert_text(r.res.error.text, text);
	assert_true(r.res.again);
	if (r.adopted)
		assert_true(adopted_wait(&r) != 0);
	answer_done(&r);
	plan_free(x);
}

static void test_refused(void **state)
{
	struct plan *x;
	struct box b;

	(void)state;
	NEED_WORLD();
	box_open(&b, "00000000000000b4");
	x = plan_exec_of(b.p, "");
	plan_argv(x, (const char *const[]){ "no-such-program", NULL });
	expect_failure(&b, x, ERR_NO_COMMAND, "no-such-program");
	x = plan_exec_of(b.p, "");
	plan_argv(x, (const char *const[]){ "/srv/plain", NULL });
	expect_failure(&b, x, ERR_CANNOT_RUN, "/srv/plain");
	x = plan_exec_of(b.p, "true");
	x->process.user = "nobody-of-that-name";
	expect_failure(&b, x, ERR_NOT_FOUND, "nobody-of-that-name");
	x = plan_exec_of(b.p, "true");
	x->process.cwd = "/not/there";
	expect_failure(&b, x, ERR_FAILED, "/not/there");
	/* CVE-2024-21626 */
	for (int fd = 3; fd < 24; fd++) {
		x = plan_exec_of(b.p, "cat ../../../etc/hostname");
		x->process.cwd = arena_fmt(&x->arena, "/proc/self/fd/%d", fd);
		expect_failure(&b, x, ERR_FAILED, "/proc/self/fd/");
	}
	/* The container is untouched. */
	assert_int_equal(pidref_alive(&(struct pidref){ .pid = b.a.c.pid, .fd = b.a.pidfd }), 1);
	box_close(&b);
}

static void test_not_running(void **state)
{
	struct plan *x;
	struct box b;

	(void)state;
	NEED_WORLD();
	box_open(&b, "00000000000000b5");
	assert_int_equal(kill(b.a.c.pid, SIGKILL), 0);
	assert_int_equal(adopted_wait(&b.a), SIGKILL);
	x = plan_exec_of(b.p, "true");
	expect_failure(&b, x, ERR_STATE, "not running");
	box_close(&b);
}

static void test_paused(void **state)
{
	auto_fd int cg = -1;
	struct cg_events ev = { 0 };
	struct box b;
	char *out;

	(void)state;
	NEED_WORLD();
	box_open(&b, "00000000000000b8");
	cg = cg_open(world.cgroup, b.p->cgroup.path, NULL);
	assert_int_equal(cg_freeze(cg, true, NULL), 0);
	for (int i = 0; i < 400 && !ev.frozen; i++) {
		poll(NULL, 0, 5);
		assert_int_equal(cg_read_events(cg, &ev), 0);
	}
	expect_failure(&b, plan_exec_of(b.p, "true"), ERR_STATE, "paused");
	assert_int_equal(cg_freeze(cg, false, NULL), 0);
	for (int i = 0; i < 400 && ev.frozen; i++) {
		poll(NULL, 0, 5);
		assert_int_equal(cg_read_events(cg, &ev), 0);
	}
	out = exec_run_in(&b, plan_exec_of(b.p, "echo thawed"), 0);
	assert_string_equal(out, "thawed\n");
	free(out);
	/* A paused one is destroyed all the same. */
	assert_int_equal(cg_freeze(cg, true, NULL), 0);
	box_close(&b);
}

/* It sees the container's clocks, which are a namespace of the host. */
static void test_clock(void **state)
{
	const int64_t day_ns = 86400ll * 1000000000;
	struct plan *p;
	struct box b;
	char *out;

	(void)state;
	NEED_WORLD();
	p = plan_container("00000000000000b9", "exec sleep 1000");
	p->sandbox.namespaces |= CLONE_NEWTIME;
	p->sandbox.time_boot_ns = 1000 * day_ns;
	b.p = p;
	worker_start(&b.w, NULL);
	job_do(&b.w, p, NULL, &b.a);
	assert_success(&b.a);
	out = exec_run_in(&b, plan_exec_of(p, "cut -d. -f1 /proc/uptime"), 0);
	assert_true(atoll(out) >= 86400 * 1000);
	free(out);
	box_close(&b);
}

/* A container whose cgroup has controllers below it takes no processes at its top: the exec goes to where
 * init is. */
static void test_inner_cgroup(void **state)
{
	auto_fd int leaf = -1, procs = -1, control = -1;
	struct box b;
	char *out, *path, pid[16];

	(void)state;
	NEED_WORLD();
	box_open(&b, "00000000000000b6");
	path = str_fmt("%s/inner", b.p->cgroup.path);
	assert_int_equal(mkdirat(world.cgroup, path, 0755), 0);
	leaf = openat(world.cgroup, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	procs = openat(leaf, "cgroup.procs", O_WRONLY | O_CLOEXEC);
	snprintf(pid, sizeof(pid), "%d", b.a.c.pid);
	assert_int_equal(write(procs, pid, strlen(pid)), (ssize_t)strlen(pid));
	control = openat(leaf, "../cgroup.subtree_control", O_WRONLY | O_CLOEXEC);
	if (write(control, "+pids", 5) == 5) {
		out = exec_run_in(&b, plan_exec_of(b.p, "cat /proc/self/cgroup"), 0);
		assert_text(out, "0::/inner\n");
	} else {
		/* No controllers on this host: then the top takes it. */
		out = exec_run_in(&b, plan_exec_of(b.p, "cat /proc/self/cgroup"), 0);
		assert_text(out, "0::/\n");
	}
	free(out);
	free(path);
	box_close(&b);
}

/* What enters a container is out of reach for it (CVE-2016-9962): while an exec hangs in its last step, root
 * of the container can neither see its program nor its descriptors. */
static void test_undumpable(void **state)
{
	struct kp_job head = { .kind = PLAN_EXEC, .fds = KP_FD_PLAN | KP_FD_TARGET };
	struct fake_worker hung;
	struct plan *x;
	struct box b;
	struct frame f;
	struct answer r = { .pidfd = -1 };
	auto_fd int plan = -1, master = -1;
	char *out;

	(void)state;
	NEED_WORLD();
	box_open(&b, "00000000000000b7");
	x = plan_exec_of(b.p, "true");
	x->stdio = PLAN_STDIO_TTY;
	plan = plan_write(x, NULL);
	strcpy(head.id, x->exec_id);
	worker_start(&hung, "exec-guest:close:hang");
	assert_int_equal(frame_send(hung.sock, KP_MAGIC, KW_JOB, 1, &head, sizeof(head),
				    (int[]){ plan, b.a.pidfd }, 2),
			 0);
	assert_int_equal(frame_recv(hung.sock, KP_MAGIC, &f, 0), 1);
	assert_int_equal(f.head.type, KW_ADOPT);
	r.pidfd = frame_take_fd(&f, 0);
	/* The console comes after it has joined the namespaces. */
	assert_int_equal(frame_recv(hung.sock, KP_MAGIC, &f, 0), 1);
	assert_int_equal(f.head.type, KW_MASTER);
	master = frame_take_fd(&f, 0);
	out = exec_run_in(
		&b,
		plan_exec_of(
			b.p,
			"n=0; for p in /proc/[0-9]*; do case $p in */1|*/$$) continue;; esac; n=$((n+1));"
			"ls $p/fd 2>/dev/null; readlink $p/exe; cat $p/environ 2>/dev/null; done; echo $n"),
		0);
	assert_string_equal(out, "1\n");
	free(out);
	kill(hung.pid, SIGKILL);
	assert_int_equal(worker_end(&hung), SIGKILL);
	/* Nobody ends it: it hangs in our own fault injection. The container's init cannot end before it is
	 * reaped. */
	assert_int_equal(pidref_kill(&(struct pidref){ .fd = r.pidfd }, SIGKILL), 0);
	assert_int_equal(adopted_wait(&r), SIGKILL);
	close(r.pidfd);
	plan_free(x);
	box_close(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_inside),	    cmocka_unit_test(test_user),
		cmocka_unit_test(test_tty),	    cmocka_unit_test(test_refused),
		cmocka_unit_test(test_not_running), cmocka_unit_test(test_inner_cgroup),
		cmocka_unit_test(test_undumpable),  cmocka_unit_test(test_paused),
		cmocka_unit_test(test_clock),
	};

	return cmocka_run_group_tests(tests, world_setup, world_teardown);
}
