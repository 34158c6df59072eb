/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>
#include "lib/base/fd.h"
#include "lib/base/path.h"
#include "rootfs/internal.h"
#include "rootfs/rootfs.h"

#define MASK_ATTRS (MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC)

struct masks {
	const char *label; /* SELinux, or NULL */
	int root;
	int null; /* O_PATH of the checked /dev/null, or the reason why there is none */
	/* The first mask of each kind, once it is attached: the others are clones of it, which open_tree(2)
	 * makes of attached mounts only (before 6.15). -1 before. */
	int file;  /* null */
	int empty; /* an empty read-only tmpfs */
};

static void masks_done(struct masks *m)
{
	fd_close(&m->root);
	fd_close(&m->null);
	fd_close(&m->file);
	fd_close(&m->empty);
}

/* /dev/null of an image may be a link or any other file: what it is, is asked of the descriptor that is bound
 * later (CVE-2025-31133). */
static int open_null(int root)
{
	auto_fd int fd = path_open_in_nolink(root, "/dev/null", O_PATH, 0);
	struct stat st;

	if (fd < 0)
		return fd_steal(&fd);
	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISCHR(st.st_mode) || st.st_rdev != makedev(1, 3))
		return -ENODEV;
	return fd_steal(&fd);
}

static int make_empty(const char *label)
{
	char context[4096];
	const char *options[] = { "mode=555", "size=4k", "nr_inodes=2", label && *label ? context : NULL, NULL };

	if (label && *label && snprintf(context, sizeof(context), "context=%s", label) >= (int)sizeof(context))
		return -ENAMETOOLONG;
	return mnt_tmpfs(options, MASK_ATTRS);
}

static int mask_dir(struct masks *m, int target)
{
	auto_fd int mount = m->empty >= 0 ? mnt_clone(m->empty, "", false) : make_empty(m->label);
	int r;

	if (mount < 0)
		return fd_steal(&mount);
	r = mnt_attach(mount, target, "");
	if (r == 0 && m->empty < 0)
		m->empty = fd_steal(&mount);
	return r;
}

static int mask_file(struct masks *m, int target)
{
	bool first = m->file < 0;
	auto_fd int clone = -1;
	int r;

	if (m->null < 0)
		return m->null;
	clone = mnt_clone(first ? m->null : m->file, "", false);
	if (clone < 0)
		return fd_steal(&clone);
	/* Not NODEV: the node shall work. */
	r = first ? mnt_set(clone, false, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC, MS_PRIVATE, -1) : 0;
	if (r == 0)
		r = mnt_attach(clone, target, "");
	if (r == 0 && first)
		m->file = fd_steal(&clone);
	return r;
}

/* The descriptor of what shall be covered: -ENOENT when there is nothing. */
static int open_path(int root, const char *path, bool *ret_dir)
{
	auto_fd int fd = path_open_in(root, path, O_PATH, 0);
	struct stat st;

	if (fd == -ENOTDIR || fd == -ELOOP)
		return -ENOENT;
	if (fd < 0)
		return fd_steal(&fd);
	if (fstat(fd, &st) < 0)
		return -errno;
	*ret_dir = S_ISDIR(st.st_mode);
	return fd_steal(&fd);
}

static int mask_path(struct masks *m, const char *path)
{
	bool dir;
	auto_fd int fd = open_path(m->root, path, &dir);

	if (fd < 0)
		return fd == -ENOENT ? 0 : fd;
	return dir ? mask_dir(m, fd) : mask_file(m, fd);
}

static int make_readonly(int root, const char *path)
{
	bool dir;
	auto_fd int fd = open_path(root, path, &dir), clone = -1;
	int r;

	if (fd < 0)
		return fd == -ENOENT ? 0 : fd;
	clone = mnt_clone(fd, "", true);
	if (clone < 0)
		return fd_steal(&clone);
	r = mnt_set(clone, true, MOUNT_ATTR_RDONLY, MS_PRIVATE, -1);
	return r < 0 ? r : mnt_attach(clone, fd, "");
}

/* Filesystems that had to be written to until now. */
static int seal_mounts(const struct rootfs_config *c, int root, struct error *err)
{
	for (size_t i = 0; i < c->mounts.n; i++) {
		const struct mount_item *m = &c->mounts.v[i];
		auto_fd int fd = -1;
		int r;

		if (!guest_readonly_late(c, m))
			continue;
		fd = path_open_in(root, m->target, O_PATH, 0);
		r = fd < 0 ? fd : mnt_set(fd, false, MOUNT_ATTR_RDONLY, 0, -1);
		/* Not there when it is optional; EINVAL: the folder below it. */
		if (r < 0 && !m->optional)
			return err_sys(err, r, "make %s read-only", m->target);
	}
	return 0;
}

static int seal_paths(const struct rootfs_config *c, struct masks *m, struct error *err)
{
	for (size_t i = 0; i < c->masked.n; i++) {
		int r = mask_path(m, c->masked.v[i]);

		if (r < 0)
			return err_sys(err, r, "mask %s", c->masked.v[i]);
	}
	for (size_t i = 0; i < c->readonly_paths.n; i++) {
		int r = make_readonly(m->root, c->readonly_paths.v[i]);

		if (r < 0)
			return err_sys(err, r, "make %s read-only", c->readonly_paths.v[i]);
	}
	return 0;
}

int rootfs_guest_seal(const struct rootfs_config *c, struct error *err)
{
	cleanup(masks_done) struct masks m = { .label = c->mount_label, .null = -1, .file = -1, .empty = -1 };
	int r;

	m.root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (m.root < 0)
		return err_sys(err, -errno, "open /");
	r = seal_mounts(c, m.root, err);
	if (r < 0)
		return r;
	m.null = open_null(m.root);
	r = seal_paths(c, &m, err);
	if (r < 0)
		return r;
	if (c->readonly)
		r = mnt_set(m.root, false, MOUNT_ATTR_RDONLY, 0, -1);
	if (r < 0)
		return err_sys(err, r, "make the root read-only");
	/* Private it is; what was mounted as something else stays so. */
	r = c->propagation & MS_PRIVATE ? 0 : mnt_propagate(m.root, c->propagation);
	return r < 0 ? err_sys(err, r, "set the propagation of /") : 0;
}
