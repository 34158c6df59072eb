/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef ARNIA_BASE_SOCK_H
#define ARNIA_BASE_SOCK_H
/* AF_UNIX sockets, descriptors over them, credentials of the peer. */
#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/types.h>
#include "lib/base/error.h"

#define SOCK_MAX_FDS 16

/* Paths longer than sun_path (107 bytes) go through /proc/self/fd/DIRFD/NAME. type: SOCK_STREAM, SOCK_SEQPACKET or SOCK_DGRAM;
 * CLOEXEC and NONBLOCK are set. sock_listen binds a temporary name with `mode`, then renames over a stale socket:
 * a live one (connect succeeds) gives -EADDRINUSE. */
int sock_listen(const char *path, int type, mode_t mode, struct error *err);
int sock_connect(const char *path, int type, struct error *err); /* blocking socket */
/* One message with descriptors. Returns bytes sent or -errno; EINTR retried; MSG_NOSIGNAL. */
long sock_send_fds(int s, const void *p, size_t n, const int *fds, size_t nfds);
/* Receive one message/segment; received descriptors (CLOEXEC) into fds[0..*nfds), the rest -1. On entry *nfds is
 * the room; more than that, MSG_CTRUNC or (SEQPACKET) MSG_TRUNC: everything is closed and -EPROTO returned.
 * 0 = end of stream; all that the peer had sent comes before, also when it closed with something of ours unread. */
long sock_recv_fds(int s, void *p, size_t n, int *fds, size_t *nfds, int flags);
/* The same, but a message whose descriptors the kernel has dropped, since the process may have no more, is received without
 * any, and *ret_cut set. */
long sock_recv_cut(int s, void *p, size_t n, int *fds, size_t *nfds, int flags, bool *ret_cut);
struct sock_peer {
	pid_t pid;
	uid_t uid;
	gid_t gid;
};
int sock_peer(int s, struct sock_peer *ret); /* SO_PEERCRED, unix(7): as of connect time */
bool sock_peer_in_group(int s, gid_t gid); /* SO_PEERGROUPS and the primary group */

#endif
