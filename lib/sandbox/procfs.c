/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "lib/base/fd.h"
#include "lib/base/path.h"
#include "lib/sandbox/procfs.h"

#define PROC_ROOT_INO 1 /* include/linux/proc_fs.h: "of a mount of the whole procfs" */

int procfs_open(struct error *err)
{
	auto_fd int fd = open("/proc", O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;

	if (fd < 0)
		return err_sys(err, -errno, "open /proc");
	if (!path_fd_is_fs(fd, PROC_SUPER_MAGIC) || fstat(fd, &st) < 0 || st.st_ino != PROC_ROOT_INO)
		return err_set(err, -EXDEV, "/proc is not a procfs");
	return fd_steal(&fd);
}

static int mount_of(int fd, uint64_t *ret)
{
	struct statx sx;

	if (statx(fd, "", AT_EMPTY_PATH, STATX_MNT_ID, &sx) < 0)
		return -errno;
	if (!(sx.stx_mask & STATX_MNT_ID))
		return -EOPNOTSUPP;
	*ret = sx.stx_mnt_id;
	return 0;
}

/* Where a seccomp filter hides openat2(2): open first, then see on which mount it is. */
static int open_old(int proc, const char *path, int flags)
{
	auto_fd int fd = openat(proc, path, flags | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	uint64_t top, here;
	int r = fd < 0 ? -errno : mount_of(proc, &top);

	if (r == 0)
		r = mount_of(fd, &here);
	if (r < 0)
		return r;
	return top == here ? fd_steal(&fd) : -EXDEV;
}

static int open_below(int proc, const char *path, int flags)
{
	struct open_how how = {
		.flags = (uint64_t)(unsigned)(flags | O_NOFOLLOW | O_CLOEXEC),
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_XDEV | RESOLVE_NO_MAGICLINKS,
	};
	long fd = syscall(SYS_openat2, proc, path, &how, sizeof(how));

	if (fd >= 0)
		return (int)fd;
	return errno == ENOSYS ? open_old(proc, path, flags) : -errno;
}

int procfs_write(int proc, const char *path, const char *text, struct error *err)
{
	auto_fd int fd = open_below(proc, path, O_WRONLY);
	size_t n = strlen(text);
	ssize_t w;

	if (fd == -EXDEV)
		return err_set(err, fd, "/proc/%s: something is mounted over it", path);
	if (fd < 0)
		return err_sys(err, fd, "open /proc/%s", path);
	w = write(fd, text, n);
	if (w < 0)
		return err_sys(err, -errno, "write \"%.64s\" to /proc/%s", text, path);
	return (size_t)w == n ? 0 : err_set(err, -EIO, "write to /proc/%s: cut short", path);
}

int procfs_read(int proc, const char *path, char *buf, size_t size)
{
	auto_fd int fd = open_below(proc, path, O_RDONLY);
	long n = fd < 0 ? fd : fd_read_full(fd, buf, size - 1);

	if (n >= 0)
		buf[n] = '\0';
	return (int)n;
}
