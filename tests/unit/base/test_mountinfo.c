/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/unit/base/unit.h"
#include "lib/base/mem.h"
#include "lib/base/mountinfo.h"

static void test_lines(void **state)
{
	static const struct {
		const char *line, *point;
		uint64_t id;
	} good[] = {
		{ "36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw\n", "/mnt2", 36 },
		{ "1 1 0:1 / / rw - rootfs none rw", "/", 1 },
		{ "25 1 0:22 / /a\\040b\\011c\\012d\\134e rw - proc proc rw\nnext", "/a b\tc\nd\\e", 25 },
		{ "25 1 0:22 /x\\040y /z\\04 rw", "/z\\04", 25 },
		{ "25 1 0:22 / /last", "/last", 25 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		auto_free char *line = str_dup(good[i].line);
		struct mountinfo m;

		assert_int_equal(mountinfo_parse(line, &m), 0);
		assert_string_equal(m.point, good[i].point);
		assert_int_equal(m.id, good[i].id);
	}
}

static void test_refused(void **state)
{
	static const char *const bad[] = { "", "\n", "1 2 3:4 /", "x 2 3:4 / /", "-1 2 3:4 / /", "1 2 3:4 /\n/ /x" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		auto_free char *line = str_dup(bad[i]);
		struct mountinfo m = { .id = 7 };

		if (mountinfo_parse(line, &m) != -EINVAL)
			fail_msg("\"%s\" was taken", bad[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
