/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One attached client: lib/base/session.h. Whoever reads slowly holds up his own container for ten seconds at
 * most. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "cmd/arnia-keeper/keeper.h"
#include "lib/base/fd.h"

#define LATE_MS 10000
#define GONE_ROOM (1024 * 1024)
#define GONE_MAX 128

static bool is_seqpacket(int fd)
{
	int domain = 0, type = 0;
	socklen_t len = sizeof(int);

	return getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) == 0 && domain == AF_UNIX &&
	       getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) == 0 && type == SOCK_SEQPACKET;
}

static void send_gone(int fd, const char *why)
{
	char text[GONE_MAX];
	size_t n = MIN(strlen(why), sizeof(text) - 1);
	int room = GONE_ROOM;

	/* The socket may be full, which is why its reader has to go: make room for one more message. */
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof(room));
	text[0] = SESSION_GONE;
	memcpy(text + 1, why, n);
	(void)send(fd, text, n + 1, MSG_DONTWAIT | MSG_NOSIGNAL);
}

void session_refuse(int fd, const char *why)
{
	if (fd >= 0 && is_seqpacket(fd))
		send_gone(fd, why);
	fd_close(&fd);
}

static bool has_input(const struct held *h)
{
	for (const struct session *s = h->sessions; s; s = s->next)
		if (s->input)
			return true;
	return false;
}

void session_drop(struct session *s)
{
	struct held *h = s->held;
	bool input = s->input;

	for (struct session **at = &h->sessions; *at; at = &(*at)->next)
		if (*at == s) {
			*at = s->next;
			break;
		}
	if (s->out.len)
		h->blocked--;
	loop_del_io(s->io);
	loop_del_timer(s->late);
	fd_close(&s->fd);
	free(s->out.bytes);
	free(s->in.bytes);
	free(s);
	if (input && !h->c.tty && !has_input(h))
		stream_close(h, PORT_IN);
	stream_watch(h);
	held_try_free(h);
}

void session_gone(struct session *s, const char *why)
{
	send_gone(s->fd, why);
	session_drop(s);
}

static void session_late(void *arg)
{
	struct session *s = arg;

	s->late = NULL;
	session_gone(s, "output was not read for ten seconds");
}

/* Returns whether the session still lives. */
static bool flush_output(struct session *s)
{
	ssize_t w = send(s->fd, s->out.bytes, s->out.len, MSG_DONTWAIT | MSG_NOSIGNAL);

	if (w < 0 && errno == EAGAIN)
		return true;
	if (w < 0 || s->last) {
		session_drop(s);
		return false;
	}
	free(s->out.bytes);
	s->out = (struct chunk){ 0 };
	loop_del_timer(s->late);
	s->late = NULL;
	s->held->blocked--;
	stream_watch(s->held);
	return true;
}

static void hold_output(struct session *s, const void *p, size_t n)
{
	s->out = (struct chunk){ mem_dup(p, n), 0, (uint32_t)n };
	s->late = loop_add_timer(s->held->k->loop, LATE_MS, session_late, s);
	s->held->blocked++;
	session_watch(s);
}

void session_send(struct session *s, const void *p, size_t n)
{
	if (s->out.len)
		return;
	if (send(s->fd, p, n, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0) {
		if (s->last)
			session_drop(s);
		return;
	}
	if (errno != EAGAIN)
		session_drop(s);
	else
		hold_output(s, p, n);
}

static int input_fd(const struct held *h)
{
	return h->port[h->c.tty ? PORT_OUT : PORT_IN].fd;
}

bool session_flush_input(struct session *s)
{
	struct chunk *in = &s->in;
	int fd = input_fd(s->held);
	ssize_t w;

	while (in->len > in->at && fd >= 0) {
		w = write(fd, in->bytes + in->at, in->len - in->at);
		if (w < 0 && errno == EAGAIN)
			return false;
		/* Nobody reads it any more. */
		if (w <= 0)
			break;
		in->at += (uint32_t)w;
	}
	free(in->bytes);
	*in = (struct chunk){ 0 };
	session_watch(s);
	return true;
}

static void take_input(struct session *s, const uint8_t *p, size_t n)
{
	int fd = s->input ? input_fd(s->held) : -1;
	ssize_t w = fd < 0 ? (ssize_t)n : write(fd, p, n);

	if (w < 0 && errno != EAGAIN) {
		/* EPIPE: the program closed its stdin. A console without a reader says EIO for now only. */
		if (!s->held->c.tty)
			stream_close(s->held, PORT_IN);
		return;
	}
	w = MAX(w, 0);
	if ((size_t)w == n)
		return;
	s->in = (struct chunk){ mem_dup(p + w, n - (size_t)w), 0, (uint32_t)(n - (size_t)w) };
	session_watch(s);
	stream_watch(s->held);
}

static void take_message(struct session *s, const uint8_t *p, size_t n)
{
	struct session_size size;

	switch (p[0]) {
	case SESSION_IN:
		if (n > 1)
			take_input(s, p + 1, n - 1);
		break;
	case SESSION_IN_EOF:
		if (s->input && !s->held->c.tty)
			stream_close(s->held, PORT_IN);
		break;
	case SESSION_SIZE:
		if (n < 1 + sizeof(size))
			break;
		memcpy(&size, p + 1, sizeof(size));
		stream_resize(s->held, size.rows, size.cols);
		break;
	default: /* of a newer client */
		break;
	}
}

static void receive(struct session *s)
{
	struct keeper *k = s->held->k;
	/* Descriptors sent along are dropped by the kernel: there is no room for them. */
	ssize_t n = recv(s->fd, k->buf, sizeof(k->buf), MSG_DONTWAIT | MSG_TRUNC);

	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0)
		session_drop(s);
	else if ((size_t)n > sizeof(k->buf))
		session_gone(s, "message too long");
	else
		take_message(s, k->buf, (size_t)n);
}

/* Its client is gone. One such is enough for a program that does not read: more would fill our descriptors. */
static void leave_input(struct session *s)
{
	for (const struct session *t = s->held->sessions; t; t = t->next) {
		if (t == s || !t->left)
			continue;
		session_drop(s);
		return;
	}
	s->left = true;
}

static void session_ready(void *arg, uint32_t events)
{
	struct session *s = arg;

	if (s->out.len && events & ~(uint32_t)EPOLLIN && !flush_output(s))
		return;
	if (s->in.len && events & (EPOLLHUP | EPOLLERR))
		leave_input(s);
	else if (!s->in.len && events & (EPOLLIN | EPOLLHUP | EPOLLERR))
		receive(s);
}

/*
 * A client that waits for its input to be taken is watched for its end only, which is told once: what it sent
 * before it went is still to be delivered.
 */
void session_watch(struct session *s)
{
	uint32_t want = (s->in.len ? EPOLLET : EPOLLIN) | (s->out.len ? EPOLLOUT : 0);

	if (loop_set_io(s->io, want) < 0)
		loop_set_io(s->io, 0);
}

void session_attach(struct held *h, int fd, bool input)
{
	struct session *s;

	if (fd < 0 || !is_seqpacket(fd)) {
		fd_close(&fd);
		return;
	}
	s = mem_alloc(sizeof(*s));
	*s = (struct session){ .next = h->sessions, .held = h, .fd = fd };
	s->io = loop_add_io(h->k->loop, fd, EPOLLIN, session_ready, s);
	if (!s->io) {
		free(s);
		session_refuse(fd, "too many open files");
		return;
	}
	/* A console's master may come later. */
	s->input = input && (h->c.tty || h->port[PORT_IN].fd >= 0);
	h->sessions = s;
}

void session_resume(struct held *h, bool last, struct chunk out, struct chunk in)
{
	struct session *s = h->sessions;

	if (!s)
		return;
	s->last = last;
	if (in.len) {
		s->in = (struct chunk){ mem_dup(in.bytes, in.len), 0, in.len };
		session_watch(s);
	}
	if (out.len)
		hold_output(s, out.bytes, out.len);
}
