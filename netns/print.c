/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <string.h>
#include "netns/net.h"
#include "netns/nft.h"
#include "netns/ports.h"
#include "netns/rtnl.h"

#define DUMP_TRIES 8

static void add_addr(struct strbuf *out, const void *addr)
{
	char text[INET_ADDRSTRLEN];

	strbuf_add(out, inet_ntop(AF_INET, addr, text, sizeof(text)));
}

/* The container's point of view: what its host side receives, it has sent. */
static int print_link(const struct net_sockets *s, const struct net_config *c, uint32_t *ret_index,
		      struct strbuf *out, struct error *err)
{
	struct link_info info;
	int r = link_find(s->route, c->ifname, 0, &info, err);

	if (r == -ENODEV) {
		strbuf_addf(out, "interface %s: missing\n", c->ifname);
		*ret_index = c->ifindex;
		return 0;
	}
	if (r < 0)
		return r;
	*ret_index = info.ifindex;
	strbuf_addf(out, "interface %s: %s, index %u, group 0x%x%s\n", info.name, info.up ? "up" : "down",
		    info.ifindex, info.group, info.group == c->ifgroup ? "" : " (not its own)");
	strbuf_addf(out,
		    "  sent %" PRIu64 " packets %" PRIu64 " bytes, received %" PRIu64 " packets %" PRIu64
		    " bytes\n",
		    info.rx_packets, info.rx_bytes, info.tx_packets, info.tx_bytes);
	if (info.rx_dropped || info.tx_dropped)
		strbuf_addf(out, "  lost %" PRIu64 " on sending, %" PRIu64 " on receiving\n", info.rx_dropped,
			    info.tx_dropped);
	return 0;
}

static void print_addr(const struct net_config *c, bool present, const struct nft_found *f,
		       struct strbuf *out)
{
	strbuf_add(out, "address ");
	add_addr(out, &c->addr);
	if (!present)
		strbuf_add(out, ": not in the table, all it sends is dropped\n");
	else if (f->counted)
		strbuf_addf(out, ": allowed, accepted %" PRIu64 " packets %" PRIu64 " bytes\n", f->packets,
			    f->bytes);
	else
		strbuf_add(out, ": allowed\n");
}

static void print_port(const struct net_port *p, const struct nft_elem *want, bool present,
		       const struct nft_found *f, struct strbuf *out)
{
	char text[PORT_TEXT_SIZE];
	uint16_t port;

	port_text(p, text);
	strbuf_addf(out, "port %s -> %u: ", text, p->port);
	if (!present) {
		strbuf_add(out, "not in the table\n");
	} else if (f->data_len != want->data_len || memcmp(f->data, want->data, want->data_len) != 0) {
		memcpy(&port, f->data + 4, sizeof(port));
		strbuf_add(out, "goes to ");
		add_addr(out, f->data);
		strbuf_addf(out, ":%u\n", ntohs(port));
	} else {
		strbuf_add(out, "published\n");
	}
}

static int print_elems(const struct net_sockets *s, const struct net_config *c, uint32_t ifindex,
		       struct strbuf *out, struct error *err)
{
	size_t n = c->ports.n + 1;
	auto_free struct nft_elem *e = mem_alloc_n(n, sizeof(*e));
	auto_free bool *present = mem_alloc_n(n, sizeof(*present));
	auto_free struct nft_found *found = mem_alloc_n(n, sizeof(*found));
	auto_free struct net_port *ports = c->ports.n ? mem_dup(c->ports.v, c->ports.n * sizeof(*ports)) : NULL;
	int r = port_find_chosen(s->nft, c, ports, err);

	if (r < 0)
		return r;
	e[0] = nft_elem_addr(ifindex, c->addr);
	for (size_t i = 1; i < n; i++)
		e[i] = nft_elem_port(&ports[i - 1], c->addr);
	r = nft_get_elems(s->nft, c->table, e, n, present, found, err);
	if (r < 0)
		return r;
	print_addr(c, present[0], &found[0], out);
	for (size_t i = 1; i < n; i++)
		print_port(&ports[i - 1], &e[i], present[i], &found[i], out);
	return 0;
}

static int print_counter(const struct nlmsghdr *nlh, size_t index unused, void *data)
{
	uint64_t packets = 0, bytes = 0;
	struct strbuf *out = data;
	const char *name = NULL;
	const struct nlattr *a;

	mnl_attr_for_each(a, nlh, sizeof(struct nfgenmsg))
	{
		if (mnl_attr_get_type(a) == NFTA_OBJ_NAME)
			name = mnl_attr_get_str(a);
		else if (mnl_attr_get_type(a) == NFTA_OBJ_DATA)
			nft_read_counter(a, &packets, &bytes);
	}
	if (name && nft_counter_index(name) >= 0)
		strbuf_addf(out, "dropped %s: %" PRIu64 " packets %" PRIu64 " bytes\n", name, packets, bytes);
	return 0;
}

/* Of the whole table: the packets of strangers have no container to be counted at. */
static int print_counters(const struct net_sockets *s, const char *table, struct strbuf *out,
			  struct error *err)
{
	size_t start = out->len;
	int r = -EAGAIN;

	for (int tries = 0; r == -EAGAIN && tries < DUMP_TRIES; tries++) {
		auto_batch b = NL_BATCH_NONE;
		struct nlmsghdr *nlh = nl_message_nfnl(&b, NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETOBJ,
						       NLM_F_DUMP, NFPROTO_INET, 0, "list counters");

		out->len = start;
		mnl_attr_put_strz(nlh, NFTA_OBJ_TABLE, table);
		b.dump = true;
		b.ignore = -ENOENT;
		r = nl_run(s->nft, &b, print_counter, out, err);
	}
	return r;
}

int net_print(const struct net_sockets *s, const struct net_config *c, struct strbuf *out, struct error *err)
{
	cleanup(strbuf_done) struct strbuf text = {0};
	uint32_t ifindex = 0;
	int r;

	if (c->mode != NET_ROUTED) {
		strbuf_add(out, c->mode == NET_HOST ? "network: the host's\n" : "network: none\n");
		return 0;
	}
	r = print_link(s, c, &ifindex, &text, err);
	if (r == 0)
		r = print_elems(s, c, ifindex, &text, err);
	if (r == 0)
		r = print_counters(s, c->table, &text, err);
	if (r == 0)
		strbuf_add(out, strbuf_cstr(&text));
	return r;
}
