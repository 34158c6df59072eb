/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/rtnetlink.h>
#include <linux/sockios.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include "lib/base/failat.h"
#include "lib/base/fd.h"
#include "lib/base/file.h"
#include "netns/net.h"
#include "netns/rtnl.h"

int net_open(struct net_sockets *ret, struct error *err)
{
	auto_fd int route = nl_socket(NETLINK_ROUTE, err);
	auto_fd int nft = route < 0 ? -1 : nl_socket(NETLINK_NETFILTER, err);

	if (route < 0)
		return route;
	if (nft < 0)
		return nft;
	ret->route = fd_steal(&route);
	ret->nft = fd_steal(&nft);
	return 0;
}

void net_close(struct net_sockets *s)
{
	fd_close(&s->route);
	fd_close(&s->nft);
}

/* A route socket that belongs to `netns`: it keeps its namespace, so the caller is away for one system call
 * only. The way back is the namespace of our own socket (quicker than a look-up in /proc, and needs none). */
static int open_inside(const struct net_sockets *s, int netns, struct error *err)
{
	auto_fd int home = ioctl(s->route, SIOCGSKNS);
	auto_fd int sock = -1;

	if (home < 0)
		return err_sys(err, -errno, "open own network namespace");
	if (setns(netns, CLONE_NEWNET) < 0)
		return err_sys(err, -errno, "enter the container's network namespace");
	sock = nl_socket(NETLINK_ROUTE, err);
	if (setns(home, CLONE_NEWNET) < 0)
		return err_set(err, -ENOTRECOVERABLE, "cannot return to own network namespace: %s",
			       strerrordesc_np(errno));
	return fd_steal(&sock);
}

static int inner_half(const struct net_config *c, int sock, uint32_t peer_index, struct error *err)
{
	auto_batch b = NL_BATCH_NONE;
	int r = fail_at("net-inner");

	if (r < 0)
		return err_sys(err, r, "configure the container's network");
	link_up(&b, NET_LO_IFINDEX, "set up lo");
	if (c->mode == NET_ROUTED) {
		link_up_peer(&b, peer_index);
		addr_add(&b, peer_index, c->addr, RT_SCOPE_UNIVERSE);
		neigh_add(&b, peer_index, c->gateway, c->host_mac);
		route_add_default(&b, peer_index, c->gateway);
	}
	r = nl_run(sock, &b, NULL, NULL, err);
	return r < 0 ? err_prefix(err, "in the container") : 0;
}

/* Which of the names and numbers of a refused NEWLINK is taken? */
static int explain_taken(const struct net_sockets *s, const struct net_config *c, struct error *err)
{
	struct link_info info;

	if (link_find(s->route, c->ifname, 0, &info, NULL) == 0)
		err_set_kind(err, -EEXIST, ERR_STATE, "interface %s already exists", c->ifname);
	else if (c->ifindex && link_find(s->route, NULL, c->ifindex, &info, NULL) == 0)
		err_set_kind(err, -EEXIST, ERR_STATE, "interface number %u of %s is already taken by %s",
			     c->ifindex, c->ifname, info.name);
	else
		err_set_kind(err, -EEXIST, ERR_STATE, "the container already has an interface %s",
			     NET_PEER_NAME);
	return -EEXIST;
}

static int link_refused(const struct net_sockets *s, const struct net_config *c, int r, struct error *err)
{
	if (r == -EEXIST || r == -EBUSY)
		return explain_taken(s, c, err);
	if (r == -EOPNOTSUPP) {
		err_set_kind(err, r, ERR_UNSUPPORTED, "the kernel cannot make veth interfaces");
		err_hint(err, "load the module: modprobe veth");
		return r;
	}
	return r;
}

static void host_rest(struct nl_batch *b, const struct net_config *c, uint32_t ifindex)
{
	link_up_host(b, ifindex);
	route_add_host(b, ifindex, c->addr, c->gateway);
	neigh_add(b, ifindex, c->addr, c->mac);
}

/* What became of one try. */
struct half {
	uint32_t index; /* host side */
	bool made;	/* the link exists */
	bool refused;	/* NEWLINK itself failed: a name or number is taken, or there is no veth */
};

/* Number chosen by the kernel: the rest needs a look-up in between. */
static int host_unnumbered(const struct net_sockets *s, const struct net_config *c, struct half *h,
			   struct error *err)
{
	auto_batch b = NL_BATCH_NONE;
	struct link_info info;
	int r = link_find(s->route, c->ifname, 0, &info, err);

	if (r < 0)
		return r == -ENODEV ? err_sys(err, r, "look up") : r;
	h->index = info.ifindex;
	host_rest(&b, c, info.ifindex);
	return nl_run(s->route, &b, NULL, NULL, err);
}

static int host_half(const struct net_sockets *s, const struct net_config *c, int netns, uint32_t peer_index,
		     struct half *h, struct error *err)
{
	auto_batch b = NL_BATCH_NONE;
	int r;

	*h = (struct half){.index = c->ifindex};
	link_add_veth(&b, c, netns, peer_index);
	if (c->ifindex)
		host_rest(&b, c, c->ifindex);
	r = nl_run(s->route, &b, NULL, NULL, err);
	h->refused = r < 0 && b.failed == 0;
	h->made = r == 0 || b.failed > 0;
	if (r == 0 && !c->ifindex)
		r = host_unnumbered(s, c, h, err);
	return r < 0 ? err_prefix(err, "%s", c->ifname) : 0;
}

/* Only on failure: a synchronous delete waits for an RCU grace period (about 20 ms). */
static void drop_link(const struct net_sockets *s, const struct half *h)
{
	auto_batch b = NL_BATCH_NONE;

	if (!h->made || !h->index)
		return;
	link_del(&b, h->index);
	nl_run(s->route, &b, NULL, NULL, NULL);
}

static int peer_find(int sock, uint32_t *ret_index, struct error *err)
{
	struct link_info info;
	int r = link_find(sock, NET_PEER_NAME, 0, &info, err);

	if (r < 0)
		return err_sys(err, r, "look up %s in the container", NET_PEER_NAME);
	*ret_index = info.ifindex;
	return 0;
}

/* IPv6 router advertisements of a container must not change the host's routes. The ruleset drops them; this
 * holds without it. */
static int refuse_ra(const struct net_config *c, struct error *err)
{
	char path[80];
	struct error e = {0};
	int r;

	snprintf(path, sizeof(path), "/proc/sys/net/ipv6/conf/%s/accept_ra", c->ifname);
	r = file_write_ctl_at(AT_FDCWD, path, PROC_SUPER_MAGIC, "0", &e);
	if (r < 0 && r != -ENOENT) {
		if (err)
			*err = e;
		return r;
	}
	return 0;
}

/* Host modules (ipip, sit, ...) put devices of their own into every new namespace: number 2 is not always
 * free. */
static bool peer_index_taken(int sock)
{
	struct link_info info;

	return link_find(sock, NULL, NET_PEER_IFINDEX, &info, NULL) == 0;
}

static int attach_routed(const struct net_sockets *s, const struct net_config *c, int netns, int sock,
			 struct error *err)
{
	uint32_t peer = NET_PEER_IFINDEX;
	struct half h;
	int r = fail_at("net-link");

	if (r < 0)
		return err_sys(err, r, "add veth");
	r = host_half(s, c, netns, peer, &h, err);
	if (h.refused && (r == -EEXIST || r == -EBUSY) && peer_index_taken(sock)) {
		err_clear(err);
		peer = 0;
		r = host_half(s, c, netns, peer, &h, err);
	}
	if (h.refused)
		return link_refused(s, c, r, err);
	if (r == 0)
		r = refuse_ra(c, err);
	if (r == 0 && peer == 0)
		r = peer_find(sock, &peer, err);
	if (r == 0)
		r = inner_half(c, sock, peer, err);
	if (r == 0)
		r = link_wait_ready(s->route, h.index, err);
	if (r < 0)
		drop_link(s, &h);
	return r;
}

int net_attach(const struct net_sockets *s, const struct net_config *c, int netns, struct error *err)
{
	auto_fd int sock = -1;

	if (c->mode == NET_HOST)
		return 0;
	if (c->mode == NET_ROUTED && (!c->ifname || !*c->ifname || strlen(c->ifname) >= IF_NAMESIZE))
		return err_set(err, -EINVAL, "bad interface name \"%.32s\"", c->ifname ? c->ifname : "");
	sock = open_inside(s, netns, err);
	if (sock < 0)
		return sock;
	if (c->mode == NET_NONE)
		return inner_half(c, sock, 0, err);
	return attach_routed(s, c, netns, sock, err);
}
