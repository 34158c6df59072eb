/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/unit/oci/unit.h"
#include <linux/mempolicy.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/mount.h>

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x00000080
#endif

#define NS(list) "'linux':{'namespaces':[" list "]}"
#define USER_NS "'linux':{'namespaces':[{'type':'user'}],"
#define MAP(inside, outside, size) "{'containerID':" #inside ",'hostID':" #outside ",'size':" #size "}"

static void test_namespaces(void **state unused)
{
	static const struct {
		const char *name;
		uint64_t flag;
	} all[] = { { "pid", CLONE_NEWPID },  { "network", CLONE_NEWNET }, { "mount", CLONE_NEWNS },
		    { "ipc", CLONE_NEWIPC },  { "uts", CLONE_NEWUTS },	   { "cgroup", CLONE_NEWCGROUP },
		    { "time", CLONE_NEWTIME } };

	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		auto_free char *made = str_fmt(NS("{'type':'%s'}"), all[i].name);
		auto_free char *joined = str_fmt(NS("{'type':'%s','path':'/proc/1/ns/x'}"), all[i].name);
		struct oci_config c = decode_members(made);

		assert_true(c.sandbox.namespaces == all[i].flag && !c.sandbox.joins.n);
		assert_true(c.rootfs.id_count == UINT32_MAX && c.sandbox.any_ids && c.sandbox.new_keyring);
		oci_config_done(&c);
		c = decode_members(joined);
		assert_true(!c.sandbox.namespaces && c.sandbox.joins.n == 1);
		assert_int_equal(c.sandbox.joins.v[0].ns, all[i].flag);
		assert_string_equal(c.sandbox.joins.v[0].path, "/proc/1/ns/x");
		oci_config_done(&c);
	}
}

static void test_namespace_errors(void **state unused)
{
	static const struct rule_case cases[] = {
		{ NS(""), NULL },
		{ "'linux':{}", NULL },
		{ "'linux':null", NULL },
		{ "'linux':[]", "linux: expected an object" },
		{ "'linux':{'namespaces':{}}", "linux.namespaces: expected an array" },
		{ NS("'pid'"), "linux.namespaces[0]: expected an object" },
		{ NS("{}"), "linux.namespaces[0].type: missing" },
		{ NS("{'type':'net'}"), "linux.namespaces[0].type: unknown word \"net\"" },
		{ NS("{'type':1}"), "linux.namespaces[0].type: expected a string" },
		{ NS("{'type':'pid'},{'type':'pid'}"),
		  "linux.namespaces[1].type: the namespace is there twice" },
		{ NS("{'type':'pid'},{'type':'pid','path':'/x'}"),
		  "linux.namespaces[1].type: the namespace" },
		{ NS("{'type':'pid','path':'/x'},{'type':'pid'}"),
		  "linux.namespaces[1].type: the namespace" },
		{ NS("{'type':'pid','path':'x'}"),
		  "linux.namespaces[0].path: \"x\" is not an absolute path" },
		{ NS("{'type':'pid','path':''}"), NULL },
		{ NS("{'type':'user','path':'/x'}"), NULL },
		{ NS("{'type':'user'}"), "linux.uidMappings: missing" },
	};

	CHECK(configs, cases);
}

static void test_maps(void **state unused)
{
	struct oci_config c = decode_members(USER_NS "'uidMappings':[" MAP(0, 1000, 1) "," MAP(
		1, 100000, 65535) "],'gidMappings':[" MAP(0, 7, 10) "]}");

	assert_true(c.sandbox.namespaces == CLONE_NEWUSER);
	assert_true(c.sandbox.uid_maps.n == 2 && c.sandbox.gid_maps.n == 1);
	assert_int_equal(c.sandbox.uid_maps.v[1].outside, 100000);
	assert_true(c.rootfs.id_base == 1000 && c.rootfs.id_count == 65536);
	oci_config_done(&c);
	/* As containerd and CRI-O write it beside the path of a user namespace. */
	c = decode_members(
		"'linux':{'namespaces':[{'type':'user','path':'/u'}],'uidMappings':[" MAP(0, 1, 2) "]}");
	assert_true(c.sandbox.joins.n == 1 && c.sandbox.uid_maps.n == 1 && c.rootfs.id_count == UINT32_MAX);
	oci_config_done(&c);
}

#define UIDS(maps) USER_NS "'uidMappings':[" maps "],'gidMappings':[" MAP(0, 1, 1) "]}"
#define GIDS(maps) USER_NS "'gidMappings':[" maps "],'uidMappings':[" MAP(0, 1, 1) "]}"
static void test_map_errors(void **state unused)
{
	static const struct rule_case cases[] = {
		{ "'linux':{'uidMappings':[" MAP(0, 1, 1) "]}",
		  "linux.uidMappings: the container has no user" },
		{ "'linux':{'gidMappings':[" MAP(0, 1, 1) "]}",
		  "linux.gidMappings: the container has no user" },
		{ UIDS(""), "linux.uidMappings: missing, the container has a user namespace" },
		{ GIDS(""), "linux.gidMappings: missing, the container has a user namespace" },
		{ UIDS(MAP(1, 1, 1)), "linux.uidMappings: id 0 of the container is not mapped" },
		{ GIDS(MAP(1, 1, 1)), "linux.gidMappings: id 0 of the container is not mapped" },
		{ UIDS("1"), "linux.uidMappings[0]: expected an object" },
		{ UIDS("{'hostID':1,'size':1}"), "linux.uidMappings[0].containerID: missing" },
		{ UIDS("{'containerID':0,'size':1}"), "linux.uidMappings[0].hostID: missing" },
		{ UIDS("{'containerID':0,'hostID':1}"), "linux.uidMappings[0].size: missing" },
		{ UIDS("{'containerID':'0','hostID':1,'size':1}"),
		  "linux.uidMappings[0].containerID: expected" },
		{ UIDS(MAP(-1, 1, 1)), "linux.uidMappings[0].containerID: expected a number from 0" },
		{ UIDS(MAP(0, 4294967296, 1)), "linux.uidMappings[0].hostID: expected a number from 0" },
		{ UIDS(MAP(0, 1, 0)), "linux.uidMappings[0].size: must not be 0" },
		{ UIDS(MAP(0, 1, 4294967295)), "linux.uidMappings[0].size: 4294967295 ids from hostID" },
		{ UIDS(MAP(0, 0, 4294967295)), NULL },
		{ UIDS(MAP(0, 4294967295, 1)), "linux.uidMappings[0].size: 1 ids from hostID" },
		{ UIDS(MAP(0, 1, 1) "," MAP(4294967295, 2, 1)),
		  "linux.uidMappings[1].size: 1 ids from containerID" },
		{ UIDS(MAP(0, 1, 10) "," MAP(9, 100, 1)), "linux.uidMappings[1].containerID: overlaps" },
		{ UIDS(MAP(0, 1, 10) "," MAP(10, 10, 1)), "linux.uidMappings[1].hostID: overlaps" },
		{ UIDS(MAP(0, 1, 10) "," MAP(10, 11, 1)), NULL },
		{ UIDS(MAP(5, 50, 5) "," MAP(0, 1, 6)), "linux.uidMappings[1].containerID: overlaps" },
		{ GIDS(MAP(0, 1, 10) "," MAP(10, 10, 1)), "linux.gidMappings[1].hostID: overlaps" },
	};

	CHECK(configs, cases);
}

static void test_many_maps(void **state unused)
{
	cleanup(strbuf_done) struct strbuf b = { 0 };
	struct rule_case cases[1] = { { NULL, "linux.uidMappings: more than the 340" } };

	strbuf_add(&b, USER_NS "'uidMappings':[");
	for (unsigned i = 0; i < 341; i++)
		strbuf_addf(&b, "%s{'containerID':%u,'hostID':%u,'size':1}", i ? "," : "", i, i);
	strbuf_add(&b, "]}");
	cases[0].members = strbuf_cstr(&b);
	CHECK(configs, cases);
}

#define TIME(ns, offsets) "'linux':{'namespaces':[" ns "],'timeOffsets':" offsets "}"
#define OWN "{'type':'time'}"
static void test_time(void **state unused)
{
	struct oci_config c = decode_members(
		TIME(OWN, "{'monotonic':{'secs':-2,'nanosecs':500000000},'boottime':{'secs':86400}}"));
	static const struct rule_case cases[] = {
		{ TIME("", "{}"), NULL },
		{ TIME("", "{'boottime':{'secs':1}}"),
		  "linux.timeOffsets: the container has no time namespace" },
		{ TIME("{'type':'time','path':'/x'}", "{'boottime':{'secs':1}}"), "linux.timeOffsets: the" },
		{ TIME(OWN, "[]"), "linux.timeOffsets: expected an object" },
		{ TIME(OWN, "{'realtime':{}}"), "linux.timeOffsets.realtime: no clock" },
		{ TIME(OWN, "{'boottime':1}"), "linux.timeOffsets.boottime: expected an object" },
		{ TIME(OWN, "{'boottime':{'secs':'1'}}"), "linux.timeOffsets.boottime.secs: expected" },
		{ TIME(OWN, "{'boottime':{'nanosecs':1000000000}}"),
		  "linux.timeOffsets.boottime.nanosecs: expected" },
		{ TIME(OWN, "{'boottime':{'nanosecs':-1}}"),
		  "linux.timeOffsets.boottime.nanosecs: expected" },
		{ TIME(OWN, "{'monotonic':{'secs':9223372036854775807}}"),
		  "linux.timeOffsets.monotonic.secs: more" },
		{ TIME(OWN, "{'monotonic':{'secs':-9223372036854775807}}"),
		  "linux.timeOffsets.monotonic.secs: more" },
		{ TIME(OWN, "{'monotonic':{'secs':9223372036,'nanosecs':999999999}}"),
		  "linux.timeOffsets.monotonic.secs: more" },
	};

	assert_true(c.sandbox.time_mono_ns == INT64_C(-1500000000));
	assert_true(c.sandbox.time_boot_ns == INT64_C(86400) * 1000000000);
	oci_config_done(&c);
	CHECK(configs, cases);
}

static void test_sysctls(void **state unused)
{
	struct oci_config c =
		decode_section("'sysctl':{'net.core.somaxconn':'256','net/ipv4/conf/e2.10/x':'',"
			       "'kernel.msgmax':'1'}");
	static const struct rule_case cases[] = {
		{ "'sysctl':null", NULL },
		{ "'sysctl':[]", "linux.sysctl: expected an object" },
		{ "'sysctl':{'a.b':1}", "linux.sysctl.a.b: expected a string" },
		{ "'sysctl':{'a.b':null}", "linux.sysctl.a.b: expected a string" },
		{ "'sysctl':{'':'1'}", "linux.sysctl.: no name of a kernel setting" },
		{ "'sysctl':{'a..b':'1'}", "linux.sysctl.a..b: no name" },
		{ "'sysctl':{'a/../b':'1'}", "linux.sysctl.a/../b: no name" },
		{ "'sysctl':{'a//b':'1'}", "linux.sysctl.a//b: no name" },
		{ "'sysctl':{'a/.b':'1'}", "linux.sysctl.a/.b: no name" },
		{ "'sysctl':{'/a':'1'}", "linux.sysctl./a: no name" },
		{ "'sysctl':{'a.':'1'}", "linux.sysctl.a.: no name" },
		{ "'sysctl':{'a b':'1'}", "linux.sysctl.a b: no name" },
		{ "'sysctl':{'a\\nb':'1'}", "linux.sysctl.a b: no name" },
	};

	assert_int_equal(c.sandbox.sysctls.n, 3);
	assert_string_equal(c.sandbox.sysctls.v[0].name, "net.core.somaxconn");
	assert_string_equal(c.sandbox.sysctls.v[0].value, "256");
	assert_string_equal(c.sandbox.sysctls.v[1].name, "net.ipv4.conf.e2/10.x");
	oci_config_done(&c);
	CHECK(sections, cases);
}

static void test_paths(void **state unused)
{
	struct oci_config c =
		decode_section("'maskedPaths':['/proc/kcore','/x/'],'readonlyPaths':['/proc/sys'],"
			       "'mountLabel':'l','cgroupsPath':'/a/b','rootfsPropagation':'rslave'");
	static const struct rule_case cases[] = {
		{ "'maskedPaths':'/x'", "linux.maskedPaths: expected an array" },
		{ "'maskedPaths':['/x',1]", "linux.maskedPaths[1]: expected a string" },
		{ "'maskedPaths':['/x','y']", "linux.maskedPaths[1]: \"y\" is not an absolute path" },
		{ "'maskedPaths':['/../x']", "linux.maskedPaths[0]: \"/../x\" leaves the root" },
		{ "'maskedPaths':['']", "linux.maskedPaths[0]: \"\" is not" },
		{ "'readonlyPaths':['y']", "linux.readonlyPaths[0]: \"y\" is not an absolute path" },
		{ "'readonlyPaths':{}", "linux.readonlyPaths: expected an array" },
		{ "'cgroupsPath':1", "linux.cgroupsPath: expected a string" },
		{ "'mountLabel':1", "linux.mountLabel: expected a string" },
		{ "'rootfsPropagation':'x'", "linux.rootfsPropagation: unknown word \"x\"" },
		{ "'rootfsPropagation':''", NULL },
		{ "'resources':[]", "linux.resources: expected an object" },
		{ "'resources':{'memory':{'limit':'x'}}", "linux.resources.memory.limit: expected" },
	};
	static const struct rule_case without_mount[] = {
		{ "'linux':{'maskedPaths':['/x']}",
		  "linux.maskedPaths: the container has no mount namespace" },
		{ "'linux':{'readonlyPaths':['/x']}", "linux.readonlyPaths: the container has no mount" },
		{ "'linux':{'maskedPaths':[],'readonlyPaths':[]}", NULL },
	};

	assert_int_equal(c.rootfs.masked.n, 2);
	assert_string_equal(c.rootfs.masked.v[1], "/x/");
	assert_string_equal(c.rootfs.readonly_paths.v[0], "/proc/sys");
	assert_string_equal(c.rootfs.mount_label, "l");
	assert_string_equal(c.cgroups_path, "/a/b");
	assert_true(c.rootfs.propagation == (MS_SLAVE | MS_REC));
	oci_config_done(&c);
	CHECK(sections, cases);
	CHECK(configs, without_mount);
}

static void test_propagation(void **state unused)
{
	static const struct {
		const char *name;
		uint64_t flags;
	} all[] = { { "private", MS_PRIVATE },	     { "rprivate", MS_PRIVATE | MS_REC },
		    { "shared", MS_SHARED },	     { "rshared", MS_SHARED | MS_REC },
		    { "slave", MS_SLAVE },	     { "rslave", MS_SLAVE | MS_REC },
		    { "unbindable", MS_UNBINDABLE }, { "runbindable", MS_UNBINDABLE | MS_REC } };

	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		auto_free char *text = str_fmt("'rootfsPropagation':'%s'", all[i].name);
		struct oci_config c = decode_section(text);

		assert_true(c.rootfs.propagation == all[i].flags);
		oci_config_done(&c);
	}
}

#define NETDEVS(devs) "'linux':{'namespaces':[{'type':'network'}],'netDevices':" devs "}"
static void test_netdevs(void **state unused)
{
	struct oci_config c = decode_members(NETDEVS("{'eth0':{},'eth1':{'name':'lan'}}"));
	static const struct rule_case cases[] = {
		{ "'linux':{'netDevices':{}}", NULL },
		{ "'linux':{'netDevices':{'a':{}}}",
		  "linux.netDevices: the container has no network namespace" },
		{ NETDEVS("[]"), "linux.netDevices: expected an object" },
		{ NETDEVS("{'a':1}"), "linux.netDevices.a: expected an object" },
		{ NETDEVS("{'a':null}"), "linux.netDevices.a: expected an object" },
		{ NETDEVS("{'':{}}"), "linux.netDevices.: no name" },
		{ NETDEVS("{'..':{}}"), "linux.netDevices...: no name" },
		{ NETDEVS("{'a/b':{}}"), "linux.netDevices.a/b: no name" },
		{ NETDEVS("{'a b':{}}"), "linux.netDevices.a b: no name" },
		{ NETDEVS("{'0123456789abcdef':{}}"), "linux.netDevices.0123456789abcdef: no name" },
		{ NETDEVS("{'a':{'name':'0123456789abcdef'}}"),
		  "linux.netDevices.a.name: \"0123456789abcdef\" is no" },
		{ NETDEVS("{'a':{'name':1}}"), "linux.netDevices.a.name: expected a string" },
	};

	assert_int_equal(c.netdevs.n, 2);
	assert_string_equal(c.netdevs.v[0].name, "eth0");
	assert_null(c.netdevs.v[0].rename);
	assert_string_equal(c.netdevs.v[1].rename, "lan");
	oci_config_done(&c);
	CHECK(configs, cases);
}

static void test_rdt(void **state unused)
{
	struct oci_config c =
		decode_section("'intelRdt':{'closID':'g','l3CacheSchema':'L3:0=f','memBwSchema':'MB:0=1',"
			       "'schemata':['L3:0=ff'],'enableMonitoring':true}");
	static const struct rule_case cases[] = {
		{ "'intelRdt':1", "linux.intelRdt: expected an object" },
		{ "'intelRdt':{'closID':'/'}", NULL },
		{ "'intelRdt':{'closID':'..'}", "linux.intelRdt.closID: \"..\" is no name" },
		{ "'intelRdt':{'closID':'.'}", "linux.intelRdt.closID: \".\" is no name" },
		{ "'intelRdt':{'closID':'a/b'}", "linux.intelRdt.closID: \"a/b\" is no name" },
		{ "'intelRdt':{'closID':1}", "linux.intelRdt.closID: expected a string" },
		{ "'intelRdt':{'l3CacheSchema':1}", "linux.intelRdt.l3CacheSchema: expected a string" },
		{ "'intelRdt':{'memBwSchema':1}", "linux.intelRdt.memBwSchema: expected a string" },
		{ "'intelRdt':{'schemata':'x'}", "linux.intelRdt.schemata: expected an array" },
		{ "'intelRdt':{'enableCMT':1}", "linux.intelRdt.enableCMT: expected true or false" },
		{ "'intelRdt':{'enableMBM':1}", "linux.intelRdt.enableMBM: expected true or false" },
	};

	assert_true(c.rdt.set && c.rdt.monitoring && c.rdt.schemata.n == 1);
	assert_string_equal(c.rdt.clos_id, "g");
	assert_string_equal(c.rdt.l3, "L3:0=f");
	assert_string_equal(c.rdt.mem_bw, "MB:0=1");
	oci_config_done(&c);
	c = decode_section("'intelRdt':{'enableMBM':true,'enableCMT':false}");
	assert_true(c.rdt.set && c.rdt.monitoring && !c.rdt.clos_id && !c.rdt.l3);
	oci_config_done(&c);
	c = decode_section("");
	assert_false(c.rdt.set);
	oci_config_done(&c);
	CHECK(sections, cases);
}

static void test_personality(void **state unused)
{
	struct oci_config c = decode_section("'personality':{'domain':'LINUX32','flags':['X']}");
	static const struct rule_case cases[] = {
		{ "'personality':'LINUX'", "linux.personality: expected an object" },
		{ "'personality':{}", "linux.personality.domain: missing" },
		{ "'personality':{'domain':'X'}", "linux.personality.domain: unknown word \"X\"" },
		{ "'personality':{'domain':'LINUX','flags':1}",
		  "linux.personality.flags: expected an array" },
	};

	assert_true(c.sandbox.set_personality && c.sandbox.personality == 8 && c.warnings.n == 1);
	oci_config_done(&c);
	c = decode_section("'personality':{'domain':'LINUX'}");
	assert_true(c.sandbox.set_personality && c.sandbox.personality == 0 && c.warnings.n == 0);
	oci_config_done(&c);
	CHECK(sections, cases);
}

static void test_mempolicy(void **state unused)
{
	static const struct {
		const char *members;
		uint32_t policy;
	} all[] = {
		{ "'mode':'MPOL_DEFAULT'", 0 },
		{ "'mode':'MPOL_PREFERRED'", MPOL_PREFERRED },
		{ "'mode':'MPOL_BIND','nodes':'0'", MPOL_BIND },
		{ "'mode':'MPOL_INTERLEAVE','nodes':'0-1'", MPOL_INTERLEAVE },
		{ "'mode':'MPOL_LOCAL'", MPOL_LOCAL },
		{ "'mode':'MPOL_PREFERRED_MANY','nodes':'0'", 5 },
		{ "'mode':'MPOL_WEIGHTED_INTERLEAVE','nodes':'0'", 6 },
		{ "'mode':'MPOL_BIND','nodes':'0','flags':['MPOL_F_STATIC_NODES','MPOL_F_NUMA_BALANCING']",
		  MPOL_BIND | MPOL_F_STATIC_NODES | MPOL_F_NUMA_BALANCING },
		{ "'mode':'MPOL_BIND','nodes':'0','flags':['MPOL_F_RELATIVE_NODES']",
		  MPOL_BIND | MPOL_F_RELATIVE_NODES },
	};
	static const struct rule_case cases[] = {
		{ "'memoryPolicy':1", "linux.memoryPolicy: expected an object" },
		{ "'memoryPolicy':{}", "linux.memoryPolicy.mode: missing" },
		{ "'memoryPolicy':{'mode':'X'}", "linux.memoryPolicy.mode: unknown word \"X\"" },
		{ "'memoryPolicy':{'mode':'MPOL_BIND'}", "linux.memoryPolicy.nodes: missing" },
		{ "'memoryPolicy':{'mode':'MPOL_BIND','nodes':'x'}",
		  "linux.memoryPolicy.nodes: \"x\" is no list" },
		{ "'memoryPolicy':{'mode':'MPOL_LOCAL','nodes':'0'}", "linux.memoryPolicy.nodes: none for" },
		{ "'memoryPolicy':{'mode':'MPOL_DEFAULT','nodes':'0'}",
		  "linux.memoryPolicy.nodes: none for" },
		{ "'memoryPolicy':{'mode':'MPOL_BIND','nodes':'0','flags':['X']}",
		  "linux.memoryPolicy.flags[0]: unknown flag" },
		{ "'memoryPolicy':{'mode':'MPOL_BIND','nodes':'0','flags':['MPOL_F_STATIC_NODES',"
		  "'MPOL_F_RELATIVE_NODES']}",
		  "linux.memoryPolicy.flags: MPOL_F_STATIC_NODES and" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		auto_free char *text = str_fmt("'memoryPolicy':{%s}", all[i].members);
		struct oci_config c = decode_section(text);

		assert_int_equal(c.sandbox.mempolicy, all[i].policy);
		assert_int_equal(!!c.sandbox.mempolicy_nodes, !!strstr(text, "nodes"));
		oci_config_done(&c);
	}
	CHECK(sections, cases);
}

#define SECCOMP(members) "'seccomp':{'defaultAction':'SCMP_ACT_ALLOW'" members "}"
#define NOTIFY ",'syscalls':[{'names':['mkdir'],'action':'SCMP_ACT_NOTIFY'}]"
static void test_seccomp(void **state unused)
{
	struct oci_config c = decode_section(SECCOMP(""));
	static const struct rule_case cases[] = {
		{ "'seccomp':1", "linux.seccomp: expected an object" },
		{ "'seccomp':{'defaultAction':1}", "linux.seccomp.defaultAction: expected a string" },
		{ "'seccomp':{'defaultAction':'SCMP_ACT_NOTIFY','listenerPath':'/x'}",
		  "linux.seccomp.defaultAction: SCMP_ACT_NOTIFY" },
		{ SECCOMP(",'flags':['X']"), "linux.seccomp.flags[0]: unknown flag \"X\"" },
		{ SECCOMP(",'syscalls':{}"), "linux.seccomp.syscalls: expected an array" },
		{ SECCOMP(",'syscalls':[1]"), "linux.seccomp.syscalls[0]: expected an object" },
		{ SECCOMP(",'syscalls':[{'action':1}]"),
		  "linux.seccomp.syscalls[0].action: expected a string" },
		{ SECCOMP(",'syscalls':[{'names':'x'}]"),
		  "linux.seccomp.syscalls[0].names: expected an array" },
		{ SECCOMP(",'listenerPath':1"), "linux.seccomp.listenerPath: expected a string" },
		{ SECCOMP(",'listenerMetadata':'m'"),
		  "linux.seccomp.listenerMetadata: there is no listenerPath" },
		{ SECCOMP(NOTIFY), "linux.seccomp.listenerPath: missing" },
		{ SECCOMP(",'listenerPath':'/"
			  "x','syscalls':[{'names':['read','write'],'action':'SCMP_ACT_NOTIFY'}]"),
		  "linux.seccomp.syscalls[0].action: SCMP_ACT_NOTIFY cannot be used for write" },
	};

	assert_string_equal(c.seccomp, "{\"defaultAction\":\"SCMP_ACT_ALLOW\"}");
	assert_int_equal(c.sandbox.seccomp_flags, SECCOMP_FILTER_FLAG_SPEC_ALLOW);
	assert_true(!c.sandbox.seccomp && !c.sandbox.seccomp_listener && !c.seccomp_listener);
	oci_config_done(&c);
	c = decode_section(SECCOMP(NOTIFY ",'listenerPath':'/run/s','listenerMetadata':'m',"
					  "'flags':['SECCOMP_FILTER_FLAG_LOG','SECCOMP_FILTER_FLAG_TSYNC']"));
	assert_string_equal(c.seccomp_listener, "/run/s");
	assert_string_equal(c.seccomp_metadata, "m");
	assert_true(c.sandbox.seccomp_listener);
	assert_int_equal(c.sandbox.seccomp_flags, SECCOMP_FILTER_FLAG_LOG | SECCOMP_FILTER_FLAG_TSYNC |
							  SECCOMP_FILTER_FLAG_NEW_LISTENER);
	oci_config_done(&c);
	c = decode_section(SECCOMP(",'flags':['SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV']"));
	assert_int_equal(c.sandbox.seccomp_flags, 0);
	oci_config_done(&c);
	c = decode_section(SECCOMP(",'flags':[]"));
	assert_int_equal(c.sandbox.seccomp_flags, 0);
	oci_config_done(&c);
	c = decode_section("'seccomp':{'architectures':['SCMP_ARCH_X86_64']}");
	assert_null(c.seccomp);
	oci_config_done(&c);
	CHECK(sections, cases);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_namespaces),  cmocka_unit_test(test_namespace_errors),
		cmocka_unit_test(test_maps),	    cmocka_unit_test(test_map_errors),
		cmocka_unit_test(test_many_maps),   cmocka_unit_test(test_time),
		cmocka_unit_test(test_sysctls),	    cmocka_unit_test(test_paths),
		cmocka_unit_test(test_propagation), cmocka_unit_test(test_netdevs),
		cmocka_unit_test(test_rdt),	    cmocka_unit_test(test_personality),
		cmocka_unit_test(test_mempolicy),   cmocka_unit_test(test_seccomp),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
