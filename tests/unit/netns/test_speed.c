/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Times for the eye, nothing asserted about them; what is asserted is that they are of work that succeeded.
 */
#include "tests/unit/netns/world.h"
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include "lib/base/fd.h"

#define ROUNDS 100

struct times {
	const char *what;
	double us[ROUNDS];
};

static double now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void report(struct times *t)
{
	qsort(t->us, ROUNDS, sizeof(t->us[0]), compare);
	print_message("# %-36s median %7.1f us, p90 %7.1f us, min %7.1f us\n", t->what, t->us[ROUNDS / 2],
		      t->us[ROUNDS * 9 / 10], t->us[0]);
}

/* Container by container: make the namespace (not timed), attach, publish; later unpublish. */
static void test_times(void **state)
{
	struct times attach = {"net_attach", {0}}, publish = {"net_publish, one TCP port", {0}};
	struct times bare = {"net_publish, no port", {0}}, unpublish = {"net_unpublish, one TCP port", {0}};
	struct times setup = {"net_host_setup, nothing to do", {0}};
	struct world *w = world_of(state);
	static struct box boxes[ROUNDS];
	struct error err = {0};

	for (int i = 0; i < ROUNDS; i++) {
		struct box *b = &boxes[i];
		struct net_config no_port;
		double t0, t1, t2, t3;
		char spec[32];

		box_init(w, b);
		snprintf(spec, sizeof(spec), "%d:80", 20000 + i);
		box_port(b, spec);
		no_port = b->c;
		no_port.ports.n = 0;
		b->netns = netns_of_container();
		t0 = now_us();
		assert_int_equal(net_attach(&w->s, &b->c, b->netns, &err), 0);
		t1 = now_us();
		assert_int_equal(net_publish(&w->s, &no_port, &err), 0);
		t2 = now_us();
		assert_int_equal(net_publish(&w->s, &b->c, &err), 0);
		t3 = now_us();
		attach.us[i] = t1 - t0;
		bare.us[i] = t2 - t1;
		publish.us[i] = t3 - t2;
	}
	for (int i = 0; i < ROUNDS; i++) {
		double t0 = now_us(), t1, t2;

		assert_int_equal(net_unpublish(&w->s, &boxes[i].c, &err), 0);
		t1 = now_us();
		assert_int_equal(net_host_setup(&w->s, &w->host, &err), 0);
		t2 = now_us();
		unpublish.us[i] = t1 - t0;
		setup.us[i] = t2 - t1;
		fd_close(&boxes[i].netns);
	}
	report(&attach);
	report(&bare);
	report(&publish);
	report(&unpublish);
	report(&setup);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_times, world_setup, world_teardown),
	};
	return cmocka_run_group_tests_name("speed", tests, NULL, NULL);
}
