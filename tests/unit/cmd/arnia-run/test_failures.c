/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Every step of every list is made to fail, and to be killed at: what is left, and what is told. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include "tests/unit/cmd/arnia-run/keeper.h"
#include "lib/base/frame.h"
#include "lib/base/mem.h"
#include "lib/base/proc.h"

static void host(enum plan_kind kind)
{
	struct plan *p = plan_new(kind, NULL);
	struct fake_worker w;
	struct answer a;

	worker_start(&w, NULL);
	job_do(&w, p, NULL, &a);
	assert_success(&a);
	answer_done(&a);
	assert_int_equal(worker_end(&w), 0);
	plan_free(p);
}

static int network_up(void **state)
{
	world_setup(state);
	if (world.ready)
		host(PLAN_HOST_SETUP);
	return 0;
}

static int network_down(void **state)
{
	if (world.ready)
		host(PLAN_HOST_TEARDOWN);
	return world_teardown(state);
}

/* Children that no one told of are reaped all the same. */
static void reap_all(void)
{
	while (waitpid(-1, NULL, __WALL) > 0)
		;
	assert_int_equal(errno, ECHILD);
}

static struct plan *container(unsigned n, bool cell)
{
	struct plan *p = plan_container("00000000000000d1", "exec sleep 1000");

	plan_layers(p);
	plan_net(p, n);
	p->use_cell = cell;
	p->stdio = n % 2 ? PLAN_STDIO_LOG : PLAN_STDIO_TTY;
	return p;
}

static void give_cell(struct fake_worker *w, struct plan *p)
{
	struct plan *q;
	struct answer a;

	if (!p->use_cell)
		return;
	q = plan_like(p, PLAN_PREPARE);
	job_do(w, q, NULL, &a);
	assert_success(&a);
	answer_done(&a);
	free(q);
}

static void destroy(struct plan *p)
{
	struct plan *d = plan_like(p, PLAN_DESTROY);
	struct fake_worker w;
	struct answer a;

	worker_start(&w, NULL);
	job_do(&w, d, NULL, &a);
	assert_success(&a);
	answer_done(&a);
	assert_int_equal(worker_end(&w), 0);
	free(d);
}

/* The step fails with an error: the worker undoes what was done, and says what could not be. */
static void start_fails(const char *step, unsigned n, bool cell)
{
	struct plan *p = container(n, cell);
	char *at = str_fmt("%s:errno:EXDEV", step);
	const char *plain = strchr(step, ':') + 1;
	struct fake_worker w;
	struct answer a;

	worker_start(&w, at);
	give_cell(&w, p);
	job_do(&w, p, NULL, &a);
	assert_false(a.died);
	assert_text(a.res.error.text, plain);
	assert_int_equal(a.res.error.code, -EXDEV);
	assert_int_equal(a.res.pid, 0);
	assert_int_equal(a.res.left, 0);
	assert_int_equal(worker_end(&w), 0);
	assert_clean(p, &a);
	reap_all();
	answer_done(&a);
	free(at);
	plan_free(p);
}

/* A process of the pair is killed there: the worker (then another one destroys) or the guest (then the worker
 * tells). */
static void start_killed(const char *step, unsigned n, bool cell)
{
	struct plan *p = container(n, cell);
	bool guest = strncmp(step, "guest:", 6) == 0;
	char *at = str_fmt("%s:kill", step), *want = str_fmt("in step %s", strchr(step, ':') + 1);
	struct fake_worker w;
	struct answer a;

	worker_start(&w, at);
	give_cell(&w, p);
	job_do(&w, p, NULL, &a);
	assert_int_equal(a.died, !guest);
	if (guest) {
		assert_text(a.res.error.text, want);
		assert_text(a.res.error.text, "was killed by signal");
	}
	assert_int_equal(worker_end(&w), guest ? 0 : SIGKILL);
	if (!guest || a.res.left)
		destroy(p);
	assert_clean(p, &a);
	reap_all();
	answer_done(&a);
	free(want);
	free(at);
	plan_free(p);
}

static void each_start_step(void (*fn)(const char *, unsigned, bool), bool cell)
{
	const struct steps lists[] = { cell ? start_cell_steps : start_steps, guest_steps };
	unsigned n = 10;

	for (size_t l = 0; l < ARRAY_SIZE(lists); l++)
		for (size_t i = 0; i < lists[l].n; i++)
			fn(lists[l].v[i].name, n++, cell);
}

static void test_start_fails(void **state)
{
	(void)state;
	NEED_WORLD();
	each_start_step(start_fails, false);
}

static void test_start_killed(void **state)
{
	(void)state;
	NEED_WORLD();
	each_start_step(start_killed, false);
}

static void test_cell_fails(void **state)
{
	(void)state;
	NEED_WORLD();
	each_start_step(start_fails, true);
}

static void test_cell_killed(void **state)
{
	(void)state;
	NEED_WORLD();
	each_start_step(start_killed, true);
}

/* An exec that fails harms neither its container nor the worker. */
static void exec_goes_wrong(struct plan *p, struct answer *box, const char *step, bool killed)
{
	bool guest = strncmp(step, "exec-guest:", 11) == 0;
	char *at = str_fmt("%s:%s", step, killed ? "kill" : "errno:EXDEV");
	struct plan *x = plan_exec_of(p, "exec sleep 1000");
	struct give g = GIVE_NONE;
	struct fake_worker w;
	struct answer a;

	g.target = box->pidfd;
	x->stdio = PLAN_STDIO_TTY;
	worker_start(&w, at);
	job_do(&w, x, &g, &a);
	assert_int_equal(a.died, killed && !guest);
	if (!a.died) {
		assert_true(a.res.error.code < 0 && a.res.again);
		assert_text(a.res.error.text, strchr(step, ':') + 1);
		assert_false(a.res.left);
	}
	/* A worker that was killed while it waited for the program: then the program runs, and the keeper has
	 * it. */
	if (a.died && a.adopted)
		pidref_kill(&(struct pidref){ .fd = a.pidfd }, SIGKILL);
	if (a.adopted)
		assert_true(adopted_wait(&a) != 0);
	assert_true(pidref_alive(&(struct pidref){ .pid = box->c.pid, .fd = box->pidfd }));
	assert_int_equal(worker_end(&w), a.died ? SIGKILL : 0);
	answer_done(&a);
	free(at);
	plan_free(x);
}

static void test_exec(void **state)
{
	const struct steps lists[] = { exec_steps, exec_guest_steps };
	struct plan *p;
	struct fake_worker w;
	struct answer a;

	(void)state;
	NEED_WORLD();
	p = plan_container("00000000000000d2", "exec sleep 1000");
	worker_start(&w, NULL);
	job_do(&w, p, NULL, &a);
	assert_success(&a);
	for (size_t l = 0; l < ARRAY_SIZE(lists); l++)
		for (size_t i = 0; i < lists[l].n; i++)
			for (int killed = 0; killed < 2; killed++)
				exec_goes_wrong(p, &a, lists[l].v[i].name, killed);
	assert_int_equal(worker_end(&w), 0);
	destroy(p);
	/* Those that were killed before anyone told of them: the container's init cannot end before they are
	 * reaped. */
	reap_all();
	assert_clean(p, &a);
	answer_done(&a);
	plan_free(p);
}

static void test_prepare(void **state)
{
	(void)state;
	NEED_WORLD();
	for (size_t i = 0; i < prepare_steps.n; i++)
		for (int killed = 0; killed < 2; killed++) {
			char *at = str_fmt("%s:%s", prepare_steps.v[i].name, killed ? "kill" : "errno:EXDEV");
			struct plan *p = container(100 + 2 * (unsigned)i + (unsigned)killed, false);
			struct fake_worker w;
			struct answer a;

			worker_start(&w, at);
			p->kind = PLAN_PREPARE;
			job_do(&w, p, NULL, &a);
			assert_int_equal(a.died, killed);
			if (!killed)
				assert_int_equal(a.res.error.code, -EXDEV);
			assert_int_equal(worker_end(&w), killed ? SIGKILL : 0);
			assert_clean(p, &a);
			reap_all();
			answer_done(&a);
			free(at);
			plan_free(p);
		}
}

/* What one destroy left, the next one removes. */
static void test_destroy(void **state)
{
	(void)state;
	NEED_WORLD();
	for (size_t i = 0; i < destroy_steps.n; i++)
		for (int killed = 0; killed < 2; killed++) {
			char *at = str_fmt("%s:%s", destroy_steps.v[i].name, killed ? "kill" : "errno:EXDEV");
			struct plan *p = container(200 + 2 * (unsigned)i + (unsigned)killed, false);
			struct plan *d = plan_like(p, PLAN_DESTROY);
			struct fake_worker w;
			struct answer a, b;

			worker_start(&w, at);
			job_do(&w, p, NULL, &a);
			assert_success(&a);
			job_do(&w, d, NULL, &b);
			assert_int_equal(b.died, killed);
			if (!killed)
				assert_int_equal(b.res.error.code, -EXDEV);
			assert_int_equal(worker_end(&w), killed ? SIGKILL : 0);
			destroy(p);
			assert_clean(p, &a);
			reap_all();
			answer_done(&a);
			answer_done(&b);
			free(d);
			free(at);
			plan_free(p);
		}
}

/* The keeper goes away while a start is going on: nobody is left to hold the container, so it is undone. */
static void test_keeper_gone(void **state)
{
	struct kp_job head = { .kind = PLAN_START, .fds = KP_FD_PLAN };
	struct answer a = { .adopted = false };
	struct fake_worker w;
	struct plan *p;
	int plan;

	(void)state;
	NEED_WORLD();
	p = container(300, false);
	plan = plan_write(p, NULL);
	assert_true(plan >= 0);
	strcpy(head.id, p->id);
	worker_start(&w, NULL);
	assert_int_equal(frame_send(w.sock, KP_MAGIC, KW_JOB, 1, &head, sizeof(head), &plan, 1), 0);
	close(plan);
	assert_int_equal(worker_end(&w), 0);
	reap_all();
	assert_clean(p, &a);
	plan_free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_start_fails), cmocka_unit_test(test_start_killed),
		cmocka_unit_test(test_cell_fails),  cmocka_unit_test(test_cell_killed),
		cmocka_unit_test(test_exec),	    cmocka_unit_test(test_prepare),
		cmocka_unit_test(test_destroy),	    cmocka_unit_test(test_keeper_gone),
	};

	return cmocka_run_group_tests(tests, network_up, network_down);
}
