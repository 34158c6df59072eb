/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Packets that must not pass, most of them forged. Root only, in network namespaces made here. */
#include "tests/unit/netns/pair.h"
#include <net/ethernet.h>
#include <netinet/icmp6.h>
#include <netinet/if_ether.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/tcp.h>
#include <string.h>
#include "lib/base/fd.h"

/* Published or not, nobody but the host reaches 127/8. */
static void test_foreign_loopback(void **state)
{
	struct pair p;
	auto_fd int local = -1;
	static const uint8_t up_mac[6] = {2, 0, 0, 0, 0, 1};

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
	static const char *const bad[] = {"10.209.77.77", "192.0.2.2", HOST_ADDR,  GATEWAY,
					  "0.0.0.0",	  "127.0.0.1", "224.0.0.1"};
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
	} __attribute__((packed)) f = {0};

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
	static const char *const argv[] = {"ip", "-4", "neighbour", "show", NULL};
	char *out;

	run_program(argv, &out);
	return out;
}

/* Announcing somebody else's address, or another hardware address for its own, changes nothing on the host.
 */
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
		} __attribute__((packed)) f = {0};

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

static void test_metadata(void **state)
{
	struct pair p;

	pair_start(&p, state);
	send_forged(p.a.netns, "eth0", p.a.c.host_mac, p.a_addr, "169.254.169.254", 80);
	assert_int_equal(counter_packets("metadata"), 1);
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
	} __attribute__((packed)) f = {0};
	struct iphdr iph = {.version = 4, .ihl = 5, .ttl = 64, .protocol = IPPROTO_TCP};

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

static void test_containers_are_apart(void **state)
{
	struct pair p;

	pair_start(&p, state);
	for (int i = 0; i < 2; i++)
		assert_false(exchange(types[i], p.b.netns, p.a_addr, 80, p.server[i], NULL));
	assert_true(counter_packets("isolated") >= 2);
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

#define IN_WORLD(f) cmocka_unit_test_setup_teardown(f, pair_world_setup, world_teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		IN_WORLD(test_foreign_loopback),
		IN_WORLD(test_spoofed_source),
		IN_WORLD(test_ipv6),
		IN_WORLD(test_arp),
		IN_WORLD(test_metadata),
		IN_WORLD(test_invalid),
		IN_WORLD(test_containers_are_apart),
		IN_WORLD(test_not_published_to_outside),
	};
	return cmocka_run_group_tests_name("hostile", tests, NULL, NULL);
}
