/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/unit/base/unit.h"
#include "lib/base/mem.h"
#include "lib/base/time.h"

#define NS 1000000000ULL

static void test_format(void **state)
{
	static const struct {
		uint64_t ns;
		const char *text;
	} cases[] = {
		{ 0, "1970-01-01T00:00:00.000000000Z" },
		{ 1, "1970-01-01T00:00:00.000000001Z" },
		{ 951782400 * NS, "2000-02-29T00:00:00.000000000Z" },
		{ 1769860800 * NS + 123456789, "2026-01-31T12:00:00.123456789Z" },
		{ 4102444799 * NS + 999999999, "2099-12-31T23:59:59.999999999Z" },
	};
	char buf[40];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		uint64_t back = 0;

		assert_string_equal(time_rfc3339(cases[i].ns, buf), cases[i].text);
		assert_int_equal(time_parse(buf, 0, &back), 0);
		assert_true(back == cases[i].ns);
	}
}

static void test_parse(void **state)
{
	static const uint64_t now = 1769860800 * NS;
	static const struct {
		const char *text;
		uint64_t ns;
	} good[] = {
		{ "2026-01-31T12:00:00Z", now },
		{ "2026-01-31T13:30:00+01:30", now },
		{ "2026-01-31T07:00:00-05:00", now },
		{ "2026-01-31 12:00:00.5Z", now + NS / 2 },
		{ "2026-01-31T12:00:00.1234567899Z", now + 123456789 },
		{ "@1769860800", now },
		{ "@0", 0 },
		{ "10m", now - 600 * NS },
		{ "1.5h", now - 5400 * NS },
		{ "30", now - 30 * NS },
		{ "9999999d", 0 },
	};
	static const char *const bad[] = {
		"", "now", "@", "@-1", "@1x", "2026-01-31", "2026-01-31T12:00:00", "2026-02-30T00:00:00Z",
		"2026-13-01T00:00:00Z", "2026-00-10T00:00:00Z", "2026-01-31T24:00:00Z", "2026-01-31T12:60:00Z",
		"2026-01-31T12:00:00.Z", "2026-01-31T12:00:00Zx", "2026-01-31T12:00:00+1:00", "2026-01-31T12:00:00+24:00",
		"26-01-31T12:00:00Z", "-10m", "2026/01/31T12:00:00Z", "1969-12-31T23:59:59Z", "@99999999999999999999",
		"@18446744074", "9999-12-31T00:00:00Z",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		uint64_t v = 7;

		if (time_parse(good[i].text, now, &v) != 0 || v != good[i].ns)
			fail_msg("%s: %llu", good[i].text, (unsigned long long)v);
	}
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		uint64_t v = 7;

		if (time_parse(bad[i], now, &v) != -EINVAL || v != 7)
			fail_msg("taken: %s", bad[i]);
	}
}

static void test_clocks(void **state)
{
	uint64_t ms = time_mono_ms(), us = time_mono_us(), ns = time_real_ns();

	(void)state;
	assert_true(us / 1000 >= ms && us / 1000 - ms < 10000);
	assert_true(time_mono_us() >= us);
	/* After 2020 and before 2200. */
	assert_true(ns / NS > 1577836800 && ns / NS < 7258118400);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_format),
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_clocks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
