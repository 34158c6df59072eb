/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * run/service.sock: how a service manager's process (supervise.c), or a keeper that came too late, makes the keeper
 * that runs serve clients, or rest. One request for each connection, answered when it is done.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include "cmd/arnia-keeper/keeper.h"
#include "lib/base/fd.h"
#include "lib/base/log.h"
#include "lib/base/proc.h"
#include "lib/base/sock.h"
#include "lib/base/str.h"

#define ASK_MS 15000
#define ASK_TRIES 3 /* one that replaces its program in between drops who asks */

struct visitor {
	struct visitor *next;
	struct keeper *k;
	struct loop_io *io;
	int fd;
	uint32_t asked; /* 0 = nothing yet */
};

static char *socket_path(const struct keeper *k)
{
	return str_fmt("%s/service.sock", k->in.run);
}

static void visitor_free(struct visitor *v)
{
	struct visitor **at = &v->k->visitors;

	while (*at != v)
		at = &(*at)->next;
	*at = v->next;
	loop_del_io(v->io);
	fd_close(&v->fd);
	free(v);
}

static void end_daemon(struct keeper *k)
{
	const struct pidref arniad = { .pid = k->daemon.r.pid, .fd = k->daemon.r.pidfd };

	k->daemon.r.greeted = false; /* what it says from here on is no answer to anybody */
	pidref_kill(&arniad, SIGTERM);
}

static bool holds_something(const struct keeper *k)
{
	for (size_t i = 0; i < k->nslots; i++)
		if (!k->slots[i].held->done)
			return true;
	for (const struct worker *w = k->workers; w; w = w->next)
		if (w->r.state == WORKER_BUSY)
			return true;
	return k->jobs != NULL;
}

static void end_if_idle(void *arg)
{
	struct keeper *k = arg;

	if (!k->at_rest || k->closing || k->daemon.r.pid || holds_something(k))
		return;
	log_info("ending: at rest, and nothing runs");
	keeper_shutdown(k);
}

void service_check_idle(struct keeper *k)
{
	if (k->at_rest && !k->closing)
		loop_defer(k->loop, end_if_idle, k);
}

static void answer(struct keeper *k, uint32_t asked)
{
	struct kp_hello own = { KEEPER_VERSION, getpid() };

	for (struct visitor *v = k->visitors, *next; v; v = next) {
		next = v->next;
		if (v->asked != asked)
			continue;
		(void)frame_send(v->fd, KP_MAGIC, asked, 0, &own, sizeof(own), NULL, 0);
		visitor_free(v);
	}
}

static bool is_listening(int fd)
{
	int on = 0;
	socklen_t n = sizeof(on);

	return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &on, &n) == 0 && on;
}

static bool is_same(int a, int b)
{
	struct stat sa, sb;

	return a >= 0 && b >= 0 && fstat(a, &sa) == 0 && fstat(b, &sb) == 0 && sa.st_dev == sb.st_dev &&
	       sa.st_ino == sb.st_ino;
}

/* By the socket that came along; else by the one there is, unless its name is gone. 1 = that is a change. */
static int choose_socket(struct keeper *k, int fd, struct error *err)
{
	auto_free char *path = str_fmt("%s/arnia.sock", k->in.run);
	auto_fd int given = fd;
	int r;

	if (given >= 0 && is_listening(given)) {
		if (is_same(given, k->fd.client_sock))
			return 0;
		fd_close(&k->fd.client_sock);
		k->fd.client_sock = fd_steal(&given);
		k->inherited_sock = true;
		return 1;
	}
	/* Without one of ours, an arniad that survived an earlier keeper listens, or daemon_start will see to it. */
	if (access(path, F_OK) == 0 || (!k->at_rest && k->fd.client_sock < 0))
		return 0;
	fd_close(&k->fd.client_sock);
	k->inherited_sock = false;
	r = setup_listen_clients(k, err);
	return r < 0 ? r : 1;
}

/* Who connects from here on waits in the socket until arniad is up. */
static void serve(struct visitor *v, int fd)
{
	struct keeper *k = v->k;
	struct error err = { 0 };
	int r = choose_socket(k, fd, &err);

	if (r < 0) {
		log_error("%s", err.text);
		visitor_free(v);
		return;
	}
	if (r > 0 && k->daemon.r.pid) {
		log_info("clients come by another socket: arniad is started again");
		end_daemon(k);
	}
	k->at_rest = false;
	(void)daemon_start(k);
	answer(k, KP_SERVE);
}

static void rest(struct keeper *k)
{
	auto_free char *path = str_fmt("%s/arnia.sock", k->in.run);

	if (!holds_something(k)) {
		keeper_shutdown(k);
		return;
	}
	log_info("at rest: nobody is served, what runs goes on");
	k->at_rest = true;
	if (k->fd.client_sock >= 0 && !k->inherited_sock)
		unlink(path);
	fd_close(&k->fd.client_sock);
	k->inherited_sock = false;
	/* The name of the socket is no longer ours to remove. */
	k->daemon.r.hello_pid = 0;
	end_daemon(k);
	if (!k->daemon.r.pid)
		answer(k, KP_REST);
}

void service_daemon_ended(struct keeper *k)
{
	answer(k, KP_REST);
	service_check_idle(k);
}

static void visitor_ready(void *arg, uint32_t events)
{
	struct visitor *v = arg;
	struct keeper *k = v->k;
	struct frame f;
	int r = frame_recv(v->fd, KP_MAGIC, &f, MSG_DONTWAIT);

	(void)events;
	if (r == -EAGAIN)
		return;
	if (r <= 0 || v->asked) {
		if (r > 0)
			frame_done(&f);
		visitor_free(v);
		return;
	}
	v->asked = f.head.type;
	if (k->closing || (v->asked != KP_SERVE && v->asked != KP_REST))
		visitor_free(v);
	else if (v->asked == KP_SERVE)
		serve(v, frame_take_fd(&f, 0));
	else
		rest(k);
	frame_done(&f);
}

static void accept_visitor(void *arg, uint32_t events)
{
	struct keeper *k = arg;
	auto_fd int fd = accept4(k->fd.service_sock, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct sock_peer peer;
	struct visitor *v;

	(void)events;
	if (fd < 0 || sock_peer(fd, &peer) < 0 || peer.uid != 0)
		return;
	v = mem_alloc(sizeof(*v));
	*v = (struct visitor){ .next = k->visitors, .k = k, .fd = fd_steal(&fd) };
	k->visitors = v;
	v->io = loop_add_io(k->loop, v->fd, EPOLLIN, visitor_ready, v);
	if (!v->io)
		visitor_free(v);
}

void service_watch(struct keeper *k)
{
	if (k->fd.service_sock >= 0)
		k->service_io = loop_add_io(k->loop, k->fd.service_sock, EPOLLIN, accept_visitor, k);
}

int service_listen(struct keeper *k, struct error *err)
{
	auto_free char *path = socket_path(k);

	k->fd.service_sock = sock_listen(path, SOCK_SEQPACKET, 0600, err);
	if (k->fd.service_sock >= 0)
		service_watch(k);
	return MIN(k->fd.service_sock, 0);
}

void service_close(struct keeper *k)
{
	auto_free char *path = socket_path(k);

	if (k->service_io)
		unlink(path);
	loop_del_io(k->service_io);
	k->service_io = NULL;
}

void service_free(struct keeper *k)
{
	while (k->visitors)
		visitor_free(k->visitors);
}

/* ---- the other end ---- */

/* 1 = answered, 0 = dropped without a word. */
static int ask_once(const char *path, uint32_t type, int fd, pid_t *ret_pid, struct error *err)
{
	auto_fd int s = sock_connect(path, SOCK_SEQPACKET, err);
	struct pollfd p = { .fd = s, .events = POLLIN };
	const struct kp_hello *hello;
	struct frame f;
	int r;

	if (s < 0)
		return s;
	r = frame_send(s, KP_MAGIC, type, 0, NULL, 0, &fd, fd >= 0);
	if (r < 0)
		return r == -EPIPE ? 0 : err_sys(err, r, "ask the keeper");
	do
		r = poll(&p, 1, ASK_MS);
	while (r < 0 && errno == EINTR);
	if (r <= 0)
		return err_set_kind(err, -ETIMEDOUT, ERR_UNREACHABLE, "the keeper that runs does not answer");
	r = frame_recv(s, KP_MAGIC, &f, MSG_DONTWAIT);
	if (r <= 0)
		return 0;
	hello = frame_body(&f, sizeof(*hello));
	if (hello)
		*ret_pid = hello->pid;
	frame_done(&f);
	return hello != NULL;
}

int service_ask(const struct keeper *k, uint32_t type, int fd, pid_t *ret_pid, struct error *err)
{
	auto_free char *path = socket_path(k);

	for (int tries = 0; tries < ASK_TRIES; tries++) {
		int r = ask_once(path, type, fd, ret_pid, err);

		if (r != 0)
			return MIN(r, 0);
		if (type == KP_REST) /* that was its end */
			return 0;
	}
	return err_set_kind(err, -ECONNRESET, ERR_UNREACHABLE, "the keeper that runs ended meanwhile");
}
