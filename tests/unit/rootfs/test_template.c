/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include "lib/base/file.h"
#include "lib/base/str.h"
#include "rootfs/template_internal.h"

#define HEX64 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static int parse(const char *text, struct template_desc *t, struct error *err)
{
	return template_parse(text, strlen(text), t, err);
}

static void test_all_members(void **state)
{
	static const char text[] = "{\"name\":\"web\",\"description\":\"A web "
				   "server\",\"source\":\"debootstrap\",\"suite\":\"trixie\","
				   "\"mirror\":\"https://mirror.example/"
				   "debian\",\"variant\":\"buildd\",\"packages\":[\"nginx\",\"libc6:amd64\"],"
				   "\"cmd\":[\"/usr/sbin/nginx\",\"-g\",\"daemon "
				   "off;\"],\"env\":[\"A=1\",\"B=\"],\"workdir\":\"/srv\","
				   "\"user\":\"www-data:www-data\",\"stopSignal\":\"QUIT\",\"init\":true}";
	struct error err = { 0 };
	struct template_desc t;

	(void)state;
	assert_int_equal(parse(text, &t, &err), 0);
	assert_string_equal(t.name, "web");
	assert_string_equal(t.description, "A web server");
	assert_string_equal(t.source, "debootstrap");
	assert_string_equal(t.suite, "trixie");
	assert_string_equal(t.mirror, "https://mirror.example/debian");
	assert_string_equal(t.variant, "buildd");
	assert_int_equal(t.packages.n, 2);
	assert_string_equal(t.packages.v[1], "libc6:amd64");
	assert_int_equal(t.cmd.n, 3);
	assert_string_equal(t.cmd.v[2], "daemon off;");
	assert_int_equal(t.env.n, 2);
	assert_string_equal(t.workdir, "/srv");
	assert_string_equal(t.user, "www-data:www-data");
	assert_string_equal(t.stop_signal, "QUIT");
	assert_true(t.init);
	template_done(&t);
}

static void test_least(void **state)
{
	struct template_desc t;

	(void)state;
	assert_int_equal(parse("{\"source\":\"busybox\"}", &t, NULL), 0);
	assert_null(t.name);
	assert_null(t.suite);
	assert_int_equal(t.cmd.n + t.env.n + t.packages.n, 0);
	assert_false(t.init);
	template_done(&t);
}

#define D "\"source\":\"debootstrap\",\"suite\":\"bookworm\""
#define B "\"source\":\"busybox\""

static const struct {
	const char *text, *says;
} bad[] = {
	{ "", "" },
	{ "[]", "expected an object" },
	{ "{" B, "" },
	{ "{}", "source: expected" },
	{ "{\"source\":\"tarball\"}", "source: expected" },
	{ "{\"source\":1}", "source: expected" },
	{ "{" B ",\"colour\":\"red\"}", "colour" },
	{ "{" B ",\"suite\":\"bookworm\"}", "source: expected \"debootstrap\"" },
	{ "{" B ",\"packages\":[\"x\"]}", "source: expected \"debootstrap\"" },
	{ "{\"source\":\"debootstrap\"}", "suite: expected" },
	{ "{\"source\":\"debootstrap\",\"suite\":\"--help\"}", "suite: expected" },
	{ "{\"source\":\"debootstrap\",\"suite\":\"../../x\"}", "suite: expected" },
	{ "{" D ",\"variant\":\"tiny\"}", "variant: expected" },
	{ "{" D ",\"mirror\":\"-oDebug=1\"}", "mirror: expected" },
	{ "{" D ",\"mirror\":\"deb http://x y z\"}", "mirror: expected" },
	{ "{" D ",\"mirror\":\"http://\"}", "mirror: expected" },
	{ "{" D ",\"mirror\":\"http://a/b c\"}", "mirror: expected" },
	{ "{" D ",\"packages\":\"bash\"}", "packages: expected" },
	{ "{" D ",\"packages\":[1]}", "packages[0]: expected" },
	{ "{" D ",\"packages\":[\"-x\"]}", "packages: expected" },
	{ "{" D ",\"packages\":[\"a,b\"]}", "packages: expected" },
	{ "{" D ",\"packages\":[\"?essential\"]}", "packages: expected" },
	{ "{" D ",\"packages\":[\"./x.deb\"]}", "packages: expected" },
	{ "{" D ",\"packages\":[\"\"]}", "packages: expected" },
	{ "{" B ",\"name\":\"../x\"}", "name: expected" },
	{ "{" B ",\"name\":\".x\"}", "name: expected" },
	{ "{" B ",\"description\":\"two\\nlines\"}", "description: expected" },
	{ "{" B ",\"description\":\"\\u001b[2J\"}", "description: expected" },
	{ "{" B ",\"cmd\":\"sh\"}", "cmd: expected" },
	{ "{" B ",\"cmd\":[\"\"]}", "cmd: expected" },
	{ "{" B ",\"env\":[\"NOVALUE\"]}", "env: expected" },
	{ "{" B ",\"env\":[\"=x\"]}", "env: expected" },
	{ "{" B ",\"env\":[\"A=b\\nC=d\"]}", "env: expected" },
	{ "{" B ",\"workdir\":\"srv\"}", "workdir: expected" },
	{ "{" B ",\"user\":\"\"}", "user: expected" },
	{ "{" B ",\"stopSignal\":\"NOSUCH\"}", "stopSignal: expected" },
	{ "{" B ",\"init\":\"yes\"}", "init: expected" },
	{ "{" B ",\"source\":\"busybox\"}", "" },
};

static void test_bad(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct template_desc t = { .name = "untouched" };
		struct error err = { 0 };

		if (parse(bad[i].text, &t, &err) >= 0)
			fail_msg("accepted: %s", bad[i].text);
		assert_true(err.code < 0);
		assert_int_equal(err.kind, ERR_USAGE);
		if (!strstr(err.text, bad[i].says))
			fail_msg("%s: \"%s\" is not in: %s", bad[i].text, bad[i].says, err.text);
		assert_string_equal(t.name, "untouched");
	}
}

static void test_too_large(void **state)
{
	auto_free char *text = mem_alloc(TEMPLATE_MAX + 100);
	struct template_desc t;
	struct error err = { 0 };

	(void)state;
	memset(text, ' ', TEMPLATE_MAX + 50);
	memcpy(text, "{" B "}", strlen("{" B "}"));
	assert_int_equal(parse(text, &t, &err), -EFBIG);
	text[TEMPLATE_MAX] = '\0';
	assert_int_equal(parse(text, &t, &err), 0);
	template_done(&t);
}

static void test_record(void **state)
{
	static const char text[] = "{" B ",\"cmd\":[\"/bin/sh\"],\"build\":{\"id\":\"old\"}}";
	struct template_record rec = { .id = HEX64, .time_ns = 1700000000123456789, .size = 4096 }, got;
	struct template_desc t;
	struct error err = { 0 };
	auto_free char *built = NULL;

	(void)state;
	assert_int_equal(template_parse_built("{" B "}", strlen("{" B "}"), &t, &got, &err), -ENODATA);
	err_clear(&err);
	assert_int_equal(template_parse_built(text, strlen(text), &t, &got, &err), -EINVAL);
	built = template_text_built(text, strlen(text), &rec, NULL);
	assert_non_null(built);
	assert_int_equal(template_parse_built(built, strlen(built), &t, &got, NULL), 0);
	assert_string_equal(got.id, HEX64);
	assert_int_equal(got.time_ns, rec.time_ns);
	assert_int_equal(got.size, 4096);
	assert_string_equal(t.cmd.v[0], "/bin/sh");
	template_done(&t);
}

/* What is shipped, from the tree that the tests run in. */
static void test_shipped(void **state)
{
	static const char *const names[] = { "busybox", "debian-12" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		auto_free char *path = str_fmt("templates/%s/template.json", names[i]), *text = NULL;
		struct template_desc t;
		struct error err = { 0 };
		long n = file_read_at(AT_FDCWD, path, TEMPLATE_MAX, &text, &err);

		if (n < 0 || template_parse(text, (size_t)n, &t, &err) < 0)
			fail_msg("%s: %s", path, err.text);
		assert_true(t.cmd.n > 0 && t.cmd.v[0][0] == '/');
		assert_true(t.env.n > 0 && str_starts(t.env.v[0], "PATH="));
		assert_non_null(t.description);
		template_done(&t);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all_members), cmocka_unit_test(test_least),
		cmocka_unit_test(test_bad),	    cmocka_unit_test(test_too_large),
		cmocka_unit_test(test_record),	    cmocka_unit_test(test_shipped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
