/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "lib/base/mem.h"
#include "lib/base/str.h"

#define GLOB_MAX 256

static void strbuf_room(struct strbuf *b, size_t more)
{
	size_t need, cap = b->cap ? b->cap : 64;

	if (__builtin_add_overflow(b->len, more + 1, &need))
		abort();
	if (need <= b->cap)
		return;
	while (cap < need)
		cap = cap > SIZE_MAX / 2 ? need : cap * 2;
	b->s = mem_realloc_n(b->s, cap, 1);
	b->cap = cap;
}

void strbuf_add_n(struct strbuf *b, const void *p, size_t n)
{
	if (!n)
		return;
	strbuf_room(b, n);
	memcpy(b->s + b->len, p, n);
	b->len += n;
	b->s[b->len] = '\0';
}

void strbuf_add(struct strbuf *b, const char *s)
{
	if (s)
		strbuf_add_n(b, s, strlen(s));
}

void strbuf_addc(struct strbuf *b, char c)
{
	strbuf_add_n(b, &c, 1);
}

void strbuf_addf(struct strbuf *b, const char *fmt, ...)
{
	va_list ap, again;
	int n;

	va_start(ap, fmt);
	va_copy(again, ap);
	n = vsnprintf(NULL, 0, fmt, ap);
	if (n > 0) {
		strbuf_room(b, (size_t)n);
		vsnprintf(b->s + b->len, (size_t)n + 1, fmt, again);
		b->len += (size_t)n;
	}
	va_end(again);
	va_end(ap);
}

const char *strbuf_cstr(struct strbuf *b)
{
	if (!b->s) {
		strbuf_room(b, 0);
		b->s[0] = '\0';
	}
	return b->s;
}

char *strbuf_steal(struct strbuf *b)
{
	char *s;

	strbuf_cstr(b);
	s = b->s;
	*b = (struct strbuf){ 0 };
	return s;
}

void strbuf_done(struct strbuf *b)
{
	free(b->s);
	*b = (struct strbuf){ 0 };
}

bool str_eq(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

const char *str_after(const char *s, const char *prefix)
{
	size_t n = strlen(prefix);

	return s && strncmp(s, prefix, n) == 0 ? s + n : NULL;
}

bool str_starts(const char *s, const char *prefix)
{
	return str_after(s, prefix) != NULL;
}

bool str_ends(const char *s, const char *suffix)
{
	size_t n = strlen(suffix), len = s ? strlen(s) : 0;

	return s && len >= n && memcmp(s + len - n, suffix, n) == 0;
}

bool str_is_empty(const char *s)
{
	return !s || !*s;
}

/* One bracket expression at p (after '['). Returns the byte after ']' or NULL when it is not closed. */
static const char *glob_class(const char *p, unsigned char c, bool *ret_hit)
{
	bool negate = *p == '!' || *p == '^', hit = false, first = true;

	if (negate)
		p++;
	for (; *p && (first || *p != ']'); first = false) {
		unsigned char low, high;

		if (*p == '\\' && p[1])
			p++;
		low = high = (unsigned char)*p++;
		if (*p == '-' && p[1] && p[1] != ']') {
			p++;
			if (*p == '\\' && p[1])
				p++;
			high = (unsigned char)*p++;
		}
		if (c >= low && c <= high)
			hit = true;
	}
	if (*p != ']')
		return NULL;
	*ret_hit = hit != negate;
	return p + 1;
}

/* Match one pattern element against one byte; NULL = no match, else the rest of the pattern. */
static const char *glob_one(const char *p, unsigned char c)
{
	bool hit = false;

	if (*p == '[') {
		const char *rest = glob_class(p + 1, c, &hit);

		if (rest)
			return hit ? rest : NULL;
	} else if (*p == '?') {
		return p + 1;
	} else if (*p == '\\' && p[1]) {
		p++;
	}
	return (unsigned char)*p == c ? p + 1 : NULL;
}

bool str_glob(const char *pattern, const char *s)
{
	const char *star = NULL, *from = NULL;

	if (strnlen(pattern, GLOB_MAX + 1) > GLOB_MAX)
		return false;
	/* Only the last star can need another try, so this is at most |pattern| * |s| steps. */
	while (*s) {
		const char *rest;

		if (*pattern == '*') {
			star = ++pattern;
			from = s;
			continue;
		}
		rest = *pattern ? glob_one(pattern, (unsigned char)*s) : NULL;
		if (rest) {
			pattern = rest;
			s++;
		} else if (star) {
			pattern = star;
			s = ++from;
		} else {
			return false;
		}
	}
	while (*pattern == '*')
		pattern++;
	return !*pattern;
}

/* Length of the well-formed sequence at s (Unicode 15, table 3-7), 0 when malformed. */
static size_t utf8_next(const unsigned char *s, size_t n, uint32_t *ret)
{
	static const struct {
		unsigned char mask, lead;
		uint32_t least;
	} forms[] = { { 0x80, 0x00, 0 }, { 0xe0, 0xc0, 0x80 }, { 0xf0, 0xe0, 0x800 }, { 0xf8, 0xf0, 0x10000 } };

	for (size_t i = 0; i < ARRAY_SIZE(forms) && i < n; i++) {
		uint32_t c = s[0] & (unsigned char)~forms[i].mask;

		if ((s[0] & forms[i].mask) != forms[i].lead)
			continue;
		for (size_t k = 1; k <= i; k++) {
			if ((s[k] & 0xc0) != 0x80)
				return 0;
			c = c << 6 | (s[k] & 0x3f);
		}
		if (c < forms[i].least || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
			return 0;
		*ret = c;
		return i + 1;
	}
	return 0;
}

bool utf8_valid(const char *s, size_t n)
{
	const unsigned char *p = (const unsigned char *)s;
	uint32_t c;

	while (n) {
		size_t len = utf8_next(p, n, &c);

		if (!len || !c)
			return false;
		p += len;
		n -= len;
	}
	return true;
}

/* Characters that move the cursor, end a line or change the reading direction. */
static bool is_steering(uint32_t c)
{
	return c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0x61c || c == 0x200e || c == 0x200f ||
	       (c >= 0x2028 && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069) || c == 0xfeff;
}

void strbuf_add_escaped(struct strbuf *b, const char *s, size_t n)
{
	const unsigned char *p = (const unsigned char *)s;
	uint32_t c = 0;

	while (n) {
		size_t len = utf8_next(p, n, &c);

		if (!len || (len == 1 && is_steering(c)))
			strbuf_addf(b, "\\x%02x", *p);
		else if (is_steering(c))
			strbuf_addf(b, "\\u%04x", c);
		else
			strbuf_add_n(b, p, len);
		len = len ? len : 1;
		p += len;
		n -= len;
	}
}

int str_copy(char *dst, size_t size, const char *src)
{
	size_t n = strnlen(src, size);

	if (!size)
		return -ENAMETOOLONG;
	if (n == size) {
		memcpy(dst, src, size - 1);
		dst[size - 1] = '\0';
		return -ENAMETOOLONG;
	}
	memcpy(dst, src, n + 1);
	return 0;
}
