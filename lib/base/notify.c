/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include "lib/base/fd.h"
#include "lib/base/notify.h"
#include "lib/base/sock.h"
#include "lib/base/str.h"

#define WAIT_MS 5000

int notify_connect(void)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	auto_fd int s = -1;
	size_t n = path ? strlen(path) : 0;

	if (!n)
		return -ENOENT;
	if (path[0] != '/' && path[0] != '@')
		return -EAFNOSUPPORT;
	if (n < 2 || n >= sizeof(a.sun_path))
		return -EINVAL;
	memcpy(a.sun_path, path, n);
	if (path[0] == '@')
		a.sun_path[0] = '\0';
	s = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (s < 0 ||
	    connect(s, (struct sockaddr *)&a, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n)) < 0)
		return -errno;
	return fd_steal(&s);
}

/* 1, 0 when the time is over, or -errno. */
static int wait_for(int fd, short what)
{
	struct pollfd p = { .fd = fd, .events = what };
	int r;

	do
		r = poll(&p, 1, WAIT_MS);
	while (r < 0 && errno == EINTR);
	return r < 0 ? -errno : r;
}

int notify_send(int s, const char *text)
{
	int r = wait_for(s, POLLOUT);

	if (r <= 0)
		return r < 0 ? r : -ETIMEDOUT;
	return send(s, text, strlen(text), MSG_NOSIGNAL) < 0 ? -errno : 0;
}

int notify_barrier(int s)
{
	static const char text[] = "BARRIER=1";
	int ends[2], r;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	r = wait_for(s, POLLOUT);
	if (r > 0)
		r = (int)sock_send_fds(s, text, sizeof(text) - 1, &ends[1], 1);
	close(ends[1]);
	if (r > 0)
		r = wait_for(ends[0], 0);
	close(ends[0]);
	return r < 0 ? r : r ? 0 : -ETIMEDOUT;
}

bool notify_has(const char *text, const char *line)
{
	size_t n = strlen(line);

	for (const char *at = text; at; at = strchr(at, '\n')) {
		at += *at == '\n';
		if (str_starts(at, line) && (!at[n] || at[n] == '\n'))
			return true;
	}
	return false;
}
