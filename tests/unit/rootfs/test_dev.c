/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/sysmacros.h>
#include <unistd.h>
#include "lib/base/fd.h"
#include "lib/base/str.h"
#include "tests/unit/rootfs/box.h"

static void add_device(struct box *b, const char *path, const char *target, unsigned major, unsigned minor)
{
	*arena_push(&b->arena, &b->c.devices) = (struct dev_item){
		.path = path, .target = target, .type = 'c', .major = major, .minor = minor
	};
}

static bool links_to(const char *path, const char *target)
{
	char text[256] = "";

	return readlink(path, text, sizeof(text) - 1) > 0 && str_eq(text, target);
}

static int inside_nodes(struct box *b)
{
	char zero[4] = "abc";
	int fd;

	CHECK(in_is_device("/dev/null", 1, 3) && in_is_device("/dev/full", 1, 7) &&
	      in_is_device("/dev/tty", 5, 0));
	CHECK((fd = open("/dev/zero", O_RDONLY)) >= 0 && read(fd, zero, 4) == 4 &&
	      memcmp(zero, "\0\0\0", 4) == 0);
	CHECK((fd = open("/dev/full", O_WRONLY)) >= 0 && write(fd, "x", 1) < 0 && errno == ENOSPC);
	CHECK((fd = open("/dev/urandom", O_RDONLY)) >= 0 && read(fd, zero, 4) == 4);
	CHECK(links_to("/dev/fd", "/proc/self/fd") && links_to("/dev/ptmx", "pts/ptmx"));
	CHECK(links_to("/dev/stdin", "/proc/self/fd/0"));
	CHECK(mknod("/dev/mem", S_IFCHR | 0600, makedev(1, 1)) < 0 && errno == EPERM);
	return 0;
}

static void test_standard_nodes(void **state)
{
	struct box *b = *state;

	rootfs_config_defaults(&b->c, &b->arena);
	b->inside = inside_nodes;
	box_run_ok(b);
}

static void test_look_alike_is_refused(void **state)
{
	struct box *b = *state;

	if (b->fd < 0)
		skip();
	box_write(b, box_path(b, "null"), "", 0666);
	add_device(b, box_path(b, "null"), "/dev/null", 1, 3);
	box_run_fails(b, "is not the device c 1:3");
	b->c.devices.v[0] = (struct dev_item){ .path = "/dev/zero", .target = "/dev/null", .type = 'c', .major = 1, .minor = 3 };
	box_run_fails(b, "/dev/zero is not the device c 1:3");
	b->c.devices.v[0] = (struct dev_item){ .path = "/dev/null", .target = "/dev/null", .type = 'b', .major = 1, .minor = 3 };
	box_run_fails(b, "is not the device b 1:3");
	b->c.devices.v[0] = (struct dev_item){ .path = "/dev/does-not-exist", .target = "/dev/null", .type = 'c', .major = 1, .minor = 3 };
	box_run_fails(b, "device /dev/does-not-exist: No such file");
}

static int inside_image_dev(struct box *b)
{
	CHECK(in_is_device("/dev/null", 1, 3) && in_is_device("/dev/deep/er/zero", 1, 5));
	CHECK(in_is_device("/dev/full", 1, 7) && in_writes("/dev/null", "x"));
	CHECK(links_to("/dev/fd", "/proc/self/fd") && links_to("/dev/stdin", "/proc/self/fd/0"));
	return 0;
}

/* A configuration without a tmpfs on /dev: links in the image's /dev give way, and nothing goes through them.
 */
static void test_links_in_dev_of_image(void **state)
{
	struct box *b = *state;

	if (b->fd < 0)
		skip();
	box_write(b, box_path(b, "victim/file"), "untouched", 0666);
	box_mkdir(b, "dev");
	box_link(b, box_path(b, "victim/file"), "dev/null");
	box_link(b, box_path(b, "victim/made"), "dev/full");
	box_link(b, box_path(b, "victim/fd"), "dev/fd");
	box_write(b, "dev/stdin", "a file", 0644);
	add_device(b, "/dev/null", "/dev/null", 1, 3);
	add_device(b, "/dev/full", "/dev/full", 1, 7);
	add_device(b, "/dev/zero", "/dev/deep/er/zero", 1, 5);
	*arena_push(&b->arena, &b->c.links) = (struct link_item){ "/proc/self/fd", "/dev/fd" };
	*arena_push(&b->arena, &b->c.links) = (struct link_item){ "/proc/self/fd/0", "/dev/stdin" };
	b->inside = inside_image_dev;
	box_run_ok(b);
	box_expect(b, "victim/file", "untouched");
	assert_false(box_exists(b, "victim/made") || box_exists(b, "victim/fd"));
}

static void test_folder_of_node_is_a_link(void **state)
{
	struct box *b = *state;

	if (b->fd < 0)
		skip();
	box_link(b, box_path(b, "victim"), "dev");
	add_device(b, "/dev/null", "/dev/null", 1, 3);
	box_run_fails(b, "place for device /dev/null: Too many levels of symbolic links");
	b->c.devices.n = 0;
	*arena_push(&b->arena, &b->c.links) = (struct link_item){ "/proc/self/fd", "/dev/fd" };
	box_run_fails(b, "link /dev/fd");
	box_expect_empty(b, "victim");
}

static void test_folder_in_place_of_node(void **state)
{
	struct box *b = *state;

	if (b->fd < 0)
		skip();
	box_mkdir(b, "dev");
	box_mkdir(b, "dev/null");
	add_device(b, "/dev/null", "/dev/null", 1, 3);
	box_run_fails(b, "Is a directory");
	b->c.devices.n = 0;
	*arena_push(&b->arena, &b->c.links) = (struct link_item){ "/x", "/dev/null" };
	box_run_fails(b, "link /dev/null: Is a directory");
}

static int inside_outside_dev(struct box *b)
{
	CHECK(in_is_device("/run/null", 1, 3) && links_to("/run/tab", "/proc/mounts"));
	CHECK(links_to("/real/tab", "/proc/mounts"));
	return 0;
}

/* Below other folders links are followed, inside the root. */
static void test_outside_of_dev(void **state)
{
	struct box *b = *state;

	if (b->fd < 0)
		skip();
	box_mkdir(b, "real");
	box_link(b, "../../real", "run");
	add_device(b, "/dev/null", "/run/null", 1, 3);
	*arena_push(&b->arena, &b->c.links) = (struct link_item){ "/proc/mounts", "/run/tab" };
	b->inside = inside_outside_dev;
	box_run_ok(b);
	/* A second start finds the same link. */
	box_run_ok(b);
}

/* ---- nodes that are made ---- */

static struct dev_item *add_made(struct box *b, const char *path, unsigned major, unsigned minor, uint32_t mode)
{
	struct dev_item *d = arena_push(&b->arena, &b->c.devices);

	*d = (struct dev_item){ .path = path,
				.target = path,
				.type = 'c',
				.major = major,
				.minor = minor,
				.make = true,
				.mode = mode };
	return d;
}

static struct box *plain(void **state)
{
	struct box *b = box_plain(state);

	assert_int_equal(fchmod(b->lower, 0777), 0);
	return b;
}

static bool is_made(const char *path, mode_t mode, uid_t uid, gid_t gid)
{
	struct stat st;

	return lstat(path, &st) == 0 && st.st_mode == mode && st.st_uid == uid && st.st_gid == gid;
}

static int inside_made(struct box *b)
{
	CHECK(in_is_device("/dev/null", 1, 3) && is_made("/dev/null", S_IFCHR | 0666, 0, 0));
	CHECK(in_writes("/dev/null", "x"));
	CHECK(in_is_device("/dev/a/b", 10, 200) && is_made("/dev/a/b", S_IFCHR | 0627, 3, 4));
	CHECK(is_made("/dev/block", S_IFBLK | 0660, 0, 6) && is_made("/run/pipe", S_IFIFO | 04777, 7, 8));
	return 0;
}

static void test_made(void **state)
{
	struct box *b = plain(state);
	struct dev_item *d;

	add_made(b, "/dev/null", 1, 3, 0666);
	d = add_made(b, "/dev/a/b", 10, 200, 0627);
	d->uid = 3;
	d->gid = 4;
	d = add_made(b, "/dev/block", 7, 0, 0660);
	d->type = 'b';
	d->gid = 6;
	d = add_made(b, "/run/pipe", 0, 0, 04777);
	d->type = 'p';
	d->uid = 7;
	d->gid = 8;
	b->inside = inside_made;
	box_run_ok(b);
	/* They are there already. */
	box_run_ok(b);
}

static int inside_occupied(struct box *b)
{
	CHECK(in_reads("/dev/null", "a file") && links_to("/dev/zero", box_path(b, "victim/none")));
	return 0;
}

/* Nothing is made through a link, and what there is stays. */
static void test_made_in_dev_of_image(void **state)
{
	struct box *b = plain(state);

	box_mkdir(b, "dev");
	box_write(b, "dev/null", "a file", 0644);
	box_link(b, box_path(b, "victim/none"), "dev/zero");
	add_made(b, "/dev/null", 1, 3, 0666);
	add_made(b, "/dev/zero", 1, 5, 0666);
	b->inside = inside_occupied;
	box_run_ok(b);
	box_link(b, box_path(b, "victim"), "dev/sub");
	add_made(b, "/dev/sub/full", 1, 7, 0666);
	box_run_fails(b, "make device /dev/sub/full: Too many levels of symbolic links");
	box_expect_empty(b, "victim");
}

static int inside_as_it_is(struct box *b)
{
	CHECK(in_is_device("/dev/loop", 10, 237) && is_made("/dev/loop", S_IFCHR | 0660, 65534, 65534));
	return 0;
}

/* Bound, a node keeps its owner: container root is not who may open it. */
static void test_bound_in_userns(void **state)
{
	struct box *b = plain(state);
	const char *path = box_path(b, "victim/loop");

	if (mknod(path, S_IFCHR | 0660, makedev(10, 237)) < 0 || chmod(path, 0660) < 0)
		skip();
	b->no_userns = false;
	add_device(b, path, "/dev/loop", 10, 237);
	b->inside = inside_as_it_is;
	box_run_ok(b);
}

static int inside_bound(struct box *b)
{
	CHECK(in_is_device("/dev/null", 1, 3) && in_writes("/dev/null", "x"));
	CHECK(in_is_device("/dev/multiplexer", 5, 2) && is_made("/run/pipe", S_IFIFO | 0600, 0, 0));
	return 0;
}

/* In a user namespace no device can be made; a fifo can. */
static void test_made_in_userns(void **state)
{
	struct box *b = plain(state);
	struct dev_item *d;

	b->no_userns = false;
	add_made(b, "/dev/null", 1, 3, 0666);
	d = add_made(b, "/dev/ptmx", 5, 2, 0666);
	d->target = "/dev/multiplexer";
	d = add_made(b, "/run/pipe", 0, 0, 0600);
	d->type = 'p';
	b->inside = inside_bound;
	box_run_ok(b);
	add_made(b, "/dev/does-not-exist", 1, 3, 0666);
	box_run_fails(b, "device /dev/does-not-exist: No such file");
	b->c.devices.v[3].path = "/dev/zero";
	b->c.devices.v[3].target = "/dev/another";
	box_run_fails(b, "/dev/zero is not the device c 1:3");
	b->c.devices.v[2].target = "/";
	box_run_fails(b, "make device /: Invalid argument");
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, box_setup, box_teardown)
	const struct CMUnitTest tests[] = {
		T(test_standard_nodes),		 T(test_look_alike_is_refused),
		T(test_links_in_dev_of_image),	 T(test_folder_of_node_is_a_link),
		T(test_folder_in_place_of_node), T(test_outside_of_dev),
		T(test_made),			 T(test_made_in_dev_of_image),
		T(test_made_in_userns),		 T(test_bound_in_userns),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
