/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef ARNIA_NET_H
#define ARNIA_NET_H
/*
 * Routed veth (no bridge): the container has a /32 and a default route to 169.254.1.1 by a permanent
 * neighbour; the host has one /32 route per container. One nft table `inet NAME` whose number of rules is
 * constant: a start adds elements.
 */
#include <stdbool.h>
#include "lib/base/error.h"
#include "lib/base/str.h"
#include "netns/net_config.h"

struct net_sockets { /* opened before they are needed; host namespace */
	int route, nft;
};
#define NET_SOCKETS_NONE ((struct net_sockets){.route = -1, .nft = -1})
int net_open(struct net_sockets *ret, struct error *err);
void net_close(struct net_sockets *s);

struct net_host_config { /* once per instance */
	const char *table;
	uint32_t ifgroup;
	struct in_addr pool;
	uint8_t pool_prefix; /* masquerade: from pool, to anything but pool, not out of an interface of the
				group */
	struct in_addr gateway;
};
/* Make the table (one atomic batch, no-op when it is there and of this version; an older version's or damaged
 * rules are replaced, elements stay), the gateway address on lo (169.254.1.1/32, scope link), ip_forward=1 in
 * the caller's namespace. Idempotent. Modules are loaded by the kernel on demand; a missing one is named in
 * the error (kind UNSUPPORTED). A table of this name that was not made by arnia is -EEXIST (STATE) and left
 * alone. Returns 1 when ip_forward was off and has been switched on, else 0. */
int net_host_setup(const struct net_sockets *s, const struct net_host_config *c, struct error *err);
/* Remove the table (and the gateway address when no other arnia table is left). Missing is fine. ip_forward
 * stays as it is: others may rely on it by now. */
int net_host_teardown(const struct net_sockets *s, const struct net_host_config *c, struct error *err);

/* Look at the table, for the doctor; nothing is changed. DAMAGED: rules are missing or of another version. */
enum net_table_is { NET_TABLE_OK, NET_TABLE_MISSING, NET_TABLE_DAMAGED, NET_TABLE_FOREIGN };
int net_host_look(const struct net_sockets *s, const struct net_host_config *c, enum net_table_is *ret,
		  struct error *err);
/* Each element that is there, maybe twice: a port, or with NULL an address that may send. */
typedef void net_element_fn(const struct net_port *p, struct in_addr addr, void *data);
int net_each_element(const struct net_sockets *s, const char *table, net_element_fn *fn, void *data,
		     struct error *err);

/* A chain of somebody else's that drops what is forwarded unless a rule lets it pass, and no rule in its table names
 * our links (by group, name or address). Rules that use sets are not understood. */
enum net_wall_owner { NET_WALL_NFT, NET_WALL_IPTABLES, NET_WALL_DOCKER, NET_WALL_UFW };
struct net_wall {
	bool inet; /* else family ip */
	enum net_wall_owner owner;
	char table[128], chain[128];
};
typedef void net_wall_fn(const struct net_wall *w, void *data);
int net_each_wall(const struct net_sockets *s, const struct net_host_config *c, const char *ifprefix,
		  net_wall_fn *fn, void *data, struct error *err);

/* Give the namespace behind `netns` (owned by the container's user namespace) its network: veth with the peer
 * inside, addresses, routes, neighbours, lo up. Enters netns and comes back to the caller's own (setns(2)):
 * on return the caller is in its own namespace, or the process must exit (-ENOTRECOVERABLE). NET_NONE: only
 * lo up. */
int net_attach(const struct net_sockets *s, const struct net_config *c, int netns, struct error *err);
/* The two halves, for a pool of namespaces made before the request: link and addresses, and (publish) the nft
 * elements. net_attach does not add nft elements; net_publish adds the source-address element and the port
 * elements in ONE batch. -EEXIST names the port taken (kind STATE; -EADDRINUSE when a socket of the host
 * holds it, checked by bind(2) on the host address beforehand). A port on every address and the same one on a
 * single address exclude each other, too. host_port 0: a free one of 32768..60999 is chosen and written to
 * c->ports.v once all has succeeded. UDP: flows to the port that are older than its publication are
 * forgotten. */
int net_publish(const struct net_sockets *s, const struct net_config *c, struct error *err);
/* The elements of a container that runs, again, after the table was lost: what is there stays. A host_port of 0 is the one
 * that the table has, else a new choice; the numbers are written to c->ports.v. A port that somebody else has published in
 * the meantime is left out, and the first of them told (as net_publish does) when all others are in. */
int net_republish(const struct net_sockets *s, const struct net_config *c, struct error *err);
/* Remove this container's elements; missing ones are fine, and those of the same key that belong to another
 * container stay. Also forgets its conntrack entries when ports are published (ctnetlink delete by address),
 * so that the next owner of the address does not inherit them. */
int net_unpublish(const struct net_sockets *s, const struct net_config *c, struct error *err);
/* Its two halves. The second walks the conntrack table (about 0.2 ms per 100,000 buckets, Linux before 6.11
 * several ms): it may come after the reply, but must come before the address is leased again; it also serves
 * containers without published ports. */
int net_withdraw(const struct net_sockets *s, const struct net_config *c, struct error *err);
int net_forget(const struct net_sockets *s, const struct net_config *c, struct error *err);
/* Host-side link by name: exists? Used by undo: a veth goes with its namespace, so this deletes only what
 * outlived it. */
int net_link_delete(const struct net_sockets *s, const char *ifname, struct error *err);
/* Counters and state of the table's elements for one container, as text (explain). */
int net_print(const struct net_sockets *s, const struct net_config *c, struct strbuf *out, struct error *err);

#endif
