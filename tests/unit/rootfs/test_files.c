/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>
#include "lib/base/fd.h"
#include "lib/base/str.h"
#include "tests/unit/rootfs/box.h"

static void add_file(struct box *b, const char *path, const char *text, uint32_t mode)
{
	*arena_push(&b->arena, &b->c.files) = (struct file_item){ path, text, strlen(text), mode };
}

static int inside_plain(struct box *b)
{
	struct stat st;

	CHECK(in_reads("/etc/hosts", "127.0.0.1 localhost\n") && in_reads("/etc/hostname", "web\n"));
	CHECK(stat("/etc/hosts", &st) == 0 && (st.st_mode & 07777) == 0644 && st.st_uid == 0 &&
	      st.st_nlink == 1);
	CHECK(stat("/etc/secret", &st) == 0 && (st.st_mode & 07777) == 0600);
	CHECK(in_writes("/etc/hosts", "changed") && in_reads("/etc/hosts", "changed"));
	CHECK(unlink("/etc/hosts") < 0 && errno == EBUSY);
	CHECK(in_writes("/etc/other", "the folder is writable"));
	CHECK(in_reads("/etc/empty", ""));
	return 0;
}

static void test_over_and_beside(void **state)
{
	struct box *b = *state;

	if (b->fd < 0)
		skip();
	box_mkdir(b, "etc");
	box_write(b, "etc/hosts", "of the image", 0644);
	add_file(b, "/etc/hosts", "127.0.0.1 localhost\n", 0644);
	add_file(b, "/etc/hostname", "web\n", 0644);
	add_file(b, "/etc/secret", "s", 0600);
	add_file(b, "/etc/empty", "", 0644);
	b->inside = inside_plain;
	box_run_ok(b);
	box_expect(b, "image/etc/hosts", "of the image");
	assert_int_equal(box_stat(b, "c1/upper/etc/hostname").st_size, 0);
}

static int inside_links(struct box *b)
{
	CHECK(in_reads("/etc/resolv.conf", "nameserver 192.0.2.1\n"));
	CHECK(in_reads("/run/stub/resolv.conf", "nameserver 192.0.2.1\n"));
	CHECK(in_reads("/etc/hosts", "h"));
	CHECK(in_reads("/etc/hostname", "n") && in_is_device("/dev/null", 1, 3));
	CHECK(in_reads("/etc/loop", "l"));
	return 0;
}

/* Links lead into the root, never out; what leads to no file gives way. */
static void test_links(void **state)
{
	struct box *b = *state;

	if (b->fd < 0)
		skip();
	box_write(b, box_path(b, "victim/hosts"), "untouched", 0666);
	rootfs_config_defaults(&b->c, &b->arena);
	box_mkdir(b, "etc");
	box_link(b, "../../../run/stub/resolv.conf", "etc/resolv.conf");
	box_link(b, box_path(b, "victim/hosts"), "etc/hosts");
	box_link(b, "/dev/null", "etc/hostname");
	box_link(b, "loop", "etc/loop");
	add_file(b, "/etc/resolv.conf", "nameserver 192.0.2.1\n", 0644);
	add_file(b, "/etc/hosts", "h", 0644);
	add_file(b, "/etc/hostname", "n", 0644);
	add_file(b, "/etc/loop", "l", 0644);
	b->inside = inside_links;
	box_run_ok(b);
	box_expect(b, "victim/hosts", "untouched");
}

static void test_refused(void **state)
{
	struct box *b = *state;

	if (b->fd < 0)
		skip();
	rootfs_config_defaults(&b->c, &b->arena);
	box_mkdir(b, "etc");
	box_mkdir(b, "etc/hosts");
	add_file(b, "/etc/hosts", "h", 0644);
	box_run_fails(b, "place for /etc/hosts: Is a directory");
	b->c.files.v[0].path = "/../hosts";
	box_run_fails(b, "/../hosts: Invalid argument");
	b->c.files.v[0].path = "/proc/sys/kernel/core_pattern";
	box_run_fails(b, "hide part of /proc");
	box_link(b, "/proc/sys/kernel/core_pattern", "etc/resolv.conf");
	b->c.files.v[0].path = "/etc/resolv.conf";
	box_run_fails(b, "hide part of /proc");
}

static int inside_readonly(struct box *b)
{
	CHECK(in_reads("/etc/hosts", "h"));
	return 0;
}

static int inside_readonly_files(struct box *b)
{
	CHECK(in_reads("/etc/hosts", "h"));
	CHECK(!in_writes("/etc/hosts", "x") && errno == EROFS);
	return 0;
}

static void test_readonly_root(void **state)
{
	struct box *b = *state;

	if (b->fd < 0)
		skip();
	b->c.upper = b->c.work = NULL;
	box_mkdir(b, "etc");
	box_write(b, "etc/hosts", "of the image", 0644);
	add_file(b, "/etc/hosts", "h", 0644);
	b->inside = inside_readonly;
	box_run_ok(b);
	b->c.readonly = true;
	b->inside = inside_readonly_files;
	box_run_ok(b);
	b->c.files.v[0].path = "/etc/absent";
	box_run_fails(b, "place for /etc/absent: Read-only file system");
}

static int inside_mounts(struct box *b)
{
	CHECK(in_reads("/etc/hosts", "h") && in_reads("/etc/hostname", "n"));
	CHECK(in_reads("/vol/hosts", "h") && in_reads("/vol/made", "m"));
	CHECK(access("/vol/folder/.", F_OK) == 0 && access("/ro/absent", F_OK) < 0);
	CHECK(in_reads("/ro/hosts", "h") && in_writes("/ro/hosts", "changed"));
	return 0;
}

/* Over what lies in a mount of the user's. A volume only gets the empty file that is needed, and keeps its links. */
static void test_in_mounts(void **state)
{
	struct box *b = *state;

	if (b->fd < 0)
		skip();
	box_write(b, box_path(b, "victim/hosts"), "of the host", 0644);
	box_mkdir(b, box_path(b, "victim/folder"));
	box_link(b, "/dev/null", box_path(b, "victim/link"));
	rootfs_config_defaults(&b->c, &b->arena);
	box_fs(b, "tmpfs", "/etc", "mode=755", 0);
	box_bind(b, box_path(b, "victim"), "/vol", MS_NOSUID)->idmap = true;
	box_bind(b, box_path(b, "victim"), "/ro", MS_NOSUID | MS_RDONLY)->idmap = true;
	add_file(b, "/etc/hosts", "h", 0644);
	add_file(b, "/etc/hostname", "n", 0644);
	add_file(b, "/vol/hosts", "h", 0644);
	add_file(b, "/ro/hosts", "h", 0644);
	add_file(b, "/ro/absent", "m", 0644);
	add_file(b, "/vol/made", "m", 0644);
	add_file(b, "/vol/folder", "f", 0644);
	add_file(b, "/vol/link", "l", 0644);
	b->inside = inside_mounts;
	box_run_ok(b);
	box_expect(b, "victim/hosts", "of the host");
	box_expect(b, "victim/made", "");
	assert_true(S_ISLNK(box_stat(b, "victim/link").st_mode));
	assert_false(box_exists(b, "victim/absent"));
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, box_setup, box_teardown)
	const struct CMUnitTest tests[] = {
		T(test_over_and_beside),
		T(test_links),
		T(test_refused),
		T(test_readonly_root),
		T(test_in_mounts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
