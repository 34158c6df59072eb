/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef ARNIA_BASE_JSON_H
#define ARNIA_BASE_JSON_H
/* Typed, bounded access to json-c. Only json.c includes json-c; others see an opaque value. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "lib/base/error.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"

struct json_object; /* json-c's type, reference counted */
typedef struct json_object json;

/* Parse exactly one value of n bytes. Depth is bounded (64), NUL bytes, invalid UTF-8 and duplicate keys are refused.
 * Returns a value to be given to json_unref, or NULL with err set (kind USAGE). */
json *json_parse(const char *s, size_t n, struct error *err);
/* The same with at most `max_nested` arrays and objects: an empty one takes two bytes of text and 800 of memory. */
json *json_parse_bounded(const char *s, size_t n, size_t max_nested, struct error *err);
void json_unref(json *j);
json *json_ref(json *j);
static inline void json_unrefp(json **j)
{
	json_unref(*j);
	*j = NULL;
}
#define auto_json cleanup(json_unrefp)

/* Compact text. json_text: malloc'ed. With pretty, two-space indent and a final newline. */
char *json_text(const json *j, bool pretty);

enum json_kind { JSON_NULL, JSON_BOOL, JSON_INT, JSON_NUMBER, JSON_STRING, JSON_ARRAY, JSON_OBJECT };
enum json_kind json_kind_of(const json *j); /* NULL pointer is JSON_NULL */

/* Getters by key. A missing key or a null leaves *ret alone and returns 0; present and right: 1; wrong type or
 * range: -EINVAL with err "KEY: expected ..." (kind USAGE). Strings are borrowed from j. */
int json_get_str(const json *o, const char *key, const char **ret, struct error *err);
int json_get_bool(const json *o, const char *key, bool *ret, struct error *err);
int json_get_u64(const json *o, const char *key, uint64_t *ret, struct error *err);
int json_get_i64(const json *o, const char *key, int64_t *ret, struct error *err);
int json_get_u32(const json *o, const char *key, uint32_t *ret, struct error *err);
int json_get_num(const json *o, const char *key, double *ret, struct error *err);
int json_get_obj(const json *o, const char *key, const json **ret, struct error *err);
int json_get_arr(const json *o, const char *key, const json **ret, struct error *err);
/* Array of strings copied into an arena. */
int json_get_strv(const json *o, const char *key, struct arena *a, struct strv *ret, struct error *err);

size_t json_len(const json *arr);
const json *json_at(const json *arr, size_t i);
const char *json_str(const json *j); /* NULL when not a string */
/* Iterate an object's members: for (struct json_iter it = json_iter(o); json_next(&it);) it.key, it.value */
struct json_iter {
	const json *obj;
	void *next;
	const char *key;
	const json *value;
};
struct json_iter json_iter(const json *o);
bool json_next(struct json_iter *it);
/* Refuse members that are not in the NULL-terminated list (kind USAGE, names the member). */
int json_only_keys(const json *o, const char *const *keys, struct error *err);

/* Builders; each add takes ownership of the value. A NULL string adds nothing. */
json *json_new_obj(void);
json *json_new_arr(void);
json *json_new_str(const char *s);
json *json_new_u64(uint64_t v);
json *json_new_i64(int64_t v);
json *json_new_bool(bool v);
json *json_new_num(double v);
void json_add(json *o, const char *key, json *v);
void json_add_str(json *o, const char *key, const char *s);
void json_add_u64(json *o, const char *key, uint64_t v);
void json_add_i64(json *o, const char *key, int64_t v);
void json_add_bool(json *o, const char *key, bool v);
void json_add_strv(json *o, const char *key, const struct strv *sv);
void json_push(json *arr, json *v);

#endif
