/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Guest half: attach the root, then everything below it. A target is looked up once, in the root, and mounted
 * on by descriptor: links that flip meanwhile change nothing. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>
#include "lib/base/fd.h"
#include "lib/base/path.h"
#include "lib/base/str.h"
#include "rootfs/internal.h"
#include "rootfs/rootfs.h"

int guest_source(const struct guest *g, size_t i, uint64_t propagation)
{
	char name[STAGE_NAME_SIZE];
	auto_fd int fd = -1;
	int r;

	/* What was there before the clone(2) is locked in its place (mount_namespaces(7)); a clone of it is
	 * not, and keeps the locked flags. */
	fd = mnt_clone(g->stage, stage_source_name(i, name), true);
	if (fd < 0 || !propagation)
		return fd_steal(&fd);
	r = mnt_set(fd, true, 0, propagation, -1);
	return r < 0 ? r : fd_steal(&fd);
}

static bool refuses_links(const struct mount_item *m, const char *path)
{
	static const char *const types[] = { "proc", "sysfs", "cgroup2" };

	if (str_eq(path, "/dev"))
		return true;
	for (size_t i = 0; m->kind == MOUNT_FS && i < ARRAY_SIZE(types); i++)
		if (str_eq(m->fstype, types[i]))
			return true;
	return false;
}

static int is_dir(int fd, bool *ret)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	*ret = S_ISDIR(st.st_mode);
	return 0;
}

/* Where m goes: looked up once, made when missing. at->path is set. */
static int find_place(const struct guest *g, const struct mount_item *m, int source, struct guest_place *at)
{
	struct target_want w = { .path = at->path, .dir = true, .nolink = refuses_links(m, at->path) };
	struct stat st;
	int r;

	if (m->flags & MS_REMOUNT)
		return path_open_in(g->root, at->path, O_PATH, 0);
	r = source >= 0 ? is_dir(source, &w.dir) : 0;
	if (r < 0)
		return r;
	r = target_open(g->root, &w);
	if (r >= 0)
		at->mode = fstat(r, &st) == 0 ? st.st_mode : 0;
	if (r != -ENOENT || !m->create)
		return r;
	w.create = true;
	return target_open(g->root, &w);
}

/* `source` is the staged clone of a bind, else -1. */
static int mount_on(const struct guest *g, const struct mount_item *m, int source, struct error *err)
{
	char path[4096];
	struct guest_place at = { .path = path };
	auto_fd int fd = -1;
	int r = path_normalize(m->target, path);

	if (r < 0 || str_eq(path, "/"))
		return err_set(err, -EINVAL, "the target must be a path below /");
	fd = at.fd = find_place(g, m, source, &at);
	if (fd == -ELOOP && refuses_links(m, path))
		return err_set(err, -ELOOP, "a part of this path is a symbolic link in the image");
	if (fd < 0)
		return err_sys(err, fd, "target");
	/* Remounted, nothing is hidden that was not before. */
	r = m->flags & MS_REMOUNT ? 0 : target_check_proc(m, path, fd, source, err);
	if (r < 0)
		return r;
	r = source >= 0 ? mnt_attach(source, fd, "") : guest_mount_fs(g, m, &at);
	if (r < 0 && m->flags & MS_REMOUNT)
		return err_sys(err, r, "remount");
	return r < 0 ? err_sys(err, r, "%s", m->kind == MOUNT_FS ? m->fstype : "bind") : 0;
}

static uint64_t bind_propagation(const struct mount_item *m)
{
	static const uint64_t kinds[] = { MS_UNBINDABLE, MS_SHARED, MS_SLAVE };

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (m->flags & kinds[i])
			return kinds[i];
	return MS_PRIVATE;
}

static int mount_item(const struct guest *g, const struct mount_item *m, size_t bind, struct error *err)
{
	auto_fd int source = -1;
	int r;

	if (m->kind == MOUNT_FS && !m->fstype && !(m->flags & MS_REMOUNT))
		return err_set(err, -EINVAL, "mount %s: no filesystem type", m->target);
	if (mnt_is_source(m)) {
		bool staged = stage_has_source(g->c, m);

		source = staged ? guest_source(g, bind, bind_propagation(m)) : guest_clone_bind(g->c, m, err);
		if (source < 0 && staged)
			return err_sys(err, source, "mount %s: source", m->target);
		if (source < 0)
			return source;
	}
	r = mount_on(g, m, source, err);
	return r < 0 ? err_prefix(err, "mount %s", m->target) : 0;
}

int guest_mounts(const struct guest *g, struct error *err)
{
	size_t bind = 0;

	for (size_t i = 0; i < g->c->mounts.n; i++) {
		const struct mount_item *m = &g->c->mounts.v[i];
		int r = mount_item(g, m, bind, err);

		if (mnt_is_source(m))
			bind++;
		if (r < 0 && !m->optional)
			return r;
		if (r < 0)
			err_clear(err);
	}
	return 0;
}

/* What came with the root and was there before the clone(2) is locked to it (mount_namespaces(7)), so that
 * all is cloned or nothing. */
static int staged_root(const struct rootfs_config *c, int stage, struct error *err)
{
	auto_fd int root = -1;
	int r = mnt_set(stage, false, 0, MS_PRIVATE, -1);

	if (r < 0)
		return err_sys(err, r, "the working directory is not the stage");
	root = mnt_clone(stage, STAGE_ROOT, c->plain);
	if (root < 0)
		return err_sys(err, root, "the root has not arrived at the stage");
	r = mnt_set(root, c->plain, 0, MS_PRIVATE, -1);
	if (r == 0)
		r = mnt_attach(root, stage, STAGE_ROOT);
	return r < 0 ? err_sys(err, r, "attach the root") : fd_steal(&root);
}

int rootfs_guest_mount(const struct rootfs_config *c, struct rootfs_guest *g, struct error *err)
{
	static int (*const steps[])(const struct guest *, struct error *) = {
		guest_mounts,
		guest_devices,
		guest_links,
		guest_files,
		guest_part,
	};
	auto_fd int stage = c->place == ROOTFS_NEW ? guest_open_stage(g->stage) : -1, root = -1;
	struct guest guest = { .c = c, .stage = stage };

	if (c->place == ROOTFS_NEW && stage < 0)
		return err_sys(err, stage, "open the stage");
	root = stage >= 0 ? staged_root(c, stage, err) : place_root(c, g->attached, err);
	if (root < 0)
		return root;
	guest.root = root;
	for (size_t i = 0; i < c->mounts.n; i++)
		guest.n_binds += mnt_is_source(&c->mounts.v[i]);
	for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
		int r = steps[i](&guest, err);

		if (r < 0)
			return r;
	}
	g->root_mount = fd_steal(&root);
	return 0;
}
