/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef ARNIA_BASE_FD_H
#define ARNIA_BASE_FD_H
/* Descriptors have one owner; unset is -1; every open is CLOEXEC; close is never retried (close(2)). */
#include <stdbool.h>
#include <stddef.h>
#include "lib/base/mem.h"

void fd_close(int *fd); /* closes when >= 0, sets -1, keeps errno */
#define auto_fd cleanup(fd_close) /* auto_fd int fd = -1; */
static inline int fd_steal(int *fd)
{
	int f = *fd;
	*fd = -1;
	return f;
}
int fd_nonblock(int fd, bool on); /* 0 or -errno */
int fd_cloexec(int fd, bool on);
int fd_dup(int fd); /* F_DUPFD_CLOEXEC at >= 3; fd or -errno */
/* Make exactly `fds[0..n)` the descriptors first, first+1, ... (CLOEXEC off) and mark all others above
 * CLOEXEC (close_range(2) CLOSE_RANGE_CLOEXEC). -1 entries become /dev/null-less holes: refused. */
int fd_arrange(const int *fds, size_t n, int first);
/* Write all; 0 or -errno (EINTR retried, EAGAIN is an error). */
int fd_write_all(int fd, const void *p, size_t n);
/* The same, and waits for room in what somebody has set to O_NONBLOCK: for commands, not for who serves others. */
int fd_write_wait(int fd, const void *p, size_t n);
/* Read until EOF or `n` bytes; returns the count or -errno. */
long fd_read_full(int fd, void *p, size_t n);
/* Anonymous sealed file (memfd_create(2), all seals) with these bytes, offset 0; fd or -errno. */
int fd_memfd_sealed(const char *name, const void *p, size_t n);
/* True when fd is a memfd with SEAL_WRITE|GROW|SHRINK|SEAL set. */
bool fd_is_sealed(int fd);

#endif
