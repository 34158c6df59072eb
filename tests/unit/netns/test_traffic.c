/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where packets go, and when flows end. Root only, in network namespaces made here. */
#include "tests/unit/netns/pair.h"
#include <stdlib.h>
#include "lib/base/fd.h"

static void test_container_and_host(void **state)
{
	struct pair p;

	pair_start(&p, state);
	for (int i = 0; i < 2; i++) {
		auto_fd int host = server_in(-1, types[i], "0.0.0.0", 9000);
		auto_fd int up = server_in(-1, types[i], HOST_ADDR, 9001);
		struct sockaddr_in from;

		assert_true(exchange(types[i], p.a.netns, GATEWAY, 9000, host, &from));
		expect_from(&from, p.a.c.addr);
		assert_true(exchange(types[i], p.a.netns, HOST_ADDR, 9001, up, &from));
		expect_from(&from, p.a.c.addr);
		assert_true(exchange(types[i], -1, p.a_addr, 80, p.server[i], &from));
		expect_from(&from, ip(GATEWAY));
	}
	pair_stop(&p);
}

static void test_published_from_host(void **state)
{
	struct pair p;

	pair_start(&p, state);
	for (int i = 0; i < 2; i++) {
		struct sockaddr_in from;

		assert_true(exchange(types[i], -1, HOST_ADDR, 8080, p.server[i], &from));
		expect_from(&from, ip(HOST_ADDR));
		assert_true(exchange(types[i], -1, "127.0.0.1", 8080, p.server[i], &from));
		expect_from(&from, ip(GATEWAY));
		assert_true(exchange(types[i], -1, GATEWAY, 8080, p.server[i], NULL));
		assert_false(exchange(types[i], -1, HOST_ADDR, 8081, p.server[i], NULL));
	}
	pair_stop(&p);
}

static void test_published_to_itself_and_sibling(void **state)
{
	struct pair p;

	pair_start(&p, state);
	for (int i = 0; i < 2; i++) {
		struct sockaddr_in from;

		assert_true(exchange(types[i], p.a.netns, HOST_ADDR, 8080, p.server[i], &from));
		expect_from(&from, ip(GATEWAY));
		assert_true(exchange(types[i], p.b.netns, HOST_ADDR, 8080, p.server[i], &from));
		expect_from(&from, p.b.c.addr);
		assert_true(exchange(types[i], p.b.netns, GATEWAY, 8080, p.server[i], &from));
		expect_from(&from, p.b.c.addr);
	}
	pair_stop(&p);
}

static void test_published_to_outside(void **state)
{
	struct pair p;

	pair_start(&p, state);
	for (int i = 0; i < 2; i++) {
		struct sockaddr_in from;

		assert_true(exchange(types[i], p.w->outside, HOST_ADDR, 8080, p.server[i], &from));
		expect_from(&from, ip(OUTSIDE_ADDR));
	}
	pair_stop(&p);
}

static void test_masquerade(void **state)
{
	struct pair p;

	pair_start(&p, state);
	for (int i = 0; i < 2; i++) {
		auto_fd int there = server_in(p.w->outside, types[i], "0.0.0.0", 7000);
		struct sockaddr_in from;

		assert_true(exchange(types[i], p.a.netns, OUTSIDE_ADDR, 7000, there, &from));
		expect_from(&from, ip(HOST_ADDR));
	}
	pair_stop(&p);
}

/* One address of the host only, and only for the host itself. */
static void test_published_on_loopback(void **state)
{
	struct world *w = world_of(state);
	struct box b;

	box_init(w, &b);
	box_port(&b, "127.0.0.1:8082:80");
	box_start(w, &b);
	{
		auto_fd int server = server_in(b.netns, SOCK_STREAM, "0.0.0.0", 80);

		assert_true(tcp_exchange(-1, "127.0.0.1", 8082, server, NULL));
		assert_false(tcp_exchange(-1, HOST_ADDR, 8082, server, NULL));
		assert_false(tcp_exchange(-1, "127.0.0.2", 8082, server, NULL));
		assert_false(tcp_exchange(w->outside, HOST_ADDR, 8082, server, NULL));
		assert_false(tcp_exchange(b.netns, GATEWAY, 8082, server, NULL));
	}
	box_stop(w, &b);
}

static void test_published_on_one_address(void **state)
{
	struct pair p;
	struct box b;
	struct sockaddr_in from;

	pair_start(&p, state);
	box_init(p.w, &b);
	box_port(&b, HOST_ADDR ":8084:80");
	box_start(p.w, &b);
	{
		auto_fd int server = server_in(b.netns, SOCK_STREAM, "0.0.0.0", 80);

		assert_true(tcp_exchange(p.w->outside, HOST_ADDR, 8084, server, &from));
		expect_from(&from, ip(OUTSIDE_ADDR));
		assert_true(tcp_exchange(-1, HOST_ADDR, 8084, server, NULL));
		assert_true(tcp_exchange(p.b.netns, HOST_ADDR, 8084, server, NULL));
		assert_true(tcp_exchange(b.netns, HOST_ADDR, 8084, server, NULL));
		assert_false(tcp_exchange(-1, "127.0.0.1", 8084, server, NULL));
		assert_false(tcp_exchange(p.b.netns, GATEWAY, 8084, server, NULL));
	}
	box_stop(p.w, &b);
	pair_stop(&p);
}

/* Ports are in the first fragment only. */
static void test_fragments(void **state)
{
	struct pair p;
	struct sockaddr_in sa = {.sin_family = AF_INET, .sin_port = htons(8080), .sin_addr = ip(HOST_ADDR)};
	auto_fd int client = -1;
	char big[4000] = "big", got[5000];

	pair_start(&p, state);
	client = socket_in(p.w->outside, AF_INET, SOCK_DGRAM, 0);
	assert_int_equal(sendto(client, big, sizeof(big), 0, (struct sockaddr *)&sa, sizeof(sa)),
			 sizeof(big));
	assert_true(readable(p.server[1], 2000));
	assert_int_equal(recv(p.server[1], got, sizeof(got), 0), sizeof(big));
	assert_memory_equal(big, got, sizeof(big));
	pair_stop(&p);
}

/* The first packet of a flow that never pauses meets no published port; after publishing it must. */
static void test_udp_flow_older_than_port(void **state)
{
	struct world *w = world_of(state);
	auto_fd int client = socket_in(w->outside, AF_INET, SOCK_DGRAM, 0);
	auto_fd int sink = server_in(-1, SOCK_DGRAM, "0.0.0.0", 8083);
	struct sockaddr_in sa = {.sin_family = AF_INET, .sin_port = htons(8083), .sin_addr = ip(HOST_ADDR)};
	struct box b;
	char buf[8];

	assert_int_equal(connect(client, (struct sockaddr *)&sa, sizeof(sa)), 0);
	assert_int_equal(send(client, "old", 3, 0), 3);
	assert_true(readable(sink, 2000));
	fd_close(&sink);
	box_init(w, &b);
	box_port(&b, "8083:80/udp");
	box_start(w, &b);
	{
		auto_fd int server = server_in(b.netns, SOCK_DGRAM, "0.0.0.0", 80);

		assert_int_equal(send(client, "new", 3, 0), 3);
		assert_true(readable(server, 2000));
		assert_int_equal(recv(server, buf, sizeof(buf), 0), 3);
	}
	box_stop(w, &b);
}

/* A flow to a stopped container must not reach the next one with its address. */
static void test_flow_ends_with_its_container(void **state)
{
	struct pair p;
	auto_fd int client = -1;
	struct sockaddr_in sa = {.sin_family = AF_INET, .sin_port = htons(8080), .sin_addr = ip(HOST_ADDR)};
	struct net_config next;
	struct error err = {0};
	char buf[8];

	pair_start(&p, state);
	client = socket_in(p.w->outside, AF_INET, SOCK_DGRAM, 0);
	assert_int_equal(connect(client, (struct sockaddr *)&sa, sizeof(sa)), 0);
	assert_int_equal(send(client, "one", 3, 0), 3);
	assert_true(readable(p.server[1], 2000));
	assert_int_equal(recv(p.server[1], buf, sizeof(buf), 0), 3);
	assert_int_equal(net_unpublish(&p.w->s, &p.a.c, &err), 0);
	next = p.a.c;
	next.ports.n = 0;
	assert_int_equal(net_publish(&p.w->s, &next, &err), 0);
	assert_int_equal(send(client, "two", 3, 0), 3);
	assert_false(readable(p.server[1], 100));
	pair_stop(&p);
}

/* Nor must the answer to what it asked before. */
static void test_outgoing_flow_ends(void **state)
{
	struct pair p;
	auto_fd int there = -1, client = -1;
	struct sockaddr_in sa = {.sin_family = AF_INET,
				 .sin_port = htons(7002),
				 .sin_addr = ip(OUTSIDE_ADDR)},
			   from;
	socklen_t n = sizeof(from);
	struct net_config next;
	struct error err = {0};
	char buf[8];

	pair_start(&p, state);
	there = server_in(p.w->outside, SOCK_DGRAM, "0.0.0.0", 7002);
	client = socket_in(p.a.netns, AF_INET, SOCK_DGRAM, 0);
	assert_int_equal(connect(client, (struct sockaddr *)&sa, sizeof(sa)), 0);
	assert_int_equal(send(client, "one", 3, 0), 3);
	assert_true(readable(there, 2000));
	assert_int_equal(recvfrom(there, buf, sizeof(buf), 0, (struct sockaddr *)&from, &n), 3);
	assert_int_equal(net_unpublish(&p.w->s, &p.a.c, &err), 0);
	next = p.a.c;
	next.ports.n = 0;
	assert_int_equal(net_publish(&p.w->s, &next, &err), 0);
	assert_int_equal(sendto(there, "two", 3, 0, (struct sockaddr *)&from, n), 3);
	assert_false(readable(client, 100));
	pair_stop(&p);
}

/* Flows of others survive. */
static void test_other_flows_stay(void **state)
{
	struct pair p;
	auto_fd int there = -1, client = -1;
	struct sockaddr_in sa = {.sin_family = AF_INET,
				 .sin_port = htons(7001),
				 .sin_addr = ip(OUTSIDE_ADDR)},
			   from;
	socklen_t n = sizeof(from);
	struct error err = {0};
	char buf[8];

	pair_start(&p, state);
	there = server_in(p.w->outside, SOCK_DGRAM, "0.0.0.0", 7001);
	client = socket_in(p.b.netns, AF_INET, SOCK_DGRAM, 0);
	assert_int_equal(connect(client, (struct sockaddr *)&sa, sizeof(sa)), 0);
	assert_int_equal(send(client, "one", 3, 0), 3);
	assert_true(readable(there, 2000));
	assert_int_equal(recvfrom(there, buf, sizeof(buf), 0, (struct sockaddr *)&from, &n), 3);
	assert_int_equal(net_unpublish(&p.w->s, &p.a.c, &err), 0);
	assert_int_equal(sendto(there, "two", 3, 0, (struct sockaddr *)&from, n), 3);
	assert_true(readable(client, 2000));
	pair_stop(&p);
}

/* The same on kernels whose conntrack knows filters for dumps only (before 6.11). */
static void without_flush(void (*test)(void **), void **state)
{
	world_of(state);
	setenv("ARNIA_FAIL_AT", "ct-flush:errno:EOPNOTSUPP", 1);
	test(state);
	unsetenv("ARNIA_FAIL_AT");
}

static void test_old_kernel_udp_flow(void **state)
{
	without_flush(test_udp_flow_older_than_port, state);
}

static void test_old_kernel_end(void **state)
{
	without_flush(test_flow_ends_with_its_container, state);
}

static void test_old_kernel_outgoing(void **state)
{
	without_flush(test_outgoing_flow_ends, state);
}

static void test_old_kernel_others(void **state)
{
	without_flush(test_other_flows_stay, state);
}

#define IN_WORLD(f) cmocka_unit_test_setup_teardown(f, pair_world_setup, world_teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		IN_WORLD(test_container_and_host),
		IN_WORLD(test_published_from_host),
		IN_WORLD(test_published_to_itself_and_sibling),
		IN_WORLD(test_published_to_outside),
		IN_WORLD(test_masquerade),
		IN_WORLD(test_published_on_loopback),
		IN_WORLD(test_published_on_one_address),
		IN_WORLD(test_fragments),
		IN_WORLD(test_udp_flow_older_than_port),
		IN_WORLD(test_flow_ends_with_its_container),
		IN_WORLD(test_outgoing_flow_ends),
		IN_WORLD(test_other_flows_stay),
		IN_WORLD(test_old_kernel_udp_flow),
		IN_WORLD(test_old_kernel_end),
		IN_WORLD(test_old_kernel_outgoing),
		IN_WORLD(test_old_kernel_others),
	};
	return cmocka_run_group_tests_name("traffic", tests, NULL, NULL);
}
