/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Settings that are one system call each. */
#include <errno.h>
#include <linux/filter.h>
#include <linux/keyctl.h>
#include <linux/seccomp.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "lib/base/fd.h"
#include "lib/sandbox/procfs.h"
#include "lib/sandbox/sandbox.h"

int hostname_apply(const struct sandbox_config *c, struct error *err)
{
	if (c->hostname && sethostname(c->hostname, strlen(c->hostname)) < 0)
		return err_sys(err, -errno, "set the host name");
	return 0;
}

uint64_t sandbox_namespaces(const struct sandbox_config *c)
{
	uint64_t all = c->namespaces;

	for (size_t i = 0; i < c->joins.n; i++)
		all |= c->joins.v[i].ns;
	return all;
}

int domainname_apply(const struct sandbox_config *c, struct error *err)
{
	if (!c->domainname)
		return 0;
	if (!(sandbox_namespaces(c) & CLONE_NEWUTS))
		return err_set_kind(err, -EPERM, ERR_USAGE,
				    "domain name: the container has no uts namespace of its own");
	if (setdomainname(c->domainname, strlen(c->domainname)) < 0)
		return err_sys(err, -errno, "set the domain name");
	return 0;
}

/* The address 127.0.0.1 comes with it (netdevice(7)). */
int loopback_apply(const struct sandbox_config *c, struct error *err)
{
	struct ifreq lo = { .ifr_name = "lo" };
	auto_fd int fd = -1;

	if (!(c->namespaces & CLONE_NEWNET))
		return 0;
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || ioctl(fd, SIOCGIFFLAGS, &lo) < 0)
		return err_sys(err, -errno, "look at the loopback device");
	if (lo.ifr_flags & IFF_UP)
		return 0;
	lo.ifr_flags |= IFF_UP;
	return ioctl(fd, SIOCSIFFLAGS, &lo) < 0 ? err_sys(err, -errno, "set up the loopback device") : 0;
}

int oom_score_own(int32_t *ret)
{
	auto_fd int proc = procfs_open(NULL);
	char text[16];
	int r = proc < 0 ? proc : procfs_read(proc, "self/oom_score_adj", text, sizeof(text));

	if (r < 0)
		return r;
	*ret = (int32_t)strtol(text, NULL, 10);
	return 0;
}

int oom_score_apply(const struct sandbox_config *c, struct error *err)
{
	auto_fd int proc = -1;
	int32_t own;
	char text[16];

	if (c->oom_score_adj == INT32_MIN || (oom_score_own(&own) == 0 && own == c->oom_score_adj))
		return 0;
	proc = procfs_open(err);
	snprintf(text, sizeof(text), "%d", c->oom_score_adj);
	return proc < 0 ? proc : procfs_write(proc, "self/oom_score_adj", text, err);
}

int keyring_apply(const struct sandbox_config *c, struct error *err)
{
	/* ENOSYS: a kernel without keys has none to leak. */
	if (c->new_keyring && syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL) < 0 && errno != ENOSYS)
		return err_sys(err, -errno, "join a new session keyring");
	return 0;
}

int no_new_privs_apply(const struct sandbox_config *c, struct error *err)
{
	if (c->no_new_privs && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return err_sys(err, -errno, "set no_new_privs");
	return 0;
}

/* What the call answers: 0, a descriptor with NEW_LISTENER, or -errno. */
static long load(const struct sandbox_config *c, struct error *err)
{
	struct sock_fprog prog = {
		.len = (unsigned short)(c->seccomp_size / sizeof(struct sock_filter)),
		.filter = (struct sock_filter *)c->seccomp,
	};
	uint32_t flags = c->seccomp_flags;
	long r;

	if (c->seccomp_size == 0 || c->seccomp_size % sizeof(struct sock_filter) ||
	    c->seccomp_size / sizeof(struct sock_filter) > BPF_MAXINSNS)
		return err_set(err, -EINVAL, "seccomp: not a filter");
	/* Both answers in one: then a thread that cannot follow is ESRCH (seccomp(2)). */
	if (flags & SECCOMP_FILTER_FLAG_NEW_LISTENER && flags & SECCOMP_FILTER_FLAG_TSYNC)
		flags |= SECCOMP_FILTER_FLAG_TSYNC_ESRCH;
	r = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &prog);
	return r < 0 ? err_sys(err, -errno, "seccomp: load the filter") : r;
}

int filter_load(const struct sandbox_config *c, struct error *err)
{
	long r;

	if (!c->seccomp)
		return 0;
	if (c->seccomp_flags & SECCOMP_FILTER_FLAG_NEW_LISTENER)
		return err_set(err, -EINVAL, "seccomp: nobody takes the listener");
	r = load(c, err);
	/* With TSYNC: the thread that could not follow. */
	return r > 0 ? err_set(err, -EBUSY, "seccomp: thread %ld has a filter of its own", r) : (int)r;
}

int filter_load_listener(const struct sandbox_config *c, int *ret_fd, struct error *err)
{
	long r;

	if (c->seccomp && c->seccomp_flags & SECCOMP_FILTER_FLAG_NEW_LISTENER) {
		r = load(c, err);
		if (r < 0)
			return (int)r;
		*ret_fd = (int)r;
		return 0;
	}
	r = filter_load(c, err);
	if (r == 0)
		*ret_fd = -1;
	return (int)r;
}
