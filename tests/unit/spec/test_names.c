/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/unit/spec/unit.h"
#include <errno.h>
#include <linux/capability.h>
#include <sys/resource.h>
#include "lib/base/rlimits.h"
#include "lib/base/str.h"
#include "lib/spec/names.h"

static void test_caps(void **state)
{
	uint64_t bits = 0, all = 0;

	(void)state;
	for (unsigned i = 0; i <= CAP_LAST_CAP; i++) {
		auto_free char *name = str_fmt("cap_%s", spec_cap_name(i));

		assert_int_equal(spec_cap_parse(name, &bits), 0);
		assert_true(bits == 1ULL << i);
		assert_int_equal(spec_cap_parse(spec_cap_name(i), &bits), 0);
		assert_true(bits == 1ULL << i);
		all |= bits;
	}
	assert_true(all == SPEC_CAPS_ALL);
	assert_int_equal(spec_cap_parse("all", &bits), 0);
	assert_true(bits == SPEC_CAPS_ALL);
	assert_null(spec_cap_name(CAP_LAST_CAP + 1));
	assert_null(spec_cap_name(UINT32_MAX));
	assert_string_equal(spec_cap_name(CAP_CHOWN), "CHOWN");
	assert_string_equal(spec_cap_name(CAP_CHECKPOINT_RESTORE), "CHECKPOINT_RESTORE");
	bits = 7;
	assert_int_equal(spec_cap_parse("", &bits), -ENOENT);
	assert_int_equal(spec_cap_parse("CAP_", &bits), -ENOENT);
	assert_int_equal(spec_cap_parse("CAP_ALL", &bits), -ENOENT);
	assert_int_equal(spec_cap_parse("CAP_CAP_KILL", &bits), -ENOENT);
	assert_int_equal(spec_cap_parse("KILL ", &bits), -ENOENT);
	assert_int_equal(bits, 7);
}

static void test_rlimits(void **state)
{
	uint32_t n = 99;

	(void)state;
	for (uint32_t i = 0; i < RLIM_NLIMITS; i++) {
		assert_non_null(rlimit_name(i));
		assert_int_equal(rlimit_number(rlimit_name(i), &n), 0);
		assert_int_equal(n, i);
	}
	assert_null(rlimit_name(RLIM_NLIMITS));
	assert_int_equal(rlimit_number("RLIMIT_NOFILE", &n), 0);
	assert_int_equal(n, RLIMIT_NOFILE);
	assert_int_equal(rlimit_number("rlimit_core", &n), 0);
	assert_int_equal(n, RLIMIT_CORE);
	assert_int_equal(rlimit_number("RLIMIT_", &n), -ENOENT);
	assert_int_equal(rlimit_number("", &n), -ENOENT);
	assert_int_equal(n, RLIMIT_CORE);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_caps),
		cmocka_unit_test(test_rlimits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
