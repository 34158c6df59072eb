/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Numbers of a cgroup under the names that runc's events have (its types/events.go). */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "cmd/arnia-oci/cmd.h"
#include "lib/base/file.h"
#include "lib/base/json.h"
#include "lib/base/parse.h"
#include "lib/base/str.h"

#define FILE_MAX 65536
#define NS_PER_US 1000u

/* Empty when the host has no such file. */
static char *text_of(int cg, const char *file)
{
	char *text = NULL;

	return file_read_at(cg, file, FILE_MAX, &text, NULL) < 0 ? str_dup("") : text;
}

/* Each "KEY VALUE" line. */
static json *flat_of(int cg, const char *file)
{
	auto_free char *text = text_of(cg, file);
	json *j = json_new_obj();
	char *rest = text, *line;
	uint64_t v;

	while ((line = strsep(&rest, "\n"))) {
		char *value = strchr(line, ' ');

		if (!value)
			continue;
		*value++ = '\0';
		if (parse_u64(value, &v) == 0)
			json_add_u64(j, line, v);
	}
	return j;
}

static uint64_t flat_get(const json *flat, const char *key)
{
	uint64_t v = 0;

	(void)json_get_u64(flat, key, &v, NULL);
	return v;
}

/* "max" is as large as it can be. */
static uint64_t number_of(int cg, const char *file)
{
	auto_free char *text = text_of(cg, file);
	uint64_t v = 0;

	text[strcspn(text, "\n")] = '\0';
	if (str_eq(text, "max"))
		return UINT64_MAX;
	return parse_u64(text, &v) == 0 ? v : 0;
}

/* Pressure: "some avg10=0.00 avg60=0.00 avg300=0.00 total=0". */
static void add_psi(json *parent, int cg, const char *file)
{
	auto_free char *text = text_of(cg, file);
	json *psi = NULL;
	char *rest = text, *line;

	while ((line = strsep(&rest, "\n"))) {
		double avg[3];
		unsigned long long total;
		char kind[8];
		json *one;

		if (sscanf(line, "%7s avg10=%lf avg60=%lf avg300=%lf total=%llu", kind, &avg[0], &avg[1],
			   &avg[2], &total) != 5)
			continue;
		one = json_new_obj();
		json_add(one, "avg10", json_new_num(avg[0]));
		json_add(one, "avg60", json_new_num(avg[1]));
		json_add(one, "avg300", json_new_num(avg[2]));
		json_add_u64(one, "total", total);
		psi = psi ?: json_new_obj();
		json_add(psi, kind, one);
	}
	if (psi)
		json_add(parent, "psi", psi);
}

static json *cpu_stats(int cg)
{
	auto_json json *stat = flat_of(cg, "cpu.stat");
	json *cpu = json_new_obj(), *usage = json_new_obj(), *throttling = json_new_obj();

	json_add_u64(usage, "total", flat_get(stat, "usage_usec") * NS_PER_US);
	json_add_u64(usage, "kernel", flat_get(stat, "system_usec") * NS_PER_US);
	json_add_u64(usage, "user", flat_get(stat, "user_usec") * NS_PER_US);
	json_add_u64(throttling, "periods", flat_get(stat, "nr_periods"));
	json_add_u64(throttling, "throttledPeriods", flat_get(stat, "nr_throttled"));
	json_add_u64(throttling, "throttledTime", flat_get(stat, "throttled_usec") * NS_PER_US);
	json_add(cpu, "usage", usage);
	json_add(cpu, "throttling", throttling);
	add_psi(cpu, cg, "cpu.pressure");
	return cpu;
}

static json *memory_entry(uint64_t usage, uint64_t limit, uint64_t max, uint64_t failed)
{
	json *j = json_new_obj();

	json_add_u64(j, "limit", limit);
	json_add_u64(j, "usage", usage);
	json_add_u64(j, "max", max);
	json_add_u64(j, "failcnt", failed);
	return j;
}

/* Of memory and swap together, as with cgroup v1. */
static json *swap_entry(int cg, uint64_t usage, uint64_t limit)
{
	uint64_t swap_limit = number_of(cg, "memory.swap.max");
	bool open = limit == UINT64_MAX || swap_limit == UINT64_MAX;

	return memory_entry(usage + number_of(cg, "memory.swap.current"),
			    open ? UINT64_MAX : limit + swap_limit, 0, 0);
}

static json *memory_stats(int cg)
{
	auto_json json *events = flat_of(cg, "memory.events");
	json *memory = json_new_obj(), *raw = flat_of(cg, "memory.stat"), *count = json_new_obj();
	static const char *const counted[] = { "low", "high", "max", "oom", "oom_kill" };
	uint64_t usage = number_of(cg, "memory.current"), limit = number_of(cg, "memory.max");

	json_add_u64(memory, "cache", flat_get(raw, "file"));
	json_add(memory, "usage",
		 memory_entry(usage, limit, number_of(cg, "memory.peak"), flat_get(events, "max")));
	json_add(memory, "swap", swap_entry(cg, usage, limit));
	json_add(memory, "kernel", memory_entry(flat_get(raw, "kernel"), 0, 0, 0));
	json_add(memory, "kernelTCP", memory_entry(flat_get(raw, "sock"), 0, 0, 0));
	json_add(memory, "raw", raw);
	add_psi(memory, cg, "memory.pressure");
	for (size_t i = 0; i < ARRAY_SIZE(counted); i++)
		json_add_u64(count, counted[i], flat_get(events, counted[i]));
	json_add(memory, "event_count", count);
	return memory;
}

static json *pids_stats(int cg)
{
	uint64_t limit = number_of(cg, "pids.max");
	json *j = json_new_obj();

	json_add_u64(j, "current", number_of(cg, "pids.current"));
	json_add_u64(j, "limit", limit == UINT64_MAX ? 0 : limit);
	return j;
}

/* ---- io.stat: "8:0 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=5 dios=6" ---- */

static void add_io(json *list, unsigned major, unsigned minor, const char *op, const char *value)
{
	json *j = json_new_obj();
	uint64_t v = 0;

	(void)parse_u64(value, &v);
	json_add_u64(j, "major", major);
	json_add_u64(j, "minor", minor);
	json_add_str(j, "op", op);
	json_add_u64(j, "value", v);
	json_push(list, j);
}

static void add_device(char *line, json *bytes, json *counts)
{
	static const struct {
		const char *key, *op;
		bool bytes;
	} keys[] = {
		{ "rbytes=", "Read", true }, { "wbytes=", "Write", true }, { "dbytes=", "Discard", true },
		{ "rios=", "Read", false },  { "wios=", "Write", false },  { "dios=", "Discard", false },
	};
	char *rest = line, *word = strsep(&rest, " ");
	unsigned major, minor;

	if (!word || sscanf(word, "%u:%u", &major, &minor) != 2)
		return;
	while ((word = strsep(&rest, " ")))
		for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
			if (str_starts(word, keys[i].key))
				add_io(keys[i].bytes ? bytes : counts, major, minor, keys[i].op,
				       str_after(word, keys[i].key));
}

static json *io_stats(int cg)
{
	auto_free char *text = text_of(cg, "io.stat");
	json *io = json_new_obj(), *bytes = json_new_arr(), *counts = json_new_arr();
	char *rest = text, *line;

	while ((line = strsep(&rest, "\n")))
		add_device(line, bytes, counts);
	json_add(io, "ioServiceBytesRecursive", bytes);
	json_add(io, "ioServicedRecursive", counts);
	add_psi(io, cg, "io.pressure");
	return io;
}

json *cgroup_stats(int cg)
{
	json *j = json_new_obj();

	json_add(j, "cpu", cpu_stats(cg));
	json_add(j, "cpuset", json_new_obj());
	json_add(j, "memory", memory_stats(cg));
	json_add(j, "pids", pids_stats(cg));
	json_add(j, "blkio", io_stats(cg));
	json_add(j, "hugetlb", json_new_obj());
	json_add(j, "intel_rdt", json_new_obj());
	json_add(j, "network_interfaces", json_new_arr());
	return j;
}
