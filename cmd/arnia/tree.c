/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Objects for people: "key: value" lines, with amounts, times and lists as one reads them. */
#include <ctype.h>
#include <string.h>
#include "cmd/arnia/cli.h"
#include "lib/base/parse.h"

/* -1 stands for no limit. What is no whole number is shown as it is. */
static void amount(const json *v, struct strbuf *b, void (*text)(struct strbuf *b, uint64_t n))
{
	auto_free char *digits = json_text(v, false);
	uint64_t n = 0;

	if (str_eq(digits, "-1"))
		strbuf_add(b, "no limit");
	else if (parse_u64(digits, &n) < 0)
		out_value(b, v);
	else
		text(b, n);
}

static void add_cpu_time(struct strbuf *b, uint64_t us)
{
	if (us < 10000000)
		strbuf_addf(b, "%llums", (unsigned long long)(us / 1000));
	else
		human_duration(b, us / 1000);
}

static void add_number(struct strbuf *b, uint64_t n)
{
	strbuf_addf(b, "%llu", (unsigned long long)n);
}

static void text_size(const json *v, struct strbuf *b)
{
	amount(v, b, human_size);
}

static void text_count(const json *v, struct strbuf *b)
{
	amount(v, b, add_number);
}

static void text_ms(const json *v, struct strbuf *b)
{
	amount(v, b, human_duration);
}

static void text_cpu(const json *v, struct strbuf *b)
{
	amount(v, b, add_cpu_time);
}

/* "2026-01-31 12:00:00 UTC, 5m ago" */
static void text_time(const json *v, struct strbuf *b)
{
	const char *s = json_str(v);

	if (!s || strlen(s) < 20 || s[10] != 'T') {
		out_value(b, v);
		return;
	}
	strbuf_add_escaped(b, s, 10);
	strbuf_addc(b, ' ');
	strbuf_add_escaped(b, s + 11, 8);
	strbuf_add(b, " UTC, ");
	human_duration(b, human_since(s));
	strbuf_add(b, " ago");
}

static void text_none(const json *v, struct strbuf *b)
{
	for (size_t i = 0; i < json_len(v); i++) {
		strbuf_add(b, i ? ", " : "");
		out_value(b, json_at(v, i));
	}
	if (!json_len(v))
		strbuf_add(b, "none");
}

static const struct kind {
	const char *key, *label; /* NULL: from the key */
	void (*text)(const json *v, struct strbuf *b);
} kinds[] = {
	{ "builtAt", NULL, text_time },	   { "command", NULL, human_command }, { "controllers", NULL, text_none },
	{ "cpuUsec", "cpu time", text_cpu }, { "created", NULL, text_time },   { "exit", NULL, human_exit },
	{ "logMax", NULL, text_size },	   { "memory", NULL, text_size },      { "memoryPeak", NULL, text_size },
	{ "pids", NULL, text_count },	   { "ports", NULL, human_ports },     { "since", NULL, text_time },
	{ "size", NULL, text_size },	   { "started", NULL, text_time },     { "stateFree", "space left", text_size },
	{ "stopTimeout", NULL, text_ms },  { "swap", NULL, text_size },
};

static const struct kind *find_kind(const char *key)
{
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (str_eq(kinds[i].key, key))
			return &kinds[i];
	return NULL;
}

static void indent(struct strbuf *b, unsigned depth)
{
	for (unsigned i = 0; i < depth; i++)
		strbuf_add(b, "  ");
}

static bool is_plain(const json *v)
{
	return json_kind_of(v) != JSON_OBJECT && json_kind_of(v) != JSON_ARRAY;
}

static bool all_plain(const json *arr)
{
	for (size_t i = 0; i < json_len(arr); i++)
		if (!is_plain(json_at(arr, i)))
			return false;
	return true;
}

/* Null, "", [] and {} say nothing, nor does an object of such members. */
static bool is_nothing(const json *v)
{
	struct json_iter it;

	switch (json_kind_of(v)) {
	case JSON_NULL:
		return true;
	case JSON_STRING:
		return !*json_str(v);
	case JSON_ARRAY:
		return !json_len(v);
	case JSON_OBJECT:
		for (it = json_iter(v); json_next(&it);)
			if (!is_nothing(it.value))
				return false;
		return true;
	default:
		return false;
	}
}

/* "stateFree" -> "state free". Other people's keys (labels, sysctls) stay as they are. */
static void add_key(struct strbuf *b, const char *key, bool own)
{
	size_t n = strlen(key);

	if (!own) {
		strbuf_add_escaped(b, key, n);
		return;
	}
	for (size_t i = 0; i < n; i++) {
		if (!isupper((unsigned char)key[i])) {
			strbuf_add_escaped(b, key + i, 1);
			continue;
		}
		strbuf_addc(b, ' ');
		strbuf_addc(b, (char)tolower((unsigned char)key[i]));
	}
}

static void add_plain(struct strbuf *b, const json *v, unsigned depth)
{
	const char *s = json_str(v);

	if (json_kind_of(v) == JSON_BOOL) {
		auto_free char *text = json_text(v, false);

		strbuf_add(b, str_eq(text, "true") ? " yes\n" : " no\n");
		return;
	}
	if (!s || !strchr(s, '\n')) {
		strbuf_addc(b, ' ');
		out_value(b, v);
		strbuf_addc(b, '\n');
		return;
	}
	strbuf_addc(b, '\n');
	for (size_t n; *s; s += n + (s[n] == '\n')) {
		n = strcspn(s, "\n");
		indent(b, depth + 1);
		strbuf_add_escaped(b, s, n);
		strbuf_addc(b, '\n');
	}
}

static void add_list(struct strbuf *b, const json *arr, unsigned depth)
{
	if (all_plain(arr)) {
		for (size_t i = 0; i < json_len(arr); i++) {
			strbuf_add(b, i ? ", " : " ");
			out_value(b, json_at(arr, i));
		}
		strbuf_addc(b, '\n');
		return;
	}
	strbuf_addc(b, '\n');
	for (size_t i = 0; i < json_len(arr); i++) {
		size_t from = b->len;

		out_tree(b, json_at(arr, i), depth + 2);
		/* Two columns are free before each line: the first gets the dash. */
		if (b->len > from)
			b->s[from + 2 * (depth + 1)] = '-';
	}
}

static void add_member(struct strbuf *b, const char *key, const json *v, unsigned depth, bool own)
{
	const struct kind *kind = own ? find_kind(key) : NULL;

	if (is_nothing(v) && !(kind && kind->text == text_none))
		return;
	indent(b, depth);
	add_key(b, kind && kind->label ? kind->label : key, own);
	strbuf_addc(b, ':');
	if (kind) {
		strbuf_addc(b, ' ');
		kind->text(v, b);
		strbuf_addc(b, '\n');
	} else if (is_plain(v)) {
		add_plain(b, v, depth);
	} else if (json_kind_of(v) == JSON_ARRAY) {
		add_list(b, v, depth);
	} else {
		strbuf_addc(b, '\n');
		for (struct json_iter it = json_iter(v); json_next(&it);)
			add_member(b, it.key, it.value, depth + 1, !word_in("labels sysctls", key, strlen(key)));
	}
}

void out_tree(struct strbuf *b, const json *j, unsigned depth)
{
	if (json_kind_of(j) != JSON_OBJECT) {
		indent(b, depth);
		out_value(b, j);
		strbuf_addc(b, '\n');
		return;
	}
	for (struct json_iter it = json_iter(j); json_next(&it);)
		add_member(b, it.key, it.value, depth, true);
}
