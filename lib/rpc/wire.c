/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <string.h>
#include "lib/base/fd.h"
#include "lib/base/mem.h"
#include "lib/rpc/wire.h"

#define READ_MIN 4096 /* room for one read */

struct wire_chunk {
	struct wire_chunk *next;
	char *text;
	size_t len, sent;
	int fds[SOCK_MAX_FDS];
	size_t nfds;
};

/* Move what waits to the front, then make room. */
static void make_room(struct wire_in *in)
{
	if (in->start) {
		memmove(in->buf, in->buf + in->start, in->len - in->start);
		for (size_t i = 0; i < in->nfds; i++)
			in->fds[i].pos -= in->start;
		in->scanned -= in->start;
		in->len -= in->start;
		in->start = 0;
	}
	if (in->cap - in->len >= READ_MIN)
		return;
	in->cap = MAX(in->cap * 2, (size_t)READ_MIN * 2);
	in->buf = mem_realloc_n(in->buf, in->cap, 1);
}

/* Where the last message that has a byte before `end` begins. */
static size_t last_begin(const struct wire_in *in, size_t end)
{
	const char *nul =
		end - 1 > in->start ? memrchr(in->buf + in->start, '\0', end - 1 - in->start) : NULL;

	return nul ? (size_t)(nul - in->buf) + 1 : in->start;
}

static void keep_fds(struct wire_in *in, const int *fds, size_t nfds)
{
	size_t pos = last_begin(in, in->len);

	for (size_t i = 0; i < nfds; i++)
		in->fds[in->nfds++] = (struct wire_fd){ fds[i], pos };
}

long wire_read(struct wire_in *in, int fd, size_t max)
{
	int fds[SOCK_MAX_FDS];
	size_t nfds = MIN((size_t)SOCK_MAX_FDS, WIRE_FDS - in->nfds);
	long n;

	make_room(in);
	n = sock_recv_fds(fd, in->buf + in->len, in->cap - in->len, fds, &nfds, 0);
	if (n <= 0)
		return n;
	in->len += (size_t)n;
	keep_fds(in, fds, nfds);
	if (in->len - in->start > max &&
	    !memchr(in->buf + in->scanned, '\0', max + 1 - (in->scanned - in->start)))
		return -EMSGSIZE;
	return n;
}

/* Hand the descriptors of the message that ends before `end` over; more than one message may have: close
 * those. */
static void take_fds(struct wire_in *in, size_t end, struct wire_msg *m)
{
	size_t left = 0;

	for (size_t i = 0; i < in->nfds; i++) {
		if (in->fds[i].pos >= end)
			in->fds[left++] = in->fds[i];
		else if (m->nfds < SOCK_MAX_FDS)
			m->fds[m->nfds++] = in->fds[i].fd;
		else
			fd_close(&in->fds[i].fd);
	}
	in->nfds = left;
}

int wire_next(struct wire_in *in, struct wire_msg *ret)
{
	const char *nul =
		in->len > in->scanned ? memchr(in->buf + in->scanned, '\0', in->len - in->scanned) : NULL;
	size_t end;

	if (!nul) {
		in->scanned = in->len;
		return 0;
	}
	end = (size_t)(nul - in->buf) + 1;
	*ret = (struct wire_msg){ .text = in->buf + in->start, .len = end - 1 - in->start };
	take_fds(in, end, ret);
	in->start = in->scanned = end;
	return 1;
}

bool wire_has_partial(const struct wire_in *in)
{
	return in->len > in->start;
}

void wire_trim(struct wire_in *in)
{
	if (wire_has_partial(in))
		return;
	free(in->buf);
	in->buf = NULL;
	in->cap = in->start = in->len = in->scanned = 0;
}

void wire_in_done(struct wire_in *in)
{
	for (size_t i = 0; i < in->nfds; i++)
		fd_close(&in->fds[i].fd);
	free(in->buf);
	*in = (struct wire_in){ 0 };
}

void wire_msg_close_fds(struct wire_msg *m)
{
	for (size_t i = 0; i < m->nfds; i++)
		fd_close(&m->fds[i]);
	m->nfds = 0;
}

static void chunk_free(struct wire_chunk *c)
{
	for (size_t i = 0; i < c->nfds; i++)
		fd_close(&c->fds[i]);
	free(c->text);
	free(c);
}

/* 1 = all of it is out. */
static int chunk_send(struct wire_chunk *c, int fd)
{
	while (c->sent < c->len) {
		size_t nfds = c->sent ? 0 : c->nfds;
		long n = sock_send_fds(fd, c->text + c->sent, c->len - c->sent, c->fds, nfds);

		if (n == -EAGAIN)
			return 0;
		if (n < 0)
			return (int)n;
		c->sent += (size_t)n;
	}
	return 1;
}

static int chunk_own_fds(struct wire_chunk *c)
{
	if (c->sent)
		c->nfds = 0;
	for (size_t i = 0; i < c->nfds; i++) {
		int fd = fd_dup(c->fds[i]);

		if (fd < 0) {
			c->nfds = i;
			return fd;
		}
		c->fds[i] = fd;
	}
	return 0;
}

int wire_put(struct wire_out *out, int fd, char *text, const int *fds, size_t nfds)
{
	struct wire_chunk now = { .text = text, .len = strlen(text) + 1, .nfds = nfds }, *c;
	int r = 0;

	if (nfds > SOCK_MAX_FDS) {
		free(text);
		return -EINVAL;
	}
	if (nfds)
		memcpy(now.fds, fds, nfds * sizeof(*fds));
	if (!out->head)
		r = chunk_send(&now, fd);
	if (r != 0) {
		free(text);
		return MIN(r, 0);
	}
	c = mem_dup(&now, sizeof(now));
	r = chunk_own_fds(c);
	if (r < 0) {
		chunk_free(c);
		return r;
	}
	if (out->head)
		out->tail->next = c;
	else
		out->head = c;
	out->tail = c;
	out->queued += c->len - c->sent;
	return 0;
}

int wire_flush(struct wire_out *out, int fd)
{
	while (out->head) {
		struct wire_chunk *c = out->head;
		size_t before = c->sent;
		int r = chunk_send(c, fd);

		out->queued -= c->sent - before;
		if (r <= 0)
			return r;
		out->head = c->next;
		chunk_free(c);
	}
	return 1;
}

void wire_out_done(struct wire_out *out)
{
	while (out->head) {
		struct wire_chunk *c = out->head;

		out->head = c->next;
		chunk_free(c);
	}
	*out = (struct wire_out){ 0 };
}
