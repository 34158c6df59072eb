/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/unit/base/unit.h"
#include <stdlib.h>
#include <time.h>
#include "lib/base/mem.h"
#include "lib/base/str.h"

static void test_buffer(void **state)
{
	struct strbuf b = { 0 };
	char *s;

	(void)state;
	assert_string_equal(strbuf_cstr(&b), "");
	strbuf_add(&b, NULL);
	strbuf_add(&b, "ab");
	strbuf_addc(&b, 'c');
	strbuf_addf(&b, "%d-%s", 12, "x");
	strbuf_add_n(&b, "yz!", 2);
	assert_string_equal(strbuf_cstr(&b), "abc12-xyz");
	assert_int_equal(b.len, 9);
	for (int i = 0; i < 5000; i++)
		strbuf_addf(&b, "%04d", i);
	assert_int_equal(b.len, 9 + 20000);
	assert_memory_equal(b.s + 9 + 4 * 4321, "4321", 4);
	s = strbuf_steal(&b);
	assert_int_equal(strlen(s), 20009);
	assert_null(b.s);
	free(s);
	s = strbuf_steal(&b);
	assert_string_equal(s, "");
	free(s);
	strbuf_done(&b);
}

static void test_small(void **state)
{
	char buf[4] = "zzz";

	(void)state;
	assert_true(str_eq(NULL, NULL));
	assert_false(str_eq(NULL, ""));
	assert_false(str_eq("", NULL));
	assert_true(str_eq("a", "a"));
	assert_true(str_starts("abc", "ab"));
	assert_false(str_starts(NULL, "ab"));
	assert_string_equal(str_after("key=v", "key="), "v");
	assert_null(str_after("ke", "key"));
	assert_true(str_ends("a.json", ".json"));
	assert_false(str_ends("json", ".json"));
	assert_false(str_ends(NULL, ""));
	assert_true(str_is_empty(NULL));
	assert_true(str_is_empty(""));
	assert_int_equal(str_copy(buf, sizeof(buf), "abc"), 0);
	assert_string_equal(buf, "abc");
	assert_int_equal(str_copy(buf, sizeof(buf), "wxyz"), -ENAMETOOLONG);
	assert_string_equal(buf, "wxy");
	assert_int_equal(str_copy(buf, 1, "w"), -ENAMETOOLONG);
	assert_string_equal(buf, "");
	assert_int_equal(str_copy(buf, 0, "w"), -ENAMETOOLONG);
}

static void test_glob(void **state)
{
	static const struct {
		const char *pattern, *text;
		bool match;
	} cases[] = {
		{ "", "", true },	    { "", "a", false },	       { "*", "", true },	  { "*", "a/b", true },
		{ "*", ".hidden", true },   { "web*", "web-1", true }, { "web*", "we", false },	  { "*-1", "web-1", true },
		{ "w?b", "web", true },	    { "w?b", "wb", false },    { "[a-c]x", "bx", true },  { "[a-c]x", "dx", false },
		{ "[!a-c]x", "dx", true },  { "[^a]", "a", false },    { "[]]", "]", true },	  { "[a-]", "-", true },
		{ "\\*", "*", true },	    { "\\*", "a", false },     { "[", "[", true },	  { "[ab", "[ab", true },
		{ "a*b*c", "aXbYc", true }, { "a*b*c", "aXbY", false }, { "**", "x", true },	  { "*a", "aaab", false },
		{ "*ab", "aaab", true },    { "[\\]]", "]", true },    { "a\\", "a\\", true },	  { "[b-a]", "b", false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		if (str_glob(cases[i].pattern, cases[i].text) != cases[i].match)
			fail_msg("\"%s\" and \"%s\"", cases[i].pattern, cases[i].text);
}

/* The pattern that takes a recursive matcher for ever. */
static void test_glob_bounded(void **state)
{
	char pattern[260], text[20001];
	clock_t start = clock();

	(void)state;
	for (int i = 0; i < 250; i += 2)
		memcpy(pattern + i, "*a", 2);
	strcpy(pattern + 250, "b");
	memset(text, 'a', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	assert_false(str_glob(pattern, text));
	assert_true(clock() - start < 5 * CLOCKS_PER_SEC);
	memset(pattern, '*', 257);
	pattern[257] = '\0';
	assert_false(str_glob(pattern, "x"));
	pattern[256] = '\0';
	assert_true(str_glob(pattern, "x"));
}

static void test_utf8(void **state)
{
	static const char *const good[] = { "", "abc", "\xc3\xa4", "\xe2\x82\xac", "\xf0\x9f\x98\x80", "\xf4\x8f\xbf\xbf",
					    "\xed\x9f\xbf", "\xee\x80\x80" };
	static const char *const bad[] = { "\x80", "\xc3", "\xc0\x80", "\xc1\xbf", "\xe0\x80\x80", "\xed\xa0\x80",
					   "\xf0\x80\x80\x80", "\xf4\x90\x80\x80", "\xf8\x88\x80\x80\x80", "\xff", "a\xe2\x82",
					   "\xe2(\xa1" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(good); i++)
		if (!utf8_valid(good[i], strlen(good[i])))
			fail_msg("good %zu", i);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		if (utf8_valid(bad[i], strlen(bad[i])))
			fail_msg("bad %zu", i);
	assert_false(utf8_valid("a\0b", 3));
}

static void check_escape(const char *in, size_t n, const char *want)
{
	struct strbuf b = { 0 };

	strbuf_add_escaped(&b, in, n);
	assert_string_equal(strbuf_cstr(&b), want);
	strbuf_done(&b);
}

static void test_escape(void **state)
{
	(void)state;
	check_escape("plain \xc3\xa4 \\", 10, "plain \xc3\xa4 \\");
	check_escape("a\nb\x1b[2J", 7, "a\\x0ab\\x1b[2J");
	check_escape("\x7f\0", 2, "\\x7f\\x00");
	check_escape("\xff\xc3", 2, "\\xff\\xc3");
	check_escape("\xe2\x80\xae", 3, "\\u202e");
	check_escape("\xe2\x81\xa6", 3, "\\u2066");
	check_escape("\xe2\x80\xa8", 3, "\\u2028");
	check_escape("\xc2\x9b", 2, "\\u009b");
	check_escape("", 0, "");
}

/* Whatever goes in: what comes out is valid text without control bytes. */
static void test_escape_everything(void **state)
{
	unsigned seed = 12345;

	(void)state;
	for (int round = 0; round < 2000; round++) {
		struct strbuf b = { 0 };
		char in[24];

		for (size_t i = 0; i < sizeof(in); i++)
			in[i] = (char)rand_r(&seed);
		strbuf_add_escaped(&b, in, sizeof(in));
		assert_true(utf8_valid(b.s, b.len));
		for (size_t i = 0; i < b.len; i++)
			assert_true((unsigned char)b.s[i] >= 0x20 && b.s[i] != 0x7f);
		strbuf_done(&b);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_buffer),	     cmocka_unit_test(test_small), cmocka_unit_test(test_glob),
		cmocka_unit_test(test_glob_bounded), cmocka_unit_test(test_utf8),  cmocka_unit_test(test_escape),
		cmocka_unit_test(test_escape_everything),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
