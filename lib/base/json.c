/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <limits.h>
#include <json-c/json.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include "lib/base/json.h"
#include "lib/base/json_check.h"

/* json-c counts one level more than we do. */
#define TOKENER_DEPTH (JSON_DEPTH_MAX + 2)

/* Members in the whole tree: fewer than in the text means that a key came twice. */
static size_t count_members(json_object *j)
{
	size_t n = 0;

	if (json_object_is_type(j, json_type_object)) {
		struct lh_entry *e = json_object_get_object(j)->head;

		for (; e; e = lh_entry_next(e))
			n += 1 + count_members((json_object *)lh_entry_v(e));
	} else if (json_object_is_type(j, json_type_array)) {
		for (size_t i = 0; i < json_object_array_length(j); i++)
			n += count_members(json_object_array_get_idx(j, i));
	}
	return n;
}

json *json_parse(const char *s, size_t n, struct error *err)
{
	return json_parse_bounded(s, n, SIZE_MAX, err);
}

json *json_parse_bounded(const char *s, size_t n, size_t max_nested, struct error *err)
{
	auto_json json_object *j = NULL;
	struct json_tokener *tok;
	size_t members = 0;

	if (n > INT_MAX) {
		err_set_kind(err, -EFBIG, ERR_USAGE, "JSON text too long");
		return NULL;
	}
	if (json_check(s, n, max_nested, &members, err) < 0)
		return NULL;
	tok = json_tokener_new_ex(TOKENER_DEPTH);
	if (!tok)
		abort();
	j = json_tokener_parse_ex(tok, s, (int)n);
	/* A number that ends with the text is only complete once the end is told. */
	if (!j && json_tokener_get_error(tok) == json_tokener_continue)
		j = json_tokener_parse_ex(tok, "", -1);
	members -= count_members(j);
	if (json_tokener_get_error(tok) != json_tokener_success)
		err_set_kind(err, -EINVAL, ERR_USAGE, "JSON: %s",
			     json_tokener_error_desc(json_tokener_get_error(tok)));
	else if (members)
		err_set_kind(err, -EINVAL, ERR_USAGE, "JSON: an object has the same key twice");
	else if (!j)
		err_set_kind(err, -EINVAL, ERR_USAGE, "JSON: only null");
	json_tokener_free(tok);
	return members ? NULL : ptr_steal(&j);
}

void json_unref(json *j)
{
	json_object_put(j);
}

json *json_ref(json *j)
{
	return json_object_get(j);
}

char *json_text(const json *j, bool pretty)
{
	int flags = JSON_C_TO_STRING_NOSLASHESCAPE;
	const char *s;

	if (pretty)
		flags |= JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED;
	/* The text is cached inside the value, hence not const there. */
	s = json_object_to_json_string_ext((json_object *)j, flags);
	if (!s)
		abort();
	return pretty ? str_fmt("%s\n", s) : str_dup(s);
}

enum json_kind json_kind_of(const json *j)
{
	static const enum json_kind kinds[] = {
		[json_type_null] = JSON_NULL,	  [json_type_boolean] = JSON_BOOL, [json_type_double] = JSON_NUMBER,
		[json_type_int] = JSON_INT,	  [json_type_object] = JSON_OBJECT, [json_type_array] = JSON_ARRAY,
		[json_type_string] = JSON_STRING,
	};

	return kinds[json_object_get_type(j)];
}

/* 1 = *ret is the member and of that kind, 0 = not there or null, -EINVAL. */
static int get_kind(const json *o, const char *key, enum json_kind kind, const char *what, const json **ret,
		    struct error *err)
{
	json_object *v = NULL;

	if (!o)
		return 0;
	if (json_kind_of(o) != JSON_OBJECT)
		return err_set_kind(err, -EINVAL, ERR_USAGE, "expected an object with \"%s\"", key);
	if (!json_object_object_get_ex(o, key, &v) || !v)
		return 0;
	if (json_kind_of(v) != kind && !(kind == JSON_NUMBER && json_kind_of(v) == JSON_INT))
		return err_set_kind(err, -EINVAL, ERR_USAGE, "%s: expected %s", key, what);
	*ret = v;
	return 1;
}

int json_get_str(const json *o, const char *key, const char **ret, struct error *err)
{
	const json *v;
	int r = get_kind(o, key, JSON_STRING, "a string", &v, err);

	if (r > 0)
		*ret = json_str(v);
	return r;
}

int json_get_bool(const json *o, const char *key, bool *ret, struct error *err)
{
	const json *v;
	int r = get_kind(o, key, JSON_BOOL, "true or false", &v, err);

	if (r > 0)
		*ret = json_object_get_boolean(v);
	return r;
}

static int get_unsigned(const json *o, const char *key, uint64_t max, uint64_t *ret, struct error *err)
{
	const json *v;
	int r = get_kind(o, key, JSON_INT, "a whole number", &v, err);

	if (r <= 0)
		return r;
	if (json_object_get_int64(v) < 0 || json_object_get_uint64(v) > max)
		return err_set_kind(err, -EINVAL, ERR_USAGE, "%s: expected a number from 0 to %llu", key,
				    (unsigned long long)max);
	*ret = json_object_get_uint64(v);
	return 1;
}

int json_get_u64(const json *o, const char *key, uint64_t *ret, struct error *err)
{
	return get_unsigned(o, key, UINT64_MAX, ret, err);
}

int json_get_u32(const json *o, const char *key, uint32_t *ret, struct error *err)
{
	uint64_t v;
	int r = get_unsigned(o, key, UINT32_MAX, &v, err);

	if (r > 0)
		*ret = (uint32_t)v;
	return r;
}

int json_get_i64(const json *o, const char *key, int64_t *ret, struct error *err)
{
	const json *v;
	int r = get_kind(o, key, JSON_INT, "a whole number", &v, err);

	if (r <= 0)
		return r;
	if (json_object_get_uint64(v) > INT64_MAX)
		return err_set_kind(err, -EINVAL, ERR_USAGE, "%s: expected a number up to %lld", key,
				    (long long)INT64_MAX);
	*ret = json_object_get_int64(v);
	return 1;
}

int json_get_num(const json *o, const char *key, double *ret, struct error *err)
{
	const json *v;
	int r = get_kind(o, key, JSON_NUMBER, "a number", &v, err);

	if (r > 0)
		*ret = json_object_get_double(v);
	return r;
}

int json_get_obj(const json *o, const char *key, const json **ret, struct error *err)
{
	return get_kind(o, key, JSON_OBJECT, "an object", ret, err);
}

int json_get_arr(const json *o, const char *key, const json **ret, struct error *err)
{
	return get_kind(o, key, JSON_ARRAY, "an array", ret, err);
}

int json_get_strv(const json *o, const char *key, struct arena *a, struct strv *ret, struct error *err)
{
	struct strv sv = { 0 };
	const json *arr;
	int r = json_get_arr(o, key, &arr, err);

	if (r <= 0)
		return r;
	for (size_t i = 0; i < json_len(arr); i++) {
		const char *s = json_str(json_at(arr, i));

		if (!s)
			return err_set_kind(err, -EINVAL, ERR_USAGE, "%s[%zu]: expected a string", key, i);
		strv_push(a, &sv, s);
	}
	*ret = sv;
	return 1;
}

size_t json_len(const json *arr)
{
	return json_kind_of(arr) == JSON_ARRAY ? json_object_array_length(arr) : 0;
}

const json *json_at(const json *arr, size_t i)
{
	return i < json_len(arr) ? json_object_array_get_idx(arr, i) : NULL;
}

const char *json_str(const json *j)
{
	return json_kind_of(j) == JSON_STRING ? json_object_get_string((json_object *)j) : NULL;
}

struct json_iter json_iter(const json *o)
{
	struct json_iter it = { .obj = o };

	if (json_kind_of(o) == JSON_OBJECT)
		it.next = json_object_get_object(o)->head;
	return it;
}

bool json_next(struct json_iter *it)
{
	struct lh_entry *e = it->next;

	if (!e)
		return false;
	it->key = lh_entry_k(e);
	it->value = lh_entry_v(e);
	it->next = lh_entry_next(e);
	return true;
}

int json_only_keys(const json *o, const char *const *keys, struct error *err)
{
	struct json_iter it = json_iter(o);

	while (json_next(&it)) {
		const char *const *k = keys;

		while (*k && !str_eq(*k, it.key))
			k++;
		if (!*k)
			return err_set_kind(err, -EINVAL, ERR_USAGE, "%.64s: no such member", it.key);
	}
	return 0;
}

static json *made(json *j)
{
	if (!j)
		abort();
	return j;
}

json *json_new_obj(void)
{
	return made(json_object_new_object());
}

json *json_new_arr(void)
{
	return made(json_object_new_array());
}

/* Text from outside may hold anything, JSON only UTF-8: bytes that are not are written as \xNN. */
json *json_new_str(const char *s)
{
	struct strbuf b = { 0 };
	json *j;

	if (utf8_valid(s, strlen(s)))
		return made(json_object_new_string(s));
	strbuf_add_escaped(&b, s, strlen(s));
	j = made(json_object_new_string(strbuf_cstr(&b)));
	strbuf_done(&b);
	return j;
}

json *json_new_u64(uint64_t v)
{
	return made(json_object_new_uint64(v));
}

json *json_new_i64(int64_t v)
{
	return made(json_object_new_int64(v));
}

json *json_new_bool(bool v)
{
	return made(json_object_new_boolean(v));
}

json *json_new_num(double v)
{
	char text[40];

	/* JSON has no infinity: null. */
	if (!isfinite(v))
		return NULL;
	/* The shorter form when it reads back the same: 0.1 and not 0.10000000000000001. */
	snprintf(text, sizeof(text), "%.15g", v);
	if (strtod(text, NULL) != v)
		snprintf(text, sizeof(text), "%.17g", v);
	if (!strpbrk(text, ".e"))
		str_copy(text + strlen(text), sizeof(text) - strlen(text), ".0");
	return made(json_object_new_double_s(v, text));
}

void json_add(json *o, const char *key, json *v)
{
	if (json_object_object_add(o, key, v) < 0)
		abort();
}

void json_add_str(json *o, const char *key, const char *s)
{
	if (s)
		json_add(o, key, json_new_str(s));
}

void json_add_u64(json *o, const char *key, uint64_t v)
{
	json_add(o, key, json_new_u64(v));
}

void json_add_i64(json *o, const char *key, int64_t v)
{
	json_add(o, key, json_new_i64(v));
}

void json_add_bool(json *o, const char *key, bool v)
{
	json_add(o, key, json_new_bool(v));
}

void json_add_strv(json *o, const char *key, const struct strv *sv)
{
	json *arr = json_new_arr();

	for (size_t i = 0; i < sv->n; i++)
		json_push(arr, json_new_str(sv->v[i]));
	json_add(o, key, arr);
}

void json_push(json *arr, json *v)
{
	if (json_object_array_add(arr, v) < 0)
		abort();
}
