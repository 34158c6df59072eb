/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <linux/close_range.h>
#include <limits.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "lib/base/fd.h"

#define ALL_SEALS (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

void fd_close(int *fd)
{
	int keep = errno;

	if (*fd >= 0)
		close(*fd);
	*fd = -1;
	errno = keep;
}

static int change_flags(int fd, int get, int set, int flag, bool on)
{
	int old = fcntl(fd, get), new;

	if (old < 0)
		return -errno;
	new = on ? old | flag : old & ~flag;
	return new == old || fcntl(fd, set, new) == 0 ? 0 : -errno;
}

int fd_nonblock(int fd, bool on)
{
	return change_flags(fd, F_GETFL, F_SETFL, O_NONBLOCK, on);
}

int fd_cloexec(int fd, bool on)
{
	return change_flags(fd, F_GETFD, F_SETFD, FD_CLOEXEC, on);
}

int fd_dup(int fd)
{
	int copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);

	return copy < 0 ? -errno : copy;
}

/* Copies of all, above the target range, so that placing one cannot overwrite another. */
static int dup_above(const int *fds, size_t n, int least, int *ret)
{
	for (size_t i = 0; i < n; i++) {
		ret[i] = fds[i] < 0 ? -1 : fcntl(fds[i], F_DUPFD_CLOEXEC, least);
		if (ret[i] < 0) {
			int r = fds[i] < 0 ? -EINVAL : -errno;

			while (i--)
				close(ret[i]);
			return r;
		}
	}
	return 0;
}

int fd_arrange(const int *fds, size_t n, int first)
{
	auto_free int *copies = NULL;
	int r = 0;

	if (first < 0 || n > (size_t)(INT_MAX - first))
		return -EINVAL;
	copies = mem_alloc_n(n, sizeof(int));
	r = dup_above(fds, n, first + (int)n, copies);
	if (r < 0)
		return r;
	for (size_t i = 0; i < n; i++) {
		if (r == 0 && dup2(copies[i], first + (int)i) < 0)
			r = -errno;
		close(copies[i]);
	}
	if (r == 0 && close_range((unsigned)first + (unsigned)n, ~0U, CLOSE_RANGE_CLOEXEC) < 0)
		r = -errno;
	return r;
}

static int write_all(int fd, const char *p, size_t n, bool wait)
{
	while (n) {
		ssize_t w = write(fd, p, n);
		struct pollfd room = { .fd = fd, .events = POLLOUT };

		if (w < 0 && errno == EAGAIN && wait)
			poll(&room, 1, -1);
		else if (w < 0 && errno != EINTR)
			return -errno;
		else if (w > 0) {
			p += w;
			n -= (size_t)w;
		}
	}
	return 0;
}

int fd_write_all(int fd, const void *p, size_t n)
{
	return write_all(fd, p, n, false);
}

int fd_write_wait(int fd, const void *p, size_t n)
{
	return write_all(fd, p, n, true);
}

long fd_read_full(int fd, void *p, size_t n)
{
	size_t got = 0;

	while (got < n) {
		ssize_t r = read(fd, (char *)p + got, n - got);

		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0)
			return -errno;
		if (r == 0)
			break;
		got += (size_t)r;
	}
	return (long)got;
}

int fd_memfd_sealed(const char *name, const void *p, size_t n)
{
	auto_fd int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	int r;

	if (fd < 0)
		return -errno;
	r = fd_write_all(fd, p, n);
	if (r < 0)
		return r;
	if (lseek(fd, 0, SEEK_SET) < 0 || fcntl(fd, F_ADD_SEALS, ALL_SEALS) < 0)
		return -errno;
	return fd_steal(&fd);
}

bool fd_is_sealed(int fd)
{
	int seals = fcntl(fd, F_GET_SEALS);

	return seals >= 0 && (seals & ALL_SEALS) == ALL_SEALS;
}
