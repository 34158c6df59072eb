/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The root where it is no layer of ours: a clone of the folder as it is, at a stage or, in a mount namespace that others are in,
 * over itself. */
#include <errno.h>
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>
#include "lib/base/fd.h"
#include "lib/base/str.h"
#include "rootfs/internal.h"
#include "rootfs/rootfs.h"

int plain_root(const char *path, struct error *err)
{
	auto_fd int fd = mnt_clone(AT_FDCWD, path, true);
	struct stat st;
	int r;

	if (fd < 0)
		return err_sys(err, fd, "root %s", path);
	if (fstat(fd, &st) < 0)
		return err_sys(err, -errno, "root %s", path);
	if (!S_ISDIR(st.st_mode))
		return err_sys(err, -ENOTDIR, "root %s", path);
	r = mnt_set(fd, true, 0, MS_PRIVATE, -1);
	return r < 0 ? err_sys(err, r, "make root %s private", path) : fd_steal(&fd);
}

static int mount_id(int dirfd, const char *path, uint64_t *ret)
{
	struct statx sx;

	if (statx(dirfd, path, AT_EMPTY_PATH | AT_NO_AUTOMOUNT | AT_SYMLINK_NOFOLLOW, STATX_MNT_ID, &sx) < 0)
		return -errno;
	*ret = sx.stx_mnt_id;
	return sx.stx_mask & STATX_MNT_ID ? 0 : -EOPNOTSUPP;
}

int rootfs_clone_root(const char *path, uint64_t *ret_id, struct error *err)
{
	auto_fd int fd = plain_root(path, err);
	int r = fd < 0 ? fd : mount_id(fd, "", ret_id);

	if (fd >= 0 && r < 0)
		err_sys(err, r, "mount id of root %s", path);
	return r < 0 ? r : fd_steal(&fd);
}

int rootfs_attach_root(int root, const char *path, struct error *err)
{
	int r = mnt_attach(root, AT_FDCWD, path);

	return r < 0 ? err_sys(err, r, "attach root %s", path) : 0;
}

int rootfs_detach_root(const char *path, uint64_t id, struct error *err)
{
	uint64_t now;
	int r = mount_id(AT_FDCWD, path, &now);

	if (r < 0 || now != id)
		return 0;
	return umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW) < 0 ? err_sys(err, -errno, "detach root %s", path) : 0;
}

int rootfs_guest_show(const struct rootfs_config *c, int root, struct error *err)
{
	const char *path = c->lower.v[0];
	auto_fd int at = -1;
	int r;

	if (c->place != ROOTFS_NEW || str_eq(path, "/"))
		return 0;
	at = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	/* The root of a user namespace need not get there. */
	if (at < 0 && errno == EACCES)
		return 0;
	r = at < 0 ? -errno : mnt_attach(root, at, "");
	return r < 0 ? err_sys(err, r, "move the root to %s", path) : 0;
}

int place_root(const struct rootfs_config *c, volatile uint64_t *ret_id, struct error *err)
{
	const char *path = c->lower.v[0];
	auto_fd int root = -1;
	uint64_t id = 0;
	int r;

	if (c->place == ROOTFS_HERE) {
		root = open(path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		r = root < 0 ? -errno : mount_id(root, "", &id);
		if (r < 0)
			return err_sys(err, r, "root %s", path);
		return id == c->root_id ? fd_steal(&root) : err_set(err, -ESTALE, "root %s: something else was mounted there", path);
	}
	root = rootfs_clone_root(path, &id, err);
	if (root < 0)
		return root;
	if (ret_id)
		*ret_id = id;
	r = rootfs_attach_root(root, path, err);
	return r < 0 ? r : fd_steal(&root);
}
