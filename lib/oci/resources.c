/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * linux.resources was made for cgroup v1. Values of v1 become those of v2 as runc (1.3) and crun write them, in runc's order, so that
 * a container is limited the same by any of them. What v2 has no file for is read for its type and let go: kernel memory,
 * swappiness, the OOM killer's switch, real-time quotas, network classes.
 */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include "lib/base/str.h"
#include "lib/oci/resources_internal.h"

#define SHARES_MAX 262144 /* cpu.shares of v1: 2..262144 */
#define SHARES_DEFAULT 1024
#define WEIGHT_MAX 10000 /* cpu.weight of v2: 1..10000, 100 by default */
#define PERIOD_DEFAULT 100000 /* us */

static int located(const struct res *r, int code, const struct error *e, struct error *err)
{
	return code < 0 ? err_set_kind(err, code, ERR_USAGE, "%s.%s", r->path, e->text) : code;
}

#define RES_GETTER(name, type)                                                                 \
	int res_##name(const struct res *r, const char *key, type *ret, struct error *err)     \
	{                                                                                      \
		struct error e = { 0 };                                                        \
                                                                                               \
		return located(r, json_get_##name(r->o, key, ret, &e), &e, err);               \
	}
RES_GETTER(i64, int64_t)
RES_GETTER(u64, uint64_t)
RES_GETTER(str, const char *)
RES_GETTER(bool, bool)
RES_GETTER(arr, const json *)

int res_obj(const struct res *r, const char *key, struct res *ret, struct error *err)
{
	struct error e = { 0 };
	const json *o = NULL;
	int found = located(r, json_get_obj(r->o, key, &o, &e), &e, err);

	if (found > 0)
		*ret = (struct res){ .o = o, .path = arena_fmt(r->a, "%s.%s", r->path, key), .a = r->a, .c = r->c };
	return found;
}

int res_at(const struct res *r, const char *key, const json *arr, size_t i, struct res *ret, struct error *err)
{
	const json *o = json_at(arr, i);

	if (json_kind_of(o) != JSON_OBJECT)
		return err_set_kind(err, -EINVAL, ERR_USAGE, "%s.%s[%zu]: expected an object", r->path, key, i);
	*ret = (struct res){ .o = o, .path = arena_fmt(r->a, "%s.%s[%zu]", r->path, key, i), .a = r->a, .c = r->c };
	return 0;
}

int res_refuse(const struct res *r, const char *key, const char *what, struct error *err)
{
	return err_set_kind(err, -EINVAL, ERR_USAGE, "%s.%s: expected %s", r->path, key, what);
}

struct cg_write *res_write(const struct res *r, const char *file, const char *value)
{
	struct cg_write *w = arena_push(r->a, &r->c->writes);

	*w = (struct cg_write){ .file = arena_str(r->a, file), .value = arena_str(r->a, value) };
	return w;
}

struct cg_write *res_write_u64(const struct res *r, const char *file, uint64_t v)
{
	char text[24];

	snprintf(text, sizeof(text), "%" PRIu64, v);
	return res_write(r, file, text);
}

/* A limit of v1: -1 takes it away, 0 is as if it were not there. */
static int get_limit(const struct res *r, const char *key, int64_t *ret, struct error *err)
{
	int found = res_i64(r, key, ret, err);

	if (found > 0 && *ret < -1)
		return res_refuse(r, key, "-1 (no limit), 0 (not set) or more", err);
	return found < 0 ? found : 0;
}

static void write_limit(const struct res *r, const char *file, int64_t v)
{
	if (v == -1)
		res_write(r, file, "max");
	else if (v > 0)
		res_write_u64(r, file, (uint64_t)v);
}

/* memory.swap of v1 counts memory and swap together. */
static int write_swap(const struct res *r, int64_t limit, int64_t swap, struct error *err)
{
	struct cg_write *w;

	if (swap == -1 || (swap == 0 && limit == -1)) {
		w = res_write(r, "memory.swap.max", "max");
	} else if (swap == 0) {
		return 0;
	} else if (limit == 0) {
		return res_refuse(r, "swap", "a memory limit beside it: it is the sum of both", err);
	} else if (limit > swap) {
		return res_refuse(r, "swap", "at least the memory limit: it is the sum of memory and swap", err);
	} else {
		swap -= limit > 0 ? limit : 0;
		w = res_write_u64(r, "memory.swap.max", (uint64_t)swap);
	}
	/* Without swap there is none to close or to open. */
	w->optional = swap == 0 || str_eq(w->value, "max");
	return 0;
}

static int read_memory(const struct res *r, struct error *err)
{
	static const char *const ignored_numbers[] = { "kernel", "kernelTCP", "swappiness" };
	static const char *const ignored_flags[] = { "disableOOMKiller", "useHierarchy", "checkBeforeUpdate" };
	int64_t limit = 0, reservation = 0, swap = 0, number;
	int code = get_limit(r, "limit", &limit, err);
	bool flag;

	if (code == 0)
		code = get_limit(r, "reservation", &reservation, err);
	if (code == 0)
		code = get_limit(r, "swap", &swap, err);
	for (size_t i = 0; code >= 0 && i < ARRAY_SIZE(ignored_numbers); i++)
		code = res_i64(r, ignored_numbers[i], &number, err);
	for (size_t i = 0; code >= 0 && i < ARRAY_SIZE(ignored_flags); i++)
		code = res_bool(r, ignored_flags[i], &flag, err);
	if (code >= 0)
		code = write_swap(r, limit, swap, err);
	if (code < 0)
		return code;
	write_limit(r, "memory.max", limit);
	write_limit(r, "memory.low", reservation);
	return 0;
}

/* The least, the default and the greatest value of both fit; between them it is a curve (runc from 1.3.2, crun from 1.23). */
static uint64_t weight_of_shares(uint64_t shares)
{
	double l;

	if (shares <= 2)
		return 1;
	if (shares >= SHARES_MAX)
		return WEIGHT_MAX;
	l = log2((double)shares);
	return (uint64_t)ceil(pow(10, (l * l + 125 * l) / 612 - 7.0 / 34));
}

/* A burst above the quota is refused, whichever of them changes first: it is none while the quota changes. */
static int write_cpu_max(const struct res *r, struct error *err)
{
	uint64_t period = 0, burst = 0, rt_period;
	int64_t quota = 0, rt_runtime;
	int has_burst, code = res_i64(r, "quota", &quota, err);

	if (code >= 0)
		code = res_u64(r, "period", &period, err);
	if (code >= 0)
		code = has_burst = res_u64(r, "burst", &burst, err);
	if (code >= 0)
		code = res_i64(r, "realtimeRuntime", &rt_runtime, err);
	if (code >= 0)
		code = res_u64(r, "realtimePeriod", &rt_period, err);
	if (code < 0)
		return code;
	if (quota || period) {
		char text[48], number[24] = "max";

		if (quota > 0)
			snprintf(number, sizeof(number), "%" PRId64, quota);
		snprintf(text, sizeof(text), "%s %" PRIu64, number, period ? period : PERIOD_DEFAULT);
		if (has_burst)
			res_write(r, "cpu.max.burst", "0");
		res_write(r, "cpu.max", text);
	}
	if (has_burst)
		res_write_u64(r, "cpu.max.burst", burst);
	return 0;
}

static int read_cpu(const struct res *r, struct error *err)
{
	const char *cpus = NULL, *mems = NULL;
	uint64_t shares = 0;
	int64_t idle = 0;
	int has_idle = res_i64(r, "idle", &idle, err), code = has_idle;

	if (code > 0 && idle != 0 && idle != 1)
		return res_refuse(r, "idle", "0 or 1", err);
	if (code >= 0)
		code = res_u64(r, "shares", &shares, err);
	if (code >= 0)
		code = res_str(r, "cpus", &cpus, err);
	if (code >= 0)
		code = res_str(r, "mems", &mems, err);
	if (code < 0)
		return code;
	if (has_idle)
		res_write_u64(r, "cpu.idle", (uint64_t)idle);
	/* The weight of an idle cgroup is the least, and the kernel lets nobody change it. */
	if (shares && idle != 1)
		/* The default, which engines write without being asked: there as well where no controller is. */
		res_write_u64(r, "cpu.weight", weight_of_shares(shares))->optional = shares == SHARES_DEFAULT;
	code = write_cpu_max(r, err);
	if (!str_is_empty(cpus))
		res_write(r, "cpuset.cpus", cpus);
	if (!str_is_empty(mems))
		res_write(r, "cpuset.mems", mems);
	return code;
}

static int read_pids(const struct res *r, struct error *err)
{
	int64_t limit = 0;
	int code = get_limit(r, "limit", &limit, err);

	if (code == 0)
		write_limit(r, "pids.max", limit);
	return code;
}

/* "2MB": a number, K, M or G, and B, as in the names of the files. */
static bool is_page_size(const char *s)
{
	size_t n = strspn(s, "0123456789");

	return n > 0 && n < 10 && s[n] && strchr("KMG", s[n]) && str_eq(s + n + 1, "B");
}

static int read_hugepages(const struct res *r, struct error *err)
{
	static const char key[] = "hugepageLimits";
	const json *arr = NULL;
	int code = res_arr(r, key, &arr, err);

	for (size_t i = 0; code > 0 && i < json_len(arr); i++) {
		const char *size = NULL;
		uint64_t limit = 0;
		struct res item;

		code = res_at(r, key, arr, i, &item, err);
		if (code == 0)
			code = res_str(&item, "pageSize", &size, err);
		if (code >= 0)
			code = res_u64(&item, "limit", &limit, err);
		if (code >= 0 && (!size || !is_page_size(size)))
			code = res_refuse(&item, "pageSize", "a size like \"2MB\"", err);
		if (code < 0)
			return code;
		res_write_u64(r, arena_fmt(r->a, "hugetlb.%s.max", size), limit);
		/* Reservations count since 5.7. */
		res_write_u64(r, arena_fmt(r->a, "hugetlb.%s.rsvd.max", size), limit)->optional = true;
		code = 1;
	}
	return code < 0 ? code : 0;
}

static int read_rdma_device(const struct res *rdma, const char *name, struct error *err)
{
	uint64_t handles = 0, objects = 0;
	struct res r;
	int code = res_obj(rdma, name, &r, err), has_handles, has_objects;
	const char *text = name;

	if (code <= 0)
		return code;
	if (!*name || strpbrk(name, " \t\n="))
		return err_set_kind(err, -EINVAL, ERR_USAGE, "%s: \"%.64s\" is not the name of a device", rdma->path, name);
	code = has_handles = res_u64(&r, "hcaHandles", &handles, err);
	if (code >= 0)
		code = has_objects = res_u64(&r, "hcaObjects", &objects, err);
	if (code < 0)
		return code;
	if (has_handles)
		text = arena_fmt(r.a, "%s hca_handle=%" PRIu64, text, handles);
	if (has_objects)
		text = arena_fmt(r.a, "%s hca_object=%" PRIu64, text, objects);
	if (text != name)
		res_write(&r, "rdma.max", text);
	return 0;
}

static int read_rdma(const struct res *r, struct error *err)
{
	struct json_iter it = json_iter(r->o);
	int code = 0;

	while (code >= 0 && json_next(&it))
		code = read_rdma_device(r, it.key, err);
	return code;
}

static int read_network(const struct res *r, struct error *err)
{
	const json *priorities;
	uint64_t class_id;
	int code = res_u64(r, "classID", &class_id, err);

	return code < 0 ? code : res_arr(r, "priorities", &priorities, err);
}

static int read_all(const struct res *r, struct error *err)
{
	static const struct {
		const char *key;
		int (*read)(const struct res *r, struct error *err);
	} parts[] = {
		{ "pids", read_pids },	   { "memory", read_memory }, { "blockIO", oci_res_block_io },
		{ "cpu", read_cpu },	   { NULL, read_hugepages },  { "rdma", read_rdma },
		{ "network", read_network }, { "unified", oci_res_unified },
	};
	int code = 0;

	for (size_t i = 0; code >= 0 && i < ARRAY_SIZE(parts); i++) {
		struct res part = *r;

		code = parts[i].key ? res_obj(r, parts[i].key, &part, err) : 1;
		if (code > 0)
			code = parts[i].read(&part, err);
	}
	return code < 0 ? code : oci_res_devices(r, err);
}

int oci_resources_decode(const json *resources, struct arena *a, struct cg_config *c, struct error *err)
{
	struct cg_config found = *c;
	struct res r = { .o = resources, .path = "linux.resources", .a = a, .c = &found };
	int code;

	if (json_kind_of(resources) != JSON_NULL && json_kind_of(resources) != JSON_OBJECT)
		return err_set_kind(err, -EINVAL, ERR_USAGE, "%s: expected an object", r.path);
	code = json_kind_of(resources) == JSON_NULL ? oci_res_devices(&r, err) : read_all(&r, err);
	if (code < 0)
		return code;
	*c = found;
	return 0;
}
