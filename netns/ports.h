/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef ARNIA_NET_PORTS_H
#define ARNIA_NET_PORTS_H
/* Is a host port free? (internal to netns/) */
#include "netns/net.h"
#include "netns/nft.h"

#define PORT_TEXT_SIZE 32
void port_text(const struct net_port *p, char buf[PORT_TEXT_SIZE]); /* "0.0.0.0:8080/tcp" */

/* Number of the host side's interface: the config's, or by its name. */
int host_index(const struct net_sockets *s, const struct net_config *c, uint32_t *ret, struct error *err);

/* The port that a map's element publishes. */
struct net_port port_of_element(const struct nft_found *f);

/* -EADDRINUSE (STATE) when a program of the host has it, -EADDRNOTAVAIL when the address is not the host's.
 */
int port_check_host(const struct net_port *p, struct error *err);
/* -EEXIST (STATE) when another container has published one of the ports on an overlapping address: a specific
 * one against every address and the other way round. The very same address and port is found by the insertion
 * itself. */
int port_check_overlap(int fd, const char *table, const struct net_port *p, size_t n, struct error *err);
/* A free port of 32768..60999 for p, in p->host_port; not one of `others`. */
int port_choose(int fd, const char *table, struct net_port *p, const struct net_port *others, size_t n_others,
		struct error *err);
int port_taken(const struct net_port *p,
	       struct error *err); /* the error for one published by a container: -EEXIST */

/* `ports`: a copy of c->ports.v. Fills in the host ports that net_publish has chosen for this container; 0
 * stays where the table has none. */
int port_find_chosen(int fd, const struct net_config *c, struct net_port *ports, struct error *err);

#endif
