/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "lib/base/failat.h"
#include "lib/base/fd.h"
#include "lib/base/file.h"
#include "lib/base/mem.h"
#include "lib/base/path.h"

#define READ_CHUNK 4096

/* Sizes of pseudo files are lies, so only EOF ends it. A pipe has no offsets. */
static long read_all(int fd, size_t max, bool any, char **ret)
{
	auto_free char *buf = NULL;
	size_t len = 0, cap = 0;
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (S_ISDIR(st.st_mode))
		return -EISDIR;
	if (!S_ISREG(st.st_mode) && !any)
		return -EINVAL;
	if (st.st_size > 0 && (size_t)st.st_size <= max)
		cap = (size_t)st.st_size;
	for (;;) {
		ssize_t n;

		if (!buf || len == cap) {
			cap = MIN(MAX(len * 2, MAX(cap, (size_t)READ_CHUNK)), max) + 1;
			buf = mem_realloc_n(buf, cap + 1, 1);
		}
		n = any ? read(fd, buf + len, cap - len) : pread(fd, buf + len, cap - len, (off_t)len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		len += (size_t)n;
		if (len > max)
			return -EFBIG;
	}
	buf[len] = '\0';
	*ret = ptr_steal(&buf);
	return (long)len;
}

long file_read_at(int dirfd, const char *name, size_t max, char **ret, struct error *err)
{
	/* Nonblocking, so that opening a fifo does not wait for its writer. */
	auto_fd int fd = openat(dirfd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	long r = fd < 0 ? -errno : read_all(fd, max, false, ret);

	return r < 0 ? err_sys(err, (int)r, "read %s", name) : r;
}

long file_read_named(const char *path, size_t max, char **ret, struct error *err)
{
	auto_fd int fd = open(path, O_RDONLY | O_NOCTTY | O_CLOEXEC);
	long r = fd < 0 ? -errno : read_all(fd, max, true, ret);

	return r < 0 ? err_sys(err, (int)r, "read %s", path) : r;
}

long file_read_fd(int fd, size_t max, char **ret, struct error *err)
{
	long r = read_all(fd, max, false, ret);

	return r < 0 ? err_sys(err, (int)r, "read descriptor %d", fd) : r;
}

/* Where a new content is prepared: the file's folder, its name there, the temporary name. */
struct target {
	int dir; /* owned */
	const char *name;
	char *temp; /* owned */
};

static void target_done(struct target *t)
{
	fd_close(&t->dir);
	mem_freep(&t->temp);
}

static int target_open(int dirfd, const char *name, struct target *ret)
{
	const char *slash = strrchr(name, '/');
	auto_free char *dir = slash ? str_dup_n(name, (size_t)(slash - name) + 1) : str_dup(".");
	int fd = openat(dirfd, dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	ret->dir = fd;
	ret->name = slash ? slash + 1 : name;
	ret->temp = str_fmt(".%s.tmp", ret->name);
	return 0;
}

static int write_temp(const struct target *t, const void *p, size_t n, mode_t mode, bool durable)
{
	auto_fd int fd = -1;
	int r;

	/* One left by a crash. */
	if (unlinkat(t->dir, t->temp, 0) < 0 && errno != ENOENT)
		return -errno;
	fd = openat(t->dir, t->temp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	r = fail_at("file-write");
	if (r == 0)
		r = fd_write_all(fd, p, n);
	if (r == 0 && (fchmod(fd, mode) < 0 || (durable && fsync(fd) < 0)))
		r = -errno;
	return r;
}

int file_write_atomic_at(int dirfd, const char *name, const void *p, size_t n, mode_t mode, bool durable,
			 struct error *err)
{
	cleanup(target_done) struct target t = { -1, NULL, NULL };
	int r = target_open(dirfd, name, &t);

	if (r < 0)
		return err_sys(err, r, "write %s", name);
	r = write_temp(&t, p, n, mode, durable);
	if (r == 0)
		r = fail_at("file-rename");
	if (r == 0 && renameat(t.dir, t.temp, t.dir, t.name) < 0)
		r = -errno;
	if (r < 0) {
		unlinkat(t.dir, t.temp, 0);
		return err_sys(err, r, "write %s", name);
	}
	if (durable && fsync(t.dir) < 0)
		return err_sys(err, -errno, "sync the folder of %s", name);
	return 0;
}

int file_write_ctl_at(int dirfd, const char *name, long magic, const char *text, struct error *err)
{
	auto_fd int fd = openat(dirfd, name, O_WRONLY | O_NOFOLLOW | O_CLOEXEC);
	size_t n = strlen(text);
	ssize_t w;

	if (fd < 0)
		return err_sys(err, -errno, "open %s", name);
	if (!path_fd_is_fs(fd, magic))
		return err_set(err, -EXDEV, "%s is not on the filesystem it should be on", name);
	/* The kernel takes a control file's value in one write only. */
	do
		w = write(fd, text, n);
	while (w < 0 && errno == EINTR);
	if (w < 0)
		return err_sys(err, -errno, "write \"%.64s\" to %s", text, name);
	if ((size_t)w != n)
		return err_set(err, -EIO, "write \"%.64s\" to %s: only %zd bytes taken", text, name, w);
	return 0;
}
