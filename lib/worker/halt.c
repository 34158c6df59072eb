/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The OCI state "created": a guest that has done all but its program, and waits at a socket for whoever starts it. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include "lib/base/fd.h"
#include "lib/base/frame.h"
#include "lib/worker/worker.h"

/* 1: it is to start. 0: nothing that makes sense. What fails on this side (a filter that is loaded by now may refuse it) is for that one
 * to know, to whom the end of the connection would say that the program runs. */
static int hear_go(int conn)
{
	struct frame f;
	int r = frame_recv(conn, GUEST_MAGIC, &f, 0);

	if (r <= 0)
		return r == -EPROTO || r == -ECONNRESET ? 0 : r;
	r = f.head.type == GUEST_GO;
	frame_done(&f);
	return r;
}

/* From here on what fails is told to who starts it, the worker is gone. */
int guest_halt(void *ctx, struct error *err)
{
	struct guest *g = ctx;
	int conn, r;

	if (!g->plan->halt)
		return 0;
	guest_report(g, GUEST_HALTED, NULL);
	do {
		do {
			conn = accept4(g->start, NULL, NULL, SOCK_CLOEXEC);
		} while (conn < 0 && errno == EINTR);
		if (conn < 0)
			return err_sys(err, -errno, "wait to be started");
		r = hear_go(conn);
		if (r == 0)
			close(conn);
	} while (r == 0);
	close(g->report);
	g->report = conn;
	fd_close(&g->start);
	return r < 0 ? err_sys(err, r, "hear that it is to start") : 0;
}

static int connect_to(int dir, const char *name, struct error *err)
{
	auto_fd int s = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	struct sockaddr_un sa = { .sun_family = AF_UNIX };

	/* By descriptor: the folder's own path may be longer than an address. */
	snprintf(sa.sun_path, sizeof(sa.sun_path), "/proc/self/fd/%d/%s", dir, name);
	if (s < 0 || connect(s, (struct sockaddr *)&sa, sizeof(sa)) < 0)
		return err_sys(err, -errno, "reach the process that waits to be started");
	return fd_steal(&s);
}

/* When it ends, whether it had our word still unread, or the connection: said once (unix(7)), and frame_recv passes it over. */
static bool ended_unheard(int s)
{
	struct pollfd p = { .fd = s, .events = POLLIN };
	int code = 0;
	socklen_t n = sizeof(code);

	while (poll(&p, 1, -1) < 0 && errno == EINTR)
		;
	return getsockopt(s, SOL_SOCKET, SO_ERROR, &code, &n) == 0 && code == ECONNRESET;
}

int guest_release(int start_dir, const char *name, struct error *err)
{
	auto_fd int s = connect_to(start_dir, name, err);
	int r = s < 0 ? s : frame_send(s, GUEST_MAGIC, GUEST_GO, 0, NULL, 0, NULL, 0);
	struct frame f;
	bool unheard;

	if (s < 0)
		return s;
	/* It may have said why it cannot be told, and have ended, before our word came: what it said is there. */
	unheard = r == -EPIPE || r == -ECONNRESET;
	if (r < 0 && !unheard)
		return err_sys(err, r, "let the process go");
	unheard = unheard || ended_unheard(s);
	r = frame_recv(s, GUEST_MAGIC, &f, 0);
	if (r == 0)
		return unheard ? err_set(err, -ECONNRESET, "the process ended before it was started") : 0;
	if (r < 0)
		return err_sys(err, r, "hear from the process");
	r = guest_take_error(&f, err);
	frame_done(&f);
	return r;
}
