/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where there is no pivot_root: the first root filesystem, of the initial ramdisk, cannot be left
 * (pivot_root(2) NOTES). */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>
#include "lib/base/file.h"
#include "lib/base/mountinfo.h"
#include "lib/base/str.h"
#include "rootfs/rootfs.h"

static bool is_below(const char *path, const char *folder)
{
	size_t n = strlen(folder);

	return str_starts(path, folder) && (!path[n] || path[n] == '/');
}

/* What is locked, in a user namespace, can only be covered. No path leads there then, but mounting others is
 * not prevented by it. */
static int hide(const char *point, struct error *err)
{
	if (umount2(point, MNT_DETACH | UMOUNT_NOFOLLOW) == 0 || errno == ENOENT)
		return 0;
	if (errno != EINVAL && errno != EPERM)
		return err_sys(err, -errno, "detach %s of the host", point);
	if (mount("tmpfs", point, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_RDONLY,
		  "size=0,nr_inodes=1") < 0 &&
	    errno != ENOENT)
		return err_sys(err, -errno, "cover %s of the host", point);
	return 0;
}

/* The old root stays in the mount namespace, below the new one. While a whole procfs or sysfs is in it the
 * kernel lets the container mount others without what masks the container's own. */
static int hide_host(const char *root, struct error *err)
{
	auto_free char *text = NULL;
	char *at, *line;
	int r = 0;

	if (file_read_at(AT_FDCWD, "/proc/self/mountinfo", MOUNTINFO_MAX, &text, NULL) < 0)
		return err_set(err, -EIO, "read the list of mounts");
	at = text;
	while (r == 0 && (line = strsep(&at, "\n"))) {
		bool whole = strstr(line, " - proc ") || strstr(line, " - sysfs ");
		struct mountinfo m;

		if (whole && mountinfo_parse(line, &m) == 0 && !is_below(m.point, root))
			r = hide(m.point, err);
	}
	return r;
}

int rootfs_guest_move(int root, struct error *err)
{
	char path[PATH_MAX];
	int r;

	if (fchdir(root) < 0 || !getcwd(path, sizeof(path)))
		return err_sys(err, -errno, "enter the new root");
	r = hide_host(path, err);
	if (r < 0)
		return r;
	if (mount(".", "/", NULL, MS_MOVE, NULL) < 0)
		return err_sys(err, -errno, "move the root to /");
	if (chroot(".") < 0 || chdir("/") < 0)
		return err_sys(err, -errno, "enter the root at /");
	return 0;
}
