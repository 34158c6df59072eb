/* SPDX-License-Identifier: GPL-2.0-or-later */
/* path_rmtree_at: remove a tree that a stranger made, of any depth and while it may still change. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "lib/base/fd.h"
#include "lib/base/path.h"
#include "lib/base/str.h"

#define DEPTH_MAX 64

struct rmtree {
	int top; /* folder being removed; trees deeper than DEPTH_MAX are moved up into it */
	uint64_t mount; /* statx mount id: a bind mount has the same st_dev, so st_dev is not enough */
	unsigned moved;
	int first; /* error */
};

static void note(struct rmtree *t, int r)
{
	if (r < 0 && t->first == 0)
		t->first = r;
}

static int mount_id(int fd, uint64_t *ret)
{
	struct statx sx;

	if (statx(fd, "", AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT, STATX_MNT_ID, &sx) < 0)
		return -errno;
	if (!(sx.stx_mask & STATX_MNT_ID))
		return -EOPNOTSUPP;
	*ret = sx.stx_mnt_id;
	return 0;
}

static int open_dir(int dirfd, const char *name)
{
	int fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

static int empty_dir(struct rmtree *t, int fd_take, int depth);

/* Too deep to go on with one descriptor per level: make it a child of the top, whose scan starts over. */
static int move_up(struct rmtree *t, int dirfd, const char *name)
{
	char temp[40];

	for (int tries = 0; tries < 16; tries++) {
		snprintf(temp, sizeof(temp), ".rmtree-%u-%u", (unsigned)getpid(), t->moved++);
		if (renameat2(dirfd, name, t->top, temp, RENAME_NOREPLACE) == 0)
			return 0;
		if (errno != EEXIST)
			return -errno;
	}
	return -EEXIST;
}

static int remove_dir(struct rmtree *t, int dirfd, const char *name, int depth)
{
	auto_fd int fd = -1;
	uint64_t id;
	int r;

	if (unlinkat(dirfd, name, AT_REMOVEDIR) == 0)
		return 0;
	if (errno != ENOTEMPTY && errno != EEXIST)
		return -errno;
	if (depth == DEPTH_MAX)
		return move_up(t, dirfd, name);
	fd = open_dir(dirfd, name);
	if (fd < 0)
		return fd;
	r = mount_id(fd, &id);
	if (r == 0 && id != t->mount)
		r = -EXDEV;
	if (r == 0)
		r = empty_dir(t, fd_steal(&fd), depth + 1);
	if (r == 0 && unlinkat(dirfd, name, AT_REMOVEDIR) < 0)
		r = -errno;
	return r;
}

static int remove_entry(struct rmtree *t, int dirfd, const char *name, int depth)
{
	int r;

	if (unlinkat(dirfd, name, 0) == 0)
		return 0;
	/* unlink of a folder is EISDIR here and EPERM in POSIX. */
	if (errno != EISDIR && errno != EPERM)
		return errno == ENOENT ? 0 : -errno;
	if (errno == EISDIR)
		return remove_dir(t, dirfd, name, depth);
	r = remove_dir(t, dirfd, name, depth);
	return r == -ENOTDIR ? -EPERM : r;
}

/* One pass over the folder. Returns how many entries went away; *ret_left: how many did not. */
static size_t remove_entries(struct rmtree *t, DIR *d, int depth, size_t *ret_left)
{
	size_t gone = 0, left = 0;
	const struct dirent *e;

	while ((e = readdir(d))) {
		int r;

		if (str_eq(e->d_name, ".") || str_eq(e->d_name, ".."))
			continue;
		r = remove_entry(t, dirfd(d), e->d_name, depth);
		note(t, r);
		if (r < 0)
			left++;
		else
			gone++;
	}
	*ret_left = left;
	return gone;
}

static int empty_dir(struct rmtree *t, int fd_take, int depth)
{
	DIR *d = fdopendir(fd_take);
	size_t gone, left;
	unsigned moved;

	if (!d) {
		int r = -errno;

		close(fd_take);
		return r;
	}
	/* Entries removed (or moved up) during a scan may hide others from it, so scan until nothing changes. */
	do {
		moved = t->moved;
		rewinddir(d);
		gone = remove_entries(t, d, depth, &left);
	} while (gone || t->moved != moved);
	closedir(d);
	return left ? -ENOTEMPTY : 0;
}

int path_rmtree_at(int dirfd, const char *name)
{
	struct rmtree t = { .top = -1 };
	auto_fd int top = -1;
	int r;

	if (unlinkat(dirfd, name, 0) == 0)
		return 0;
	if (errno != EISDIR && errno != EPERM)
		return -errno;
	if (unlinkat(dirfd, name, AT_REMOVEDIR) == 0)
		return 0;
	if (errno != ENOTEMPTY && errno != EEXIST)
		return -errno;
	top = open_dir(dirfd, name);
	if (top < 0)
		return top;
	r = mount_id(top, &t.mount);
	if (r < 0)
		return r;
	t.top = top;
	r = fd_dup(top);
	if (r >= 0)
		r = empty_dir(&t, r, 1);
	if (r == 0 && unlinkat(dirfd, name, AT_REMOVEDIR) < 0)
		r = -errno;
	return r < 0 && t.first < 0 ? t.first : r;
}
