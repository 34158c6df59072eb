/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef ARNIA_BASE_STR_H
#define ARNIA_BASE_STR_H
/* Growing string buffer and small string helpers. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct strbuf {
	char *s; /* NUL-terminated when len > 0 or after strbuf_cstr; NULL when empty */
	size_t len, cap;
};
void strbuf_add(struct strbuf *b, const char *s);
void strbuf_add_n(struct strbuf *b, const void *p, size_t n);
void strbuf_addc(struct strbuf *b, char c);
void strbuf_addf(struct strbuf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
const char *strbuf_cstr(struct strbuf *b); /* never NULL, valid until the next change */
char *strbuf_steal(struct strbuf *b); /* caller frees; never NULL */
void strbuf_done(struct strbuf *b);

bool str_eq(const char *a, const char *b); /* NULL equals only NULL */
bool str_starts(const char *s, const char *prefix);
const char *str_after(const char *s, const char *prefix); /* rest of s, or NULL */
bool str_ends(const char *s, const char *suffix);
bool str_is_empty(const char *s); /* NULL or "" */
/* fnmatch without special treatment of '/' or leading '.'; bounded pattern length 256. */
bool str_glob(const char *pattern, const char *s);
/* Control bytes, DEL, invalid UTF-8 and Unicode direction overrides as \xNN / \u202e, so that text of
 * strangers cannot drive a terminal or forge a line. */
void strbuf_add_escaped(struct strbuf *b, const char *s, size_t n);
/* Copy into a fixed buffer, always terminated; returns -ENAMETOOLONG when cut. */
int str_copy(char *dst, size_t size, const char *src);
bool utf8_valid(const char *s, size_t n); /* no NUL, no surrogates, shortest form */

#endif
