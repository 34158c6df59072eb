/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <arpa/inet.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include "tests/bench/floor/floor.h"
#include "tests/bench/floor/netlink.h"
#include "tests/bench/stat.h"

#define TABLE "flt"
#define SET "ips"
#define FIRST_ADDRESS 0x0a000002u

static void message(int type, uint16_t flags, uint8_t family)
{
	struct nfgenmsg g = {.nfgen_family = family, .version = NFNETLINK_V0};

	if (type == NFNL_MSG_BATCH_BEGIN || type == NFNL_MSG_BATCH_END)
		g.res_id = htons(NFNL_SUBSYS_NFTABLES);
	else
		type |= NFNL_SUBSYS_NFTABLES << 8;
	nl_message((uint16_t)type, flags, &g, sizeof(g));
}

static void batch_begin(void)
{
	nl_begin();
	message(NFNL_MSG_BATCH_BEGIN, 0, 0);
	nl_end();
}

static void batch_send(struct floor *f, const char *what)
{
	message(NFNL_MSG_BATCH_END, 0, 0);
	nl_end();
	nl_send(f->nft, what);
}

static void add_table(void)
{
	message(NFT_MSG_NEWTABLE, NLM_F_CREATE | NLM_F_ACK, NFPROTO_IPV4);
	nl_put_text(NFTA_TABLE_NAME, TABLE);
	nl_put_be32(NFTA_TABLE_FLAGS, 0);
	nl_end();
}

static void add_set(void)
{
	message(NFT_MSG_NEWSET, NLM_F_CREATE, NFPROTO_IPV4);
	nl_put_text(NFTA_SET_TABLE, TABLE);
	nl_put_text(NFTA_SET_NAME, SET);
	nl_put_be32(NFTA_SET_KEY_TYPE, 7);
	nl_put_be32(NFTA_SET_KEY_LEN, 4);
	nl_put_be32(NFTA_SET_ID, 1);
	nl_put_be32(NFTA_SET_FLAGS, 0);
	nl_end();
}

static void add_chain(const char *name, const char *type, uint32_t hook, int priority)
{
	struct nlattr *h;

	message(NFT_MSG_NEWCHAIN, NLM_F_CREATE, NFPROTO_IPV4);
	nl_put_text(NFTA_CHAIN_TABLE, TABLE);
	nl_put_text(NFTA_CHAIN_NAME, name);
	h = nl_put(NFTA_CHAIN_HOOK | NLA_F_NESTED, NULL, 0);
	nl_put_be32(NFTA_HOOK_HOOKNUM, hook);
	nl_put_be32(NFTA_HOOK_PRIORITY, (uint32_t)priority);
	nl_nest_end(h);
	nl_put_text(NFTA_CHAIN_TYPE, type);
	nl_end();
}

struct expression {
	struct nlattr *all, *data;
};

static struct expression expression_begin(const char *name)
{
	struct expression e = {.all = nl_put(NFTA_LIST_ELEM | NLA_F_NESTED, NULL, 0)};

	nl_put_text(NFTA_EXPR_NAME, name);
	e.data = nl_put(NFTA_EXPR_DATA | NLA_F_NESTED, NULL, 0);
	return e;
}

static void expression_end(struct expression e)
{
	nl_nest_end(e.data);
	nl_nest_end(e.all);
}

static void add_verdict(void)
{
	struct expression e = expression_begin("immediate");
	struct nlattr *data, *verdict;

	nl_put_be32(NFTA_IMMEDIATE_DREG, NFT_REG_VERDICT);
	data = nl_put(NFTA_IMMEDIATE_DATA | NLA_F_NESTED, NULL, 0);
	verdict = nl_put(NFTA_DATA_VERDICT | NLA_F_NESTED, NULL, 0);
	nl_put_be32(NFTA_VERDICT_CODE, NF_ACCEPT);
	nl_nest_end(verdict);
	nl_nest_end(data);
	expression_end(e);
}

/* ip saddr ADDRESS masquerade, or accept */
static void add_rule(const char *chain, uint32_t address, bool masquerade)
{
	struct nlattr *list, *data;
	struct expression e;

	message(NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND, NFPROTO_IPV4);
	nl_put_text(NFTA_RULE_TABLE, TABLE);
	nl_put_text(NFTA_RULE_CHAIN, chain);
	list = nl_put(NFTA_RULE_EXPRESSIONS | NLA_F_NESTED, NULL, 0);
	e = expression_begin("payload");
	nl_put_be32(NFTA_PAYLOAD_DREG, NFT_REG_1);
	nl_put_be32(NFTA_PAYLOAD_BASE, NFT_PAYLOAD_NETWORK_HEADER);
	nl_put_be32(NFTA_PAYLOAD_OFFSET, 12);
	nl_put_be32(NFTA_PAYLOAD_LEN, 4);
	expression_end(e);
	e = expression_begin("cmp");
	nl_put_be32(NFTA_CMP_SREG, NFT_REG_1);
	nl_put_be32(NFTA_CMP_OP, NFT_CMP_EQ);
	data = nl_put(NFTA_CMP_DATA | NLA_F_NESTED, NULL, 0);
	nl_put(NFTA_DATA_VALUE, &address, sizeof(address));
	nl_nest_end(data);
	expression_end(e);
	if (masquerade)
		expression_end(expression_begin("masq"));
	else
		add_verdict();
	nl_nest_end(list);
	nl_end();
}

static void add_element(uint32_t address)
{
	struct nlattr *list, *element, *key;

	message(NFT_MSG_NEWSETELEM, NLM_F_ACK | NLM_F_CREATE, NFPROTO_IPV4);
	nl_put_text(NFTA_SET_ELEM_LIST_TABLE, TABLE);
	nl_put_text(NFTA_SET_ELEM_LIST_SET, SET);
	list = nl_put(NFTA_SET_ELEM_LIST_ELEMENTS | NLA_F_NESTED, NULL, 0);
	element = nl_put(NFTA_LIST_ELEM | NLA_F_NESTED, NULL, 0);
	key = nl_put(NFTA_SET_ELEM_KEY | NLA_F_NESTED, NULL, 0);
	nl_put(NFTA_DATA_VALUE, &address, sizeof(address));
	nl_nest_end(key);
	nl_nest_end(element);
	nl_nest_end(list);
	nl_end();
}

void nft_remove(struct floor *f)
{
	batch_begin();
	message(NFT_MSG_DELTABLE, NLM_F_ACK, NFPROTO_IPV4);
	nl_put_text(NFTA_TABLE_NAME, TABLE);
	nl_end();
	batch_send(f, "remove the table");
}

double nft_rules(struct floor *f, unsigned pairs)
{
	double t = now_us();

	batch_begin();
	add_table();
	add_set();
	add_chain("post", "nat", NF_INET_POST_ROUTING, 100);
	add_chain("pre", "nat", NF_INET_PRE_ROUTING, -100);
	add_chain("fwd", "filter", NF_INET_FORWARD, 0);
	for (unsigned i = 0; i < pairs; i++) {
		add_rule("post", htonl(FIRST_ADDRESS + i), true);
		add_rule("fwd", htonl(FIRST_ADDRESS + i), false);
	}
	batch_send(f, "rules");
	t = now_us() - t;
	nft_remove(f);
	return t;
}

void nft_base(struct floor *f)
{
	batch_begin();
	add_table();
	add_set();
	add_chain("post", "nat", NF_INET_POST_ROUTING, 100);
	add_rule("post", 0, true);
	batch_send(f, "table");
}

double nft_add_rule(struct floor *f)
{
	double t = now_us();

	batch_begin();
	add_rule("post", htonl(FIRST_ADDRESS + ++f->seq), true);
	nl_head()->nlmsg_flags |= NLM_F_ACK;
	batch_send(f, "rule");
	return now_us() - t;
}

double nft_add_element(struct floor *f)
{
	double t = now_us();

	batch_begin();
	add_element(htonl(FIRST_ADDRESS + ++f->seq));
	batch_send(f, "element");
	return now_us() - t;
}
