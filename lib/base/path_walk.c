/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * openat2 with RESOLVE_IN_ROOT for kernels or filters without it. Each part is opened with O_PATH | O_NOFOLLOW, links
 * are expanded as text, and ".." takes the descriptor of the parent off a stack: the kernel's own ".." and its
 * following of links are never used, so a rename in between cannot lead out of the root.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "lib/base/fd.h"
#include "lib/base/path.h"
#include "lib/base/path_internal.h"
#include "lib/base/str.h"

#define LINKS_MAX 40
#define DEPTH_MAX 256

struct walk {
	int stack[DEPTH_MAX]; /* [0] is the root */
	size_t depth; /* entries in use; the last is where we are */
	char rest[PATH_SIZE];
	int links;
	bool nolink;
};

static void walk_done(struct walk *w)
{
	while (w->depth)
		fd_close(&w->stack[--w->depth]);
}

int path_next_part(char *text, char part[NAME_MAX + 1])
{
	const char *p = text + strspn(text, "/");
	size_t n = strcspn(p, "/");

	while (n == 1 && p[0] == '.') {
		p += n;
		p += strspn(p, "/");
		n = strcspn(p, "/");
	}
	if (n > NAME_MAX)
		return -ENAMETOOLONG;
	memcpy(part, p, n);
	part[n] = '\0';
	memmove(text, p + n, strlen(p + n) + 1);
	return n > 0;
}

/* procfs follows "fd/3" or "exe" by object, not by name; only these few are names. */
static bool is_plain_proc_link(const char *target)
{
	const char *rest = target + strspn(target, "0123456789");

	if (rest == target)
		return str_starts(target, "self/");
	return !*rest || str_starts(rest, "/task/");
}

int path_expand_link(int fd, char rest[PATH_SIZE])
{
	char target[PATH_SIZE], joined[PATH_SIZE];
	struct stat st;
	ssize_t n;
	int len;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISLNK(st.st_mode))
		return 0;
	n = readlinkat(fd, "", target, sizeof(target) - 1);
	if (n < 0)
		return -errno;
	target[n] = '\0';
	if (path_fd_is_fs(fd, PROC_SUPER_MAGIC) && !is_plain_proc_link(target))
		return -ELOOP;
	len = snprintf(joined, sizeof(joined), "%s%s%s", target, *rest ? "/" : "", rest);
	if (len < 0 || (size_t)len >= sizeof(joined))
		return -ENAMETOOLONG;
	memcpy(rest, joined, (size_t)len + 1);
	return target[0] == '/' ? PATH_LINK_ABSOLUTE : PATH_LINK_RELATIVE;
}

static int here(const struct walk *w)
{
	return w->stack[w->depth - 1];
}

static int push(struct walk *w, int fd_take)
{
	auto_fd int fd = fd_take;

	if (w->depth == DEPTH_MAX)
		return -ENAMETOOLONG;
	w->stack[w->depth++] = fd_steal(&fd);
	return 0;
}

static void pop_to(struct walk *w, size_t depth)
{
	while (w->depth > depth)
		fd_close(&w->stack[--w->depth]);
}

/* Step over a link whose text was put before w->rest. */
static int follow(struct walk *w, int kind)
{
	if (w->nolink || ++w->links > LINKS_MAX)
		return -ELOOP;
	if (kind == PATH_LINK_ABSOLUTE)
		pop_to(w, 1);
	return 0;
}

static int enter(struct walk *w, const char *part)
{
	auto_fd int fd = -1;
	struct stat st;
	int r;

	if (str_eq(part, "..")) {
		pop_to(w, MAX(w->depth - 1, (size_t)1));
		return 0;
	}
	fd = openat(here(w), part, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	r = path_expand_link(fd, w->rest);
	if (r != 0)
		return r < 0 ? r : follow(w, r);
	if (fstat(fd, &st) < 0)
		return -errno;
	return S_ISDIR(st.st_mode) ? push(w, fd_steal(&fd)) : -ENOTDIR;
}

/* The last part: 1 = a link was put before w->rest, go on; else the descriptor in *ret. */
static int open_last(struct walk *w, const char *part, int flags, mode_t mode, int *ret)
{
	auto_fd int probe = -1;
	int r = 0;

	probe = openat(here(w), part, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (probe < 0 && errno != ENOENT)
		return -errno;
	if (probe >= 0 && !(flags & O_NOFOLLOW) && (flags & (O_CREAT | O_EXCL)) != (O_CREAT | O_EXCL))
		r = path_expand_link(probe, w->rest);
	if (r != 0) {
		r = r < 0 ? r : follow(w, r);
		return r < 0 ? r : 1;
	}
	r = openat(here(w), part, flags | O_NOFOLLOW, mode);
	if (r < 0)
		return -errno;
	*ret = r;
	return 0;
}

static int walk_all(struct walk *w, int flags, mode_t mode)
{
	char part[NAME_MAX + 1];
	int r, fd = -1;

	while ((r = path_next_part(w->rest, part)) > 0) {
		bool last = !w->rest[0];

		if (!last || str_eq(part, "..")) {
			r = enter(w, part);
			if (r < 0)
				return r;
			continue;
		}
		r = open_last(w, part, flags, mode, &fd);
		if (r <= 0)
			return r < 0 ? r : fd;
	}
	if (r < 0)
		return r;
	/* The path ended in a folder: "/", "..", "name/". */
	if (flags & O_CREAT && (flags & O_TMPFILE) != O_TMPFILE)
		return -EISDIR;
	fd = openat(here(w), ".", flags, mode);
	return fd < 0 ? -errno : fd;
}

int path_walk(int root, const char *path, int flags, mode_t mode, bool nolink)
{
	cleanup(walk_done) struct walk w = { .nolink = nolink };
	int fd;

	if (!*path)
		return -ENOENT;
	if (str_copy(w.rest, sizeof(w.rest), path) < 0)
		return -ENAMETOOLONG;
	fd = openat(root, ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	push(&w, fd);
	return walk_all(&w, flags, mode);
}
