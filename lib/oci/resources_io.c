/* SPDX-License-Identifier: GPL-2.0-or-later */
/* linux.resources: block devices, device rules, and files by name. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include "lib/base/str.h"
#include "lib/oci/resources_internal.h"

#define WEIGHT_LOW 10 /* blkio.weight of v1 */
#define WEIGHT_HIGH 1000
#define DEVICE_ACCESS "rwm"

static int get_weight(const struct res *r, const char *key, uint64_t *ret, struct error *err)
{
	uint64_t v = 0;
	int found = res_u64(r, key, &v, err);

	if (found > 0 && v && (v < WEIGHT_LOW || v > WEIGHT_HIGH))
		return res_refuse(r, key, "10 to 1000", err);
	if (found >= 0)
		*ret = v;
	return found;
}

static int get_device(const struct res *r, const char **ret, struct error *err)
{
	uint64_t major = 0, minor = 0;
	int code = res_u64(r, "major", &major, err);

	if (code >= 0)
		code = res_u64(r, "minor", &minor, err);
	if (code < 0)
		return code;
	*ret = arena_fmt(r->a, "%" PRIu64 ":%" PRIu64, major, minor);
	return 0;
}

static int read_weight_device(const struct res *r, struct error *err)
{
	uint64_t weight = 0, leaf;
	const char *device = NULL;
	int code = get_device(r, &device, err);

	if (code >= 0)
		code = get_weight(r, "weight", &weight, err);
	if (code >= 0)
		code = get_weight(r, "leafWeight", &leaf, err);
	/* The weight of one device is BFQ's; io.weight is for those with a cost model, and runc leaves it alone. */
	if (code >= 0 && weight)
		res_write(r, "io.bfq.weight", arena_fmt(r->a, "%s %" PRIu64, device, weight))->optional = true;
	return code;
}

static int read_throttle(const struct res *r, const char *what, struct error *err)
{
	const char *device = NULL;
	uint64_t rate = 0;
	int code = get_device(r, &device, err);

	if (code >= 0)
		code = res_u64(r, "rate", &rate, err);
	if (code >= 0)
		res_write(r, "io.max", arena_fmt(r->a, "%s %s=%" PRIu64, device, what, rate));
	return code;
}

static int read_list(const struct res *r, const char *key, const char *what, struct error *err)
{
	const json *arr = NULL;
	int code = res_arr(r, key, &arr, err);

	for (size_t i = 0; code >= 0 && i < json_len(arr); i++) {
		struct res item;

		code = res_at(r, key, arr, i, &item, err);
		if (code >= 0)
			code = what ? read_throttle(&item, what, err) : read_weight_device(&item, err);
	}
	return code;
}

int oci_res_block_io(const struct res *r, struct error *err)
{
	static const struct {
		const char *key, *what;
	} lists[] = {
		{ "weightDevice", NULL },
		{ "throttleReadBpsDevice", "rbps" },
		{ "throttleWriteBpsDevice", "wbps" },
		{ "throttleReadIOPSDevice", "riops" },
		{ "throttleWriteIOPSDevice", "wiops" },
	};
	uint64_t weight = 0, leaf;
	int code = get_weight(r, "weight", &weight, err);

	if (code >= 0)
		code = get_weight(r, "leafWeight", &leaf, err);
	if (code >= 0 && weight) {
		res_write_u64(r, "io.bfq.weight", weight)->optional = true;
		/* 10..1000 to 1..10000 */
		res_write_u64(r, "io.weight", 1 + (weight - WEIGHT_LOW) * 9999 / (WEIGHT_HIGH - WEIGHT_LOW))->instead = true;
	}
	for (size_t i = 0; code >= 0 && i < ARRAY_SIZE(lists); i++)
		code = read_list(r, lists[i].key, lists[i].what, err);
	return code < 0 ? code : 0;
}

static int read_access(const struct res *r, uint8_t *ret, struct error *err)
{
	static const char letters[] = DEVICE_ACCESS;
	const char *s = NULL;
	uint8_t access = 0;
	int code = res_str(r, "access", &s, err);

	if (code < 0)
		return code;
	for (; s && *s; s++) {
		const char *at = strchr(letters, *s);

		if (!at)
			return res_refuse(r, "access", "letters of \"" DEVICE_ACCESS "\"", err);
		access |= (uint8_t)(1 << (at - letters));
	}
	*ret = access;
	return access ? 0 : res_refuse(r, "access", "one or more of the letters \"" DEVICE_ACCESS "\"", err);
}

static int read_number(const struct res *r, const char *key, int64_t *ret, struct error *err)
{
	int code = res_i64(r, key, ret, err);

	if (code > 0 && (*ret < -1 || *ret > UINT32_MAX))
		return res_refuse(r, key, "the number of a device, or -1 for any", err);
	return code < 0 ? code : 0;
}

static int read_rule(const struct res *r, struct error *err)
{
	struct cg_device d = { .type = 'a', .major = -1, .minor = -1 };
	const char *type = "a";
	int code = res_bool(r, "allow", &d.allow, err);

	if (code >= 0)
		code = res_str(r, "type", &type, err);
	if (code >= 0 && (strlen(type) > 1 || (*type && !strchr("abc", *type))))
		code = res_refuse(r, "type", "\"a\", \"b\" or \"c\"", err);
	if (code >= 0)
		code = read_number(r, "major", &d.major, err);
	if (code >= 0)
		code = read_number(r, "minor", &d.minor, err);
	if (code >= 0)
		code = read_access(r, &d.access, err);
	if (code < 0)
		return code;
	if (*type)
		d.type = *type;
	*arena_push(r->a, &r->c->devices) = d;
	return 0;
}

/*
 * The list, then what every container may use: configurations begin with "deny all", and the specification wants its default devices
 * usable all the same. Making nodes is allowed for all devices (so images can be unpacked), opening them is not; /dev/net/tun is not
 * of the specification, but of runc and crun.
 */
int oci_res_devices(const struct res *r, struct error *err)
{
	static const struct cg_device defaults[] = {
		{ true, 'c', -1, -1, 4 }, { true, 'b', -1, -1, 4 }, { true, 'c', 1, 3, 7 }, /* null */
		{ true, 'c', 1, 8, 7 }, /* random */
		{ true, 'c', 1, 7, 7 }, /* full */
		{ true, 'c', 5, 0, 7 }, /* tty */
		{ true, 'c', 1, 5, 7 }, /* zero */
		{ true, 'c', 1, 9, 7 }, /* urandom */
		{ true, 'c', 136, -1, 7 }, /* pts */
		{ true, 'c', 5, 2, 7 }, /* ptmx */
		{ true, 'c', 10, 200, 7 }, /* net/tun */
	};
	const json *arr = NULL;
	int code = json_kind_of(r->o) == JSON_OBJECT ? res_arr(r, "devices", &arr, err) : 0;

	for (size_t i = 0; code >= 0 && arr && i < json_len(arr); i++) {
		struct res item;

		code = res_at(r, "devices", arr, i, &item, err);
		if (code == 0)
			code = read_rule(&item, err);
	}
	for (size_t i = 0; code >= 0 && i < ARRAY_SIZE(defaults); i++)
		*arena_push(r->a, &r->c->devices) = defaults[i];
	return code < 0 ? code : 0;
}

static bool is_file_name(const char *s)
{
	size_t n = strlen(s);

	if (n == 0 || n > 255 || str_eq(s, ".") || str_eq(s, ".."))
		return false;
	for (; *s; s++)
		if ((unsigned char)*s <= ' ' || *s == '/' || *s == 0x7f)
			return false;
	return true;
}

int oci_res_unified(const struct res *r, struct error *err)
{
	struct json_iter it = json_iter(r->o);

	while (json_next(&it)) {
		const char *value = json_str(it.value);

		if (!is_file_name(it.key))
			return err_set_kind(err, -EINVAL, ERR_USAGE, "%s: \"%.64s\" is not the name of a file", r->path, it.key);
		if (!value)
			return res_refuse(r, it.key, "a string", err);
		res_write(r, it.key, value);
	}
	return 0;
}
