/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Small files of ours (hosts, resolv.conf, hostname) over the image's: each a bind of a file in a tmpfs that has no
 * other place in the container. They may be written, as with other runtimes; every start makes them anew. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>
#include "lib/base/fd.h"
#include "lib/base/path.h"
#include "lib/base/str.h"
#include "rootfs/internal.h"

#define FILE_ATTRS (MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC)
#define ROOM_PAGES 16 /* for each file to grow */

/* It is attached at the stage, which goes with the old root: open_tree(2) clones only what is attached
 * (before 6.15). */
static int make_store(const struct guest *g)
{
	auto_fd int place = openat(g->stage, STAGE_FILES, O_PATH | O_DIRECTORY | O_CLOEXEC);
	char data[64];
	size_t pages = 4;
	int r;

	if (place < 0)
		return -errno;
	for (size_t i = 0; i < g->c->files.n; i++)
		pages += g->c->files.v[i].size / 4096 + ROOM_PAGES;
	snprintf(data, sizeof(data), "mode=755,size=%zuk,nr_inodes=%zu", pages * 4, g->c->files.n + 8);
	r = mnt_make("tmpfs", place, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, data);
	if (r < 0)
		return r;
	r = openat(g->stage, STAGE_FILES, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return r < 0 ? -errno : r;
}

static int store_file(int store, const char *name, const struct file_item *f)
{
	auto_fd int fd = openat(store, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	int r;

	if (fd < 0)
		return -errno;
	r = fd_write_all(fd, f->data, f->size);
	if (r == 0 && fchmod(fd, f->mode & 07777) < 0)
		r = -errno;
	return r;
}

/* The mount that a file will lie in, or NULL for the root. */
static const struct mount_item *mount_above(const struct guest *g, const char *path)
{
	const struct mount_item *found = NULL;
	size_t longest = 0;

	for (size_t i = 0; i < g->c->mounts.n; i++) {
		const struct mount_item *m = &g->c->mounts.v[i];
		const char *rest = str_after(path, m->target);

		if (rest && *rest == '/' && strlen(m->target) >= longest) {
			longest = strlen(m->target);
			found = m;
		}
	}
	return found;
}

/* Follows links inside the root (/etc/resolv.conf is often one). A link that leads to something else than a
 * file, or nowhere, gives way to a file, but not in a volume, which is the host's. */
static int open_target(const struct guest *g, const char *path, const struct mount_item *above)
{
	auto_fd int fd = path_make_target_in(g->root, path, false);
	struct stat st;

	if (fd == -EISDIR)
		return -EISDIR;
	if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
		return fd_steal(&fd);
	if (above && above->kind == MOUNT_BIND)
		return fd < 0 ? fd_steal(&fd) : -EINVAL;
	fd_close(&fd);
	return target_node(g->root, path);
}

static int store_all(const struct guest *g, int store, struct error *err)
{
	char name[24];
	int r;

	for (size_t i = 0; i < g->c->files.n; i++) {
		snprintf(name, sizeof(name), "%zu", i);
		r = store_file(store, name, &g->c->files.v[i]);
		if (r < 0)
			return err_sys(err, r, "write %s", g->c->files.v[i].path);
	}
	/* Once for all: clones take over the attributes of their mount. */
	r = mnt_set(store, false, FILE_ATTRS | (g->c->readonly ? MOUNT_ATTR_RDONLY : 0), MS_PRIVATE, -1);
	return r < 0 ? err_sys(err, r, "set the options of the files") : 0;
}

static int place_file(const struct guest *g, int store, size_t i, struct error *err)
{
	const struct mount_item as_mount = { .kind = MOUNT_BIND };
	const char *path_given = g->c->files.v[i].path;
	const struct mount_item *above;
	auto_fd int clone = -1, target = -1;
	char path[4096], name[24];
	int r = path_normalize(path_given, path);

	if (r < 0)
		return err_sys(err, r, "bind %s", path_given);
	snprintf(name, sizeof(name), "%zu", i);
	clone = mnt_clone(store, name, false);
	if (clone < 0)
		return err_sys(err, clone, "bind %s", path);
	above = mount_above(g, path);
	target = open_target(g, path, above);
	/* A mount of the user's that has no place for it, and cannot get one, goes without. */
	if (target < 0 && above)
		return 0;
	if (target < 0)
		return err_sys(err, target, "place for %s", path);
	r = target_check_proc(&as_mount, path, target, -1, err);
	if (r < 0)
		return err_prefix(err, "bind %s", path);
	r = mnt_attach(clone, target, "");
	return r < 0 ? err_sys(err, r, "bind %s", path) : 0;
}

int guest_files(const struct guest *g, struct error *err)
{
	auto_fd int store = -1;
	int r;

	if (g->c->files.n == 0)
		return 0;
	store = make_store(g);
	if (store < 0)
		return err_sys(err, store, "tmpfs for files");
	r = store_all(g, store, err);
	for (size_t i = 0; r == 0 && i < g->c->files.n; i++)
		r = place_file(g, store, i, err);
	return r;
}
