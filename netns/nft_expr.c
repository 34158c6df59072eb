/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <arpa/inet.h>
#include <stdio.h>
#include <libnftnl/expr.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>
#include "netns/nft_expr.h"

static const uint32_t registers[] = {NFT_REG_1, NFT_REG32_01, NFT_REG32_02};

static struct nftnl_expr *expr_add(struct nftnl_rule *r, const char *name)
{
	struct nftnl_expr *e = nftnl_expr_alloc(name);

	if (!e)
		abort();
	nftnl_rule_add_expr(r, e);
	return e;
}

void expr_meta(struct nftnl_rule *r, uint32_t key, enum nft_part to)
{
	struct nftnl_expr *e = expr_add(r, "meta");

	nftnl_expr_set_u32(e, NFTNL_EXPR_META_KEY, key);
	nftnl_expr_set_u32(e, NFTNL_EXPR_META_DREG, registers[to]);
}

void expr_cmp(struct nftnl_rule *r, bool equal, const void *value, uint32_t len)
{
	struct nftnl_expr *e = expr_add(r, "cmp");

	nftnl_expr_set_u32(e, NFTNL_EXPR_CMP_SREG, NFT_REG_1);
	nftnl_expr_set_u32(e, NFTNL_EXPR_CMP_OP, equal ? NFT_CMP_EQ : NFT_CMP_NEQ);
	nftnl_expr_set(e, NFTNL_EXPR_CMP_DATA, value, len);
}

void expr_cmp_u32(struct nftnl_rule *r, bool equal, uint32_t value)
{
	expr_cmp(r, equal, &value, sizeof(value));
}

void expr_group(struct nftnl_rule *r, uint32_t key, bool equal, uint32_t group)
{
	expr_meta(r, key, PART_1);
	expr_cmp_u32(r, equal, group);
}

void expr_is_ipv4(struct nftnl_rule *r)
{
	static const uint8_t ipv4 = NFPROTO_IPV4;

	expr_meta(r, NFT_META_NFPROTO, PART_1);
	expr_cmp(r, true, &ipv4, sizeof(ipv4));
}

static void expr_payload(struct nftnl_rule *r, uint32_t base, uint32_t offset, uint32_t len, enum nft_part to)
{
	struct nftnl_expr *e = expr_add(r, "payload");

	nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_BASE, base);
	nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_OFFSET, offset);
	nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_LEN, len);
	nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_DREG, registers[to]);
}

void expr_ipv4(struct nftnl_rule *r, enum ipv4_field field, uint32_t len, enum nft_part to)
{
	expr_payload(r, NFT_PAYLOAD_NETWORK_HEADER, field, len, to);
}

static void expr_mask(struct nftnl_rule *r, uint32_t mask)
{
	struct nftnl_expr *e = expr_add(r, "bitwise");
	uint32_t zero = 0;

	nftnl_expr_set_u32(e, NFTNL_EXPR_BITWISE_SREG, NFT_REG_1);
	nftnl_expr_set_u32(e, NFTNL_EXPR_BITWISE_DREG, NFT_REG_1);
	nftnl_expr_set_u32(e, NFTNL_EXPR_BITWISE_OP, NFT_BITWISE_BOOL);
	nftnl_expr_set_u32(e, NFTNL_EXPR_BITWISE_LEN, sizeof(mask));
	nftnl_expr_set(e, NFTNL_EXPR_BITWISE_MASK, &mask, sizeof(mask));
	nftnl_expr_set(e, NFTNL_EXPR_BITWISE_XOR, &zero, sizeof(zero));
}

void expr_ipv4_in(struct nftnl_rule *r, enum ipv4_field field, struct in_addr addr, uint8_t prefix)
{
	uint32_t mask = prefix ? htonl(UINT32_MAX << (32 - prefix)) : 0;

	expr_is_ipv4(r);
	/* Whole bytes are compared without a mask, as nft(8) does, so that it prints them back as a prefix.
	 */
	expr_ipv4(r, field, prefix && prefix % 8 == 0 ? prefix / 8 : 4, PART_1);
	if (prefix % 8 || !prefix)
		expr_mask(r, mask);
	addr.s_addr &= mask;
	expr_cmp(r, true, &addr, prefix && prefix % 8 == 0 ? prefix / 8 : 4);
}

void expr_dport(struct nftnl_rule *r, enum nft_part to)
{
	expr_payload(r, NFT_PAYLOAD_TRANSPORT_HEADER, 2, 2, to);
}

void expr_daddr_is_local(struct nftnl_rule *r)
{
	struct nftnl_expr *e = expr_add(r, "fib");

	nftnl_expr_set_u32(e, NFTNL_EXPR_FIB_RESULT, NFT_FIB_RESULT_ADDRTYPE);
	nftnl_expr_set_u32(e, NFTNL_EXPR_FIB_FLAGS, NFTA_FIB_F_DADDR);
	nftnl_expr_set_u32(e, NFTNL_EXPR_FIB_DREG, NFT_REG_1);
	expr_cmp_u32(r, true, RTN_LOCAL);
}

void expr_lookup(struct nftnl_rule *r, const char *set, bool map)
{
	struct nftnl_expr *e = expr_add(r, "lookup");

	nftnl_expr_set_u32(e, NFTNL_EXPR_LOOKUP_SREG, NFT_REG_1);
	nftnl_expr_set_str(e, NFTNL_EXPR_LOOKUP_SET, set);
	if (map)
		nftnl_expr_set_u32(e, NFTNL_EXPR_LOOKUP_DREG, NFT_REG_1);
}

void expr_ct_has(struct nftnl_rule *r, uint32_t key, uint32_t bits)
{
	struct nftnl_expr *e = expr_add(r, "ct");

	nftnl_expr_set_u32(e, NFTNL_EXPR_CT_KEY, key);
	nftnl_expr_set_u32(e, NFTNL_EXPR_CT_DREG, NFT_REG_1);
	expr_mask(r, bits);
	expr_cmp_u32(r, false, 0);
}

void expr_counter(struct nftnl_rule *r, const char *name)
{
	struct nftnl_expr *e = expr_add(r, "objref");

	nftnl_expr_set_u32(e, NFTNL_EXPR_OBJREF_IMM_TYPE, NFT_OBJECT_COUNTER);
	nftnl_expr_set_str(e, NFTNL_EXPR_OBJREF_IMM_NAME, name);
}

void expr_verdict(struct nftnl_rule *r, uint32_t verdict)
{
	struct nftnl_expr *e = expr_add(r, "immediate");

	nftnl_expr_set_u32(e, NFTNL_EXPR_IMM_DREG, NFT_REG_VERDICT);
	nftnl_expr_set_u32(e, NFTNL_EXPR_IMM_VERDICT, verdict);
}

static void expr_nat(struct nftnl_rule *r, uint32_t type, bool port)
{
	struct nftnl_expr *e = expr_add(r, "nat");

	nftnl_expr_set_u32(e, NFTNL_EXPR_NAT_TYPE, type);
	nftnl_expr_set_u32(e, NFTNL_EXPR_NAT_FAMILY, NFPROTO_IPV4);
	nftnl_expr_set_u32(e, NFTNL_EXPR_NAT_REG_ADDR_MIN, NFT_REG_1);
	if (port)
		nftnl_expr_set_u32(e, NFTNL_EXPR_NAT_REG_PROTO_MIN, registers[PART_2]);
}

void expr_dnat(struct nftnl_rule *r)
{
	expr_nat(r, NFT_NAT_DNAT, true);
}

void expr_snat(struct nftnl_rule *r, struct in_addr to)
{
	struct nftnl_expr *e = expr_add(r, "immediate");

	nftnl_expr_set_u32(e, NFTNL_EXPR_IMM_DREG, NFT_REG_1);
	nftnl_expr_set(e, NFTNL_EXPR_IMM_DATA, &to, sizeof(to));
	expr_nat(r, NFT_NAT_SNAT, false);
}

void expr_masquerade(struct nftnl_rule *r)
{
	expr_add(r, "masq");
}
