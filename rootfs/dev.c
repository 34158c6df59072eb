/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>
#include "lib/base/fd.h"
#include "lib/base/path.h"
#include "lib/base/str.h"
#include "rootfs/internal.h"

static mode_t node_type(const struct dev_item *d)
{
	switch (d->type) {
	case 'b':
		return S_IFBLK;
	case 'p':
		return S_IFIFO;
	default:
		return S_IFCHR;
	}
}

/* By descriptor, because chmod(2) by name would follow what took the name meanwhile. */
static int own_device(int parent, const char *name, const struct dev_item *d)
{
	auto_fd int fd = openat(parent, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;
	char path[32];

	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if ((st.st_mode & S_IFMT) != node_type(d) ||
	    (d->type != 'p' && st.st_rdev != makedev(d->major, d->minor)))
		return -EEXIST;
	/* Owner first: a change of it takes away the set-id bits. */
	if (fchownat(fd, "", d->uid, d->gid, AT_EMPTY_PATH) < 0 ||
	    chmod(path_proc_fd(fd, path), d->mode & 07777) < 0)
		return -errno;
	return 0;
}

/* What the image has in its place stays, as with runc. */
static int make_device(const struct guest *g, const struct dev_item *d, const char *path)
{
	const char *name;
	auto_fd int parent = target_parent(g->root, path, &name);

	if (parent < 0)
		return fd_steal(&parent);
	if (mknodat(parent, name, node_type(d) | (d->mode & 07777), makedev(d->major, d->minor)) < 0)
		return errno == EEXIST ? 0 : -errno;
	return own_device(parent, name, d);
}

/* From the stage; without one, or for what cannot be made in a user namespace, as this mount namespace has it from the host. */
static int clone_node(const struct guest *g, const struct dev_item *d, size_t source, struct error *err)
{
	int standard = stage_standard_device(d), fd = -ENOENT;
	char name[STAGE_NAME_SIZE];

	if (g->stage >= 0 && standard >= 0)
		fd = mnt_clone(g->stage, stage_device_name(standard, name), false);
	if (fd == -ENOENT && g->stage >= 0 && !d->make)
		fd = guest_source(g, source, 0);
	if (fd < 0 && (g->stage < 0 || d->make))
		return stage_clone_device(d, err);
	return fd < 0 ? err_sys(err, fd, "device %s", d->target) : fd;
}

static int bind_device(const struct guest *g, const char *path, int node, struct error *err)
{
	auto_fd int target = target_node(g->root, path);
	int r;

	if (target < 0)
		return err_sys(err, target, "place for device %s", path);
	r = mnt_attach(node, target, "");
	return r < 0 ? err_sys(err, r, "bind device %s", path) : 0;
}

static int place_device(const struct guest *g, const struct dev_item *d, size_t source, struct error *err)
{
	auto_fd int node = -1;
	char path[4096];
	int r = path_normalize(d->target, path);

	if (r < 0)
		return err_sys(err, r, "device %s", d->target);
	r = d->make ? make_device(g, d, path) : -EPERM;
	if (r != -EPERM || d->type == 'p')
		return r < 0 ? err_sys(err, r, "make device %s", path) : 0;
	node = clone_node(g, d, source, err);
	if (node < 0)
		return fd_steal(&node);
	return bind_device(g, path, node, err);
}

int guest_devices(const struct guest *g, struct error *err)
{
	for (size_t i = 0; i < g->c->devices.n; i++) {
		int r = place_device(g, &g->c->devices.v[i], g->n_binds + i, err);

		if (r < 0)
			return r;
	}
	return 0;
}

static bool is_link_to(int parent, const char *name, const char *target)
{
	char text[4096];
	ssize_t n = readlinkat(parent, name, text, sizeof(text) - 1);

	if (n < 0)
		return false;
	text[n] = '\0';
	return str_eq(text, target);
}

static int place_link(const struct guest *g, const struct link_item *l)
{
	auto_fd int parent = -1;
	const char *name;
	char path[4096];
	int r = path_normalize(l->path, path);

	if (r < 0)
		return r;
	parent = target_parent(g->root, path, &name);
	if (parent < 0)
		return fd_steal(&parent);
	if (symlinkat(l->target, parent, name) == 0)
		return 0;
	if (errno != EEXIST)
		return -errno;
	if (is_link_to(parent, name, l->target))
		return 0;
	if (unlinkat(parent, name, 0) < 0 || symlinkat(l->target, parent, name) < 0)
		return -errno;
	return 0;
}

int guest_links(const struct guest *g, struct error *err)
{
	for (size_t i = 0; i < g->c->links.n; i++) {
		const struct link_item *l = &g->c->links.v[i];
		int r = place_link(g, l);

		if (r < 0)
			return err_sys(err, r, "link %s", l->path);
	}
	return 0;
}
