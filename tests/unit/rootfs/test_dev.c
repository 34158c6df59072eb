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
	*arena_push(&b->arena, &b->c.devices) = (struct dev_item){ path, target, 'c', major, minor };
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
	b->c.devices.v[0] = (struct dev_item){ "/dev/zero", "/dev/null", 'c', 1, 3 };
	box_run_fails(b, "/dev/zero is not the device c 1:3");
	b->c.devices.v[0] = (struct dev_item){ "/dev/null", "/dev/null", 'b', 1, 3 };
	box_run_fails(b, "is not the device b 1:3");
	b->c.devices.v[0] = (struct dev_item){ "/dev/does-not-exist", "/dev/null", 'c', 1, 3 };
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

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, box_setup, box_teardown)
	const struct CMUnitTest tests[] = {
		T(test_standard_nodes),		 T(test_look_alike_is_refused),
		T(test_links_in_dev_of_image),	 T(test_folder_of_node_is_a_link),
		T(test_folder_in_place_of_node), T(test_outside_of_dev),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
