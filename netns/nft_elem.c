/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <string.h>
#include "netns/nft.h"

#define GETS_PER_SEND 256 /* an answer takes some 5 KiB of the socket's receive buffer */

/* Append one part of a concatenation, padded to 4 bytes. */
static void put_part(uint8_t *to, uint8_t *len, const void *value, uint8_t size)
{
	memcpy(to + *len, value, size);
	*len = (uint8_t)(*len + ((size + 3) & ~3));
}

struct nft_elem nft_elem_addr(uint32_t ifindex, struct in_addr addr)
{
	struct nft_elem e = {.set = NFT_SET_ADDRS};

	put_part(e.key, &e.key_len, &ifindex, sizeof(ifindex));
	put_part(e.key, &e.key_len, &addr, sizeof(addr));
	return e;
}

struct nft_elem nft_elem_port(const struct net_port *p, struct in_addr addr)
{
	bool any = p->host_addr.s_addr == htonl(INADDR_ANY);
	struct nft_elem e = {.set = any ? NFT_MAP_PORTS_ANY : NFT_MAP_PORTS};
	uint16_t host_port = htons(p->host_port), port = htons(p->port);

	put_part(e.key, &e.key_len, &p->proto, sizeof(p->proto));
	if (!any)
		put_part(e.key, &e.key_len, &p->host_addr, sizeof(p->host_addr));
	put_part(e.key, &e.key_len, &host_port, sizeof(host_port));
	put_part(e.data, &e.data_len, &addr, sizeof(addr));
	put_part(e.data, &e.data_len, &port, sizeof(port));
	return e;
}

static void put_value(struct nlmsghdr *nlh, uint16_t type, const void *value, size_t len)
{
	struct nlattr *nest = mnl_attr_nest_start(nlh, type);

	mnl_attr_put(nlh, NFTA_DATA_VALUE, len, value);
	mnl_attr_nest_end(nlh, nest);
}

void nft_put_elem(struct nl_batch *b, const char *table, uint16_t type, uint16_t flags,
		  const struct nft_elem *e, const char *what)
{
	struct nlmsghdr *nlh =
		nl_message_nfnl(b, NFNL_SUBSYS_NFTABLES << 8 | type, flags, NFPROTO_INET, 0, what);
	struct nlattr *list, *elem;

	mnl_attr_put_strz(nlh, NFTA_SET_ELEM_LIST_TABLE, table);
	mnl_attr_put_strz(nlh, NFTA_SET_ELEM_LIST_SET, e->set);
	list = mnl_attr_nest_start(nlh, NFTA_SET_ELEM_LIST_ELEMENTS);
	elem = mnl_attr_nest_start(nlh, NFTA_LIST_ELEM);
	put_value(nlh, NFTA_SET_ELEM_KEY, e->key, e->key_len);
	if (e->data_len && type == NFT_MSG_NEWSETELEM)
		put_value(nlh, NFTA_SET_ELEM_DATA, e->data, e->data_len);
	mnl_attr_nest_end(nlh, elem);
	mnl_attr_nest_end(nlh, list);
}

static uint8_t read_value(const struct nlattr *nest, uint8_t *to, size_t room)
{
	const struct nlattr *a;

	mnl_attr_for_each_nested(a, nest)
	{
		size_t len = mnl_attr_get_payload_len(a);

		if (mnl_attr_get_type(a) != NFTA_DATA_VALUE || len > room)
			continue;
		memcpy(to, mnl_attr_get_payload(a), len);
		return (uint8_t)len;
	}
	return 0;
}

static uint64_t get_be64(const struct nlattr *a)
{
	uint64_t v = mnl_attr_get_u64(a);

	return be64toh(v);
}

void nft_read_counter(const struct nlattr *data, uint64_t *packets, uint64_t *bytes)
{
	const struct nlattr *a;

	mnl_attr_for_each_nested(a, data)
	{
		if (mnl_attr_get_type(a) == NFTA_COUNTER_PACKETS)
			*packets = get_be64(a);
		else if (mnl_attr_get_type(a) == NFTA_COUNTER_BYTES)
			*bytes = get_be64(a);
	}
}

/* NFTA_SET_ELEM_EXPR: { name, data }; the only expression our sets have is a counter. */
static void read_expr(const struct nlattr *expr, struct nft_found *f)
{
	const struct nlattr *a;

	mnl_attr_for_each_nested(a, expr)
	{
		if (mnl_attr_get_type(a) != NFTA_EXPR_DATA)
			continue;
		f->counted = true;
		nft_read_counter(a, &f->packets, &f->bytes);
	}
}

static struct nft_found read_elem(const struct nlattr *elem)
{
	struct nft_found f = {0};
	const struct nlattr *a;

	mnl_attr_for_each_nested(a, elem)
	{
		switch (mnl_attr_get_type(a)) {
		case NFTA_SET_ELEM_KEY:
			f.key_len = read_value(a, f.key, sizeof(f.key));
			break;
		case NFTA_SET_ELEM_DATA:
			f.data_len = read_value(a, f.data, sizeof(f.data));
			break;
		case NFTA_SET_ELEM_EXPR:
			read_expr(a, &f);
			break;
		}
	}
	return f;
}

struct reader {
	nft_elem_cb *cb;
	void *data;
	bool *present; /* by message, when elements are asked for one by one */
	struct nft_found *found;
};

static int read_elems(const struct nlmsghdr *nlh, size_t index, void *data)
{
	struct reader *rd = data;
	const struct nlattr *a, *elem;
	int r = 0;

	mnl_attr_for_each(a, nlh, sizeof(struct nfgenmsg))
	{
		if (mnl_attr_get_type(a) != NFTA_SET_ELEM_LIST_ELEMENTS)
			continue;
		mnl_attr_for_each_nested(elem, a)
		{
			struct nft_found f = read_elem(elem);

			if (rd->cb)
				r = rd->cb(&f, rd->data);
			if (rd->present)
				rd->present[index] = true;
			if (rd->found)
				rd->found[index] = f;
			if (r < 0)
				return r;
		}
	}
	return 0;
}

int nft_get_elems(int fd, const char *table, const struct nft_elem *e, size_t n, bool *present,
		  struct nft_found *found, struct error *err)
{
	int r = 0;

	memset(present, 0, n * sizeof(*present));
	for (size_t from = 0; from < n && r == 0; from += GETS_PER_SEND) {
		auto_batch b = NL_BATCH_NONE;
		struct reader rd = {.present = present + from, .found = found ? found + from : NULL};

		b.ignore = -ENOENT;
		for (size_t i = from; i < MIN(n, from + GETS_PER_SEND); i++)
			nft_put_elem(&b, table, NFT_MSG_GETSETELEM, 0, &e[i], "look up element");
		r = nl_run(fd, &b, read_elems, &rd, err);
	}
	return r;
}

int nft_dump_elems(int fd, const char *table, const char *set, nft_elem_cb *cb, void *data, struct error *err)
{
	auto_batch b = NL_BATCH_NONE;
	struct reader rd = {.cb = cb, .data = data};
	struct nlmsghdr *nlh = nl_message_nfnl(&b, NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETSETELEM, NLM_F_DUMP,
					       NFPROTO_INET, 0, "list elements");

	mnl_attr_put_strz(nlh, NFTA_SET_ELEM_LIST_TABLE, table);
	mnl_attr_put_strz(nlh, NFTA_SET_ELEM_LIST_SET, set);
	b.dump = true;
	b.ignore = -ENOENT;
	return nl_run(fd, &b, read_elems, &rd, err);
}
