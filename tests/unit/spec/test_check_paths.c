/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/unit/spec/unit.h"
#include <limits.h>
#include "lib/base/str.h"
#include "lib/spec/internal.h"

struct mount_case {
	const char *members, *why; /* NULL: allowed */
};

static void run_cases(const char *key, const struct mount_case *cases, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		auto_free char *text = str_fmt("{'image':'a','%s':[%s]}", key, cases[i].members);
		struct spec s = decode_text(text);
		struct error err = { 0 };
		int r = spec_check(&s, &err);

		if (cases[i].why ? r == 0 || !strstr(err.text, cases[i].why) : r < 0)
			fail_msg("%s: \"%s\"", text, err.text);
		spec_done(&s);
	}
}

static void test_targets(void **state)
{
	static const char *const good[] = { "/data",	"/a/b/c",   "/process", "/system",
					    "/devices", "/dev/shm", "/..a",	"/etc" };
	static const char *const bad[] = {
		"",
		"data",
		"/",
		"//a",
		"/a/",
		"/a//b",
		"/a/./b",
		"/..",
		"/a/../b",
		"/a/..",
		"./a",
		"/.",
		"/proc",
		"/proc/self/attr",
		"/sys",
		"/sys/fs",
		"/dev",
		"/dev/pts",
		"/dev/shm/x",
		"/proc/sys",
		"/proc/1/mem",
		"/a\nb",
		"/a\x1b[2J",
		"/\xe2\x80\xaex",
		"/proc/self/attr/exec",
		"/proc/sys/kernel/core_pattern",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(good) + ARRAY_SIZE(bad); i++) {
		bool fine = i < ARRAY_SIZE(good);
		const char *target = fine ? good[i] : bad[i - ARRAY_SIZE(good)];
		struct spec_mount m[] = { { .type = "bind", .source = "/srv", .target = target },
					  { .type = "tmpfs", .target = target } };
		struct error err = { 0 };

		for (size_t k = 0; k < ARRAY_SIZE(m); k++) {
			struct spec s = SPEC_DEFAULTS;
			int r;

			s.image = "a";
			s.mounts.v = &m[k];
			s.mounts.n = 1;
			r = spec_check(&s, &err);
			if (fine != (r == 0) || (!fine && !strstr(err.text, "mounts[0].target")))
				fail_msg("\"%s\": %d \"%s\"", target, r, err.text);
		}
	}
}

static void test_mounts(void **state)
{
	static const struct mount_case cases[] = {
		{ "{'type':'bind','source':'/proc/x','target':'/proc/meminfo','readOnly':true}", NULL },
		{ "{'type':'bind','source':'/x','target':'/proc/sys/kernel/ns_last_pid','readOnly':true}",
		  NULL },
		{ "{'type':'bind','source':'/x','target':'/proc/meminfo'}", "takes only a read-only bind" },
		{ "{'type':'tmpfs','target':'/proc/meminfo','readOnly':true}",
		  "takes only a read-only bind" },
		{ "{'type':'bind','source':'/x','target':'/proc/meminfo/x','readOnly':true}",
		  "mounts[0].target" },
		{ "{'type':'bind','target':'/a'}", "mounts[0].source" },
		{ "{'type':'bind','source':'a','target':'/a'}", "mounts[0].source" },
		{ "{'type':'bind','source':'/a/../b','target':'/a'}", "mounts[0].source" },
		{ "{'type':'bind','source':'/a\\tb','target':'/a'}", "mounts[0].source: \"/a\\x09b\"" },
		{ "{'type':'bind','source':'/','target':'/host'}", NULL },
		{ "{'type':'bind','source':'/a','target':'/a','size':4096}", "mounts[0].size: only a tmpfs" },
		{ "{'type':'bind','source':'/a','target':'/a','mode':1}", "mounts[0].mode: only a tmpfs" },
		{ "{'type':'tmpfs','source':'/a','target':'/a'}", "mounts[0].source: a tmpfs has none" },
		{ "{'type':'tmpfs','target':'/a','size':4095}", "mounts[0].size: less than a page" },
		{ "{'type':'tmpfs','target':'/a','size':4096,'mode':4095}", NULL },
		{ "{'type':'overlay','target':'/a'}", "mounts[0].type: expected bind or tmpfs" },
		{ "{'type':'tmpfs','target':'/a'},{'type':'tmpfs','target':'/b'},{'type':'tmpfs','target':'/"
		  "a'}",
		  "mounts[2].target: /a is there twice" },
		{ "{'type':'tmpfs','target':'/a'},{'type':'tmpfs','target':'/a/b'}", NULL },
	};

	(void)state;
	run_cases("mounts", cases, ARRAY_SIZE(cases));
}

static void test_mount_count(void **state)
{
	static struct spec_mount m[257];
	struct spec s = SPEC_DEFAULTS;
	struct error err = { 0 };

	(void)state;
	s.image = "a";
	for (size_t i = 0; i < ARRAY_SIZE(m); i++)
		m[i] = (struct spec_mount){ .type = "tmpfs", .target = arena_fmt(&s.arena, "/%zu", i) };
	s.mounts.v = m;
	s.mounts.n = 257;
	assert_true(spec_check(&s, &err) < 0);
	assert_string_equal(err.text, "mounts: more than 256");
	s.mounts.n = 256;
	assert_int_equal(spec_check(&s, &err), 0);
	arena_done(&s.arena);
}

static void test_devices(void **state)
{
	static const struct mount_case cases[] = {
		{ "'/dev/fuse'", NULL },
		{ "'/dev/net/tun:/dev/net/tun:rw','/dev/kvm:/dev/x:m','/dev/snd/seq:r'", NULL },
		{ "'/dev/fuse:rwm'", NULL },
		{ "'/dev/fuse:'", "devices[0]" },
		{ "'/dev/fuse:rr'", "devices[0]" },
		{ "'/dev/fuse:x'", "devices[0]" },
		{ "'/dev/fuse:/dev/x:'", "devices[0]" },
		{ "'/dev/fuse:/dev/x:rw:r'", "devices[0]" },
		{ "'/dev/../etc/passwd'", "devices[0]" },
		{ "'/etc/passwd'", "devices[0]" },
		{ "'/dev'", "devices[0]" },
		{ "'fuse'", "devices[0]" },
		{ "''", "devices[0]" },
		{ "'/dev/fuse:/etc/x'", "devices[0]" },
		{ "'/dev/fuse:/dev/null'", "devices[0]: every container has its own /dev/null" },
		{ "'/dev/fuse:/dev/pts/1'", "devices[0]: every container has its own /dev/pts/1" },
		{ "'/dev/a\\n'", "devices[0]: \"/dev/a\\x0a\"" },
		{ "'/dev/fuse','/dev/x:/dev/fuse'", "devices[1]: /dev/fuse is there twice" },
	};

	(void)state;
	run_cases("devices", cases, ARRAY_SIZE(cases));
}

static void test_device_parse(void **state)
{
	struct arena a = { 0 };
	struct spec_device d = { 0 };

	(void)state;
	assert_int_equal(spec_device_parse(&a, "/dev/fuse", &d), 0);
	assert_string_equal(d.path, "/dev/fuse");
	assert_string_equal(d.target, "/dev/fuse");
	assert_int_equal(d.access, 7);
	assert_int_equal(spec_device_parse(&a, "/dev/fuse:mr", &d), 0);
	assert_string_equal(d.target, "/dev/fuse");
	assert_int_equal(d.access, 5);
	assert_int_equal(spec_device_parse(&a, "/dev/a:/dev/b:w", &d), 0);
	assert_string_equal(d.path, "/dev/a");
	assert_string_equal(d.target, "/dev/b");
	assert_int_equal(d.access, 2);
	assert_true(spec_device_parse(&a, "/dev/a:/dev/b:q", &d) < 0);
	assert_int_equal(d.access, 2);
	arena_done(&a);
}

static void test_path_helpers(void **state)
{
	char *deep = mem_alloc(PATH_MAX + 1);

	(void)state;
	assert_true(spec_path_is_normal("/"));
	assert_true(spec_path_is_normal("/a.b/...x/.c"));
	assert_false(spec_path_is_normal("/a/\xff"));
	memset(deep, 'a', PATH_MAX);
	deep[0] = '/';
	assert_false(spec_path_is_normal(deep));
	deep[PATH_MAX - 1] = '\0';
	assert_true(spec_path_is_normal(deep));
	free(deep);
	assert_true(spec_path_is_in("/a", "/a"));
	assert_true(spec_path_is_in("/a/b", "/a"));
	assert_false(spec_path_is_in("/ab", "/a"));
	assert_false(spec_path_is_in("/", "/a"));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_targets),	     cmocka_unit_test(test_mounts),
		cmocka_unit_test(test_mount_count),  cmocka_unit_test(test_devices),
		cmocka_unit_test(test_device_parse), cmocka_unit_test(test_path_helpers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
