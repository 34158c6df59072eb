/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The JSON of `events --stats`. Its form is of cgroup v1 and runc's (types/events.go there): tools read it. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "lib/base/parse.h"
#include "lib/base/str.h"
#include "lib/oci/oci.h"

#define HUGETLB_PREFIX "hugetlb."
#define NS_PER_US 1000

static const char *file_text(const struct cg_stat_text *st, const char *name)
{
	for (size_t i = 0; i < st->files.n; i++)
		if (str_eq(st->files.v[i].name, name))
			return st->files.v[i].text;
	return NULL;
}

/* A whole number up to the next space or line; "max" is UINT64_MAX. */
static bool read_number(const char *s, uint64_t *ret)
{
	size_t n = strcspn(s, " \n");
	char text[24];

	if (n >= sizeof(text))
		return false;
	memcpy(text, s, n);
	text[n] = '\0';
	if (str_eq(text, "max")) {
		*ret = UINT64_MAX;
		return true;
	}
	return parse_u64(text, ret) == 0;
}

static uint64_t number_of(const struct cg_stat_text *st, const char *name)
{
	const char *text = file_text(st, name);
	uint64_t v = 0;

	return text && read_number(text, &v) ? v : 0;
}

/* The next line of *text, cut into `line`; false at the end. */
static bool next_line(const char **text, char *line, size_t size)
{
	size_t n = *text ? strcspn(*text, "\n") : 0;

	if (!*text || !**text)
		return false;
	snprintf(line, size, "%.*s", (int)n, *text);
	*text += n + ((*text)[n] == '\n');
	return true;
}

static uint64_t key_of(const struct cg_stat_text *st, const char *name, const char *key)
{
	const char *text = file_text(st, name);
	char line[256];
	uint64_t v = 0;

	while (next_line(&text, line, sizeof(line))) {
		const char *rest = str_after(line, key);

		if (rest && *rest == ' ' && read_number(rest + 1, &v))
			return v;
	}
	return 0;
}

static void add_nonzero(json *o, const char *key, uint64_t v)
{
	if (v)
		json_add_u64(o, key, v);
}

/* "some avg10=0.00 avg60=0.00 avg300=0.00 total=0" */
static json *psi_line(const char *line)
{
	json *o = json_new_obj();
	double avg[3];
	uint64_t total;

	if (sscanf(line, "%*s avg10=%lf avg60=%lf avg300=%lf total=%" SCNu64, &avg[0], &avg[1], &avg[2], &total) != 4) {
		json_unref(o);
		return NULL;
	}
	json_add(o, "avg10", json_new_num(avg[0]));
	json_add(o, "avg60", json_new_num(avg[1]));
	json_add(o, "avg300", json_new_num(avg[2]));
	json_add_u64(o, "total", total);
	return o;
}

static void add_psi(json *o, const struct cg_stat_text *st, const char *name)
{
	static const char *const kinds[] = { "some", "full" };
	const char *text = file_text(st, name);
	json *psi = json_new_obj();
	bool any = false;
	char line[256];

	while (next_line(&text, line, sizeof(line)))
		for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
			json *one = str_starts(line, kinds[i]) ? psi_line(line) : NULL;

			if (one)
				json_add(psi, kinds[i], one);
			any = any || one;
		}
	if (any)
		json_add(o, "psi", psi);
	else
		json_unref(psi);
}

static json *cpu_stats(const struct cg_stat_text *st)
{
	json *o = json_new_obj(), *usage = json_new_obj(), *throttling = json_new_obj();

	add_nonzero(usage, "total", key_of(st, "cpu.stat", "usage_usec") * NS_PER_US);
	json_add_u64(usage, "kernel", key_of(st, "cpu.stat", "system_usec") * NS_PER_US);
	json_add_u64(usage, "user", key_of(st, "cpu.stat", "user_usec") * NS_PER_US);
	add_nonzero(throttling, "periods", key_of(st, "cpu.stat", "nr_periods"));
	add_nonzero(throttling, "throttledPeriods", key_of(st, "cpu.stat", "nr_throttled"));
	add_nonzero(throttling, "throttledTime", key_of(st, "cpu.stat", "throttled_usec") * NS_PER_US);
	json_add(o, "usage", usage);
	json_add(o, "throttling", throttling);
	add_psi(o, st, "cpu.pressure");
	return o;
}

/* All of it is of v1. */
static json *cpuset_stats(void)
{
	static const char *const keys[] = { "cpu_exclusive",	  "mem_hardwall",	"mem_exclusive",
					    "memory_migrate",	  "memory_spread_page", "memory_spread_slab",
					    "memory_pressure",	  "sched_load_balance", "sched_relax_domain_level" };
	json *o = json_new_obj();

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		json_add_u64(o, keys[i], 0);
	return o;
}

static json *memory_entry(uint64_t limit, uint64_t usage, uint64_t max, uint64_t failed)
{
	json *o = json_new_obj();

	json_add_u64(o, "limit", limit);
	add_nonzero(o, "usage", usage);
	add_nonzero(o, "max", max);
	json_add_u64(o, "failcnt", failed);
	return o;
}

static json *memory_raw(const struct cg_stat_text *st)
{
	const char *text = file_text(st, "memory.stat");
	json *o = json_new_obj();
	char line[256];

	while (next_line(&text, line, sizeof(line))) {
		char *space = strchr(line, ' ');
		uint64_t v;

		if (!space || !read_number(space + 1, &v))
			continue;
		*space = '\0';
		json_add_u64(o, line, v);
	}
	return o;
}

static uint64_t sum(uint64_t a, uint64_t b)
{
	return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

/* Swap of v1 is memory and swap together, and has no greatest value that could be told. */
static json *memory_stats(const struct cg_stat_text *st)
{
	uint64_t limit = number_of(st, "memory.max"), usage = number_of(st, "memory.current");
	uint64_t swap_limit = number_of(st, "memory.swap.max"), swap = number_of(st, "memory.swap.current");
	json *o = json_new_obj();

	add_nonzero(o, "cache", key_of(st, "memory.stat", "file"));
	json_add(o, "usage", memory_entry(limit, usage, number_of(st, "memory.peak"), key_of(st, "memory.events", "max")));
	json_add(o, "swap", memory_entry(sum(limit, swap_limit), sum(usage, swap), 0, key_of(st, "memory.swap.events", "fail")));
	json_add(o, "kernel", memory_entry(0, 0, 0, 0));
	json_add(o, "kernelTCP", memory_entry(0, 0, 0, 0));
	if (file_text(st, "memory.stat"))
		json_add(o, "raw", memory_raw(st));
	add_psi(o, st, "memory.pressure");
	return o;
}

static json *pids_stats(const struct cg_stat_text *st)
{
	uint64_t limit = number_of(st, "pids.max");
	json *o = json_new_obj();

	add_nonzero(o, "current", number_of(st, "pids.current"));
	add_nonzero(o, "limit", limit == UINT64_MAX ? 0 : limit);
	return o;
}

static json *blkio_entry(const char *device, const char *op, uint64_t value)
{
	json *o = json_new_obj();
	uint64_t major = 0, minor = 0;

	sscanf(device, "%" SCNu64 ":%" SCNu64, &major, &minor);
	add_nonzero(o, "major", major);
	add_nonzero(o, "minor", minor);
	json_add_str(o, "op", op);
	add_nonzero(o, "value", value);
	return o;
}

/* "8:16 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=0 dios=0" */
static void add_io_line(char *line, json *bytes, json *ios)
{
	static const struct {
		const char *key, *op;
		bool bytes;
	} fields[] = {
		{ "rbytes=", "Read", true }, { "wbytes=", "Write", true }, { "rios=", "Read", false }, { "wios=", "Write", false },
	};
	char *save = NULL, *device = strtok_r(line, " ", &save);

	for (char *word = strtok_r(NULL, " ", &save); device && word; word = strtok_r(NULL, " ", &save))
		for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
			const char *rest = str_after(word, fields[i].key);
			uint64_t v;

			if (rest && read_number(rest, &v))
				json_push(fields[i].bytes ? bytes : ios, blkio_entry(device, fields[i].op, v));
		}
}

static void add_filled(json *o, const char *key, json *arr)
{
	if (json_len(arr))
		json_add(o, key, arr);
	else
		json_unref(arr);
}

static json *blkio_stats(const struct cg_stat_text *st)
{
	json *o = json_new_obj(), *bytes = json_new_arr(), *ios = json_new_arr();
	const char *text = file_text(st, "io.stat");
	char line[1024];

	while (next_line(&text, line, sizeof(line)))
		add_io_line(line, bytes, ios);
	add_filled(o, "ioServiceBytesRecursive", bytes);
	add_filled(o, "ioServicedRecursive", ios);
	add_psi(o, st, "io.pressure");
	return o;
}

/* A member for each "hugetlb.SIZE.current". */
static json *hugetlb_stats(const struct cg_stat_text *st)
{
	json *o = json_new_obj();

	for (size_t i = 0; i < st->files.n; i++) {
		const char *size = str_after(st->files.v[i].name, HUGETLB_PREFIX);
		size_t n = size ? strcspn(size, ".") : 0;
		char name[64], events[96];
		json *one;

		if (!size || !str_eq(size + n, ".current") || n >= sizeof(name))
			continue;
		snprintf(name, sizeof(name), "%.*s", (int)n, size);
		snprintf(events, sizeof(events), HUGETLB_PREFIX "%s.events", name);
		one = json_new_obj();
		add_nonzero(one, "usage", number_of(st, st->files.v[i].name));
		json_add_u64(one, "failcnt", key_of(st, events, "max"));
		json_add(o, name, one);
	}
	return o;
}

json *oci_stats(const char *id, const struct cg_stat_text *st)
{
	json *o = json_new_obj(), *data = json_new_obj();

	json_add_str(o, "type", "stats");
	json_add_str(o, "id", id);
	json_add(data, "cpu", cpu_stats(st));
	json_add(data, "cpuset", cpuset_stats());
	json_add(data, "memory", memory_stats(st));
	json_add(data, "pids", pids_stats(st));
	json_add(data, "blkio", blkio_stats(st));
	json_add(data, "hugetlb", hugetlb_stats(st));
	json_add(data, "intel_rdt", json_new_obj());
	json_add(data, "network_interfaces", NULL);
	json_add(o, "data", data);
	return o;
}
