/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>
#include "lib/base/fd.h"
#include "lib/base/str.h"
#include "tests/unit/rootfs/box.h"

static int inside_writes(struct box *b)
{
	struct stat st;

	CHECK(in_writes("/new", "hello"));
	CHECK(chown("/new", 1000, 1001) == 0 && chmod("/new", 04755) == 0);
	CHECK(stat("/new", &st) == 0 && st.st_uid == 1000 && st.st_gid == 1001 &&
	      st.st_mode == (S_IFREG | 04755));
	CHECK(mkdir("/newdir", 02770) == 0 && chown("/newdir", 0, 65534) == 0);
	CHECK(stat("/image-file", &st) == 0 && st.st_uid == 7 && st.st_gid == 8);
	CHECK(in_writes("/image-file", "changed"));
	CHECK(stat("/image-file", &st) == 0 && st.st_uid == 7 && st.st_gid == 8);
	CHECK(unlink("/gone") == 0 && access("/gone", F_OK) < 0);
	CHECK(unlink("/dir/x") == 0 && rmdir("/dir") == 0 && mkdir("/dir", 0755) == 0);
	CHECK(access("/dir/x", F_OK) < 0);
	CHECK(mkfifo("/fifo", 0600) == 0);
	CHECK(symlink("new", "/link") == 0);
	CHECK(mknod("/node", S_IFCHR | 0666, makedev(1, 3)) < 0 && errno == EPERM);
	CHECK(stat("/", &st) == 0 && st.st_uid == 0 && st.st_gid == 0 && (st.st_mode & 07777) == 0755);
	return 0;
}

static void check_written(struct box *b)
{
	struct stat st = box_stat(b, "c1/upper/new");

	assert_int_equal(st.st_uid, 1000);
	assert_int_equal(st.st_gid, 1001);
	assert_int_equal(st.st_mode, S_IFREG | 04755);
	st = box_stat(b, "c1/upper/newdir");
	assert_int_equal(st.st_uid, 0);
	assert_int_equal(st.st_gid, 65534);
	st = box_stat(b, "c1/upper/image-file");
	assert_int_equal(st.st_uid, 7);
	assert_int_equal(st.st_gid, 8);
	st = box_stat(b, "c1/upper/gone");
	assert_true(S_ISCHR(st.st_mode) && st.st_rdev == makedev(0, 0));
	assert_int_equal(st.st_uid, 0);
	st = box_stat(b, "c1/upper/fifo");
	assert_true(S_ISFIFO(st.st_mode));
	box_expect(b, "c1/upper/image-file", "changed");
	box_expect(b, "image/image-file", "original");
	assert_true(box_exists(b, "image/gone") && box_exists(b, "image/dir/x"));
	st = box_stat(b, "c1");
	assert_int_equal(st.st_mode & 07777, 0700);
	st = box_stat(b, "c1/upper");
	assert_int_equal(st.st_uid, 0);
}

static void fill_image(struct box *b)
{
	box_write(b, "image-file", "original", 0644);
	assert_int_equal(fchownat(b->lower, "image-file", 7, 8, 0), 0);
	box_write(b, "gone", "x", 0644);
	box_mkdir(b, "dir");
	box_write(b, "dir/x", "x", 0644);
}

static void test_writable_unshifted(void **state)
{
	struct box *b = *state;

	if (b->fd < 0)
		skip();
	fill_image(b);
	b->inside = inside_writes;
	box_run_ok(b);
	check_written(b);
}

static void test_writable_prepared(void **state)
{
	struct box *b = *state;

	b->early_root = true;
	test_writable_unshifted(state);
}

/* Overlay marks such a layer, and refuses to take it up again. */
static void test_throwaway(void **state)
{
	struct box *b = *state;

	b->c.throwaway = true;
	test_writable_unshifted(state);
	assert_true(box_exists(b, "c1/work/work/incompat/volatile"));
}

static int inside_second(struct box *b)
{
	CHECK(in_reads("/image-file", "changed") && in_reads("/new", "hello") && access("/gone", F_OK) < 0);
	CHECK(in_writes("/again", "again"));
	return 0;
}

/* The upper layer of a stopped container is taken up again. */
static void test_start_again(void **state)
{
	struct box *b = *state;

	test_writable_unshifted(state);
	b->inside = inside_second;
	box_run_ok(b);
	box_expect(b, "c1/upper/again", "again");
}

/* Container root with every capability in its namespace, as a container that nests has it. */
static int inside_nodev(struct box *b)
{
	struct mount_attr a = { .attr_clr = MOUNT_ATTR_NODEV };

	CHECK(in_is_device("/node", 1, 3));
	CHECK(open("/node", O_RDWR) < 0 && errno == EACCES);
	CHECK(mount_setattr(AT_FDCWD, "/", 0, &a, sizeof(a)) < 0 && errno == EPERM);
	CHECK(mount(NULL, "/", NULL, MS_REMOUNT | MS_BIND, NULL) < 0 && errno == EPERM);
	CHECK(open("/node", O_RDWR) < 0 && errno == EACCES);
	return 0;
}

static void test_nodes_of_image_are_dead(void **state)
{
	struct box *b = *state;

	if (b->fd < 0)
		skip();
	assert_int_equal(mknodat(b->lower, "node", S_IFCHR | 0666, makedev(1, 3)), 0);
	b->inside = inside_nodev;
	box_run_ok(b);
	b->early_root = true;
	box_run_ok(b);
}

static int inside_readonly(struct box *b)
{
	struct mount_attr a = { .attr_clr = MOUNT_ATTR_RDONLY };
	struct stat st;

	CHECK(stat("/image-file", &st) == 0 && st.st_uid == 7 && st.st_gid == 8);
	CHECK(!in_writes("/new", "x") && errno == EROFS);
	CHECK(mount_setattr(AT_FDCWD, "/", 0, &a, sizeof(a)) < 0 && errno == EPERM);
	return 0;
}

static void test_one_layer_without_upper(void **state)
{
	struct box *b = *state;

	if (b->fd < 0)
		skip();
	fill_image(b);
	assert_int_equal(mknodat(b->lower, "node", S_IFCHR | 0666, makedev(1, 3)), 0);
	b->c.upper = b->c.work = NULL;
	b->inside = inside_readonly;
	box_run_ok(b);
	b->inside = inside_nodev;
	box_run_ok(b);
	assert_false(box_exists(b, "c1"));
}

static int inside_two(struct box *b)
{
	CHECK(in_reads("/image-file", "top") && in_reads("/gone", "x"));
	return inside_readonly(b);
}

static void test_two_layers_without_upper(void **state)
{
	struct box *b = *state;

	if (b->fd < 0)
		skip();
	fill_image(b);
	box_mkdir(b, box_path(b, "top"));
	box_write(b, box_path(b, "top/image-file"), "top", 0644);
	assert_int_equal(fchownat(b->fd, "top/image-file", 7, 8, 0), 0);
	b->c.lower = (struct strv){ 0 };
	strv_push(&b->arena, &b->c.lower, box_path(b, "top"));
	strv_push(&b->arena, &b->c.lower, box_path(b, "image"));
	b->c.upper = b->c.work = NULL;
	b->inside = inside_two;
	box_run_ok(b);
}

static int inside_many(struct box *b)
{
	char path[32];

	for (size_t i = 0; i < b->c.lower.n; i++) {
		snprintf(path, sizeof(path), "/f%zu", i);
		CHECK(access(path, F_OK) == 0);
	}
	CHECK(in_reads("/same", "0"));
	return 0;
}

static void make_layers(struct box *b, size_t n)
{
	char name[32], text[16];

	b->c.lower = (struct strv){ 0 };
	for (size_t i = 0; i < n; i++) {
		snprintf(name, sizeof(name), "layer%zu", i);
		snprintf(text, sizeof(text), "%zu", i);
		box_mkdir(b, box_path(b, name));
		strv_push(&b->arena, &b->c.lower, box_path(b, name));
		snprintf(name, sizeof(name), "layer%zu/f%zu", i, i);
		box_write(b, box_path(b, name), text, 0644);
		snprintf(name, sizeof(name), "layer%zu/same", i);
		box_write(b, box_path(b, name), text, 0644);
	}
}

static void test_many_layers(void **state)
{
	struct box *b = *state;

	if (b->fd < 0)
		skip();
	make_layers(b, 80);
	b->inside = inside_many;
	box_run_ok(b);
}

/* Past what one string of fsconfig can name: works (Linux 6.8) or says so. */
static void test_very_many_layers(void **state)
{
	struct box *b = *state;

	if (b->fd < 0)
		skip();
	make_layers(b, 128);
	b->inside = inside_many;
	if (box_run(b) < 0) {
		assert_int_equal(b->err.kind, ERR_UNSUPPORTED);
		assert_non_null(strstr(b->err.text, "128 layers"));
	}
}

/* A layer that names another folder by overlay's own attributes. */
static int inside_redirect(struct box *b)
{
	CHECK(access("/open/secret", F_OK) < 0);
	return 0;
}

static void test_redirects_are_not_followed(void **state)
{
	struct box *b = *state;
	auto_fd int fd = -1;

	if (b->fd < 0)
		skip();
	make_layers(b, 2);
	box_mkdir(b, box_path(b, "layer1/hidden"));
	box_write(b, box_path(b, "layer1/hidden/secret"), "s", 0644);
	box_mkdir(b, box_path(b, "layer0/open"));
	fd = open(box_path(b, "layer0/open"), O_RDONLY | O_CLOEXEC);
	assert_int_equal(fsetxattr(fd, "trusted.overlay.redirect", "/hidden", 7, 0), 0);
	b->inside = inside_redirect;
	box_run_ok(b);
}

static void test_bad_configurations(void **state)
{
	struct box *b = *state;
	struct strv lower = b->c.lower;

	if (b->fd < 0)
		skip();
	b->c.lower.n = 0;
	box_run_fails(b, "no layer");
	b->c.lower = (struct strv){ 0 };
	strv_push(&b->arena, &b->c.lower, box_path(b, "absent"));
	box_run_fails(b, "absent: No such file");
	box_write(b, "file", "x", 0644);
	b->c.lower = (struct strv){ 0 };
	strv_push(&b->arena, &b->c.lower, box_path(b, "image/file"));
	box_run_fails(b, "Not a directory");
	b->c.lower = lower;
	b->c.work = box_path(b, "elsewhere/work");
	box_run_fails(b, "one folder");
	b->c.work = NULL;
	box_run_fails(b, "one folder");
	assert_false(box_exists(b, "c1"));
}

static void test_remove_layers(void **state)
{
	struct box *b = *state;
	struct error err = { 0 };

	test_writable_unshifted(state);
	box_write(b, box_path(b, "c1/log"), "kept", 0600);
	assert_int_equal(rootfs_remove_layers(box_path(b, "c1"), &err), 0);
	assert_false(box_exists(b, "c1/upper") || box_exists(b, "c1/work"));
	box_expect(b, "c1/log", "kept");
	assert_int_equal(rootfs_remove_layers(box_path(b, "c1"), &err), 0);
	assert_int_equal(rootfs_remove_layers(box_path(b, "none"), &err), 0);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, box_setup, box_teardown)
	const struct CMUnitTest tests[] = {
		T(test_writable_unshifted),
		T(test_writable_prepared),
		T(test_throwaway),
		T(test_start_again),
		T(test_nodes_of_image_are_dead),
		T(test_one_layer_without_upper),
		T(test_two_layers_without_upper),
		T(test_many_layers),
		T(test_very_many_layers),
		T(test_redirects_are_not_followed),
		T(test_bad_configurations),
		T(test_remove_layers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
