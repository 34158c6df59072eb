/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef ARNIA_BASE_FILE_H
#define ARNIA_BASE_FILE_H
/* Whole-file reads and writes. `dirfd` may be AT_FDCWD. */
#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include "lib/base/error.h"

/* Read a regular (or pseudo) file of at most `max` bytes; *ret is malloc'ed and NUL-terminated.
 * Larger: -EFBIG. A fifo, device or link at the end (O_NOFOLLOW): -EINVAL/-ELOOP. Returns the length. */
long file_read_at(int dirfd, const char *name, size_t max, char **ret, struct error *err);
/* What a user names: links are followed, and pipes (<(...)) read to their end, for which it waits. Not for a daemon. */
long file_read_named(const char *path, size_t max, char **ret, struct error *err);
/* The same as file_read_at from an open descriptor, from its start. */
long file_read_fd(int fd, size_t max, char **ret, struct error *err);
/* Replace atomically: temporary file in the same folder, write, [fsync], rename, [fsync of the folder].
 * `durable` false skips both fsyncs (files on tmpfs). The temporary name is ".NAME.tmp". */
int file_write_atomic_at(int dirfd, const char *name, const void *p, size_t n, mode_t mode, bool durable,
			 struct error *err);
/* One write(2) to an existing control file (procfs, cgroupfs): opened O_WRONLY|O_NOFOLLOW, its filesystem
 * checked against `magic` before the write (PROC_SUPER_MAGIC, CGROUP2_SUPER_MAGIC, SYSFS_MAGIC). */
int file_write_ctl_at(int dirfd, const char *name, long magic, const char *text, struct error *err);

#endif
