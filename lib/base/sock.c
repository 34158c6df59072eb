/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include "lib/base/fd.h"
#include "lib/base/mem.h"
#include "lib/base/path.h"
#include "lib/base/sock.h"

union fd_control {
	struct cmsghdr head;
	char room[CMSG_SPACE(sizeof(int) * SOCK_MAX_FDS)];
};

/* A path as folder descriptor and last part. */
struct place {
	int dir;
	const char *name;
};

static void place_done(struct place *pl)
{
	fd_close(&pl->dir);
}

static int place_open(const char *path, struct place *ret)
{
	const char *slash = strrchr(path, '/');
	auto_free char *dir = slash ? str_dup_n(path, (size_t)(slash - path) + 1) : str_dup(".");
	int fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	*ret = (struct place){ fd, slash ? slash + 1 : path };
	return 0;
}

/* sun_path has 108 bytes: what does not fit is reached through the folder's descriptor. */
static int make_address(int dir, const char *name, struct sockaddr_un *ret)
{
	char proc[32];
	int n;

	*ret = (struct sockaddr_un){ .sun_family = AF_UNIX };
	n = snprintf(ret->sun_path, sizeof(ret->sun_path), "%s/%s", path_proc_fd(dir, proc), name);
	return n < 0 || (size_t)n >= sizeof(ret->sun_path) ? -ENAMETOOLONG : 0;
}

static int connect_at(int dir, const char *name, int type)
{
	auto_fd int s = -1;
	struct sockaddr_un a;
	int r = make_address(dir, name, &a);

	if (r < 0)
		return r;
	s = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
	if (s < 0 || connect(s, (struct sockaddr *)&a, sizeof(a)) < 0)
		return -errno;
	return fd_steal(&s);
}

/* 0 when the name is free or a socket nobody listens on. */
static int check_stale(int dir, const char *name, int type)
{
	auto_fd int s = -1;
	struct stat st;

	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISSOCK(st.st_mode))
		return -EEXIST;
	s = connect_at(dir, name, type | SOCK_NONBLOCK);
	return s == -ECONNREFUSED || s == -ENOENT ? 0 : -EADDRINUSE;
}

/* Listening before the name appears: whoever finds the socket can connect. */
static int listen_at(int dir, const char *name, const char *temp, int type, mode_t mode)
{
	auto_fd int s = -1;
	struct sockaddr_un a;
	mode_t mask;
	int r = make_address(dir, temp, &a);

	if (r < 0)
		return r;
	s = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (s < 0)
		return -errno;
	if (unlinkat(dir, temp, 0) < 0 && errno != ENOENT)
		return -errno;
	/* The mode of the name follows the socket's own (unix(7)), so the name, which others may have taken away by then, is not
	 * asked for again. */
	mask = umask(0);
	r = fchmod(s, mode) < 0 || bind(s, (struct sockaddr *)&a, sizeof(a)) < 0 ? -errno : 0;
	umask(mask);
	if (r < 0)
		return r;
	if ((type != SOCK_DGRAM && listen(s, SOMAXCONN) < 0) || renameat(dir, temp, dir, name) < 0) {
		r = -errno;
		unlinkat(dir, temp, 0);
		return r;
	}
	return fd_steal(&s);
}

int sock_listen(const char *path, int type, mode_t mode, struct error *err)
{
	cleanup(place_done) struct place pl = { -1, NULL };
	auto_free char *temp = NULL;
	int r = place_open(path, &pl);

	if (r == 0)
		r = check_stale(pl.dir, pl.name, type);
	if (r == 0) {
		temp = str_fmt(".%s.new", pl.name);
		r = listen_at(pl.dir, pl.name, temp, type, mode);
	}
	return r < 0 ? err_sys(err, r, "listen on %s", path) : r;
}

int sock_connect(const char *path, int type, struct error *err)
{
	cleanup(place_done) struct place pl = { -1, NULL };
	int r = place_open(path, &pl);

	if (r == 0)
		r = connect_at(pl.dir, pl.name, type);
	if (r == -ENOENT || r == -ECONNREFUSED) {
		err_sys(err, r, "connect to %s", path);
		if (err)
			err->kind = ERR_UNREACHABLE;
		return r;
	}
	return r < 0 ? err_sys(err, r, "connect to %s", path) : r;
}

long sock_send_fds(int s, const void *p, size_t n, const int *fds, size_t nfds)
{
	struct iovec iov = { .iov_base = (void *)p, .iov_len = n };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };
	union fd_control control;
	ssize_t sent;

	if (nfds > SOCK_MAX_FDS)
		return -EINVAL;
	if (nfds) {
		memset(&control, 0, sizeof(control));
		m.msg_control = &control;
		m.msg_controllen = CMSG_SPACE(sizeof(int) * nfds);
		control.head.cmsg_level = SOL_SOCKET;
		control.head.cmsg_type = SCM_RIGHTS;
		control.head.cmsg_len = CMSG_LEN(sizeof(int) * nfds);
		memcpy(CMSG_DATA(&control.head), fds, sizeof(int) * nfds);
	}
	do
		sent = sendmsg(s, &m, MSG_NOSIGNAL);
	while (sent < 0 && errno == EINTR);
	return sent < 0 ? -errno : sent;
}

/* Move the descriptors of one control message to fds; those without room are closed. */
static bool collect_fds(struct cmsghdr *c, int *fds, size_t room, size_t *have)
{
	size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
	bool fit = true;

	for (size_t i = 0; i < n; i++) {
		int fd;

		memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(fd));
		if (*have < room) {
			fds[(*have)++] = fd;
			continue;
		}
		close(fd);
		fit = false;
	}
	return fit;
}

long sock_recv_cut(int s, void *p, size_t n, int *fds, size_t *nfds, int flags, bool *ret_cut)
{
	struct iovec iov = { .iov_base = p, .iov_len = n };
	union fd_control control;
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control,
			    .msg_controllen = sizeof(control) };
	size_t room = nfds ? *nfds : 0, have = 0;
	bool fit = true;
	ssize_t got;

	for (size_t i = 0; i < room; i++)
		fds[i] = -1;
	/* That the peer closed with something unread is told once, and ahead of what it had sent. */
	do
		got = recvmsg(s, &m, flags | MSG_CMSG_CLOEXEC);
	while (got < 0 && (errno == EINTR || errno == ECONNRESET));
	if (got < 0)
		return -errno;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c))
		if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS)
			fit = collect_fds(c, fds, room, &have) && fit;
	/* There is always room for as many as a message can carry: it is the process that may have no more. */
	*ret_cut = m.msg_flags & MSG_CTRUNC;
	if (!fit || m.msg_flags & (MSG_CTRUNC | MSG_TRUNC)) {
		for (size_t i = 0; i < have; i++)
			fd_close(&fds[i]);
		have = 0;
	}
	if (!fit || m.msg_flags & MSG_TRUNC)
		return -EPROTO;
	if (nfds)
		*nfds = have;
	return got;
}

long sock_recv_fds(int s, void *p, size_t n, int *fds, size_t *nfds, int flags)
{
	bool cut = false;
	long got = sock_recv_cut(s, p, n, fds, nfds, flags, &cut);

	return cut && got >= 0 ? -EPROTO : got;
}

int sock_peer(int s, struct sock_peer *ret)
{
	struct ucred u;
	socklen_t len = sizeof(u);

	if (getsockopt(s, SOL_SOCKET, SO_PEERCRED, &u, &len) < 0)
		return -errno;
	*ret = (struct sock_peer){ u.pid, u.uid, u.gid };
	return 0;
}

bool sock_peer_in_group(int s, gid_t gid)
{
	auto_free gid_t *groups = NULL;
	struct sock_peer peer;
	socklen_t len = 0;

	if (sock_peer(s, &peer) < 0)
		return false;
	if (peer.gid == gid)
		return true;
	/* The first call only asks for the length; groups are fixed at connect time, so it does not change. */
	if (getsockopt(s, SOL_SOCKET, SO_PEERGROUPS, NULL, &len) == 0 || errno != ERANGE)
		return false;
	groups = mem_alloc(len);
	if (getsockopt(s, SOL_SOCKET, SO_PEERGROUPS, groups, &len) < 0)
		return false;
	for (size_t i = 0; i < len / sizeof(gid_t); i++)
		if (groups[i] == gid)
			return true;
	return false;
}
