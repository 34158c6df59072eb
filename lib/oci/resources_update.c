/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The flags of `update`, what they become together with the resources from before, and the check that comes first. */
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include "lib/base/parse.h"
#include "lib/base/str.h"
#include "lib/oci/oci.h"

enum flag_kind { FLAG_TEXT, FLAG_UNSIGNED, FLAG_SIGNED, FLAG_SIZE };
static const struct flag {
	const char *name, *section, *key;
	enum flag_kind kind;
	uint64_t max;
} flags[] = {
	{ "blkio-weight", "blockIO", "weight", FLAG_UNSIGNED, UINT16_MAX },
	{ "cpu-period", "cpu", "period", FLAG_UNSIGNED, UINT64_MAX },
	{ "cpu-quota", "cpu", "quota", FLAG_SIGNED, INT64_MAX },
	{ "cpu-burst", "cpu", "burst", FLAG_UNSIGNED, UINT64_MAX },
	{ "cpu-share", "cpu", "shares", FLAG_UNSIGNED, UINT64_MAX },
	{ "cpu-rt-period", "cpu", "realtimePeriod", FLAG_UNSIGNED, UINT64_MAX },
	{ "cpu-rt-runtime", "cpu", "realtimeRuntime", FLAG_SIGNED, INT64_MAX },
	{ "cpu-idle", "cpu", "idle", FLAG_SIGNED, INT64_MAX },
	{ "cpuset-cpus", "cpu", "cpus", FLAG_TEXT, 0 },
	{ "cpuset-mems", "cpu", "mems", FLAG_TEXT, 0 },
	{ "memory", "memory", "limit", FLAG_SIZE, INT64_MAX },
	{ "memory-reservation", "memory", "reservation", FLAG_SIZE, INT64_MAX },
	{ "memory-swap", "memory", "swap", FLAG_SIZE, INT64_MAX },
	{ "pids-limit", "pids", "limit", FLAG_SIGNED, INT64_MAX },
};

/* Sizes as runc takes them: any case, a space before the unit ("512 mb"). */
static int read_size(const char *s, uint64_t *ret)
{
	size_t n = strspn(s, "0123456789."), out = n;
	const char *unit = s + n + (n > 0 && s[n] == ' ');
	char text[48];

	if (n + strlen(unit) >= sizeof(text))
		return -EINVAL;
	memcpy(text, s, n);
	for (; *unit; unit++)
		text[out++] = (char)toupper((unsigned char)*unit);
	text[out] = '\0';
	if (out >= n + 2 && text[out - 2] == 'I')
		text[out - 2] = 'i';
	return parse_size(text, ret);
}

static json *read_flag(const struct flag *f, const char *text)
{
	bool negative = text[0] == '-' && (f->kind == FLAG_SIGNED || str_eq(text, "-1"));
	uint64_t v = 0;

	if (f->kind == FLAG_TEXT)
		return json_new_str(text);
	if (negative && f->kind == FLAG_UNSIGNED)
		return NULL;
	if ((f->kind == FLAG_SIZE && !negative ? read_size(text, &v) : parse_u64(text + negative, &v)) < 0 || v > f->max)
		return NULL;
	if (f->kind == FLAG_UNSIGNED)
		return json_new_u64(v);
	return json_new_i64(negative ? -(int64_t)v : (int64_t)v);
}

/* The object below key, made when it is not there. */
static json *section_of(json *o, const char *key)
{
	const json *found = NULL;
	json *made;

	if (json_get_obj(o, key, &found, NULL) > 0)
		return (json *)found;
	made = json_new_obj();
	json_add(o, key, made);
	return made;
}

json *oci_update_resources(const char *(*get)(void *ctx, const char *flag), void *ctx, struct error *err)
{
	auto_json json *o = json_new_obj();

	for (size_t i = 0; i < ARRAY_SIZE(flags); i++) {
		const char *text = get(ctx, flags[i].name);
		json *value;

		if (str_is_empty(text))
			continue;
		value = read_flag(&flags[i], text);
		if (!value) {
			err_set_kind(err, -EINVAL, ERR_USAGE, "--%s: \"%.64s\" is not a %s", flags[i].name, text,
				     flags[i].kind == FLAG_SIZE ? "size" : "number it takes");
			return NULL;
		}
		json_add(section_of(o, flags[i].section), flags[i].key, value);
	}
	return ptr_steal(&o);
}

static bool has(const json *o, const char *key)
{
	struct json_iter it = json_iter(o);

	while (json_next(&it))
		if (str_eq(it.key, key))
			return true;
	return false;
}

static json *merge(const json *old, const json *new)
{
	struct json_iter it = json_iter(old);
	json *o = json_new_obj();

	while (json_next(&it))
		if (!has(new, it.key))
			json_add(o, it.key, json_ref((json *)it.value));
	it = json_iter(new);
	while (json_next(&it))
		json_add(o, it.key, json_ref((json *)it.value));
	return o;
}

json *oci_resources_merge(const json *old, const json *new)
{
	static const char *const merged[] = { "memory", "cpu", "blockIO" };
	static const char *const dropped[] = { "unified", "pids", "devices" };
	struct json_iter it = json_iter(new);
	json *o = json_new_obj();

	while (json_next(&it))
		json_add(o, it.key, json_ref((json *)it.value));
	if (json_kind_of(old) != JSON_OBJECT)
		return o;
	for (it = json_iter(old); json_next(&it);) {
		const json *mine = NULL;
		bool skip = false;

		for (size_t i = 0; i < ARRAY_SIZE(dropped); i++)
			skip = skip || str_eq(it.key, dropped[i]);
		for (size_t i = 0; i < ARRAY_SIZE(merged); i++)
			if (str_eq(it.key, merged[i]) && json_get_obj(new, it.key, &mine, NULL) > 0)
				json_add(o, it.key, merge(it.value, mine));
		if (!skip && !has(o, it.key))
			json_add(o, it.key, json_ref((json *)it.value));
	}
	return o;
}

int oci_memory_check(const json *resources, uint64_t used, struct error *err)
{
	static const char *const limits[] = { "swap", "limit" };
	const json *memory = NULL;
	bool check = false;

	if (json_get_obj(resources, "memory", &memory, NULL) <= 0 ||
	    json_get_bool(memory, "checkBeforeUpdate", &check, NULL) < 0 || !check)
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(limits); i++) {
		int64_t v = 0;

		if (json_get_i64(memory, limits[i], &v, NULL) > 0 && v > 0 && (uint64_t)v <= used)
			return err_set_kind(err, -EBUSY, ERR_REFUSED,
					    "linux.resources.memory.%s: %" PRId64 " is not above what is in use (%" PRIu64 ")",
					    limits[i], v, used);
	}
	return 0;
}
