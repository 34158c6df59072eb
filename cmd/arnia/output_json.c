/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>
#include "cmd/arnia/cli.h"

/* Characters that JSON lets stand in a string and that steer a terminal: DEL, C1, directions, line
 * separators. */
static const struct {
	uint16_t first, last;
} steering[] = { { 0x7f, 0x9f },     { 0x61c, 0x61c },	 { 0x200e, 0x200f },
		 { 0x2028, 0x202e }, { 0x2066, 0x2069 }, { 0xfeff, 0xfeff } };

static bool is_steering(unsigned c)
{
	for (size_t i = 0; i < ARRAY_SIZE(steering); i++)
		if (c >= steering[i].first && c <= steering[i].last)
			return true;
	return false;
}

/* The character at s (well-formed UTF-8) when it has at most three bytes; longer ones are none of ours. */
static unsigned char_at(const unsigned char *s, size_t *ret_len)
{
	*ret_len = s[0] < 0xc0 ? 1 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;
	if (*ret_len == 2)
		return (s[0] & 0x1fu) << 6 | (s[1] & 0x3fu);
	if (*ret_len == 3)
		return (s[0] & 0x0fu) << 12 | (s[1] & 0x3fu) << 6 | (s[2] & 0x3fu);
	return *ret_len == 1 ? s[0] : 0;
}

void out_json_text(struct strbuf *b, const json *j, bool pretty)
{
	auto_free char *text = json_text(j, pretty);
	const char *from = text;
	size_t len;

	/* They can only be inside strings, where \uXXXX means the same. */
	for (const char *p = text; *p; p += len) {
		unsigned c = char_at((const unsigned char *)p, &len);

		if (!is_steering(c))
			continue;
		strbuf_add_n(b, from, (size_t)(p - from));
		strbuf_addf(b, "\\u%04x", c);
		from = p + len;
	}
	strbuf_add(b, from);
}

bool out_is_json(const struct cli *c)
{
	return c->format == FORMAT_JSON || c->format == FORMAT_JSONL;
}

int out_json(struct cli *c, const json *j, bool pretty)
{
	struct strbuf b = { 0 };
	bool ok;

	out_json_text(&b, j, pretty);
	if (!pretty)
		strbuf_addc(&b, '\n');
	ok = cli_write(c, b.s, b.len);
	strbuf_done(&b);
	return ok ? 0 : ERR_FAILED;
}

int out_object(struct cli *c, const char *member, json *value)
{
	auto_json json *o = json_new_obj();

	json_add_i64(o, "schema", JSON_SCHEMA);
	json_add(o, member, value);
	return out_json(c, o, c->format == FORMAT_JSON);
}

void out_lines(struct strbuf *b, const char *text)
{
	while (*text) {
		size_t n = strcspn(text, "\n");

		strbuf_add_escaped(b, text, n);
		strbuf_addc(b, '\n');
		text += n + (text[n] == '\n');
	}
}
