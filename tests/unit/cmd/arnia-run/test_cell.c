/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Networks, prepared namespaces, and the jobs of the host. */
#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
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
#include "lib/base/mem.h"
#include "lib/base/proc.h"

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x80
#endif

static void host(enum plan_kind kind, struct answer *a)
{
	struct plan *p = plan_new(kind, NULL);
	struct fake_worker w;

	worker_start(&w, NULL);
	job_do(&w, p, NULL, a);
	assert_int_equal(worker_end(&w), 0);
	plan_free(p);
}

static int network_up(void **state)
{
	struct answer a;

	(void)state;
	if (!world.ready)
		return 0;
	host(PLAN_HOST_SETUP, &a);
	assert_success(&a);
	assert_text(a.text, "\nnet=1\n");
	answer_done(&a);
	return 0;
}

static int network_down(void **state)
{
	struct answer a;

	(void)state;
	if (!world.ready)
		return 0;
	host(PLAN_HOST_TEARDOWN, &a);
	assert_success(&a);
	answer_done(&a);
	return 0;
}

static void test_host(void **state)
{
	struct answer a;
	char *want;

	(void)state;
	NEED_WORLD();
	for (int i = 0; i < 2; i++) {
		host(PLAN_HOST_SETUP, &a);
		assert_success(&a);
		want = str_fmt("branch=%s\ncontrollers=", world.branch);
		assert_text(a.text, want);
		assert_text(a.text, "\nhybrid=");
		assert_text(a.text, "\ntime_ns=");
		assert_text(a.text, "\nnet=1\n");
		assert_int_equal(faccessat(world.cgroup, world.branch, F_OK, 0), 0);
		free(want);
		answer_done(&a);
	}
	for (int i = 0; i < 2; i++) {
		host(PLAN_HOST_TEARDOWN, &a);
		assert_success(&a);
		assert_int_equal(faccessat(world.cgroup, world.branch, F_OK, 0), -1);
		answer_done(&a);
	}
}

/* The keeper lives in the branch, and removes it itself when it leaves. */
static void test_host_lived_in(void **state)
{
	auto_fd int cg = -1;
	struct answer a;
	char *path;
	pid_t pid;

	(void)state;
	NEED_WORLD();
	path = str_fmt("%s/keeper", world.branch);
	assert_int_equal(mkdirat(world.cgroup, path, 0755), 0);
	cg = cg_open(world.cgroup, path, NULL);
	pid = proc_clone3(&(struct proc_clone){ .exit_signal = SIGCHLD, .cgroup_fd = cg });
	if (pid == 0) {
		pause();
		_exit(0);
	}
	host(PLAN_HOST_TEARDOWN, &a);
	assert_success(&a);
	answer_done(&a);
	assert_int_equal(faccessat(world.cgroup, path, F_OK, 0), 0);
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_int_equal(cgroup_wait_empty(cg, 2000, NULL), 0);
	free(path);
}

static const char script[] =
	"ip -4 addr show dev eth0; ip route; ping -c 1 -W 2 169.254.1.1 >/dev/null && echo reached;"
	"echo port > /proc/sys/net/ipv4/ip_unprivileged_port_start 2>/dev/null || echo refused";

static void check_inside(struct answer *a)
{
	char *out = read_all(a->out);

	assert_text(out, "inet 10.254.0.");
	assert_text(out, "default via 169.254.1.1 dev eth0");
	assert_text(out, "reached\n");
	free(out);
}

static void destroy(struct fake_worker *w, struct plan *p, const struct answer *started)
{
	struct plan *d = plan_like(p, PLAN_DESTROY);

	for (int i = 0; i < 2; i++) {
		struct answer a;

		job_do(w, d, NULL, &a);
		assert_success(&a);
		answer_done(&a);
	}
	assert_clean(p, started);
	free(d);
}

static void test_network(void **state)
{
	struct fake_worker w;
	struct answer a;
	struct plan *p;

	(void)state;
	NEED_WORLD();
	p = plan_container("00000000000000c1", script);
	plan_net(p, 1);
	p->sandbox.cap_bounding |= 1 << 13;
	p->sandbox.cap_permitted = p->sandbox.cap_effective = p->sandbox.cap_bounding;
	worker_start(&w, NULL);
	job_do(&w, p, NULL, &a);
	assert_success(&a);
	check_inside(&a);
	assert_int_equal(adopted_wait(&a), 0);
	destroy(&w, p, &a);
	answer_done(&a);
	assert_int_equal(worker_end(&w), 0);
	plan_free(p);
}

/* The link of the run before goes in the background, so it is often there still. */
static void test_restart(void **state)
{
	struct fake_worker w;
	struct plan *p, *d;

	(void)state;
	NEED_WORLD();
	p = plan_container("00000000000000c2", "true");
	plan_net(p, 2);
	d = plan_like(p, PLAN_DESTROY);
	worker_start(&w, NULL);
	for (int i = 0; i < 4; i++) {
		struct answer a, b;

		job_do(&w, p, NULL, &a);
		assert_success(&a);
		assert_int_equal(adopted_wait(&a), 0);
		job_do(&w, d, NULL, &b);
		assert_success(&b);
		answer_done(&a);
		answer_done(&b);
	}
	destroy(&w, p, &(struct answer){ .adopted = false });
	assert_int_equal(worker_end(&w), 0);
	free(d);
	plan_free(p);
}

static void prepare(struct fake_worker *w, const struct plan *p)
{
	struct plan *q = plan_like(p, PLAN_PREPARE);
	struct answer a;

	job_do(w, q, NULL, &a);
	assert_success(&a);
	assert_true(a.res.again);
	assert_false(a.adopted);
	answer_done(&a);
	assert_true(if_nametoindex(p->net.ifname) > 0);
	/* No process holds it, but the worker. */
	assert_int_equal(waitpid(-1, NULL, WNOHANG | __WALL), 0);
	free(q);
}

/* The process that led into the cell, of which no one tells. */
static void reap_others(void)
{
	while (waitpid(-1, NULL, __WALL) > 0)
		;
}

static void test_cell(void **state)
{
	struct fake_worker w;
	struct answer a;
	struct plan *p;

	(void)state;
	NEED_WORLD();
	p = plan_container("00000000000000c3", script);
	plan_layers(p);
	plan_net(p, 3);
	p->sandbox.namespaces |= CLONE_NEWTIME;
	p->sandbox.time_boot_ns = 86400ll * 1000000000;
	p->use_cell = true;
	p->sandbox.cap_bounding |= 1 << 13;
	p->sandbox.cap_permitted = p->sandbox.cap_effective = p->sandbox.cap_bounding;
	worker_start(&w, NULL);
	prepare(&w, p);
	job_do(&w, p, NULL, &a);
	assert_success(&a);
	/* It never was in the container's namespaces, and does not keep them. */
	assert_true(a.res.again);
	check_inside(&a);
	assert_int_equal(adopted_wait(&a), 0);
	destroy(&w, p, &a);
	answer_done(&a);
	/* A cell serves once. */
	job_do(&w, p, NULL, &a);
	assert_int_equal(a.res.error.kind, ERR_STATE);
	answer_done(&a);
	assert_int_equal(worker_end(&w), 0);
	reap_others();
	plan_free(p);
}

static void test_cell_delegated(void **state)
{
	struct fake_worker w;
	struct answer a;
	struct plan *p;
	char *out;

	(void)state;
	NEED_WORLD();
	p = plan_container("00000000000000c4",
			   "mkdir /sys/fs/cgroup/own && echo made; cat /proc/self/cgroup");
	plan_net(p, 4);
	p->use_cell = true;
	p->cgroup.delegate = true;
	p->cgroup.owner_uid = p->cgroup.owner_gid = (uint32_t)p->rootfs.id_base;
	for (size_t i = 0; i < p->rootfs.mounts.n; i++)
		if (strcmp(p->rootfs.mounts.v[i].target, "/sys/fs/cgroup") == 0)
			p->rootfs.mounts.v[i].flags &= ~(uint64_t)1;
	worker_start(&w, NULL);
	prepare(&w, p);
	job_do(&w, p, NULL, &a);
	assert_success(&a);
	out = read_all(a.out);
	assert_text(out, "made\n");
	assert_text(out, "0::/\n");
	free(out);
	assert_int_equal(adopted_wait(&a), 0);
	destroy(&w, p, &a);
	answer_done(&a);
	assert_int_equal(worker_end(&w), 0);
	reap_others();
	plan_free(p);
}

/* A start that fails inside the cell is undone, and the cell is gone. */
static void test_cell_fails(void **state)
{
	struct fake_worker w;
	struct answer a;
	struct plan *p;

	(void)state;
	NEED_WORLD();
	p = plan_container("00000000000000c5", "true");
	plan_layers(p);
	plan_net(p, 5);
	plan_argv(p, (const char *const[]){ "no-such-program", NULL });
	p->use_cell = true;
	worker_start(&w, NULL);
	prepare(&w, p);
	job_do(&w, p, NULL, &a);
	assert_int_equal(a.res.error.kind, ERR_NO_COMMAND);
	assert_text(a.res.error.text, "no-such-program");
	assert_false(a.res.left);
	assert_true(a.res.again);
	assert_true(adopted_wait(&a) != 0);
	assert_clean(p, &a);
	answer_done(&a);
	/* Without a cell such a plan is refused before anything is made. */
	job_do(&w, p, NULL, &a);
	assert_int_equal(a.res.error.kind, ERR_STATE);
	assert_false(a.res.left);
	assert_clean(p, &a);
	answer_done(&a);
	assert_int_equal(worker_end(&w), 0);
	reap_others();
	plan_free(p);
}

static void test_cell_unused(void **state)
{
	struct fake_worker w;
	struct plan *p;

	(void)state;
	NEED_WORLD();
	p = plan_container("00000000000000c6", "true");
	plan_net(p, 6);
	worker_start(&w, NULL);
	prepare(&w, p);
	assert_int_equal(worker_end(&w), 0);
	assert_clean(p, &(struct answer){ .adopted = false });
	plan_free(p);
}

static void test_port_taken(void **state)
{
	struct fake_worker w;
	struct answer a, b;
	struct plan *p, *q;

	(void)state;
	NEED_WORLD();
	p = plan_container("00000000000000c7", "exec sleep 1000");
	q = plan_container("00000000000000c8", "exec sleep 1000");
	plan_net(p, 7);
	plan_net(q, 8);
	*arena_push(&p->arena, &p->net.ports) =
		(struct net_port){ .proto = IPPROTO_TCP, .host_port = 8080, .port = 80 };
	*arena_push(&q->arena, &q->net.ports) =
		(struct net_port){ .proto = IPPROTO_TCP, .host_port = 8080, .port = 80 };
	worker_start(&w, NULL);
	job_do(&w, p, NULL, &a);
	assert_success(&a);
	job_do(&w, q, NULL, &b);
	assert_int_equal(b.res.error.kind, ERR_STATE);
	assert_text(b.res.error.text, "8080");
	assert_int_equal(adopted_wait(&b), SIGKILL);
	assert_clean(q, &b);
	answer_done(&b);
	destroy(&w, p, &a);
	assert_int_equal(adopted_wait(&a), SIGKILL);
	answer_done(&a);
	assert_int_equal(worker_end(&w), 0);
	plan_free(p);
	plan_free(q);
}

static void test_explain(void **state)
{
	struct give g = GIVE_NONE;
	struct fake_worker w;
	struct answer a, b;
	struct plan *p, *e;
	char *want;

	(void)state;
	NEED_WORLD();
	p = plan_container("00000000000000c9", "exec sleep 1000");
	plan_net(p, 9);
	e = plan_like(p, PLAN_EXPLAIN);
	worker_start(&w, NULL);
	job_do(&w, e, NULL, &b);
	assert_int_equal(b.res.error.kind, ERR_STATE);
	answer_done(&b);
	job_do(&w, p, NULL, &a);
	assert_success(&a);
	for (int i = 0; i < 2; i++) {
		/* By the pidfd, and by the cgroup. */
		g.target = i ? a.pidfd : -1;
		job_do(&w, e, &g, &b);
		assert_success(&b);
		want = str_fmt("process %d\nnamespace user:[", a.c.pid);
		assert_text(b.text, want);
		free(want);
		assert_text(b.text, "\nuid_map 0 1900000000 65536\n");
		assert_text(b.text, "\nCapEff 00000000000004a9\n");
		assert_text(b.text, "\nSeccomp 2\n");
		assert_text(b.text, p->cgroup.path);
		assert_text(b.text, " /proc rw,nosuid,nodev,noexec");
		assert_text(b.text, "interface anT9: up");
		answer_done(&b);
	}
	destroy(&w, p, &a);
	assert_int_equal(adopted_wait(&a), SIGKILL);
	job_do(&w, e, &g, &b);
	assert_int_equal(b.res.error.kind, ERR_STATE);
	answer_done(&b);
	answer_done(&a);
	assert_int_equal(worker_end(&w), 0);
	free(e);
	plan_free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_host),
		cmocka_unit_test_setup_teardown(test_host_lived_in, network_up, network_down),
		cmocka_unit_test_setup_teardown(test_network, network_up, network_down),
		cmocka_unit_test_setup_teardown(test_restart, network_up, network_down),
		cmocka_unit_test_setup_teardown(test_cell, network_up, network_down),
		cmocka_unit_test_setup_teardown(test_cell_delegated, network_up, network_down),
		cmocka_unit_test_setup_teardown(test_cell_fails, network_up, network_down),
		cmocka_unit_test_setup_teardown(test_cell_unused, network_up, network_down),
		cmocka_unit_test_setup_teardown(test_port_taken, network_up, network_down),
		cmocka_unit_test_setup_teardown(test_explain, network_up, network_down),
	};

	return cmocka_run_group_tests(tests, world_setup, world_teardown);
}
