/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Members of a configuration, with errors that name them. */
#include <ctype.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include "lib/base/path.h"
#include "lib/oci/oci_internal.h"

int oci_within(struct error *err, const char *fmt, ...)
{
	struct error inner;
	char head[256];
	va_list ap;

	if (!err)
		return -EINVAL;
	inner = *err;
	va_start(ap, fmt);
	vsnprintf(head, sizeof(head), fmt, ap);
	va_end(ap);
	return err_set_kind(err, inner.code, inner.kind, "%s%s", head, inner.text);
}

int oci_get_str(const json *o, const char *key, struct arena *a, const char **ret, struct error *err)
{
	const char *s = NULL;
	int r = json_get_str(o, key, &s, err);

	if (r <= 0)
		return r;
	if (!*s)
		return 0;
	*ret = arena_str(a, s);
	return 1;
}

int oci_get_abs(const json *o, const char *key, struct arena *a, const char **ret, struct error *err)
{
	const char *s = NULL;
	int r = json_get_str(o, key, &s, err);

	if (r <= 0 || !*s)
		return r < 0 ? r : 0;
	if (!path_is_absolute(s))
		return oci_bad(err, "%s: \"%.80s\" is not an absolute path", key, s);
	if (strlen(s) >= PATH_MAX)
		return oci_bad(err, "%s: longer than a path may be", key);
	*ret = arena_str(a, s);
	return 1;
}

static const struct oci_word *find_word(const struct oci_word *words, const char *name)
{
	for (; words->name; words++)
		if (str_eq(words->name, name))
			return words;
	return NULL;
}

int oci_get_word(const json *o, const char *key, const struct oci_word *words, uint64_t *ret,
		 struct error *err)
{
	const struct oci_word *w;
	const char *s = NULL;
	int r = json_get_str(o, key, &s, err);

	if (r <= 0 || !*s)
		return r < 0 ? r : 0;
	w = find_word(words, s);
	if (!w)
		return oci_bad(err, "%s: unknown word \"%.64s\"", key, s);
	*ret = w->value;
	return 1;
}

int oci_get_flags(const json *o, const char *key, const struct oci_word *words, uint64_t *ret,
		  struct error *err)
{
	const json *arr = NULL;
	uint64_t flags = 0;
	int r = json_get_arr(o, key, &arr, err);

	if (r <= 0)
		return r;
	for (size_t i = 0; i < json_len(arr); i++) {
		const char *name = json_str(json_at(arr, i));
		const struct oci_word *w = name ? find_word(words, name) : NULL;

		if (!name)
			return oci_bad(err, "%s[%zu]: expected a string", key, i);
		if (!w)
			return oci_bad(err, "%s[%zu]: unknown flag \"%.64s\"", key, i, name);
		flags |= w->value;
	}
	*ret = flags;
	return 1;
}

int oci_get_range(const json *o, const char *key, int64_t min, int64_t max, int64_t *ret, struct error *err)
{
	int64_t n = 0;
	int r = json_get_i64(o, key, &n, err);

	if (r <= 0)
		return r;
	if (n < min || n > max)
		return oci_bad(err, "%s: expected %lld..%lld", key, (long long)min, (long long)max);
	*ret = n;
	return 1;
}

int oci_get_id(const json *o, const char *key, uint32_t *ret, struct error *err)
{
	uint32_t n = 0;
	int r = json_get_u32(o, key, &n, err);

	if (r <= 0)
		return r;
	if (n == UINT32_MAX)
		return oci_bad(err, "%s: %u is no id", key, n);
	*ret = n;
	return 1;
}

/* "3" or "0-3" at *s, which is left behind it. */
static bool skip_range(const char **s)
{
	char *end;
	unsigned long first, last;

	if (!isdigit((unsigned char)**s))
		return false;
	first = last = strtoul(*s, &end, 10);
	if (*end == '-') {
		if (!isdigit((unsigned char)end[1]))
			return false;
		last = strtoul(end + 1, &end, 10);
	}
	*s = end;
	return first <= last && last <= UINT16_MAX;
}

static bool is_list(const char *s)
{
	while (skip_range(&s)) {
		if (!*s)
			return true;
		if (*s++ != ',')
			return false;
	}
	return false;
}

int oci_get_list(const json *o, const char *key, struct arena *a, const char **ret, struct error *err)
{
	const char *s = NULL;
	int r = json_get_str(o, key, &s, err);

	if (r <= 0 || !*s)
		return r < 0 ? r : 0;
	if (!is_list(s))
		return oci_bad(err, "%s: \"%.64s\" is no list as \"0-3,7\"", key, s);
	*ret = arena_str(a, s);
	return 1;
}

int oci_each(const json *o, const char *key, oci_item_fn *fn, void *ctx, struct error *err)
{
	const json *arr = NULL;
	int r = json_get_arr(o, key, &arr, err);
	size_t n = json_len(arr);

	if (r < 0)
		return r;
	for (size_t i = 0; i < n; i++) {
		const json *item = json_at(arr, i);

		if (json_kind_of(item) != JSON_OBJECT)
			return oci_bad(err, "%s[%zu]: expected an object", key, i);
		r = fn(item, ctx, err);
		if (r < 0)
			return oci_within(err, "%s[%zu].", key, i);
	}
	return (int)n;
}

int oci_each_member(const json *o, const char *key, oci_member_fn *fn, void *ctx, struct error *err)
{
	const json *map = NULL;
	struct json_iter it;
	int r = json_get_obj(o, key, &map, err);

	if (r <= 0)
		return r;
	it = json_iter(map);
	for (r = 0; json_next(&it); r++) {
		int done = fn(it.key, it.value, ctx, err);

		if (done < 0)
			return oci_within(err, "%s.", key);
	}
	return r;
}

int oci_below(const char *bundle, const char *path, struct arena *a, const char **ret)
{
	auto_free char *text = NULL;
	char plain[4096];

	if (strlen(path) >= PATH_MAX)
		return -EINVAL;
	if (path_is_absolute(path)) {
		*ret = arena_str(a, path);
		return 0;
	}
	text = str_fmt("%s/%s", bundle, path);
	if (path_normalize(text, plain) < 0)
		return -EINVAL;
	*ret = arena_str(a, plain);
	return 0;
}
