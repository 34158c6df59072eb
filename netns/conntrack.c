/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <string.h>
#include "lib/base/failat.h"
#include "netns/nft.h"

/* Bits of CTA_FILTER_*_FLAGS (Linux 5.8, net/netfilter/nf_internals.h): which parts of a tuple must match. */
#define MATCH_SRC (1U << 0)
#define MATCH_DST (1U << 1)
#define MATCH_PROTO (1U << 3)
#define MATCH_DPORT (1U << 5)

#define DELETES_PER_SEND 256

/* Entries whose tuple of one direction has these parts. */
struct ct_match {
	uint16_t direction; /* CTA_TUPLE_ORIG or CTA_TUPLE_REPLY */
	uint32_t flags;
	struct in_addr addr; /* src or dst */
	uint8_t proto;
	uint16_t dport; /* network order */
};

static struct nlmsghdr *ct_message(struct nl_batch *b, uint16_t type, uint16_t flags)
{
	return nl_message_nfnl(b, (uint16_t)(NFNL_SUBSYS_CTNETLINK << 8 | type), flags, AF_INET, 0,
			       "conntrack");
}

static void put_match(struct nlmsghdr *nlh, const struct ct_match *m)
{
	struct nlattr *tuple = mnl_attr_nest_start(nlh, m->direction), *nest;

	if (m->flags & (MATCH_SRC | MATCH_DST)) {
		nest = mnl_attr_nest_start(nlh, CTA_TUPLE_IP);
		mnl_attr_put_u32(nlh, m->flags & MATCH_SRC ? CTA_IP_V4_SRC : CTA_IP_V4_DST, m->addr.s_addr);
		mnl_attr_nest_end(nlh, nest);
	}
	if (m->flags & MATCH_PROTO) {
		nest = mnl_attr_nest_start(nlh, CTA_TUPLE_PROTO);
		mnl_attr_put_u8(nlh, CTA_PROTO_NUM, m->proto);
		mnl_attr_put_u16(nlh, CTA_PROTO_DST_PORT, m->dport);
		mnl_attr_nest_end(nlh, nest);
	}
	mnl_attr_nest_end(nlh, tuple);
	nest = mnl_attr_nest_start(nlh, CTA_FILTER);
	mnl_attr_put_u32(nlh, m->direction == CTA_TUPLE_ORIG ? CTA_FILTER_ORIG_FLAGS : CTA_FILTER_REPLY_FLAGS,
			 m->flags);
	mnl_attr_nest_end(nlh, nest);
}

/* Turn an entry of the dump into a request to delete exactly it. */
static int collect_entry(const struct nlmsghdr *nlh, size_t index unused, void *data)
{
	struct nl_batch *b = data;
	struct nlmsghdr *del = ct_message(b, IPCTNL_MSG_CT_DELETE, 0);
	const struct nlattr *a;

	mnl_attr_for_each(a, nlh, sizeof(struct nfgenmsg))
	{
		uint16_t type = mnl_attr_get_type(a);

		if (type == CTA_TUPLE_ORIG)
			type |= NLA_F_NESTED;
		else if (type != CTA_ID && type != CTA_ZONE)
			continue;
		mnl_attr_put(del, type, mnl_attr_get_payload_len(a), mnl_attr_get_payload(a));
	}
	return 0;
}

/* Send the collected requests in portions that fit a socket buffer; entries that ended meanwhile are fine. */
static int delete_collected(int fd, const struct nl_batch *all, struct error *err)
{
	int r = 0;

	for (size_t i = 0; i < all->n && r == 0; i += DELETES_PER_SEND) {
		auto_batch b = NL_BATCH_NONE;

		b.ignore = -ENOENT;
		for (size_t k = i; k < MIN(i + DELETES_PER_SEND, all->n); k++) {
			const struct nlmsghdr *from = (struct nlmsghdr *)(all->buf + all->msg[k].at);
			struct nlmsghdr *to = ct_message(&b, IPCTNL_MSG_CT_DELETE, 0);
			size_t head = MNL_NLMSG_HDRLEN + MNL_ALIGN(sizeof(struct nfgenmsg));

			memcpy((char *)to + head, (const char *)from + head, from->nlmsg_len - head);
			to->nlmsg_len = from->nlmsg_len;
		}
		r = nl_run(fd, &b, NULL, NULL, err);
	}
	return r;
}

/* Kernels before 6.11 have filters for dumps only. */
static int forget_by_dump(int fd, const struct ct_match *m, struct error *err)
{
	auto_batch dump = NL_BATCH_NONE, found = NL_BATCH_NONE;
	int r;

	put_match(ct_message(&dump, IPCTNL_MSG_CT_GET, NLM_F_DUMP), m);
	dump.dump = true;
	r = nl_run(fd, &dump, collect_entry, &found, err);
	return r < 0 ? r : delete_collected(fd, &found, err);
}

/* The filtered flush looks at empty buckets without taking their lock, and is many times faster than a dump.
 */
static int forget_by_flush(int fd, const struct ct_match *m)
{
	auto_batch b = NL_BATCH_NONE;

	put_match(ct_message(&b, IPCTNL_MSG_CT_DELETE, 0), m);
	return nl_run(fd, &b, NULL, NULL, NULL);
}

static int forget(int fd, const struct ct_match *m, struct error *err)
{
	if (fail_at("ct-flush") == 0 && forget_by_flush(fd, m) == 0)
		return 0;
	return forget_by_dump(fd, m, err);
}

int ct_forget_addr(int fd, struct in_addr addr, struct error *err)
{
	struct ct_match m = {.direction = CTA_TUPLE_ORIG, .flags = MATCH_SRC, .addr = addr};
	int r = forget(fd, &m, err);

	if (r < 0)
		return r;
	m.direction = CTA_TUPLE_REPLY;
	return forget(fd, &m, err);
}

int ct_forget_port(int fd, const struct net_port *p, struct error *err)
{
	struct ct_match m = {
		.direction = CTA_TUPLE_ORIG,
		.flags = MATCH_PROTO | MATCH_DPORT,
		.proto = p->proto,
		.dport = htons(p->host_port),
	};

	if (p->host_addr.s_addr != htonl(INADDR_ANY)) {
		m.flags |= MATCH_DST;
		m.addr = p->host_addr;
	}
	return forget(fd, &m, err);
}
