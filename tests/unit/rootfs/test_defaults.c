/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>
#include <sys/mount.h>
#include "lib/base/str.h"
#include "rootfs/internal.h"
#include "rootfs/rootfs.h"

static size_t index_of(const struct rootfs_config *c, const char *target)
{
	for (size_t i = 0; i < c->mounts.n; i++)
		if (str_eq(c->mounts.v[i].target, target))
			return i;
	fail_msg("no mount on %s", target);
	return 0;
}

static bool has(const struct strv *sv, const char *s)
{
	for (size_t i = 0; i < sv->n; i++)
		if (str_eq(sv->v[i], s))
			return true;
	return false;
}

static void test_mounts(void **state)
{
	static const char *const targets[] = { "/proc",	      "/dev", "/dev/pts",      "/dev/shm",
					       "/dev/mqueue", "/sys", "/sys/fs/cgroup" };
	struct rootfs_config c = { 0 };
	struct arena a = { 0 };

	(void)state;
	rootfs_config_defaults(&c, &a);
	assert_int_equal(c.mounts.n, ARRAY_SIZE(targets));
	for (size_t i = 0; i < ARRAY_SIZE(targets); i++) {
		const struct mount_item *m = &c.mounts.v[index_of(&c, targets[i])];

		assert_int_equal(m->kind, MOUNT_FS);
		assert_true(m->flags & MS_NOSUID);
		assert_true(m->create);
	}
	/* What lies in another mount comes after it. */
	assert_true(index_of(&c, "/dev") < index_of(&c, "/dev/pts") &&
		    index_of(&c, "/dev") < index_of(&c, "/dev/shm"));
	assert_true(index_of(&c, "/sys") < index_of(&c, "/sys/fs/cgroup"));
	assert_true(c.mounts.v[index_of(&c, "/sys")].flags & MS_RDONLY);
	assert_true(c.mounts.v[index_of(&c, "/sys/fs/cgroup")].flags & MS_RDONLY);
	arena_done(&a);
}

static void test_nodes_and_links(void **state)
{
	struct rootfs_config c = { 0 };
	struct arena a = { 0 };

	(void)state;
	rootfs_config_defaults(&c, &a);
	assert_int_equal(c.devices.n, 6);
	for (size_t i = 0; i < c.devices.n; i++) {
		assert_string_equal(c.devices.v[i].path, c.devices.v[i].target);
		assert_int_equal(c.devices.v[i].type, 'c');
		assert_int_equal(stage_standard_device(&c.devices.v[i]), i);
	}
	assert_int_equal(c.links.n, 5);
	arena_done(&a);
}

/* Only the very same node: not by name alone, and wherever it shall appear. */
static void test_standard_device(void **state)
{
	struct dev_item d = { .path = "/dev/null", .target = "/elsewhere", .type = 'c', .major = 1, .minor = 3 };

	(void)state;
	assert_true(stage_standard_device(&d) >= 0);
	d.minor = 5;
	assert_int_equal(stage_standard_device(&d), -1);
	d = (struct dev_item){ .path = "/tmp/null", .target = "/dev/null", .type = 'c', .major = 1, .minor = 3 };
	assert_int_equal(stage_standard_device(&d), -1);
	d = (struct dev_item){ .path = "/dev/null", .target = "/dev/null", .type = 'b', .major = 1, .minor = 3 };
	assert_int_equal(stage_standard_device(&d), -1);
}

static void test_paths(void **state)
{
	static const char *const masked[] = {
		"/proc/acpi",	     "/proc/asound",  "/proc/interrupts",
		"/proc/kcore",	     "/proc/keys",    "/proc/latency_stats",
		"/proc/sched_debug", "/proc/scsi",    "/proc/timer_list",
		"/proc/timer_stats", "/sys/firmware", "/sys/devices/virtual/powercap",
	};
	static const char *const readonly[] = { "/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys",
						"/proc/sysrq-trigger" };
	struct rootfs_config c = { 0 };
	struct arena a = { 0 };

	(void)state;
	rootfs_config_defaults(&c, &a);
	for (size_t i = 0; i < ARRAY_SIZE(masked); i++)
		assert_true(has(&c.masked, masked[i]));
	for (size_t i = 0; i < ARRAY_SIZE(readonly); i++)
		assert_true(has(&c.readonly_paths, readonly[i]));
	assert_false(c.readonly || c.console);
	arena_done(&a);
}

/* Added to what is there. */
static void test_appends(void **state)
{
	struct rootfs_config c = { 0 };
	struct arena a = { 0 };

	(void)state;
	strv_push(&a, &c.masked, "/mine");
	rootfs_config_defaults(&c, &a);
	assert_string_equal(c.masked.v[0], "/mine");
	assert_true(c.masked.n > 1);
	arena_done(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_mounts),		cmocka_unit_test(test_nodes_and_links),
		cmocka_unit_test(test_standard_device), cmocka_unit_test(test_paths),
		cmocka_unit_test(test_appends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
