/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef ARNIA_RPC_WIRE_H
#define ARNIA_RPC_WIRE_H
/*
 * Inside lib/rpc: messages on a stream socket, each ended by one NUL. Descriptors come with a message's first
 * byte: the sender gives each message that has some a sendmsg(2) of its own, and the kernel ends a read after
 * bytes that carried descriptors (unix(7)), so they belong to the last message begun in a read.
 */
#include <stdbool.h>
#include <stddef.h>
#include "lib/base/sock.h"

#define WIRE_FDS                                                                                             \
	(2 * SOCK_MAX_FDS) /* those of a message not yet complete, and of the one that ended the same read */

struct wire_fd {
	int fd;
	size_t pos; /* in buf: first byte of the message it came with */
};
struct wire_in {
	char *buf;
	size_t cap, start, len; /* [start, len) is not given out yet */
	size_t scanned;		/* [start, scanned) holds no NUL */
	struct wire_fd fds[WIRE_FDS];
	size_t nfds;
};
struct wire_msg {
	const char *text;      /* inside the buffer, until the next wire_read; no NUL inside */
	size_t len;	       /* without the NUL */
	int fds[SOCK_MAX_FDS]; /* the caller's */
	size_t nfds;
};
/* One recvmsg(2). Returns bytes read, 0 = end, -EAGAIN, -EMSGSIZE when a message is longer than `max`,
 * -EPROTO for too many descriptors. Only when no complete message waits. */
long wire_read(struct wire_in *in, int fd, size_t max);
/* 1 = a message, 0 = none complete. */
int wire_next(struct wire_in *in, struct wire_msg *ret);
bool wire_has_partial(const struct wire_in *in);
/* Give memory back when nothing waits. */
void wire_trim(struct wire_in *in);
void wire_in_done(struct wire_in *in);
void wire_msg_close_fds(struct wire_msg *m);

struct wire_chunk;
struct wire_out {
	struct wire_chunk *head, *tail;
	size_t queued; /* bytes */
};
/* Send now what the socket takes, queue the rest; descriptors are duplicated when queued. `text`
 * (malloc'ed, NUL-terminated) is taken. 0 or -errno of the socket. */
int wire_put(struct wire_out *out, int fd, char *text, const int *fds, size_t nfds);
/* 1 = all is out, 0 = the socket is full, -errno. */
int wire_flush(struct wire_out *out, int fd);
void wire_out_done(struct wire_out *out);

#endif
