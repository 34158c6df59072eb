/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef ARNIA_CONTAINER_LEASE_H
#define ARNIA_CONTAINER_LEASE_H
/*
 * What a running machine is lent: a range of 65536 ids and an address. Held in memory only: a lease is alive exactly as long as a plan kept under
 * run/plan (or a prepared worker) names it, and arniad takes those before it lends anything. So a crash between lending and writing loses nothing.
 */
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include "lib/base/error.h"

#define LEASE_IDS 65536u

struct lease_pool;
struct lease {
	uint64_t id_base; /* first host id; 0 = none */
	struct in_addr addr; /* 0 = none */
	uint32_t index; /* of the address in the pool: names the link and its ifindex */
};
/* ids: [id_base, id_end) in steps of LEASE_IDS; addresses: pool/16 but for the first and last of it. */
struct lease_pool *lease_pool_new(uint64_t id_base, uint64_t id_end, uint32_t pool_host_order);
void lease_pool_free(struct lease_pool *p);
/* Never lend ids in [from, from + count): taken from /etc/subuid, /etc/subgid (text of the file; bad lines are passed over). */
void lease_pool_exclude(struct lease_pool *p, const char *subid_text);
/* Lend; the least recently used ones first, so that a just freed address rests. -ENOSPC with kind REFUSED. */
int lease_take(struct lease_pool *p, bool want_addr, struct lease *ret, struct error *err);
/* Mark what a plan on disk or a survivor holds. -EEXIST when it is lent already (both are reported, none is changed). */
int lease_adopt(struct lease_pool *p, uint64_t id_base, struct in_addr addr, struct lease *ret);
void lease_give_back(struct lease_pool *p, struct lease *l); /* zeroes *l */
size_t lease_count(const struct lease_pool *p);

#endif
