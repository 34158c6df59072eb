/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/unit/spec/unit.h"
#include <errno.h>
#include <stdlib.h>
#include "lib/base/str.h"

/* {"image": "busybox", MEMBERS}: what spec_check says, "" when it is fine. */
static void check_members(const char *members, char ret[512])
{
	auto_free char *text = str_fmt("{'image':'busybox'%s%s}", *members ? "," : "", members);
	struct spec s = decode_text(text);
	struct error err = { 0 };
	int r = spec_check(&s, &err);

	assert_true(r == 0 ? err.code == 0 : r == -EINVAL && err.kind == ERR_USAGE && err.text[0]);
	assert_int_equal(spec_check(&s, NULL), r);
	(void)str_copy(ret, 512, r < 0 ? err.text : "");
	spec_done(&s);
}

struct rule_case {
	const char *members, *why; /* NULL: allowed */
};

static void run_cases(const struct rule_case *cases, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		char text[512];

		check_members(cases[i].members, text);
		if (cases[i].why ? !strstr(text, cases[i].why) : text[0])
			fail_msg("%s: \"%s\", not \"%s\"", cases[i].members, text, cases[i].why ?: "");
	}
}
#define RUN(cases) run_cases((cases), ARRAY_SIZE(cases))

static void test_names(void **state)
{
	static const struct rule_case cases[] = {
		{ "", NULL },
		{ "'name':'web-1.example_x'", NULL },
		{ "'name':''", "is no name for a machine" },
		{ "'name':'../evil'", "is no name for a machine" },
		{ "'name':'a/b'", "is no name for a machine" },
		{ "'name':'.'", "is no name for a machine" },
		{ "'name':'..'", "is no name for a machine" },
		{ "'name':'a\\nb'", "is no name for a machine" },
		{ "'name':'-x'", "is no name for a machine" },
		{ "'name':'\\u202eabc'", "\\u202eabc" },
		{ "'name':'0123456789abcdef'", "looks like an id" },
		{ "'name':'0123456789abcde'", NULL },
		{ "'hostname':'a.b-c.example'", NULL },
		{ "'hostname':'A1'", NULL },
		{ "'hostname':''", "is no host name" },
		{ "'hostname':'a_b'", "is no host name" },
		{ "'hostname':'a..b'", "is no host name" },
		{ "'hostname':'-a'", "is no host name" },
		{ "'hostname':'a-'", "is no host name" },
		{ "'hostname':'a-.b'", "is no host name" },
		{ "'hostname':'a.-b'", "is no host name" },
		{ "'hostname':'.a'", "is no host name" },
		{ "'hostname':'a.'", "is no host name" },
		{ "'hostname':'a\\n1.2.3.4 bank'", "is no host name" },
		{ "'hostname':'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa'", NULL },
		{ "'hostname':'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa'",
		  "is no host name" },
	};
	auto_free char *evil = NULL;
	struct spec s = SPEC_DEFAULTS;
	struct error err;

	(void)state;
	RUN(cases);
	assert_int_equal(spec_check(&s, &err), -EINVAL);
	assert_string_equal(err.text, "image: missing");
	s.image = "../../etc";
	assert_int_equal(spec_check(&s, &err), -EINVAL);
	evil = mem_alloc(5001);
	memset(evil, 'a', 5000);
	s.image = evil;
	assert_int_equal(spec_check(&s, &err), -EINVAL);
	assert_true(strlen(err.text) < 100);
}

static void test_command(void **state)
{
	static const struct rule_case cases[] = {
		{ "'command':['sh','-c','a\\nb\\u001b']", NULL },
		{ "'command':['']", "command[0]: empty" },
		{ "'command':['a','']", NULL },
		{ "'env':['A=','_b.c-d=x=y\\n']", NULL },
		{ "'env':['A=1','B']", "env[1]: \"B\" is not NAME=VALUE" },
		{ "'env':['=x']", "env[0]" },
		{ "'env':['1A=x']", "env[0]" },
		{ "'env':['A B=x']", "env[0]" },
		{ "'env':['A\\n=x']", "env[0]: \"A\\x0a=x\"" },
		{ "'workdir':'/srv/../x'", NULL },
		{ "'workdir':'srv'", "workdir" },
		{ "'workdir':''", "workdir" },
		{ "'workdir':'/a\\nb'", "workdir" },
		{ "'imageInit':true,'noInit':true", "noInit" },
	};

	(void)state;
	RUN(cases);
}

static void test_sizes(void **state)
{
	struct spec s = SPEC_DEFAULTS;
	struct error err;
	const char *args[16];
	auto_free char *big = mem_alloc((128 << 10) + 1);

	(void)state;
	s.image = "a";
	memset(big, 'x', 128 << 10);
	args[0] = big;
	s.command = (struct strv){ args, 1 };
	assert_int_equal(spec_check(&s, &err), -EINVAL);
	assert_string_equal(err.text, "command[0]: longer than 131072 bytes");
	big[(128 << 10) - 1] = '\0';
	assert_int_equal(spec_check(&s, &err), 0);
	for (size_t i = 0; i < 16; i++)
		args[i] = big;
	s.command.n = 9;
	assert_int_equal(spec_check(&s, &err), -EINVAL);
	assert_string_equal(err.text, "command and env: longer than 1048576 bytes together");
	s.command.n = 8;
	assert_int_equal(spec_check(&s, &err), 0);
}

/* The spellings of reliability's item 12: whatever is no plain decimal number is refused, not read in a
 * hopeful way. */
static void test_user(void **state)
{
	static const struct rule_case cases[] = {
		{ "'user':''", NULL },
		{ "'user':'root'", NULL },
		{ "'user':'0'", NULL },
		{ "'user':'1000:1000'", NULL },
		{ "'user':'www-data:adm'", NULL },
		{ "'user':'4294967294'", NULL },
		{ "'user':'_apt:0'", NULL },
		{ "'user':'machine$'", NULL },
		{ "'user':'-1'", "user" },
		{ "'user':'+1'", "user" },
		{ "'user':' 1'", "user" },
		{ "'user':'1 '", "user" },
		{ "'user':'0x0'", "user" },
		{ "'user':'00'", "user" },
		{ "'user':'01'", "user" },
		{ "'user':'4294967295'", "user" },
		{ "'user':'4294967296'", "user" },
		{ "'user':'18446744073709551616'", "user" },
		{ "'user':'1e3'", "user" },
		{ "'user':'1000.'", "user" },
		{ "'user':':'", "user" },
		{ "'user':':0'", "user" },
		{ "'user':'0:'", "user" },
		{ "'user':'0:0:0'", "user" },
		{ "'user':'a:-1'", "user" },
		{ "'user':'a:4294967295'", "user" },
		{ "'user':'a b'", "user" },
		{ "'user':'a\\n'", "user" },
		{ "'user':'../x'", "user" },
		{ "'user':'-x'", "user" },
		{ "'user':'\\u0661'", "user" },
		{ "'user':'0a'", "user" },
		{ "'user':'$'", "user" },
	};

	(void)state;
	RUN(cases);
}

static void test_limits(void **state)
{
	static const struct rule_case cases[] = {
		{ "'cpus':0", NULL },
		{ "'cpus':0.01", NULL },
		{ "'cpus':0.009", "cpus: expected 0.01..1024" },
		{ "'cpus':1024", NULL },
		{ "'cpus':1024.1", "cpus: expected 0.01..1024" },
		{ "'memory':4194304", NULL },
		{ "'memory':4194303", "memory: less than 4 MiB" },
		{ "'memory':-1", NULL },
		{ "'swap':0", NULL },
		{ "'pids':0", "pids: expected 1 or more" },
		{ "'pids':1", NULL },
		{ "'rlimits':[{'name':'nofile','soft':2,'hard':1}]", "rlimits[0]: soft limit of nofile" },
		{ "'rlimits':[{'name':'nofile','soft':-1,'hard':1}]", "rlimits[0]: soft limit of nofile" },
		{ "'rlimits':[{'name':'nofile','soft':1,'hard':-1}]", NULL },
		{ "'rlimits':[{'name':'core','soft':1,'hard':1},{'name':'RLIMIT_CORE','soft':1,'hard':1}]",
		  "rlimits[1]: core is there twice" },
		{ "'capAdd':['NET_RAW'],'capDrop':['CAP_NET_RAW']", "both have NET_RAW" },
		{ "'capAdd':['NET_RAW'],'capDrop':['ALL']", NULL },
		{ "'capAdd':['ALL'],'capDrop':['NET_RAW']", NULL },
		{ "'capAdd':['ALL'],'capDrop':['ALL']", "both are ALL" },
		{ "'stopSignal':'SIGTERM'", NULL },
		{ "'stopSignal':'RTMIN+3'", NULL },
		{ "'stopSignal':'9'", NULL },
		{ "'stopSignal':'0'", "stopSignal" },
		{ "'stopSignal':'TERM;'", "stopSignal" },
		{ "'stopTimeout':86400000", NULL },
		{ "'stopTimeout':86400001", "stopTimeout" },
		{ "'logMax':0", NULL },
		{ "'logMax':131072", NULL },
		{ "'logMax':131071", "logMax" },
		{ "'logMax':1099511627777", "logMax" },
	};
	struct sandbox_rlimit odd = { .resource = 99 };
	struct spec s = SPEC_DEFAULTS;
	struct error err;

	(void)state;
	RUN(cases);
	s.image = "a";
	s.rlimits.v = &odd;
	s.rlimits.n = 1;
	s.cap_add = 1ULL << 60;
	s.oom_score_adj = 2000;
	assert_int_equal(spec_check(&s, &err), -EINVAL);
	assert_non_null(strstr(err.text, "rlimits[0]: no resource limit has number 99"));
	assert_non_null(strstr(err.text, "unknown capability"));
	assert_non_null(strstr(err.text, "oomScoreAdj"));
}

static void test_seccomp(void **state)
{
	static const struct rule_case cases[] = {
		{ "'seccomp':'default'", NULL },
		{ "'seccomp':'unconfined'", NULL },
		{ "'seccomp':''", "seccomp" },
		{ "'seccomp':'../../etc/passwd'", "seccomp" },
		{ "'seccomp':'-x'", "seccomp" },
		{ "'seccomp':'Default'", "seccomp" },
		{ "'seccomp':'{}'", NULL },
		{ "'seccomp':'{'", "seccomp: JSON" },
		{ "'seccomp':'{}}'", "seccomp: JSON" },
	};
	auto_free char *big = mem_alloc((1 << 20) + 2);
	struct spec s = SPEC_DEFAULTS;
	struct error err;

	(void)state;
	RUN(cases);
	s.image = "a";
	memset(big, ' ', 1 << 20);
	big[0] = '{';
	big[(1 << 20) - 1] = '}';
	s.seccomp = big;
	assert_int_equal(spec_check(&s, &err), 0);
	big[1 << 20] = ' ';
	assert_int_equal(spec_check(&s, &err), -EINVAL);
	assert_string_equal(err.text, "seccomp: profile is longer than 1 MiB");
}

static void test_labels(void **state)
{
	static const struct rule_case cases[] = {
		{ "'labels':{'org.example/x':'\\u00fc b'}", NULL },
		{ "'labels':{'':'x'}", "is no key" },
		{ "'labels':{'a=b':'x'}", "is no key" },
		{ "'labels':{'a b':'x'}", "is no key" },
		{ "'labels':{'a\\u0007':'x'}", "is no key" },
		{ "'labels':{'\\u00fc':'x'}", "is no key" },
		{ "'labels':{'a':'x\\ny'}", "labels.a: control characters" },
		{ "'labels':{'a':'\\u001b[2J'}", "labels.a: control characters" },
		{ "'labels':{'a':'\\u202ex'}", "labels.a: control characters" },
		{ "'labels':{'a':'$(x);%s`\\\\'}", NULL },
	};

	(void)state;
	RUN(cases);
}

/* One text for all of them, and a count of those it has no room for. */
static void test_all_at_once(void **state)
{
	struct strbuf b = { 0 };
	char text[512];

	(void)state;
	check_members("'cpus':2000,'memory':1,'pids':0,'user':'-1'", text);
	assert_string_equal(text,
			    "user: \"-1\" is not USER, UID, USER:GROUP or UID:GID (numbers 0..4294967294); "
			    "cpus: expected 0.01..1024; memory: less than 4 MiB; pids: expected 1 or more");
	strbuf_add(&b, "'env':[");
	for (int i = 0; i < 100; i++)
		strbuf_addf(&b, "%s'x\\ny'", i ? "," : "");
	strbuf_add(&b, "]");
	check_members(strbuf_cstr(&b), text);
	strbuf_done(&b);
	assert_true(str_starts(text, "env[0]: \"x\\x0ay\" is not NAME=VALUE; env[1]: "));
	assert_true(str_ends(text, " more"));
	assert_true(atoi(strrchr(text, 'd') + 2) > 80);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),  cmocka_unit_test(test_command),
		cmocka_unit_test(test_sizes),  cmocka_unit_test(test_user),
		cmocka_unit_test(test_limits), cmocka_unit_test(test_seccomp),
		cmocka_unit_test(test_labels), cmocka_unit_test(test_all_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
