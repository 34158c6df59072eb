/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/unit/spec/unit.h"
#include "lib/base/str.h"

struct net_case {
	const char *members, *why; /* NULL: allowed */
};

static void run_cases(const struct net_case *cases, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		auto_free char *text = str_fmt("{'image':'a',%s}", cases[i].members);
		struct spec s = decode_text(text);
		struct error err = { 0 };
		int r = spec_check(&s, &err);

		if (cases[i].why ? r == 0 || !strstr(err.text, cases[i].why) : r < 0)
			fail_msg("%s: \"%s\"", text, err.text);
		spec_done(&s);
	}
}

#define TCP(host, port) "{'protocol':'tcp','hostPort':" #host ",'port':" #port "}"
#define TCP_ON(addr, host) "{'protocol':'tcp','hostAddress':'" addr "','hostPort':" #host ",'port':1}"
#define UDP(host, port) "{'protocol':'udp','hostPort':" #host ",'port':" #port "}"

static void test_ports(void **state)
{
	static const struct net_case cases[] = {
		{ "'ports':[" TCP(80, 80) "," TCP(81, 80) "," UDP(80, 80) "]", NULL },
		{ "'ports':[" TCP(80, 1) "," TCP(80, 2) "]", "ports[1].hostPort: 80 is there twice" },
		{ "'ports':[" TCP(0, 1) "," TCP(0, 1) "]", NULL },
		{ "'ports':[" TCP_ON("10.0.0.1", 80) "," TCP_ON("10.0.0.2", 80) "]", NULL },
		{ "'ports':[" TCP_ON("10.0.0.1", 80) "," TCP_ON("10.0.0.1", 80) "]", "there twice" },
		{ "'ports':[" TCP_ON("10.0.0.1", 80) "," TCP(80, 1) "]", "there twice" },
		{ "'ports':[" TCP(80, 1) "," TCP_ON("10.0.0.1", 80) "]", "there twice" },
		{ "'network':'host','ports':[" TCP(80, 80) "]",
		  "only network routed has published ports, not host" },
		{ "'network':'none','ports':[" TCP(80, 80) "]",
		  "only network routed has published ports, not none" },
		{ "'network':'none'", NULL },
	};
	struct net_port odd = { .proto = 132 };
	struct spec s = SPEC_DEFAULTS;
	struct error err;

	(void)state;
	run_cases(cases, ARRAY_SIZE(cases));
	s.image = "a";
	s.ports.v = &odd;
	s.ports.n = 1;
	assert_true(spec_check(&s, &err) < 0);
	assert_string_equal(err.text,
			    "ports[0].protocol: expected tcp or udp; ports[0].port: expected 1..65535");
}

static void test_dns(void **state)
{
	static const struct net_case cases[] = {
		{ "'dns':['1.1.1.1','2001:db8::1','9.9.9.9']", NULL },
		{ "'dns':['1.1.1.1','1.1.1.2','1.1.1.3','1.1.1.4']", "dns: more than 3" },
		{ "'dns':['dns.example']", "dns[0]: \"dns.example\" is no address" },
		{ "'dns':['1.1.1.1\\nsearch evil']", "dns[0]" },
		{ "'dns':['fe80::1%eth0']", "dns[0]" },
		{ "'dns':['']", "dns[0]" },
	};

	(void)state;
	run_cases(cases, ARRAY_SIZE(cases));
}

static void test_sysctls(void **state)
{
	static const struct net_case cases[] = {
		{ "'sysctls':{'net.ipv4.ip_forward':'1','kernel.sem':'250 32000 32 "
		  "128','fs.mqueue.msg_max':'10',"
		  "'kernel.shm_rmid_forced':'1','kernel.msgmax':'1','kernel.domainname':'x','net.ipv4.conf."
		  "eth0.rp_filter':'1'}",
		  NULL },
		{ "'sysctls':{'vm.swappiness':'1'}", "sysctls.vm.swappiness: belongs to the host" },
		{ "'sysctls':{'kernel.core_pattern':'|/x'}", "belongs to the host" },
		{ "'sysctls':{'kernel.hostname':'x'}", "belongs to the host" },
		{ "'sysctls':{'kernel.shmallx':'x'}", "belongs to the host" },
		{ "'sysctls':{'fs.file-max':'1'}", "belongs to the host" },
		{ "'sysctls':{'netx.a':'1'}", "belongs to the host" },
		{ "'sysctls':{'net':'1'}", "belongs to the host" },
		{ "'sysctls':{'net/ipv4/ip_forward':'1'}", "is no name" },
		{ "'sysctls':{'net.ipv4/ip_forward':'1'}", "is no name" },
		{ "'sysctls':{'net..kernel':'1'}", "is no name" },
		{ "'sysctls':{'net.../kernel/core_pattern':'1'}", "is no name" },
		{ "'sysctls':{'net.':'1'}", "is no name" },
		{ "'sysctls':{'.net':'1'}", "is no name" },
		{ "'sysctls':{'':'1'}", "is no name" },
		{ "'sysctls':{'net.a\\n':'1'}", "is no name" },
		{ "'sysctls':{'net.a':'1\\n2'}", "sysctls.net.a: control characters" },
		{ "'network':'host','sysctls':{'net.ipv4.ip_forward':'1'}", "the network is the host's" },
		{ "'network':'host','sysctls':{'kernel.msgmax':'1'}", NULL },
		{ "'network':'none','sysctls':{'net.ipv4.ip_forward':'1'}", NULL },
	};

	(void)state;
	run_cases(cases, ARRAY_SIZE(cases));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ports),
		cmocka_unit_test(test_dns),
		cmocka_unit_test(test_sysctls),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
