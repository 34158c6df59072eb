/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/unit/oci/unit.h"
#include <errno.h>
#include <sched.h>

/* What a whole text says, "" when it is fine. */
static void check(const char *text, const char *why)
{
	const struct oci_input in = { .bundle = "/bundle" };
	auto_json json *j = parse_text(text);
	struct error err = { 0 };
	struct oci_config c;
	int r = oci_config_decode(j, &in, &c, &err);

	if (why ? !str_starts(err.text, why) : r < 0)
		fail_msg("%s: \"%s\", not \"%s\"", text, err.text, why ?: "");
	if (r == 0)
		oci_config_done(&c);
}

static void test_version(void **state unused)
{
	static const struct {
		const char *version, *why;
	} cases[] = {
		{ "1.0.0", NULL },
		{ "1.0.2-dev", NULL },
		{ "1.0.0-rc5", NULL },
		{ "1.1.0+dev", NULL },
		{ "1.2.1", NULL },
		{ "1.3.99", NULL },
		{ "1.2.0-rc.1+b-1", NULL },
		{ "1.4.0", NULL },
		{ "1.999.0-rc1", NULL },
		{ "0.9.0", "ociVersion: 0.9.0 is not one of" },
		{ "2.0.0", "ociVersion: 2.0.0 is not one of" },
		{ "", "ociVersion: missing" },
		{ "1", "ociVersion: \"1\" is no version" },
		{ "1.0", "ociVersion: \"1.0\" is no version" },
		{ "1.0.", "ociVersion: \"1.0.\" is no version" },
		{ "1.0.0.0", "ociVersion: \"1.0.0.0\" is no version" },
		{ "1.00.0", "ociVersion: \"1.00.0\" is no version" },
		{ "v1.0.0", "ociVersion: \"v1.0.0\" is no" },
		{ "1.0.0-", "ociVersion: \"1.0.0-\" is no version" },
		{ "1.0.0-a b", "ociVersion: \"1.0.0-a b\" is" },
		{ "1.-1.0", "ociVersion: \"1.-1.0\" is no version" },
		{ "99999999999999999999.0.0", "ociVersion: 99999999999999999999.0.0 is not one of" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		auto_free char *text = str_fmt("{'ociVersion':'%s','root':{'path':'r'}}", cases[i].version);

		check(text, cases[i].why);
	}
	check("{'root':{'path':'r'}}", "ociVersion: missing");
	check("{'ociVersion':1,'root':{'path':'r'}}", "ociVersion: expected a string");
	check("{'ociVersion':null,'root':{'path':'r'}}", "ociVersion: missing");
	check("[]", "the configuration: expected an object");
	check("7", "the configuration: expected an object");
}

#define ROOT(root) "{'ociVersion':'1.2.0','root':" root "}"
static void test_root(void **state unused)
{
	static const struct {
		const char *path, *root;
	} cases[] = { { "rootfs", "/bundle/rootfs" },
		      { "./a/../b/", "/bundle/b" },
		      { "/x/y", "/x/y" },
		      { ".", "/bundle" },
		      { "..", "/" },
		      { "/x//./y/", "/x/y" } };

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct oci_input in = { .bundle = "/bundle" };
		auto_free char *text = str_fmt(ROOT("{'path':'%s','readonly':true}"), cases[i].path);
		auto_json json *j = parse_text(text);
		struct oci_config c;

		assert_int_equal(oci_config_decode(j, &in, &c, NULL), 0);
		assert_int_equal(c.rootfs.lower.n, 1);
		assert_string_equal(c.rootfs.lower.v[0], cases[i].root);
		assert_string_equal(c.bundle, "/bundle");
		assert_true(c.rootfs.readonly && c.rootfs.plain && !c.has_process);
		oci_config_done(&c);
	}
	check(ROOT("null"), "root: missing");
	check(ROOT("'rootfs'"), "root: expected an object");
	check(ROOT("{}"), "root.path: missing");
	check(ROOT("{'path':''}"), "root.path: missing");
	check(ROOT("{'path':1}"), "root.path: expected a string");
	check(ROOT("{'path':'../..'}"), "root.path: \"../..\" is no path below the bundle");
	check(ROOT("{'path':'r','readonly':1}"), "root.readonly: expected true or false");
}

#define UTS "'linux':{'namespaces':[{'type':'uts'}]}"
static void test_names(void **state unused)
{
	struct oci_config c = decode_members(UTS ",'hostname':'h','domainname':'d'");
	static const struct rule_case cases[] = {
		{ "'hostname':''", NULL },
		{ "'hostname':'h'", "hostname: the container has no uts namespace" },
		{ "'domainname':'h'", "domainname: the container has no uts namespace" },
		{ UTS ",'hostname':1", "hostname: expected a string" },
		{ UTS ",'domainname':[]", "domainname: expected a string" },
		{ UTS ",'hostname':'0123456789012345678901234567890123456789012345678901234567890123'",
		  NULL },
		{ UTS ",'hostname':'01234567890123456789012345678901234567890123456789012345678901234'",
		  "hostname: longer than 64 bytes" },
		{ UTS ",'domainname':'01234567890123456789012345678901234567890123456789012345678901234'",
		  "domainname: longer than 64 bytes" },
		{ "'hostname':'h','linux':{'namespaces':[{'type':'uts','path':'/x'}]}", NULL },
		{ "'windows':1,'solaris':[],'vm':{'hypervisor':7},'zos':null,'x':{}", NULL },
	};

	assert_string_equal(c.sandbox.hostname, "h");
	assert_string_equal(c.sandbox.domainname, "d");
	oci_config_done(&c);
	CHECK(configs, cases);
}

static void test_annotations(void **state unused)
{
	struct oci_config c = decode_members("'annotations':{'a.b':'c','d':''}");
	static const struct rule_case cases[] = {
		{ "'annotations':[]", "annotations: expected an object" },
		{ "'annotations':{'a':1}", "annotations.a: expected a string" },
		{ "'annotations':{'a':null}", "annotations.a: expected a string" },
		{ "'annotations':{'':'x'}", "annotations.\"\": a name must not be empty" },
	};

	assert_int_equal(c.annotations.n, 2);
	assert_string_equal(c.annotations.v[0].key, "a.b");
	assert_string_equal(c.annotations.v[1].value, "");
	oci_config_done(&c);
	CHECK(configs, cases);
}

static void test_hooks(void **state unused)
{
	static const char *const names[] = { "prestart",       "createRuntime", "createContainer",
					     "startContainer", "poststart",	"poststop" };

	for (size_t i = 0; i < OCI_HOOKS; i++) {
		auto_free char *text = str_fmt("'hooks':{'%s':[{'path':'/h','args':['h','x'],'env':['A=b'],"
					       "'timeout':30},{'path':'/i'}]}",
					       names[i]);
		struct oci_config c = decode_members(text);

		for (size_t k = 0; k < OCI_HOOKS; k++)
			assert_int_equal(c.hooks[k].n, k == i ? 2 : 0);
		assert_string_equal(c.hooks[i].v[0].path, "/h");
		assert_string_equal(c.hooks[i].v[0].args.v[1], "x");
		assert_string_equal(c.hooks[i].v[0].env.v[0], "A=b");
		assert_int_equal(c.hooks[i].v[0].timeout_ms, 30000);
		assert_true(!c.hooks[i].v[1].args.n && !c.hooks[i].v[1].env.n && !c.hooks[i].v[1].timeout_ms);
		oci_config_done(&c);
	}
}

static void test_hook_errors(void **state unused)
{
	static const struct rule_case cases[] = {
		{ "'hooks':null", NULL },
		{ "'hooks':{}", NULL },
		{ "'hooks':{'prestop':1}", NULL },
		{ "'hooks':[]", "hooks: expected an object" },
		{ "'hooks':{'poststop':{}}", "hooks.poststop: expected an array" },
		{ "'hooks':{'poststop':['/x']}", "hooks.poststop[0]: expected an object" },
		{ "'hooks':{'prestart':[{}]}", "hooks.prestart[0].path: missing" },
		{ "'hooks':{'prestart':[{'path':''}]}", "hooks.prestart[0].path: missing" },
		{ "'hooks':{'prestart':[{'path':'x'}]}",
		  "hooks.prestart[0].path: \"x\" is not an absolute path" },
		{ "'hooks':{'prestart':[{'path':1}]}", "hooks.prestart[0].path: expected a string" },
		{ "'hooks':{'createRuntime':[{'path':'/x'},{'path':'/x','args':'x'}]}",
		  "hooks.createRuntime[1].args: expected an array" },
		{ "'hooks':{'createContainer':[{'path':'/x','env':[1]}]}",
		  "hooks.createContainer[0].env[0]: expected a string" },
		{ "'hooks':{'startContainer':[{'path':'/x','timeout':0}]}",
		  "hooks.startContainer[0].timeout: expected 1.." },
		{ "'hooks':{'poststart':[{'path':'/x','timeout':-1}]}",
		  "hooks.poststart[0].timeout: expected 1.." },
		{ "'hooks':{'poststart':[{'path':'/x','timeout':'1'}]}",
		  "hooks.poststart[0].timeout: expected a whole number" },
		{ "'hooks':{'poststart':[{'path':'/x','timeout':9223372036854775807}]}",
		  "hooks.poststart[0].timeout: expected 1.." },
	};

	CHECK(configs, cases);
}

/* Who has a cgroup namespace and a writable cgroupfs owns the cgroup. */
#define CGROUP(options)                                                                                      \
	"'mounts':[{'destination':'/sys/fs/cgroup/','type':'cgroup','source':'cgroup'" options "}]"
#define PROCESS "'process':{'args':['x'],'cwd':'/','user':{'uid':5,'gid':6}}"
#define CGROUP_NS "'linux':{'namespaces':[{'type':'cgroup'}]}"
#define MAPPED                                                                                               \
	"'linux':{'namespaces':[{'type':'cgroup'},{'type':'user'}],"                                         \
	"'uidMappings':[{'containerID':0,'hostID':1000,'size':10}],"                                         \
	"'gidMappings':[{'containerID':0,'hostID':2000,'size':10}]}"
static void test_delegation(void **state unused)
{
	static const struct {
		const char *members;
		bool delegate;
		uint32_t uid, gid;
	} cases[] = {
		{ CGROUP("") "," CGROUP_NS "," PROCESS, true, 5, 6 },
		{ CGROUP("") "," CGROUP_NS, true, 0, 0 },
		{ CGROUP("") "," MAPPED "," PROCESS, true, 1005, 2006 },
		{ CGROUP("") "," MAPPED ",'process':{'args':['x'],'cwd':'/','user':{'uid':50}}", false, 0,
		  0 },
		{ CGROUP(",'options':['ro']") "," CGROUP_NS "," PROCESS, false, 0, 0 },
		{ CGROUP("") "," PROCESS, false, 0, 0 },
		{ CGROUP_NS "," PROCESS, false, 0, 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct oci_config c = decode_members(cases[i].members);

		assert_int_equal(c.cgroup.delegate, cases[i].delegate);
		assert_int_equal(c.cgroup.owner_uid, cases[i].uid);
		assert_int_equal(c.cgroup.owner_gid, cases[i].gid);
		assert_true(c.cgroup.limits.memory_max == CG_UNSET || c.cgroup.limits.memory_max == CG_MAX);
		oci_config_done(&c);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_version),	   cmocka_unit_test(test_root),
		cmocka_unit_test(test_names),	   cmocka_unit_test(test_annotations),
		cmocka_unit_test(test_hooks),	   cmocka_unit_test(test_hook_errors),
		cmocka_unit_test(test_delegation),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
