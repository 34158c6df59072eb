/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "cmd/arnia/cli.h"
#include "lib/base/file.h"

static void text_twice(const json *row, struct strbuf *out)
{
	out_value(out, row_member(row, "n"));
	out_value(out, row_member(row, "n"));
}

static const struct field fields[] = {
	{ "name", "name", NULL, false, false },
	{ "n", "number", NULL, true, false },
	{ "twice", NULL, text_twice, false, false },
	{ "any", "any", NULL, false, false },
};
static const struct listing things = { "things", fields, ARRAY_SIZE(fields), "name", "nothing" };
static void text_size(const json *row, struct strbuf *out)
{
	uint64_t n = 0;

	assert_int_equal(json_get_u64(row, "n", &n, NULL), 1);
	human_size(out, n);
}

static const struct field text_fields[] = { { "n", "n", text_size, false, false } };
static const struct listing with_text = { "things", text_fields, ARRAY_SIZE(text_fields), "name", "nothing" };
static const char rows_text[] =
	"[{\"name\":\"b\",\"n\":10,\"any\":[1,\"x\"]},{\"name\":\"a\",\"n\":9,\"any\":null},"
	"{\"name\":\"\\u00e9\\u001b,\\\"\",\"n\":9,\"any\":{\"k\":true}}]";

/* What out_rows writes to standard output. */
static char *printed_as(const struct listing *l, struct cli *c, const char *text, int expected)
{
	auto_json json *rows = json_parse(text, strlen(text), NULL);
	int keep = dup(STDOUT_FILENO), fd = memfd_create("out", MFD_CLOEXEC);
	char *out = NULL;

	assert_true(keep >= 0 && fd >= 0 && dup2(fd, STDOUT_FILENO) >= 0);
	assert_int_equal(out_rows(c, l, rows), expected);
	assert_true(dup2(keep, STDOUT_FILENO) >= 0);
	assert_true(file_read_fd(fd, 1 << 16, &out, NULL) >= 0);
	close(keep);
	close(fd);
	arena_done(&c->arena);
	return out;
}

static char *printed(struct cli *c, const char *text, int expected)
{
	return printed_as(&things, c, text, expected);
}

static void formats(void **state)
{
	static const struct {
		struct cli c;
		const char *out;
	} cases[] = {
		{ { .format = FORMAT_TABLE },
		  "NAME     NUMBER  ANY\nb            10  [1,\"x\"]\na             9  -\n\xc3\xa9\\x1b,\"    "
		  "   9  {\"k\":true}\n" },
		{ { .format = FORMAT_TABLE, .no_header = true, .fields = "n,name", .sort = "n" },
		  " 9  a\n 9  \xc3\xa9\\x1b,\"\n10  b\n" },
		{ { .format = FORMAT_TABLE, .fields = "twice", .sort = "-n" }, "TWICE\n1010\n99\n99\n" },
		{ { .format = FORMAT_PLAIN, .fields = "name,n" }, "b\t10\na\t9\n\xc3\xa9\\x1b,\"\t9\n" },
		{ { .format = FORMAT_CSV, .fields = "name,any" },
		  "name,any\nb,\"[1,\"\"x\"\"]\"\na,\n\"\xc3\xa9\\x1b,\"\"\",\"{\"\"k\"\":true}\"\n" },
		{ { .format = FORMAT_CSV, .fields = "n", .no_header = true }, "10\n9\n9\n" },
		{ { .format = FORMAT_JSONL, .fields = "n,twice" },
		  "{\"n\":10,\"twice\":\"1010\"}\n{\"n\":9,\"twice\":\"99\"}\n{\"n\":9,\"twice\":\"99\"}\n" },
		{ { .format = FORMAT_JSON, .quiet = true }, "b\na\n\xc3\xa9\\x1b,\"\n" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct cli c = cases[i].c;
		auto_free char *out = printed(&c, rows_text, 0);

		assert_string_equal(out, cases[i].out);
	}
}

static void json_has_a_schema(void **state)
{
	struct cli c = { .format = FORMAT_JSON };
	auto_free char *out = printed(&c, rows_text, 0);
	auto_json json *j = json_parse(out, strlen(out), NULL);
	const json *rows = NULL;
	uint64_t schema = 0;

	(void)state;
	assert_non_null(j);
	assert_int_equal(json_get_u64(j, "schema", &schema, NULL), 1);
	assert_int_equal(schema, 1);
	assert_int_equal(json_get_arr(j, "things", &rows, NULL), 1);
	assert_int_equal(json_len(rows), 3);
}

static void unknown_fields(void **state)
{
	static const char *const bad[] = { "", "nope", "name,", ",name", "name,,n", "nam", "name n" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct cli c = { .fields = bad[i], .quiet = true }, s = { .sort = bad[i] };
		auto_free char *out = printed(&c, rows_text, ERR_USAGE);
		auto_free char *sorted = printed(&s, rows_text, ERR_USAGE);

		assert_string_equal(out, "");
		assert_string_equal(sorted, "");
	}
}

static void nothing(void **state)
{
	struct cli c = { .format = FORMAT_CSV }, t = { .format = FORMAT_TABLE };
	auto_free char *csv = printed(&c, "[]", 0);
	auto_free char *table = printed(&t, "[]", 0);

	(void)state;
	assert_string_equal(csv, "name,n,any\n");
	assert_string_equal(table, "");
}

static void json_text_without_steering(void **state)
{
	static const char in[] =
		"{\"a\":\"\\u007f\\u009b\\u202e\\u2066\\ufeff\\u001b\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\","
		"\"\\u200f\":1}";
	auto_json json *j = json_parse(in, sizeof(in) - 1, NULL), *again = NULL;
	struct strbuf b = { 0 };
	const char *before = NULL, *after = NULL;

	(void)state;
	out_json_text(&b, j, false);
	assert_string_equal(
		strbuf_cstr(&b),
		"{\"a\":\"\\u007f\\u009b\\u202e\\u2066\\ufeff\\u001b\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\","
		"\"\\u200f\":1}");
	again = json_parse(b.s, b.len, NULL);
	assert_int_equal(json_get_str(j, "a", &before, NULL), 1);
	assert_int_equal(json_get_str(again, "a", &after, NULL), 1);
	assert_string_equal(before, after);
	strbuf_done(&b);
}

static void trees(void **state)
{
	static const struct {
		const char *in, *out;
	} cases[] = {
		{ "{\"a\":1,\"b\":null,\"c\":[1,\"x\\ty\"],\"d\":{\"e\":true,\"f\":[{\"g\":1,\"h\":false},{\"g\":2}]}}",
		  "a: 1\nc: 1, x\\x09y\nd:\n  e: yes\n  f:\n    - g: 1\n      h: no\n    - g: 2\n" },
		/* What says nothing is not said. */
		{ "{\"h\":[],\"i\":{},\"j\":\"\",\"k\":{\"l\":[],\"m\":null},\"controllers\":[]}", "controllers: none\n" },
		{ "{\"size\":1536,\"swap\":-1,\"pids\":-1,\"memory\":\"odd\",\"stopTimeout\":5000,\"cpuUsec\":12345}",
		  "size: 1.5K\nswap: no limit\npids: no limit\nmemory: odd\nstop timeout: 5s\ncpu time: 12ms\n" },
		{ "{\"cpuUsec\":120000000,\"memory\":1.5,\"stateFree\":1024,\"since\":\"today\"}",
		  "cpu time: 2m\nmemory: 1.5\nspace left: 1.0K\nsince: today\n" },
		{ "{\"command\":[\"sh\",\"-c\",\"echo it's\",\"\"],\"limits\":\"a 1\\nb 2\\n\"}",
		  "command: sh -c 'echo it'\\''s' ''\nlimits:\n  a 1\n  b 2\n" },
		{ "{\"ports\":[{\"hostPort\":8080,\"port\":80},{\"hostAddress\":\"127.0.0.1\",\"port\":53,\"protocol\":\"udp\"}],"
		  "\"exit\":{\"code\":3}}",
		  "ports: 8080->80/tcp,127.0.0.1:53/udp\nexit: exit 3\n" },
		/* Keys of the user's stay as they are, values too. */
		{ "{\"labels\":{\"myKey\":\"v\",\"size\":\"1536\"}}", "labels:\n  myKey: v\n  size: 1536\n" },
	};
	struct strbuf b = { 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		auto_json json *j = json_parse(cases[i].in, strlen(cases[i].in), NULL);

		assert_non_null(j);
		out_tree(&b, j, 0);
		assert_string_equal(strbuf_cstr(&b), cases[i].out);
		strbuf_done(&b);
	}
	out_lines(&b, "one\n\ntw\033o\nend");
	assert_string_equal(strbuf_cstr(&b), "one\n\ntw\\x1bo\nend\n");
	strbuf_done(&b);
}

static void suggestions(void **state)
{
	static const char words[] = "run create restart start stop list completion";
	static const struct {
		const char *typed, *meant;
	} cases[] = {
		{ "rnu", "run" },   { "ru", "run" },	 { "runn", "run" },	  { "strat", "start" }, { "stpo", "stop" },
		{ "lits", "list" }, { "crate", "create" }, { "completon", "completion" }, { "x", "" },
		{ "", "" },	    { "upgrade", "" },	 { "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct suggestion s = { .typed = cases[i].typed };

		suggest_words(&s, words);
		suggest_words(&s, NULL);
		assert_int_equal(s.n, strlen(cases[i].meant));
		assert_memory_equal(s.n ? s.word : "", cases[i].meant, s.n);
	}
}

static void times(void **state)
{
	static const char in[] = "{\"created\":\"2026-01-31T12:00:00.123456789Z\"}";
	auto_json json *j = json_parse(in, sizeof(in) - 1, NULL);
	struct strbuf b = { 0 };

	(void)state;
	out_tree(&b, j, 0);
	assert_true(str_starts(b.s, "created: 2026-01-31 12:00:00 UTC, "));
	assert_true(str_ends(b.s, " ago\n"));
	strbuf_done(&b);
}

/* Programs and the order go by the member, people by the text. */
static void raw_cells(void **state)
{
	static const char sizes[] = "[{\"name\":\"a\",\"n\":2000},{\"name\":\"b\",\"n\":3},{\"name\":\"c\",\"n\":100}]";
	struct cli t = { .fields = "n", .sort = "n", .no_header = true }, csv = { .format = FORMAT_CSV, .fields = "n" };
	auto_free char *table = printed_as(&with_text, &t, sizes, 0), *raw = printed_as(&with_text, &csv, sizes, 0);

	(void)state;
	assert_string_equal(table, "3B\n100B\n1.9K\n");
	assert_string_equal(raw, "n\n2000\n3\n100\n");
}

static void human(void **state)
{
	static const struct {
		uint64_t n;
		const char *duration, *size;
	} cases[] = {
		{ 0, "0s", "0B" },	    { 1023, "1s", "1023B" },	 { 1024, "1s", "1.0K" },
		{ 119999, "119s", "117K" }, { 120000, "2m", "117K" },	 { 7199999, "119m", "6.8M" },
		{ 7200000, "2h", "6.8M" },  { 172800000, "2d", "164M" }, { 10737418240, "124d", "10.0G" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct strbuf b = { 0 };

		human_duration(&b, cases[i].n);
		assert_string_equal(strbuf_cstr(&b), cases[i].duration);
		strbuf_done(&b);
		human_size(&b, cases[i].n);
		assert_string_equal(strbuf_cstr(&b), cases[i].size);
		strbuf_done(&b);
	}
	assert_int_equal(human_since("2999-01-01T00:00:00Z"), 0);
	assert_int_equal(human_since("not a time"), 0);
	assert_int_equal(human_since(NULL), 0);
	assert_true(human_since("1970-01-02T00:00:00Z") > 1000000000000ULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(formats),
		cmocka_unit_test(json_has_a_schema),
		cmocka_unit_test(unknown_fields),
		cmocka_unit_test(nothing),
		cmocka_unit_test(json_text_without_steering),
		cmocka_unit_test(trees),
		cmocka_unit_test(times),
		cmocka_unit_test(raw_cells),
		cmocka_unit_test(suggestions),
		cmocka_unit_test(human),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
