/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "cmd/arnia-oci/cmd.h"
#include "lib/base/fd.h"
#include "lib/base/json.h"
#include "lib/base/path.h"
#include "lib/base/str.h"

static char dir[64];

static int set_up(void **state)
{
	(void)state;
	snprintf(dir, sizeof(dir), "/tmp/arnia-stats.XXXXXX");
	return mkdtemp(dir) ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	return path_rmtree_at(AT_FDCWD, dir) < 0 ? -1 : 0;
}

static void put(const char *name, const char *text)
{
	auto_free char *path = str_fmt("%s/%s", dir, name);
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

/* The number at "a.b.c". */
static uint64_t at(const json *j, const char *path)
{
	char copy[64], *rest = copy, *key;
	uint64_t v = UINT64_MAX - 1;

	snprintf(copy, sizeof(copy), "%s", path);
	while ((key = strsep(&rest, ".")) && rest)
		assert_int_equal(json_get_obj(j, key, &j, NULL), 1);
	assert_int_equal(json_get_u64(j, key, &v, NULL), 1);
	return v;
}

static json *stats(void)
{
	auto_fd int fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);

	assert_true(fd >= 0);
	return cgroup_stats(fd);
}

static void a_full_host(void **state)
{
	auto_json json *j = NULL;
	const json *io = NULL, *list = NULL, *psi = NULL, *some = NULL;
	double avg = 0;

	(void)state;
	put("cpu.stat", "usage_usec 3000\nuser_usec 2000\nsystem_usec 1000\nnr_periods 7\nnr_throttled "
			"2\nthrottled_usec 5\n");
	put("cpu.pressure", "some avg10=1.50 avg60=0.25 avg300=0.00 total=99\n");
	put("memory.current", "1048576\n");
	put("memory.max", "2097152\n");
	put("memory.peak", "1500000\n");
	put("memory.swap.current", "4096\n");
	put("memory.swap.max", "8192\n");
	put("memory.stat", "anon 1\nfile 22\nkernel 33\nsock 44\nslab_reclaimable 5\n");
	put("memory.events", "low 0\nhigh 1\nmax 2\noom 3\noom_kill 4\n");
	put("pids.current", "5\n");
	put("pids.max", "100\n");
	put("io.stat", "8:0 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=5 dios=6\n253:1 rbytes=7\n");
	j = stats();
	assert_int_equal(at(j, "cpu.usage.total"), 3000000);
	assert_int_equal(at(j, "cpu.usage.user"), 2000000);
	assert_int_equal(at(j, "cpu.usage.kernel"), 1000000);
	assert_int_equal(at(j, "cpu.throttling.periods"), 7);
	assert_int_equal(at(j, "cpu.throttling.throttledPeriods"), 2);
	assert_int_equal(at(j, "cpu.throttling.throttledTime"), 5000);
	assert_int_equal(at(j, "memory.usage.usage"), 1048576);
	assert_int_equal(at(j, "memory.usage.limit"), 2097152);
	assert_int_equal(at(j, "memory.usage.max"), 1500000);
	assert_int_equal(at(j, "memory.usage.failcnt"), 2);
	assert_int_equal(at(j, "memory.swap.usage"), 1048576 + 4096);
	assert_int_equal(at(j, "memory.swap.limit"), 2097152 + 8192);
	assert_int_equal(at(j, "memory.cache"), 22);
	assert_int_equal(at(j, "memory.kernel.usage"), 33);
	assert_int_equal(at(j, "memory.raw.slab_reclaimable"), 5);
	assert_int_equal(at(j, "memory.event_count.oom_kill"), 4);
	assert_int_equal(at(j, "pids.current"), 5);
	assert_int_equal(at(j, "pids.limit"), 100);
	assert_int_equal(json_get_obj(j, "blkio", &io, NULL), 1);
	assert_int_equal(json_get_arr(io, "ioServiceBytesRecursive", &list, NULL), 1);
	assert_int_equal(json_len(list), 4);
	assert_int_equal(at(json_at(list, 3), "major"), 253);
	assert_int_equal(at(json_at(list, 3), "value"), 7);
	assert_int_equal(json_get_obj(j, "cpu", &io, NULL), 1);
	assert_int_equal(json_get_obj(io, "psi", &psi, NULL), 1);
	assert_int_equal(json_get_obj(psi, "some", &some, NULL), 1);
	assert_int_equal(json_get_num(some, "avg10", &avg, NULL), 1);
	assert_true(avg == 1.5);
}

static void no_limits(void **state)
{
	auto_json json *j = NULL;

	(void)state;
	put("memory.max", "max\n");
	put("memory.swap.max", "0\n");
	put("pids.max", "max\n");
	j = stats();
	assert_true(at(j, "memory.usage.limit") == UINT64_MAX);
	assert_true(at(j, "memory.swap.limit") == UINT64_MAX);
	assert_int_equal(at(j, "pids.limit"), 0);
}

/* A host without controllers, and files of a kernel that writes something else. */
static void odd_files(void **state)
{
	auto_json json *j = stats();

	(void)state;
	assert_int_equal(at(j, "cpu.usage.total"), 0);
	json_unref(j);
	put("cpu.stat", "usage_usec x\nuser_usec\n\n nr_periods 1\nnr_throttled 1 2\n");
	put("memory.current", "");
	put("memory.max", "18446744073709551615\n");
	put("memory.swap.max", "18446744073709551615\n");
	put("io.stat", "\nx\n8:0\n8: rbytes=1\n8:0 rbytes= wbytes=x foo\n");
	put("cpu.pressure", "some\nfull avg10=x\n");
	j = stats();
	assert_int_equal(at(j, "cpu.usage.total"), 0);
	assert_int_equal(at(j, "cpu.throttling.throttledPeriods"), 0);
	assert_true(at(j, "memory.swap.limit") == UINT64_MAX);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
int main(void)
{
	const struct CMUnitTest tests[] = { CASE(a_full_host), CASE(no_limits), CASE(odd_files) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
