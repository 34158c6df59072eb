/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>
#include <sys/socket.h>
#include "cmd/arnia-oci/engine.h"
#include "lib/base/fd.h"
#include "lib/base/sock.h"

int pidfd_send(const struct act *a, const char *name, struct error *err)
{
	const char *path = opt_get(a->call, "pidfd-socket");
	auto_fd int s = path ? sock_connect(path, SOCK_STREAM, err) : -1;
	long n;

	if (!path)
		return 0;
	if (s < 0)
		return err_prefix(err, "pidfd socket");
	n = sock_send_fds(s, name, strlen(name), &a->init.fd, 1);
	return n < 0 ? err_sys(err, (int)n, "pidfd socket %s: send the pidfd", path) : 0;
}
