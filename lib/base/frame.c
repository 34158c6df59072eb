/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <string.h>
#include "lib/base/fd.h"
#include "lib/base/frame.h"
#include "lib/base/sock.h"

/* Received in one piece into head and body. */
_Static_assert(offsetof(struct frame, body) == sizeof(struct frame_head), "no hole between head and body");
_Static_assert(ARRAY_SIZE(((struct frame *)0)->fds) == SOCK_MAX_FDS, "as many as one message carries");

int frame_send(int s, uint32_t magic, uint32_t type, uint64_t seq, const void *body, size_t n, const int *fds,
	       size_t nfds)
{
	struct frame_head head = { magic, type, seq };
	_Alignas(8) uint8_t text[FRAME_MAX];
	long sent;

	if (n > FRAME_MAX - sizeof(head))
		return -EMSGSIZE;
	memcpy(text, &head, sizeof(head));
	if (n)
		memcpy(text + sizeof(head), body, n);
	sent = sock_send_fds(s, text, sizeof(head) + n, fds, nfds);
	return sent < 0 ? (int)sent : 0;
}

int frame_recv(int s, uint32_t magic, struct frame *f, int flags)
{
	size_t nfds = ARRAY_SIZE(f->fds);
	bool cut = false;
	long got;

	f->nfds = f->len = 0;
	got = sock_recv_cut(s, f, FRAME_MAX, f->fds, &nfds, flags, &cut);
	if (got <= 0)
		return (int)got;
	f->nfds = nfds;
	if ((size_t)got < sizeof(f->head) || f->head.magic != magic) {
		frame_done(f);
		return -EPROTO;
	}
	f->len = (size_t)got - sizeof(f->head);
	return cut ? -EMFILE : 1;
}

void frame_done(struct frame *f)
{
	for (size_t i = 0; i < f->nfds; i++)
		fd_close(&f->fds[i]);
	f->nfds = 0;
}

int frame_take_fd(struct frame *f, size_t i)
{
	return i < f->nfds ? fd_steal(&f->fds[i]) : -1;
}

const void *frame_body(const struct frame *f, size_t size)
{
	return f->len >= size ? f->body : NULL;
}
