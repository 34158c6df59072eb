/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Changes as events: kernfs notifies cgroup.events and memory.events through inotify (cgroup-v2.rst). */
#include <errno.h>
#include <stdio.h>
#include <sys/inotify.h>
#include "lib/base/fd.h"
#include "lib/base/path.h"
#include "cgroup/internal.h"

static int add_watch(int in, int cg, const char *file)
{
	char dir[32], path[64];

	snprintf(path, sizeof(path), "%s/%s", path_proc_fd(cg, dir), file);
	return inotify_add_watch(in, path, IN_MODIFY) < 0 ? -errno : 0;
}

int cg_watch(int cg, struct error *err)
{
	auto_fd int in = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	int r;

	if (in < 0)
		return err_sys(err, -errno, "inotify");
	r = add_watch(in, cg, "cgroup.events");
	if (r < 0)
		return err_sys(err, r, "watch cgroup.events");
	r = add_watch(in, cg, "memory.events");
	if (r < 0 && r != -ENOENT)
		return err_sys(err, r, "watch memory.events");
	return fd_steal(&in);
}
