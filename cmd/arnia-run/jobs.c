/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Jobs about what lies on disk: templates, and the folder of a container that is removed. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include "cmd/arnia-run/run.h"
#include "lib/base/fd.h"
#include "lib/base/path.h"
#include "lib/base/mem.h"
#include "rootfs/template.h"

/* A build uses files of all the host, which the worker's trimmed mount namespace may not have. There is no
 * way back, so it is the worker's last job. */
static int enter_host(struct job *j, struct error *err)
{
	j->w->spent = true;
	return setns(j->w->hostns, CLONE_NEWNS) < 0 ? err_sys(err, -errno, "enter the host's mount namespace")
						    : 0;
}

int template_build_run(struct job *j, struct error *err)
{
	const struct plan *p = j->plan;
	int r = enter_host(j, err);

	return r < 0 ? r : template_build(p->share, p->state, p->template, job_progress, j, err);
}

int template_remove_run(struct job *j, struct error *err)
{
	int r = enter_host(j, err);

	return r < 0 ? r : template_remove(j->plan->state, j->plan->template, err);
}

int folder_remove(const char *dir, struct error *err)
{
	const char *slash = dir ? strrchr(dir, '/') : NULL;
	auto_free char *parent = NULL;
	auto_fd int fd = -1;
	int r;

	if (!slash || slash == dir || !slash[1])
		return err_set(err, -EINVAL, "a plan without the container's folder");
	parent = str_dup_n(dir, (size_t)(slash - dir));
	fd = open(parent, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? 0 : err_sys(err, -errno, "open %s", parent);
	r = path_rmtree_at(fd, slash + 1);
	return r < 0 && r != -ENOENT ? err_sys(err, r, "remove %s", dir) : 0;
}

int remove_run(struct job *j, struct error *err)
{
	return folder_remove(j->plan->layers_dir, err);
}
