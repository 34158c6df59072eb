/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef ARNIA_NET_CONFIG_H
#define ARNIA_NET_CONFIG_H
/* What one container's network shall be. Plain data, see net.h for the work. Addresses in network byte order.
 */
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include "lib/base/mem.h"

enum net_mode { NET_NONE, NET_HOST, NET_ROUTED }; /* none: own namespace with lo only */

struct net_port {
	uint8_t proto;		  /* IPPROTO_TCP or IPPROTO_UDP */
	struct in_addr host_addr; /* INADDR_ANY: every address of the host */
	uint16_t host_port, port; /* host byte order */
};

struct net_config {
	enum net_mode mode;
	const char *table; /* nft table name in family inet */
	uint32_t ifgroup;
	const char *ifname; /* host side, < 16 bytes */
	uint32_t ifindex;   /* host side, chosen by us (saves the look-up); 0 = let the kernel choose */
	uint8_t host_mac[6], mac[6];
	struct in_addr addr;	/* the container's /32 */
	struct in_addr gateway; /* 169.254.1.1 */
	uint32_t mtu;		/* 0 = default */
	ARRAY_OF(struct net_port) ports;
};

/* "[HOSTIP:][HOSTPORT:]PORT[/tcp|/udp]"; -EINVAL. HOSTPORT 0 in the result = choose one. */
int net_port_parse(const char *s, struct net_port *ret);
/* MAC addresses derived from an address: locally administered, stable. */
void net_mac_derive(struct in_addr addr, bool host_side, uint8_t ret[6]);

#endif
