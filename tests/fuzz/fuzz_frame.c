/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A datagram from a stranger, followed by one of ours: the second must arrive whatever the first was. */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include "lib/base/fd.h"
#include "lib/base/frame.h"

#define MAGIC 0x414e0001

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void receive(int s, const uint8_t *data, size_t size)
{
	struct frame f;
	struct error err;
	int r = frame_recv(s, MAGIC, &f, MSG_DONTWAIT);

	if (r == 1) {
		if (f.len != size - sizeof(f.head) || memcmp(f.body, data + sizeof(f.head), f.len) != 0)
			abort();
		/* An error is the body that travels most. */
		if (frame_body(&f, sizeof(err))) {
			memcpy(&err, f.body, sizeof(err));
			err_sanitize(&err);
			if (strnlen(err.text, sizeof(err.text)) == sizeof(err.text) || err.code > 0)
				abort();
		}
	} else if (r != -EPROTO) {
		abort();
	}
	frame_done(&f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct frame f;
	int s[2];

	/* An empty datagram cannot be told from the end. */
	if (!size || size > 65536)
		return 0;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, s) < 0)
		abort();
	if (send(s[0], data, size, MSG_DONTWAIT) == (ssize_t)size)
		receive(s[1], data, size);
	if (frame_send(s[0], MAGIC, 5, 6, "body", 4, NULL, 0) < 0 || frame_recv(s[1], MAGIC, &f, MSG_DONTWAIT) != 1 ||
	    f.head.seq != 6)
		abort();
	frame_done(&f);
	fd_close(&s[0]);
	fd_close(&s[1]);
	return 0;
}
