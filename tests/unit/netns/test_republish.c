/* SPDX-License-Identifier: GPL-2.0-or-later */
/* netns/republish.c: the ruleset was flushed under running containers. */
#include "tests/unit/netns/world.h"
#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include "lib/base/fd.h"

static void flush(struct world *w, bool make)
{
	const char *const argv[] = {"nft", "flush", "ruleset", NULL};
	auto_free char *out = NULL;
	struct error err = {0};

	run_program(argv, &out);
	if (make && net_host_setup(&w->s, &w->host, &err) < 0)
		fail_msg("%s", err.text);
}

/* The table's own handle counts all tables that were made. */
static const char *inside(const char *text)
{
	return strstr(text, "{\"counter\"");
}

static void republish(struct world *w, struct box *b)
{
	struct error err = {0};

	if (net_republish(&w->s, &b->c, &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(err.code, 0);
}

static void test_as_before(void **state)
{
	struct world *w = world_of(state);
	auto_free char *before = NULL, *after = NULL, *again = NULL;
	struct error err = {0};
	struct box a, b;

	box_init(w, &a);
	box_port(&a, "8080:80");
	box_port(&a, "127.0.0.1:8081:80/udp");
	box_port(&a, "81");
	box_init(w, &b);
	box_start(w, &a);
	box_start(w, &b);
	before = ruleset();
	flush(w, false);
	assert_int_equal(net_republish(&w->s, &a.c, &err), -ENOENT);
	flush(w, true);
	republish(w, &a);
	republish(w, &b);
	after = ruleset();
	assert_string_equal(inside(before), inside(after));
	republish(w, &a); /* nothing is missing */
	again = ruleset();
	assert_string_equal(inside(before), inside(again));
	box_stop(w, &a);
	box_stop(w, &b);
}

static void test_open_numbers(void **state)
{
	struct world *w = world_of(state);
	auto_free char *before = NULL, *after = NULL;
	struct box a;
	uint16_t was;

	box_init(w, &a);
	box_port(&a, "80");
	box_start(w, &a);
	before = ruleset();
	was = a.ports[0].host_port;
	a.ports[0].host_port = 0; /* the plan's */
	republish(w, &a);
	assert_int_equal(a.ports[0].host_port, was);
	after = ruleset();
	assert_string_equal(inside(before), inside(after));
	flush(w, true);
	a.ports[0].host_port = 0;
	republish(w, &a);
	assert_in_range(a.ports[0].host_port, 32768, 60999);
	box_stop(w, &a);
}

static void test_taken_meanwhile(void **state)
{
	struct world *w = world_of(state);
	struct error err = {0};
	struct box a, thief;
	cleanup(strbuf_done) struct strbuf out = {0};

	box_init(w, &a);
	box_port(&a, "8080:80");
	box_port(&a, "8081:81");
	box_port(&a, "8082:82");
	box_start(w, &a);
	flush(w, true);
	box_init(w, &thief);
	box_port(&thief, "8080:80");
	box_port(&thief, "127.0.0.1:8081:80");
	box_start(w, &thief);
	assert_int_equal(net_republish(&w->s, &a.c, &err), -EEXIST);
	assert_string_equal(err.text, "port 0.0.0.0:8080/tcp is already in use");
	assert_int_equal(net_print(&w->s, &a.c, &out, &err), 0);
	assert_non_null(strstr(strbuf_cstr(&out), ": allowed"));
	assert_non_null(strstr(out.s, "port 0.0.0.0:8080/tcp -> 80: goes to "));
	assert_non_null(strstr(out.s, "port 0.0.0.0:8081/tcp -> 81: not in the table"));
	assert_non_null(strstr(out.s, "port 0.0.0.0:8082/tcp -> 82: published"));
	box_stop(w, &a);
	box_stop(w, &thief);
}

struct seen {
	unsigned addresses, ports;
};

static void see(const struct net_port *p, struct in_addr addr, void *data)
{
	struct seen *s = data;

	assert_true(addr.s_addr != 0);
	s->addresses += !p;
	s->ports += p && p->host_port == 8080 && p->port == 80 && p->proto == IPPROTO_UDP;
}

static void test_look(void **state)
{
	struct world *w = world_of(state);
	struct seen s = {0};
	struct error err = {0};
	enum net_table_is is;
	struct box a;

	box_init(w, &a);
	box_port(&a, "127.0.0.1:8080:80/udp");
	box_start(w, &a);
	assert_int_equal(net_host_look(&w->s, &w->host, &is, &err), 0);
	assert_int_equal(is, NET_TABLE_OK);
	assert_int_equal(net_each_element(&w->s, TEST_TABLE, see, &s, &err), 0);
	assert_int_equal(s.addresses, 1);
	assert_int_equal(s.ports, 1);
	w->host.ifgroup++; /* as if by another version */
	assert_int_equal(net_host_look(&w->s, &w->host, &is, &err), 0);
	assert_int_equal(is, NET_TABLE_DAMAGED);
	w->host.ifgroup--;
	flush(w, false);
	assert_int_equal(net_host_look(&w->s, &w->host, &is, &err), 0);
	assert_int_equal(is, NET_TABLE_MISSING);
	assert_int_equal(net_each_element(&w->s, TEST_TABLE, see, &s, &err), 0);
	box_stop(w, &a);
}

#define IN_WORLD(f) cmocka_unit_test_setup_teardown(f, world_setup, world_teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		IN_WORLD(test_as_before),
		IN_WORLD(test_open_numbers),
		IN_WORLD(test_taken_meanwhile),
		IN_WORLD(test_look),
	};
	return cmocka_run_group_tests_name("republish", tests, NULL, NULL);
}
