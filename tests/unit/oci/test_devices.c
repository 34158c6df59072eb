/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/unit/oci/unit.h"

#define FUSE "{'path':'/dev/fuse','type':'c','major':10,'minor':229"
#define USER                                                                                                 \
	"'linux':{'namespaces':[{'type':'user'}],'uidMappings':[{'containerID':0,'hostID':1,'size':1}],"     \
	"'gidMappings':[{'containerID':0,'hostID':1,'size':1}],'devices':["

static const struct dev_item *find(const struct oci_config *c, const char *target)
{
	for (size_t i = 0; i < c->rootfs.devices.n; i++)
		if (str_eq(c->rootfs.devices.v[i].target, target))
			return &c->rootfs.devices.v[i];
	return NULL;
}

static void test_defaults(void **state unused)
{
	static const struct {
		const char *path;
		uint32_t major, minor;
	} nodes[] = { { "/dev/null", 1, 3 },   { "/dev/zero", 1, 5 },	 { "/dev/full", 1, 7 },
		      { "/dev/random", 1, 8 }, { "/dev/urandom", 1, 9 }, { "/dev/tty", 5, 0 } };
	static const char *const links[] = { "/dev/fd", "/dev/stdin", "/dev/stdout", "/dev/stderr",
					     "/dev/ptmx", "/dev/core" };
	struct oci_config c = decode_section("");

	assert_int_equal(c.rootfs.devices.n, ARRAY_SIZE(nodes));
	for (size_t i = 0; i < ARRAY_SIZE(nodes); i++) {
		const struct dev_item *d = find(&c, nodes[i].path);

		assert_non_null(d);
		assert_string_equal(d->path, nodes[i].path);
		assert_true(d->type == 'c' && d->major == nodes[i].major && d->minor == nodes[i].minor);
		assert_true(d->make && d->mode == 0666 && !d->uid && !d->gid);
	}
	assert_int_equal(c.rootfs.links.n, ARRAY_SIZE(links));
	for (size_t i = 0; i < ARRAY_SIZE(links); i++)
		assert_string_equal(c.rootfs.links.v[i].path, links[i]);
	assert_string_equal(c.rootfs.links.v[4].target, "pts/ptmx");
	oci_config_done(&c);
}

static void test_configured(void **state unused)
{
	struct oci_config c =
		decode_section("'devices':[" FUSE ",'fileMode':8612,'uid':7,'gid':8},"
			       "{'path':'/dev//null','type':'u','major':1,'minor':3,'fileMode':384},"
			       "{'path':'/dev/p','type':'p'},"
			       "{'path':'/dev/sda','type':'b','major':8,'minor':0}]");
	const struct dev_item *d = find(&c, "/dev/fuse");

	assert_int_equal(c.rootfs.devices.n, 9);
	assert_true(d->type == 'c' && d->major == 10 && d->minor == 229 && d->make);
	assert_true(d->mode == 0644 && d->uid == 7 && d->gid == 8);
	d = find(&c, "/dev/null");
	assert_true(d->type == 'c' && d->mode == 0600);
	d = find(&c, "/dev/p");
	assert_true(d->type == 'p' && d->make && d->mode == 0666);
	assert_true(find(&c, "/dev/sda")->type == 'b');
	oci_config_done(&c);
	c = decode_section("'devices':[{'path':'/dev/ptmx','type':'c','major':5,'minor':2}]");
	assert_int_equal(c.rootfs.links.n, 6);
	assert_null(find(&c, "/dev/ptmx"));
	oci_config_done(&c);
	c = decode_section("'devices':[{'path':'/dev/fd','type':'c','major':1,'minor':3}]");
	assert_int_equal(c.rootfs.links.n, 5);
	oci_config_done(&c);
}

/* mknod(2) is of no use there: the host's nodes are bound. */
static void test_bound(void **state unused)
{
	struct oci_config c = decode_members(USER FUSE "},{'path':'/dev/p','type':'p'}]}");

	assert_false(find(&c, "/dev/fuse")->make);
	assert_string_equal(find(&c, "/dev/fuse")->path, "/dev/fuse");
	assert_false(find(&c, "/dev/null")->make);
	assert_true(find(&c, "/dev/p")->make);
	oci_config_done(&c);
	c = decode_rootless("'linux':{'devices':[" FUSE "}]}");
	assert_false(find(&c, "/dev/fuse")->make);
	assert_false(find(&c, "/dev/tty")->make);
	oci_config_done(&c);
	c = decode_members("'linux':{'namespaces':[{'type':'user','path':'/u'}]}");
	assert_false(find(&c, "/dev/tty")->make);
	oci_config_done(&c);
}

static void test_dev_of_host(void **state unused)
{
	static const char *const same[] = { "/dev", "/dev/", "dev", "/x/../dev" };

	for (size_t i = 0; i < ARRAY_SIZE(same); i++) {
		auto_free char *text = str_fmt("'mounts':[{'destination':'%s','source':'/dev','type':'none',"
					       "'options':['rbind']}],'linux':{'devices':[" FUSE "}]}",
					       same[i]);
		struct oci_config c = decode_members(text);

		assert_true(!c.rootfs.devices.n && !c.rootfs.links.n);
		oci_config_done(&c);
	}
	for (size_t i = 0; i < 2; i++) {
		struct oci_config c = decode_members(
			i ? "'mounts':[{'destination':'/dev','type':'tmpfs'}]"
			  : "'mounts':[{'destination':'/dev/x','source':'/dev','type':'bind'}]");

		assert_true(c.rootfs.devices.n == 6 && c.rootfs.links.n == 6);
		oci_config_done(&c);
	}
}

static void test_errors(void **state unused)
{
	static const struct rule_case cases[] = {
		{ "'devices':{}", "linux.devices: expected an array" },
		{ "'devices':[1]", "linux.devices[0]: expected an object" },
		{ "'devices':[{'path':'/dev/x'}]", "linux.devices[0].type: missing" },
		{ "'devices':[{'path':'/dev/x','type':'d'}]", "linux.devices[0].type: unknown word \"d\"" },
		{ "'devices':[{'type':'p'}]", "linux.devices[0].path: missing" },
		{ "'devices':[{'type':'p','path':'x'}]",
		  "linux.devices[0].path: \"x\" is not an absolute path" },
		{ "'devices':[{'type':'p','path':'/../x'}]", "linux.devices[0].path: \"/../x\" is no path" },
		{ "'devices':[{'type':'p','path':'/'}]", "linux.devices[0].path: \"/\" is no path" },
		{ "'devices':[{'type':'c','path':'/x','minor':1}]", "linux.devices[0].major: missing" },
		{ "'devices':[{'type':'b','path':'/x','major':1}]", "linux.devices[0].minor: missing" },
		{ "'devices':[" FUSE "},{'type':'b','path':'/x','major':-1}]",
		  "linux.devices[1].major: expected" },
		{ "'devices':[{'type':'c','path':'/x','major':1,'minor':4294967296}]",
		  "linux.devices[0].minor: expected" },
		{ "'devices':[" FUSE ",'fileMode':'x'}]",
		  "linux.devices[0].fileMode: expected a whole number" },
		{ "'devices':[" FUSE ",'uid':4294967295}]", "linux.devices[0].uid: 4294967295 is no id" },
		{ "'devices':[" FUSE ",'gid':-1}]", "linux.devices[0].gid: expected a number" },
	};

	CHECK(sections, cases);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults), cmocka_unit_test(test_configured),
		cmocka_unit_test(test_bound),	 cmocka_unit_test(test_dev_of_host),
		cmocka_unit_test(test_errors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
