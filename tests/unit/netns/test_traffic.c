/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What packets do: root only, in network namespaces made here. */
#include "tests/unit/netns/world.h"
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "lib/base/fd.h"

static const int types[] = { SOCK_STREAM, SOCK_DGRAM };

static void expect_from(const struct sockaddr_in *sa, struct in_addr want)
{
	char got[INET_ADDRSTRLEN], wanted[INET_ADDRSTRLEN];

	assert_string_equal(inet_ntop(AF_INET, &sa->sin_addr, got, sizeof(got)),
			    inet_ntop(AF_INET, &want, wanted, sizeof(wanted)));
}

static const char *addr_of(const struct box *b, char buf[INET_ADDRSTRLEN])
{
	return inet_ntop(AF_INET, &b->c.addr, buf, INET_ADDRSTRLEN);
}

/* Two containers; the first publishes 8080 on every address for its port 80, both protocols. */
struct pair {
	struct world *w;
	struct box a, b;
	int server[2]; /* in a, port 80, by index of `types` */
	char a_addr[INET_ADDRSTRLEN], b_addr[INET_ADDRSTRLEN];
};

static void pair_start(struct pair *p, void **state)
{
	p->w = world_of(state);
	box_init(p->w, &p->a);
	box_init(p->w, &p->b);
	box_port(&p->a, "8080:80/tcp");
	box_port(&p->a, "8080:80/udp");
	box_start(p->w, &p->a);
	box_start(p->w, &p->b);
	for (int i = 0; i < 2; i++)
		p->server[i] = server_in(p->a.netns, types[i], "0.0.0.0", 80);
	addr_of(&p->a, p->a_addr);
	addr_of(&p->b, p->b_addr);
}

static void pair_stop(struct pair *p)
{
	fd_close(&p->server[0]);
	fd_close(&p->server[1]);
	box_stop(p->w, &p->a);
	box_stop(p->w, &p->b);
}

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

static void test_containers_are_apart(void **state)
{
	struct pair p;

	pair_start(&p, state);
	for (int i = 0; i < 2; i++)
		assert_false(exchange(types[i], p.b.netns, p.a_addr, 80, p.server[i], NULL));
	assert_true(counter_packets("isolated") >= 2);
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

static void test_not_published_to_outside(void **state)
{
	struct pair p;

	pair_start(&p, state);
	for (int i = 0; i < 2; i++) {
		auto_fd int other = server_in(p.a.netns, types[i], "0.0.0.0", 81);

		assert_false(exchange(types[i], p.w->outside, p.a_addr, 80, p.server[i], NULL));
		assert_false(exchange(types[i], p.w->outside, p.a_addr, 81, other, NULL));
		assert_false(exchange(types[i], p.w->outside, HOST_ADDR, 81, other, NULL));
	}
	assert_true(counter_packets("isolated") >= 4);
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

/* Published or not, nobody but the host reaches 127/8. */
static void test_foreign_loopback(void **state)
{
	struct pair p;
	auto_fd int local = -1;
	static const uint8_t up_mac[6] = { 2, 0, 0, 0, 0, 1 };

	pair_start(&p, state);
	local = server_in(-1, SOCK_DGRAM, "127.0.0.1", 9001);
	send_forged(p.w->outside, "eth0", up_mac, OUTSIDE_ADDR, "127.0.0.1", 9001);
	send_forged(p.w->outside, "eth0", up_mac, OUTSIDE_ADDR, "127.0.0.1", 8080);
	send_forged(p.a.netns, "eth0", p.a.c.host_mac, p.a_addr, "127.0.0.1", 9001);
	send_forged(p.b.netns, "eth0", p.b.c.host_mac, p.b_addr, "127.0.0.1", 8080);
	assert_false(readable(local, 100));
	assert_false(readable(p.server[1], 100));
	assert_int_equal(counter_packets("foreign_loopback"), 4);
	pair_stop(&p);
}

/* The same frames with the right source arrive: what is tested is the source, not the forging. */
static void test_spoofed_source(void **state)
{
	struct pair p;
	auto_fd int host = -1;
	static const char *const bad[] = { "10.209.77.77", "192.0.2.2", HOST_ADDR, GATEWAY, "0.0.0.0", "127.0.0.1",
					   "224.0.0.1" };
	char buf[8];

	pair_start(&p, state);
	host = server_in(-1, SOCK_DGRAM, "0.0.0.0", 9002);
	send_forged(p.a.netns, "eth0", p.a.c.host_mac, p.a_addr, GATEWAY, 9002);
	assert_true(readable(host, 2000));
	assert_int_equal(recv(host, buf, sizeof(buf), 0), 4);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		send_forged(p.a.netns, "eth0", p.a.c.host_mac, bad[i], GATEWAY, 9002);
	send_forged(p.a.netns, "eth0", p.a.c.host_mac, p.b_addr, GATEWAY, 9002);
	assert_false(readable(host, 100));
	assert_int_equal(counter_packets("spoofed"), ARRAY_SIZE(bad) + 1);
	pair_stop(&p);
}

static void test_metadata(void **state)
{
	struct pair p;

	pair_start(&p, state);
	send_forged(p.a.netns, "eth0", p.a.c.host_mac, p.a_addr, "169.254.169.254", 80);
	assert_int_equal(counter_packets("metadata"), 1);
	pair_stop(&p);
}

/* The first packet of a flow that never pauses meets no published port; after publishing it must. */
static void test_udp_flow_older_than_port(void **state)
{
	struct world *w = world_of(state);
	auto_fd int client = socket_in(w->outside, AF_INET, SOCK_DGRAM, 0);
	auto_fd int sink = server_in(-1, SOCK_DGRAM, "0.0.0.0", 8083);
	struct sockaddr_in sa = { .sin_family = AF_INET, .sin_port = htons(8083), .sin_addr = ip(HOST_ADDR) };
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
	struct sockaddr_in sa = { .sin_family = AF_INET, .sin_port = htons(8080), .sin_addr = ip(HOST_ADDR) };
	struct net_config next;
	struct error err = { 0 };
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

/* Flows of others survive. */
static void test_other_flows_stay(void **state)
{
	struct pair p;
	auto_fd int there = -1, client = -1;
	struct sockaddr_in sa = { .sin_family = AF_INET, .sin_port = htons(7001), .sin_addr = ip(OUTSIDE_ADDR) }, from;
	socklen_t n = sizeof(from);
	struct error err = { 0 };
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

static int setup(void **state)
{
	world_setup(state);
	if (*state)
		world_add_outside(*state);
	return 0;
}

#define IN_WORLD(f) cmocka_unit_test_setup_teardown(f, setup, world_teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		IN_WORLD(test_container_and_host),
		IN_WORLD(test_containers_are_apart),
		IN_WORLD(test_published_from_host),
		IN_WORLD(test_published_to_itself_and_sibling),
		IN_WORLD(test_published_to_outside),
		IN_WORLD(test_not_published_to_outside),
		IN_WORLD(test_masquerade),
		IN_WORLD(test_published_on_loopback),
		IN_WORLD(test_foreign_loopback),
		IN_WORLD(test_spoofed_source),
		IN_WORLD(test_metadata),
		IN_WORLD(test_udp_flow_older_than_port),
		IN_WORLD(test_flow_ends_with_its_container),
		IN_WORLD(test_other_flows_stay),
	};
	return cmocka_run_group_tests_name("traffic", tests, NULL, NULL);
}
