/* SPDX-License-Identifier: GPL-2.0-or-later */
/* netns/chosen.c: who takes a container down knows its plan only, and there a chosen port is 0. */
#include "lib/base/fd.h"
#include "tests/unit/netns/world.h"
#include <stdio.h>
#include <string.h>

static void test_found_again(void **state)
{
	struct world *w = world_of(state);
	auto_free char *before = ruleset(), *after = NULL;
	cleanup(strbuf_done) struct strbuf out = {0};
	struct net_port plan[5], chosen[5];
	struct error err = {0};
	struct box a, other;
	char want[64];
	size_t n;

	box_init(w, &a);
	box_init(w, &other);
	box_port(&other, "80");
	box_port(&a, "80");
	box_port(&a, "8080:80");
	box_port(&a, "80");
	box_port(&a, "127.0.0.1:82/udp");
	n = a.c.ports.n;
	memcpy(plan, a.ports, n * sizeof(*plan));
	box_start(w, &other);
	box_start(w, &a);
	memcpy(chosen, a.ports, n * sizeof(*chosen));
	memcpy(a.ports, plan, n * sizeof(*plan));
	assert_int_equal(net_print(&w->s, &a.c, &out, &err), 0);
	for (size_t i = 0; i < n; i++) {
		snprintf(want, sizeof(want), ":%u/%s -> %u: published\n", chosen[i].host_port,
			 chosen[i].proto == IPPROTO_UDP ? "udp" : "tcp", chosen[i].port);
		assert_non_null(strstr(strbuf_cstr(&out), want));
	}
	assert_null(strstr(strbuf_cstr(&out), "not in the table"));
	assert_int_equal(net_unpublish(&w->s, &a.c, &err), 0);
	assert_int_equal(net_unpublish(&w->s, &other.c, &err), 0);
	after = ruleset();
	assert_string_equal(before, after);
	fd_close(&a.netns);
	fd_close(&other.netns);
}

static void test_others_stay(void **state)
{
	struct world *w = world_of(state);
	auto_free char *before = NULL, *after = NULL;
	struct net_port plan[1];
	struct error err = {0};
	struct box a, other;

	box_init(w, &other);
	box_port(&other, "80");
	box_start(w, &other);
	before = ruleset();
	box_init(w, &a);
	box_port(&a, "80");
	memcpy(plan, a.ports, sizeof(plan));
	box_start(w, &a);
	memcpy(a.ports, plan, sizeof(plan));
	assert_int_equal(net_unpublish(&w->s, &a.c, &err), 0);
	after = ruleset();
	assert_string_equal(before, after);
	fd_close(&a.netns);
	box_stop(w, &other);
}

#define IN_WORLD(f) cmocka_unit_test_setup_teardown(f, world_setup, world_teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		IN_WORLD(test_found_again),
		IN_WORLD(test_others_stay),
	};
	return cmocka_run_group_tests_name("chosen", tests, NULL, NULL);
}
