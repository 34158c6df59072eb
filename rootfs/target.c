/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "lib/base/fd.h"
#include "lib/base/path.h"
#include "lib/base/str.h"
#include "rootfs/internal.h"

#define PROC_ROOT_INO 1 /* include/linux/proc_fs.h */

static int check_dir(int fd, bool dir)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (S_ISDIR(st.st_mode) == dir)
		return 0;
	return dir ? -ENOTDIR : -EISDIR;
}

int target_open(int root, const struct target_want *w)
{
	auto_fd int fd = -1;
	int r;

	if (!w->nolink && w->create)
		return path_make_target_in(root, w->path, w->dir);
	fd = w->nolink ? path_open_in_nolink(root, w->path, O_PATH, 0)
		       : path_open_in(root, w->path, O_PATH, 0);
	if (fd == -ENOENT && w->create) {
		/* The maker follows links, so that what it made is looked up again. */
		fd = path_make_target_in(root, w->path, w->dir);
		if (fd < 0)
			return fd;
		fd_close(&fd);
		fd = path_open_in_nolink(root, w->path, O_PATH, 0);
	}
	if (fd < 0)
		return fd_steal(&fd);
	r = check_dir(fd, w->dir);
	return r < 0 ? r : fd_steal(&fd);
}

static bool is_below(const char *path, const char *dir)
{
	const char *rest = str_after(path, dir);

	return rest && (*rest == '/' || !*rest);
}

int target_parent(int root, const char *path, const char **ret_name)
{
	const char *slash = strrchr(path, '/');
	char dir[4096];
	int fd;

	if (!slash || !slash[1] || (size_t)(slash - path) >= sizeof(dir))
		return -EINVAL;
	memcpy(dir, path, (size_t)(slash - path));
	dir[slash - path] = '\0';
	fd = target_open(root, &(struct target_want){
				       .path = *dir ? dir : "/",
				       .dir = true,
				       .create = true,
				       .nolink = is_below(dir, "/dev"),
			       });
	if (fd >= 0)
		*ret_name = slash + 1;
	return fd;
}

/* A regular file of that name unless there is something; a link gives way. */
static int make_node(int parent, const char *name)
{
	struct stat st;

	if (mknodat(parent, name, S_IFREG | 0644, 0) == 0)
		return 0;
	if (errno != EEXIST)
		return -errno;
	if (fstatat(parent, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	if (!S_ISLNK(st.st_mode))
		return 0;
	if (unlinkat(parent, name, 0) < 0 || mknodat(parent, name, S_IFREG | 0644, 0) < 0)
		return -errno;
	return 0;
}

int target_node(int root, const char *path)
{
	const char *name;
	auto_fd int parent = target_parent(root, path, &name), fd = -1;
	struct stat st;
	int r;

	if (parent < 0)
		return fd_steal(&parent);
	r = make_node(parent, name);
	if (r < 0)
		return r;
	fd = openat(parent, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (S_ISLNK(st.st_mode) || S_ISDIR(st.st_mode))
		return S_ISDIR(st.st_mode) ? -EISDIR : -ELOOP;
	return fd_steal(&fd);
}

/* What lxcfs puts there; all of it is only read. */
static bool is_lxcfs_file(const char *path)
{
	static const char *const files[] = {
		"/proc/cpuinfo", "/proc/diskstats", "/proc/meminfo",
		"/proc/stat",	 "/proc/swaps",	    "/proc/uptime",
		"/proc/loadavg", "/proc/slabinfo",  "/proc/sys/kernel/ns_last_pid",
	};

	for (size_t i = 0; i < ARRAY_SIZE(files); i++)
		if (str_eq(path, files[i]))
			return true;
	return false;
}

/* Another procfs as a whole, which is what a container without a PID namespace is given. */
static bool is_whole_procfs(int source)
{
	struct stat st;

	return source >= 0 && path_fd_is_fs(source, PROC_SUPER_MAGIC) && fstat(source, &st) == 0 &&
	       st.st_ino == PROC_ROOT_INO;
}

int target_check_proc(const struct mount_item *m, const char *path, int fd, int source, struct error *err)
{
	bool on_proc = path_fd_is_fs(fd, PROC_SUPER_MAGIC);

	if (m->kind == MOUNT_FS && str_eq(m->fstype, "proc") && !on_proc)
		return 0;
	if (!on_proc && !is_below(path, "/proc"))
		return 0;
	if (!on_proc && str_eq(path, "/proc") && is_whole_procfs(source))
		return 0;
	if (on_proc && m->kind == MOUNT_BIND && is_lxcfs_file(path))
		return 0;
	return err_set(err, -EPERM, "it would hide part of /proc");
}
