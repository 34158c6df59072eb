/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <string.h>
#include "cmd/arnia/cli.h"

static const struct opt_def own[] = {
	{ O_TTY, 't', "tty", OPT_FLAG, NULL, "", NULL },
	{ O_INTERACTIVE, 'i', "interactive", OPT_FLAG, NULL, "", NULL },
	{ O_ENV, 'e', "env", OPT_TEXT, "K=V", "", NULL },
	{ O_MEMORY, 'm', "memory mem", OPT_LIMIT, "SIZE", "", NULL },
	{ O_NETWORK, 0, "network net", OPT_CHOICE, "MODE", "", "routed none host" },
	{ O_FOLLOW, 'f', "follow", OPT_FLAG, NULL, "", NULL },
};
static const struct opt_def general[] = {
	{ O_FORMAT, 'f', "format", OPT_CHOICE, "FORMAT", "", "table json" },
	{ O_VERBOSE, 'v', "verbose", OPT_FLAG, NULL, "", NULL },
};

struct parsed {
	struct arena arena;
	struct opt_line line;
	struct error err;
	int code;
};

/* words: the arguments, separated by single spaces. */
static struct parsed parse(const char *words, bool stop)
{
	const struct opt_table tables[] = { OPT_TABLE(own), OPT_TABLE(general) };
	const struct opt_syntax syntax = { tables, 2, stop };
	struct parsed p = { .code = 0 };
	char *argv[32], *copy = arena_str(&p.arena, words), *word;
	size_t n = 0;

	while ((word = strsep(&copy, " ")))
		argv[n++] = word;
	p.code = opts_parse(&syntax, argv, n, &p.arena, &p.line, &p.err);
	return p;
}

static void assert_args(const struct parsed *p, const char *words)
{
	struct strbuf b = { 0 };

	assert_int_equal(p->code, 0);
	for (size_t i = 0; i < p->line.args.n; i++)
		strbuf_addf(&b, "%s%s", i ? " " : "", p->line.args.v[i]);
	assert_string_equal(strbuf_cstr(&b), words);
	strbuf_done(&b);
}

static void forms(void **state)
{
	static const char *const same[] = { "-m 512M x",       "-m512M x",	  "-m=512M x",
					    "--memory 512M x", "--memory=512M x", "--mem=512M x",
					    "x -m 512M",       "-tim512M x",	  "-ti -m 512M -- x" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(same); i++) {
		struct parsed p = parse(same[i], false);

		assert_args(&p, "x");
		assert_int_equal(opt_num(&p.line, O_MEMORY, 0), 512u << 20);
		arena_done(&p.arena);
	}
}

static void flags(void **state)
{
	struct parsed p = parse("-it --follow=no -v", false);

	(void)state;
	assert_args(&p, "");
	assert_true(opt_flag(&p.line, O_TTY, false) && opt_flag(&p.line, O_INTERACTIVE, false));
	assert_false(opt_flag(&p.line, O_FOLLOW, true));
	assert_true(opt_flag(&p.line, O_VERBOSE, false));
	assert_true(opt_flag(&p.line, O_RM, true));
	assert_null(opt_get(&p.line, O_RM));
	arena_done(&p.arena);
	p = parse("-it=false", false);
	assert_true(opt_flag(&p.line, O_INTERACTIVE, false));
	assert_false(opt_flag(&p.line, O_TTY, true));
	arena_done(&p.arena);
}

/* A verb's own option goes before the general one of the same letter. */
static void own_before_general(void **state)
{
	struct parsed p = parse("-f --format json", false);

	(void)state;
	assert_args(&p, "");
	assert_true(opt_flag(&p.line, O_FOLLOW, false));
	assert_string_equal(opt_text(&p.line, O_FORMAT), "json");
	arena_done(&p.arena);
}

static void the_last_wins_and_all_are_kept(void **state)
{
	struct parsed p = parse("-e A=1 -m 1K --env=B=2 -m 2K -eC", false);
	const struct opt_val *v = NULL;

	(void)state;
	assert_int_equal(p.code, 0);
	assert_int_equal(opt_num(&p.line, O_MEMORY, 0), 2048);
	v = opt_each(&p.line, O_ENV, v);
	assert_string_equal(v->text, "A=1");
	v = opt_each(&p.line, O_ENV, v);
	assert_string_equal(v->text, "B=2");
	v = opt_each(&p.line, O_ENV, v);
	assert_string_equal(v->text, "C");
	assert_null(opt_each(&p.line, O_ENV, v));
	arena_done(&p.arena);
}

static void ends_of_options(void **state)
{
	struct parsed p = parse("-t image ls -m -- -x", true);

	(void)state;
	assert_args(&p, "image ls -m -- -x");
	assert_int_equal(p.line.dashes, SIZE_MAX);
	arena_done(&p.arena);
	p = parse("one -t -- -m two --", false);
	assert_args(&p, "one -m two --");
	assert_int_equal(p.line.dashes, 1);
	arena_done(&p.arena);
	/* A lone dash is an argument, and a value may begin with one. */
	p = parse("- -m -1", false);
	assert_args(&p, "-");
	assert_true(opt_num(&p.line, O_MEMORY, 0) == OPT_UNLIMITED);
	arena_done(&p.arena);
}

static void refused(void **state)
{
	static const char *const lines[][2] = {
		{ "--nope", "no such option: --nope" },
		{ "--nope=1", "no such option: --nope" },
		{ "--me 1", "no such option: --me; did you mean --mem?" },
		{ "-x", "no such option: -x" },
		{ "-tx", "no such option: -x" },
		{ "-m", "-m: needs a value (SIZE)" },
		{ "--memory", "--memory: needs a value (SIZE)" },
		{ "-m 1Q", "-m: \"1Q\" is not a size like 512M or 10G, or -1" },
		{ "--tty=perhaps", "--tty: \"perhaps\" is not yes or no" },
		{ "--net=bridge", "--net: \"bridge\" is not one of: routed none host" },
		{ "--net=", "--net: \"\" is not one of: routed none host" },
		{ "--net=routed none", "" },
		{ "--=x", "no such option: --" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
		struct parsed p = parse(lines[i][0], false);

		if (!*lines[i][1]) {
			assert_int_equal(p.code, 0);
		} else {
			assert_int_equal(p.code, -EINVAL);
			assert_int_equal(p.err.kind, ERR_USAGE);
			assert_string_equal(p.err.text, lines[i][1]);
		}
		arena_done(&p.arena);
	}
}

/* No verb has an option twice, and each is found by all its names. */
static void tables_are_unambiguous(void **state)
{
	(void)state;
	for (size_t i = 0; i < verbs_n; i++) {
		struct opt_table tables[5];
		struct opt_syntax s = verb_syntax(&verbs[i], tables);
		bool keys[256] = { false };

		for (size_t t = 0; t < s.n_tables; t++)
			for (size_t k = 0; k < tables[t].n; k++) {
				unsigned char key = (unsigned char)tables[t].v[k].key;

				/* create -t is --template there; everywhere else a letter is one option. */
				if (key && keys[key] && !(verbs[i].fn == cmd_create && key == 't'))
					fail_msg("%s: -%c twice", verbs[i].name, key);
				keys[key] = key != 0;
				assert_true(tables[t].v[k].type == OPT_FLAG || tables[t].v[k].arg);
				assert_true(tables[t].v[k].type != OPT_CHOICE || tables[t].v[k].choices);
			}
		assert_ptr_equal(verb_find(verbs, verbs_n, verbs[i].name), &verbs[i]);
		assert_true(!verbs[i].fn == (verbs[i].n_verbs > 0));
	}
}

static void aliases(void **state)
{
	static const char *const pairs[][2] = {
		{ "ls", "list" },	 { "ps", "list" },	  { "delete", "rm" },
		{ "destroy", "rm" },	 { "boot", "start" },	  { "poweroff", "stop" },
		{ "attach", "console" }, { "unpause", "resume" }, { "inspect", "info" },
		{ "enter", "shell" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(pairs); i++)
		assert_string_equal(verb_find(verbs, verbs_n, pairs[i][0])->name, pairs[i][1]);
	assert_null(verb_find(verbs, verbs_n, ""));
	assert_null(verb_find(verbs, verbs_n, "ls ps"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(forms),
		cmocka_unit_test(flags),
		cmocka_unit_test(own_before_general),
		cmocka_unit_test(the_last_wins_and_all_are_kept),
		cmocka_unit_test(ends_of_options),
		cmocka_unit_test(refused),
		cmocka_unit_test(tables_are_unambiguous),
		cmocka_unit_test(aliases),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
