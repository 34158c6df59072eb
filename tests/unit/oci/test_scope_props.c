/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "lib/base/str.h"
#include "lib/oci/oci.h"

static char *joined(const struct strv *sv)
{
	struct strbuf b = { 0 };

	for (size_t i = 0; i < sv->n; i++)
		strbuf_addf(&b, "%s\n", sv->v[i]);
	return strbuf_steal(&b);
}

static void assert_props(struct cg_write *w, size_t n, const char *want)
{
	struct cg_config c = { 0 };
	struct arena a = { 0 };
	struct strv out = { 0 };
	struct error err = { 0 };
	auto_free char *text = NULL;

	c.writes.v = w;
	c.writes.n = n;
	if (oci_scope_props(&c, &a, &out, &err) < 0)
		fail_msg("%s", err.text);
	text = joined(&out);
	assert_string_equal(text, want);
	arena_done(&a);
}

static void test_props(void **state)
{
	struct cg_write all[] = {
		{ .file = "pids.max", .value = "max" },
		{ .file = "memory.swap.max", .value = "0" },
		{ .file = "memory.max", .value = "1048576" },
		{ .file = "memory.low", .value = "5" },
		{ .file = "io.bfq.weight", .value = "10" },
		{ .file = "io.weight", .value = "1" },
		{ .file = "io.max", .value = "8:0 rbps=1" },
		{ .file = "cpu.weight", .value = "100" },
		{ .file = "cpu.max", .value = "33333 100000" },
		{ .file = "cpu.max.burst", .value = "1" },
		{ .file = "cpuset.cpus", .value = "0-3,8" },
		{ .file = "cpuset.mems", .value = "0" },
		{ .file = "memory.max", .value = " 7\n" }, /* unified comes last */
		{ .file = "memory.high", .value = "max" },
		{ .file = "memory.oom.group", .value = "1" },
	};
	struct cg_write idle[] = { { .file = "cpu.idle", .value = "1" }, { .file = "cpu.weight", .value = "50" } };
	struct cg_write awake[] = { { .file = "cpu.weight", .value = "50" }, { .file = "cpu.idle", .value = "0" } };
	struct cg_write free_cpu = { .file = "cpu.max", .value = "max 20000" }, whole = { .file = "cpu.max", .value = "150000" };
	struct cg_write weights[] = { { .file = "io.weight", .value = "8:0 50" }, { .file = "io.weight", .value = "default 70" } };

	(void)state;
	assert_props(NULL, 0, "");
	assert_props(all, ARRAY_SIZE(all),
		     "TasksMax=t:18446744073709551615\nMemorySwapMax=t:0\nMemoryMax=t:7\nMemoryLow=t:5\nIOWeight=t:1\nCPUWeight=t:100\n"
		     "CPUQuotaPeriodUSec=t:100000\nCPUQuotaPerSecUSec=t:340000\nAllowedCPUs=ay:0f01\nAllowedMemoryNodes=ay:01\n"
		     "MemoryHigh=t:18446744073709551615\nOOMPolicy=s:kill\n");
	assert_props(idle, 2, "CPUWeight=t:0\n");
	assert_props(awake, 2, "CPUWeight=t:50\n");
	assert_props(&free_cpu, 1, "CPUQuotaPeriodUSec=t:20000\nCPUQuotaPerSecUSec=t:18446744073709551615\n");
	assert_props(&whole, 1, "CPUQuotaPeriodUSec=t:100000\nCPUQuotaPerSecUSec=t:1500000\n");
	assert_props(weights, 2, "IOWeight=t:70\n");
}

static void test_bad_props(void **state)
{
	static const struct cg_write bad[] = {
		{ .file = "memory.max", .value = "x" },	   { .file = "memory.max", .value = "1 2" },
		{ .file = "memory.max", .value = "" },	   { .file = "cpu.max", .value = "1 0" },
		{ .file = "cpu.max", .value = "1 max" },   { .file = "cpu.max", .value = "18446744073709551614 1" },
		{ .file = "cpuset.cpus", .value = "3-1" }, { .file = "cpuset.cpus", .value = "8192" },
		{ .file = "cpuset.cpus", .value = "a" },   { .file = "cpuset.cpus", .value = "0-" },
		{ .file = "cpu.idle", .value = "y" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct cg_write w = bad[i];
		struct cg_config c = { 0 };
		struct arena a = { 0 };
		struct strv out = { 0 };
		struct error err = { 0 };

		c.writes.v = &w;
		c.writes.n = 1;
		if (oci_scope_props(&c, &a, &out, &err) != -EINVAL)
			fail_msg("%s %s: taken", w.file, w.value);
		assert_int_equal(err.kind, ERR_USAGE);
		assert_non_null(strstr(err.text, w.file));
		assert_int_equal(out.n, 0);
		arena_done(&a);
	}
}

static const struct {
	const char *name, *value, *want; /* NULL = refused */
} annotations[] = {
	{ "TimeoutStopUSec", "uint64 5000000", "TimeoutStopUSec=t:5000000\n" },
	{ "TimeoutStopSec", "uint64 5", "TimeoutStopUSec=t:5000000\n" },
	{ "TimeoutStopSec", "5", "TimeoutStopUSec=t:5000000\n" },
	{ "TimeoutStopSec", "'5'", NULL },
	{ "TimeoutStopSec", "-1", NULL },
	{ "TimeoutStopSec", "uint64 18446744073709551615", NULL },
	{ "CollectMode", "'inactive-or-failed'", "CollectMode=s:inactive-or-failed\n" },
	{ "CollectMode", " \"a \\\"b\\\"\" ", "CollectMode=s:a \"b\"\n" },
	{ "After", "['a.service', \"b.service\"]", "After=as:a.service\nAfter=as:b.service\n" },
	{ "After", "[]", "After=as\n" },
	{ "After", "['a' 'b']", NULL },
	{ "After", "['a'", NULL },
	{ "After", "['a'] x", NULL },
	{ "After", "[1]", NULL },
	{ "SendSIGHUP", "true", "SendSIGHUP=b:true\n" },
	{ "Some", "int32 -2147483648", "Some=i:-2147483648\n" },
	{ "Some", "-5", "Some=i:-5\n" },
	{ "Some", "2147483648", NULL },
	{ "Some", "uint32 4294967295", "Some=u:4294967295\n" },
	{ "Some", "uint32 -1", NULL },
	{ "Some", "int64 -9223372036854775808", "Some=x:-9223372036854775808\n" },
	{ "Some", "uint64", NULL },
	{ "Some", "'open", NULL },
	{ "Some", "'a' b", NULL },
	{ "Some", "", NULL },
	{ "Some", "(1, 2)", NULL },
	{ "So", "1", NULL },
	{ "So-me", "1", NULL },
	{ "Some1", "1", NULL },
	{ "", "1", NULL },
	{ "Delegate", "false", NULL },
	{ "PIDs", "1", NULL },
	{ "Slice", "'x.slice'", NULL },
	{ "DeviceAllow", "'x'", NULL },
};

static void test_annotations(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(annotations); i++) {
		struct arena a = { 0 };
		struct oci_pair pairs[] = { { "other", "x" },
					    { arena_fmt(&a, "org.systemd.property.%s", annotations[i].name), annotations[i].value } };
		struct strv out = { 0 };
		struct error err = { 0 };
		auto_free char *text = NULL;
		int r = oci_scope_annotations(pairs, 2, &a, &out, &err);

		if (r != (annotations[i].want ? 0 : -EINVAL))
			fail_msg("%s=%s: %d %s", annotations[i].name, annotations[i].value, r, err.text);
		text = joined(&out);
		assert_string_equal(text, annotations[i].want ? annotations[i].want : "");
		arena_done(&a);
	}
}

static void test_both(void **state)
{
	struct cg_write w = { .file = "pids.max", .value = "5" };
	struct oci_pair pair = { "org.systemd.property.Description", "'x'" }, bad = { "org.systemd.property.PIDs", "1" };
	struct cg_config c = { 0 };
	struct arena a = { 0 };
	struct strv out = { 0 };
	struct error err = { 0 };
	auto_free char *text = NULL;

	(void)state;
	c.writes.v = &w;
	c.writes.n = 1;
	assert_int_equal(oci_scope_props(&c, &a, &out, &err), 0);
	assert_int_equal(oci_scope_annotations(&pair, 1, &a, &out, &err), 0);
	assert_int_equal(oci_scope_annotations(&bad, 1, &a, &out, &err), -EINVAL);
	text = joined(&out);
	assert_string_equal(text, "TasksMax=t:5\nDescription=s:x\n");
	arena_done(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_props),
		cmocka_unit_test(test_bad_props),
		cmocka_unit_test(test_annotations),
		cmocka_unit_test(test_both),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
