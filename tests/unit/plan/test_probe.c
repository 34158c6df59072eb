/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/unit/plan/unit.h"
#include <errno.h>

static int probe(const char *device, struct plan_node *ret, struct error *err)
{
	const char *devices[] = { "/dev/null", device };
	struct spec s = { .devices = { devices, 2 } };
	struct arena a = { 0 };
	struct plan_node *nodes = NULL;
	size_t n = 0;
	int r = plan_probe_nodes(&s, &a, &nodes, &n, err);

	if (r == 0) {
		assert_int_equal(n, 2);
		assert_string_equal(nodes[0].path, "/dev/null");
		assert_true(nodes[0].type == 'c' && nodes[0].major == 1 && nodes[0].minor == 3);
		*ret = nodes[1];
		ret->path = NULL;
	}
	arena_done(&a);
	return r;
}

static void test_probe(void **state)
{
	struct plan_node node = { 0 };
	struct error err;

	(void)state;
	assert_int_equal(probe("/dev/zero:/dev/other:r", &node, &err), 0);
	assert_true(node.type == 'c' && node.major == 1 && node.minor == 5);
	assert_int_equal(probe("/dev/no-such-device", &node, &err), -ENOENT);
	assert_int_equal(err.kind, ERR_NOT_FOUND);
	assert_int_equal(probe("/dev/fd", &node, &err), -ENODEV);
	assert_int_equal(err.kind, ERR_USAGE);
	assert_int_equal(probe("/etc/passwd", &node, &err), -EINVAL);
	assert_int_equal(err.kind, ERR_USAGE);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_probe),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
