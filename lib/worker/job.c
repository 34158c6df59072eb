/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include "lib/base/fd.h"
#include "lib/base/frame.h"
#include "lib/worker/worker.h"

int job_send(const struct job *j, enum kp_type type, const void *body, size_t n, const int *fds, size_t nfds)
{
	return frame_send(j->w->keeper, KP_MAGIC, type, j->seq, body, n, fds, nfds);
}

int job_await_go(const struct job *j, struct error *err)
{
	struct frame f;
	int r = frame_recv(j->w->keeper, KP_MAGIC, &f, 0);

	if (r <= 0)
		return err_set(err, r < 0 ? r : -ECANCELED, "the runtime is gone or gave up");
	frame_done(&f);
	return f.head.type == KW_GO ? 0 : err_set(err, -ECANCELED, "called off");
}

static int open_ns(pid_t pid, const char *name, struct error *err)
{
	char path[48];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/ns/%s", pid, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? err_sys(err, -errno, "open the new %s namespace", name) : fd;
}

int namespaces_open(pid_t pid, bool net, int *ret_userns, int *ret_netns, struct error *err)
{
	auto_fd int user = open_ns(pid, "user", err);
	auto_fd int own = user >= 0 && net ? open_ns(pid, "net", err) : -1;

	if (user < 0 || (net && own < 0))
		return user < 0 ? user : own;
	*ret_userns = fd_steal(&user);
	*ret_netns = fd_steal(&own);
	return 0;
}
