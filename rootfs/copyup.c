/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>
#include "lib/base/fd.h"
#include "lib/base/path.h"
#include "lib/base/str.h"
#include "rootfs/internal.h"

#define DEPTH_MAX 64
#define XATTR_MAX 65536

struct copy {
	int from, to;	  /* folders */
	const char *name; /* entry of both */
	struct stat st;	  /* of the one in `from` */
	int depth;
};
static int copy_dir(int from, int to, int depth);

/* Owners that the container does not know stay with its root, as do attributes it may not set. */
static int copy_meta(int to, const char *name, const struct stat *st)
{
	struct timespec times[2] = { st->st_atim, st->st_mtim };

	if (fchownat(to, name, st->st_uid, st->st_gid, AT_SYMLINK_NOFOLLOW) < 0 && errno != EINVAL &&
	    errno != EPERM)
		return -errno;
	/* After the owner: changing it clears the setuid bit. */
	if (!S_ISLNK(st->st_mode) && fchmodat(to, name, st->st_mode & 07777, 0) < 0)
		return -errno;
	return utimensat(to, name, times, AT_SYMLINK_NOFOLLOW) < 0 ? -errno : 0;
}

static int copy_xattrs(int from, int to)
{
	auto_free char *names = mem_alloc(XATTR_MAX), *value = mem_alloc(XATTR_MAX);
	ssize_t len = flistxattr(from, names, XATTR_MAX);

	for (const char *n = names; len > 0 && n < names + len; n += strlen(n) + 1) {
		ssize_t size = fgetxattr(from, n, value, XATTR_MAX);

		if (size < 0 || fsetxattr(to, n, value, (size_t)size, 0) == 0)
			continue;
		if (errno == ENOSPC || errno == ENOMEM)
			return -errno;
	}
	return 0;
}

static int copy_bytes(int from, int to)
{
	char buf[16384];
	long n;

	while ((n = fd_read_full(from, buf, sizeof(buf))) > 0) {
		int r = fd_write_all(to, buf, (size_t)n);

		if (r < 0)
			return r;
	}
	return (int)n;
}

static int copy_file(const struct copy *c)
{
	auto_fd int from = openat(c->from, c->name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC), to = -1;
	int r;

	if (from < 0)
		return -errno;
	to = openat(c->to, c->name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (to < 0)
		return -errno;
	r = copy_bytes(from, to);
	return r < 0 ? r : copy_xattrs(from, to);
}

static int copy_link(const struct copy *c)
{
	char text[4096];
	ssize_t n = readlinkat(c->from, c->name, text, sizeof(text) - 1);

	if (n < 0)
		return -errno;
	text[n] = '\0';
	return symlinkat(text, c->to, c->name) < 0 ? -errno : 0;
}

static int copy_fifo(const struct copy *c)
{
	return mknodat(c->to, c->name, S_IFIFO | 0600, 0) < 0 ? -errno : 0;
}

static int copy_subdir(const struct copy *c)
{
	auto_fd int from = openat(c->from, c->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC), to = -1;
	int r;

	if (from < 0)
		return -errno;
	if (mkdirat(c->to, c->name, 0700) < 0)
		return -errno;
	to = openat(c->to, c->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (to < 0)
		return -errno;
	r = copy_xattrs(from, to);
	return r < 0 ? r : copy_dir(from, to, c->depth + 1);
}

static int copy_entry(const struct copy *c)
{
	static const struct {
		mode_t type;
		int (*fn)(const struct copy *c);
	} kinds[] = {
		{ S_IFREG, copy_file },
		{ S_IFDIR, copy_subdir },
		{ S_IFLNK, copy_link },
		{ S_IFIFO, copy_fifo },
	};

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		int r;

		if ((c->st.st_mode & S_IFMT) != kinds[i].type)
			continue;
		r = kinds[i].fn(c);
		return r < 0 ? r : copy_meta(c->to, c->name, &c->st);
	}
	return 0;
}

static int copy_dir(int from, int to, int depth)
{
	int scan = openat(from, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), r = 0;
	struct stat top;
	DIR *d;

	if (scan < 0)
		return -errno;
	if (depth > DEPTH_MAX || fstat(scan, &top) < 0 || !(d = fdopendir(scan))) {
		close(scan);
		return depth > DEPTH_MAX ? -ELOOP : -EIO;
	}
	for (struct dirent *e; r == 0 && (e = readdir(d));) {
		struct copy c = { .from = from, .to = to, .name = e->d_name, .depth = depth };

		if (str_eq(e->d_name, ".") || str_eq(e->d_name, ".."))
			continue;
		if (fstatat(from, e->d_name, &c.st, AT_SYMLINK_NOFOLLOW) < 0)
			r = -errno;
		/* Overlay gives files and folders of one tree different devices: only folders tell a mount.
		 */
		else if (!S_ISDIR(c.st.st_mode) || c.st.st_dev == top.st_dev)
			r = copy_entry(&c);
	}
	closedir(d);
	return r;
}

int copyup_tree(int from, int to)
{
	struct stat st;

	if (fstat(from, &st) < 0)
		return -errno;
	return copy_dir(from, to, 0);
}
