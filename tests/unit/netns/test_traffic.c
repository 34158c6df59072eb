/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What packets do: root only, in network namespaces made here. */
#include "tests/unit/netns/world.h"
#include <arpa/inet.h>
#include <net/ethernet.h>
#include <netinet/icmp6.h>
#include <netinet/if_ether.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
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

/* What conntrack cannot place would leave untranslated, with the container's own address. */
static void test_invalid(void **state)
{
	struct pair p;
	struct {
		struct ether_header eth;
		struct iphdr ip;
		struct tcphdr tcp;
	} __attribute__((packed)) f = { 0 };
	struct iphdr iph = { .version = 4, .ihl = 5, .ttl = 64, .protocol = IPPROTO_TCP };

	pair_start(&p, state);
	memcpy(f.eth.ether_dhost, p.a.c.host_mac, 6);
	f.eth.ether_type = htons(ETH_P_IP);
	iph.tot_len = htons(sizeof(f) - sizeof(f.eth));
	iph.saddr = p.a.c.addr.s_addr;
	iph.daddr = ip(OUTSIDE_ADDR).s_addr;
	iph.check = ip_checksum(&iph, sizeof(iph));
	f.ip = iph;
	f.tcp.doff = 5;
	f.tcp.syn = f.tcp.fin = 1;
	send_frame(p.a.netns, "eth0", &f, sizeof(f));
	assert_int_equal(counter_packets("invalid"), 1);
	pair_stop(&p);
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

/* No container has an IPv6 address, so no IPv6 of theirs is right: router advertisements least of all. */
static void test_ipv6(void **state)
{
	struct pair p;
	struct {
		struct ether_header eth;
		struct ip6_hdr ip;
		struct nd_router_advert ra;
	} __attribute__((packed)) f = { 0 };

	pair_start(&p, state);
	memset(f.eth.ether_dhost, 0xff, 6);
	f.eth.ether_dhost[0] = f.eth.ether_dhost[1] = 0x33;
	f.eth.ether_type = htons(ETH_P_IPV6);
	f.ip.ip6_vfc = 6 << 4;
	f.ip.ip6_plen = htons(sizeof(f.ra));
	f.ip.ip6_nxt = IPPROTO_ICMPV6;
	f.ip.ip6_hlim = 255;
	assert_int_equal(inet_pton(AF_INET6, "fe80::1", &f.ip.ip6_src), 1);
	assert_int_equal(inet_pton(AF_INET6, "ff02::1", &f.ip.ip6_dst), 1);
	f.ra.nd_ra_type = ND_ROUTER_ADVERT;
	send_frame(p.a.netns, "eth0", &f, sizeof(f));
	assert_int_equal(counter_packets("spoofed"), 1);
	pair_stop(&p);
}

static char *neighbours(void)
{
	static const char *const argv[] = { "ip", "-4", "neighbour", "show", NULL };
	char *out;

	run_program(argv, &out);
	return out;
}

/* Announcing somebody else's address, or another hardware address for its own, changes nothing on the host. */
static void test_arp(void **state)
{
	struct pair p;
	auto_free char *before = NULL, *after = NULL;
	struct in_addr claims[3];

	pair_start(&p, state);
	before = neighbours();
	assert_non_null(strstr(before, "PERMANENT"));
	claims[0] = p.a.c.addr;
	claims[1] = p.b.c.addr;
	claims[2] = p.a.c.gateway;
	for (size_t i = 0; i < ARRAY_SIZE(claims); i++) {
		struct {
			struct ether_header eth;
			struct ether_arp arp;
		} __attribute__((packed)) f = { 0 };

		memset(f.eth.ether_dhost, 0xff, 6);
		f.eth.ether_type = htons(ETH_P_ARP);
		f.arp.arp_hrd = htons(ARPHRD_ETHER);
		f.arp.arp_pro = htons(ETH_P_IP);
		f.arp.arp_hln = 6;
		f.arp.arp_pln = 4;
		f.arp.arp_op = htons(ARPOP_REPLY);
		f.arp.arp_sha[0] = 2;
		memcpy(f.arp.arp_spa, &claims[i], 4);
		memcpy(f.arp.arp_tpa, &claims[i], 4);
		send_frame(p.a.netns, "eth0", &f, sizeof(f));
	}
	after = neighbours();
	assert_string_equal(before, after);
	assert_true(udp_exchange(-1, p.a_addr, 80, p.server[1], NULL));
	pair_stop(&p);
}

/* Ports are in the first fragment only. */
static void test_fragments(void **state)
{
	struct pair p;
	struct sockaddr_in sa = { .sin_family = AF_INET, .sin_port = htons(8080), .sin_addr = ip(HOST_ADDR) };
	auto_fd int client = -1;
	char big[4000] = "big", got[5000];

	pair_start(&p, state);
	client = socket_in(p.w->outside, AF_INET, SOCK_DGRAM, 0);
	assert_int_equal(sendto(client, big, sizeof(big), 0, (struct sockaddr *)&sa, sizeof(sa)), sizeof(big));
	assert_true(readable(p.server[1], 2000));
	assert_int_equal(recv(p.server[1], got, sizeof(got), 0), sizeof(big));
	assert_memory_equal(big, got, sizeof(big));
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

/* Nor must the answer to what it asked before. */
static void test_outgoing_flow_ends(void **state)
{
	struct pair p;
	auto_fd int there = -1, client = -1;
	struct sockaddr_in sa = { .sin_family = AF_INET, .sin_port = htons(7002), .sin_addr = ip(OUTSIDE_ADDR) }, from;
	socklen_t n = sizeof(from);
	struct net_config next;
	struct error err = { 0 };
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
		IN_WORLD(test_published_on_one_address),
		IN_WORLD(test_invalid),
		IN_WORLD(test_ipv6),
		IN_WORLD(test_arp),
		IN_WORLD(test_fragments),
		IN_WORLD(test_metadata),
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
