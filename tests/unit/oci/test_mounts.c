/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/unit/oci/unit.h"
#include <errno.h>
#include <sys/mount.h>
#include "lib/oci/oci_internal.h"

#define BIND "'destination':'/t','source':'/s','type':'bind'"
#define TMPFS "'destination':'/t','type':'tmpfs'"

static struct mount_item decode_mount(struct arena *a, const char *members)
{
	auto_free char *text = str_fmt("{%s}", members);
	auto_json json *j = parse_text(text);
	struct error err = { 0 };
	struct mount_item m;

	if (oci_mount_decode(j, "/bundle", a, &m, &err) < 0)
		fail_msg("%s: %s", members, err.text);
	return m;
}

static struct mount_item decode_options(struct arena *a, const char *mount, const char *options)
{
	auto_free char *text = str_fmt("%s,'options':[%s]", mount, options);

	return decode_mount(a, text);
}

#define REC(set, clear) 0, 0, (set), (clear)
struct option_case {
	const char *options;
	uint64_t flags, clear, rec_set, rec_clear;
};

static const struct option_case option_cases[] = {
	{ "", 0, 0, 0, 0 },
	{ "'defaults'", 0, 0, 0, 0 },
	{ "'ro'", MS_RDONLY, 0, 0, 0 },
	{ "'rw'", 0, MS_RDONLY, 0, 0 },
	{ "'ro','rw'", 0, MS_RDONLY, 0, 0 },
	{ "'rw','ro'", MS_RDONLY, 0, 0, 0 },
	{ "'suid'", 0, MS_NOSUID, 0, 0 },
	{ "'nosuid'", MS_NOSUID, 0, 0, 0 },
	{ "'dev'", 0, MS_NODEV, 0, 0 },
	{ "'nodev'", MS_NODEV, 0, 0, 0 },
	{ "'exec'", 0, MS_NOEXEC, 0, 0 },
	{ "'noexec'", MS_NOEXEC, 0, 0, 0 },
	{ "'sync'", MS_SYNCHRONOUS, 0, 0, 0 },
	{ "'async'", 0, MS_SYNCHRONOUS, 0, 0 },
	{ "'dirsync'", MS_DIRSYNC, 0, 0, 0 },
	{ "'remount'", MS_REMOUNT, 0, 0, 0 },
	{ "'acl'", MS_POSIXACL, 0, 0, 0 },
	{ "'noacl'", 0, MS_POSIXACL, 0, 0 },
	{ "'mand'", MS_MANDLOCK, 0, 0, 0 },
	{ "'nomand'", 0, MS_MANDLOCK, 0, 0 },
	{ "'atime'", 0, MS_NOATIME, 0, 0 },
	{ "'noatime'", MS_NOATIME, 0, 0, 0 },
	{ "'diratime'", 0, MS_NODIRATIME, 0, 0 },
	{ "'nodiratime'", MS_NODIRATIME, 0, 0, 0 },
	{ "'relatime'", MS_RELATIME, 0, 0, 0 },
	{ "'norelatime'", 0, MS_RELATIME, 0, 0 },
	{ "'strictatime'", MS_STRICTATIME, 0, 0, 0 },
	{ "'nostrictatime'", 0, MS_STRICTATIME, 0, 0 },
	{ "'lazytime'", MS_LAZYTIME, 0, 0, 0 },
	{ "'nolazytime'", 0, MS_LAZYTIME, 0, 0 },
	{ "'iversion'", MS_I_VERSION, 0, 0, 0 },
	{ "'noiversion'", 0, MS_I_VERSION, 0, 0 },
	{ "'silent'", MS_SILENT, 0, 0, 0 },
	{ "'loud'", 0, MS_SILENT, 0, 0 },
	{ "'nosymfollow'", 256, 0, 0, 0 },
	{ "'symfollow'", 0, 256, 0, 0 },
	{ "'bind'", 0, 0, 0, 0 },
	{ "'rbind'", MS_REC, 0, 0, 0 },
	{ "'private'", MS_PRIVATE, 0, 0, 0 },
	{ "'rprivate'", MS_PRIVATE, 0, 0, 0 },
	{ "'shared'", MS_SHARED, 0, 0, 0 },
	{ "'rshared'", MS_SHARED, 0, 0, 0 },
	{ "'slave'", MS_SLAVE, 0, 0, 0 },
	{ "'rslave'", MS_SLAVE, 0, 0, 0 },
	{ "'unbindable'", MS_UNBINDABLE, 0, 0, 0 },
	{ "'runbindable'", MS_UNBINDABLE, 0, 0, 0 },
	{ "'rbind','rprivate'", MS_REC | MS_PRIVATE, 0, 0, 0 },
	{ "'bind','rprivate'", MS_PRIVATE, 0, 0, 0 },
	{ "'shared','rslave'", MS_SLAVE, 0, 0, 0 },
	{ "'rro'", REC(MOUNT_ATTR_RDONLY, 0) },
	{ "'rrw'", REC(0, MOUNT_ATTR_RDONLY) },
	{ "'rnosuid'", REC(MOUNT_ATTR_NOSUID, 0) },
	{ "'rsuid'", REC(0, MOUNT_ATTR_NOSUID) },
	{ "'rnodev'", REC(MOUNT_ATTR_NODEV, 0) },
	{ "'rdev'", REC(0, MOUNT_ATTR_NODEV) },
	{ "'rnoexec'", REC(MOUNT_ATTR_NOEXEC, 0) },
	{ "'rexec'", REC(0, MOUNT_ATTR_NOEXEC) },
	{ "'rnodiratime'", REC(MOUNT_ATTR_NODIRATIME, 0) },
	{ "'rdiratime'", REC(0, MOUNT_ATTR_NODIRATIME) },
	{ "'rnosymfollow'", REC(0x00200000, 0) },
	{ "'rsymfollow'", REC(0, 0x00200000) },
	{ "'rnoatime'", REC(MOUNT_ATTR_NOATIME, MOUNT_ATTR__ATIME) },
	{ "'ratime'", REC(0, MOUNT_ATTR__ATIME) },
	{ "'rstrictatime'", REC(MOUNT_ATTR_STRICTATIME, MOUNT_ATTR__ATIME) },
	{ "'rnostrictatime'", REC(0, MOUNT_ATTR__ATIME) },
	{ "'rrelatime'", REC(0, MOUNT_ATTR__ATIME) },
	{ "'rnorelatime'", REC(0, 0) },
	{ "'rnoatime','rrelatime'", REC(0, MOUNT_ATTR__ATIME) },
	{ "'rro','rrw'", REC(0, MOUNT_ATTR_RDONLY) },
	{ "'rrw','rro'", REC(MOUNT_ATTR_RDONLY, 0) },
	{ "'ro','nosuid','rnodev','rexec'", MS_RDONLY | MS_NOSUID, 0, MOUNT_ATTR_NODEV, MOUNT_ATTR_NOEXEC },
};

static void test_options(void **state unused)
{
	for (size_t i = 0; i < ARRAY_SIZE(option_cases); i++) {
		const struct option_case *t = &option_cases[i];
		struct arena a = { 0 };
		struct mount_item m = decode_options(&a, BIND, t->options);

		if (m.flags != t->flags || m.clear != t->clear || m.rec_set != t->rec_set ||
		    m.rec_clear != t->rec_clear)
			fail_msg("%s: %llx %llx %llx %llx", t->options, (long long)m.flags,
				 (long long)m.clear, (long long)m.rec_set, (long long)m.rec_clear);
		assert_int_equal(m.kind, MOUNT_BIND);
		assert_true(m.shallow && m.create && !m.data && !m.copy_up && !m.idmap && !m.optional);
		arena_done(&a);
	}
}

/* Each option that is said to be recognised has a case above or below. */
static void test_all_options(void **state unused)
{
	static const char *const others[] = { "idmap", "ridmap", "tmpcopyup" };
	const char *name, *last = "";

	for (size_t i = 0; (name = oci_mount_option(i)); i++) {
		auto_free char *quoted = str_fmt("'%s'", name);
		bool found = false;

		assert_true(strcmp(last, name) < 0);
		last = name;
		for (size_t k = 0; k < ARRAY_SIZE(option_cases); k++)
			found = found || str_eq(option_cases[k].options, quoted);
		for (size_t k = 0; k < ARRAY_SIZE(others); k++)
			found = found || str_eq(others[k], name);
		if (!found)
			fail_msg("%s", name);
	}
}

static void test_filesystems(void **state unused)
{
	struct arena a = { 0 };
	struct mount_item m = decode_options(&a, TMPFS, "'nosuid','mode=755','rw','size=64k','','x'");

	assert_int_equal(m.kind, MOUNT_FS);
	assert_string_equal(m.fstype, "tmpfs");
	assert_string_equal(m.source, "tmpfs");
	assert_string_equal(m.target, "/t");
	assert_string_equal(m.data, "mode=755,size=64k,x");
	assert_int_equal(m.flags, MS_NOSUID);
	assert_int_equal(m.clear, 0);
	assert_false(m.shallow);
	m = decode_options(&a, TMPFS, "'tmpcopyup'");
	assert_true(m.copy_up);
	assert_null(m.data);
	m = decode_mount(&a, "'destination':'/sys/fs/cgroup','type':'cgroup','source':'cgroup'");
	assert_string_equal(m.fstype, "cgroup2");
	assert_string_equal(m.source, "cgroup");
	m = decode_mount(&a, "'destination':'/x','type':'ext4','source':'/dev/sdb1'");
	assert_int_equal(m.kind, MOUNT_FS);
	assert_string_equal(m.source, "/dev/sdb1");
	arena_done(&a);
}

static void test_binds(void **state unused)
{
	static const struct {
		const char *members, *source, *target;
	} cases[] = {
		{ "'destination':'/t','source':'/s','options':['bind']", "/s", "/t" },
		{ "'destination':'/t','source':'/s','type':'none','options':['rbind']", "/s", "/t" },
		{ "'destination':'/t','source':'/s','type':'tmpfs','options':['bind']", "/s", "/t" },
		{ "'destination':'/t','source':'/s','type':'bind'", "/s", "/t" },
		{ "'destination':'/t','source':'s','type':'bind'", "/bundle/s", "/t" },
		{ "'destination':'/t','source':'./a/../s','type':'bind'", "/bundle/s", "/t" },
		{ "'destination':'/t','source':'../s','type':'bind'", "/s", "/t" },
		{ "'destination':'t/u','source':'/s/','type':'bind'", "/s/", "/t/u" },
		{ "'destination':'/t/../u','source':'/s','type':'bind'", "/s", "/t/../u" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct arena a = { 0 };
		struct mount_item m = decode_mount(&a, cases[i].members);

		assert_int_equal(m.kind, MOUNT_BIND);
		assert_string_equal(m.source, cases[i].source);
		assert_string_equal(m.target, cases[i].target);
		assert_null(m.fstype);
		arena_done(&a);
	}
}

static void test_relative(void **state unused)
{
	struct oci_config c = decode_members("'mounts':[{'destination':'a\\nb','type':'tmpfs'},"
					     "{'destination':'/c','type':'tmpfs'}]");

	assert_string_equal(c.rootfs.mounts.v[0].target, "/a\nb");
	assert_int_equal(c.warnings.n, 1);
	assert_string_equal(c.warnings.v[0], "mount destination a\\x0ab is not absolute, taken as below /");
	oci_config_done(&c);
}

static void test_idmaps(void **state unused)
{
	struct arena a = { 0 };
	struct mount_item m = decode_options(&a, BIND, "'idmap'");

	assert_true(m.idmap && !m.idmap_tree && !m.uid_maps.n && !m.gid_maps.n);
	m = decode_options(&a, BIND, "'ridmap'");
	assert_true(m.idmap && m.idmap_tree);
	m = decode_mount(&a, BIND ",'uidMappings':[{'containerID':1,'hostID':2,'size':3}],"
				  "'gidMappings':[{'containerID':4,'hostID':5,'size':6},"
				  "{'containerID':100,'hostID':200,'size':1}]");
	assert_true(m.idmap && !m.idmap_tree && m.uid_maps.n == 1 && m.gid_maps.n == 2);
	assert_int_equal(m.uid_maps.v[0].inside, 1);
	assert_int_equal(m.uid_maps.v[0].outside, 2);
	assert_int_equal(m.uid_maps.v[0].count, 3);
	assert_int_equal(m.gid_maps.v[1].outside, 200);
	arena_done(&a);
}

#define MOUNT(members) "'mounts':[{" members "}]"
#define MAP "[{'containerID':0,'hostID':1,'size':1}]"
static void test_errors(void **state unused)
{
	static const struct rule_case cases[] = {
		{ "'mounts':null", NULL },
		{ "'mounts':[]", NULL },
		{ "'mounts':{}", "mounts: expected an array" },
		{ "'mounts':[null]", "mounts[0]: expected an object" },
		{ "'mounts':[{" TMPFS "},'x']", "mounts[1]: expected an object" },
		{ MOUNT("'type':'tmpfs'"), "mounts[0].destination: missing" },
		{ MOUNT("'type':'tmpfs','destination':''"), "mounts[0].destination: missing" },
		{ MOUNT("'type':'tmpfs','destination':7"), "mounts[0].destination: expected a string" },
		{ MOUNT("'type':'tmpfs','destination':'/'"), "mounts[0].destination: the root" },
		{ MOUNT("'type':'tmpfs','destination':'/a/..'"), "mounts[0].destination: the root" },
		{ MOUNT("'type':'tmpfs','destination':'/../x'"), "mounts[0].destination: \"/../x\" leaves" },
		{ MOUNT("'type':'tmpfs','destination':'../x'"), "mounts[0].destination: \"../x\" leaves" },
		{ MOUNT("'destination':'/t'"), "mounts[0].type: missing" },
		{ MOUNT("'destination':'/t','type':''"), "mounts[0].type: missing" },
		{ MOUNT("'destination':'/t','type':[]"), "mounts[0].type: expected a string" },
		{ MOUNT("'destination':'/t','type':'bind'"), "mounts[0].source: missing" },
		{ MOUNT("'destination':'/t','type':'bind','source':''"), "mounts[0].source: missing" },
		{ MOUNT("'destination':'/t','type':'bind','source':1"),
		  "mounts[0].source: expected a string" },
		{ MOUNT("'destination':'/t','type':'bind','source':'../../x'"),
		  "mounts[0].source: \"../../x\" is no path" },
		{ MOUNT(TMPFS ",'options':'ro'"), "mounts[0].options: expected an array" },
		{ MOUNT(TMPFS ",'options':['ro',1]"), "mounts[0].options[1]: expected a string" },
		{ MOUNT(TMPFS ",'options':['ro',null]"), "mounts[0].options[1]: expected a string" },
		{ MOUNT(TMPFS ",'options':['idmap']"), "mounts[0].options: ids can be mapped" },
		{ MOUNT(BIND ",'options':['tmpcopyup']"), "mounts[0].options: tmpcopyup" },
		{ MOUNT(BIND ",'options':['idmap']"), "mounts[0].options: idmap without uidMappings" },
		{ MOUNT(BIND ",'options':['ridmap']"), "mounts[0].options: ridmap without uidMappings" },
		{ MOUNT(BIND ",'uidMappings':" MAP), "mounts[0].gidMappings: missing" },
		{ MOUNT(BIND ",'gidMappings':" MAP), "mounts[0].uidMappings: missing" },
		{ MOUNT(TMPFS ",'gidMappings':" MAP ",'uidMappings':" MAP),
		  "mounts[0].uidMappings: ids can" },
		{ MOUNT(BIND ",'gidMappings':" MAP ",'uidMappings':" MAP), NULL },
		{ MOUNT(BIND ",'gidMappings':[],'uidMappings':[{'hostID':1,'size':1}]"),
		  "mounts[0].uidMappings[0].containerID: missing" },
		{ MOUNT(TMPFS ",'unknown':{'a':[1]}"), NULL },
	};

	CHECK(configs, cases);
}

static void test_long(void **state unused)
{
	auto_free char *name = mem_alloc(5001), *text = NULL, *bind = NULL;
	struct rule_case cases[2];

	memset(name, 'x', 5000);
	text = str_fmt("'mounts':[{'destination':'/%s','type':'tmpfs'}]", name);
	bind = str_fmt("'mounts':[{'destination':'/t','type':'bind','source':'/%s'}]", name);
	cases[0] = (struct rule_case){ text, "mounts[0].destination: " };
	cases[1] = (struct rule_case){ bind, "mounts[0].source: " };
	CHECK(configs, cases);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_options),	    cmocka_unit_test(test_all_options),
		cmocka_unit_test(test_filesystems), cmocka_unit_test(test_binds),
		cmocka_unit_test(test_idmaps),	    cmocka_unit_test(test_relative),
		cmocka_unit_test(test_errors),	    cmocka_unit_test(test_long),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
