/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The root where it is no layer of ours: a clone of the folder as it is, at a stage or, in a mount namespace that others are in,
 * over itself. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>
#include "lib/base/fd.h"
#include "lib/base/file.h"
#include "lib/base/mountinfo.h"
#include "lib/base/str.h"
#include "rootfs/internal.h"
#include "rootfs/rootfs.h"

/* Of `path` below `at`, which is empty for `at` itself; `name` is for the error. */
static int clone_folder(int at, const char *path, const char *name, struct error *err)
{
	auto_fd int fd = mnt_clone(at, path, true);
	struct stat st;
	int r;

	if (fd < 0)
		return err_sys(err, fd, "root %s", name);
	if (fstat(fd, &st) < 0)
		return err_sys(err, -errno, "root %s", name);
	if (!S_ISDIR(st.st_mode))
		return err_sys(err, -ENOTDIR, "root %s", name);
	r = mnt_set(fd, true, 0, MS_PRIVATE, -1);
	return r < 0 ? err_sys(err, r, "make root %s private", name) : fd_steal(&fd);
}

int plain_root(const char *path, struct error *err)
{
	return clone_folder(AT_FDCWD, path, path, err);
}

static int mount_id(int dirfd, const char *path, uint64_t *ret)
{
	struct statx sx;

	if (statx(dirfd, path, AT_EMPTY_PATH | AT_NO_AUTOMOUNT | AT_SYMLINK_NOFOLLOW, STATX_MNT_ID, &sx) < 0)
		return -errno;
	*ret = sx.stx_mnt_id;
	return sx.stx_mask & STATX_MNT_ID ? 0 : -EOPNOTSUPP;
}

int rootfs_clone_root(const char *path, int *ret_under, uint64_t *ret_id, struct error *err)
{
	/* A link at its end would lead past the mount afterwards, or elsewhere. */
	auto_fd int under = open(path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC), fd = -1;
	int r;

	if (under < 0)
		return err_sys(err, -errno, "root %s", path);
	fd = clone_folder(under, "", path, err);
	if (fd < 0)
		return fd_steal(&fd);
	r = mount_id(fd, "", ret_id);
	if (r < 0)
		return err_sys(err, r, "mount id of root %s", path);
	*ret_under = fd_steal(&under);
	return fd_steal(&fd);
}

int rootfs_attach_root(int root, int under, const char *path, struct error *err)
{
	int r = mnt_attach(root, under, "");

	return r < 0 ? err_sys(err, r, "attach root %s", path) : 0;
}

/* Something else lies over it. Ids are given again: of a record from another mount namespace that is gone, one may be any mount's. */
static bool is_covered(const char *path, uint64_t id)
{
	auto_free char *text = NULL, *real = realpath(path, NULL);
	char *at, *line;
	struct mountinfo m;

	if (!real || file_read_at(AT_FDCWD, "/proc/self/mountinfo", MOUNTINFO_MAX, &text, NULL) < 0)
		return false;
	at = text;
	while ((line = strsep(&at, "\n")))
		if (mountinfo_parse(line, &m) == 0 && m.id == id && str_eq(m.point, real))
			return true;
	return false;
}

/* By its descriptor, as the path may lead elsewhere by then. */
static int detach(int root, const char *path, struct error *err)
{
	auto_fd int before = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	int r = fchdir(root) < 0 || umount2(".", MNT_DETACH) < 0 ? -errno : 0;

	if (before >= 0 && fchdir(before) < 0 && r == 0)
		r = -errno;
	return r < 0 ? err_sys(err, r, "detach root %s", path) : 0;
}

int rootfs_detach_root(const char *path, uint64_t id, struct error *err)
{
	auto_fd int root = open(path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	uint64_t now;

	if (root >= 0 && mount_id(root, "", &now) == 0 && now == id)
		return detach(root, path, err);
	return is_covered(path, id) ? err_set_kind(err, -EBUSY, ERR_STATE, "detach root %s: another mount is over it", path) : 0;
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
	auto_fd int root = -1, under = -1;
	uint64_t id = 0;
	int r;

	if (c->place == ROOTFS_HERE) {
		root = open(path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		r = root < 0 ? -errno : mount_id(root, "", &id);
		if (r < 0)
			return err_sys(err, r, "root %s", path);
		return id == c->root_id ? fd_steal(&root) : err_set(err, -ESTALE, "root %s: something else was mounted there", path);
	}
	root = rootfs_clone_root(path, &under, &id, err);
	if (root < 0)
		return root;
	if (ret_id)
		*ret_id = id;
	r = rootfs_attach_root(root, under, path, err);
	return r < 0 ? r : fd_steal(&root);
}
