/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#ifndef MQUEUE_MAGIC
#define MQUEUE_MAGIC 0x19800202
#endif
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>
#include <sys/xattr.h>
#include <unistd.h>
#include "lib/base/fd.h"
#include "lib/base/path.h"
#include "lib/base/str.h"
#include "tests/unit/rootfs/box.h"

static bool is_fs(const char *path, long magic)
{
	struct statfs sf;

	return statfs(path, &sf) == 0 && sf.f_type == magic;
}

static bool has_flags(const char *path, unsigned long flags)
{
	struct statvfs sv;

	return statvfs(path, &sv) == 0 && (sv.f_flag & flags) == flags;
}

static int inside_defaults(struct box *b)
{
	struct stat st;

	CHECK(is_fs("/proc", PROC_SUPER_MAGIC) && has_flags("/proc", ST_NOSUID | ST_NODEV | ST_NOEXEC));
	CHECK(is_fs("/sys", SYSFS_MAGIC) && has_flags("/sys", ST_RDONLY | ST_NOSUID));
	CHECK(is_fs("/dev", TMPFS_MAGIC) && is_fs("/dev/pts", DEVPTS_SUPER_MAGIC));
	CHECK(is_fs("/dev/shm", TMPFS_MAGIC) && stat("/dev/shm", &st) == 0 && (st.st_mode & 07777) == 01777);
	CHECK(is_fs("/dev/mqueue", MQUEUE_MAGIC) && is_fs("/sys/fs/cgroup", CGROUP2_SUPER_MAGIC));
	CHECK(getpid() == 1 && access("/proc/1/stat", R_OK) == 0);
	CHECK(stat("/dev/pts/ptmx", &st) == 0 && stat("/dev/ptmx", &st) == 0 && S_ISCHR(st.st_mode));
	CHECK(in_writes("/dev/shm/x", "x") && in_writes("/dev/null", "x"));
	/* The old root is gone. */
	CHECK(access("/victim", F_OK) < 0 && access(b->dir, F_OK) < 0 && in_mounts_at("/") == 1);
	return 0;
}

static void test_defaults(void **state)
{
	struct box *b = *state;

	rootfs_config_defaults(&b->c, &b->arena);
	b->inside = inside_defaults;
	box_run_ok(b);
	b->early_root = true;
	box_run_ok(b);
}

/* An image whose folder NAME is a link to a host folder: refused, and nothing appears there. */
static void refuse_link(struct box *b, const char *name, const char *to)
{
	char slash[32];

	if (b->fd < 0)
		skip();
	snprintf(slash, sizeof(slash), "mount /%s", name);
	rootfs_config_defaults(&b->c, &b->arena);
	box_link(b, to, name);
	box_run_fails(b, slash);
	assert_non_null(strstr(b->err.text, "symbolic link"));
	box_expect_empty(b, "victim");
}

static void test_proc_is_a_link(void **state)
{
	struct box *b = *state;

	refuse_link(b, "proc", box_path(b, "victim"));
}

static void test_sys_is_a_link(void **state)
{
	struct box *b = *state;

	refuse_link(b, "sys", "/../../../..");
}

static void test_dev_is_a_link(void **state)
{
	struct box *b = *state;

	refuse_link(b, "dev", box_path(b, "victim"));
}

static int inside_links(struct box *b)
{
	CHECK(in_reads("/real/data/file", "volume") && in_reads("/abs/data/file", "volume"));
	CHECK(is_fs("/deep/er/shm", TMPFS_MAGIC));
	CHECK(access("/up", F_OK) == 0 && in_reads("/top/file", "volume"));
	return 0;
}

/* Links below a target are followed in the root: absolute ones and those that climb too far stay inside. */
static void test_targets_stay_in_root(void **state)
{
	struct box *b = *state;

	if (b->fd < 0)
		skip();
	box_write(b, box_path(b, "victim/file"), "volume", 0644);
	box_mkdir(b, "real");
	box_link(b, "/real", "abs");
	box_link(b, "../../../../../../deep/er", "climb");
	box_link(b, "/..", "up");
	box_bind(b, box_path(b, "victim"), "/abs/data", 0);
	box_bind(b, box_path(b, "victim"), "/up/top", 0);
	box_fs(b, "tmpfs", "/climb/shm", NULL, MS_NOSUID);
	b->inside = inside_links;
	box_run_ok(b);
	assert_true(box_exists(b, "c1/upper/real/data"));
}

static void test_target_leaves_root(void **state)
{
	struct box *b = *state;
	struct mount_item *m = box_bind(b, box_path(b, "victim"), "/../x", 0);

	box_run_fails(b, "below /");
	m->target = "/a/../..";
	box_run_fails(b, "below /");
	m->target = "/";
	box_run_fails(b, "below /");
	box_expect_empty(b, "victim");
}

static int inside_bind(struct box *b)
{
	CHECK(has_flags("/vol", ST_NOSUID | ST_NODEV) && !has_flags("/vol", ST_RDONLY));
	CHECK(in_writes("/vol/new", "from inside"));
	CHECK(has_flags("/ro", ST_RDONLY | ST_NOEXEC));
	CHECK(!in_writes("/ro/new", "x") && errno == EROFS);
	CHECK(in_reads("/etc/one-file", "file of the host"));
	CHECK(in_mounts_at("/vol") == 0);
	return 0;
}

static void test_binds(void **state)
{
	struct box *b = *state;

	if (b->fd < 0)
		skip();
	assert_int_equal(fchmodat(b->fd, "victim", 0777, 0), 0);
	box_mkdir(b, box_path(b, "ro"));
	box_write(b, box_path(b, "one"), "file of the host", 0644);
	box_bind(b, box_path(b, "victim"), "/vol", MS_NOSUID | MS_NODEV);
	box_bind(b, box_path(b, "ro"), "/ro", MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_RDONLY);
	box_bind(b, box_path(b, "one"), "/etc/one-file", MS_RDONLY);
	b->inside = inside_bind;
	box_run_ok(b);
	box_expect(b, "victim/new", "from inside");
	assert_int_equal(box_stat(b, "victim/new").st_uid, BOX_BASE);
}

/* Volume with a mount in it; made in a mount namespace that ends with the test's process. */
static void make_nested_volume(struct box *b)
{
	assert_int_equal(unshare(CLONE_NEWNS), 0);
	assert_int_equal(mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL), 0);
	box_mkdir(b, box_path(b, "victim/sub"));
	assert_int_equal(mount("tmpfs", box_path(b, "victim/sub"), "tmpfs", 0, "mode=777"), 0);
	box_write(b, box_path(b, "victim/sub/f"), "nested", 0666);
}

static int inside_recursive(struct box *b)
{
	struct mount_attr clear = { .attr_clr = MOUNT_ATTR_RDONLY };

	CHECK(in_reads("/vol/sub/f", "nested"));
	CHECK(!in_writes("/vol/sub/f", "x") && errno == EROFS);
	CHECK(has_flags("/vol/sub", ST_RDONLY | ST_NOSUID | ST_NODEV));
	/* Container root may mount, but not undo what its owner set. */
	CHECK(mount_setattr(AT_FDCWD, "/vol", 0, &clear, sizeof(clear)) < 0 && errno == EPERM);
	CHECK(mount_setattr(AT_FDCWD, "/vol/sub", 0, &clear, sizeof(clear)) < 0 && errno == EPERM);
	CHECK(umount2("/vol/sub", MNT_DETACH) < 0 && errno == EINVAL);
	CHECK(access("/flat/sub", F_OK) == 0 && access("/flat/sub/f", F_OK) < 0);
	return 0;
}

static void test_readonly_bind_is_recursive_and_locked(void **state)
{
	struct box *b = *state;

	if (b->fd < 0)
		skip();
	make_nested_volume(b);
	box_bind(b, box_path(b, "victim"), "/vol", MS_REC | MS_RDONLY | MS_NOSUID | MS_NODEV);
	box_bind(b, box_path(b, "victim"), "/flat", MS_NOSUID | MS_NODEV);
	b->inside = inside_recursive;
	box_run_ok(b);
	b->early_root = true;
	box_run_ok(b);
	assert_int_equal(umount2(box_path(b, "victim/sub"), MNT_DETACH), 0);
}

/* A mount that the worker's own namespace does not have, as when it was made small. */
static void test_sources_of_the_host(void **state)
{
	struct box *b = *state;

	if (b->fd < 0)
		skip();
	make_nested_volume(b);
	b->host = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);
	b->only_host = box_path(b, "victim/sub");
	box_bind(b, box_path(b, "victim"), "/vol", MS_REC | MS_RDONLY | MS_NOSUID | MS_NODEV);
	box_bind(b, box_path(b, "victim"), "/flat", MS_NOSUID | MS_NODEV);
	*arena_push(&b->arena, &b->c.devices) =
		(struct dev_item){ .path = "/dev/ptmx", .target = "/dev/multiplexer", .type = 'c', .major = 5, .minor = 2 };
	b->inside = inside_recursive;
	box_run_ok(b);
	b->host = -1;
	b->err = (struct error){ 0 };
	assert_int_equal(box_run(b), -1);
	assert_non_null(strstr(b->check, "/vol/sub/f"));
	assert_int_equal(umount2(box_path(b, "victim/sub"), MNT_DETACH), 0);
}

static int inside_idmapped(struct box *b)
{
	struct stat st;

	CHECK(stat("/vol/rootfile", &st) == 0 && st.st_uid == 0 && st.st_gid == 0);
	CHECK(stat("/vol/userfile", &st) == 0 && st.st_uid == 1000);
	CHECK(stat("/plain/rootfile", &st) == 0 && st.st_uid == 65534);
	CHECK(in_writes("/vol/rootfile", "changed") && !in_writes("/plain/rootfile", "x"));
	CHECK(in_writes("/vol/new", "n"));
	return 0;
}

static void test_idmapped_bind(void **state)
{
	struct box *b = *state;

	if (b->fd < 0)
		skip();
	box_write(b, box_path(b, "victim/rootfile"), "r", 0600);
	box_write(b, box_path(b, "victim/userfile"), "u", 0644);
	assert_int_equal(fchownat(b->fd, "victim/userfile", 1000, 1000, 0), 0);
	box_bind(b, box_path(b, "victim"), "/vol", MS_NOSUID | MS_NODEV)->idmap = true;
	box_bind(b, box_path(b, "victim"), "/plain", MS_NOSUID | MS_NODEV);
	b->inside = inside_idmapped;
	box_run_ok(b);
	box_expect(b, "victim/rootfile", "changed");
	assert_int_equal(box_stat(b, "victim/new").st_uid, 0);
}

static int inside_optional(struct box *b)
{
	CHECK(access("/here", F_OK) == 0 && access("/absent", F_OK) < 0);
	return 0;
}

static void test_optional_and_missing(void **state)
{
	struct box *b = *state;

	box_bind(b, box_path(b, "nothing"), "/absent", 0);
	box_fs(b, "no-such-fs", "/odd", NULL, 0);
	box_bind(b, box_path(b, "victim"), "/here", 0);
	box_run_fails(b, "nothing: No such file");
	b->c.mounts.v[0].optional = true;
	box_run_fails(b, "mount /odd: no-such-fs");
	b->c.mounts.v[1].optional = true;
	b->inside = inside_optional;
	box_run_ok(b);
}

static void test_target_not_made(void **state)
{
	struct box *b = *state;
	struct mount_item *m = box_bind(b, box_path(b, "victim"), "/not/there", 0);

	m->create = false;
	box_run_fails(b, "mount /not/there: target: No such file");
	box_write(b, "plain", "x", 0644);
	m->target = "/plain";
	box_run_fails(b, "Not a directory");
}

/* Mounts that would put something else over procfs or into it (CVE-2019-16884). */
static void test_proc_is_not_covered(void **state)
{
	static const char *const targets[] = { "/proc", "/proc/sys", "/proc/self/attr", "/proc/../proc/1",
					       "/lnk/sys" };
	struct box *b = *state;
	struct mount_item *m;

	if (b->fd < 0)
		skip();
	box_link(b, "proc", "lnk");
	rootfs_config_defaults(&b->c, &b->arena);
	m = box_bind(b, box_path(b, "victim"), "", 0);
	for (size_t i = 0; i < ARRAY_SIZE(targets); i++) {
		m->target = targets[i];
		box_run_fails(b, "hide part of /proc");
	}
	*m = (struct mount_item){ .fstype = "tmpfs", .target = "/proc/sys", .create = true };
	box_run_fails(b, "hide part of /proc");
	/* Also when there is no procfs yet, and when there will be none. */
	b->c.mounts.n = 0;
	box_bind(b, box_path(b, "victim"), "/proc", 0);
	box_run_fails(b, "hide part of /proc");
}

static int inside_lxcfs(struct box *b)
{
	CHECK(in_reads("/proc/meminfo", "from lxcfs"));
	return 0;
}

static void test_lxcfs_file_is_allowed(void **state)
{
	struct box *b = *state;

	if (b->fd < 0)
		skip();
	box_write(b, box_path(b, "meminfo"), "from lxcfs", 0444);
	rootfs_config_defaults(&b->c, &b->arena);
	box_bind(b, box_path(b, "meminfo"), "/proc/meminfo", MS_RDONLY | MS_NOSUID | MS_NODEV);
	b->inside = inside_lxcfs;
	box_run_ok(b);
}

static int inside_copied(struct box *b)
{
	struct stat st;
	char text[64] = "", value[16] = "";

	CHECK(is_fs("/var", TMPFS_MAGIC) && in_reads("/var/a", "aaa") && in_reads("/var/d/e/f", "fff"));
	CHECK(stat("/var/a", &st) == 0 && st.st_uid == 33 && st.st_gid == 34);
	CHECK(stat("/var/suid", &st) == 0 && (st.st_mode & 07777) == 04711);
	CHECK(stat("/var/d", &st) == 0 && (st.st_mode & 07777) == 0755 && st.st_mtim.tv_sec == 86400);
	CHECK(readlink("/var/link", text, sizeof(text)) > 0 && str_eq(text, "/etc/nowhere"));
	CHECK(lstat("/var/fifo", &st) == 0 && S_ISFIFO(st.st_mode));
	/* tmpfs has them since Linux 6.6. */
	if (setxattr("/var/d", "user.probe", "x", 1, 0) == 0)
		CHECK(getxattr("/var/a", "user.note", value, sizeof(value)) == 2 && str_eq(value, "hi"));
	CHECK(lstat("/var/node", &st) < 0);
	CHECK(in_writes("/var/a", "mine"));
	CHECK(has_flags("/opt", ST_RDONLY) && in_reads("/opt/x", "x"));
	return 0;
}

static void fill_var(struct box *b)
{
	struct timespec old[2] = { { 86400, 0 }, { 86400, 0 } };

	box_mkdir(b, "var");
	box_mkdir(b, "var/d");
	box_mkdir(b, "var/d/e");
	box_write(b, "var/d/e/f", "fff", 0644);
	box_write(b, "var/a", "aaa", 0644);
	assert_int_equal(fchownat(b->lower, "var/a", 33, 34, 0), 0);
	assert_int_equal(setxattr(box_path(b, "image/var/a"), "user.note", "hi", 2, 0), 0);
	box_write(b, "var/suid", "s", 04711);
	box_link(b, "/etc/nowhere", "var/link");
	assert_int_equal(mkfifoat(b->lower, "var/fifo", 0600), 0);
	assert_int_equal(mknodat(b->lower, "var/node", S_IFCHR | 0666, 0x103), 0);
	assert_int_equal(utimensat(b->lower, "var/d", old, 0), 0);
	box_mkdir(b, "opt");
	box_write(b, "opt/x", "x", 0644);
}

static void test_tmpfs_copy_up(void **state)
{
	struct box *b = *state;

	if (b->fd < 0)
		skip();
	fill_var(b);
	box_fs(b, "tmpfs", "/var", "mode=755,size=1m", MS_NOSUID | MS_NODEV)->copy_up = true;
	box_fs(b, "tmpfs", "/opt", NULL, MS_NOSUID | MS_NODEV | MS_RDONLY)->copy_up = true;
	b->inside = inside_copied;
	box_run_ok(b);
	box_expect(b, "image/var/a", "aaa");
	assert_false(box_exists(b, "c1/upper/var/a"));
}

static void test_tmpfs_copy_up_too_small(void **state)
{
	struct box *b = *state;
	char big[8193];

	if (b->fd < 0)
		skip();
	memset(big, 'x', sizeof(big) - 1);
	big[sizeof(big) - 1] = '\0';
	box_mkdir(b, "var");
	box_write(b, "var/big", big, 0644);
	box_fs(b, "tmpfs", "/var", "size=4k", 0)->copy_up = true;
	box_run_fails(b, "mount /var: tmpfs: No space left");
}

/* CVE-2021-30465: the parent of mount targets is swapped all the time for a link out of the root. */
static void flip_forever(struct box *b)
{
	auto_fd int vol = openat(b->fd, "vol", O_PATH | O_DIRECTORY | O_CLOEXEC);

	for (;;)
		renameat2(vol, "dir", vol, "link", RENAME_EXCHANGE);
}

static void test_flipping_links(void **state)
{
	struct box *b = *state;
	int ok = 0;

	if (b->fd < 0)
		skip();
	box_mkdir(b, box_path(b, "vol"));
	box_mkdir(b, box_path(b, "vol/dir"));
	box_link(b, box_path(b, "victim"), box_path(b, "vol/link"));
	assert_int_equal(fchmodat(b->fd, "victim", 0777, 0), 0);
	assert_int_equal(fchmodat(b->fd, "vol", 0777, 0), 0);
	assert_int_equal(fchmodat(b->fd, "vol/dir", 0777, 0), 0);
	box_bind(b, box_path(b, "vol"), "/vol", 0);
	box_fs(b, "tmpfs", "/vol/dir/tmp", NULL, 0);
	box_bind(b, box_path(b, "run"), "/vol/dir/bind", 0);
	*arena_push(&b->arena, &b->c.devices) = (struct dev_item){ .path = "/dev/null", .target = "/vol/dir/null", .type = 'c', .major = 1, .minor = 3 };
	*arena_push(&b->arena, &b->c.links) = (struct link_item){ "/x", "/vol/dir/sym" };
	*arena_push(&b->arena, &b->c.files) = (struct file_item){ "/vol/dir/hosts", "h", 1, 0644 };
	b->beside = flip_forever;
	for (int i = 0; i < 200; i++) {
		ok += box_run(b) == 0;
		box_expect_empty(b, "victim");
	}
	/* The test would prove nothing if every start failed early. */
	assert_true(ok > 0);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, box_setup, box_teardown)
	const struct CMUnitTest tests[] = {
		T(test_defaults),
		T(test_proc_is_a_link),
		T(test_sys_is_a_link),
		T(test_dev_is_a_link),
		T(test_targets_stay_in_root),
		T(test_target_leaves_root),
		T(test_binds),
		T(test_readonly_bind_is_recursive_and_locked),
		T(test_sources_of_the_host),
		T(test_idmapped_bind),
		T(test_optional_and_missing),
		T(test_target_not_made),
		T(test_proc_is_not_covered),
		T(test_lxcfs_file_is_allowed),
		T(test_tmpfs_copy_up),
		T(test_tmpfs_copy_up_too_small),
		T(test_flipping_links),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
