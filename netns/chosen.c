/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Host ports that net_publish chose: only the table knows them. */
#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include "netns/nft.h"
#include "netns/ports.h"

#define DUMP_TRIES 8

struct seeker {
	struct net_port *ports;
	size_t n;
	struct in_addr addr;
};

/* Where keys and data have what, see nft_elem_port. */
struct net_port port_of_element(const struct nft_found *f)
{
	struct net_port p = {.proto = f->key[0]};
	bool any = f->key_len < 12;
	uint16_t number;

	if (!any)
		memcpy(&p.host_addr, f->key + 4, sizeof(p.host_addr));
	memcpy(&number, f->key + (any ? 4 : 8), sizeof(number));
	p.host_port = ntohs(number);
	memcpy(&number, f->data + 4, sizeof(number));
	p.port = ntohs(number);
	return p;
}

static int see_element(const struct nft_found *f, void *data)
{
	struct seeker *s = data;
	struct net_port is;
	struct net_port *unknown = NULL;

	if (f->key_len < 8 || f->data_len < 6 || memcmp(f->data, &s->addr, sizeof(s->addr)) != 0)
		return 0;
	is = port_of_element(f);
	for (size_t i = 0; i < s->n; i++) {
		struct net_port *p = &s->ports[i];

		if (p->proto != is.proto || p->host_addr.s_addr != is.host_addr.s_addr)
			continue;
		if (p->host_port == is.host_port)
			return 0;
		if (!unknown && !p->host_port && p->port == is.port)
			unknown = p;
	}
	if (unknown)
		unknown->host_port = is.host_port;
	return 0;
}

int port_find_chosen(int fd, const struct net_config *c, struct net_port *ports, struct error *err)
{
	struct seeker s = {.ports = ports, .n = c->ports.n, .addr = c->addr};
	bool wanted = false;
	int r = -EAGAIN;

	for (size_t i = 0; i < s.n; i++)
		wanted = wanted || !ports[i].host_port;
	/* What a disturbed dump has shown was there: going on with the next is no mistake. */
	for (int tries = 0; wanted && r == -EAGAIN && tries < DUMP_TRIES; tries++) {
		r = nft_dump_elems(fd, c->table, NFT_MAP_PORTS_ANY, see_element, &s, err);
		if (r == 0)
			r = nft_dump_elems(fd, c->table, NFT_MAP_PORTS, see_element, &s, err);
	}
	return wanted ? r : 0;
}
