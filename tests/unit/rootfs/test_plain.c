/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A root that is a folder as it is, and what propagates from it. */
#include "tests/unit/rootfs/box.h"
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/statvfs.h>
#include <unistd.h>
#include "lib/base/fd.h"
#include "lib/base/path.h"
#include "lib/base/str.h"

/* The optional fields of the uppermost mount at `path`, or "". */
static const char *fields_of(const char *path, char buf[256])
{
	FILE *f = fopen("/proc/self/mountinfo", "re");
	char line[4096], at[4096], fields[256];

	buf[0] = '\0';
	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "%*s %*s %*s %*s %4095s %*s %255[^-]", at, fields) == 2 && str_eq(at, path))
			str_copy(buf, 256, fields);
	if (f)
		fclose(f);
	return buf;
}

static bool is_shared(const char *path)
{
	char buf[256];

	return strstr(fields_of(path, buf), "shared:");
}

static bool is_slave(const char *path)
{
	char buf[256];

	return strstr(fields_of(path, buf), "master:");
}

/* ---- the root ---- */

static void mount_below_image(struct box *b)
{
	mount("tmpfs", box_path(b, "image/sub"), "tmpfs", 0, "mode=777");
	box_write(b, box_path(b, "image/sub/f"), "below", 0666);
	box_mkdir(b, box_path(b, "image/sub/deep"));
	mount("tmpfs", box_path(b, "image/sub/deep"), "tmpfs", 0, "mode=777");
	box_write(b, box_path(b, "image/sub/deep/f"), "deeper", 0666);
}

static int inside_tree(struct box *b)
{
	CHECK(in_reads("/sub/f", "below") && in_reads("/sub/deep/f", "deeper"));
	CHECK(in_writes("/sub/new", "x") && in_writes("/new", "on disk"));
	CHECK(!in_has_flags("/", ST_NODEV) && !in_has_flags("/", ST_RDONLY));
	CHECK(in_mounts_at("/") == 1 && in_mounts_at("/sub") == 1 && in_mounts_at("/sub/deep") == 1);
	CHECK(!is_shared("/") && !is_shared("/sub") && !is_slave("/") && !is_slave("/sub/deep"));
	CHECK(access(b->dir, F_OK) < 0);
	return 0;
}

static void make_tree(struct box *b)
{
	box_mkdir(b, "sub");
	assert_int_equal(fchmod(b->lower, 0777), 0);
	box_fs(b, "proc", "/proc", NULL, 0);
	b->prepare = mount_below_image;
	b->inside = inside_tree;
}

static void test_root_of_the_host(void **state)
{
	struct box *b = box_plain(state);

	make_tree(b);
	box_run_ok(b);
	box_expect(b, "image/new", "on disk");
	assert_int_equal(box_stat(b, "image/new").st_uid, 0);
	assert_false(box_exists(b, "image/sub/new"));
}

static void test_root_in_userns(void **state)
{
	struct box *b = box_plain(state);

	make_tree(b);
	b->no_userns = false;
	box_run_ok(b);
	assert_int_equal(box_stat(b, "image/new").st_uid, BOX_BASE);
	assert_int_equal(unlinkat(b->lower, "new", 0), 0);
	b->early_root = true;
	box_run_ok(b);
	assert_int_equal(box_stat(b, "image/new").st_uid, BOX_BASE);
}

static void test_root_rootless(void **state)
{
	struct box *b = box_plain(state);

	make_tree(b);
	box_rootless(b);
	box_run_ok(b);
	assert_int_equal(box_stat(b, "image/new").st_uid, BOX_BASE);
}

static int inside_standard(struct box *b)
{
	CHECK(in_is_device("/dev/null", 1, 3) && in_writes("/dev/null", "x"));
	CHECK(in_has_flags("/sys", ST_RDONLY) && access("/dev/pts/ptmx", F_OK) == 0);
	CHECK(in_reads("/vol/file", "of the host"));
	CHECK(!in_writes("/proc/sys/kernel/hostname", "x"));
	return 0;
}

/* Everything at once, in each place where a container can be. */
static void test_standard_content(void **state)
{
	struct box *b = box_plain(state);

	rootfs_config_defaults(&b->c, &b->arena);
	for (size_t i = 0; i < b->c.devices.n; i++)
		b->c.devices.v[i] = (struct dev_item){ .path = b->c.devices.v[i].path,
						       .target = b->c.devices.v[i].target,
						       .type = 'c',
						       .major = b->c.devices.v[i].major,
						       .minor = b->c.devices.v[i].minor,
						       .make = true,
						       .mode = 0666 };
	for (size_t i = 0; i < b->c.mounts.n; i++)
		if (str_eq(b->c.mounts.v[i].target, "/dev/pts"))
			b->c.mounts.v[i].data = "newinstance,ptmxmode=0666,mode=0620";
	box_write(b, box_path(b, "victim/file"), "of the host", 0644);
	box_bind(b, box_path(b, "victim"), "/vol", MS_REC);
	b->inside = inside_standard;
	b->console = true;
	box_run_ok(b);
	b->no_openat2 = true;
	box_run_ok(b);
	b->no_userns = false;
	assert_int_equal(path_rmtree_at(b->fd, "image"), 0);
	assert_int_equal(mkdirat(b->fd, "image", 0777), 0);
	assert_int_equal(fchmodat(b->fd, "image", 0777, 0), 0);
	box_run_ok(b);
	b->no_openat2 = false;
	b->no_userns = true;
	box_rootless(b);
	box_run_ok(b);
}

static void test_root_is_no_folder(void **state)
{
	struct box *b = box_plain(state);

	box_write(b, box_path(b, "file"), "x", 0644);
	b->c.lower.v[0] = box_path(b, "file");
	box_run_fails(b, "file: Not a directory");
	b->c.lower.v[0] = box_path(b, "nothing");
	box_run_fails(b, "nothing: No such file");
}

/* ---- propagation ---- */

static int inside_propagated(struct box *b)
{
	CHECK(is_shared("/") && is_shared("/proc") && is_shared("/tmp") && !is_shared("/slave"));
	return 0;
}

static int inside_propagated_top(struct box *b)
{
	CHECK(is_shared("/") && !is_shared("/proc") && is_shared("/tmp"));
	return 0;
}

static void test_propagation_of_root(void **state)
{
	struct box *b = box_plain(state);

	box_fs(b, "proc", "/proc", NULL, 0);
	box_fs(b, "tmpfs", "/tmp", NULL, MS_SHARED);
	b->c.propagation = MS_SHARED | MS_REC;
	b->inside = inside_propagated;
	box_run_ok(b);
	b->c.propagation = MS_SHARED;
	b->inside = inside_propagated_top;
	box_run_ok(b);
	b->no_userns = false;
	assert_int_equal(fchmod(b->lower, 0777), 0);
	box_run_ok(b);
}

static void prepare_shared(struct box *b)
{
	mount("tmpfs", box_path(b, "victim"), "tmpfs", 0, NULL);
	mount(NULL, box_path(b, "victim"), NULL, MS_SHARED, NULL);
	box_mkdir(b, box_path(b, "victim/sub"));
	b->host = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);
}

static int inside_shared(struct box *b)
{
	CHECK(is_shared("/vol") && !is_slave("/vol") && is_slave("/down") && !is_shared("/down"));
	CHECK(!is_shared("/own") && !is_slave("/own"));
	CHECK(mount("tmpfs", "/vol/sub", "tmpfs", 0, NULL) == 0 && in_writes("/vol/sub/here", "x"));
	CHECK(access("/down/sub/here", F_OK) == 0 && access("/own/sub/here", F_OK) < 0);
	/* A mount that cannot be bound. */
	CHECK(mkdir("/vol2", 0755) == 0 && mount("/un", "/vol2", NULL, MS_BIND, NULL) < 0 && errno == EINVAL);
	CHECK(mount("/own", "/vol2", NULL, MS_BIND, NULL) == 0);
	/* Seen by the host, too. */
	CHECK(setns(b->host, CLONE_NEWNS) == 0 && access(box_path(b, "victim/sub/here"), F_OK) == 0);
	return 0;
}

static void test_propagation_of_binds(void **state)
{
	struct box *b = box_plain(state);

	box_fs(b, "proc", "/proc", NULL, 0);
	b->prepare = prepare_shared;
	box_bind(b, box_path(b, "victim"), "/own", MS_REC);
	box_bind(b, box_path(b, "victim"), "/vol", MS_REC | MS_SHARED);
	box_bind(b, box_path(b, "victim"), "/down", MS_REC | MS_SLAVE);
	box_bind(b, box_path(b, "victim"), "/un", MS_REC | MS_UNBINDABLE);
	b->inside = inside_shared;
	box_run_ok(b);
	assert_int_equal(unlinkat(b->lower, "vol2", AT_REMOVEDIR), 0);
	b->c.propagation = MS_PRIVATE | MS_REC;
	box_run_ok(b);
}

static int inside_slave(struct box *b)
{
	CHECK(is_slave("/vol") && is_shared("/vol") && is_slave("/down") && !is_shared("/down"));
	return 0;
}

/* In a user namespace the host's mounts arrive, and none gets out. */
static void test_propagation_of_binds_in_userns(void **state)
{
	struct box *b = box_plain(state);

	box_fs(b, "proc", "/proc", NULL, 0);
	b->no_userns = false;
	assert_int_equal(fchmod(b->lower, 0777), 0);
	b->prepare = prepare_shared;
	box_bind(b, box_path(b, "victim"), "/vol", MS_REC | MS_SHARED);
	box_bind(b, box_path(b, "victim"), "/down", MS_REC | MS_SLAVE);
	b->inside = inside_slave;
	box_run_ok(b);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, box_setup, box_teardown)
	const struct CMUnitTest tests[] = {
		T(test_root_of_the_host),
		T(test_root_in_userns),
		T(test_root_rootless),
		T(test_standard_content),
		T(test_root_is_no_folder),
		T(test_propagation_of_root),
		T(test_propagation_of_binds),
		T(test_propagation_of_binds_in_userns),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
