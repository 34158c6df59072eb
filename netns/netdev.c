/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "lib/base/fd.h"
#include "lib/base/mem.h"
#include "lib/base/proc.h"
#include "netns/netdev.h"

#define REPLY_MAX                                                                                            \
	32768 /* a part of a dump; the kernel makes none above this without being asked (netlink(7)) */

/* ---- messages: one at a time, each with an answer ---- */

struct request {
	struct nlmsghdr head __attribute__((aligned(NLMSG_ALIGNTO)));
	char body[512];
};

static void request_begin(struct request *q, uint16_t type, uint16_t flags, const void *body, size_t n)
{
	memset(q, 0, sizeof(*q));
	q->head = (struct nlmsghdr){.nlmsg_len = (uint32_t)NLMSG_LENGTH(n),
				    .nlmsg_type = type,
				    .nlmsg_flags = NLM_F_REQUEST | flags,
				    .nlmsg_seq = 1};
	memcpy(NLMSG_DATA(&q->head), body, n);
}

/* All that is put has a small bound: names, addresses, numbers. */
static void request_put(struct request *q, uint16_t type, const void *p, size_t n)
{
	struct rtattr *a = (struct rtattr *)((char *)q + NLMSG_ALIGN(q->head.nlmsg_len));

	a->rta_type = type;
	a->rta_len = (uint16_t)RTA_LENGTH(n);
	memcpy(RTA_DATA(a), p, n);
	q->head.nlmsg_len = (uint32_t)(NLMSG_ALIGN(q->head.nlmsg_len) + RTA_ALIGN(a->rta_len));
}

static void request_put_u32(struct request *q, uint16_t type, uint32_t v)
{
	request_put(q, type, &v, sizeof(v));
}

typedef int take_answer(const struct nlmsghdr *h, void *ctx);

/* 1: the answer is complete. */
static int take_one(const struct nlmsghdr *h, take_answer *take, void *ctx)
{
	if (h->nlmsg_type == NLMSG_ERROR) {
		const struct nlmsgerr *e = NLMSG_DATA(h);

		if (h->nlmsg_len < NLMSG_LENGTH(sizeof(*e)))
			return -EPROTO;
		return e->error < 0 ? e->error : 1;
	}
	if (h->nlmsg_type == NLMSG_DONE)
		return 1;
	return take ? take(h, ctx) : 0;
}

static int take_part(const void *buf, size_t n, take_answer *take, void *ctx)
{
	const struct nlmsghdr *h = buf;
	int r = 0;

	for (; r == 0 && NLMSG_OK(h, n); h = NLMSG_NEXT(h, n)) {
		r = take_one(h, take, ctx);
		/* Disturbed by a change: what has come may miss one. */
		if (r >= 0 && h->nlmsg_flags & NLM_F_DUMP_INTR)
			return -EAGAIN;
	}
	return r;
}

static int ask_once(int sock, const struct request *q, take_answer *take, void *ctx)
{
	auto_free char *buf = mem_alloc(REPLY_MAX);
	int r = 0;

	if (send(sock, q, q->head.nlmsg_len, 0) < 0)
		return -errno;
	while (r == 0) {
		ssize_t n = recv(sock, buf, REPLY_MAX, MSG_TRUNC);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n > REPLY_MAX)
			return -EMSGSIZE;
		r = take_part(buf, (size_t)n, take, ctx);
	}
	return r < 0 ? r : 0;
}

static int tell(int sock, struct request *q)
{
	q->head.nlmsg_flags |= NLM_F_ACK;
	return ask_once(sock, q, NULL, NULL);
}

static const struct rtattr *find_attr(const struct nlmsghdr *h, size_t head, uint16_t type, size_t least)
{
	const struct rtattr *a = (const struct rtattr *)((const char *)NLMSG_DATA(h) + NLMSG_ALIGN(head)),
			    *found = NULL;
	size_t n = h->nlmsg_len > NLMSG_SPACE(head) ? h->nlmsg_len - NLMSG_SPACE(head) : 0;

	for (; RTA_OK(a, n); a = RTA_NEXT(a, n))
		if ((a->rta_type & NLA_TYPE_MASK) == type && RTA_PAYLOAD(a) >= least)
			found = a;
	return found;
}

/* ---- links ---- */

struct link {
	int index;
	unsigned flags;
	char name[IFNAMSIZ];
};

static int take_link(const struct nlmsghdr *h, void *ctx)
{
	const struct ifinfomsg *m = NLMSG_DATA(h);
	const struct rtattr *name = find_attr(h, sizeof(*m), IFLA_IFNAME, 1);
	struct link *l = ctx;

	if (h->nlmsg_type != RTM_NEWLINK || h->nlmsg_len < NLMSG_LENGTH(sizeof(*m)))
		return 0;
	*l = (struct link){.index = m->ifi_index, .flags = m->ifi_flags};
	if (name)
		snprintf(l->name, sizeof(l->name), "%.*s", (int)RTA_PAYLOAD(name),
			 (const char *)RTA_DATA(name));
	return 0;
}

static int link_find(int sock, const char *name, int index, struct link *ret)
{
	struct ifinfomsg m = {.ifi_index = index};
	struct request q;

	request_begin(&q, RTM_GETLINK, NLM_F_ACK, &m, sizeof(m));
	if (name)
		request_put(&q, IFLA_IFNAME, name, strlen(name) + 1);
	return ask_once(sock, &q, take_link, ret);
}

static int link_rename(int sock, int index, const char *name)
{
	struct ifinfomsg m = {.ifi_index = index};
	struct request q;

	request_begin(&q, RTM_NEWLINK, 0, &m, sizeof(m));
	request_put(&q, IFLA_IFNAME, name, strlen(name) + 1);
	return tell(sock, &q);
}

static int link_up(int sock, int index)
{
	struct ifinfomsg m = {.ifi_index = index, .ifi_flags = IFF_UP, .ifi_change = IFF_UP};
	struct request q;

	request_begin(&q, RTM_NEWLINK, 0, &m, sizeof(m));
	return tell(sock, &q);
}

/* In one message, so that the old name need not be free there. The kernel takes the device down for the move.
 */
static int link_send(int sock, int index, int netns, const char *name)
{
	struct ifinfomsg m = {.ifi_index = index};
	struct request q;

	request_begin(&q, RTM_NEWLINK, 0, &m, sizeof(m));
	request_put(&q, IFLA_IFNAME, name, strlen(name) + 1);
	request_put_u32(&q, IFLA_NET_NS_FD, (uint32_t)netns);
	return tell(sock, &q);
}

/* ---- addresses ---- */

struct addr_list {
	int index;
	struct netdev_addr *v;
	size_t n;
};

static size_t addr_size(uint8_t family)
{
	return family == AF_INET ? 4 : family == AF_INET6 ? 16 : 0;
}

static bool goes_along(const struct ifaddrmsg *m, uint32_t flags, const struct addr_list *l)
{
	return (int)m->ifa_index == l->index && m->ifa_scope == RT_SCOPE_UNIVERSE &&
	       flags & IFA_F_PERMANENT && addr_size(m->ifa_family);
}

static void read_addr(const struct nlmsghdr *h, uint32_t flags, struct netdev_addr *ret)
{
	const struct ifaddrmsg *m = NLMSG_DATA(h);
	size_t size = addr_size(m->ifa_family);
	const struct rtattr *address = find_attr(h, sizeof(*m), IFA_ADDRESS, size),
			    *local = find_attr(h, sizeof(*m), IFA_LOCAL, size),
			    *broadcast = find_attr(h, sizeof(*m), IFA_BROADCAST, 4);

	*ret = (struct netdev_addr){.family = m->ifa_family,
				    .prefix = m->ifa_prefixlen,
				    .flags = flags & (IFA_F_NODAD | IFA_F_NOPREFIXROUTE)};
	if (local)
		memcpy(ret->local, RTA_DATA(local), size);
	else if (address)
		memcpy(ret->local, RTA_DATA(address), size);
	/* Of a point-to-point device; else both are the same. */
	if (local && address && memcmp(RTA_DATA(local), RTA_DATA(address), size) != 0) {
		ret->has_peer = true;
		memcpy(ret->peer, RTA_DATA(address), size);
	}
	if (m->ifa_family == AF_INET && broadcast) {
		ret->has_broadcast = true;
		memcpy(ret->broadcast, RTA_DATA(broadcast), 4);
	}
}

static int take_addr(const struct nlmsghdr *h, void *ctx)
{
	struct addr_list *l = ctx;
	const struct ifaddrmsg *m = NLMSG_DATA(h);
	const struct rtattr *wide;
	uint32_t flags;

	if (h->nlmsg_type != RTM_NEWADDR || h->nlmsg_len < NLMSG_LENGTH(sizeof(*m)))
		return 0;
	wide = find_attr(h, sizeof(*m), IFA_FLAGS, sizeof(flags));
	flags = m->ifa_flags;
	if (wide)
		memcpy(&flags, RTA_DATA(wide), sizeof(flags));
	if (!goes_along(m, flags, l))
		return 0;
	if (l->n == NETDEV_ADDRS_MAX)
		return -E2BIG;
	l->v = mem_realloc_n(l->v, l->n + 1, sizeof(*l->v));
	read_addr(h, flags, &l->v[l->n++]);
	return 0;
}

static int addrs_of(int sock, int index, struct netdev *d)
{
	struct ifaddrmsg m = {0};
	struct addr_list l = {.index = index};
	struct request q;
	int r = -EAGAIN;

	request_begin(&q, RTM_GETADDR, NLM_F_DUMP, &m, sizeof(m));
	for (int tries = 0; r == -EAGAIN && tries < 10; tries++) {
		l.n = 0;
		r = ask_once(sock, &q, take_addr, &l);
	}
	if (r < 0) {
		free(l.v);
		return r;
	}
	d->addrs = l.v;
	d->n_addrs = l.n;
	return 0;
}

static int addr_add(int sock, int index, const struct netdev_addr *a)
{
	struct ifaddrmsg m = {.ifa_family = a->family,
			      .ifa_prefixlen = a->prefix,
			      .ifa_scope = RT_SCOPE_UNIVERSE,
			      .ifa_index = (uint32_t)index};
	struct request q;
	size_t size = addr_size(a->family);
	int r;

	request_begin(&q, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, &m, sizeof(m));
	request_put(&q, IFA_LOCAL, a->local, size);
	request_put(&q, IFA_ADDRESS, a->has_peer ? a->peer : a->local, size);
	if (a->has_broadcast)
		request_put(&q, IFA_BROADCAST, a->broadcast, 4);
	request_put_u32(&q, IFA_FLAGS, a->flags);
	r = tell(sock, &q);
	/* Where the kernel keeps them over a move. */
	return r == -EEXIST ? 0 : r;
}

static int addrs_add(int sock, int index, const struct netdev *d)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < d->n_addrs; i++)
		r = addr_add(sock, index, &d->addrs[i]);
	return r;
}

/* ---- both namespaces ---- */

static int rtnetlink_socket(void)
{
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);

	return fd < 0 ? -errno : fd;
}

/* In a child that shares the descriptors alone: it puts the socket in the place of `place`. */
_Noreturn static void make_socket_there(int netns, int place)
{
	int s;

	if (setns(netns, CLONE_NEWNET) < 0)
		_exit(errno);
	s = rtnetlink_socket();
	if (s < 0)
		_exit(-s);
	_exit(dup3(s, place, O_CLOEXEC) < 0 ? errno : 0);
}

/* A socket stays in the namespace that it was made in. Made by a child, so that the caller never leaves its
 * own. */
static int socket_there(int netns)
{
	const struct proc_clone clone = {.flags = CLONE_FILES, .exit_signal = SIGCHLD, .cgroup_fd = -1};
	auto_fd int place = fcntl(netns, F_DUPFD_CLOEXEC, 3);
	int status = 0;
	pid_t pid;

	if (place < 0)
		return -errno;
	pid = proc_clone3(&clone);
	if (pid == 0)
		make_socket_there(netns, place);
	if (pid < 0)
		return pid;
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	if (!WIFEXITED(status) || WEXITSTATUS(status))
		return WIFEXITED(status) ? -WEXITSTATUS(status) : -EINTR;
	return fd_steal(&place);
}

static bool same_namespace(int a, int b)
{
	struct stat x, y;

	return fstat(a, &x) == 0 && fstat(b, &y) == 0 && x.st_ino == y.st_ino && x.st_dev == y.st_dev;
}

int netdev_road_open(int netns, struct netdev_road *ret, struct error *err)
{
	auto_fd int home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC), there = fd_dup(netns),
		    home_sock = -1, there_sock = -1;

	if (home < 0)
		return err_sys(err, -errno, "open the own network namespace");
	if (there < 0)
		return err_sys(err, there, "keep the network namespace");
	if (same_namespace(home, there))
		return err_set_kind(err, -EINVAL, ERR_USAGE,
				    "the network namespace is the one that the device is in");
	home_sock = rtnetlink_socket();
	if (home_sock < 0)
		return err_sys(err, home_sock, "make a rtnetlink socket");
	there_sock = socket_there(there);
	if (there_sock < 0)
		return err_sys(err, there_sock, "enter the network namespace");
	*ret = (struct netdev_road){fd_steal(&home), fd_steal(&there), fd_steal(&home_sock),
				    fd_steal(&there_sock)};
	return 0;
}

void netdev_road_done(struct netdev_road *r)
{
	fd_close(&r->home);
	fd_close(&r->there);
	fd_close(&r->home_sock);
	fd_close(&r->there_sock);
}

/* ---- the move ---- */

static int check_name(const struct netdev_road *r, const char *name, struct error *err)
{
	const char *mark = strchr(name, '%');
	struct link taken = {0};
	size_t n = strlen(name);
	int x;

	if (!n || n >= IFNAMSIZ || (mark && (mark[1] != 'd' || strchr(mark + 1, '%'))))
		return err_set_kind(err, -EINVAL, ERR_USAGE, "\"%.32s\" is no name of a network device",
				    name);
	if (mark)
		return 0;
	x = link_find(r->there_sock, name, 0, &taken);
	if (x == -ENODEV)
		return 0;
	return x < 0 ? err_sys(err, x, "look for %s in the container's network namespace", name)
		     : err_set_kind(err, -EEXIST, ERR_STATE,
				    "the container's network namespace has a device %s", name);
}

static int find_device(const struct netdev_road *r, const char *name, struct link *ret, struct error *err)
{
	int x = strlen(name) < IFNAMSIZ ? link_find(r->home_sock, name, 0, ret) : -ENODEV;

	if (x == -ENODEV)
		return err_set_kind(err, x, ERR_NOT_FOUND, "no such network device");
	if (x < 0)
		return err_sys(err, x, "look for the device");
	if (ret->flags & IFF_LOOPBACK)
		return err_set_kind(err, -EINVAL, ERR_USAGE, "the loopback device stays in its namespace");
	return 0;
}

/* The index may be another one there. A number in the name is given when it is there, since it is only known
 * then. */
static int send_and_find(const struct netdev_road *r, const struct link *l, const char *name,
			 struct netdev *d, struct error *err)
{
	char passing[IFNAMSIZ];
	struct link at = {0};
	int x;

	snprintf(passing, sizeof(passing), "%s", name);
	if (strchr(name, '%'))
		snprintf(passing, sizeof(passing), "mv%d", l->index);
	x = link_send(r->home_sock, l->index, r->there, passing);
	if (x < 0) {
		/* The namespace is changed before the name: a name that is refused does not keep it here. */
		if (link_find(r->there_sock, l->name, 0, &at) == 0 &&
		    link_find(r->home_sock, l->name, 0, &(struct link){0}) == -ENODEV)
			d->index = at.index;
		return err_sys(err, x, "move it to the container's network namespace");
	}
	x = link_find(r->there_sock, passing, 0, &at);
	if (x < 0)
		return err_sys(err, x, "find it in the container's network namespace");
	d->index = at.index;
	x = strchr(name, '%') ? link_rename(r->there_sock, at.index, name) : 0;
	return x < 0 ? err_sys(err, x, "name it %s", name) : 0;
}

static int move_found(const struct netdev_road *r, const struct link *l, const char *name, struct netdev *d,
		      struct error *err)
{
	/* Before the move: going down flushes those of IPv6. */
	int x = addrs_of(r->home_sock, l->index, d);

	if (x < 0)
		return err_sys(err, x, "read its addresses");
	x = send_and_find(r, l, name, d, err);
	if (x < 0)
		return x;
	x = addrs_add(r->there_sock, d->index, d);
	if (x < 0)
		return err_sys(err, x, "give it its addresses in the container");
	x = link_up(r->there_sock, d->index);
	return x < 0 ? err_sys(err, x, "set it up in the container") : 0;
}

int netdev_move(const struct netdev_road *r, const char *name, const char *rename, struct netdev *ret,
		struct error *err)
{
	struct netdev d = {0};
	struct link l = {0};
	int x = find_device(r, name, &l, err);

	if (x == 0)
		x = check_name(r, rename ?: name, err);
	if (x < 0)
		return x;
	snprintf(d.home_name, sizeof(d.home_name), "%s", l.name);
	d.up = l.flags & IFF_UP;
	x = move_found(r, &l, rename ?: name, &d, err);
	if (x < 0) {
		if (d.index)
			netdev_return(r, &d, NULL);
		netdev_done(&d);
		return x;
	}
	*ret = d;
	return 0;
}

int netdev_return(const struct netdev_road *r, const struct netdev *d, struct error *err)
{
	struct link l = {0};
	int x = link_send(r->there_sock, d->index, r->home, d->home_name);

	if (x < 0)
		return err_sys(err, x, "move %s back", d->home_name);
	x = link_find(r->home_sock, d->home_name, 0, &l);
	if (x == 0)
		x = addrs_add(r->home_sock, l.index, d);
	if (x == 0 && d->up)
		x = link_up(r->home_sock, l.index);
	return x < 0 ? err_sys(err, x, "%s is back, but not as it was", d->home_name) : 0;
}

void netdev_done(struct netdev *d)
{
	free(d->addrs);
	*d = (struct netdev){0};
}
