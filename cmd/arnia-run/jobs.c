/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Jobs about what lies on disk: templates, and the folder of a container that is removed. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "cmd/arnia-run/run.h"
#include "lib/base/fd.h"
#include "lib/base/path.h"
#include "lib/base/mem.h"
#include "rootfs/template.h"

#define TRASH "trash" /* in the state folder */

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

static int open_trash(const char *state)
{
	auto_fd int fd = open(state, O_PATH | O_DIRECTORY | O_CLOEXEC);
	int trash;

	if (fd < 0)
		return -errno;
	trash = openat(fd, TRASH, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (trash < 0 && errno == ENOENT && mkdirat(fd, TRASH, 0700) == 0)
		trash = openat(fd, TRASH, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return trash < 0 ? -errno : trash;
}

int folder_discard(struct job *j, struct error *err)
{
	const char *dir = j->plan->layers_dir, *slash = dir ? strrchr(dir, '/') : NULL;
	auto_fd int fd = -1, trash = -1;
	auto_free char *parent = NULL;
	int r;

	if (!slash || slash == dir || !slash[1])
		return err_set(err, -EINVAL, "a plan without the container's folder");
	parent = str_dup_n(dir, (size_t)(slash - dir));
	fd = open(parent, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? 0 : err_sys(err, -errno, "open %s", parent);
	trash = open_trash(j->plan->state);
	/* What cannot be moved is deleted where it is: the trash itself for one. */
	if (trash >= 0 && renameat(fd, slash + 1, trash, slash + 1) == 0) {
		job_progress(j, PLAN_DISCARDED);
		r = path_rmtree_at(trash, slash + 1);
	} else {
		r = path_rmtree_at(fd, slash + 1);
	}
	return r < 0 && r != -ENOENT ? err_sys(err, r, "remove %s", dir) : 0;
}

int remove_run(struct job *j, struct error *err)
{
	return folder_discard(j, err);
}
