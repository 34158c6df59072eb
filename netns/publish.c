/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter/nf_tables.h>
#include <string.h>
#include "lib/base/failat.h"
#include "netns/net.h"
#include "netns/nft.h"
#include "netns/ports.h"
#include "netns/rtnl.h"

#define PORTS_MAX 1024 /* so that a batch and its answers fit the socket's buffers */
#define WITHDRAW_TRIES 8

/* The ports as they will be published: numbers chosen, nothing of the host or of another container there. */
static int prepare_ports(const struct net_sockets *s, const struct net_config *c, struct net_port *ports,
			 struct error *err)
{
	size_t n = c->ports.n;
	int r;

	for (size_t i = 0; i < n; i++) {
		if (ports[i].host_port)
			r = port_check_host(&ports[i], err);
		else
			r = port_choose(s->nft, c->table, &ports[i], ports, n, err);
		if (r < 0)
			return r;
	}
	return n ? port_check_overlap(s->nft, c->table, ports, n, err) : 0;
}

int host_index(const struct net_sockets *s, const struct net_config *c, uint32_t *ret, struct error *err)
{
	struct link_info info = {.ifindex = c->ifindex};
	int r = 0;

	if (!c->ifindex)
		r = link_find(s->route, c->ifname, 0, &info, err);
	if (r < 0)
		return err_sys(err, r, "look up %s", c->ifname);
	*ret = info.ifindex;
	return 0;
}

static int insert_failure(const struct net_config *c, const struct net_port *ports, int r, int failed,
			  struct error *err)
{
	/* Message 0 begins the transaction, 1 is the address. -EBUSY: the key is there with other data. */
	if ((r == -EEXIST || r == -EBUSY) && failed >= 2)
		return port_taken(&ports[failed - 2], err);
	if (r == -ENOENT) {
		err_set_kind(err, r, ERR_FAILED, "the nft table inet %s is missing", c->table);
		err_hint(err, "something removed it; it is made again when arniad starts");
		return r;
	}
	return err_prefix(err, "nft table %s", c->table);
}

static int insert(const struct net_sockets *s, const struct net_config *c, const struct net_port *ports,
		  uint32_t ifindex, struct error *err)
{
	auto_batch b = NL_BATCH_NONE;
	struct nft_elem e = nft_elem_addr(ifindex, c->addr);
	int r;

	nl_nft_begin(&b, 0);
	nft_put_elem(&b, c->table, NFT_MSG_NEWSETELEM, NLM_F_CREATE, &e, "add source address");
	for (size_t i = 0; i < c->ports.n; i++) {
		e = nft_elem_port(&ports[i], c->addr);
		nft_put_elem(&b, c->table, NFT_MSG_NEWSETELEM, NLM_F_CREATE | NLM_F_EXCL, &e, "add port");
	}
	nl_nft_end(&b);
	r = nl_run(s->nft, &b, NULL, NULL, err);
	return r < 0 ? insert_failure(c, ports, r, b.failed, err) : 0;
}

/* A client that never stopped sending to a UDP port keeps its old, untranslated flow alive for ever. */
static int forget_udp(const struct net_sockets *s, const struct net_port *ports, size_t n, struct error *err)
{
	int r = 0;

	for (size_t i = 0; i < n && r == 0; i++)
		if (ports[i].proto == IPPROTO_UDP)
			r = ct_forget_port(s->nft, &ports[i], err);
	return r;
}

static void take_back(const struct net_sockets *s, const struct net_config *c, struct net_port *ports)
{
	struct net_config published = *c;

	published.ports.v = ports;
	net_withdraw(s, &published, NULL);
}

int net_publish(const struct net_sockets *s, const struct net_config *c, struct error *err)
{
	auto_free struct net_port *ports = NULL;
	uint32_t ifindex = 0;
	int r;

	if (c->mode != NET_ROUTED)
		return c->ports.n
			       ? err_set(err, -EINVAL, "only a container with an address can publish ports")
			       : 0;
	if (c->ports.n > PORTS_MAX)
		return err_set(err, -E2BIG, "%zu published ports, at most %d are possible", c->ports.n,
			       PORTS_MAX);
	r = fail_at("net-publish");
	if (r < 0)
		return err_sys(err, r, "publish");
	ports = c->ports.n ? mem_dup(c->ports.v, c->ports.n * sizeof(*ports)) : NULL;
	r = host_index(s, c, &ifindex, err);
	if (r == 0)
		r = prepare_ports(s, c, ports, err);
	if (r == 0)
		r = insert(s, c, ports, ifindex, err);
	if (r == 0) {
		r = forget_udp(s, ports, c->ports.n, err);
		if (r < 0)
			take_back(s, c, ports);
	}
	if (r < 0)
		return r;
	if (c->ports.n)
		memcpy(c->ports.v, ports, c->ports.n * sizeof(*ports));
	return 0;
}

/* Elements of one container. */
struct elems {
	struct nft_elem *v;
	size_t n, cap;
	struct in_addr addr;
};

static void elems_done(struct elems *es)
{
	free(es->v);
}

static void elems_add(struct elems *es, struct nft_elem e)
{
	if (es->n == es->cap) {
		es->cap = MAX(es->cap * 2, (size_t)8);
		es->v = mem_realloc_n(es->v, es->cap, sizeof(*es->v));
	}
	es->v[es->n++] = e;
}

static int add_if_address(const struct nft_found *f, void *data)
{
	struct elems *es = data;
	uint32_t ifindex = 0;

	if (f->key_len != 8 || memcmp(f->key + 4, &es->addr, 4) != 0)
		return 0;
	memcpy(&ifindex, f->key, sizeof(ifindex));
	elems_add(es, nft_elem_addr(ifindex, es->addr));
	return 0;
}

/* Every element that is there and is this container's: a port that another one has published in the meantime
 * is not. */
static int find_own(const struct net_sockets *s, const struct net_config *c, struct elems *own,
		    struct error *err)
{
	cleanup(elems_done) struct elems want = {.addr = c->addr};
	auto_free bool *present = NULL;
	auto_free struct nft_found *found = NULL;
	auto_free struct net_port *ports = c->ports.n ? mem_dup(c->ports.v, c->ports.n * sizeof(*ports)) : NULL;
	int r = port_find_chosen(s->nft, c, ports, err);

	if (r < 0)
		return r;
	/* Without a number of ours, and the interface gone, only the address is known. */
	if (c->ifindex)
		elems_add(&want, nft_elem_addr(c->ifindex, c->addr));
	else
		r = nft_dump_elems(s->nft, c->table, NFT_SET_ADDRS, add_if_address, &want, err);
	if (r < 0)
		return r;
	for (size_t i = 0; i < c->ports.n; i++)
		if (ports[i].host_port)
			elems_add(&want, nft_elem_port(&ports[i], c->addr));
	present = mem_alloc_n(want.n + 1, sizeof(*present));
	found = mem_alloc_n(want.n + 1, sizeof(*found));
	r = nft_get_elems(s->nft, c->table, want.v, want.n, present, found, err);
	for (size_t i = 0; r == 0 && i < want.n; i++)
		if (present[i] && found[i].data_len == want.v[i].data_len &&
		    memcmp(found[i].data, want.v[i].data, want.v[i].data_len) == 0)
			elems_add(own, want.v[i]);
	return r;
}

static int remove_own(const struct net_sockets *s, const struct net_config *c, struct error *err)
{
	cleanup(elems_done) struct elems own = {0};
	auto_batch b = NL_BATCH_NONE;
	int r = find_own(s, c, &own, err);

	if (r < 0 || own.n == 0)
		return r;
	nl_nft_begin(&b, 0);
	for (size_t i = 0; i < own.n; i++)
		nft_put_elem(&b, c->table, NFT_MSG_DELSETELEM, 0, &own.v[i], "delete element");
	nl_nft_end(&b);
	return nl_run(s->nft, &b, NULL, NULL, err);
}

int net_withdraw(const struct net_sockets *s, const struct net_config *c, struct error *err)
{
	int r = -ENOENT;

	if (c->mode != NET_ROUTED)
		return 0;
	/* -ENOENT: somebody else removed one between the look-up and the batch, which then failed whole. */
	for (int tries = 0; (r == -ENOENT || r == -EAGAIN) && tries < WITHDRAW_TRIES; tries++)
		r = remove_own(s, c, err);
	if (r < 0)
		return err_prefix(err, "nft table %s", c->table);
	err_clear(err);
	return 0;
}

int net_forget(const struct net_sockets *s, const struct net_config *c, struct error *err)
{
	int r = c->mode == NET_ROUTED ? ct_forget_addr(s->nft, c->addr, err) : 0;

	return r < 0 ? err_prefix(err, "forget flows") : 0;
}

int net_unpublish(const struct net_sockets *s, const struct net_config *c, struct error *err)
{
	int r = net_withdraw(s, c, err);

	return r < 0 || c->ports.n == 0 ? r : net_forget(s, c, err);
}
