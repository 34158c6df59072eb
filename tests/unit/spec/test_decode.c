/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/unit/spec/unit.h"
#include <arpa/inet.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/resource.h>
#include "lib/base/file.h"
#include "lib/base/str.h"
#include "lib/spec/internal.h"

static void test_defaults(void **state)
{
	struct spec s = decode_text("{'image':'busybox'}");
	struct spec d = SPEC_DEFAULTS;

	(void)state;
	assert_string_equal(s.image, "busybox");
	d.image = "busybox";
	assert_spec_equal(&s, &d);
	assert_true(s.no_new_privs);
	assert_int_equal(s.net, NET_ROUTED);
	assert_int_equal(s.stop_timeout_ms, 10000);
	assert_int_equal(s.log_max, 8 << 20);
	assert_true(s.memory == CG_UNSET && s.swap == CG_UNSET && s.pids == CG_UNSET);
	spec_done(&s);
	assert_null(s.image);
	assert_null(s.arena.head);
}

static void test_every_member(void **state)
{
	struct spec s = decode_text(
		"{'name':'web','image':'debian-12','command':['sh','-c','x\\ny'],'env':['A=1','B='],'workdir'"
		":'/srv',"
		"'user':'www:33','hostname':'web.example','tty':true,'openStdin':true,'imageInit':false,'"
		"noInit':true,"
		"'remove':true,'readOnly':true,'noNewPrivs':false,'timeNamespace':true,'cpus':1.5,'memory':"
		"536870912,"
		"'swap':-1,'pids':100,'mounts':[{'type':'bind','source':'/srv','target':'/"
		"data','readOnly':true,"
		"'idmap':false},{'type':'tmpfs','target':'/"
		"tmp','size':4096,'mode':511}],'ports':[{'protocol':'udp',"
		"'hostAddress':'127.0.0.1','hostPort':53,'port':5353},{'protocol':'tcp','port':80}],'network'"
		":'host',"
		"'dns':['1.1.1.1'],'capAdd':['CAP_NET_ADMIN','sys_time'],'capDrop':['all'],'seccomp':'strict'"
		","
		"'rlimits':[{'name':'RLIMIT_NOFILE','soft':1,'hard':-1}],'sysctls':{'net.ipv4.ip_forward':'1'"
		"},"
		"'labels':{'role':'front'},'devices':['/dev/fuse'],'oomScoreAdj':-5,'stopSignal':'INT',"
		"'stopTimeout':5,'logMax':0,'restart':'no'}");

	(void)state;
	assert_string_equal(s.name, "web");
	assert_int_equal(s.command.n, 3);
	assert_string_equal(s.command.v[2], "x\ny");
	assert_string_equal(s.env.v[1], "B=");
	assert_string_equal(s.user, "www:33");
	assert_true(s.tty && s.open_stdin && s.no_init && s.remove && s.readonly && s.time_ns);
	assert_false(s.image_init || s.no_new_privs);
	assert_int_equal(s.given, SPEC_GIVEN_IMAGE_INIT | SPEC_GIVEN_NO_NEW_PRIVS);
	assert_int_equal(s.cpus_milli, 1500);
	assert_true(s.memory == 536870912 && s.swap == CG_MAX && s.pids == 100);
	assert_int_equal(s.mounts.n, 2);
	assert_true(s.mounts.v[0].readonly && !s.mounts.v[0].idmap && s.mounts.v[1].idmap);
	assert_int_equal(s.mounts.v[1].mode, 0777);
	assert_int_equal(s.ports.v[0].proto, IPPROTO_UDP);
	assert_int_equal(s.ports.v[0].host_addr.s_addr, htonl(INADDR_LOOPBACK));
	assert_int_equal(s.ports.v[0].host_port, 53);
	assert_int_equal(s.ports.v[1].port, 80);
	assert_int_equal(s.net, NET_HOST);
	assert_true(s.cap_add == (1ULL << 12 | 1ULL << 25) && s.cap_drop == SPEC_CAPS_ALL);
	assert_int_equal(s.rlimits.v[0].resource, RLIMIT_NOFILE);
	assert_true(s.rlimits.v[0].soft == 1 && s.rlimits.v[0].hard == RLIM_INFINITY);
	assert_string_equal(s.sysctls.v[0].value, "1");
	assert_string_equal(s.labels.v[0].key, "role");
	assert_string_equal(s.devices.v[0], "/dev/fuse");
	assert_int_equal(s.oom_score_adj, -5);
	assert_true(s.stop_timeout_ms == 5 && s.log_max == 0);
	spec_done(&s);
}

static void test_errors_name_the_path(void **state)
{
	static const struct {
		const char *text, *why;
	} cases[] = {
		{ "[]", "expected an object" },
		{ "'x'", "expected an object" },
		{ "{}", "image: missing" },
		{ "{'image':null}", "image: missing" },
		{ "{'image':1}", "image: expected a string" },
		{ "{'image':'a','Name':'b'}", "Name: no such member" },
		{ "{'image':'a','x\\u001b[2J':1}", "x?[2J: no such member" },
		{ "{'image':'a','name':[]}", "name: expected a string" },
		{ "{'image':'a','command':'sh'}", "command: expected an array" },
		{ "{'image':'a','command':['a',1]}", "command[1]: expected a string" },
		{ "{'image':'a','env':[null]}", "env[0]: expected a string" },
		{ "{'image':'a','tty':'yes'}", "tty: expected true or false" },
		{ "{'image':'a','tty':1}", "tty: expected true or false" },
		{ "{'image':'a','cpus':'2'}", "cpus: expected a number" },
		{ "{'image':'a','cpus':-1}", "cpus: expected a number of CPUs" },
		{ "{'image':'a','cpus':1e30}", "cpus: expected a number of CPUs" },
		{ "{'image':'a','cpus':0.0001}", "cpus: expected 0.001 or more" },
		{ "{'image':'a','memory':1.5}", "memory: expected a whole number" },
		{ "{'image':'a','memory':-2}", "memory: expected a number, or -1 for no limit" },
		{ "{'image':'a','memory':18446744073709551615}", "memory: expected a number up to" },
		{ "{'image':'a','pids':'max'}", "pids: expected a whole number" },
		{ "{'image':'a','mounts':{}}", "mounts: expected an array" },
		{ "{'image':'a','mounts':['/x']}", "mounts[0]: expected an object" },
		{ "{'image':'a','mounts':[null]}", "mounts[0]: expected an object" },
		{ "{'image':'a','mounts':[{'type':'bind'}]}", "mounts[0].target: missing" },
		{ "{'image':'a','mounts':[{'target':'/x'}]}", "mounts[0].type: missing" },
		{ "{'image':'a','mounts':[{'type':'bind','target':'/x','options':'suid'}]}",
		  "mounts[0].options: no such member" },
		{ "{'image':'a','mounts':[{'type':'tmpfs','target':'/x','mode':4096}]}",
		  "mounts[0].mode: expected 0..4095" },
		{ "{'image':'a','mounts':[{'type':'tmpfs','target':'/x','size':-1}]}",
		  "mounts[0].size: expected 0.." },
		{ "{'image':'a','ports':[{'protocol':'tcp','port':1},{'protocol':'tcp','port':0}]}",
		  "ports[1].port: expected 1..65535" },
		{ "{'image':'a','ports':[{'protocol':'tcp','port':65536}]}",
		  "ports[0].port: expected 1..65535" },
		{ "{'image':'a','ports':[{'protocol':'tcp','port':1,'hostPort':65536}]}",
		  "ports[0].hostPort: expected 0..65535" },
		{ "{'image':'a','ports':[{'protocol':'sctp','port':1}]}",
		  "ports[0].protocol: expected tcp or udp" },
		{ "{'image':'a','ports':[{'protocol':'tcp'}]}", "ports[0].port: missing" },
		{ "{'image':'a','ports':[{'protocol':'tcp','port':1,'hostAddress':'localhost'}]}",
		  "ports[0].hostAddress: expected an IPv4 address" },
		{ "{'image':'a','network':'bridge'}", "network: expected routed, none or host" },
		{ "{'image':'a','capAdd':['NET_RAW','SUPER']}",
		  "capAdd[1]: no capability is named \"SUPER\"" },
		{ "{'image':'a','capDrop':[1]}", "capDrop[0]: expected a string" },
		{ "{'image':'a','capDrop':'ALL'}", "capDrop: expected an array" },
		{ "{'image':'a','rlimits':[{'name':'files','soft':1,'hard':1}]}",
		  "rlimits[0].name: no resource limit is named \"files\"" },
		{ "{'image':'a','rlimits':[{'name':'nofile','soft':1}]}", "rlimits[0].hard: missing" },
		{ "{'image':'a','rlimits':[{'name':'nofile','soft':-2,'hard':1}]}",
		  "rlimits[0].soft: expected" },
		{ "{'image':'a','sysctls':['a']}", "sysctls: expected an object" },
		{ "{'image':'a','sysctls':{'net.x':1}}", "sysctls.net.x: expected a string" },
		{ "{'image':'a','labels':{'k':null}}", "labels.k: expected a string" },
		{ "{'image':'a','oomScoreAdj':1001}", "oomScoreAdj: expected -1000..1000" },
		{ "{'image':'a','oomScoreAdj':-1001}", "oomScoreAdj: expected -1000..1000" },
		{ "{'image':'a','stopTimeout':-1}", "stopTimeout: expected 0.." },
		{ "{'image':'a','logMax':'8M'}", "logMax: expected a whole number" },
		{ "{'image':'a','restart':'always'}", "restart: expected no" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct error err;

		decode_fails(cases[i].text, &err);
		if (!str_starts(err.text, cases[i].why))
			fail_msg("%s: %s", cases[i].text, err.text);
	}
}

/* Null is as good as a missing member for every member but image. */
static void test_null_is_missing(void **state)
{
	struct spec d = SPEC_DEFAULTS;

	(void)state;
	d.image = "a";
	for (size_t i = 0; i < spec_table.n; i++) {
		const char *key = spec_table.members[i].key;
		auto_free char *text = str_fmt("{'image':'a','%s':null}", key);
		struct spec s;

		if (str_eq(key, "image"))
			continue;
		s = decode_text(text);
		assert_spec_equal(&s, &d);
		spec_done(&s);
	}
}

/* Every member of type Spec in the interface file is decoded, and no other is. */
static void test_table_follows_the_interface(void **state)
{
	auto_free char *idl = NULL;
	char *at, *end;
	size_t n = 0;

	(void)state;
	assert_true(file_read_at(AT_FDCWD, "lib/rpc/arnia.varlink", 1 << 20, &idl, NULL) > 0);
	at = strstr(idl, "type Spec (\n");
	assert_non_null(at);
	at += strlen("type Spec (\n");
	end = strstr(at, "\n)");
	assert_non_null(end);
	*end = '\0';
	for (char *line = strtok(at, "\n"); line; line = strtok(NULL, "\n")) {
		char *key = line + strspn(line, " "), *colon = strchr(key, ':');

		if (*key == '#' || !colon)
			continue;
		*colon = '\0';
		if (n >= spec_table.n || !str_eq(spec_table.members[n].key, key))
			fail_msg("member %zu: %s", n, key);
		n++;
	}
	assert_int_equal(n, spec_table.n);
}

static void test_image_init_turns_no_new_privs_off(void **state)
{
	struct spec s = decode_text("{'image':'a','imageInit':true}");

	(void)state;
	assert_false(s.no_new_privs);
	assert_int_equal(s.given, SPEC_GIVEN_IMAGE_INIT);
	spec_done(&s);
	s = decode_text("{'image':'a','imageInit':true,'noNewPrivs':true}");
	assert_true(s.no_new_privs);
	spec_done(&s);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_every_member),
		cmocka_unit_test(test_errors_name_the_path),
		cmocka_unit_test(test_null_is_missing),
		cmocka_unit_test(test_table_follows_the_interface),
		cmocka_unit_test(test_image_init_turns_no_new_privs_off),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
