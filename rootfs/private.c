/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>
#include "lib/base/fd.h"
#include "rootfs/internal.h"
#include "rootfs/rootfs.h"

/* A descriptor that came from the worker leads into the worker's namespace, the working directory does not
 * (clone(2) moves it). */
int guest_open_stage(int hint)
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

struct kept {
	int *fds; /* of each source of mounts[]; -1: not kept */
	size_t n;
};

static void kept_done(struct kept *k)
{
	for (size_t i = 0; i < k->n; i++)
		fd_close(&k->fds[i]);
	free(k->fds);
}

static bool has_kept(const struct rootfs_config *c)
{
	for (size_t i = 0; i < c->mounts.n; i++)
		if (mnt_is_source(&c->mounts.v[i]) && c->mounts.v[i].flags & (MS_SHARED | MS_SLAVE))
			return true;
	return false;
}

static int keep(const struct rootfs_config *c, int stage, struct kept *k)
{
	char name[STAGE_NAME_SIZE];

	for (size_t i = 0; i < c->mounts.n; i++) {
		const struct mount_item *m = &c->mounts.v[i];
		int fd;

		if (!mnt_is_source(m))
			continue;
		k->fds[k->n++] = -1;
		if (!(m->flags & (MS_SHARED | MS_SLAVE)) || !stage_has_source(c, m))
			continue;
		fd = mnt_clone(stage, stage_source_name(k->n - 1, name), true);
		/* Optional, and missing. */
		if (fd < 0 && fd != -ENOENT)
			return fd;
		k->fds[k->n - 1] = MAX(fd, -1);
	}
	return 0;
}

/* Over what they are clones of: there the mounts of the container look for them. */
static int give_back(int stage, const struct kept *k)
{
	char name[STAGE_NAME_SIZE];
	int r = 0;

	for (size_t i = 0; r == 0 && i < k->n; i++)
		if (k->fds[i] >= 0)
			r = mnt_attach(k->fds[i], stage, stage_source_name(i, name));
	return r;
}

static int all_private(struct error *err)
{
	return mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0
		       ? err_sys(err, -errno, "make the mounts private")
		       : 0;
}

int rootfs_guest_private(const struct rootfs_config *c, struct error *err)
{
	cleanup(kept_done) struct kept k = { 0 };
	auto_fd int stage = -1;
	int r;

	if (c->place == ROOTFS_HERE)
		return 0;
	if (c->place == ROOTFS_JOINED || !has_kept(c))
		return all_private(err);
	stage = guest_open_stage(-1);
	if (stage < 0)
		return err_sys(err, stage, "open the stage");
	k.fds = mem_alloc_n(c->mounts.n, sizeof(*k.fds));
	r = keep(c, stage, &k);
	if (r < 0)
		return err_sys(err, r, "keep the sources that are shared");
	r = all_private(err);
	if (r < 0)
		return r;
	r = give_back(stage, &k);
	return r < 0 ? err_sys(err, r, "give back the sources that are shared") : 0;
}

int guest_part(const struct guest *g, struct error *err)
{
	struct mount_attr alone = { .propagation = MS_PRIVATE };
	char name[STAGE_NAME_SIZE];
	size_t source = 0;

	for (size_t i = 0; g->stage >= 0 && i < g->c->mounts.n; i++) {
		const struct mount_item *m = &g->c->mounts.v[i];
		int r = 0;

		if (!mnt_is_source(m))
			continue;
		if (m->flags & (MS_SHARED | MS_SLAVE))
			r = mount_setattr(g->stage, stage_source_name(source, name), AT_RECURSIVE, &alone, sizeof(alone));
		source++;
		if (r < 0 && errno != ENOENT)
			return err_sys(err, -errno, "part from the source of %s", m->target);
	}
	return 0;
}
