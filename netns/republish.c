/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What runs after its elements were lost (nft flush ruleset), and a look at all elements. */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter/nf_tables.h>
#include <string.h>
#include "netns/nft.h"
#include "netns/ports.h"

#define DUMP_TRIES 8

struct again {
	const struct net_sockets *s;
	const struct net_config *c;
	struct net_port *ports;
	size_t n; /* elements: the address, then the ports */
	struct nft_elem *e;
	bool *present;
};

/* Without NLM_F_EXCL: the same element is no mistake, the key with other data is -EBUSY. */
static int put(const struct again *a, const struct nft_elem *e, const char *what, struct error *err)
{
	auto_batch b = NL_BATCH_NONE;
	int r;

	nl_nft_begin(&b, 0);
	nft_put_elem(&b, a->c->table, NFT_MSG_NEWSETELEM, NLM_F_CREATE, e, what);
	nl_nft_end(&b);
	r = nl_run(a->s->nft, &b, NULL, NULL, err);
	return r < 0 ? err_prefix(err, "nft table %s", a->c->table), r : 0;
}

static int put_port(const struct again *a, size_t i, struct error *err)
{
	struct net_port *p = &a->ports[i];
	struct nft_elem e;
	int r = 0;

	if (!p->host_port)
		r = port_choose(a->s->nft, a->c->table, p, a->ports, a->c->ports.n, err);
	if (r == 0)
		r = port_check_overlap(a->s->nft, a->c->table, p, 1, err);
	if (r < 0)
		return r;
	e = nft_elem_port(p, a->c->addr);
	r = put(a, &e, "add port", err);
	if (r == -EEXIST || r == -EBUSY)
		return port_taken(p, err);
	/* Flows that began while it was not published would keep its clients away. */
	if (r == 0 && p->proto == IPPROTO_UDP)
		r = ct_forget_port(a->s->nft, p, err);
	return r;
}

/* Which are there, and this container's own. */
static int look(struct again *a, struct error *err)
{
	auto_free struct nft_found *found = mem_alloc_n(a->n, sizeof(*found));
	int r;

	for (size_t i = 1; i < a->n; i++)
		a->e[i] = nft_elem_port(&a->ports[i - 1], a->c->addr);
	r = nft_get_elems(a->s->nft, a->c->table, a->e, a->n, a->present, found, err);
	for (size_t i = 0; r == 0 && i < a->n; i++)
		a->present[i] = a->present[i] && found[i].data_len == a->e[i].data_len &&
				memcmp(found[i].data, a->e[i].data, a->e[i].data_len) == 0;
	return r;
}

static int put_missing(const struct again *a, struct error *err)
{
	int first = a->present[0] ? 0 : put(a, &a->e[0], "add source address", err);

	for (size_t i = 1; first != -ENOENT && i < a->n; i++) {
		struct error e = {0};
		int r = a->present[i] ? 0 : put_port(a, i - 1, &e);

		if (r < 0 && first == 0) {
			first = r;
			if (err)
				*err = e;
		}
	}
	return first;
}

int net_republish(const struct net_sockets *s, const struct net_config *c, struct error *err)
{
	size_t n = c->ports.n + 1;
	auto_free struct nft_elem *e = mem_alloc_n(n, sizeof(*e));
	auto_free bool *present = mem_alloc_n(n, sizeof(*present));
	struct again a = {.s = s, .c = c, .n = n, .e = e, .present = present};
	uint32_t ifindex = 0;
	int r;

	if (c->mode != NET_ROUTED)
		return 0;
	r = host_index(s, c, &ifindex, err);
	a.ports = c->ports.v; /* the numbers are the caller's to know, whatever fails */
	if (r == 0)
		r = port_find_chosen(s->nft, c, a.ports, err);
	if (r < 0)
		return r;
	e[0] = nft_elem_addr(ifindex, c->addr);
	r = look(&a, err);
	return r < 0 ? r : put_missing(&a, err);
}

struct walk {
	net_element_fn *fn;
	void *data;
};

static int see_port(const struct nft_found *f, void *data)
{
	const struct walk *w = data;
	struct net_port p;
	struct in_addr addr;

	if (f->key_len < 8 || f->data_len < 6)
		return 0;
	p = port_of_element(f);
	memcpy(&addr, f->data, sizeof(addr));
	w->fn(&p, addr, w->data);
	return 0;
}

static int see_address(const struct nft_found *f, void *data)
{
	const struct walk *w = data;
	struct in_addr addr;

	if (f->key_len != 8)
		return 0;
	memcpy(&addr, f->key + 4, sizeof(addr));
	w->fn(NULL, addr, w->data);
	return 0;
}

int net_each_element(const struct net_sockets *s, const char *table, net_element_fn *fn, void *data,
		     struct error *err)
{
	static const struct {
		const char *set;
		nft_elem_cb *see;
	} sets[] = {
		{NFT_SET_ADDRS, see_address},
		{NFT_MAP_PORTS, see_port},
		{NFT_MAP_PORTS_ANY, see_port},
	};
	struct walk w = {fn, data};
	int r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(sets) && r == 0; i++) {
		r = -EAGAIN;
		for (int tries = 0; r == -EAGAIN && tries < DUMP_TRIES; tries++)
			r = nft_dump_elems(s->nft, table, sets[i].set, sets[i].see, &w, err);
	}
	return r;
}
