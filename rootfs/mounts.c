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

#define PROPAGATION (MS_SHARED | MS_SLAVE | MS_PRIVATE | MS_UNBINDABLE)

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

/* Options of mount(2)'s data as a list for fsconfig(2). */
static int mount_copied(const struct mount_item *m, int target)
{
	auto_free char *data = str_dup(m->data ? m->data : "");
	auto_fd int from = openat(target, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), fs = -1;
	const char *options[17] = { 0 };
	char *save = NULL;
	size_t n = 0;
	int r;

	if (from < 0)
		return -errno;
	for (char *o = strtok_r(data, ",", &save); o; o = strtok_r(NULL, ",", &save)) {
		if (n + 1 == ARRAY_SIZE(options))
			return -E2BIG;
		options[n++] = o;
	}
	/* Filled before it is attached, and made read-only only then. */
	fs = mnt_tmpfs(options, mnt_attrs(m->flags & ~(uint64_t)MS_RDONLY));
	if (fs < 0)
		return fd_steal(&fs);
	r = copyup_tree(from, fs);
	if (r == 0 && m->flags & MS_RDONLY)
		r = mnt_set(fs, false, MOUNT_ATTR_RDONLY, 0, -1);
	return r < 0 ? r : mnt_attach(fs, target, "");
}

static int mount_fs(const struct mount_item *m, int target)
{
	unsigned long flags =
		m->flags & ~(unsigned long)(PROPAGATION | MS_REC | MS_BIND | MS_REMOUNT | MS_MOVE);

	if (m->copy_up && str_eq(m->fstype, "tmpfs"))
		return mount_copied(m, target);
	return mnt_make(m->source ? m->source : m->fstype, target, m->fstype, flags, m->data);
}

static int is_dir(int fd, bool *ret)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	*ret = S_ISDIR(st.st_mode);
	return 0;
}

/* `source` is the staged clone of a bind, else -1. */
static int mount_on(const struct guest *g, const struct mount_item *m, int source, struct error *err)
{
	auto_fd int fd = -1;
	char path[4096];
	struct target_want w = { .path = path, .dir = true, .create = m->create };
	int r = path_normalize(m->target, path);

	if (r < 0 || str_eq(path, "/"))
		return err_set(err, -EINVAL, "the target must be a path below /");
	w.nolink = refuses_links(m, path);
	r = source >= 0 ? is_dir(source, &w.dir) : 0;
	if (r < 0)
		return err_sys(err, r, "source");
	fd = target_open(g->root, &w);
	if (fd == -ELOOP && w.nolink)
		return err_set(err, -ELOOP, "a part of this path is a symbolic link in the image");
	if (fd < 0)
		return err_sys(err, fd, "target");
	r = target_check_proc(m, path, fd, err);
	if (r < 0)
		return r;
	r = source >= 0 ? mnt_attach(source, fd, "") : mount_fs(m, fd);
	return r < 0 ? err_sys(err, r, "%s", m->kind == MOUNT_FS ? m->fstype : "bind") : 0;
}

static int mount_item(const struct guest *g, const struct mount_item *m, size_t bind, struct error *err)
{
	auto_fd int source = -1;
	int r;

	if (m->kind == MOUNT_BIND) {
		/* "Shared" is what attaching below the shared stage made of it already. */
		source = guest_source(g, bind,
				      m->flags & MS_SHARED  ? 0
				      : m->flags & MS_SLAVE ? MS_SLAVE
							    : MS_PRIVATE);
		if (source < 0)
			return err_sys(err, source, "mount %s: source", m->target);
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

		if (m->kind == MOUNT_BIND)
			bind++;
		if (r < 0 && !m->optional)
			return r;
		if (r < 0)
			err_clear(err);
	}
	return 0;
}

/* The stage as this namespace has it. A descriptor that came from the worker leads into the worker's
 * namespace, the working directory does not (clone(2) moves it). */
static int open_stage(int hint)
{
	auto_fd int here = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct stat a, b;

	if (here < 0)
		return -errno;
	if (hint < 0 ||
	    (fstat(here, &a) == 0 && fstat(hint, &b) == 0 && a.st_dev == b.st_dev && a.st_ino == b.st_ino))
		return fd_steal(&here);
	return fd_dup(hint);
}

static int attach_root(int stage, struct error *err)
{
	auto_fd int root = -1;
	int r = mnt_set(stage, false, 0, MS_PRIVATE, -1);

	if (r < 0)
		return err_sys(err, r, "the working directory is not the stage");
	root = mnt_clone(stage, STAGE_ROOT, false);
	if (root < 0)
		return err_sys(err, root, "the root has not arrived at the stage");
	r = mnt_set(root, false, 0, MS_PRIVATE, -1);
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
	};
	auto_fd int stage = open_stage(g->stage), root = -1;
	struct guest guest = { .c = c, .stage = stage };

	if (stage < 0)
		return err_sys(err, stage, "open the stage");
	root = attach_root(stage, err);
	if (root < 0)
		return root;
	guest.root = root;
	for (size_t i = 0; i < c->mounts.n; i++)
		guest.n_binds += c->mounts.v[i].kind == MOUNT_BIND;
	for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
		int r = steps[i](&guest, err);

		if (r < 0)
			return r;
	}
	g->root_mount = fd_steal(&root);
	return 0;
}
