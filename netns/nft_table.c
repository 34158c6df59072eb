/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <arpa/inet.h>
#include <stdio.h>
#include <libnftnl/chain.h>
#include <libnftnl/expr.h>
#include <libnftnl/object.h>
#include <libnftnl/rule.h>
#include <libnftnl/set.h>
#include <libnftnl/table.h>
#include <libnftnl/udata.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <stdlib.h>
#include <string.h>
#include "netns/nft.h"
#include "netns/nft_expr.h"
#include "netns/rtnl.h"

#define RULES_VERSION 1 /* one more for every change of the tables below */

#define LOOPBACK_NET 0x7f000000	 /* 127/8 */
#define METADATA_ADDR 0xa9fea9fe /* 169.254.169.254: credentials of the cloud instance itself */

typedef void rule_build(struct nftnl_rule *r, const struct net_host_config *c);

static void rule_foreign_loopback(struct nftnl_rule *r, const struct net_host_config *c unused)
{
	expr_meta(r, NFT_META_IIF, PART_1);
	expr_cmp_u32(r, false, NET_LO_IFINDEX);
	expr_ipv4_in(r, IPV4_DADDR, (struct in_addr){htonl(LOOPBACK_NET)}, 8);
	expr_counter(r, NFT_COUNTER_LOOPBACK);
	expr_verdict(r, NF_DROP);
}

static void rule_not_ours(struct nftnl_rule *r, const struct net_host_config *c)
{
	expr_group(r, NFT_META_IIFGROUP, false, c->ifgroup);
	expr_verdict(r, NF_ACCEPT);
}

static void rule_metadata(struct nftnl_rule *r, const struct net_host_config *c unused)
{
	expr_ipv4_in(r, IPV4_DADDR, (struct in_addr){htonl(METADATA_ADDR)}, 32);
	expr_counter(r, NFT_COUNTER_METADATA);
	expr_verdict(r, NF_DROP);
}

/* Interface and source address belong together. Also finds hairpins: there the *outgoing* interface is the
 * sender's. */
static void match_owner(struct nftnl_rule *r, uint32_t key)
{
	expr_is_ipv4(r);
	expr_meta(r, key, PART_1);
	expr_ipv4(r, IPV4_SADDR, 4, PART_2);
	expr_lookup(r, NFT_SET_ADDRS, false);
}

static void rule_own_source(struct nftnl_rule *r, const struct net_host_config *c unused)
{
	match_owner(r, NFT_META_IIF);
	expr_verdict(r, NF_ACCEPT);
}

/* IPv6 too, as long as no container has an IPv6 address. */
static void rule_spoofed(struct nftnl_rule *r, const struct net_host_config *c unused)
{
	expr_counter(r, NFT_COUNTER_SPOOFED);
	expr_verdict(r, NF_DROP);
}

static void rule_publish(struct nftnl_rule *r, const struct net_host_config *c unused)
{
	expr_daddr_is_local(r);
	expr_is_ipv4(r);
	expr_meta(r, NFT_META_L4PROTO, PART_1);
	expr_ipv4(r, IPV4_DADDR, 4, PART_2);
	expr_dport(r, PART_3);
	expr_lookup(r, NFT_MAP_PORTS, true);
	expr_dnat(r);
}

static void rule_publish_any(struct nftnl_rule *r, const struct net_host_config *c unused)
{
	expr_daddr_is_local(r);
	expr_is_ipv4(r);
	expr_meta(r, NFT_META_L4PROTO, PART_1);
	expr_dport(r, PART_2);
	expr_lookup(r, NFT_MAP_PORTS_ANY, true);
	expr_dnat(r);
}

static void rule_from_loopback(struct nftnl_rule *r, const struct net_host_config *c)
{
	expr_group(r, NFT_META_OIFGROUP, true, c->ifgroup);
	expr_ipv4_in(r, IPV4_SADDR, (struct in_addr){htonl(LOOPBACK_NET)}, 8);
	expr_snat(r, c->gateway);
}

static void rule_hairpin(struct nftnl_rule *r, const struct net_host_config *c)
{
	expr_group(r, NFT_META_OIFGROUP, true, c->ifgroup);
	match_owner(r, NFT_META_OIF);
	expr_snat(r, c->gateway);
}

static void rule_masquerade(struct nftnl_rule *r, const struct net_host_config *c)
{
	expr_group(r, NFT_META_OIFGROUP, false, c->ifgroup);
	expr_ipv4_in(r, IPV4_SADDR, c->pool, c->pool_prefix);
	expr_masquerade(r);
}

static void rule_established(struct nftnl_rule *r, const struct net_host_config *c unused)
{
	expr_ct_has(r, NFT_CT_STATE, NF_CT_STATE_BIT(IP_CT_ESTABLISHED) | NF_CT_STATE_BIT(IP_CT_RELATED));
	expr_verdict(r, NF_ACCEPT);
}

/* Conntrack does not translate what it holds for invalid: it would leave with the container's own address. */
static void rule_invalid(struct nftnl_rule *r, const struct net_host_config *c)
{
	expr_group(r, NFT_META_IIFGROUP, true, c->ifgroup);
	expr_ct_has(r, NFT_CT_STATE, NF_CT_STATE_INVALID_BIT);
	expr_counter(r, NFT_COUNTER_INVALID);
	expr_verdict(r, NF_DROP);
}

static void rule_published(struct nftnl_rule *r, const struct net_host_config *c)
{
	expr_group(r, NFT_META_OIFGROUP, true, c->ifgroup);
	expr_ct_has(r, NFT_CT_STATUS, IPS_DST_NAT);
	expr_verdict(r, NF_ACCEPT);
}

static void rule_isolated(struct nftnl_rule *r, const struct net_host_config *c)
{
	expr_group(r, NFT_META_OIFGROUP, true, c->ifgroup);
	expr_counter(r, NFT_COUNTER_ISOLATED);
	expr_verdict(r, NF_DROP);
}

static const struct {
	const char *name, *type;
	uint32_t hook;
	int32_t priority;
} chains[] = {
	/* Names must not be words of nft(8): a saved ruleset would not load. */
	/* Before conntrack: what is dropped here makes no entry. Fragments are put together earlier (-400).
	 */
	{NFT_VERSION_CHAIN, "filter", NF_INET_PRE_ROUTING, -300},
	{"forward", "filter", NF_INET_FORWARD, 0},
	{"publish_in", "nat", NF_INET_PRE_ROUTING, -100},
	{"publish_out", "nat", NF_INET_LOCAL_OUT, -100},
	{"postrouting", "nat", NF_INET_POST_ROUTING, 100},
};

static const struct rule {
	const char *chain, *comment;
	const char *module; /* what the kernel needs beyond nf_tables, or NULL */
	rule_build *build;
} rules[] = {
	{NFT_VERSION_CHAIN, "foreign 127/8", NULL, rule_foreign_loopback},
	{NFT_VERSION_CHAIN, "not from a container", NULL, rule_not_ours},
	{NFT_VERSION_CHAIN, "cloud metadata", NULL, rule_metadata},
	{NFT_VERSION_CHAIN, "own source address", NULL, rule_own_source},
	{NFT_VERSION_CHAIN, "spoofed source address", NULL, rule_spoofed},
	{"forward", "established", "nft_ct", rule_established},
	{"forward", "invalid", "nft_ct", rule_invalid},
	{"forward", "published", "nft_ct", rule_published},
	{"forward", "isolated", NULL, rule_isolated},
	{"publish_in", "published on one address", "nft_fib_inet or nft_nat", rule_publish},
	{"publish_in", "published on any address", "nft_fib_inet or nft_nat", rule_publish_any},
	{"publish_out", "published on one address, from the host", "nft_fib_inet or nft_nat", rule_publish},
	{"publish_out", "published on any address, from the host", "nft_fib_inet or nft_nat", rule_publish_any},
	{"postrouting", "from the host's 127/8", "nft_nat", rule_from_loopback},
	{"postrouting", "hairpin", "nft_nat", rule_hairpin},
	{"postrouting", "masquerade", "nft_masq", rule_masquerade},
};

static const char *const counters[] = {
	NFT_COUNTER_LOOPBACK, NFT_COUNTER_METADATA, NFT_COUNTER_SPOOFED,
	NFT_COUNTER_INVALID,  NFT_COUNTER_ISOLATED,
};

/* Type numbers of nft(8) (its datatype.h), only there so that it can print elements. */
enum { TYPE_IPADDR = 7, TYPE_PROTOCOL = 12, TYPE_SERVICE = 13, TYPE_IFINDEX = 20, TYPE_BITS = 6 };
#define TYPE_2(a, b) ((a) << TYPE_BITS | (b))
#define TYPE_3(a, b, c) (TYPE_2(a, b) << TYPE_BITS | (c))

static const struct set {
	const char *name;
	uint32_t key_type, key_len, data_type, data_len; /* data_len 0: a set, counted */
} sets[] = {
	{NFT_SET_ADDRS, TYPE_2(TYPE_IFINDEX, TYPE_IPADDR), 8, 0, 0},
	{NFT_MAP_PORTS, TYPE_3(TYPE_PROTOCOL, TYPE_IPADDR, TYPE_SERVICE), 12,
	 TYPE_2(TYPE_IPADDR, TYPE_SERVICE), 8},
	{NFT_MAP_PORTS_ANY, TYPE_2(TYPE_PROTOCOL, TYPE_SERVICE), 8, TYPE_2(TYPE_IPADDR, TYPE_SERVICE), 8},
};

size_t nft_rule_count(void)
{
	return ARRAY_SIZE(rules);
}

const char *nft_module_of(const char *what)
{
	for (size_t i = 0; i < ARRAY_SIZE(rules); i++)
		if (rules[i].comment == what)
			return rules[i].module;
	for (size_t i = 0; i < ARRAY_SIZE(chains); i++)
		if (chains[i].name == what && strcmp(chains[i].type, "nat") == 0)
			return "nft_chain_nat";
	return NULL;
}

void nft_version_text(const struct net_host_config *c, char buf[128])
{
	char pool[INET_ADDRSTRLEN], gateway[INET_ADDRSTRLEN];

	inet_ntop(AF_INET, &c->pool, pool, sizeof(pool));
	inet_ntop(AF_INET, &c->gateway, gateway, sizeof(gateway));
	snprintf(buf, 128, "rules %d, group %u, pool %s/%u, gateway %s", RULES_VERSION, c->ifgroup, pool,
		 c->pool_prefix, gateway);
}

/* A comment as nft(8) keeps it. */
static struct nftnl_udata_buf *comment_udata(uint8_t type, const char *text)
{
	struct nftnl_udata_buf *u = nftnl_udata_buf_alloc(NFT_USERDATA_MAXLEN);

	if (!u || !nftnl_udata_put_strz(u, type, text))
		abort();
	return u;
}

static void put_new_table(struct nl_batch *b, const char *name)
{
	struct nlmsghdr *nlh = nl_message_nfnl(b, NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWTABLE, NLM_F_CREATE,
					       NFPROTO_INET, 0, "add table");
	struct nftnl_udata_buf *u = comment_udata(NFTNL_UDATA_TABLE_COMMENT, NFT_TABLE_COMMENT);
	struct nftnl_table *t = nftnl_table_alloc();

	if (!t)
		abort();
	nftnl_table_set_str(t, NFTNL_TABLE_NAME, name);
	nftnl_table_set_u32(t, NFTNL_TABLE_FLAGS, 0);
	nftnl_table_set_data(t, NFTNL_TABLE_USERDATA, nftnl_udata_buf_data(u), nftnl_udata_buf_len(u));
	nftnl_table_nlmsg_build_payload(nlh, t);
	nftnl_table_free(t);
	nftnl_udata_buf_free(u);
}

static void put_counter(struct nl_batch *b, const char *table, const char *name)
{
	struct nlmsghdr *nlh = nl_message_nfnl(b, NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWOBJ, NLM_F_CREATE,
					       NFPROTO_INET, 0, "add counter");
	struct nftnl_obj *o = nftnl_obj_alloc();

	if (!o)
		abort();
	nftnl_obj_set_str(o, NFTNL_OBJ_TABLE, table);
	nftnl_obj_set_str(o, NFTNL_OBJ_NAME, name);
	nftnl_obj_set_u32(o, NFTNL_OBJ_TYPE, NFT_OBJECT_COUNTER);
	nftnl_obj_set_u64(o, NFTNL_OBJ_CTR_PKTS, 0);
	nftnl_obj_set_u64(o, NFTNL_OBJ_CTR_BYTES, 0);
	nftnl_obj_nlmsg_build_payload(nlh, o);
	nftnl_obj_free(o);
}

int nft_counter_index(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(counters); i++)
		if (strcmp(counters[i], name) == 0)
			return (int)i;
	return -1;
}

static void put_set(struct nl_batch *b, const char *table, const struct set *set, uint32_t id)
{
	struct nlmsghdr *nlh = nl_message_nfnl(b, NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWSET, NLM_F_CREATE,
					       NFPROTO_INET, 0, "add set");
	struct nftnl_set *s = nftnl_set_alloc();
	struct nftnl_expr *counter = set->data_len ? NULL : nftnl_expr_alloc("counter");

	if (!s || (!set->data_len && !counter))
		abort();
	nftnl_set_set_str(s, NFTNL_SET_TABLE, table);
	nftnl_set_set_str(s, NFTNL_SET_NAME, set->name);
	nftnl_set_set_u32(s, NFTNL_SET_ID, id);
	nftnl_set_set_u32(s, NFTNL_SET_FLAGS, set->data_len ? NFT_SET_MAP : 0);
	nftnl_set_set_u32(s, NFTNL_SET_KEY_TYPE, set->key_type);
	nftnl_set_set_u32(s, NFTNL_SET_KEY_LEN, set->key_len);
	if (set->data_len) {
		nftnl_set_set_u32(s, NFTNL_SET_DATA_TYPE, set->data_type);
		nftnl_set_set_u32(s, NFTNL_SET_DATA_LEN, set->data_len);
	} else {
		nftnl_set_add_expr(s, counter);
	}
	nftnl_set_nlmsg_build_payload(nlh, s);
	nftnl_set_free(s);
}

void nft_put_table(struct nl_batch *b, const struct net_host_config *c, uint32_t have)
{
	put_new_table(b, c->table);
	for (size_t i = 0; i < ARRAY_SIZE(counters); i++)
		if (!(have & 1U << i))
			put_counter(b, c->table, counters[i]);
	for (size_t i = 0; i < ARRAY_SIZE(sets); i++)
		put_set(b, c->table, &sets[i], (uint32_t)i + 1);
}

static void put_chain(struct nl_batch *b, const struct net_host_config *c, size_t i)
{
	struct nlmsghdr *nlh = nl_message_nfnl(b, NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWCHAIN, NLM_F_CREATE,
					       NFPROTO_INET, 0, chains[i].name);
	struct nftnl_udata_buf *u = NULL;
	struct nftnl_chain *ch = nftnl_chain_alloc();
	char version[128];

	if (!ch)
		abort();
	nftnl_chain_set_str(ch, NFTNL_CHAIN_TABLE, c->table);
	nftnl_chain_set_str(ch, NFTNL_CHAIN_NAME, chains[i].name);
	nftnl_chain_set_str(ch, NFTNL_CHAIN_TYPE, chains[i].type);
	nftnl_chain_set_u32(ch, NFTNL_CHAIN_HOOKNUM, chains[i].hook);
	nftnl_chain_set_s32(ch, NFTNL_CHAIN_PRIO, chains[i].priority);
	nftnl_chain_set_u32(ch, NFTNL_CHAIN_POLICY, NF_ACCEPT);
	if (strcmp(chains[i].name, NFT_VERSION_CHAIN) == 0) {
		nft_version_text(c, version);
		u = comment_udata(NFTNL_UDATA_CHAIN_COMMENT, version);
		nftnl_chain_set_data(ch, NFTNL_CHAIN_USERDATA, nftnl_udata_buf_data(u),
				     nftnl_udata_buf_len(u));
		nftnl_udata_buf_free(u);
	}
	nftnl_chain_nlmsg_build_payload(nlh, ch);
	nftnl_chain_free(ch);
}

static void put_rule(struct nl_batch *b, const struct net_host_config *c, const struct rule *rule)
{
	struct nlmsghdr *nlh = nl_message_nfnl(b, NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWRULE,
					       NLM_F_CREATE | NLM_F_APPEND, NFPROTO_INET, 0, rule->comment);
	struct nftnl_udata_buf *u = comment_udata(NFTNL_UDATA_RULE_COMMENT, rule->comment);
	struct nftnl_rule *r = nftnl_rule_alloc();

	if (!r)
		abort();
	nftnl_rule_set_str(r, NFTNL_RULE_TABLE, c->table);
	nftnl_rule_set_str(r, NFTNL_RULE_CHAIN, rule->chain);
	nftnl_rule_set_data(r, NFTNL_RULE_USERDATA, nftnl_udata_buf_data(u), nftnl_udata_buf_len(u));
	rule->build(r, c);
	nftnl_rule_nlmsg_build_payload(nlh, r);
	nftnl_rule_free(r);
	nftnl_udata_buf_free(u);
}

void nft_put_chains(struct nl_batch *b, const struct net_host_config *c)
{
	for (size_t i = 0; i < ARRAY_SIZE(chains); i++)
		put_chain(b, c, i);
	for (size_t i = 0; i < ARRAY_SIZE(rules); i++)
		put_rule(b, c, &rules[i]);
}
