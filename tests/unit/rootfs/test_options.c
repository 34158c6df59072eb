/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The mounts of an OCI configuration. */
#include "tests/unit/rootfs/box.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>
#include "lib/base/str.h"
#include "rootfs/internal.h"

/* ---- options of mounts ---- */

static void prepare_options(struct box *b)
{
	mount("tmpfs", box_path(b, "victim"), "tmpfs", MS_NOSUID | MS_NOATIME, "mode=777");
	box_mkdir(b, box_path(b, "victim/sub"));
	mount("tmpfs", box_path(b, "victim/sub"), "tmpfs", MS_NOEXEC, "mode=777");
}

static int inside_options(struct box *b)
{
	CHECK(in_has_flags("/top", ST_RDONLY) && !in_has_flags("/top/sub", ST_RDONLY) && in_writes("/top/sub/x", "x"));
	CHECK(in_has_flags("/tree", ST_RDONLY | ST_NODEV) && in_has_flags("/tree/sub", ST_RDONLY | ST_NODEV));
	CHECK(!in_has_flags("/tree/sub", ST_NOEXEC));
	CHECK(!in_has_flags("/clear", ST_NOSUID) && !in_has_flags("/clear", ST_NOATIME) && in_has_flags("/clear/sub", ST_NOEXEC));
	CHECK(in_has_flags("/old", ST_NOSUID | ST_NOATIME) && in_has_flags("/old/sub", ST_NOEXEC));
	CHECK(in_has_flags("/again", ST_RELATIME | ST_NOSUID) && !in_has_flags("/again", ST_NOATIME));
	CHECK(in_has_flags("/fs", ST_NODEV) && in_has_flags("/relatime", ST_RELATIME) && !in_has_flags("/relatime", ST_NOATIME));
	return 0;
}

static void add_options(struct box *b)
{
	const char *victim = box_path(b, "victim");
	struct mount_item *m = box_bind(b, victim, "/top", MS_REC | MS_RDONLY);

	m->shallow = true;
	m = box_bind(b, victim, "/tree", MS_REC);
	m->shallow = true;
	m->rec_set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NODEV;
	m->rec_clear = MOUNT_ATTR_NOEXEC;
	m = box_bind(b, victim, "/clear", MS_REC);
	m->clear = MS_NOSUID | MS_NOATIME;
	box_bind(b, victim, "/old", MS_REC)->shallow = true;
	m = box_bind(b, victim, "/relatime", MS_REC);
	m->rec_clear = MOUNT_ATTR_NOATIME;
	box_bind(b, victim, "/again", MS_REC | MS_RELATIME)->shallow = true;
	m = box_fs(b, "tmpfs", "/fs", NULL, 0);
	m->rec_set = MOUNT_ATTR_NODEV;
	b->prepare = prepare_options;
	b->inside = inside_options;
}

static void test_options(void **state)
{
	struct box *b = box_plain(state);

	assert_int_equal(fchmod(b->lower, 0777), 0);
	add_options(b);
	box_run_ok(b);
	b->no_userns = false;
	box_run_ok(b);
}

/* What was set outside cannot be cleared by who is not root there. */
static void test_options_locked(void **state)
{
	struct box *b = box_plain(state);

	b->prepare = prepare_options;
	box_rootless(b);
	box_bind(b, box_path(b, "victim"), "/clear", MS_REC)->clear = MS_NOSUID;
	box_run_fails(b, "set the options of");
	b->c.mounts.v[0].clear = 0;
	box_run_ok(b);
}

static int inside_remounted(struct box *b)
{
	struct statvfs sv;

	CHECK(in_has_flags("/vol", ST_RDONLY) && in_has_flags("/tmp", ST_NOEXEC));
	CHECK(statvfs("/tmp", &sv) == 0 && sv.f_blocks * sv.f_frsize == 8192);
	return 0;
}

static void test_remount(void **state)
{
	struct box *b = box_plain(state);
	struct mount_item *m;

	box_bind(b, box_path(b, "victim"), "/vol", 0);
	box_bind(b, "none", "/vol", MS_BIND | MS_REMOUNT | MS_RDONLY);
	box_fs(b, "tmpfs", "/tmp", "size=4096", 0);
	box_fs(b, NULL, "/tmp", "size=8192", MS_REMOUNT | MS_NOEXEC);
	/* Sources behind it are found by the right number. */
	box_bind(b, box_path(b, "run"), "/last", 0);
	b->inside = inside_remounted;
	box_run_ok(b);
	m = box_fs(b, "tmpfs", "/not-there", NULL, MS_REMOUNT);
	box_run_fails(b, "mount /not-there: target: No such file");
	m->target = "/last/stage";
	box_run_fails(b, "mount /last/stage: ");
	m->flags = 0;
	m->fstype = "tmpfs";
	m->data = "no-such-option=1";
	m->target = "/x";
	box_run_fails(b, "mount /x: tmpfs: Invalid argument");
	m->fstype = NULL;
	box_run_fails(b, "mount /x: no filesystem type");
}

static int inside_locked(struct box *b)
{
	CHECK(in_has_flags("/vol", ST_RDONLY | ST_NOSUID | ST_NOATIME));
	return 0;
}

/* Flags from outside stay, unless they are in the way of what is asked. */
static void test_remount_locked(void **state)
{
	struct box *b = box_plain(state);
	struct mount_item *m;

	b->prepare = prepare_options;
	box_rootless(b);
	box_bind(b, box_path(b, "victim"), "/vol", MS_REC);
	m = box_bind(b, "none", "/vol", MS_REMOUNT | MS_RDONLY);
	b->inside = inside_locked;
	box_run_ok(b);
	m->clear = MS_NOSUID;
	box_run_fails(b, "mount /vol: remount: Operation not permitted");
	m->target = "/flat";
	m->flags = 0;
	m->source = box_path(b, "victim");
	box_run_fails(b, "victim: Invalid argument");
	assert_non_null(strstr(b->err.hint, "only rbind"));
}

static int inside_maps(struct box *b)
{
	struct stat st;

	CHECK(stat("/vol/file", &st) == 0 && st.st_uid == 5000 && st.st_gid == 6000);
	CHECK(stat("/vol/sub/file", &st) == 0 && st.st_uid == 1000);
	CHECK(stat("/tree/sub/file", &st) == 0 && st.st_uid == 5000 && st.st_gid == 6000);
	return 0;
}

static void prepare_maps(struct box *b)
{
	mount("tmpfs", box_path(b, "victim/sub"), "tmpfs", 0, NULL);
	box_write(b, box_path(b, "victim/sub/file"), "x", 0644);
	if (chown(box_path(b, "victim/sub/file"), 1000, 1000) < 0)
		_exit(1);
}

static void add_maps(struct box *b, struct mount_item *m)
{
	*arena_push(&b->arena, &m->uid_maps) = (struct id_map){ 1000, 5000, 1 };
	*arena_push(&b->arena, &m->gid_maps) = (struct id_map){ 1000, 6000, 1 };
	*arena_push(&b->arena, &m->gid_maps) = (struct id_map){ 0, 0, 1 };
}

static void test_own_maps(void **state)
{
	struct box *b = box_plain(state);
	struct mount_item *m;

	box_mkdir(b, box_path(b, "victim/sub"));
	box_write(b, box_path(b, "victim/file"), "x", 0644);
	assert_int_equal(chown(box_path(b, "victim/file"), 1000, 1000), 0);
	b->prepare = prepare_maps;
	add_maps(b, box_bind(b, box_path(b, "victim"), "/vol", MS_REC));
	m = box_bind(b, box_path(b, "victim"), "/tree", MS_REC);
	m->idmap_tree = true;
	add_maps(b, m);
	b->inside = inside_maps;
	box_run_ok(b);
	/* Twice the same id. */
	add_maps(b, m);
	box_run_fails(b, "id maps of");
	m->uid_maps.n = m->gid_maps.n = 1;
	m->source = "/proc";
	box_run_fails(b, "/proc: its filesystem cannot be idmapped");
	assert_int_equal(b->err.kind, ERR_UNSUPPORTED);
}

static int inside_container_maps(struct box *b)
{
	struct stat st;

	CHECK(stat("/vol/file", &st) == 0 && st.st_uid == 1000 && st.st_gid == 1000);
	CHECK(stat("/vol/sub/file", &st) == 0 && st.st_uid == 65534);
	CHECK(stat("/tree/sub/file", &st) == 0 && st.st_uid == 1000);
	return 0;
}

static void test_container_maps(void **state)
{
	struct box *b = box_plain(state);
	struct mount_item *m;

	box_mkdir(b, box_path(b, "victim/sub"));
	box_write(b, box_path(b, "victim/file"), "x", 0644);
	assert_int_equal(chown(box_path(b, "victim/file"), 1000, 1000), 0);
	assert_int_equal(fchmod(b->lower, 0777), 0);
	b->prepare = prepare_maps;
	m = box_bind(b, box_path(b, "victim"), "/vol", MS_REC);
	m->idmap = m->shallow = true;
	m = box_bind(b, box_path(b, "victim"), "/tree", MS_REC);
	m->idmap = m->shallow = m->idmap_tree = true;
	box_run_fails(b, "neither it nor the container has id maps");
	b->no_userns = false;
	b->inside = inside_container_maps;
	box_run_ok(b);
}

static int inside_linked(struct box *b)
{
	CHECK(in_reads("/vol/file", "of the host") && in_reads("/etc/one", "of the host"));
	return 0;
}

static void test_source_is_a_link(void **state)
{
	struct box *b = box_plain(state);

	box_write(b, box_path(b, "victim/file"), "of the host", 0644);
	box_link(b, box_path(b, "victim"), box_path(b, "folder"));
	box_link(b, "victim/file", box_path(b, "one"));
	box_bind(b, box_path(b, "folder"), "/vol", MS_REC);
	box_bind(b, box_path(b, "one"), "/etc/one", 0);
	b->inside = inside_linked;
	box_run_ok(b);
}

static bool is_fs(const char *path, long magic)
{
	struct statfs sf;

	return statfs(path, &sf) == 0 && sf.f_type == magic;
}

static int inside_tmpfs(struct box *b)
{
	struct stat st;

	CHECK(stat("/run", &st) == 0 && (st.st_mode & 07777) == 02750);
	CHECK(stat("/opt", &st) == 0 && (st.st_mode & 07777) == 0700);
	CHECK(stat("/made", &st) == 0 && (st.st_mode & 07777) == 01777);
	CHECK(in_has_flags("/dev", ST_RDONLY) && !in_writes("/dev/x", "x") && errno == EROFS);
	CHECK(in_is_device("/dev/null", 1, 3) && in_writes("/dev/null", "x"));
	CHECK(in_has_flags("/run", ST_RDONLY) && in_reads("/run/in/file", "x"));
	return 0;
}

static void test_tmpfs(void **state)
{
	struct box *b = box_plain(state);

	box_mkdir(b, "run");
	box_mkdir(b, "opt");
	assert_int_equal(fchmodat(b->lower, "run", 02750, 0), 0);
	box_write(b, box_path(b, "victim/file"), "x", 0644);
	box_fs(b, "tmpfs", "/run", "size=64k", MS_RDONLY);
	box_bind(b, box_path(b, "victim"), "/run/in", 0);
	box_fs(b, "tmpfs", "/opt", "mode=700", 0);
	box_fs(b, "tmpfs", "/made", NULL, 0);
	box_fs(b, "tmpfs", "//dev/", NULL, MS_RDONLY);
	*arena_push(&b->arena, &b->c.devices) = (struct dev_item){
		.path = "/dev/null", .target = "/dev/null", .type = 'c', .major = 1, .minor = 3, .make = true, .mode = 0666
	};
	b->inside = inside_tmpfs;
	box_run_ok(b);
}

static int inside_cgroup(struct box *b)
{
	CHECK(is_fs("/sys/fs/cgroup", CGROUP2_SUPER_MAGIC) && in_has_flags("/sys/fs/cgroup", ST_RDONLY | ST_NOEXEC));
	CHECK(access("/sys/fs/cgroup/cgroup.controllers", F_OK) == 0);
	return 0;
}

/* Without a cgroup namespace cgroup2 is the host's to mount. Root of the host could mount it then, but what that does to the host's
 * own mount must not be tried. */
static void test_cgroup_of_the_host(void **state)
{
	struct box *b = box_plain(state);

	assert_int_equal(fchmod(b->lower, 0777), 0);
	box_fs(b, "cgroup2", "/sys/fs/cgroup", NULL, MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC);
	b->inside = inside_cgroup;
	box_run_ok(b);
	b->c.mounts.v[0].flags = MS_NOEXEC;
	b->host_cgroups = b->c.host_cgroups = true;
	box_run_ok(b);
	b->no_userns = false;
	box_run_ok(b);
	b->c.host_cgroups = false;
	box_run_ok(b);
	b->c.plain = false;
	b->c.upper = box_path(b, "c1/upper");
	b->c.work = box_path(b, "c1/work");
	box_run_fails(b, "mount /sys/fs/cgroup: cgroup2: Operation not permitted");
}

static int inside_proc(struct box *b)
{
	char self[16] = "";

	CHECK(is_fs("/proc", PROC_SUPER_MAGIC) && readlink("/proc/self", self, sizeof(self) - 1) > 0);
	CHECK(getpid() == 1 && !str_eq(self, "1"));
	return 0;
}

/* The procfs of another PID namespace may be the container's; a part of it, or anything else, may not. */
static void test_bind_of_proc(void **state)
{
	struct box *b = box_plain(state);
	struct mount_item *m = box_bind(b, "/proc", "/proc", MS_REC);

	b->inside = inside_proc;
	box_run_ok(b);
	m->source = "/proc/sys";
	box_run_fails(b, "hide part of /proc");
	m->source = box_path(b, "victim");
	box_run_fails(b, "hide part of /proc");
	m->source = "/proc";
	m->target = "/proc/sys";
	box_run_fails(b, "hide part of /proc");
}

static int inside_masked(struct box *b)
{
	struct stat st;

	CHECK(in_is_device("/run/pipe", 1, 3) && in_is_device("/run/node", 1, 3) && in_reads("/run/file", ""));
	CHECK(in_has_flags("/run/folder", ST_RDONLY) && access("/run/folder/x", F_OK) < 0);
	CHECK(lstat("/run/link", &st) == 0 && S_ISLNK(st.st_mode) && access("/none", F_OK) < 0);
	return 0;
}

/* Whatever lies there; what is missing is left out. */
static void test_masked(void **state)
{
	static const char *const masked[] = { "/run/pipe", "/run/node", "/run/file",     "/run/folder",
					      "/none",	   "/none/x",	"/run/file/none", "/run/link" };
	struct box *b = box_plain(state);

	box_mkdir(b, "run");
	box_mkdir(b, "run/folder");
	box_write(b, "run/folder/x", "x", 0644);
	box_write(b, "run/file", "x", 0644);
	box_link(b, "nowhere", "run/link");
	assert_int_equal(mkfifoat(b->lower, "run/pipe", 0600), 0);
	assert_int_equal(mknodat(b->lower, "run/node", S_IFBLK | 0600, makedev(7, 0)), 0);
	*arena_push(&b->arena, &b->c.devices) = (struct dev_item){
		.path = "/dev/null", .target = "/dev/null", .type = 'c', .major = 1, .minor = 3, .make = true, .mode = 0666
	};
	for (size_t i = 0; i < ARRAY_SIZE(masked); i++) {
		strv_push(&b->arena, &b->c.masked, masked[i]);
		strv_push(&b->arena, &b->c.readonly_paths, i >= 3 ? masked[i] : "/none");
	}
	b->inside = inside_masked;
	box_run_ok(b);
}

/* ---- labels ---- */

static void test_label_options(void **state)
{
	const struct rootfs_config c = { .mount_label = "system_u:object_r:container_file_t:s0:c1,c2" }, none = { 0 };
	static const char *const unlabelled[] = { "proc", "sysfs", "mqueue", "cgroup2" };
	auto_free char *a = label_options(&c, "tmpfs", "size=4k"), *bare = label_options(&c, "devpts", NULL);
	auto_free char *off = label_options(&none, "tmpfs", "size=4k");

	(void)state;
	assert_string_equal(a, "size=4k,context=\"system_u:object_r:container_file_t:s0:c1,c2\"");
	assert_string_equal(bare, "context=\"system_u:object_r:container_file_t:s0:c1,c2\"");
	assert_string_equal(off, "size=4k");
	assert_null(label_options(&none, "tmpfs", NULL));
	for (size_t i = 0; i < ARRAY_SIZE(unlabelled); i++)
		assert_null(label_options(&c, unlabelled[i], NULL));
}

/* On a host without SELinux the option is unknown. */
static void test_label_is_given(void **state)
{
	struct box *b = box_plain(state);

	if (access("/sys/fs/selinux/enforce", F_OK) == 0)
		skip();
	b->c.mount_label = "system_u:object_r:container_file_t:s0:c1,c2";
	box_fs(b, "proc", "/proc", NULL, 0);
	box_run_ok(b);
	box_fs(b, "tmpfs", "/tmp", "size=4k", 0);
	box_run_fails(b, "mount /tmp: tmpfs: Invalid argument");
	b->c.mounts.v[1].copy_up = true;
	box_run_fails(b, "mount /tmp: tmpfs: Invalid argument");
	box_mkdir(b, "hidden");
	b->c.mounts.n = 0;
	strv_push(&b->arena, &b->c.masked, "/hidden");
	box_run_fails(b, "mask /hidden: Invalid argument");
	b->c.mount_label = "";
	box_run_ok(b);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, box_setup, box_teardown)
	const struct CMUnitTest tests[] = {
		T(test_options),
		T(test_options_locked),
		T(test_remount),
		T(test_remount_locked),
		T(test_own_maps),
		T(test_container_maps),
		T(test_source_is_a_link),
		T(test_tmpfs),
		T(test_cgroup_of_the_host),
		T(test_bind_of_proc),
		T(test_masked),
		T(test_label_options),
		T(test_label_is_given),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
