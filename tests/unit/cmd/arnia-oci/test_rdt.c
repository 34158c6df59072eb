/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>
#include "cmd/arnia-oci/rdt.h"
#include "lib/base/fd.h"
#include "lib/base/file.h"
#include "lib/base/path.h"
#include "lib/base/str.h"

/* A tree of folders and files stands for resctrl: what the kernel puts into a new group is not in it. */
static char base[64];
static int root = -1;
static long magic;

static int set_up(void **state)
{
	struct statfs fs;

	(void)state;
	snprintf(base, sizeof(base), "/tmp/arnia-rdt.XXXXXX");
	if (!mkdtemp(base))
		return -1;
	root = open(base, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root < 0 || fstatfs(root, &fs) < 0)
		return -1;
	magic = (long)fs.f_type;
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	fd_close(&root);
	return path_rmtree_at(AT_FDCWD, base) < 0 ? -1 : 0;
}

static void put_file(const char *name)
{
	auto_fd int fd = openat(root, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
}

static void put_group(const char *name)
{
	auto_free char *tasks = str_fmt("%s/tasks", name), *schemata = str_fmt("%s/schemata", name);

	assert_int_equal(mkdirat(root, name, 0755), 0);
	put_file(tasks);
	put_file(schemata);
}

static bool is_there(const char *name)
{
	return faccessat(root, name, F_OK, 0) == 0;
}

static void assert_file(const char *name, const char *text)
{
	auto_free char *got = NULL;

	assert_true(file_read_at(root, name, 4096, &got, NULL) >= 0);
	assert_string_equal(got, text);
}

static struct rdt group(const struct oci_rdt *c)
{
	return (struct rdt){.root = root, .magic = magic, .id = "box", .config = c};
}

static void a_class_that_is_there(void **state)
{
	static const struct oci_rdt plain = {.set = true, .clos_id = "gold"};
	const char *more[] = {"L2:0=f", "L3:1=1"};
	const struct oci_rdt full = {.set = true,
				     .clos_id = "gold",
				     .l3 = "MB:0=9\nL3:0=7f0",
				     .mem_bw = "MB:0=20",
				     .schemata = {.v = more, .n = 2}};
	struct rdt r = group(&plain);
	struct error err = {0};
	bool made = true;

	(void)state;
	put_group("gold");
	assert_int_equal(rdt_enter(&r, 1234, &made, &err), 0);
	assert_false(made);
	assert_file("gold/tasks", "1234");
	assert_file("gold/schemata", "");
	r = group(&full);
	assert_int_equal(rdt_enter(&r, 12345, &made, &err), 0);
	assert_file("gold/schemata", "L3:0=7f0\nMB:0=20\nL2:0=f\nL3:1=1\n");
	rdt_leave(&r, made);
	assert_true(is_there("gold"));
}

static void a_class_that_is_made(void **state)
{
	static const struct oci_rdt named = {.set = true, .clos_id = "gold", .l3 = "L3:0=f"},
				    own = {.set = true}, missing = {.set = true, .clos_id = "gold"};
	struct rdt r = group(&missing);
	struct error err = {0};
	bool made = false;

	(void)state;
	assert_int_equal(rdt_enter(&r, 1, &made, &err), -ENOENT);
	assert_false(is_there("gold"));
	/* Nothing to write to here: it is taken away again. */
	r = group(&named);
	assert_int_equal(rdt_enter(&r, 1, &made, &err), -ENOENT);
	assert_false(is_there("gold"));
	r = group(&own);
	assert_int_equal(rdt_enter(&r, 1, &made, &err), -ENOENT);
	assert_false(is_there("box"));
	assert_false(made);
}

static void what_was_made_is_removed(void **state)
{
	static const struct oci_rdt named = {.set = true, .clos_id = "gold"}, own = {.set = true};
	struct rdt r = group(&named);

	(void)state;
	assert_int_equal(mkdirat(root, "gold", 0755), 0);
	assert_int_equal(mkdirat(root, "box", 0755), 0);
	rdt_leave(&r, false);
	assert_true(is_there("gold"));
	rdt_leave(&r, true);
	assert_false(is_there("gold"));
	r = group(&own);
	rdt_leave(&r, false);
	assert_false(is_there("box"));
}

static void monitoring_of_the_container_alone(void **state)
{
	static const struct oci_rdt watched = {.set = true, .clos_id = "gold", .monitoring = true},
				    of_all = {.set = true, .clos_id = "/", .monitoring = true};
	struct rdt r = group(&watched);
	struct error err = {0};
	bool made = true;

	(void)state;
	put_group("gold");
	assert_int_equal(mkdirat(root, "gold/mon_groups", 0755), 0);
	put_group("gold/mon_groups/box");
	assert_int_equal(rdt_enter(&r, 77, &made, &err), 0);
	assert_file("gold/tasks", "77");
	assert_file("gold/mon_groups/box/tasks", "77");
	assert_int_equal(unlinkat(root, "gold/mon_groups/box/tasks", 0), 0);
	assert_int_equal(unlinkat(root, "gold/mon_groups/box/schemata", 0), 0);
	rdt_leave(&r, made);
	assert_true(is_there("gold"));
	assert_false(is_there("gold/mon_groups/box"));
	put_file("tasks");
	assert_int_equal(mkdirat(root, "mon_groups", 0755), 0);
	put_group("mon_groups/box");
	r = group(&of_all);
	assert_int_equal(rdt_enter(&r, 78, &made, &err), 0);
	assert_false(made);
	assert_file("tasks", "78");
}

static void errors(void **state)
{
	static const struct oci_rdt named = {.set = true, .clos_id = "gold", .l3 = "L3:0=f"};
	struct rdt r = group(&named);
	struct error err = {0};
	auto_fd int fd = -1;
	bool made = true;

	(void)state;
	put_group("gold");
	r.magic = magic + 1;
	assert_int_equal(rdt_enter(&r, 1, &made, &err), -EXDEV);
	assert_file("gold/schemata", "");
	/* The kernel's own words, but none of them forges a line. */
	assert_int_equal(mkdirat(root, "info", 0755), 0);
	put_file("info/last_cmd_status");
	fd = openat(root, "info/last_cmd_status", O_WRONLY | O_CLOEXEC);
	assert_int_equal(write(fd, "mask is too wide\nx", 18), 18);
	assert_int_equal(rdt_enter(&r, 1, &made, &err), -EXDEV);
	assert_non_null(strstr(err.text, "mask is too wide"));
	assert_null(strchr(err.text, '\n'));
	assert_true(made);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_class_that_is_there, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_class_that_is_made, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_was_made_is_removed, set_up, tear_down),
		cmocka_unit_test_setup_teardown(monitoring_of_the_container_alone, set_up, tear_down),
		cmocka_unit_test_setup_teardown(errors, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
