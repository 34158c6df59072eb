/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef ARNIA_BASE_NOTIFY_H
#define ARNIA_BASE_NOTIFY_H
#include <stdbool.h>
/* sd_notify(3), "Notes": datagrams to the socket that NOTIFY_SOCKET names. */

/* A connected socket, close-on-exec and non-blocking; -ENOENT: the variable is not set, or nothing is there;
 * else -errno. AF_VSOCK is not spoken: -EAFNOSUPPORT. */
int notify_connect(void);
/* One message. Waits for room for at most 5 s: 0, -ETIMEDOUT or -errno. */
int notify_send(int s, const char *text);
/* Wait until the other side has taken all that was sent, for at most 5 s and as long for room
 * (sd_notify_barrier(3)): it looks up who has sent it, and needs to find him. 0, -ETIMEDOUT or -errno. */
int notify_barrier(int s);
/* Is `line` one of a message's? */
bool notify_has(const char *text, const char *line);

#endif
