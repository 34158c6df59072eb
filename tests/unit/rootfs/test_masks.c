/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>
#include "lib/base/fd.h"
#include "lib/base/str.h"
#include "tests/unit/rootfs/box.h"

static bool is_empty_dir(const char *path)
{
	DIR *d = opendir(path);
	size_t n = 0;

	while (d && readdir(d))
		n++;
	if (d)
		closedir(d);
	return d && n == 2;
}

static int inside_defaults(struct box *b)
{
	struct stat st;

	/* Their content is a secret or at least something. */
	for (size_t i = 0; i < b->c.masked.n; i++) {
		const char *path = b->c.masked.v[i];

		if (stat(path, &st) < 0)
			continue;
		if (S_ISDIR(st.st_mode))
			CHECK(is_empty_dir(path) && !in_writes("/sys/firmware/x", "x") && errno == EROFS);
		else
			CHECK(in_is_device(path, 1, 3) && in_reads(path, ""));
	}
	CHECK(in_is_device("/proc/keys", 1, 3) || access("/proc/keys", F_OK) < 0);
	CHECK(in_is_device("/proc/timer_list", 1, 3) || access("/proc/timer_list", F_OK) < 0);
	CHECK(!in_writes("/proc/sys/kernel/hostname", "x") && errno == EROFS);
	CHECK(open("/proc/sysrq-trigger", O_WRONLY) < 0);
	CHECK(access("/proc/sysrq-trigger", F_OK) < 0 || in_mounts_at("/proc/sysrq-trigger") == 1);
	CHECK(in_writes("/file", "the root is writable"));
	return 0;
}

static void test_defaults(void **state)
{
	struct box *b = *state;

	rootfs_config_defaults(&b->c, &b->arena);
	b->inside = inside_defaults;
	box_run_ok(b);
}

static int inside_custom(struct box *b)
{
	CHECK(in_is_device("/secret", 1, 3) && is_empty_dir("/folder") && is_empty_dir("/other"));
	CHECK(in_is_device("/target-of-link", 1, 3));
	CHECK(in_reads("/ro/deep/file", "x") && !in_writes("/ro/deep/file", "y") && errno == EROFS);
	CHECK(!in_writes("/vol/sub/x", "y") && errno == EROFS);
	CHECK(!in_writes("/one-file", "y") && errno == EROFS);
	CHECK(!in_writes("/new", "x") && errno == EROFS);
	CHECK(in_writes("/vol/new", "x"));
	return 0;
}

static void test_own_paths_and_readonly_root(void **state)
{
	static const char *const masked[] = { "/secret", "/folder",   "/other",	   "/missing",
					      "/link",	 "/secret/x", "/loop/abc", "/../escape" };
	struct box *b = *state;

	if (b->fd < 0)
		skip();
	box_write(b, "secret", "s", 0644);
	box_write(b, "target-of-link", "s", 0644);
	box_link(b, "../../target-of-link", "link");
	box_link(b, "loop", "loop");
	box_mkdir(b, "folder");
	box_write(b, "folder/f", "f", 0644);
	box_mkdir(b, "other");
	box_write(b, "other/f", "f", 0644);
	box_mkdir(b, "ro");
	box_mkdir(b, "ro/deep");
	box_write(b, "ro/deep/file", "x", 0666);
	box_write(b, "one-file", "x", 0666);
	rootfs_config_defaults(&b->c, &b->arena);
	for (size_t i = 0; i < ARRAY_SIZE(masked); i++)
		strv_push(&b->arena, &b->c.masked, masked[i]);
	box_fs(b, "tmpfs", "/vol", NULL, 0);
	box_fs(b, "tmpfs", "/vol/sub", NULL, 0);
	strv_push(&b->arena, &b->c.readonly_paths, "/ro");
	strv_push(&b->arena, &b->c.readonly_paths, "/vol/sub");
	strv_push(&b->arena, &b->c.readonly_paths, "/one-file");
	strv_push(&b->arena, &b->c.readonly_paths, "/missing/too");
	b->c.readonly = true;
	b->inside = inside_custom;
	box_run_ok(b);
}

/* CVE-2025-31133: /dev/null of the image leads elsewhere; nothing is bound by that name. */
static void test_null_is_a_link(void **state)
{
	struct box *b = *state;

	if (b->fd < 0)
		skip();
	box_write(b, "secret", "s", 0644);
	box_write(b, "leak", "l", 0644);
	box_mkdir(b, "dev");
	box_link(b, "/leak", "dev/null");
	strv_push(&b->arena, &b->c.masked, "/secret");
	box_run_fails(b, "mask /secret: Too many levels of symbolic links");
	assert_int_equal(unlinkat(b->lower, "dev/null", 0), 0);
	box_write(b, "dev/null", "a file", 0666);
	assert_int_equal(rootfs_remove_layers(box_path(b, "c1"), NULL), 0);
	box_run_fails(b, "mask /secret: No such device");
}

static int inside_link_and_node(struct box *b)
{
	CHECK(in_is_device("/secret", 1, 3) && in_reads("/secret", "") && in_reads("/leak", "l"));
	return 0;
}

/* The same with the null device among the devices, as every configuration of ours has it. */
static void test_null_link_gives_way(void **state)
{
	struct box *b = *state;

	if (b->fd < 0)
		skip();
	box_write(b, "secret", "s", 0644);
	box_write(b, "leak", "l", 0644);
	box_mkdir(b, "dev");
	box_link(b, "/leak", "dev/null");
	*arena_push(&b->arena, &b->c.devices) = (struct dev_item){ .path = "/dev/null", .target = "/dev/null", .type = 'c', .major = 1, .minor = 3 };
	strv_push(&b->arena, &b->c.masked, "/secret");
	b->inside = inside_link_and_node;
	box_run_ok(b);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, box_setup, box_teardown)
	const struct CMUnitTest tests[] = {
		T(test_defaults),
		T(test_own_paths_and_readonly_root),
		T(test_null_is_a_link),
		T(test_null_link_gives_way),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
