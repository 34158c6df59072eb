/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>
#include "lib/base/fd.h"
#include "lib/base/path.h"
#include "lib/base/path_internal.h"
#include "lib/base/str.h"

#define LINKS_MAX 40 /* as the kernel's MAXSYMLINKS */
#define RACES_MAX 64

bool path_is_absolute(const char *path)
{
	return path[0] == '/';
}

char *path_proc_fd(int fd, char *buf)
{
	snprintf(buf, 32, "/proc/self/fd/%d", fd);
	return buf;
}

bool path_fd_is_fs(int fd, long magic)
{
	struct statfs sf;

	return fstatfs(fd, &sf) == 0 && (unsigned long)sf.f_type == (unsigned long)magic;
}

/* Remove the last part of the text in out; "" is the root. */
static void drop_last(char *out)
{
	char *slash = strrchr(out, '/');

	if (slash)
		*slash = '\0';
}

int path_normalize(const char *path, char out[4096])
{
	char text[PATH_SIZE] = "";
	size_t len = 0;

	for (const char *p = path; *p;) {
		size_t n = strcspn(p, "/");

		if (n == 2 && p[0] == '.' && p[1] == '.') {
			if (!len)
				return -EINVAL;
			drop_last(text);
			len = strlen(text);
		} else if (n && !(n == 1 && p[0] == '.')) {
			if (len + n + 2 > sizeof(text))
				return -ENAMETOOLONG;
			text[len] = '/';
			memcpy(text + len + 1, p, n);
			len += n + 1;
			text[len] = '\0';
		}
		p += n + (p[n] == '/');
	}
	str_copy(out, PATH_SIZE, len ? text : "/");
	return 0;
}

static bool no_openat2(void)
{
#ifdef ARNIA_TEST_HOOKS
	return getenv("ARNIA_NO_OPENAT2") != NULL;
#else
	return false;
#endif
}

static int open_resolved(int root, const char *path, int flags, mode_t mode, uint64_t resolve)
{
	struct open_how how = {
		.flags = (uint64_t)(unsigned)(flags | O_CLOEXEC),
		.mode = flags & (O_CREAT | O_TMPFILE) & ~O_DIRECTORY ? mode : 0,
		.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS | resolve,
	};

	if (no_openat2())
		return path_walk(root, path, flags | O_CLOEXEC, mode, resolve & RESOLVE_NO_SYMLINKS);
	/* EAGAIN: something was renamed while ".." was resolved (openat2(2)). */
	for (int i = 0; i < RACES_MAX; i++) {
		long fd = syscall(SYS_openat2, root, path, &how, sizeof(how));

		if (fd >= 0)
			return (int)fd;
		if (errno == ENOSYS)
			return path_walk(root, path, flags | O_CLOEXEC, mode, resolve & RESOLVE_NO_SYMLINKS);
		if (errno != EAGAIN && errno != EINTR)
			return -errno;
	}
	return -EAGAIN;
}

int path_open_in(int root, const char *path, int flags, mode_t mode)
{
	return open_resolved(root, path, flags, mode, 0);
}

int path_open_in_nolink(int root, const char *path, int flags, mode_t mode)
{
	return open_resolved(root, path, flags, mode, RESOLVE_NO_SYMLINKS);
}

/*
 * The text of `path` with its links replaced, as it lies below root now; parts that do not exist are kept. Only
 * ever used with calls that refuse links, so a change after this makes them fail, never leave the root.
 */
static int resolve_text(int root, const char *path, char out[PATH_SIZE])
{
	char work[PATH_SIZE], part[NAME_MAX + 1];
	int links = 0;

	out[0] = '\0';
	if (str_copy(work, sizeof(work), path) < 0)
		return -ENAMETOOLONG;
	for (;;) {
		auto_fd int fd = -1;
		size_t len = strlen(out);
		int r = path_next_part(work, part);

		if (r <= 0)
			return r;
		if (str_eq(part, "..")) {
			drop_last(out);
			continue;
		}
		if (len + strlen(part) + 2 > PATH_SIZE)
			return -ENAMETOOLONG;
		out[len] = '/';
		str_copy(out + len + 1, PATH_SIZE - len - 1, part);
		fd = path_open_in_nolink(root, out, O_PATH | O_NOFOLLOW, 0);
		if (fd < 0 && fd != -ENOENT)
			return fd;
		r = fd < 0 ? 0 : path_expand_link(fd, work);
		if (r < 0)
			return r;
		if (r > 0 && ++links > LINKS_MAX)
			return -ELOOP;
		if (r > 0)
			out[r == PATH_LINK_ABSOLUTE ? 0 : len] = '\0';
	}
}

/* Open the folder `name` in dir, making it when it is missing. */
static int enter_or_make(int dir, const char *name, mode_t mode)
{
	int flags = O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
	int fd = openat(dir, name, flags);

	if (fd >= 0)
		return fd;
	if (errno != ENOENT)
		return -errno;
	if (mkdirat(dir, name, mode) < 0 && errno != EEXIST)
		return -errno;
	fd = openat(dir, name, flags);
	return fd < 0 ? -errno : fd;
}

/* mkdir -p of a text without links. */
static int make_dirs(int root, char *text, mode_t mode)
{
	auto_fd int at = openat(root, ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	char part[NAME_MAX + 1];
	int r;

	if (at < 0)
		return -errno;
	while ((r = path_next_part(text, part)) > 0) {
		int next = enter_or_make(at, part, mode);

		fd_close(&at);
		if (next < 0)
			return next;
		at = next;
	}
	return r < 0 ? r : fd_steal(&at);
}

int path_mkdirs_in(int root, const char *path, mode_t mode)
{
	char text[PATH_SIZE];
	int r = path_open_in(root, path, O_PATH | O_DIRECTORY, 0);

	if (r != -ENOENT)
		return r;
	r = resolve_text(root, path, text);
	return r < 0 ? r : make_dirs(root, text, mode);
}

static int check_type(int fd_take, bool dir)
{
	auto_fd int fd = fd_take;
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (S_ISLNK(st.st_mode))
		return -ELOOP;
	if (S_ISDIR(st.st_mode) != dir)
		return dir ? -ENOTDIR : -EISDIR;
	return fd_steal(&fd);
}

static int make_file(int parent, const char *name)
{
	auto_fd int fd = openat(parent, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);

	if (fd < 0 && errno != EEXIST)
		return -errno;
	fd_close(&fd);
	fd = openat(parent, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	return fd < 0 ? -errno : fd_steal(&fd);
}

int path_make_target_in(int root, const char *path, bool dir)
{
	auto_fd int parent = -1;
	char text[PATH_SIZE], *slash;
	int r = path_open_in(root, path, O_PATH, 0);

	if (r >= 0)
		return check_type(r, dir);
	if (r != -ENOENT)
		return r;
	r = resolve_text(root, path, text);
	if (r < 0)
		return r;
	slash = strrchr(text, '/');
	if (dir || !slash)
		return make_dirs(root, text, 0755);
	*slash = '\0';
	parent = make_dirs(root, text, 0755);
	if (parent < 0)
		return parent;
	r = make_file(parent, slash + 1);
	return r < 0 ? r : check_type(r, dir);
}
