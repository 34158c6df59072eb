/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <termios.h>
#include <unistd.h>
#include "lib/base/fd.h"
#include "lib/base/path.h"
#include "lib/base/str.h"
#include "tests/unit/rootfs/box.h"

static int inside_console(struct box *b)
{
	struct winsize size;
	struct stat a, c;
	char buf[8] = "";
	int fd;

	CHECK(isatty(b->slave) && ioctl(b->slave, TIOCGWINSZ, &size) == 0 && size.ws_row == 24 &&
	      size.ws_col == 80);
	CHECK(fstat(b->slave, &a) == 0 && stat("/dev/console", &c) == 0 && a.st_rdev == c.st_rdev);
	CHECK((fd = open("/dev/console", O_RDWR | O_NOCTTY)) >= 0 && isatty(fd));
	CHECK(write(fd, "hi", 2) == 2 && read(b->master, buf, sizeof(buf)) == 2 && str_eq(buf, "hi"));
	CHECK(ttyname(b->slave) && str_eq(ttyname(b->slave), "/dev/pts/0"));
	CHECK(fcntl(b->master, F_GETFD) == FD_CLOEXEC && fcntl(b->slave, F_GETFD) == FD_CLOEXEC);
	CHECK(!(fcntl(b->master, F_GETFL) & O_NONBLOCK));
	return 0;
}

static void test_console(void **state)
{
	struct box *b = *state;

	rootfs_config_defaults(&b->c, &b->arena);
	b->c.console = b->console = true;
	b->inside = inside_console;
	box_run_ok(b);
}

static int inside_pty_only(struct box *b)
{
	CHECK(isatty(b->slave) && access("/dev/console", F_OK) < 0);
	return 0;
}

static void test_pty_without_console(void **state)
{
	struct box *b = *state;

	rootfs_config_defaults(&b->c, &b->arena);
	b->console = true;
	b->inside = inside_pty_only;
	box_run_ok(b);
}

static int inside_after_pivot(struct box *b)
{
	auto_fd int root = open("/", O_PATH | O_CLOEXEC);
	int slave = -1, master = rootfs_guest_console(&b->c, root, 0, 0, &slave, &b->err);

	CHECK(master >= 0 && isatty(slave) && ttyname(slave));
	CHECK(isatty(open("/dev/console", O_RDWR | O_NOCTTY)));
	return 0;
}

static void test_console_after_pivot(void **state)
{
	struct box *b = *state;

	rootfs_config_defaults(&b->c, &b->arena);
	b->c.console = true;
	b->inside = inside_after_pivot;
	box_run_ok(b);
}

static int inside_link(struct box *b)
{
	struct stat st;

	CHECK(lstat("/dev/console", &st) == 0 && S_ISCHR(st.st_mode));
	CHECK(in_mounts_at("/dev/console") == 1 && in_mounts_at("/victim-inside") == 0);
	return 0;
}

/* CVE-2025-52565: /dev/console of the image is a link; there is no tmpfs on /dev. */
static void test_console_is_a_link(void **state)
{
	struct box *b = *state;

	if (b->fd < 0)
		skip();
	box_write(b, box_path(b, "victim/file"), "untouched", 0666);
	box_write(b, "victim-inside", "untouched", 0666);
	box_mkdir(b, "dev");
	box_link(b, box_path(b, "victim/file"), "dev/console");
	box_fs(b, "proc", "/proc", NULL, 0);
	box_fs(b, "devpts", "/dev/pts", "newinstance,ptmxmode=0666,mode=0620,gid=5", 0);
	b->c.console = b->console = true;
	b->inside = inside_link;
	box_run_ok(b);
	box_expect(b, "victim/file", "untouched");
	assert_int_equal(fchmodat(b->fd, "c1/upper", 0755, 0), 0);
	assert_int_equal(unlinkat(b->lower, "dev/console", 0), 0);
	box_link(b, "/victim-inside", "dev/console");
	assert_int_equal(rootfs_remove_layers(box_path(b, "c1"), NULL), 0);
	box_run_ok(b);
}

static void test_no_devpts(void **state)
{
	struct box *b = *state;

	if (b->fd < 0)
		skip();
	b->c.console = b->console = true;
	box_run_fails(b, "open /dev/pts/ptmx: No such file");
	/* Something else in its place, by file or by link. */
	box_mkdir(b, "dev");
	box_mkdir(b, "dev/pts");
	box_write(b, "dev/pts/ptmx", "", 0666);
	box_run_fails(b, "not a devpts");
	assert_int_equal(unlinkat(b->lower, "dev/pts/ptmx", 0), 0);
	box_link(b, "/dev/null", "dev/pts/ptmx");
	assert_int_equal(rootfs_remove_layers(box_path(b, "c1"), NULL), 0);
	box_run_fails(b, "open /dev/pts/ptmx");
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, box_setup, box_teardown)
	const struct CMUnitTest tests[] = {
		T(test_console),	   T(test_pty_without_console), T(test_console_after_pivot),
		T(test_console_is_a_link), T(test_no_devpts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
