/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <linux/if_link.h>
#include <linux/ip.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include "lib/base/fd.h"
#include "lib/base/time.h"
#include "netns/net.h"
#include "netns/rtnl.h"

#define OPER_UP 6 /* IF_OPER_UP of linux/if.h, which cannot be included beside net/if.h */
#define READY_MS 500

static struct nlmsghdr *link_message(struct nl_batch *b, uint16_t type, uint16_t flags, uint32_t ifindex,
				     const char *what)
{
	struct nlmsghdr *nlh = nl_message(b, type, flags, what);
	struct ifinfomsg *ifi = mnl_nlmsg_put_extra_header(nlh, sizeof(*ifi));

	ifi->ifi_family = AF_UNSPEC;
	ifi->ifi_index = (int)ifindex;
	return nlh;
}

static void put_side(struct nlmsghdr *nlh, const char *name, const uint8_t mac[6], uint32_t mtu)
{
	mnl_attr_put_strz(nlh, IFLA_IFNAME, name);
	mnl_attr_put(nlh, IFLA_ADDRESS, 6, mac);
	/* veth makes a queue per possible CPU otherwise; without XDP they carry nothing and cost memory. */
	mnl_attr_put_u32(nlh, IFLA_NUM_TX_QUEUES, 1);
	mnl_attr_put_u32(nlh, IFLA_NUM_RX_QUEUES, 1);
	if (mtu)
		mnl_attr_put_u32(nlh, IFLA_MTU, mtu);
}

void link_add_veth(struct nl_batch *b, const struct net_config *c, int netns, uint32_t peer_index)
{
	struct nlmsghdr *nlh =
		link_message(b, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, c->ifindex, "add veth");
	struct nlattr *info, *data, *peer;
	struct ifinfomsg *ifi;

	put_side(nlh, c->ifname, c->host_mac, c->mtu);
	mnl_attr_put_u32(nlh, IFLA_GROUP, c->ifgroup);
	info = mnl_attr_nest_start(nlh, IFLA_LINKINFO);
	mnl_attr_put_strz(nlh, IFLA_INFO_KIND, "veth");
	data = mnl_attr_nest_start(nlh, IFLA_INFO_DATA);
	peer = mnl_attr_nest_start(nlh, VETH_INFO_PEER);
	ifi = mnl_nlmsg_put_extra_header(nlh, sizeof(*ifi));
	ifi->ifi_index = (int)peer_index;
	put_side(nlh, NET_PEER_NAME, c->mac, c->mtu);
	mnl_attr_put_u32(nlh, IFLA_NET_NS_FD, (uint32_t)netns);
	mnl_attr_nest_end(nlh, peer);
	mnl_attr_nest_end(nlh, data);
	mnl_attr_nest_end(nlh, info);
}

static void set_up(struct nlmsghdr *nlh)
{
	struct ifinfomsg *ifi = mnl_nlmsg_get_payload(nlh);

	ifi->ifi_flags = IFF_UP;
	ifi->ifi_change = IFF_UP;
}

static void put_no_inet6_address(struct nlmsghdr *nlh)
{
	struct nlattr *inet6 = mnl_attr_nest_start(nlh, AF_INET6);

	mnl_attr_put_u8(nlh, IFLA_INET6_ADDR_GEN_MODE, IN6_ADDR_GEN_MODE_NONE);
	mnl_attr_nest_end(nlh, inet6);
}

void link_up_host(struct nl_batch *b, uint32_t ifindex)
{
	struct nlmsghdr *nlh = link_message(b, RTM_NEWLINK, 0, ifindex, "set up veth");
	struct nlattr *spec = mnl_attr_nest_start(nlh, IFLA_AF_SPEC);
	struct nlattr *inet = mnl_attr_nest_start(nlh, AF_INET);
	struct nlattr *conf = mnl_attr_nest_start(nlh, IFLA_INET_CONF);

	mnl_attr_put_u32(nlh, IPV4_DEVCONF_ROUTE_LOCALNET, 1);
	mnl_attr_put_u32(nlh, IPV4_DEVCONF_RP_FILTER, 1);
	mnl_attr_nest_end(nlh, conf);
	mnl_attr_nest_end(nlh, inet);
	/* The peer is down, so the link is not ready and no address is made before this is seen. */
	put_no_inet6_address(nlh);
	mnl_attr_nest_end(nlh, spec);
	set_up(nlh);
}

void link_up_peer(struct nl_batch *b, uint32_t ifindex)
{
	struct nlmsghdr *nlh = link_message(b, RTM_NEWLINK, 0, ifindex, "configure " NET_PEER_NAME);
	struct nlattr *spec = mnl_attr_nest_start(nlh, IFLA_AF_SPEC);

	put_no_inet6_address(nlh);
	mnl_attr_nest_end(nlh, spec);
	link_up(b, ifindex, "set up " NET_PEER_NAME);
}

void link_up(struct nl_batch *b, uint32_t ifindex, const char *what)
{
	set_up(link_message(b, RTM_NEWLINK, 0, ifindex, what));
}

void link_del(struct nl_batch *b, uint32_t ifindex)
{
	link_message(b, RTM_DELLINK, 0, ifindex, "delete link");
}

static int read_operstate(const struct nlmsghdr *nlh, size_t index unused, void *data)
{
	const struct nlattr *a;

	mnl_attr_for_each(a, nlh, sizeof(struct ifinfomsg)) if (mnl_attr_get_type(a) == IFLA_OPERSTATE) *
		(bool *)data = mnl_attr_get_u8(a) == OPER_UP;
	return 0;
}

/* 1, 0 or an error. */
static int link_is_ready(int fd, uint32_t ifindex, struct error *err)
{
	auto_batch b = NL_BATCH_NONE;
	struct nlmsghdr *nlh = link_message(&b, RTM_GETLINK, 0, ifindex, "look at link");
	bool ready = false;
	int r;

	mnl_attr_put_u32(nlh, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
	r = nl_run(fd, &b, read_operstate, &ready, err);
	return r < 0 ? r : ready;
}

/* Read away what is there; false when nothing came until the deadline. */
static bool wait_event(int events, uint64_t deadline_ms)
{
	struct pollfd p = {.fd = events, .events = POLLIN};
	uint64_t now = time_mono_ms();
	char buf[4096];

	if (now >= deadline_ms || poll(&p, 1, (int)(deadline_ms - now)) < 0 || !p.revents)
		return false;
	/* An overrun is an event too: -ENOBUFS is read away like one. */
	while (recv(events, buf, sizeof(buf), MSG_DONTWAIT) >= 0)
		continue;
	return true;
}

int link_wait_ready(int fd, uint32_t ifindex, struct error *err)
{
	struct sockaddr_nl links = {.nl_family = AF_NETLINK, .nl_groups = RTMGRP_LINK};
	uint64_t deadline = time_mono_ms() + READY_MS;
	auto_fd int events = -1;
	int r = link_is_ready(fd, ifindex, err);

	if (r != 0)
		return r < 0 ? r : 0;
	events = nl_socket(NETLINK_ROUTE, err);
	if (events < 0)
		return events;
	if (bind(events, (struct sockaddr *)&links, sizeof(links)) < 0)
		return err_sys(err, -errno, "listen to link events");
	do
		r = link_is_ready(fd, ifindex, err);
	while (r == 0 && wait_event(events, deadline));
	return r < 0 ? r : 0;
}

static void read_stats(const struct nlattr *a, struct link_info *info)
{
	struct rtnl_link_stats64 st = {0};

	memcpy(&st, mnl_attr_get_payload(a), MIN(sizeof(st), (size_t)mnl_attr_get_payload_len(a)));
	info->rx_packets = st.rx_packets;
	info->rx_bytes = st.rx_bytes;
	info->rx_dropped = st.rx_dropped;
	info->tx_packets = st.tx_packets;
	info->tx_bytes = st.tx_bytes;
	info->tx_dropped = st.tx_dropped;
}

static bool is_veth(const struct nlattr *linkinfo)
{
	const struct nlattr *a;

	mnl_attr_for_each_nested(a, linkinfo) if (mnl_attr_get_type(a) == IFLA_INFO_KIND &&
						  mnl_attr_validate(a, MNL_TYPE_STRING) >=
							  0) return mnl_attr_get_payload_len(a) >= 4 &&
		memcmp(mnl_attr_get_payload(a), "veth", 4) == 0;
	return false;
}

static int read_link(const struct nlmsghdr *nlh, size_t index unused, void *data)
{
	const struct ifinfomsg *ifi = mnl_nlmsg_get_payload(nlh);
	struct link_info *info = data;
	const struct nlattr *a;

	info->ifindex = (uint32_t)ifi->ifi_index;
	info->up = ifi->ifi_flags & IFF_UP;
	mnl_attr_for_each(a, nlh, sizeof(*ifi))
	{
		switch (mnl_attr_get_type(a)) {
		case IFLA_IFNAME:
			strncpy(info->name, mnl_attr_get_str(a), sizeof(info->name) - 1);
			break;
		case IFLA_GROUP:
			info->group = mnl_attr_get_u32(a);
			break;
		case IFLA_STATS64:
			read_stats(a, info);
			break;
		case IFLA_LINKINFO:
			info->veth = is_veth(a);
			break;
		}
	}
	return 0;
}

int link_find(int fd, const char *name, uint32_t ifindex, struct link_info *ret, struct error *err)
{
	auto_batch b = NL_BATCH_NONE;
	struct nlmsghdr *nlh = link_message(&b, RTM_GETLINK, 0, name ? 0 : ifindex, "look up link");
	struct link_info info = {0};
	struct error e = {0};
	int r;

	if (name)
		mnl_attr_put_strz(nlh, IFLA_IFNAME, name);
	r = nl_run(fd, &b, read_link, &info, &e);
	if (r < 0 && r != -ENODEV && err)
		*err = e;
	if (r == 0)
		*ret = info;
	return r;
}

int net_link_delete(const struct net_sockets *s, const char *ifname, struct error *err)
{
	auto_batch b = NL_BATCH_NONE;
	struct link_info info;
	int r = link_find(s->route, ifname, 0, &info, err);

	if (r == -ENODEV)
		return 0;
	if (r < 0)
		return err_prefix(err, "%s", ifname);
	/* A name is not proof: an interface of another kind is not ours. */
	if (!info.veth)
		return err_set(err, -EINVAL, "delete link %s: it is not a veth", ifname);
	link_del(&b, info.ifindex);
	r = nl_run(s->route, &b, NULL, NULL, err);
	if (r == -ENODEV) {
		err_clear(err);
		return 0;
	}
	return r < 0 ? err_prefix(err, "%s", ifname) : 0;
}
