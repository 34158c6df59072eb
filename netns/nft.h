/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef ARNIA_NET_NFT_H
#define ARNIA_NET_NFT_H
/*
 * The nft table (internal to netns/). Chains, sets and rules are made once; a container is elements only:
 *   addrs      { host ifindex . container address }                 who may send as whom; counts what the
 * container sent ports      { protocol . host address . host port : address . port } ports_any  { protocol .
 * host port : address . port }            published on every address of the host A set whose layout changes
 * in a later version of the rules gets a new name, so that rules can be replaced under live elements.
 */
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include "netns/net.h"
#include "netns/netlink.h"

#define NFT_SET_ADDRS "addrs"
#define NFT_MAP_PORTS "ports"
#define NFT_MAP_PORTS_ANY "ports_any"

/* Named counters of the table, for what was dropped. */
#define NFT_COUNTER_LOOPBACK "foreign_loopback"
#define NFT_COUNTER_METADATA "metadata"
#define NFT_COUNTER_SPOOFED "spoofed"
#define NFT_COUNTER_INVALID "invalid"
#define NFT_COUNTER_ISOLATED "isolated"

/* Both go into a batch begun by nl_nft_begin. Table, counters and sets: existing sets of the same layout are
 * left, with their elements; `have` has the bits nft_counter_index of counters that exist (not every kernel
 * takes them twice). */
void nft_put_table(struct nl_batch *b, const struct net_host_config *c, uint32_t have);
/* Chains with their rules; none of the chains may exist. */
void nft_put_chains(struct nl_batch *b, const struct net_host_config *c);
int nft_counter_index(const char *name); /* -1 = not one of ours */
size_t nft_rule_count(void);
/* Text of rules version and configuration, kept as a chain's comment: equal text, equal rules. */
void nft_version_text(const struct net_host_config *c, char buf[128]);
/* Kernel module that the message with this description needs, or NULL. */
const char *nft_module_of(const char *what);
#define NFT_TABLE_COMMENT "made by arnia"
#define NFT_VERSION_CHAIN "prerouting"

/* One element: keys and data as the kernel wants them, every part padded to 4 bytes. */
struct nft_elem {
	const char *set;
	uint8_t key[12], data[8];
	uint8_t key_len, data_len; /* data_len 0: a set */
};
struct nft_elem nft_elem_addr(uint32_t ifindex, struct in_addr addr);
struct nft_elem nft_elem_port(const struct net_port *p, struct in_addr addr);
/* type: NFT_MSG_NEWSETELEM, DELSETELEM (by key) or GETSETELEM. */
void nft_put_elem(struct nl_batch *b, const char *table, uint16_t type, uint16_t flags,
		  const struct nft_elem *e, const char *what);

/* An element as read back. */
struct nft_found {
	uint8_t key[12], data[8];
	uint8_t key_len, data_len;
	bool counted;
	uint64_t packets, bytes;
};
typedef int nft_elem_cb(const struct nft_found *f, void *data);
/* NFTA_COUNTER_* inside an attribute. */
void nft_read_counter(const struct nlattr *data, uint64_t *packets, uint64_t *bytes);
/* Look `n` elements up by key: present[i] and, when wanted, found[i]. Missing elements, sets and tables are
 * just not present. */
int nft_get_elems(int fd, const char *table, const struct nft_elem *e, size_t n, bool *present,
		  struct nft_found *found, struct error *err);
/* All elements of a set, each once or more; a missing table is an empty one. -EAGAIN when the set changed
 * meanwhile. */
int nft_dump_elems(int fd, const char *table, const char *set, nft_elem_cb *cb, void *data,
		   struct error *err);

/* Forget conntrack entries. By container: every flow from it or to it. */
int ct_forget_addr(int fd, struct in_addr addr, struct error *err);
/* Flows to a host port (host_addr INADDR_ANY: any address) that were made before it was published. */
int ct_forget_port(int fd, const struct net_port *p, struct error *err);

#endif
