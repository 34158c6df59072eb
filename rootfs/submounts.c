/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Binds with something mounted below them that cannot be idmapped (proc, sysfs, NFS, FUSE). The kernel takes a tree
 * as a whole, and only one that was never attached, so each mount is cloned alone, idmapped where that can be, and
 * the tree is put together anew. What cannot be idmapped keeps the host's ids, which are nobody inside.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>
#include "lib/base/fd.h"
#include "lib/base/file.h"
#include "lib/base/mountinfo.h"
#include "lib/base/path.h"
#include "lib/base/str.h"
#include "rootfs/internal.h"

/* Where a tree is put together: beside what propagates to the child. */
#define PLACE "../volume"

bool mnt_not_idmappable(int r)
{
	/* EPERM: idmapped already, or a filesystem that belongs to another user namespace. */
	return r == -EINVAL || r == -EPERM;
}

void submounts_done(struct submounts *s)
{
	for (size_t i = 0; i < s->n; i++)
		fd_close(&s->v[i].fd);
	arena_done(&s->arena);
	*s = (struct submounts){ 0 };
}

static int clone_one(int at, const struct mnt_look *look, bool idmap)
{
	auto_fd int fd = mnt_clone(at, "", false);
	int r;

	if (fd < 0)
		return fd_steal(&fd);
	r = mnt_set(fd, false, look->attrs, look->propagation, idmap ? look->userns : -1);
	return r < 0 ? r : fd_steal(&fd);
}

static bool is_mount(int fd, uint64_t id)
{
	struct statx st;

	return statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_MNT_ID, &st) == 0 && st.stx_mnt_id == id;
}

/* A mount that is hidden by another, has gone meanwhile, or is unbindable, is left out, as open_tree(2) does. */
static int clone_below(int top, const char *at, uint64_t id, const struct mnt_look *look, struct submounts *ret)
{
	auto_fd int fd = path_open_in_nolink(top, at, O_PATH | O_NOFOLLOW, 0);
	int clone;

	if (fd < 0 || !is_mount(fd, id))
		return 0;
	clone = clone_one(fd, look, true);
	if (mnt_not_idmappable(clone))
		clone = clone_one(fd, look, false);
	if (clone == -EINVAL)
		return 0;
	if (clone < 0)
		return clone;
	*arena_push(&ret->arena, ret) = (struct submount){ arena_str(&ret->arena, at), clone };
	return 0;
}

struct found {
	ARRAY_OF(struct mountinfo) mounts;
	struct arena arena;
	char *text;
};

static void found_done(struct found *f)
{
	arena_done(&f->arena);
	free(f->text);
}

static int by_length(const void *a, const void *b)
{
	size_t x = strlen(((const struct mountinfo *)a)->point), y = strlen(((const struct mountinfo *)b)->point);

	return x < y ? -1 : x > y;
}

/* All mounts below the folder `top`, what lies on another behind it; points are relative to it. */
static int find_below(int top, struct found *ret)
{
	char base[PATH_MAX], link[32], *save = NULL;
	ssize_t len = readlink(path_proc_fd(top, link), base, sizeof(base) - 1);
	long n = len < 0 ? -errno : file_read_at(AT_FDCWD, "/proc/self/mountinfo", MOUNTINFO_MAX, &ret->text, NULL);

	if (n < 0)
		return (int)n;
	/* "/" would be there twice. */
	base[len == 1 ? 0 : len] = '\0';
	for (char *l = strtok_r(ret->text, "\n", &save); l; l = strtok_r(NULL, "\n", &save)) {
		struct mountinfo m;
		const char *rest = mountinfo_parse(l, &m) == 0 ? str_after(m.point, base) : NULL;

		if (!rest || rest[0] != '/' || !rest[1])
			continue;
		m.point += strlen(base) + 1;
		*arena_push(&ret->arena, &ret->mounts) = m;
	}
	if (ret->mounts.n)
		qsort(ret->mounts.v, ret->mounts.n, sizeof(*ret->mounts.v), by_length);
	return 0;
}

int submounts_clone(const char *source, const struct mnt_look *look, struct submounts *ret, struct error *err)
{
	auto_fd int dir = open(source, O_PATH | O_CLOEXEC), top = -1;
	cleanup(found_done) struct found found = { 0 };
	int r;

	if (dir < 0)
		return err_sys(err, -errno, "mount source %s", source);
	top = clone_one(dir, look, true);
	if (mnt_not_idmappable(top)) {
		err_set_kind(err, top, ERR_UNSUPPORTED, "mount source %s: its filesystem cannot be idmapped", source);
		err_hint(err, "with -v %s:TARGET:noidmap its files keep the host's ids", source);
		return fd_steal(&top);
	}
	if (top < 0)
		return err_sys(err, top, "set the options of %s", source);
	r = ret ? find_below(dir, &found) : 0;
	for (size_t i = 0; r == 0 && i < found.mounts.n; i++)
		r = clone_below(dir, found.mounts.v[i].point, found.mounts.v[i].id, look, ret);
	return r < 0 ? err_sys(err, r, "mounts below %s", source) : fd_steal(&top);
}

/* The parent may have been moved meanwhile: then there is no place for it. */
static int attach_below(int top, const struct submount *m)
{
	auto_fd int place = path_open_in_nolink(top, m->at, O_PATH | O_NOFOLLOW, 0);

	return place < 0 ? fd_steal(&place) : mnt_attach(m->fd, place, "");
}

int submounts_join(int stage, int top, const struct submounts *s, struct error *err)
{
	auto_fd int place = -1, tree = -1;
	char path[32];
	int r = stage_attach(stage, PLACE, top);

	if (r < 0)
		return err_sys(err, r, "attach a volume");
	place = openat(stage, PLACE, O_PATH | O_DIRECTORY | O_CLOEXEC);
	r = place < 0 ? -errno : 0;
	for (size_t i = 0; r == 0 && i < s->n; i++) {
		r = attach_below(place, &s->v[i]);
		if (r < 0)
			err_sys(err, r, "attach what is mounted on %s of a volume", s->v[i].at);
	}
	if (r == 0) {
		tree = mnt_clone(stage, PLACE, true);
		r = tree < 0 ? err_sys(err, tree, "clone a volume") : 0;
	}
	/* Its clone is used. */
	if (place >= 0)
		(void)umount2(path_proc_fd(place, path), MNT_DETACH);
	return r < 0 ? r : fd_steal(&tree);
}
