/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef ARNIA_BASE_PATH_H
#define ARNIA_BASE_PATH_H
/*
 * Paths below a rootfs, which its owner controls: only through openat2(2) with RESOLVE_IN_ROOT and
 * RESOLVE_NO_MAGICLINKS on descriptors. Nothing is checked and then used by name. Where openat2 answers
 * ENOSYS (a seccomp filter), the same is done component by component with O_PATH|O_NOFOLLOW (slower).
 */
#include <fcntl.h>
#include <stdbool.h>
#include <sys/types.h>
#include "lib/base/error.h"

/* Open `path` (absolute or relative, both taken below `root`) with openat flags (O_CLOEXEC is added).
 * Links are followed inside root. fd or -errno. */
int path_open_in(int root, const char *path, int flags, mode_t mode);
/* The same, refusing every symbolic link on the way (RESOLVE_NO_SYMLINKS). */
int path_open_in_nolink(int root, const char *path, int flags, mode_t mode);
/* mkdir -p below root (links followed inside root); returns O_PATH fd of the folder. */
int path_mkdirs_in(int root, const char *path, mode_t mode);
/* Make sure a mount target exists below root: folder when `dir`, else an empty regular file; parents made
 * with 0755. An existing target of the other type is -ENOTDIR / -EISDIR. Returns its O_PATH fd. */
int path_make_target_in(int root, const char *path, bool dir);
/* Text of a path made plain: no "", ".", "..", "//", no trailing slash; always starts with '/'.
 * -EINVAL when ".." would leave the root, -ENAMETOOLONG over PATH_MAX. Pure text, no file access. */
int path_normalize(const char *path, char out[4096]);
bool path_is_absolute(const char *path);
/* True when fd lies on a filesystem with this statfs f_type (PROC_SUPER_MAGIC, ...). */
bool path_fd_is_fs(int fd, long magic);
/* "/proc/self/fd/N" for use as a path. buf is at least 32 bytes; returns buf. */
char *path_proc_fd(int fd, char *buf);
/* rm -r below dirfd without following links, never leaving the filesystem it starts on; 0 or -errno.
 * Bounded depth; keeps going and returns the first error. */
int path_rmtree_at(int dirfd, const char *name);

#endif
