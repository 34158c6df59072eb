/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a runtime prints: state, spec, features; and the ids it takes. */
#include "tests/unit/oci/unit.h"
#include <errno.h>
#include <sched.h>

static void test_ids(void **state unused)
{
	static const char *const good[] = {
		"a", "0", "A_b+c.d-e", "a..", "a.b", "_a", "-a", ".a", "+", "a,b"
	};
	static const char *const bad[] = { "",	  ".",	 "..",	     "../x",	  "a/b",   "/a", "a b",
					   "a\n", "a:b", "\xc3\xa9", "a\xc3\xa9", "a\x1b", "/" };
	struct error err = { 0 };
	char text[5001];

	for (size_t i = 0; i < ARRAY_SIZE(good); i++)
		assert_int_equal(oci_id_check(good[i], NULL), 0);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_int_equal(oci_id_check(bad[i], &err), -EINVAL);
		assert_int_equal(err.kind, ERR_USAGE);
	}
	memset(text, 'a', 5000);
	text[5000] = '\0';
	assert_int_equal(oci_id_check(text, &err), -EINVAL);
	text[1025] = '\0';
	assert_int_equal(oci_id_check(text, &err), -EINVAL);
	text[1024] = '\0';
	assert_int_equal(oci_id_check(text, &err), 0);
}

static void test_state(void **state unused)
{
	struct oci_config c = decode_members("'annotations':{'k':'v\\n'}");
	auto_json json *j = oci_state("id1", OCI_RUNNING, 42, &c);
	auto_free char *text = json_text(j, false);
	struct oci_config plain = decode_members("");
	auto_json json *stopped = oci_state("id2", OCI_STOPPED, 0, &plain);
	auto_free char *short_text = json_text(stopped, false);

	assert_string_equal(text, "{\"ociVersion\":\"" OCI_VERSION
				  "\",\"id\":\"id1\",\"status\":\"running\",\"pid\":42,"
				  "\"bundle\":\"/bundle\",\"annotations\":{\"k\":\"v\\n\"}}");
	assert_string_equal(short_text,
			    "{\"ociVersion\":\"" OCI_VERSION "\",\"id\":\"id2\",\"status\":\"stopped\","
			    "\"bundle\":\"/bundle\"}");
	oci_config_done(&c);
	oci_config_done(&plain);
	assert_string_equal(oci_status_name(OCI_CREATING), "creating");
	assert_string_equal(oci_status_name(OCI_CREATED), "created");
	assert_string_equal(oci_status_name(OCI_PAUSED), "paused");
	assert_string_equal(oci_status_name((enum oci_status)77), "unknown");
}

static void test_template(void **state unused)
{
	const struct oci_input in = { .bundle = "/b" };
	auto_json json *j = oci_spec_template(false, 0, 0);
	struct oci_config c;
	struct error err = { 0 };

	assert_non_null(j);
	if (oci_config_decode(j, &in, &c, &err) < 0)
		fail_msg("%s", err.text);
	assert_true(c.terminal && c.rootfs.readonly && c.sandbox.no_new_privs && c.rootfs.mounts.n == 7);
	assert_int_equal(c.sandbox.namespaces, CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS |
						       CLONE_NEWNS | CLONE_NEWCGROUP);
	assert_string_equal(c.rootfs.lower.v[0], "/b/rootfs");
	assert_string_equal(c.process.argv.v[0], "sh");
	assert_true(!c.warnings.n && c.sandbox.cap_ambient == 0 &&
		    c.sandbox.cap_bounding == c.sandbox.cap_permitted);
	assert_true(c.rootfs.masked.n == 11 && c.rootfs.readonly_paths.n == 5 && !c.cgroup.delegate);
	oci_config_done(&c);
}

static void test_rootless_template(void **state unused)
{
	const struct oci_input in = { .bundle = "/b", .rootless = true };
	auto_json json *j = oci_spec_template(true, 1000, 1001);
	const json *section = NULL, *other = NULL;
	struct oci_config c;
	struct error err = { 0 };

	assert_non_null(j);
	if (oci_config_decode(j, &in, &c, &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(c.sandbox.namespaces, CLONE_NEWPID | CLONE_NEWUSER | CLONE_NEWIPC | CLONE_NEWUTS |
						       CLONE_NEWNS | CLONE_NEWCGROUP);
	assert_true(c.rootfs.id_base == 1000 && c.rootfs.id_count == 1);
	assert_int_equal(c.sandbox.gid_maps.v[0].outside, 1001);
	assert_true(c.rootfs.mounts.v[5].kind == MOUNT_BIND && !strstr(c.rootfs.mounts.v[2].data, "gid="));
	assert_int_equal(json_get_obj(j, "linux", &section, NULL), 1);
	assert_int_equal(json_get_obj(section, "resources", &other, NULL), 0);
	oci_config_done(&c);
}

static bool has(const json *arr, const char *word)
{
	for (size_t i = 0; i < json_len(arr); i++)
		if (str_eq(json_str(json_at(arr, i)), word))
			return true;
	return false;
}

static const json *member(const json *o, const char *key)
{
	struct json_iter it = json_iter(o);

	while (json_next(&it))
		if (str_eq(it.key, key))
			return it.value;
	fail_msg("%s", key);
	return NULL;
}

static void test_features(void **state unused)
{
	const char *caps[] = { "CAP_CHOWN" }, *actions[] = { "SCMP_ACT_ALLOW" },
		   *archs[] = { "SCMP_ARCH_X86_64" };
	const struct strv v_caps = { caps, 1 }, v_actions = { actions, 1 }, v_archs = { archs, 1 };
	const struct oci_features_input in = { .runtime_version = "1.2",
					       .commit = "abc",
					       .caps = &v_caps,
					       .seccomp_actions = &v_actions,
					       .seccomp_archs = &v_archs,
					       .seccomp_version = "2.5.4",
					       .systemd = true };
	auto_json json *j = oci_features(&in);
	const json *section = member(j, "linux"), *notes = member(j, "annotations");

	assert_string_equal(json_str(member(j, "ociVersionMin")), "1.0.0");
	assert_string_equal(json_str(member(j, "ociVersionMax")), OCI_VERSION);
	assert_int_equal(json_len(member(j, "hooks")), OCI_HOOKS);
	assert_true(has(member(j, "mountOptions"), "rro") && has(member(j, "mountOptions"), "tmpcopyup"));
	assert_int_equal(json_len(member(section, "namespaces")), 8);
	assert_true(has(member(section, "namespaces"), "time") &&
		    has(member(section, "capabilities"), "CAP_CHOWN"));
	assert_true(has(member(member(section, "seccomp"), "knownFlags"), "SECCOMP_FILTER_FLAG_LOG"));
	assert_true(has(member(member(section, "seccomp"), "supportedFlags"), "SECCOMP_FILTER_FLAG_LOG"));
	assert_true(has(member(member(section, "memoryPolicy"), "modes"), "MPOL_BIND"));
	assert_string_equal(json_str(member(notes, "io.github.seccomp.libseccomp.version")), "2.5.4");
	assert_string_equal(json_str(member(notes, "org.opencontainers.runc.checkpoint.enabled")), "false");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ids),	 cmocka_unit_test(test_state),
		cmocka_unit_test(test_template), cmocka_unit_test(test_rootless_template),
		cmocka_unit_test(test_features),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
