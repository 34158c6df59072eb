/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef ARNIA_NET_NETDEV_H
#define ARNIA_NET_NETDEV_H
/*
 * Network devices on their way into another network namespace and, when what they were moved for fails, back.
 * The only part of netns/ that a static program may use: it speaks rtnetlink(7) by itself, without libmnl.
 */
#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "lib/base/error.h"

#define NETDEV_ADDRS_MAX 256 /* of one device that go along */

struct netdev_addr {
	uint8_t family, prefix;
	uint32_t flags; /* IFA_F_NODAD, IFA_F_NOPREFIXROUTE */
	uint8_t local[16], peer[16], broadcast[4];
	bool has_peer, has_broadcast;
};
struct netdev {
	char home_name[IFNAMSIZ];
	int index; /* over there */
	bool up;   /* it was */
	struct netdev_addr *addrs;
	size_t n_addrs;
};
/* Both ends of moves: the caller's namespace and another one. While it is open neither goes away. */
struct netdev_road {
	int home, there; /* descriptors of the namespaces */
	int home_sock, there_sock;
};
#define NETDEV_ROAD_NONE ((struct netdev_road){-1, -1, -1, -1})
/* -EINVAL kind USAGE when `netns` is the caller's own namespace. Needs CAP_SYS_ADMIN over it. `netns` stays
 * the caller's. */
int netdev_road_open(int netns, struct netdev_road *ret, struct error *err);
void netdev_road_done(struct netdev_road *r);

/*
 * Move the device `name` and set it up there, named `rename` (NULL = as here; a single "%d" in it is a number
 * that the kernel chooses) and with its permanent addresses of global scope. Refused before anything is
 * touched: no such device (-ENODEV), the loopback device, a name that is taken there (-EEXIST), a template
 * that is none. On failure later on it is back, as far as possible.
 */
int netdev_move(const struct netdev_road *r, const char *name, const char *rename, struct netdev *ret,
		struct error *err);
/* Back to where it was, with its name, addresses and state. */
int netdev_return(const struct netdev_road *r, const struct netdev *d, struct error *err);
void netdev_done(struct netdev *d);

#endif
