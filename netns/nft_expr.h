/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef ARNIA_NET_NFT_EXPR_H
#define ARNIA_NET_NFT_EXPR_H
/* Expressions of a rule (internal to netns/), one function each, in the order nft(8) would make them. */
#include <libnftnl/rule.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

/* Registers as nft(8) uses them: the parts of a concatenation go to consecutive 32-bit ones. */
enum nft_part { PART_1, PART_2, PART_3 };

void expr_meta(struct nftnl_rule *r, uint32_t key, enum nft_part to);
void expr_cmp(struct nftnl_rule *r, bool equal, const void *value, uint32_t len);
void expr_cmp_u32(struct nftnl_rule *r, bool equal, uint32_t value);
/* Match an interface group; key NFT_META_IIFGROUP or OIFGROUP. */
void expr_group(struct nftnl_rule *r, uint32_t key, bool equal, uint32_t group);
void expr_is_ipv4(struct nftnl_rule *r);
enum ipv4_field { IPV4_SADDR = 12, IPV4_DADDR = 16 }; /* offsets in the header */
void expr_ipv4(struct nftnl_rule *r, enum ipv4_field field, uint32_t len, enum nft_part to);
/* field & mask == addr, with the family check before it */
void expr_ipv4_in(struct nftnl_rule *r, enum ipv4_field field, struct in_addr addr, uint8_t prefix);
void expr_dport(struct nftnl_rule *r, enum nft_part to);
void expr_daddr_is_local(struct nftnl_rule *r); /* fib daddr type local */
/* The key is in register PART_1 onward; a map's data goes to the same place. */
void expr_lookup(struct nftnl_rule *r, const char *set, bool map);
void expr_ct_has(struct nftnl_rule *r, uint32_t key, uint32_t bits); /* any of the bits */
void expr_counter(struct nftnl_rule *r, const char *name);
void expr_verdict(struct nftnl_rule *r, uint32_t verdict);
void expr_dnat(struct nftnl_rule *r); /* to the address in PART_1 and the port in PART_2 */
void expr_snat(struct nftnl_rule *r, struct in_addr to);
void expr_masquerade(struct nftnl_rule *r);

#endif
