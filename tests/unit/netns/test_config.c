/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "netns/net_config.h"

static void test_port_good(void **state)
{
	static const struct {
		const char *text;
		uint8_t proto;
		const char *addr;
		uint16_t host_port, port;
	} good[] = {
		{"80", IPPROTO_TCP, "0.0.0.0", 0, 80},
		{"1", IPPROTO_TCP, "0.0.0.0", 0, 1},
		{"65535", IPPROTO_TCP, "0.0.0.0", 0, 65535},
		{"80/tcp", IPPROTO_TCP, "0.0.0.0", 0, 80},
		{"53/udp", IPPROTO_UDP, "0.0.0.0", 0, 53},
		{"8080:80", IPPROTO_TCP, "0.0.0.0", 8080, 80},
		{"0:80", IPPROTO_TCP, "0.0.0.0", 0, 80},
		{"65535:65535", IPPROTO_TCP, "0.0.0.0", 65535, 65535},
		{"53:53/udp", IPPROTO_UDP, "0.0.0.0", 53, 53},
		{"127.0.0.1:80", IPPROTO_TCP, "127.0.0.1", 0, 80},
		{"127.0.0.1:53/udp", IPPROTO_UDP, "127.0.0.1", 0, 53},
		{"127.0.0.1:8080:80", IPPROTO_TCP, "127.0.0.1", 8080, 80},
		{"192.0.2.255:0:80", IPPROTO_TCP, "192.0.2.255", 0, 80},
		{"0.0.0.0:8080:80", IPPROTO_TCP, "0.0.0.0", 8080, 80},
		{"255.255.255.255:65535:65535/tcp", IPPROTO_TCP, "255.255.255.255", 65535, 65535},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		struct net_port p;
		char addr[INET_ADDRSTRLEN];

		memset(&p, 0xff, sizeof(p));
		if (net_port_parse(good[i].text, &p) != 0)
			fail_msg("\"%s\" is refused", good[i].text);
		assert_int_equal(p.proto, good[i].proto);
		assert_string_equal(inet_ntop(AF_INET, &p.host_addr, addr, sizeof(addr)), good[i].addr);
		assert_int_equal(p.host_port, good[i].host_port);
		assert_int_equal(p.port, good[i].port);
	}
}

static void test_port_bad(void **state)
{
	static const char *const bad[] = {
		"",
		"/",
		"/tcp",
		":",
		"::",
		":::",
		":80",
		"80:",
		"8080:80:",
		":8080:80",
		"0",
		"8080:0",
		"127.0.0.1:8080:0",
		"65536",
		"8080:65536",
		"65536:80",
		"99999999999999999999",
		"080",
		"00:80",
		"08080:80",
		"+80",
		"-80",
		" 80",
		"80 ",
		"80\n",
		"8080 :80",
		"0x50",
		"8e1",
		"80.0",
		"http",
		"80/",
		"80/TCP",
		"80/Udp",
		"80/sctp",
		"80/tcp ",
		"80/tcp/tcp",
		"80/tcp/udp",
		"tcp/80",
		"80-90",
		"8080:80-90",
		"127.0.0.1",
		"127.0.0.1:",
		"127.0.0.1::80",
		"127.0.0.1:8080:80:1",
		"127.0.0.1:8080:80:",
		"127.0.0:80",
		"127.0.0.1.1:80",
		"127.0.0.256:80",
		"127.0.0.01:80",
		"127.1:80",
		"2130706433:8080:80",
		"localhost:8080:80",
		"*:8080:80",
		"[::1]:8080:80",
		"::1:8080:80",
		"1.2.3.4:5.6.7.8:80",
		"8080:1.2.3.4:80",
		"80:1.2.3.4",
		"255.255.255.255:65535:65535/tcp/////////////////////////////////////////////",
		"0000000000000000000000000000000000000000000000000000000000000000000000080",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct net_port p, before;

		memset(&p, 0xa5, sizeof(p));
		before = p;
		if (net_port_parse(bad[i], &p) != -EINVAL)
			fail_msg("\"%s\" is not refused", bad[i]);
		assert_memory_equal(&p, &before, sizeof(p));
	}
	assert_int_equal(net_port_parse(NULL, &(struct net_port){0}), -EINVAL);
}

/* Every number there is, on both sides. */
static void test_port_all_numbers(void **state)
{
	struct net_port p;
	char text[64];

	(void)state;
	for (unsigned n = 0; n <= 70000; n++) {
		snprintf(text, sizeof(text), "%u", n);
		assert_int_equal(net_port_parse(text, &p), n >= 1 && n <= 65535 ? 0 : -EINVAL);
		if (n >= 1 && n <= 65535)
			assert_int_equal(p.port, n);
		snprintf(text, sizeof(text), "192.0.2.1:%u:80/udp", n);
		assert_int_equal(net_port_parse(text, &p), n <= 65535 ? 0 : -EINVAL);
		if (n <= 65535)
			assert_int_equal(p.host_port, n);
	}
}

static void test_mac(void **state)
{
	struct in_addr a, b;
	uint8_t host[6], inside[6], again[6], other[6];

	(void)state;
	inet_pton(AF_INET, "10.209.1.2", &a);
	inet_pton(AF_INET, "10.209.2.1", &b);
	net_mac_derive(a, true, host);
	net_mac_derive(a, false, inside);
	net_mac_derive(a, false, again);
	net_mac_derive(b, false, other);
	assert_memory_equal(inside, ((uint8_t[]){0x02, 0xa4, 10, 209, 1, 2}), 6);
	assert_memory_equal(host, ((uint8_t[]){0x06, 0xa4, 10, 209, 1, 2}), 6);
	assert_memory_equal(inside, again, 6);
	assert_memory_not_equal(inside, other, 6);
	/* Locally administered, one station. */
	assert_int_equal(host[0] & 3, 2);
	assert_int_equal(inside[0] & 3, 2);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_port_good),
		cmocka_unit_test(test_port_bad),
		cmocka_unit_test(test_port_all_numbers),
		cmocka_unit_test(test_mac),
	};
	return cmocka_run_group_tests_name("config", tests, NULL, NULL);
}
