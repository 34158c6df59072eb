/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/unit/base/unit.h"
#include <stdlib.h>
#include "lib/base/json.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"

static json *parse(const char *s)
{
	struct error err;
	json *j = json_parse(s, strlen(s), &err);

	if (!j)
		fail_msg("%s: %s", s, err.text);
	return j;
}

static void test_refused(void **state)
{
	static const struct {
		const char *text, *why; /* part of the message */
	} cases[] = {
		{ "", "value" },	      { " ", "value" },		    { "nul", "value" },
		{ "null", "null" },	      { "{", "string" },	    { "{\"a\"}", "':'" },
		{ "{\"a\":}", "value" },      { "{\"a\":1,}", "string" },   { "[1,]", "value" },
		{ "[1 2]", "']'" },	      { "{\"a\":1 \"b\":2}", "'}'" }, { "{} {}", "after" },
		{ "{}x", "after" },	      { "{a:1}", "string" },	    { "{'a':1}", "string" },
		{ "[NaN]", "value" },	      { "[Infinity]", "value" },    { "[-Infinity]", "value" },
		{ "[01]", "']'" },	      { "[1.]", "digit" },	    { "[.5]", "value" },
		{ "[1e]", "digit" },	      { "[+1]", "value" },	    { "[-]", "value" },
		{ "[1e999]", "range" },	      { "[0x10]", "']'" },	    { "[18446744073709551616]", "range" },
		{ "[-9223372036854775809]", "range" }, { "[99999999999999999999999]", "range" },
		{ "[\"a]", "end" },	      { "[\"\t\"]", "control" },    { "[\"\n\"]", "control" },
		{ "[\"\\x\"]", "escape" },    { "[\"\\u12\"]", "hex" },	    { "[\"\\u0000\"]", "NUL" },
		{ "[\"\\ud800\"]", "surrogate" }, { "[\"\\ud800\\u0041\"]", "surrogate" }, { "[\"\\udc00\"]", "surrogate" },
		{ "[/*c*/1]", "value" },      { "[\"\xff\"]", "UTF-8" },    { "[\"\xc0\x80\"]", "UTF-8" },
		{ "{\"a\":1,\"a\":2}", "twice" }, { "{\"a\":1,\"\\u0061\":2}", "twice" },
		{ "[{\"b\":{\"x\":1,\"x\":null}}]", "twice" }, { "{\"a\":null,\"a\":null}", "twice" },
		{ "[TRUE]", "value" },	      { "[tru]", "value" },	    { "\xef\xbb\xbf[]", "value" },
		{ "[\"\\", "escape" },	      { "[1,", "value" },	    { "]", "value" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct error err = { 0 };

		if (json_parse(cases[i].text, strlen(cases[i].text), &err))
			fail_msg("taken: %s", cases[i].text);
		if (err.code >= 0 || err.kind != ERR_USAGE || !strstr(err.text, cases[i].why))
			fail_msg("%s: %s (kind %u)", cases[i].text, err.text, err.kind);
	}
	assert_null(json_parse("[1]\0", 4, NULL));
	assert_null(json_parse("[\"a\0b\"]", 7, NULL));
}

static void test_position(void **state)
{
	struct error err;
	const char *text = "{\n  \"a\": 1,\n  \"b\" 2\n}";

	(void)state;
	assert_null(json_parse(text, strlen(text), &err));
	assert_string_equal(err.text, "JSON, line 3 column 7: expected ':'");
}

static void fill_nested(char *text, size_t depth)
{
	memset(text, '[', depth);
	memset(text + depth, ']', depth);
	text[2 * depth] = '\0';
}

static void test_depth(void **state)
{
	size_t huge = 200000;
	auto_free char *text = mem_alloc(2 * huge + 1);
	json *j;

	(void)state;
	fill_nested(text, 64);
	j = parse(text);
	json_unref(j);
	fill_nested(text, 65);
	assert_null(json_parse(text, strlen(text), NULL));
	fill_nested(text, huge);
	assert_null(json_parse(text, strlen(text), NULL));
}

/* Arrays and objects are counted wherever they stand, and not what only looks like one. */
static void test_bounded(void **state)
{
	static const struct {
		const char *text;
		size_t nested;
	} cases[] = {
		{ "1", 0 }, { "[]", 1 }, { "[{},[],{}]", 4 }, { "{\"a\":[[]],\"b\":{}}", 4 }, { "[\"[[[{{{\",1,2,3]", 1 },
	};
	struct error err = { 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const char *t = cases[i].text;
		auto_json json *j = json_parse_bounded(t, strlen(t), cases[i].nested, NULL);

		assert_non_null(j);
		if (cases[i].nested)
			assert_null(json_parse_bounded(t, strlen(t), cases[i].nested - 1, &err));
	}
	assert_non_null(strstr(err.text, "too many arrays and objects"));
}

static void test_getters(void **state)
{
	auto_json json *o = parse("{\"s\":\"x\",\"b\":true,\"u\":18446744073709551615,\"i\":-9223372036854775808,"
				  "\"n\":1.5,\"w\":7,\"z\":null,\"o\":{},\"a\":[\"p\",\"q\",\"r\"],\"m\":[\"p\",1],\"e\":[]}");
	const char *s = "kept";
	const json *v = NULL;
	bool b = false;
	uint64_t u = 1;
	int64_t i = 1;
	uint32_t w = 1;
	double n = 0;

	(void)state;
	assert_int_equal(json_get_str(o, "none", &s, NULL), 0);
	assert_int_equal(json_get_str(o, "z", &s, NULL), 0);
	assert_int_equal(json_get_str(NULL, "s", &s, NULL), 0);
	assert_string_equal(s, "kept");
	assert_int_equal(json_get_str(o, "s", &s, NULL), 1);
	assert_string_equal(s, "x");
	assert_int_equal(json_get_bool(o, "b", &b, NULL), 1);
	assert_true(b);
	assert_int_equal(json_get_u64(o, "u", &u, NULL), 1);
	assert_true(u == UINT64_MAX);
	assert_int_equal(json_get_i64(o, "i", &i, NULL), 1);
	assert_true(i == INT64_MIN);
	assert_int_equal(json_get_u32(o, "w", &w, NULL), 1);
	assert_int_equal(w, 7);
	assert_int_equal(json_get_num(o, "n", &n, NULL), 1);
	assert_true(n == 1.5);
	assert_int_equal(json_get_num(o, "w", &n, NULL), 1);
	assert_true(n == 7.0);
	assert_int_equal(json_get_obj(o, "o", &v, NULL), 1);
	assert_int_equal(json_kind_of(v), JSON_OBJECT);
	assert_int_equal(json_get_arr(o, "a", &v, NULL), 1);
	assert_int_equal(json_len(v), 3);
	assert_string_equal(json_str(json_at(v, 2)), "r");
	assert_null(json_at(v, 3));
}

static void test_getters_refuse(void **state)
{
	auto_json json *o = parse("{\"s\":\"x\",\"u\":18446744073709551615,\"i\":-1,\"n\":1.5,\"w\":4294967296,\"a\":[]}");
	struct error err = { 0 };
	const char *s = "kept";
	const json *v = NULL;
	bool b = true;
	uint64_t u = 3;
	int64_t i = 3;
	uint32_t w = 3;

	(void)state;
	assert_int_equal(json_get_str(o, "i", &s, &err), -EINVAL);
	assert_string_equal(err.text, "i: expected a string");
	assert_int_equal(err.kind, ERR_USAGE);
	assert_int_equal(json_get_bool(o, "i", &b, &err), -EINVAL);
	assert_int_equal(json_get_u64(o, "i", &u, &err), -EINVAL);
	assert_int_equal(json_get_u64(o, "n", &u, &err), -EINVAL);
	assert_int_equal(json_get_u64(o, "s", &u, &err), -EINVAL);
	assert_int_equal(json_get_i64(o, "u", &i, &err), -EINVAL);
	assert_int_equal(json_get_u32(o, "w", &w, &err), -EINVAL);
	assert_string_equal(err.text, "w: expected a number from 0 to 4294967295");
	assert_int_equal(json_get_obj(o, "a", &v, &err), -EINVAL);
	assert_int_equal(json_get_arr(o, "s", &v, &err), -EINVAL);
	assert_int_equal(json_get_str(json_at(NULL, 0), "s", &s, &err), 0);
	json_get_arr(o, "a", &v, NULL);
	assert_int_equal(json_get_str(v, "s", &s, &err), -EINVAL);
	assert_string_equal(s, "kept");
	assert_true(b && u == 3 && i == 3 && w == 3);
}

static void test_strv(void **state)
{
	auto_json json *o = parse("{\"a\":[\"p\",\"q\",\"r\"],\"m\":[\"p\",1],\"e\":[]}");
	struct arena a = { 0 };
	struct strv sv = { 0 };
	struct error err;

	(void)state;
	assert_int_equal(json_get_strv(o, "none", &a, &sv, &err), 0);
	assert_int_equal(json_get_strv(o, "a", &a, &sv, &err), 1);
	assert_int_equal(sv.n, 3);
	strv_push(&a, &sv, "more");
	assert_string_equal(sv.v[1], "q");
	assert_string_equal(sv.v[3], "more");
	assert_int_equal(json_get_strv(o, "m", &a, &sv, &err), -EINVAL);
	assert_string_equal(err.text, "m[1]: expected a string");
	assert_int_equal(sv.n, 4);
	assert_int_equal(json_get_strv(o, "e", &a, &sv, &err), 1);
	assert_int_equal(sv.n, 0);
	arena_done(&a);
}

static void test_iterate(void **state)
{
	static const char *const all[] = { "a", "b", "c", NULL }, *const some[] = { "a", "b", NULL };
	auto_json json *o = parse("{\"a\":1,\"b\":null,\"c\":[]}");
	struct strbuf seen = { 0 };
	struct error err;

	(void)state;
	for (struct json_iter it = json_iter(o); json_next(&it);)
		strbuf_addf(&seen, "%s%d ", it.key, (int)json_kind_of(it.value));
	assert_string_equal(strbuf_cstr(&seen), "a2 b0 c5 ");
	strbuf_done(&seen);
	for (struct json_iter it = json_iter(NULL); json_next(&it);)
		fail();
	assert_int_equal(json_only_keys(o, all, &err), 0);
	assert_int_equal(json_only_keys(o, some, &err), -EINVAL);
	assert_string_equal(err.text, "c: no such member");
}

static void test_build(void **state)
{
	json *o = json_new_obj(), *arr = json_new_arr();
	const char *strings[] = { "x", "y" };
	struct strv sv = { strings, 2 };
	auto_free char *text = NULL, *pretty = NULL;

	(void)state;
	json_add_str(o, "s", "a/b \"q\"\n");
	json_add_str(o, "none", NULL);
	json_add_u64(o, "u", UINT64_MAX);
	json_add_i64(o, "i", INT64_MIN);
	json_add_bool(o, "b", false);
	json_add_strv(o, "v", &sv);
	json_push(arr, json_new_num(0.1));
	json_push(arr, json_new_num(3));
	json_push(arr, json_new_num(1e300));
	json_push(arr, json_new_num(1.0 / 3));
	json_add(o, "n", arr);
	json_add_str(o, "bad", "a\xff\x1b");
	text = json_text(o, false);
	assert_string_equal(text, "{\"s\":\"a/b \\\"q\\\"\\n\",\"u\":18446744073709551615,\"i\":-9223372036854775808,"
				  "\"b\":false,\"v\":[\"x\",\"y\"],\"n\":[0.1,3.0,1e+300,0.33333333333333331],"
				  "\"bad\":\"a\\\\xff\\\\x1b\"}");
	pretty = json_text(o, true);
	assert_true(str_starts(pretty, "{\n  \"s\": \"a/b"));
	assert_true(str_ends(pretty, "\n}\n"));
	json_unref(o);
	/* What we write, we can read. */
	o = parse(text);
	mem_freep(&pretty);
	pretty = json_text(o, false);
	assert_string_equal(pretty, text);
	json_unref(o);
}

/* Every prefix of a text that uses everything: refused, and no crash. */
static void test_prefixes(void **state)
{
	const char *text = "{\"a\":[1,-2.5e+3,true,false,null,\"\\u00e4\\ud83d\\ude00\\n\"],\"b\":{\"c\":\"\xc3\xa4\"}}";
	json *j = parse(text);

	(void)state;
	json_unref(j);
	for (size_t n = 0; n < strlen(text); n++)
		assert_null(json_parse(text, n, NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_refused),	 cmocka_unit_test(test_position), cmocka_unit_test(test_depth),
		cmocka_unit_test(test_bounded),
		cmocka_unit_test(test_getters),	 cmocka_unit_test(test_getters_refuse), cmocka_unit_test(test_strv),
		cmocka_unit_test(test_iterate),	 cmocka_unit_test(test_build),	  cmocka_unit_test(test_prefixes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
