/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef ARNIA_BASE_JSON_CHECK_H
#define ARNIA_BASE_JSON_CHECK_H
/* For json.c: json-c is lax (numbers that do not fit are clamped, a key may come twice, NaN), so the text is held
 * against RFC 8259 before it sees it. */
#include <stddef.h>
#include "lib/base/error.h"

#define JSON_DEPTH_MAX 64

/* Exactly one value: valid UTF-8, no NUL (written or escaped), surrogates in pairs, integers that fit in 64 bits,
 * finite numbers, at most JSON_DEPTH_MAX levels and `max_nested` arrays and objects. Counts the members of all
 * objects. 0 or -EINVAL (kind USAGE). */
int json_check(const char *s, size_t n, size_t max_nested, size_t *ret_members, struct error *err);

#endif
