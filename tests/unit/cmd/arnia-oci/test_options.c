/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <string.h>
#include "cmd/arnia-oci/cmd.h"
#include "lib/base/str.h"

static const struct opt table[] = {
	{ "tty", 't', OPT_FLAG, NULL, "" },	    { "detach", 'd', OPT_FLAG, NULL, "" },
	{ "env", 'e', OPT_LIST, "NAME=VALUE", "" }, { "bundle", 'b', OPT_VALUE, "DIR", "" },
	{ "preserve-fds", 0, OPT_VALUE, "N", "" },
};

struct parsed {
	struct call call;
	struct error err;
	int code;
};

/* words: the arguments, separated by single spaces. */
static struct parsed parse(const char *words, bool stop)
{
	const struct opt_syntax syntax = { table, ARRAY_SIZE(table), stop };
	struct parsed p = { .code = 0 };
	char *argv[32], *copy = arena_str(&p.call.arena, words), *word;
	size_t n = 0;

	while ((word = strsep(&copy, " ")))
		argv[n++] = word;
	p.code = opts_parse(&syntax, argv, n, &p.call, &p.err);
	return p;
}

static void assert_words(const struct strv *v, const char *words)
{
	struct strbuf b = { 0 };

	for (size_t i = 0; i < v->n; i++)
		strbuf_addf(&b, "%s%s", i ? " " : "", v->v[i]);
	assert_string_equal(strbuf_cstr(&b), words);
	strbuf_done(&b);
}

static void values_in_every_form(void **state)
{
	static const char *const same[] = {
		"-b /x id",
		"-b/x id",
		"-b=/x id",
		"--bundle /x id",
		"--bundle=/x id",
		"-bundle /x id",
		"id -b /x",
		"id -bundle=/x",
		"-tb /x id",
		"id -td -b/x",
		"--bundle /y -b /x id",
		"-b /x -- id",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(same); i++) {
		struct parsed p = parse(same[i], false);

		assert_int_equal(p.code, 0);
		assert_string_equal(opt_get(&p.call, "bundle"), "/x");
		assert_words(&p.call.args, "id");
		arena_done(&p.call.arena);
	}
}

static void flags(void **state)
{
	static const struct {
		const char *words;
		bool tty, detach;
	} cases[] = {
		{ "-t", true, false },
		{ "-td", true, true },
		{ "-dt", true, true },
		{ "-tty -detach", true, true },
		{ "--tty=true", true, false },
		{ "--tty=false", false, false },
		{ "-t --tty=no", false, false },
		{ "-t=0 -d=1", false, true },
		{ "--tty=no --tty", true, false },
		{ "x", false, false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct parsed p = parse(cases[i].words, false);

		assert_int_equal(p.code, 0);
		assert_int_equal(opt_has(&p.call, "tty"), cases[i].tty);
		assert_int_equal(opt_has(&p.call, "detach"), cases[i].detach);
		arena_done(&p.call.arena);
	}
}

static void lists_keep_their_order(void **state)
{
	struct parsed p = parse("-e A=1 id --env=B=2 -eC=3 -e -x", false);
	struct strv env = opt_list(&p.call, "env");

	(void)state;
	assert_int_equal(p.code, 0);
	assert_words(&env, "A=1 B=2 C=3 -x");
	arena_done(&p.call.arena);
}

/* Behind the id everything is the command's. */
static void commands_are_not_read(void **state)
{
	static const struct {
		const char *words, *args;
	} cases[] = {
		{ "-t id ls -l --bundle x", "id ls -l --bundle x" },
		{ "id -t", "id -t" },
		{ "id -- -t", "id -- -t" },
		{ "-t -- id -t", "id -t" },
		{ "-t - -t", "- -t" },
		{ "-- -t id", "-t id" },
		{ "-- -- id", "-- id" },
		{ "-t --", "" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct parsed p = parse(cases[i].words, true);

		assert_int_equal(p.code, 0);
		assert_words(&p.call.args, cases[i].args);
		assert_null(opt_get(&p.call, "bundle"));
		arena_done(&p.call.arena);
	}
}

static void refused(void **state)
{
	static const struct {
		const char *words, *text;
	} cases[] = {
		{ "--nope id", "flag provided but not defined: --nope" },
		{ "id --nope=5", "flag provided but not defined: --nope" },
		{ "-x", "flag provided but not defined: -x" },
		{ "-tx", "flag provided but not defined: -tx" },
		{ "id -b", "flag needs an argument: --bundle" },
		{ "--bundle", "flag needs an argument: --bundle" },
		{ "--tty=maybe", "--tty: \"maybe\" is not true or false" },
		{ "--bund x", "flag provided but not defined: --bund" },
		{ "---bundle x", "flag provided but not defined: ---bundle" },
		{ "-t=", "--tty: \"\" is not true or false" },
		{ "--=x", "flag provided but not defined: --" },
		{ "-=x", "flag provided but not defined: -" },
		{ "-tb", "flag needs an argument: --bundle" },
		{ "id --bundlex=/y", "flag provided but not defined: --bundlex" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct parsed p = parse(cases[i].words, false);

		assert_int_equal(p.code, -EINVAL);
		assert_int_equal(p.err.kind, ERR_USAGE);
		assert_string_equal(p.err.text, cases[i].text);
		arena_done(&p.call.arena);
	}
}

/* A value that is given and empty is not one that is missing, and a word behind it is no value of it. */
static void empty_values(void **state)
{
	struct parsed p = parse("--bundle= id --env= -e=", false);
	struct strv env = opt_list(&p.call, "env");

	(void)state;
	assert_int_equal(p.code, 0);
	assert_string_equal(opt_get(&p.call, "bundle"), "");
	assert_true(opt_has(&p.call, "bundle"));
	assert_words(&p.call.args, "id");
	assert_true(env.n == 2 && !*env.v[0] && !*env.v[1]);
	arena_done(&p.call.arena);
	/* What looks like an option is the value of one that wants it. */
	p = parse("--bundle --tty id", false);
	assert_int_equal(p.code, 0);
	assert_string_equal(opt_get(&p.call, "bundle"), "--tty");
	assert_false(opt_has(&p.call, "tty"));
	arena_done(&p.call.arena);
}

/* Both ends of what can be. */
static void the_greatest_number(void **state)
{
	static const struct {
		const char *words;
		uint64_t max;
		int code;
		uint64_t v;
	} cases[] = {
		{ "--preserve-fds=0", 1000, 0, 0 },
		{ "--preserve-fds=1000", 1000, 0, 1000 },
		{ "--preserve-fds=18446744073709551615", UINT64_MAX, 0, UINT64_MAX },
		{ "--preserve-fds=18446744073709551616", UINT64_MAX, -EINVAL, 7 },
		{ "--preserve-fds=4294967296", UINT32_MAX, -EINVAL, 7 },
		{ "--preserve-fds=+1", 1000, -EINVAL, 7 },
		{ "--preserve-fds=1001 --preserve-fds=1", 1000, 0, 1 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct parsed p = parse(cases[i].words, false);
		uint64_t v = 7;

		assert_int_equal(opt_get_num(&p.call, "preserve-fds", cases[i].max, 9, &v, &p.err), cases[i].code);
		assert_true(v == cases[i].v);
		assert_int_equal(p.err.kind, cases[i].code ? ERR_USAGE : 0);
		arena_done(&p.call.arena);
	}
}

static void numbers(void **state)
{
	static const char *const bad[] = { "-1", "", "x", "1x", "1001", "99999999999999999999", "0x1" };
	struct parsed p = parse("--preserve-fds 3", false);
	uint64_t v = 7;

	(void)state;
	assert_int_equal(opt_get_num(&p.call, "preserve-fds", 1000, 0, &v, &p.err), 0);
	assert_int_equal(v, 3);
	assert_int_equal(opt_get_num(&p.call, "env", 1000, 9, &v, &p.err), 0);
	assert_int_equal(v, 9);
	arena_done(&p.call.arena);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		auto_free char *words = str_fmt("--preserve-fds=%s", bad[i]);

		p = parse(words, false);
		assert_int_equal(opt_get_num(&p.call, "preserve-fds", 1000, 0, &v, &p.err), -EINVAL);
		assert_int_equal(v, 9);
		arena_done(&p.call.arena);
	}
}

/* Nothing in a table shadows another row of it, and help has a line for what has no double. */
static void tables_are_sound(void **state)
{
	(void)state;
	for (size_t i = 0; i < n_verbs; i++) {
		const struct verb *v = &verbs[i];

		assert_ptr_equal(verb_find(v->name), v);
		assert_non_null(v->run);
		for (size_t k = 0; k < v->n_opts; k++)
			for (size_t m = 0; m < k; m++) {
				if (v->opts[k].letter)
					assert_int_not_equal(v->opts[k].letter, v->opts[m].letter);
				if (v->opts[k].help)
					assert_string_not_equal(v->opts[k].name, v->opts[m].name);
			}
	}
	assert_null(verb_find("nope"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(values_in_every_form),
		cmocka_unit_test(flags),
		cmocka_unit_test(lists_keep_their_order),
		cmocka_unit_test(commands_are_not_read),
		cmocka_unit_test(refused),
		cmocka_unit_test(empty_values),
		cmocka_unit_test(the_greatest_number),
		cmocka_unit_test(numbers),
		cmocka_unit_test(tables_are_sound),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
