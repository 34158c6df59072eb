/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Binds of a tree that cannot be idmapped as a whole. */
#include "tests/unit/rootfs/box.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>
#include "lib/base/fd.h"

#define VOLUME (MS_REC | MS_NOSUID | MS_NODEV)

/* victim/: file, "a b"/ (the folder "other" of the same filesystem), "a b"/proc (procfs), sub/ (procfs). */
static void make_tree(struct box *b)
{
	box_mkdir(b, box_path(b, "victim/sub"));
	box_mkdir(b, box_path(b, "victim/a b"));
	box_mkdir(b, box_path(b, "other"));
	box_mkdir(b, box_path(b, "other/proc"));
	box_write(b, box_path(b, "victim/file"), "top", 0600);
	box_write(b, box_path(b, "victim/a b/hidden"), "hidden", 0644);
	box_write(b, box_path(b, "other/inner"), "inner", 0600);
	assert_int_equal(mount("none", box_path(b, "victim/sub"), "proc", 0, NULL), 0);
	assert_int_equal(mount(box_path(b, "other"), box_path(b, "victim/a b"), NULL, MS_BIND, NULL), 0);
	assert_int_equal(mount("none", box_path(b, "victim/a b/proc"), "proc", 0, NULL), 0);
}

static void unmake_tree(struct box *b)
{
	assert_int_equal(umount2(box_path(b, "victim/a b"), MNT_DETACH), 0);
	assert_int_equal(umount2(box_path(b, "victim/sub"), MNT_DETACH), 0);
	/* Nothing was mounted there by the way. */
	assert_int_equal(umount2(box_path(b, "victim/sub"), MNT_DETACH), -1);
	assert_int_equal(umount2(box_path(b, "victim"), MNT_DETACH), -1);
	assert_true(box_exists(b, "victim/a b/hidden"));
}

static int inside_mapped(struct box *b)
{
	struct stat st;

	CHECK(stat("/vol/file", &st) == 0 && st.st_uid == 0);
	CHECK(stat("/vol/a b/inner", &st) == 0 && st.st_uid == 0);
	CHECK(in_reads("/vol/a b/inner", "inner") && access("/vol/a b/hidden", F_OK) < 0);
	CHECK(stat("/vol/sub/version", &st) == 0 && st.st_uid == 65534);
	CHECK(stat("/vol/a b/proc/version", &st) == 0 && st.st_uid == 65534);
	CHECK(access("/ro/a b/inner", F_OK) == 0 && access("/ro/sub/version", F_OK) == 0);
	CHECK(!in_writes("/ro/file", "x") && errno == EROFS);
	CHECK(!in_writes("/ro/a b/inner", "x") && errno == EROFS);
	/* Without MS_REC nothing below. */
	CHECK(stat("/flat/file", &st) == 0 && st.st_uid == 0);
	CHECK(access("/flat/a b/hidden", F_OK) == 0 && access("/flat/sub/version", F_OK) < 0);
	/* What lies under a mount cannot be uncovered. */
	CHECK(umount2("/vol/a b", MNT_DETACH) < 0 && umount2("/vol/sub", MNT_DETACH) < 0);
	CHECK(in_writes("/vol/a b/inner", "changed") && in_writes("/vol/a b/new", "n"));
	return 0;
}

static void test_tree(void **state)
{
	struct box *b = *state;

	if (b->fd < 0)
		skip();
	make_tree(b);
	box_bind(b, box_path(b, "victim"), "/vol", VOLUME)->idmap = true;
	box_bind(b, box_path(b, "victim"), "/ro", VOLUME | MS_RDONLY)->idmap = true;
	box_bind(b, box_path(b, "victim"), "/flat", MS_NOSUID | MS_NODEV)->idmap = true;
	b->inside = inside_mapped;
	box_run_ok(b);
	box_expect(b, "other/inner", "changed");
	assert_int_equal(box_stat(b, "other/new").st_uid, 0);
	box_write(b, box_path(b, "other/inner"), "inner", 0600);
	b->early_root = true;
	box_run_ok(b);
	unmake_tree(b);
}

/* The tree is the host's, and the worker's own namespace lacks it. */
static void test_tree_of_the_host(void **state)
{
	struct box *b = *state;

	if (b->fd < 0)
		skip();
	make_tree(b);
	b->host = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);
	b->only_host = box_path(b, "victim/sub");
	box_bind(b, box_path(b, "victim"), "/vol", VOLUME)->idmap = true;
	box_bind(b, box_path(b, "victim"), "/ro", VOLUME | MS_RDONLY)->idmap = true;
	box_bind(b, box_path(b, "victim"), "/flat", MS_NOSUID | MS_NODEV)->idmap = true;
	b->inside = inside_mapped;
	box_run_ok(b);
	unmake_tree(b);
}

static int inside_plain(struct box *b)
{
	struct stat st;

	CHECK(stat("/vol/version", &st) == 0 && st.st_uid == 65534);
	return 0;
}

static void test_top_cannot_be(void **state)
{
	struct box *b = *state;
	struct mount_item *m;

	if (b->fd < 0)
		skip();
	make_tree(b);
	m = box_bind(b, box_path(b, "victim/sub"), "/vol", VOLUME);
	m->idmap = true;
	box_run_fails(b, "victim/sub: its filesystem cannot be idmapped");
	assert_int_equal(b->err.kind, ERR_UNSUPPORTED);
	assert_non_null(strstr(b->err.hint, "victim/sub:TARGET:noidmap"));
	m->idmap = false;
	b->inside = inside_plain;
	b->err = (struct error){ 0 };
	box_run_ok(b);
	unmake_tree(b);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, box_setup, box_teardown)
	const struct CMUnitTest tests[] = {
		T(test_tree),
		T(test_tree_of_the_host),
		T(test_top_cannot_be),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
