/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "lib/base/json_check.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"

#define NUMBER_MAX 64

struct check {
	const char *start, *p, *end;
	unsigned depth;
	size_t members, nested, max_nested;
	struct error *err;
};

static int check_value(struct check *c);

static int wrong(const struct check *c, const char *what)
{
	size_t line = 1, column = 1;

	for (const char *p = c->start; p < c->p; p++) {
		column = *p == '\n' ? 1 : column + 1;
		line += *p == '\n';
	}
	return err_set_kind(c->err, -EINVAL, ERR_USAGE, "JSON, line %zu column %zu: %s", line, column, what);
}

/* The byte at p, 0 at the end (NUL bytes were refused before). */
static char peek(const struct check *c)
{
	return c->p < c->end ? *c->p : '\0';
}

static bool take(struct check *c, char want)
{
	if (peek(c) != want)
		return false;
	c->p++;
	return true;
}

static void skip_space(struct check *c)
{
	while (peek(c) && strchr(" \t\r\n", peek(c)))
		c->p++;
}

static size_t skip_digits(struct check *c)
{
	const char *from = c->p;

	while (peek(c) >= '0' && peek(c) <= '9')
		c->p++;
	return (size_t)(c->p - from);
}

static int check_word(struct check *c, const char *word)
{
	size_t n = strlen(word);

	if ((size_t)(c->end - c->p) < n || memcmp(c->p, word, n) != 0)
		return wrong(c, "expected a value");
	c->p += n;
	return 0;
}

/* Four hex digits after "\u". */
static int read_unit(struct check *c, uint32_t *ret)
{
	static const char digits[] = "0123456789abcdef0123456789ABCDEF";
	uint32_t v = 0;

	for (int i = 0; i < 4; i++, c->p++) {
		const char *d = peek(c) ? strchr(digits, peek(c)) : NULL;

		if (!d)
			return wrong(c, "expected four hex digits");
		v = v << 4 | ((uint32_t)(d - digits) & 15);
	}
	*ret = v;
	return 0;
}

static int check_unicode_escape(struct check *c)
{
	uint32_t unit, low;
	int r = read_unit(c, &unit);

	if (r < 0)
		return r;
	if (!unit)
		return wrong(c, "NUL in a string");
	if (unit >= 0xdc00 && unit <= 0xdfff)
		return wrong(c, "half of a surrogate pair");
	if (unit < 0xd800 || unit > 0xdfff)
		return 0;
	if (!take(c, '\\') || !take(c, 'u'))
		return wrong(c, "half of a surrogate pair");
	r = read_unit(c, &low);
	if (r == 0 && (low < 0xdc00 || low > 0xdfff))
		r = wrong(c, "half of a surrogate pair");
	return r;
}

static int check_string(struct check *c)
{
	if (!take(c, '"'))
		return wrong(c, "expected a string");
	while (c->p < c->end) {
		unsigned char b = (unsigned char)*c->p;
		int r = 0;

		if (b < 0x20)
			return wrong(c, "control character in a string");
		c->p++;
		if (b == '"')
			return 0;
		if (b != '\\')
			continue;
		if (take(c, 'u'))
			r = check_unicode_escape(c);
		else if (peek(c) && strchr("\"\\/bfnrt", peek(c)))
			c->p++;
		else
			r = wrong(c, "unknown escape");
		if (r < 0)
			return r;
	}
	return wrong(c, "string without an end");
}

/* json-c clamps what does not fit; a limit of 2^64 must not become one of 2^63. */
static int check_number_fits(const struct check *c, const char *from, bool whole)
{
	char text[NUMBER_MAX + 1];
	size_t n = (size_t)(c->p - from);

	if (n > NUMBER_MAX)
		return wrong(c, "number too long");
	memcpy(text, from, n);
	text[n] = '\0';
	errno = 0;
	if (!whole)
		return isfinite(strtod(text, NULL)) ? 0 : wrong(c, "number out of range");
	if (*text == '-')
		strtoll(text, NULL, 10);
	else
		strtoull(text, NULL, 10);
	return errno ? wrong(c, "number out of range") : 0;
}

static int check_number(struct check *c)
{
	const char *from = c->p;
	bool whole = true;

	take(c, '-');
	if (!take(c, '0') && !skip_digits(c))
		return wrong(c, "expected a value");
	if (take(c, '.')) {
		whole = false;
		if (!skip_digits(c))
			return wrong(c, "expected a digit");
	}
	if (take(c, 'e') || take(c, 'E')) {
		whole = false;
		if (!take(c, '+'))
			take(c, '-');
		if (!skip_digits(c))
			return wrong(c, "expected a digit");
	}
	return check_number_fits(c, from, whole);
}

static int check_member(struct check *c)
{
	int r;

	skip_space(c);
	r = check_string(c);
	if (r < 0)
		return r;
	skip_space(c);
	if (!take(c, ':'))
		return wrong(c, "expected ':'");
	c->members++;
	return check_value(c);
}

/* What follows '{' or '['. */
static int check_items(struct check *c, char close, int (*item)(struct check *))
{
	int r;

	if (++c->depth > JSON_DEPTH_MAX)
		return wrong(c, "nested too deep");
	if (++c->nested > c->max_nested)
		return wrong(c, "too many arrays and objects");
	skip_space(c);
	if (!take(c, close)) {
		do {
			r = item(c);
			if (r < 0)
				return r;
			skip_space(c);
		} while (take(c, ','));
		if (!take(c, close))
			return wrong(c, close == '}' ? "expected ',' or '}'" : "expected ',' or ']'");
	}
	c->depth--;
	return 0;
}

static int check_value(struct check *c)
{
	skip_space(c);
	switch (peek(c)) {
	case '{':
		c->p++;
		return check_items(c, '}', check_member);
	case '[':
		c->p++;
		return check_items(c, ']', check_value);
	case '"':
		return check_string(c);
	case 't':
		return check_word(c, "true");
	case 'f':
		return check_word(c, "false");
	case 'n':
		return check_word(c, "null");
	default:
		return check_number(c);
	}
}

int json_check(const char *s, size_t n, size_t max_nested, size_t *ret_members, struct error *err)
{
	struct check c = { .start = s, .p = s, .end = s + n, .max_nested = max_nested, .err = err };
	int r;

	if (!utf8_valid(s, n))
		return err_set_kind(err, -EINVAL, ERR_USAGE, "JSON: not valid UTF-8, or a NUL byte");
	r = check_value(&c);
	if (r < 0)
		return r;
	skip_space(&c);
	if (c.p != c.end)
		return wrong(&c, "text after the value");
	*ret_members = c.members;
	return 0;
}
