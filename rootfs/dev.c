/* SPDX-License-Identifier: GPL-2.0-or-later */
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

static int clone_node(const struct guest *g, const struct dev_item *d, size_t source)
{
	int standard = stage_standard_device(d), fd = -ENOENT;
	char name[STAGE_NAME_SIZE];

	if (standard >= 0)
		fd = mnt_clone(g->stage, stage_device_name(standard, name), false);
	return fd == -ENOENT ? guest_source(g, source, 0) : fd;
}

static int place_device(const struct guest *g, const struct dev_item *d, size_t source, struct error *err)
{
	auto_fd int node = clone_node(g, d, source), target = -1;
	char path[4096];
	int r = path_normalize(d->target, path);

	if (r < 0 || node < 0)
		return err_sys(err, r < 0 ? r : node, "device %s", d->target);
	target = target_node(g->root, path);
	if (target < 0)
		return err_sys(err, target, "place for device %s", path);
	r = mnt_attach(node, target, "");
	return r < 0 ? err_sys(err, r, "bind device %s", path) : 0;
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
