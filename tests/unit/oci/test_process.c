/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/unit/oci/unit.h"
#include <errno.h>
#include <linux/capability.h>
#include <linux/ioprio.h>
#include <linux/sched.h>
#include <sys/resource.h>
#include "lib/spec/names.h"

#define BIT(cap) (UINT64_C(1) << (cap))

static struct oci_config decode_process(const char *members)
{
	auto_free char *text =
		str_fmt("'process':{'args':['sh','-c',''],'cwd':'/w'%s%s}", *members ? "," : "", members);

	return decode_members(text);
}

static void test_program(void **state unused)
{
	struct oci_config c = decode_process("'env':['A=b','C='],'terminal':true,"
					     "'consoleSize':{'height':24,'width':80}");

	assert_true(c.has_process && c.terminal && c.process.tty && c.rootfs.console && !c.process.init);
	assert_int_equal(c.process.argv.n, 3);
	assert_string_equal(c.process.argv.v[1], "-c");
	assert_string_equal(c.process.argv.v[2], "");
	assert_int_equal(c.process.env.n, 2);
	assert_string_equal(c.process.env.v[1], "C=");
	assert_string_equal(c.process.cwd, "/w");
	assert_int_equal(c.process.rows, 24);
	assert_int_equal(c.process.cols, 80);
	oci_config_done(&c);
	c = decode_process("'consoleSize':{'height':24,'width':80}");
	assert_true(!c.terminal && !c.process.tty && !c.rootfs.console && !c.process.rows && !c.process.cols);
	assert_string_equal(c.process.user, "0:0");
	assert_int_equal(c.process.umask, 022);
	assert_int_equal(c.sandbox.oom_score_adj, INT32_MIN);
	assert_true(!c.sandbox.cap_bounding && !c.sandbox.cap_permitted && !c.sandbox.no_new_privs);
	oci_config_done(&c);
	c = decode_members("'process':null");
	assert_false(c.has_process);
	assert_int_equal(c.sandbox.oom_score_adj, INT32_MIN);
	oci_config_done(&c);
}

static void test_program_errors(void **state unused)
{
	static const struct rule_case configs[] = {
		{ "'process':[]", "process: expected an object" },
		{ "'process':{'cwd':'/'}", "process.args: must not be empty" },
		{ "'process':{'cwd':'/','args':[]}", "process.args: must not be empty" },
		{ "'process':{'cwd':'/','args':'sh'}", "process.args: expected an array" },
		{ "'process':{'cwd':'/','args':['a',1]}", "process.args[1]: expected a string" },
		{ "'process':{'args':['sh']}", "process.cwd: missing" },
		{ "'process':{'args':['sh'],'cwd':''}", "process.cwd: missing" },
		{ "'process':{'args':['sh'],'cwd':'x'}", "process.cwd: \"x\" is not an absolute path" },
		{ "'process':{'args':['sh'],'cwd':1}", "process.cwd: expected a string" },
	};
	static const struct rule_case processes[] = {
		{ "'terminal':1", "process.terminal: expected true or false" },
		{ "'terminal':null", NULL },
		{ "'consoleSize':1", "process.consoleSize: expected an object" },
		{ "'consoleSize':{'height':65536}", "process.consoleSize.height: expected 0..65535" },
		{ "'consoleSize':{'width':-1}", "process.consoleSize.width: expected 0..65535" },
		{ "'env':{}", "process.env: expected an array" },
		{ "'env':['A']", "process.env[0]: \"A\" is not as NAME=VALUE" },
		{ "'env':['A=1','=x']", "process.env[1]: \"=x\" is not" },
		{ "'env':['']", "process.env[0]: " },
		{ "'env':[null]", "process.env[0]: expected a string" },
		{ "'whatever':[{}]", NULL },
		{ "'noNewPrivileges':'yes'", "process.noNewPrivileges: expected true or false" },
		{ "'apparmorProfile':1", "process.apparmorProfile: expected a string" },
		{ "'selinuxLabel':{}", "process.selinuxLabel: expected a string" },
		{ "'oomScoreAdj':1000", NULL },
		{ "'oomScoreAdj':1001", "process.oomScoreAdj: expected -1000..1000" },
		{ "'oomScoreAdj':-1001", "process.oomScoreAdj: expected -1000..1000" },
		{ "'oomScoreAdj':1e23", "process.oomScoreAdj: expected a whole number" },
	};

	CHECK(configs, configs);
	CHECK(processes, processes);
}

static void test_user(void **state unused)
{
	struct oci_config c = decode_process("'user':{'uid':1000,'gid':4294967294,'umask':63,"
					     "'additionalGids':[5,0,4294967294]}");
	static const struct rule_case cases[] = {
		{ "'user':{}", NULL },
		{ "'user':7", "process.user: expected an object" },
		{ "'user':{'uid':-1}", "process.user.uid: expected a number from 0" },
		{ "'user':{'uid':4294967295}", "process.user.uid: 4294967295 is no id" },
		{ "'user':{'uid':4294967296}", "process.user.uid: expected a number from 0" },
		{ "'user':{'uid':'0'}", "process.user.uid: expected a whole number" },
		{ "'user':{'uid':1.5}", "process.user.uid: expected a whole number" },
		{ "'user':{'gid':4294967295}", "process.user.gid: 4294967295 is no id" },
		{ "'user':{'umask':512}", "process.user.umask: expected 0..511" },
		{ "'user':{'umask':-1}", "process.user.umask: expected 0..511" },
		{ "'user':{'additionalGids':5}", "process.user.additionalGids: expected an array" },
		{ "'user':{'additionalGids':[5,'6']}", "process.user.additionalGids[1]: expected a group" },
		{ "'user':{'additionalGids':[-1]}", "process.user.additionalGids[0]: expected a group" },
		{ "'user':{'additionalGids':[4294967295]}",
		  "process.user.additionalGids[0]: expected a group" },
		{ "'user':{'additionalGids':[4294967296]}",
		  "process.user.additionalGids[0]: expected a group" },
		{ "'user':{'additionalGids':[null]}", "process.user.additionalGids[0]: expected a group" },
		{ "'user':{'username':'ContainerUser'}", NULL },
	};

	assert_string_equal(c.process.user, "1000:4294967294");
	assert_int_equal(c.process.umask, 63);
	assert_int_equal(c.process.groups.n, 3);
	assert_string_equal(c.process.groups.v[0], "5");
	assert_string_equal(c.process.groups.v[1], "0");
	assert_string_equal(c.process.groups.v[2], "4294967294");
	oci_config_done(&c);
	CHECK(processes, cases);
}

static void test_caps(void **state unused)
{
	struct oci_config c =
		decode_process("'capabilities':{'bounding':['CAP_CHOWN','CAP_KILL','CAP_CHOWN'],"
			       "'effective':['CAP_CHECKPOINT_RESTORE'],'permitted':['CAP_SYS_ADMIN'],"
			       "'inheritable':['CAP_NET_RAW'],'ambient':['CAP_BPF']}");
	static const struct rule_case cases[] = {
		{ "'capabilities':['CAP_CHOWN']", "process.capabilities: expected an object" },
		{ "'capabilities':{'bounding':'ALL'}", "process.capabilities.bounding: expected an array" },
		{ "'capabilities':{'ambient':['CAP_KILL',3]}",
		  "process.capabilities.ambient[1]: expected a string" },
		{ "'capabilities':{'permitted':[null]}",
		  "process.capabilities.permitted[0]: expected a string" },
		{ "'capabilities':{}", NULL },
	};

	assert_true(c.sandbox.cap_bounding == (BIT(CAP_CHOWN) | BIT(CAP_KILL)));
	assert_true(c.sandbox.cap_effective == BIT(CAP_CHECKPOINT_RESTORE));
	assert_true(c.sandbox.cap_permitted == BIT(CAP_SYS_ADMIN));
	assert_true(c.sandbox.cap_inheritable == BIT(CAP_NET_RAW));
	assert_true(c.sandbox.cap_ambient == BIT(CAP_BPF));
	assert_int_equal(c.warnings.n, 0);
	oci_config_done(&c);
	CHECK(processes, cases);
}

static void test_every_cap(void **state unused)
{
	const char *name;
	unsigned n = 0;

	for (; (name = spec_cap_name(n)); n++) {
		auto_free char *text = str_fmt("'capabilities':{'permitted':['CAP_%s']}", name);
		struct oci_config c = decode_process(text);

		assert_true(c.sandbox.cap_permitted == BIT(n));
		oci_config_done(&c);
	}
	assert_int_equal(n, 41);
}

/* Words of other programs for all or some of them are not understood here, and nothing is added for them. */
static void test_unknown_caps(void **state unused)
{
	static const char *const names[] = {
		"ALL", "CAP_ALL",   "all",	  "cap_chown",	"CHOWN",    "CAP_FOO",		 "CAP_",
		"",    "CAP_chown", " CAP_CHOWN", "CAP_CHOWN ", "\\u001bx", "CAP_CHOWN,CAP_KILL"
	};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		auto_free char *text = str_fmt(
			"'capabilities':{'bounding':['%s'],'ambient':['%s','CAP_KILL']}", names[i], names[i]);
		struct oci_config c = decode_process(text);

		assert_true(c.sandbox.cap_bounding == 0 && c.sandbox.cap_ambient == BIT(CAP_KILL));
		assert_int_equal(c.warnings.n, 1);
		assert_true(str_starts(c.warnings.v[0], "ignoring unknown or unavailable capabilities: ["));
		assert_null(strchr(c.warnings.v[0], '\x1b'));
		oci_config_done(&c);
	}
}

static void test_rlimits(void **state unused)
{
	static const struct {
		const char *name;
		uint32_t resource;
	} all[] = {
		{ "AS", RLIMIT_AS },
		{ "CORE", RLIMIT_CORE },
		{ "CPU", RLIMIT_CPU },
		{ "DATA", RLIMIT_DATA },
		{ "FSIZE", RLIMIT_FSIZE },
		{ "LOCKS", RLIMIT_LOCKS },
		{ "MEMLOCK", RLIMIT_MEMLOCK },
		{ "MSGQUEUE", RLIMIT_MSGQUEUE },
		{ "NICE", RLIMIT_NICE },
		{ "NOFILE", RLIMIT_NOFILE },
		{ "NPROC", RLIMIT_NPROC },
		{ "RSS", RLIMIT_RSS },
		{ "RTPRIO", RLIMIT_RTPRIO },
		{ "RTTIME", RLIMIT_RTTIME },
		{ "SIGPENDING", RLIMIT_SIGPENDING },
		{ "STACK", RLIMIT_STACK },
	};

	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		auto_free char *text = str_fmt("'rlimits':[{'type':'RLIMIT_%s','soft':%zu,"
					       "'hard':18446744073709551615}]",
					       all[i].name, i);
		struct oci_config c = decode_process(text);

		assert_int_equal(c.sandbox.rlimits.n, 1);
		assert_int_equal(c.sandbox.rlimits.v[0].resource, all[i].resource);
		assert_true(c.sandbox.rlimits.v[0].soft == i && c.sandbox.rlimits.v[0].hard == UINT64_MAX);
		assert_false(c.sandbox.rlimits.v[0].best_effort);
		oci_config_done(&c);
	}
}

#define LIMIT(type) "{'type':'" type "','soft':1,'hard':2}"
static void test_rlimit_errors(void **state unused)
{
	static const struct rule_case cases[] = {
		{ "'rlimits':{}", "process.rlimits: expected an array" },
		{ "'rlimits':[1]", "process.rlimits[0]: expected an object" },
		{ "'rlimits':[{'soft':1,'hard':1}]", "process.rlimits[0].type: missing" },
		{ "'rlimits':[{'type':1}]", "process.rlimits[0].type: expected a string" },
		{ "'rlimits':[" LIMIT("RLIMIT_CPU") "," LIMIT("RLIMIT_FOO") "]",
		  "process.rlimits[1].type: unknown limit \"RLIMIT_FOO\"" },
		{ "'rlimits':[" LIMIT("nofile") "]", "process.rlimits[0].type: unknown limit \"nofile\"" },
		{ "'rlimits':[" LIMIT("") "]", "process.rlimits[0].type: unknown limit" },
		{ "'rlimits':[" LIMIT("RLIMIT_CPU") "," LIMIT("RLIMIT_CPU") "]",
		  "process.rlimits[1].type: RLIMIT_CPU is there twice" },
		{ "'rlimits':[{'type':'RLIMIT_CPU','hard':1}]", "process.rlimits[0].soft: missing" },
		{ "'rlimits':[{'type':'RLIMIT_CPU','soft':1}]", "process.rlimits[0].hard: missing" },
		{ "'rlimits':[{'type':'RLIMIT_CPU','soft':2,'hard':1}]",
		  "process.rlimits[0].soft: more than hard" },
		{ "'rlimits':[{'type':'RLIMIT_CPU','soft':-1,'hard':1}]",
		  "process.rlimits[0].soft: expected" },
		{ "'rlimits':[{'type':'RLIMIT_CPU','soft':1,'hard':1e23}]",
		  "process.rlimits[0].hard: expected" },
		{ "'rlimits':[]", NULL },
	};

	CHECK(processes, cases);
}

static void test_scheduler(void **state unused)
{
	struct oci_config c =
		decode_process("'scheduler':{'policy':'SCHED_DEADLINE','runtime':1,'deadline':2,"
			       "'period':3,'flags':['SCHED_FLAG_RESET_ON_FORK','SCHED_FLAG_RECLAIM']}");
	static const struct rule_case cases[] = {
		{ "'scheduler':{}", "process.scheduler.policy: missing" },
		{ "'scheduler':1", "process.scheduler: expected an object" },
		{ "'scheduler':{'policy':'SCHED_FOO'}",
		  "process.scheduler.policy: unknown word \"SCHED_FOO\"" },
		{ "'scheduler':{'policy':'SCHED_OTHER','nice':-20}", NULL },
		{ "'scheduler':{'policy':'SCHED_OTHER','nice':-21}",
		  "process.scheduler.nice: expected -20..19" },
		{ "'scheduler':{'policy':'SCHED_OTHER','nice':20}",
		  "process.scheduler.nice: expected -20..19" },
		{ "'scheduler':{'policy':'SCHED_OTHER','priority':1}",
		  "process.scheduler.priority: for SCHED_FIFO" },
		{ "'scheduler':{'policy':'SCHED_RR','priority':1}", NULL },
		{ "'scheduler':{'policy':'SCHED_FIFO','priority':99}", NULL },
		{ "'scheduler':{'policy':'SCHED_FIFO','priority':-1}",
		  "process.scheduler.priority: expected" },
		{ "'scheduler':{'policy':'SCHED_BATCH','runtime':1}", "process.scheduler.runtime: for" },
		{ "'scheduler':{'policy':'SCHED_IDLE','deadline':1}", "process.scheduler.deadline: for" },
		{ "'scheduler':{'policy':'SCHED_ISO','period':1}", "process.scheduler.period: for" },
		{ "'scheduler':{'policy':'SCHED_RR','flags':['X']}",
		  "process.scheduler.flags[0]: unknown flag \"X\"" },
		{ "'scheduler':{'policy':'SCHED_RR','flags':[1]}",
		  "process.scheduler.flags[0]: expected a string" },
		{ "'scheduler':{'policy':'SCHED_RR','flags':'X'}",
		  "process.scheduler.flags: expected an array" },
	};

	assert_true(c.sandbox.sched.set);
	assert_int_equal(c.sandbox.sched.policy, SCHED_DEADLINE);
	assert_int_equal(c.sandbox.sched.flags, SCHED_FLAG_RESET_ON_FORK | SCHED_FLAG_RECLAIM);
	assert_true(c.sandbox.sched.runtime == 1 && c.sandbox.sched.deadline == 2 &&
		    c.sandbox.sched.period == 3);
	oci_config_done(&c);
	CHECK(processes, cases);
}

static void test_policies(void **state unused)
{
	static const struct {
		const char *name;
		uint32_t policy;
	} all[] = { { "SCHED_OTHER", 0 }, { "SCHED_FIFO", 1 }, { "SCHED_RR", 2 },      { "SCHED_BATCH", 3 },
		    { "SCHED_ISO", 4 },	  { "SCHED_IDLE", 5 }, { "SCHED_DEADLINE", 6 } };

	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		auto_free char *text = str_fmt("'scheduler':{'policy':'%s','nice':-%zu}", all[i].name, i);
		struct oci_config c = decode_process(text);

		assert_int_equal(c.sandbox.sched.policy, all[i].policy);
		assert_int_equal(c.sandbox.sched.nice, -(int)i);
		oci_config_done(&c);
	}
}

static void test_priority_and_affinity(void **state unused)
{
	struct oci_config c = decode_process("'ioPriority':{'class':'IOPRIO_CLASS_BE','priority':7},"
					     "'execCPUAffinity':{'initial':'0-3,7','final':'2'},"
					     "'apparmorProfile':'p','selinuxLabel':'l','oomScoreAdj':-5,"
					     "'noNewPrivileges':true");
	static const struct rule_case cases[] = {
		{ "'ioPriority':{}", "process.ioPriority.class: missing" },
		{ "'ioPriority':{'class':'x'}", "process.ioPriority.class: unknown word \"x\"" },
		{ "'ioPriority':{'class':'IOPRIO_CLASS_IDLE'}", NULL },
		{ "'ioPriority':{'class':'IOPRIO_CLASS_RT','priority':8}",
		  "process.ioPriority.priority: expected 0..7" },
		{ "'ioPriority':{'class':'IOPRIO_CLASS_RT','priority':-1}",
		  "process.ioPriority.priority: expected 0..7" },
		{ "'ioPriority':[]", "process.ioPriority: expected an object" },
		{ "'execCPUAffinity':{}", NULL },
		{ "'execCPUAffinity':1", "process.execCPUAffinity: expected an object" },
		{ "'execCPUAffinity':{'initial':'x'}", "process.execCPUAffinity.initial: \"x\" is no list" },
		{ "'execCPUAffinity':{'initial':'0-'}", "process.execCPUAffinity.initial: " },
		{ "'execCPUAffinity':{'initial':'3-1'}", "process.execCPUAffinity.initial: " },
		{ "'execCPUAffinity':{'initial':'1,'}", "process.execCPUAffinity.initial: " },
		{ "'execCPUAffinity':{'initial':'1,,2'}", "process.execCPUAffinity.initial: " },
		{ "'execCPUAffinity':{'initial':' 1'}", "process.execCPUAffinity.initial: " },
		{ "'execCPUAffinity':{'final':'99999999999999999999'}", "process.execCPUAffinity.final: " },
		{ "'execCPUAffinity':{'final':'0-70000'}", "process.execCPUAffinity.final: " },
		{ "'execCPUAffinity':{'final':'1 2'}", "process.execCPUAffinity.final: " },
	};

	assert_int_equal(c.sandbox.ioprio, IOPRIO_CLASS_BE << 13 | 7);
	assert_string_equal(c.sandbox.cpus_initial, "0-3,7");
	assert_string_equal(c.sandbox.cpus_final, "2");
	assert_string_equal(c.sandbox.apparmor, "p");
	assert_string_equal(c.sandbox.selinux, "l");
	assert_int_equal(c.sandbox.oom_score_adj, -5);
	assert_true(c.sandbox.no_new_privs);
	oci_config_done(&c);
	c = decode_process("'apparmorProfile':'','selinuxLabel':'','execCPUAffinity':{'initial':''}");
	assert_true(!c.sandbox.apparmor && !c.sandbox.selinux && !c.sandbox.cpus_initial);
	oci_config_done(&c);
	CHECK(processes, cases);
}

/* For exec: what belongs to a container stays, what belongs to a process is the new one's alone. */
static void test_alone(void **state unused)
{
	auto_json json *good =
		parse_text("{'args':['id'],'cwd':'/','capabilities':{'bounding':['CAP_KILL','X']}}");
	auto_json json *bad = parse_text("{'args':['id'],'cwd':'/','rlimits':[{'type':'RLIMIT_X'}]}");
	struct sandbox_config s = {
		.namespaces = 7, .cap_permitted = 9, .oom_score_adj = 4, .apparmor = "old"
	};
	struct process_config p = { .umask = 1 };
	struct strv warnings = { 0 };
	struct error err = { 0 };
	struct arena a = { 0 };
	bool terminal = true;

	assert_int_equal(oci_process_decode(bad, &a, &p, &s, &terminal, &warnings, &err), -EINVAL);
	assert_string_equal(err.text, "process.rlimits[0].type: unknown limit \"RLIMIT_X\"");
	assert_true(terminal && p.umask == 1 && s.cap_permitted == 9 && s.oom_score_adj == 4 && !warnings.n);
	assert_int_equal(oci_process_decode(NULL, &a, &p, &s, &terminal, &warnings, NULL), -EINVAL);
	assert_int_equal(oci_process_decode(good, &a, &p, &s, &terminal, &warnings, &err), 0);
	assert_true(!terminal && s.namespaces == 7 && !s.cap_permitted && s.cap_bounding == BIT(CAP_KILL));
	assert_true(s.oom_score_adj == INT32_MIN && !s.apparmor && warnings.n == 1);
	assert_string_equal(p.argv.v[0], "id");
	arena_done(&a);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_program),	  cmocka_unit_test(test_program_errors),
		cmocka_unit_test(test_user),	  cmocka_unit_test(test_caps),
		cmocka_unit_test(test_every_cap), cmocka_unit_test(test_unknown_caps),
		cmocka_unit_test(test_rlimits),	  cmocka_unit_test(test_rlimit_errors),
		cmocka_unit_test(test_scheduler), cmocka_unit_test(test_policies),
		cmocka_unit_test(test_alone),	  cmocka_unit_test(test_priority_and_affinity),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
