/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef ARNIA_BASE_FRAME_H
#define ARNIA_BASE_FRAME_H
/* One small binary message per SEQPACKET datagram, inside arnia only (keeper, worker, guest). */
#include <stddef.h>
#include <stdint.h>
#include "lib/base/error.h"

#define FRAME_MAX 4096 /* header and body */

struct frame_head {
	uint32_t magic; /* protocol and version, see the protocol's header */
	uint32_t type;
	uint64_t seq; /* request number; replies repeat it */
};
/* Send head + body as one datagram. 0 or -errno. */
int frame_send(int s, uint32_t magic, uint32_t type, uint64_t seq, const void *body, size_t n, const int *fds,
	       size_t nfds);
struct frame {
	struct frame_head head;
	_Alignas(8) uint8_t body[FRAME_MAX - sizeof(struct frame_head)];
	size_t len; /* of body */
	int fds[16];
	size_t nfds;
};
/* Receive one; 1 = got it, 0 = end, -EAGAIN, -EPROTO for a wrong magic or size (descriptors closed), -EMFILE when
 * all is there but its descriptors, of which the process may have no more. */
int frame_recv(int s, uint32_t magic, struct frame *f, int flags);
void frame_done(struct frame *f); /* closes what is left in fds */
/* Take descriptor i out of the frame; -1 when absent. */
int frame_take_fd(struct frame *f, size_t i);
/* The body as a struct of `size` bytes (longer bodies of newer peers are fine, shorter: NULL). */
const void *frame_body(const struct frame *f, size_t size);

#endif
