/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Many rounds on the same workers: nothing grows. The times of the jobs are printed beside those of the
 * prototype (medians, quiet machine), for whoever looks at them; ROUNDS=200 in the environment gives steadier
 * ones. */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include "tests/unit/cmd/arnia-run/keeper.h"
#include "lib/base/mem.h"
#include "lib/base/time.h"

#define ROUNDS_MAX 1000

static unsigned rounds(void)
{
	const char *s = getenv("ROUNDS");
	int n = s ? atoi(s) : 12;

	return n < 2 ? 2 : n > ROUNDS_MAX ? ROUNDS_MAX : (unsigned)n;
}

struct times {
	uint64_t v[ROUNDS_MAX];
	unsigned n;
};

static int by_size(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static void print_times(const char *what, struct times *t, const char *prototype)
{
	qsort(t->v, t->n, sizeof(t->v[0]), by_size);
	print_message("%-28s median %5u us, p90 %5u us   (prototype: %s)\n", what, (unsigned)t->v[t->n / 2],
		      (unsigned)t->v[t->n * 9 / 10], prototype);
}

/* Processor time of all that was reaped so far: what tells something on a busy machine too. */
static uint64_t cpu_us(void)
{
	struct rusage u;

	getrusage(RUSAGE_CHILDREN, &u);
	return (uint64_t)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1000000 +
	       (uint64_t)(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
}

static void timed(struct fake_worker *w, struct plan *p, const struct give *g, struct answer *a,
		  struct times *t)
{
	uint64_t begin = time_mono_us();

	job_do(w, p, g, a);
	t->v[t->n++] = time_mono_us() - begin;
	assert_success(a);
}

static void prepare(struct fake_worker *w, const struct plan *p)
{
	struct plan *q = plan_like(p, PLAN_PREPARE);
	struct answer a;

	job_do(w, q, NULL, &a);
	assert_success(&a);
	answer_done(&a);
	free(q);
}

struct variant {
	const char *name, *prototype;
	bool net, layers, cell;
};

static void run_variant(const struct variant *v, struct times *destroyed)
{
	static struct times started;
	struct plan *p = plan_container("00000000000000e1", ""), *d;
	struct fake_worker w;
	size_t mounts, fds, own;
	uint64_t cpu = cpu_us();

	started.n = 0;
	plan_argv(p, (const char *const[]){ "true", NULL });
	if (v->net)
		plan_net(p, 1000);
	if (v->layers)
		plan_layers(p);
	p->use_cell = v->cell;
	d = plan_like(p, PLAN_DESTROY);
	worker_start(&w, NULL);
	mounts = count_mounts(w.pid);
	fds = count_fds(w.pid);
	own = count_fds(getpid());
	for (unsigned i = 0; i < rounds(); i++) {
		struct answer a, b;

		/* As leases do: an address and a link name rest. */
		if (v->net) {
			p->net.ifname = arena_fmt(&p->arena, "anR%u", i);
			p->net.ifindex = 0x1f100000u + i;
			p->net.addr.s_addr = d->net.addr.s_addr = htonl(ntohl(p->pool.s_addr) + 100 + i);
			net_mac_derive(p->net.addr, true, p->net.host_mac);
			net_mac_derive(p->net.addr, false, p->net.mac);
			d->net = p->net;
		}
		if (v->cell)
			prepare(&w, p);
		timed(&w, p, NULL, &a, &started);
		assert_int_equal(adopted_wait(&a), 0);
		timed(&w, d, NULL, &b, destroyed);
		answer_done(&a);
		answer_done(&b);
		assert_settles(count_mounts, w.pid, mounts);
		assert_settles(count_fds, w.pid, fds);
		assert_settles(count_fds, getpid(), own);
	}
	assert_clean(p, &(struct answer){ .adopted = false });
	assert_int_equal(worker_end(&w), 0);
	print_times(v->name, &started, v->prototype);
	print_message("%-28s processor %u us a round, container and destroy included\n", v->name,
		      (unsigned)((cpu_us() - cpu) / rounds()));
	free(d);
	plan_free(p);
}

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

static void test_starts(void **state)
{
	static const struct variant variants[] = {
		{ "start", "713", false, false, false },
		{ "start, overlay", "998", false, true, false },
		{ "start, net", "1605", true, false, false },
		{ "start, net, overlay", "2253", true, true, false },
		{ "start, cell", "777", true, false, true },
		{ "start, cell, overlay", "1074", true, true, true },
	};
	static struct times destroyed;

	(void)state;
	NEED_WORLD();
	host(PLAN_HOST_SETUP);
	for (size_t i = 0; i < ARRAY_SIZE(variants); i++) {
		destroyed.n = 0;
		run_variant(&variants[i], &destroyed);
	}
	print_times("destroy, net, overlay", &destroyed, "887 with kill and reap");
	host(PLAN_HOST_TEARDOWN);
}

static void test_execs(void **state)
{
	static struct times started, killed;
	struct plan *p, *x, *d;
	struct give g = GIVE_NONE;
	struct fake_worker w;
	struct answer a, b;
	size_t fds;

	(void)state;
	NEED_WORLD();
	p = plan_container("00000000000000e2", "");
	plan_argv(p, (const char *const[]){ "sleep", "1000", NULL });
	x = plan_exec_of(p, "");
	plan_argv(x, (const char *const[]){ "true", NULL });
	x->stdio = PLAN_STDIO_NULL;
	d = plan_like(p, PLAN_DESTROY);
	worker_start(&w, NULL);
	fds = count_fds(w.pid);
	job_do(&w, p, NULL, &a);
	assert_success(&a);
	g.target = a.pidfd;
	for (unsigned i = 0; i < rounds(); i++) {
		timed(&w, x, &g, &b, &started);
		assert_int_equal(adopted_wait(&b), 0);
		answer_done(&b);
		assert_settles(count_fds, w.pid, fds);
	}
	timed(&w, d, NULL, &b, &killed);
	assert_clean(p, &a);
	assert_int_equal(adopted_wait(&a), 9);
	answer_done(&a);
	answer_done(&b);
	assert_int_equal(worker_end(&w), 0);
	print_times("exec", &started, "605 with exit and reap");
	print_times("destroy of a running one", &killed, "887");
	free(d);
	plan_free(x);
	plan_free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_starts), cmocka_unit_test(test_execs) };

	return cmocka_run_group_tests(tests, world_setup, world_teardown);
}
