/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Removal of a subtree. What is below the leaf was made inside the container, so its shape is hostile: any
 * depth, any width, and still changing. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "lib/base/fd.h"
#include "lib/base/str.h"
#include "cgroup/internal.h"

/* rmdir every child that lets itself be removed. Returns 0 when no child is left, else the descriptor of the
 * first one that stayed (whose children are to go first), or -errno. */
static int sweep(int cg)
{
	int fd = openat(cg, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), child = 0;
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;

	if (!d)
		return fd < 0 ? -errno : (close(fd), -ENOMEM);
	while (child == 0 && (e = readdir(d)) != NULL) {
		if (e->d_type != DT_DIR || str_eq(e->d_name, ".") || str_eq(e->d_name, ".."))
			continue;
		if (unlinkat(cg, e->d_name, AT_REMOVEDIR) == 0 || errno == ENOENT)
			continue;
		if (errno != EBUSY) {
			child = -errno;
			break;
		}
		child = openat(cg, e->d_name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (child < 0)
			child = errno == ENOENT ? 0 : -errno;
	}
	closedir(d);
	return child;
}

#define STEPS_MAX 1000000u /* a container that makes folders as fast as we remove them is busy */

/* Empty `top` with one descriptor, whatever the depth: down while children stay, then up again. A folder that
 * is busy although nothing is below it holds processes. */
static int empty(int top)
{
	auto_fd int at = fd_dup(top);
	size_t depth = 0;
	bool came_up = true;

	for (size_t steps = 0; at >= 0; steps++) {
		int child = sweep(at), up;

		if (child < 0 || steps > STEPS_MAX)
			return child < 0 ? child : -EBUSY;
		if (child > 0) {
			fd_close(&at);
			at = child;
			depth++;
			came_up = false;
			continue;
		}
		if (depth == 0)
			return 0;
		if (!came_up) {
			struct cg_events ev;

			if (cg_read_events(at, &ev) == 0 && ev.populated)
				return -EBUSY;
		}
		up = openat(at, "..", O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (up < 0)
			return -errno;
		fd_close(&at);
		at = up;
		depth--;
		came_up = true;
	}
	return at;
}

int cg_remove(int root, const char *path, struct error *err)
{
	auto_fd int cg = -1;
	int r = cg_check_path(path, err);

	if (r < 0)
		return r;
	if (unlinkat(root, path, AT_REMOVEDIR) == 0 || errno == ENOENT)
		return 0;
	if (errno != EBUSY)
		return err_sys(err, -errno, "remove cgroup %s", path);
	cg = cg_open(root, path, err);
	if (cg < 0)
		return cg == -ENOENT ? (err_clear(err), 0) : cg;
	r = empty(cg);
	if (r == 0 && unlinkat(root, path, AT_REMOVEDIR) < 0 && errno != ENOENT)
		r = -errno;
	if (r == -EBUSY)
		return err_set_kind(err, r, ERR_STATE, "remove cgroup %s: processes live in it", path);
	return r < 0 ? err_sys(err, r, "remove cgroup %s", path) : 0;
}
