/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Elements in, elements out, and whose port it is. Root only. */
#include "tests/unit/netns/world.h"
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "lib/base/fd.h"
#include "lib/base/str.h"
#include "netns/nft.h"

#define MANY 300

static size_t count(const char *text, const char *word)
{
	size_t n = 0;

	for (const char *at = strstr(text, word); at; at = strstr(at + 1, word))
		n++;
	return n;
}

/* Attached, not yet published. */
static void box_attach(struct world *w, struct box *b)
{
	struct error err = {0};

	b->netns = netns_of_container();
	if (net_attach(&w->s, &b->c, b->netns, &err) < 0)
		fail_msg("%s", err.text);
}

/* A refused publication changes nothing. */
static struct error expect_refusal(struct world *w, struct box *b, int code, const char *text)
{
	auto_free char *before = ruleset(), *after = NULL;
	struct net_port ports[ARRAY_SIZE(b->ports)];
	struct error err = {0};

	memcpy(ports, b->ports, sizeof(ports));
	assert_int_equal(net_publish(&w->s, &b->c, &err), code);
	assert_int_equal(err.code, code);
	assert_string_equal(err.text, text);
	assert_memory_equal(ports, b->ports, sizeof(ports));
	after = ruleset();
	assert_string_equal(before, after);
	return err;
}

static void test_there_and_back(void **state)
{
	struct world *w = world_of(state);
	auto_free char *before = ruleset(), *published = NULL, *after = NULL;
	struct error err = {0};
	struct box b;

	box_init(w, &b);
	box_port(&b, "8080:80");
	box_port(&b, "8080:81/udp");
	box_port(&b, "127.0.0.1:8443:443");
	box_port(&b, "127.0.0.1:53:53/udp");
	box_start(w, &b);
	published = ruleset();
	/* Without the protocols: their names need /etc/protocols. */
	assert_int_equal(count(published, ", 8080]}, {\"concat\": [\"10.209.0.2\", 80]}"), 1);
	assert_int_equal(count(published, ", 8080]}, {\"concat\": [\"10.209.0.2\", 81]}"), 1);
	assert_int_equal(count(published, "\"127.0.0.1\", 8443]}, {\"concat\": [\"10.209.0.2\", 443]}"), 1);
	assert_int_equal(count(published, "\"127.0.0.1\", 53]}, {\"concat\": [\"10.209.0.2\", 53]}"), 1);
	assert_int_equal(net_unpublish(&w->s, &b.c, &err), 0);
	after = ruleset();
	assert_string_equal(before, after);
	/* Again, with nothing there. */
	assert_int_equal(net_unpublish(&w->s, &b.c, &err), 0);
	assert_int_equal(err.code, 0);
	box_stop(w, &b);
}

/* What a crash left half done is taken away as well. */
static void test_half_published(void **state)
{
	struct world *w = world_of(state);
	auto_free char *before = ruleset(), *after = NULL;
	struct error err = {0};
	struct net_config all;
	struct box b;

	box_init(w, &b);
	box_port(&b, "8080:80");
	box_port(&b, "8081:80");
	all = b.c;
	b.c.ports.n = 1;
	box_start(w, &b);
	assert_int_equal(net_unpublish(&w->s, &all, &err), 0);
	after = ruleset();
	assert_string_equal(before, after);
	fd_close(&b.netns);
}

static void test_taken_by_program(void **state)
{
	struct world *w = world_of(state);
	static const struct {
		int type;
		const char *addr, *spec, *text, *hint;
	} cases[] = {
		{SOCK_STREAM, "0.0.0.0", "8080:80", "port 0.0.0.0:8080/tcp is already in use", "ss -tlnp"},
		{SOCK_STREAM, "127.0.0.1", "8080:80", "port 0.0.0.0:8080/tcp is already in use", "ss -tlnp"},
		{SOCK_STREAM, "0.0.0.0", "127.0.0.1:8080:80", "port 127.0.0.1:8080/tcp is already in use",
		 "ss -tlnp"},
		{SOCK_DGRAM, "0.0.0.0", "8080:80/udp", "port 0.0.0.0:8080/udp is already in use", "ss -ulnp"},
		{SOCK_DGRAM, "127.0.0.53", "8080:80/udp", "port 0.0.0.0:8080/udp is already in use",
		 "ss -ulnp"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		auto_fd int program = server_in(-1, cases[i].type, cases[i].addr, 8080);
		struct error err;
		struct box b;

		box_init(w, &b);
		box_port(&b, cases[i].spec);
		box_attach(w, &b);
		err = expect_refusal(w, &b, -EADDRINUSE, cases[i].text);
		assert_int_equal(err.kind, ERR_STATE);
		assert_non_null(strstr(err.hint, cases[i].hint));
		assert_non_null(strstr(err.hint, "'sport = :8080'"));
		fd_close(&program);
		assert_int_equal(net_publish(&w->s, &b.c, &err), 0);
		box_stop(w, &b);
	}
}

/* The other protocol's port of the same number, and another address, are not in the way. */
static void test_not_taken(void **state)
{
	struct world *w = world_of(state);
	auto_fd int udp unused = server_in(-1, SOCK_DGRAM, "0.0.0.0", 8080);
	auto_fd int tcp unused = server_in(-1, SOCK_STREAM, "127.0.0.2", 8081);
	struct box b;

	box_init(w, &b);
	box_port(&b, "8080:80/tcp");
	box_port(&b, "127.0.0.1:8081:80");
	box_start(w, &b);
	box_stop(w, &b);
}

/* First one container publishes, then another wants what overlaps. */
static void test_taken_by_container(void **state)
{
	struct world *w = world_of(state);
	static const struct {
		const char *first, *second, *text;
	} cases[] = {
		{"8080:80", "8080:80", "port 0.0.0.0:8080/tcp is already in use"},
		{"8080:80", "8080:81", "port 0.0.0.0:8080/tcp is already in use"},
		{"8080:80/udp", "8080:80/udp", "port 0.0.0.0:8080/udp is already in use"},
		{"127.0.0.1:8080:80", "127.0.0.1:8080:80", "port 127.0.0.1:8080/tcp is already in use"},
		{"127.0.0.1:8080:80", "8080:80", "port 0.0.0.0:8080/tcp is already in use"},
		{"8080:80", "127.0.0.1:8080:80", "port 127.0.0.1:8080/tcp is already in use"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct box a, b;
		struct error err;

		box_init(w, &a);
		box_init(w, &b);
		box_port(&a, cases[i].first);
		box_port(&b, "9999:99");
		box_port(&b, cases[i].second);
		box_start(w, &a);
		box_attach(w, &b);
		err = expect_refusal(w, &b, -EEXIST, cases[i].text);
		assert_int_equal(err.kind, ERR_STATE);
		assert_string_equal(err.hint, "another container has published it");
		box_stop(w, &a);
		assert_int_equal(net_publish(&w->s, &b.c, &err), 0);
		box_stop(w, &b);
	}
}

static void test_side_by_side(void **state)
{
	struct world *w = world_of(state);
	struct box a, b, c;

	box_init(w, &a);
	box_init(w, &b);
	box_init(w, &c);
	box_port(&a, "127.0.0.1:8080:80");
	box_port(&b, "127.0.0.2:8080:80");
	box_port(&c, "8080:80/udp");
	box_start(w, &a);
	box_start(w, &b);
	box_start(w, &c);
	{
		auto_fd int in_a = server_in(a.netns, SOCK_STREAM, "0.0.0.0", 80);
		auto_fd int in_b = server_in(b.netns, SOCK_STREAM, "0.0.0.0", 80);

		assert_true(tcp_exchange(-1, "127.0.0.1", 8080, in_a, NULL));
		assert_true(tcp_exchange(-1, "127.0.0.2", 8080, in_b, NULL));
	}
	box_stop(w, &a);
	box_stop(w, &b);
	box_stop(w, &c);
}

/* The undo of a start that lost the port must not take it from the winner. */
static void test_undo_of_the_loser(void **state)
{
	struct world *w = world_of(state);
	auto_free char *before = NULL, *after = NULL;
	struct error err = {0};
	struct box a, b;

	box_init(w, &a);
	box_init(w, &b);
	box_port(&a, "8080:80");
	box_port(&b, "8080:80");
	box_start(w, &a);
	box_attach(w, &b);
	before = ruleset();
	assert_int_equal(net_publish(&w->s, &b.c, &err), -EEXIST);
	assert_int_equal(net_unpublish(&w->s, &b.c, &err), 0);
	after = ruleset();
	assert_string_equal(before, after);
	{
		auto_fd int server = server_in(a.netns, SOCK_STREAM, "0.0.0.0", 80);

		assert_true(tcp_exchange(-1, "127.0.0.1", 8080, server, NULL));
	}
	box_stop(w, &a);
	fd_close(&b.netns);
}

static void test_twice_in_one(void **state)
{
	struct world *w = world_of(state);
	struct box b;

	box_init(w, &b);
	box_port(&b, "8080:80");
	box_port(&b, "8080:81");
	box_attach(w, &b);
	expect_refusal(w, &b, -EEXIST, "port 0.0.0.0:8080/tcp is already in use");
	fd_close(&b.netns);
}

static void test_foreign_address(void **state)
{
	struct world *w = world_of(state);
	struct box b;

	box_init(w, &b);
	box_port(&b, "198.51.100.1:8080:80");
	box_attach(w, &b);
	expect_refusal(w, &b, -EADDRNOTAVAIL, "port 198.51.100.1:8080/tcp: the host has no such address");
	fd_close(&b.netns);
}

/* Port 0: chosen, told, and different each time. */
static void test_chosen(void **state)
{
	struct world *w = world_of(state);
	struct box a, b;

	box_init(w, &a);
	box_init(w, &b);
	box_port(&a, "80");
	box_port(&a, "81");
	box_port(&a, "127.0.0.1:82/udp");
	box_port(&b, "80");
	box_start(w, &a);
	box_start(w, &b);
	for (size_t i = 0; i < a.c.ports.n; i++)
		assert_in_range(a.ports[i].host_port, 32768, 60999);
	assert_in_range(b.ports[0].host_port, 32768, 60999);
	assert_int_not_equal(a.ports[0].host_port, a.ports[1].host_port);
	assert_int_not_equal(a.ports[0].host_port, b.ports[0].host_port);
	{
		auto_fd int server = server_in(a.netns, SOCK_STREAM, "0.0.0.0", 81);

		assert_true(tcp_exchange(-1, "127.0.0.1", a.ports[1].host_port, server, NULL));
	}
	box_stop(w, &a);
	box_stop(w, &b);
}

/* A refusal leaves the 0 in place, so that the next try chooses anew. */
static void test_chosen_then_refused(void **state)
{
	struct world *w = world_of(state);
	auto_fd int program unused = server_in(-1, SOCK_STREAM, "0.0.0.0", 8080);
	struct box b;

	box_init(w, &b);
	box_port(&b, "80");
	box_port(&b, "8080:81");
	box_attach(w, &b);
	expect_refusal(w, &b, -EADDRINUSE, "port 0.0.0.0:8080/tcp is already in use");
	assert_int_equal(b.ports[0].host_port, 0);
	fd_close(&b.netns);
}

static void test_no_table(void **state)
{
	struct world *w = world_of(state);
	struct error err = {0};
	struct box b;

	box_init(w, &b);
	box_port(&b, "8080:80");
	box_attach(w, &b);
	assert_int_equal(net_host_teardown(&w->s, &w->host, &err), 0);
	assert_int_equal(net_publish(&w->s, &b.c, &err), -ENOENT);
	assert_string_equal(err.text, "the nft table inet " TEST_TABLE " is missing");
	assert_int_equal(net_unpublish(&w->s, &b.c, &err), 0);
	fd_close(&b.netns);
}

static void test_no_address(void **state)
{
	struct world *w = world_of(state);
	struct net_port p = {.proto = IPPROTO_TCP, .host_port = 8080, .port = 80};
	struct net_config c = {.mode = NET_NONE, .ports = {.v = &p, .n = 1}};
	struct error err = {0};

	assert_int_equal(net_publish(&w->s, &c, &err), -EINVAL);
}

static void test_too_many_ports(void **state)
{
	struct world *w = world_of(state);
	auto_free struct net_port *p = mem_alloc_n(1025, sizeof(*p));
	auto_free char *before = ruleset(), *after = NULL;
	struct error err = {0};
	struct box b;

	box_init(w, &b);
	for (size_t i = 0; i < 1025; i++)
		p[i] = (struct net_port){
			.proto = IPPROTO_TCP, .host_port = (uint16_t)(20000 + i), .port = 80};
	b.c.ports.v = p;
	b.c.ports.n = 1025;
	assert_int_equal(net_publish(&w->s, &b.c, &err), -E2BIG);
	/* One less goes through, in one batch, and out again. */
	b.c.ports.n = 1024;
	if (net_publish(&w->s, &b.c, &err) < 0)
		fail_msg("%s", err.text);
	/* All refused, and all answers read. */
	assert_int_equal(net_publish(&w->s, &b.c, &err), -EEXIST);
	assert_string_equal(err.text, "port 0.0.0.0:20000/tcp is already in use");
	assert_int_equal(net_unpublish(&w->s, &b.c, &err), 0);
	after = ruleset();
	assert_string_equal(before, after);
}

static void test_injected(void **state)
{
	struct world *w = world_of(state);
	auto_free char *before = ruleset(), *after = NULL;
	struct error err = {0};
	struct box b;

	box_init(w, &b);
	box_attach(w, &b);
	setenv("ARNIA_FAIL_AT", "net-publish:errno:ENOBUFS", 1);
	assert_int_equal(net_publish(&w->s, &b.c, &err), -ENOBUFS);
	unsetenv("ARNIA_FAIL_AT");
	after = ruleset();
	assert_string_equal(before, after);
	fd_close(&b.netns);
}

/* Many containers: elements grow with them, rules do not. */
static void test_many(void **state)
{
	struct world *w = world_of(state);
	auto_free char *before = ruleset(), *full = NULL, *after = NULL;
	struct box *boxes = mem_alloc_n(MANY, sizeof(*boxes));
	struct error err = {0};

	for (int i = 0; i < MANY; i++) {
		char spec[32];

		box_init(w, &boxes[i]);
		snprintf(spec, sizeof(spec), "%d:80", 10000 + i);
		box_port(&boxes[i], spec);
		if (net_publish(&w->s, &boxes[i].c, &err) < 0)
			fail_msg("%s", err.text);
	}
	full = ruleset();
	assert_int_equal(count(full, "\"rule\":"), nft_rule_count());
	assert_int_equal(count(full, "\"concat\": [\"10.209."), MANY);
	for (int i = 0; i < MANY; i++)
		assert_int_equal(net_unpublish(&w->s, &boxes[i].c, &err), 0);
	after = ruleset();
	assert_string_equal(before, after);
	free(boxes);
}

static void test_print(void **state)
{
	struct world *w = world_of(state);
	cleanup(strbuf_done) struct strbuf out = {0};
	auto_fd int sink unused = server_in(-1, SOCK_DGRAM, GATEWAY, 9000);
	struct error err = {0};
	struct box a, b;
	static const char *const lines[] = {
		"interface an000000001: up, index 268435457, group 0xa400\n",
		"  sent 1 packets 46 bytes, received 0 packets 0 bytes\n",
		"address 10.209.0.2: allowed, accepted 1 packets 32 bytes\n",
		"port 0.0.0.0:8080/tcp -> 80: published\n",
		"port 127.0.0.1:8081/udp -> 81: published\n",
		"dropped spoofed: 0 packets 0 bytes\n",
		"dropped isolated: 0 packets 0 bytes\n",
	};

	box_init(w, &a);
	box_init(w, &b);
	box_port(&a, "8080:80");
	box_port(&a, "127.0.0.1:8081:81/udp");
	box_port(&b, "8080:82");
	box_port(&b, "8082:82");
	box_start(w, &a);
	send_forged(a.netns, "eth0", a.c.host_mac, "10.209.0.2", GATEWAY, 9000);
	assert_int_equal(net_print(&w->s, &a.c, &out, &err), 0);
	for (size_t i = 0; i < ARRAY_SIZE(lines); i++)
		if (!strstr(out.s, lines[i]))
			fail_msg("\"%s\" is not in:\n%s", lines[i], out.s);
	strbuf_done(&out);
	/* One that is not there. */
	assert_int_equal(net_print(&w->s, &b.c, &out, &err), 0);
	assert_non_null(strstr(out.s, "interface an000000002: missing\n"));
	assert_non_null(strstr(out.s, "address 10.209.0.3: not in the table, all it sends is dropped\n"));
	assert_non_null(strstr(out.s, "port 0.0.0.0:8080/tcp -> 82: goes to 10.209.0.2:80\n"));
	assert_non_null(strstr(out.s, "port 0.0.0.0:8082/tcp -> 82: not in the table\n"));
	box_stop(w, &a);
}

#define IN_WORLD(f) cmocka_unit_test_setup_teardown(f, world_setup, world_teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		IN_WORLD(test_there_and_back),
		IN_WORLD(test_half_published),
		IN_WORLD(test_taken_by_program),
		IN_WORLD(test_not_taken),
		IN_WORLD(test_taken_by_container),
		IN_WORLD(test_side_by_side),
		IN_WORLD(test_undo_of_the_loser),
		IN_WORLD(test_twice_in_one),
		IN_WORLD(test_foreign_address),
		IN_WORLD(test_chosen),
		IN_WORLD(test_chosen_then_refused),
		IN_WORLD(test_no_table),
		IN_WORLD(test_no_address),
		IN_WORLD(test_too_many_ports),
		IN_WORLD(test_injected),
		IN_WORLD(test_many),
		IN_WORLD(test_print),
	};
	return cmocka_run_group_tests_name("publish", tests, NULL, NULL);
}
