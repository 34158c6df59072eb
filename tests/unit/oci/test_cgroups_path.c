/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "lib/base/str.h"
#include "lib/oci/oci.h"

static void test_paths(void **state)
{
	static const struct {
		const char *in, *out; /* NULL = refused */
	} paths[] = {
		{ NULL, "c1" },		{ "", "c1" },		  { "/docker/x", "docker/x" }, { "a", "a" },
		{ "a/b/", "a/b" },	{ "//a//./b", "a/b" },	  { "/a..b/...", "a..b/..." }, { "/", NULL },
		{ "/./", NULL },	{ "../a", NULL },	  { "/a/../b", NULL },	       { "a/..", NULL },
		{ "a\nb", NULL },	{ "a\x7f", NULL },	  { "a b", "a b" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		struct arena a = { 0 };
		struct error err = { 0 };
		const char *got = "untouched";
		int r = oci_cgroup_path(paths[i].in, "c1", &a, &got, &err);

		assert_int_equal(r, paths[i].out ? 0 : -EINVAL);
		assert_string_equal(got, paths[i].out ? paths[i].out : "untouched");
		if (r < 0) {
			assert_int_equal(err.kind, ERR_USAGE);
			assert_true(str_starts(err.text, "linux.cgroupsPath: "));
		}
		arena_done(&a);
	}
}

static void test_long_paths(void **state)
{
	struct arena a = { 0 };
	struct error err = { 0 };
	const char *got;
	char path[5000];

	(void)state;
	memset(path, 'a', sizeof(path));
	path[256] = '\0';
	assert_int_equal(oci_cgroup_path(path, "c1", &a, &got, &err), -EINVAL);
	path[255] = '\0';
	assert_int_equal(oci_cgroup_path(path, "c1", &a, &got, &err), 0);
	for (size_t i = 0; i < sizeof(path); i++)
		path[i] = i % 2 ? '/' : 'a';
	path[4999] = '\0';
	assert_int_equal(oci_cgroup_path(path, "c1", &a, &got, &err), -EINVAL);
	arena_done(&a);
}

static void test_scopes(void **state)
{
	static const struct {
		const char *in;
		bool rootless;
		const char *slice, *unit; /* NULL = refused */
	} scopes[] = {
		{ NULL, false, "system.slice", "arnia-c1.scope" },
		{ "", true, "user.slice", "arnia-c1.scope" },
		{ "machine.slice:libpod:abc", false, "machine.slice", "libpod-abc.scope" },
		{ ":libpod:abc", false, "system.slice", "libpod-abc.scope" },
		{ ":libpod:abc", true, "user.slice", "libpod-abc.scope" },
		{ "a-b.slice::abc", false, "a-b.slice", "abc.scope" },
		{ "-.slice:x:abc", false, "-.slice", "x-abc.scope" },
		{ "a.slice:x:a-b.slice", false, "a.slice", "a-b.slice" },
		{ "a.slice:x:a--b.slice", false, NULL, NULL },
		{ "a.slice:x:", false, NULL, NULL },
		{ "a.slice:x", false, NULL, NULL },
		{ "a.slice:x:y:z", false, NULL, NULL },
		{ "/a/b", false, NULL, NULL },
		{ "a:x:y", false, NULL, NULL },
		{ ".slice:x:y", false, NULL, NULL },
		{ "a--b.slice:x:y", false, NULL, NULL },
		{ "-a.slice:x:y", false, NULL, NULL },
		{ "a-.slice:x:y", false, NULL, NULL },
		{ "a/b.slice:x:y", false, NULL, NULL },
		{ "a.slice:x/..:y", false, NULL, NULL },
		{ "a.slice:x:y\n", false, NULL, NULL },
		{ "a.slice:x:\xc3\xa4", false, NULL, NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(scopes); i++) {
		struct arena a = { 0 };
		struct error err = { 0 };
		struct oci_scope s = { "no", "no" };
		int r = oci_scope_parse(scopes[i].in, "c1", scopes[i].rootless, &a, &s, &err);

		if (r != (scopes[i].slice ? 0 : -EINVAL))
			fail_msg("%s: %d %s", scopes[i].in, r, err.text);
		assert_string_equal(s.slice, scopes[i].slice ? scopes[i].slice : "no");
		assert_string_equal(s.unit, scopes[i].unit ? scopes[i].unit : "no");
		arena_done(&a);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_paths),
		cmocka_unit_test(test_long_paths),
		cmocka_unit_test(test_scopes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
