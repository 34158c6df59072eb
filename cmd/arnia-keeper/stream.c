/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Output of a held process to its log and its sessions, their input to it. One read per turn of the loop and
 * a bounded rate: who floods is slowed by its own full pipe, and nobody else is.
 */
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include "cmd/arnia-keeper/keeper.h"
#include "lib/base/fd.h"
#include "lib/base/time.h"

#define WINDOW_MS 100
#define WINDOW_BYTES (16u << 20) /* 160 MB/s: a third of what the keeper can move on one processor */

static void port_ready(void *arg, uint32_t events);

static bool is_paused(const struct held *h)
{
	return h->blocked || h->resting || h->exited;
}

static bool input_waits(const struct held *h)
{
	for (const struct session *s = h->sessions; s; s = s->next)
		if (s->in.len)
			return true;
	return false;
}

static void port_set(struct held *h, int which, uint32_t want)
{
	struct port *p = &h->port[which];
	bool failed;

	if (p->fd < 0)
		return;
	/*
	 * A console whose program closed it, to open it again, is "hung up" meanwhile, which a
	 * level-triggered wait would report for ever. Data that comes later is a new edge.
	 */
	if (want && h->c.tty)
		want |= EPOLLET;
	if (p->io) {
		failed = loop_set_io(p->io, want) < 0;
	} else {
		p->io = want ? loop_add_io(h->k->loop, p->fd, want, port_ready, p) : NULL;
		failed = want && !p->io;
	}
	if (failed)
		stream_close(h, which);
}

static void settle(void *arg);

void stream_watch(struct held *h)
{
	uint32_t in = is_paused(h) ? 0 : EPOLLIN, out = input_waits(h) ? EPOLLOUT : 0;

	port_set(h, PORT_OUT, in | (h->c.tty ? out : 0));
	port_set(h, PORT_ERR, in);
	port_set(h, PORT_IN, h->c.tty ? 0 : out);
	if (h->exited && !h->starting && !h->done && !h->settling && !h->blocked) {
		h->settling = true;
		loop_defer(h->k->loop, settle, h);
	}
}

void stream_open(struct held *h, int which, int fd)
{
	if (fd < 0)
		return;
	fd_nonblock(fd, true);
	stream_close(h, which);
	h->port[which].fd = fd;
}

void stream_close(struct held *h, int which)
{
	struct port *p = &h->port[which];

	loop_del_io(p->io);
	p->io = NULL;
	fd_close(&p->fd);
	/* What waits for it never will be taken: read those clients again. */
	if (which == (h->c.tty ? PORT_OUT : PORT_IN))
		stream_input(h);
}

void stream_input(struct held *h)
{
	struct session *next;

	for (struct session *s = h->sessions; s; s = next) {
		next = s->next;
		if (s->in.len && !session_flush_input(s))
			return;
	}
}

void stream_resize(struct held *h, uint16_t rows, uint16_t cols)
{
	struct winsize size = { .ws_row = rows, .ws_col = cols };

	if (h->c.tty && rows && cols && h->port[PORT_OUT].fd >= 0)
		(void)ioctl(h->port[PORT_OUT].fd, TIOCSWINSZ, &size);
}

static void rested(void *arg)
{
	struct held *h = arg;

	h->timer = NULL;
	h->resting = false;
	stream_watch(h);
}

static void meter(struct held *h, size_t n)
{
	uint64_t now = time_mono_ms();

	if (now - h->window_ms >= WINDOW_MS) {
		h->window_ms = now;
		h->window_bytes = 0;
	}
	h->window_bytes += (uint32_t)n;
	if (h->window_bytes < WINDOW_BYTES || h->timer)
		return;
	h->resting = true;
	h->timer = loop_add_timer(h->k->loop, h->window_ms + WINDOW_MS - now, rested, h);
	stream_watch(h);
}

/* One bounded read, passed on. Its size, 0 when nothing is there now. */
static size_t port_read(struct held *h, int which)
{
	struct keeper *k = h->k;
	struct session *next;
	ssize_t n = read(h->port[which].fd, k->buf + 1, SESSION_DATA);

	if (n <= 0) {
		/* After the end whoever still holds a pipe open is no part of it. EIO: see port_set. */
		if (n == 0 || h->exited || (errno != EAGAIN && !(errno == EIO && h->c.tty)))
			stream_close(h, which);
		return 0;
	}
	log_append(h, which == PORT_ERR ? 2 : 1, k->buf + 1, (size_t)n);
	k->buf[0] = which == PORT_ERR ? SESSION_ERR : SESSION_OUT;
	for (struct session *s = h->sessions; s; s = next) {
		next = s->next;
		session_send(s, k->buf, (size_t)n + 1);
	}
	return (size_t)n;
}

static void port_ready(void *arg, uint32_t events)
{
	struct port *p = arg;
	struct held *h = p->held;
	int which = (int)(p - h->port);
	size_t n;

	if (which == (h->c.tty ? PORT_OUT : PORT_IN) && events & (EPOLLOUT | EPOLLHUP | EPOLLERR)) {
		stream_input(h);
		stream_watch(h);
	}
	if (which == PORT_IN || p->fd < 0 || is_paused(h) || !(events & (EPOLLIN | EPOLLHUP | EPOLLERR)))
		return;
	n = port_read(h, which);
	if (!n)
		return;
	meter(h, n);
	/* More may be there, which is no new edge. */
	if (h->c.tty && p->io) {
		loop_set_io(p->io, 0);
		stream_watch(h);
	}
}

static void finish(struct held *h)
{
	struct session_exit x = { h->code, h->status };
	uint8_t text[1 + sizeof(x)] = { SESSION_EXIT };
	struct session *next;

	memcpy(text + 1, &x, sizeof(x));
	/* Dropping a session looks whether there is something to settle. */
	h->settling = true;
	for (struct session *s = h->sessions; s; s = next) {
		next = s->next;
		s->last = true;
		session_send(s, text, sizeof(text));
	}
	h->settling = false;
	h->done = true;
	service_check_idle(h->k);
	held_try_free(h);
}

static void settle(void *arg)
{
	struct held *h = arg;

	h->settling = false;
	for (int which = PORT_OUT; which <= PORT_ERR; which++)
		if (h->port[which].fd >= 0 && !h->blocked)
			port_read(h, which);
	if (h->port[PORT_OUT].fd >= 0 || h->port[PORT_ERR].fd >= 0)
		stream_watch(h);
	else if (!h->blocked)
		finish(h);
}

void stream_settle(struct held *h)
{
	stream_close(h, PORT_IN);
	stream_watch(h);
}
