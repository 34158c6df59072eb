/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>
#include "lib/worker/worker.h"
#include "lib/base/fd.h"
#include "lib/base/path.h"

/* For reading too (fifo(7)): so the program itself keeps the pipe whole when nobody reads it for a while. Were keeper
 * and daemon both killed, it would die of SIGPIPE, and there would be nothing for the next ones to open again. */
static int open_both_ways(int *fd)
{
	char path[32];
	int both = open(path_proc_fd(*fd, path), O_RDWR | O_CLOEXEC);

	if (both < 0)
		return -errno;
	fd_close(fd);
	*fd = both;
	return 0;
}

/* The program opens its streams again by name (/dev/stdout), so the pipe belongs to the container's root, who
 * may give it to the program's user. */
static int make_pipe(struct stdio *s, int i, uint32_t owner, struct error *err)
{
	int ends[2], r;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return err_sys(err, -errno, "make a pipe");
	s->own[i] = ends[i != STDIN_FILENO];
	s->far[i] = ends[i == STDIN_FILENO];
	r = i == STDIN_FILENO ? 0 : open_both_ways(&s->own[i]);
	if (r < 0)
		return err_sys(err, r, "open a pipe again");
	if (fchown(s->own[i], owner, owner) < 0)
		return err_sys(err, -errno, "give a pipe to the container");
	return 0;
}

static int make_pipes(const struct plan *p, struct stdio *s, struct error *err)
{
	int r = 0;

	for (int i = p->open_stdin ? STDIN_FILENO : STDOUT_FILENO; r == 0 && i <= STDERR_FILENO; i++)
		r = make_pipe(s, i, (uint32_t)p->rootfs.id_base, err);
	return r;
}

int stdio_prepare(const struct job *j, struct stdio *ret, struct error *err)
{
	switch (j->plan->stdio) {
	case PLAN_STDIO_NULL:
	case PLAN_STDIO_TTY:
		return 0;
	case PLAN_STDIO_LOG:
		return make_pipes(j->plan, ret, err);
	case PLAN_STDIO_FDS:
		for (int i = 0; i < 3; i++)
			ret->own[i] = j->stdio[i];
		ret->lent = true;
		return 0;
	}
	return err_set(err, -EPROTO, "unknown kind of standard streams %u", j->plan->stdio);
}

void stdio_done(struct stdio *s)
{
	for (int i = 0; i < 3; i++) {
		if (s->lent)
			s->own[i] = -1;
		fd_close(&s->own[i]);
		fd_close(&s->far[i]);
	}
}
