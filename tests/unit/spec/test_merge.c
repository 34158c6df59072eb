/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/unit/spec/unit.h"
#include "lib/base/str.h"

static const char *cmd[] = { "/bin/sh", "-l" };
static const char *env[] = { "PATH=/bin", "LANG=C", "A=image" };
static const struct spec_image image = {
	.cmd = { cmd, 2 },
	.env = { env, 3 },
	.workdir = "/root",
	.user = "app",
	.stop_signal = "QUIT",
};
static const char *init_cmd[] = { "/sbin/init" };
static const struct spec_image system_image = { .cmd = { init_cmd, 1 }, .init = true };

static void expect_list(const struct strv *sv, const char *joined)
{
	struct strbuf b = { 0 };

	for (size_t i = 0; i < sv->n; i++)
		strbuf_addf(&b, "%s%s", i ? "|" : "", sv->v[i]);
	assert_string_equal(strbuf_cstr(&b), joined);
	strbuf_done(&b);
}

static void test_image_below_user(void **state)
{
	struct spec s = decode_text("{'image':'a'}");

	(void)state;
	spec_merge(&s, &image);
	expect_list(&s.command, "/bin/sh|-l");
	expect_list(&s.env, "PATH=/bin|LANG=C|A=image");
	assert_string_equal(s.workdir, "/root");
	assert_string_equal(s.user, "app");
	assert_string_equal(s.stop_signal, "QUIT");
	assert_true(s.no_new_privs);
	assert_false(s.image_init || s.tty);
	spec_done(&s);

	s = decode_text("{'image':'a','command':['true'],'env':['B=1','LANG=de','B=2'],'workdir':'/"
			"','user':'0','stopSignal':'INT'}");
	spec_merge(&s, &image);
	expect_list(&s.command, "true");
	expect_list(&s.env, "PATH=/bin|LANG=de|A=image|B=2");
	assert_string_equal(s.workdir, "/");
	assert_string_equal(s.user, "0");
	assert_string_equal(s.stop_signal, "INT");
	spec_done(&s);
}

static void test_keys_are_whole(void **state)
{
	struct spec s = decode_text("{'image':'a','env':['AB=1','A=2','ABC=3','AB=4']}");
	struct spec_image none = { 0 };

	(void)state;
	spec_merge(&s, &none);
	expect_list(&s.env, "AB=4|A=2|ABC=3");
	assert_int_equal(s.command.n, 0);
	assert_null(s.workdir);
	assert_string_equal(s.stop_signal, "TERM");
	spec_done(&s);
}

/* An image with an init: a system container, unless the user wants something else. */
static void test_init(void **state)
{
	static const struct {
		const char *text;
		bool init, nnp, tty;
		const char *command, *stop;
	} cases[] = {
		{ "{'image':'a'}", true, false, true, "/sbin/init", "RTMIN+3" },
		{ "{'image':'a','noNewPrivs':true}", true, true, true, "/sbin/init", "RTMIN+3" },
		{ "{'image':'a','command':['true']}", false, true, false, "true", "TERM" },
		{ "{'image':'a','command':['true'],'imageInit':true}", true, false, true, "true", "RTMIN+3" },
		{ "{'image':'a','imageInit':false}", false, true, false, "/sbin/init", "TERM" },
		{ "{'image':'a','noInit':true}", false, true, false, "/sbin/init", "TERM" },
		{ "{'image':'a','command':['true'],'noNewPrivs':false}", false, false, false, "true",
		  "TERM" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct spec s = decode_text(cases[i].text);

		spec_merge(&s, &system_image);
		if (s.image_init != cases[i].init || s.no_new_privs != cases[i].nnp ||
		    s.tty != cases[i].tty || !str_eq(s.stop_signal, cases[i].stop))
			fail_msg("%s", cases[i].text);
		expect_list(&s.command, cases[i].command);
		assert_int_equal(spec_check(&s, NULL), 0);
		spec_done(&s);
	}
}

/* A merged spec can be kept, read again and merged again. */
static void test_again(void **state)
{
	static const struct spec_image *const images[] = { &image, &system_image };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(images); i++) {
		struct spec s = decode_text("{'image':'a','env':['A=1']}"), back;
		auto_json json *j = NULL;

		spec_merge(&s, images[i]);
		j = spec_encode(&s);
		assert_int_equal(spec_decode(j, &back, NULL), 0);
		assert_spec_equal(&s, &back);
		spec_merge(&back, images[i]);
		assert_spec_equal(&s, &back);
		spec_done(&s);
		spec_done(&back);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_image_below_user),
		cmocka_unit_test(test_keys_are_whole),
		cmocka_unit_test(test_init),
		cmocka_unit_test(test_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
