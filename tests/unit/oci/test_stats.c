/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "lib/base/str.h"
#include "lib/oci/oci.h"

#define CPUSET                                                                                                         \
	"\"cpuset\":{\"cpu_exclusive\":0,\"mem_hardwall\":0,\"mem_exclusive\":0,\"memory_migrate\":0,"                 \
	"\"memory_spread_page\":0,\"memory_spread_slab\":0,\"memory_pressure\":0,\"sched_load_balance\":0,"            \
	"\"sched_relax_domain_level\":0}"
#define NO_ENTRY "{\"limit\":0,\"failcnt\":0}"

static void assert_stats(struct cg_file_text *files, size_t n, const char *want)
{
	struct cg_stat_text st = { 0 };
	auto_json json *j = NULL;
	auto_free char *text = NULL;

	st.files.v = files;
	st.files.n = n;
	j = oci_stats("c1", &st);
	text = json_text(j, false);
	assert_string_equal(text, want);
}

static void test_nothing(void **state)
{
	(void)state;
	assert_stats(NULL, 0,
		     "{\"type\":\"stats\",\"id\":\"c1\",\"data\":{\"cpu\":{\"usage\":{\"kernel\":0,\"user\":0},\"throttling\":{}}," CPUSET
		     ",\"memory\":{\"usage\":" NO_ENTRY ",\"swap\":" NO_ENTRY ",\"kernel\":" NO_ENTRY ",\"kernelTCP\":" NO_ENTRY
		     "},\"pids\":{},\"blkio\":{},\"hugetlb\":{},\"intel_rdt\":{},\"network_interfaces\":null}}");
}

static void test_full(void **state)
{
	struct cg_file_text files[] = {
		{ "cpu.stat", "usage_usec 30\nuser_usec 20\nsystem_usec 10\nnr_periods 3\nnr_throttled 2\nthrottled_usec 7\n" },
		{ "cpu.pressure", "some avg10=0.50 avg60=1.00 avg300=0.00 total=9\n" },
		{ "memory.stat", "anon 4096\nfile 8192\nfile_mapped 1\nodd x\n" },
		{ "memory.current", "12288\n" },
		{ "memory.max", "1048576\n" },
		{ "memory.peak", "20480\n" },
		{ "memory.events", "low 0\nhigh 0\nmax 5\noom 0\noom_kill 0\n" },
		{ "memory.swap.current", "100\n" },
		{ "memory.swap.max", "max\n" },
		{ "pids.current", "4\n" },
		{ "pids.max", "100\n" },
		{ "io.stat", "8:0 rbytes=1 wbytes=0 rios=3 wios=4 dbytes=5 dios=6\n\n254:16 \n" },
		{ "hugetlb.2MB.current", "2097152\n" },
		{ "hugetlb.2MB.events", "max 1\n" },
		{ "hugetlb.1GB.current", "0\n" },
		{ "hugetlb.1GB.rsvd.current", "0\n" },
	};

	(void)state;
	assert_stats(files, ARRAY_SIZE(files),
		     "{\"type\":\"stats\",\"id\":\"c1\",\"data\":{\"cpu\":{\"usage\":{\"total\":30000,\"kernel\":10000,\"user\":20000},"
		     "\"throttling\":{\"periods\":3,\"throttledPeriods\":2,\"throttledTime\":7000},\"psi\":{\"some\":{\"avg10\":0.5,"
		     "\"avg60\":1.0,\"avg300\":0.0,\"total\":9}}}," CPUSET
		     ",\"memory\":{\"cache\":8192,\"usage\":{\"limit\":1048576,\"usage\":12288,\"max\":20480,\"failcnt\":5},"
		     "\"swap\":{\"limit\":18446744073709551615,\"usage\":12388,\"failcnt\":0},\"kernel\":" NO_ENTRY
		     ",\"kernelTCP\":" NO_ENTRY ",\"raw\":{\"anon\":4096,\"file\":8192,\"file_mapped\":1}},"
		     "\"pids\":{\"current\":4,\"limit\":100},\"blkio\":{\"ioServiceBytesRecursive\":[{\"major\":8,\"op\":\"Read\","
		     "\"value\":1},{\"major\":8,\"op\":\"Write\"}],\"ioServicedRecursive\":[{\"major\":8,\"op\":\"Read\",\"value\":3},"
		     "{\"major\":8,\"op\":\"Write\",\"value\":4}]},\"hugetlb\":{\"2MB\":{\"usage\":2097152,\"failcnt\":1},"
		     "\"1GB\":{\"failcnt\":0}},\"intel_rdt\":{},\"network_interfaces\":null}}");
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_nothing), cmocka_unit_test(test_full) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
