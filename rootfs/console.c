/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <termios.h>
#include <unistd.h>
#include "lib/base/fd.h"
#include "lib/base/path.h"
#include "rootfs/internal.h"
#include "rootfs/rootfs.h"

/* The multiplexer of the container's own devpts and no look-alike. */
static int open_master(int root, struct error *err)
{
	auto_fd int fd = path_open_in_nolink(root, "/dev/pts/ptmx", O_RDWR | O_NOCTTY | O_NONBLOCK, 0);
	struct stat st;
	int unlock = 0;

	if (fd < 0)
		return err_sys(err, fd, "open /dev/pts/ptmx");
	if (fstat(fd, &st) < 0 || !S_ISCHR(st.st_mode) || st.st_rdev != makedev(5, 2) ||
	    !path_fd_is_fs(fd, DEVPTS_SUPER_MAGIC))
		return err_set(err, -ENODEV, "/dev/pts is not a devpts");
	if (ioctl(fd, TIOCSPTLCK, &unlock) < 0 || fd_nonblock(fd, false) < 0)
		return err_sys(err, -errno, "unlock the pty");
	return fd_steal(&fd);
}

/* The place is taken by name without links: /dev/console of an image may point anywhere (CVE-2025-52565). */
static int bind_console(int root, int slave)
{
	auto_fd int clone = mnt_clone(slave, "", false), target = -1;
	int r;

	if (clone < 0)
		return fd_steal(&clone);
	r = mnt_set(clone, false, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC, MS_PRIVATE, -1);
	if (r < 0)
		return r;
	target = target_node(root, "/dev/console");
	return target < 0 ? fd_steal(&target) : mnt_attach(clone, target, "");
}

int rootfs_guest_console(const struct rootfs_config *c, int root, uint16_t rows, uint16_t cols,
			 int *ret_slave, struct error *err)
{
	struct winsize size = { .ws_row = rows, .ws_col = cols };
	auto_fd int master = open_master(root, err), slave = -1;
	int r;

	if (master < 0)
		return fd_steal(&master);
	/* By the master, not by /dev/pts/N: the name could be something else by now. */
	slave = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (slave < 0)
		return err_sys(err, -errno, "open the pty's other end");
	if (rows && ioctl(master, TIOCSWINSZ, &size) < 0)
		return err_sys(err, -errno, "set the size of the console");
	r = c->console ? bind_console(root, slave) : 0;
	if (r < 0)
		return err_sys(err, r, "bind /dev/console");
	*ret_slave = fd_steal(&slave);
	return fd_steal(&master);
}
