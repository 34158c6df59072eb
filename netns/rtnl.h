/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef ARNIA_NET_RTNL_H
#define ARNIA_NET_RTNL_H
/* Messages of rtnetlink(7) (internal to netns/): each function appends one message to a batch. */
#include <net/if.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include "netns/net_config.h"
#include "netns/netlink.h"

#define NET_LO_IFINDEX 1 /* of every namespace: lo is registered first */
#define NET_PEER_IFINDEX 2
#define NET_PEER_NAME "eth0"

/* The veth pair: the host side with name, index (0 = the kernel's choice), group and MAC of the config, not
 * UP; the peer named eth0 born inside `netns`, not UP either (the kernel refuses that, ENOTCONN). */
void link_add_veth(struct nl_batch *b, const struct net_config *c, int netns, uint32_t peer_index);
/* Host side: route_localnet (published ports on 127.0.0.1), strict rp_filter, no IPv6 addresses of its own;
 * UP. */
void link_up_host(struct nl_batch *b, uint32_t ifindex);
/* Container side: no self-made IPv6 address (two messages: when the peer is up the address would be made
 * before the setting). */
void link_up_peer(struct nl_batch *b, uint32_t ifindex);
void link_up(struct nl_batch *b, uint32_t ifindex, const char *what);
void link_del(struct nl_batch *b, uint32_t ifindex);
/* A side that was up before its peer drops what it sends until a kernel thread has seen the carrier: the
 * first answer to a container that connects at once would be lost, and cost a second. Looking at the link
 * does that thread's work (Linux 6.8, rtnl_getlink()); older kernels tell when it is done. Gives up after
 * half a second. */
int link_wait_ready(int fd, uint32_t ifindex, struct error *err);

struct link_info {
	uint32_t ifindex, group;
	bool up, veth;
	char name[IF_NAMESIZE];
	uint64_t rx_packets, rx_bytes, tx_packets, tx_bytes, rx_dropped,
		tx_dropped; /* as the host side sees it */
};
/* By name, or by index when `name` is NULL. -ENODEV when there is none (err untouched then). */
int link_find(int fd, const char *name, uint32_t ifindex, struct link_info *ret, struct error *err);

/* addr/32 on an interface; scope as in rt_addrs (RT_SCOPE_*). */
void addr_add(struct nl_batch *b, uint32_t ifindex, struct in_addr addr, uint8_t scope);
void addr_del(struct nl_batch *b, uint32_t ifindex, struct in_addr addr);

/* addr/32 dev ifindex scope link src `source`; -EEXIST when there is another route to it. */
void route_add_host(struct nl_batch *b, uint32_t ifindex, struct in_addr addr, struct in_addr source);
/* default via gateway dev ifindex onlink */
void route_add_default(struct nl_batch *b, uint32_t ifindex, struct in_addr gateway);
/* Permanent neighbour: no ARP is ever needed, and none can change it. */
void neigh_add(struct nl_batch *b, uint32_t ifindex, struct in_addr addr, const uint8_t mac[6]);

#endif
