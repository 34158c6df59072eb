/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "rootfs/rootfs.h"

int rootfs_guest_pivot(int root, struct error *err)
{
	if (fchdir(root) < 0)
		return err_sys(err, -errno, "enter the new root");
	/* Both at one place: the old root lies over the new one and is what "." unmounts (pivot_root(2),
	 * NOTES). */
	if (syscall(SYS_pivot_root, ".", ".") < 0)
		return err_sys(err, -errno, "pivot_root");
	if (umount2(".", MNT_DETACH) < 0)
		return err_sys(err, -errno, "detach the old root");
	if (chdir("/") < 0)
		return err_sys(err, -errno, "enter /");
	return 0;
}

int rootfs_guest_chroot(int root, struct error *err)
{
	if (fchdir(root) < 0 || chroot(".") < 0 || chdir("/") < 0)
		return err_sys(err, -errno, "enter the root by chroot");
	return 0;
}
