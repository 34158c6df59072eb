/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Edits of a rootfs that is being built. What packages put there is not trusted to be folders where folders
 * are expected. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "lib/base/fd.h"
#include "lib/base/path.h"
#include "lib/base/str.h"
#include "rootfs/internal.h"
#include "rootfs/template_internal.h"

int root_write(int root, const char *path, const void *p, size_t n, mode_t mode)
{
	const char *name;
	auto_fd int parent = target_parent(root, path, &name), fd = -1;
	int r;

	if (parent < 0)
		return fd_steal(&parent);
	if (unlinkat(parent, name, 0) < 0 && errno != ENOENT)
		return -errno;
	fd = openat(parent, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	r = fd_write_all(fd, p, n);
	return r == 0 && fchmod(fd, mode) < 0 ? -errno : r;
}

int root_mkdir(int root, const char *path, mode_t mode)
{
	auto_fd int fd = path_mkdirs_in(root, path, 0755);
	char proc[32];

	if (fd < 0)
		return fd_steal(&fd);
	/* The descriptor is O_PATH, which fchmod refuses. */
	return chmod(path_proc_fd(fd, proc), mode) < 0 ? -errno : 0;
}

int root_link(int root, const char *target, const char *path)
{
	const char *name;
	auto_fd int parent = target_parent(root, path, &name);

	if (parent < 0)
		return fd_steal(&parent);
	return symlinkat(target, parent, name) < 0 ? -errno : 0;
}

int root_remove(int root, const char *path)
{
	auto_free char *dir = str_dup(path);
	char *slash = strrchr(dir, '/');
	auto_fd int parent = -1;
	int r;

	if (!slash || !slash[1])
		return -EINVAL;
	*slash = '\0';
	parent = path_open_in_nolink(root, *dir ? dir : "/", O_RDONLY | O_DIRECTORY, 0);
	if (parent == -ENOENT)
		return 0;
	if (parent < 0)
		return fd_steal(&parent);
	r = path_rmtree_at(parent, slash + 1);
	return r == -ENOENT ? 0 : r;
}

int root_remove_matching(int root, const char *dir, const char *pattern)
{
	auto_fd int fd = path_open_in_nolink(root, dir, O_RDONLY | O_DIRECTORY, 0);
	struct arena a = { 0 };
	struct strv names = { 0 };
	DIR *d;
	int r = 0;

	if (fd < 0)
		return fd == -ENOENT ? 0 : fd_steal(&fd);
	d = fdopendir(fd);
	if (!d)
		return -errno;
	/* Collected first: a folder that is changed while it is read may hide entries. */
	for (struct dirent *e; (e = readdir(d));)
		if (!str_eq(e->d_name, ".") && !str_eq(e->d_name, "..") && str_glob(pattern, e->d_name))
			strv_push(&a, &names, e->d_name);
	for (size_t i = 0; r == 0 && i < names.n; i++)
		r = path_rmtree_at(fd, names.v[i]);
	fd_steal(&fd);
	closedir(d);
	arena_done(&a);
	return r;
}
