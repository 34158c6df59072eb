/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <sys/random.h>
#include "lib/base/mem.h"
#include "lib/base/parse.h"
#include "lib/base/str.h"
#include "lib/container/lease.h"

#define POOL_ADDRS 65536u

/* A bitmap and the place to look first: going round gives the longest rest to what was freed last. */
struct bits {
	uint64_t *w;
	uint32_t n, next, used;
};
struct lease_pool {
	uint64_t id_base;
	uint32_t pool; /* host order */
	struct bits ids, addrs;
};

static bool bit_get(const struct bits *b, uint32_t i)
{
	return b->w[i / 64] >> (i % 64) & 1;
}

static void bit_set(struct bits *b, uint32_t i, bool on)
{
	uint64_t m = 1ULL << (i % 64);

	if (bit_get(b, i) == on)
		return;
	b->w[i / 64] ^= m;
	b->used += on ? 1 : -1;
}

static int64_t bits_take(struct bits *b)
{
	for (uint32_t k = 0; k < b->n; k++) {
		uint32_t i = (b->next + k) % b->n;

		if (!bit_get(b, i)) {
			bit_set(b, i, true);
			b->next = (i + 1) % b->n;
			return i;
		}
	}
	return -ENOSPC;
}

static void bits_init(struct bits *b, uint32_t n)
{
	b->n = n;
	b->w = mem_alloc_n((n + 63) / 64, sizeof(uint64_t));
}

/* Where to begin: links of an instance that ended a moment ago may be on their way out still, under the names of its first addresses. */
static uint32_t anywhere(void)
{
	uint32_t r = 0;

	return getrandom(&r, sizeof(r), GRND_NONBLOCK) == sizeof(r) ? r : 0;
}

struct lease_pool *lease_pool_new(uint64_t id_base, uint64_t id_end, uint32_t pool_host_order)
{
	struct lease_pool *p = mem_alloc(sizeof(*p));

	p->id_base = id_base;
	p->pool = pool_host_order;
	bits_init(&p->ids, (id_end - id_base) / LEASE_IDS);
	bits_init(&p->addrs, POOL_ADDRS);
	/* network, first (left for a gateway in the pool) and broadcast address */
	bit_set(&p->addrs, 0, true);
	bit_set(&p->addrs, 1, true);
	bit_set(&p->addrs, POOL_ADDRS - 1, true);
	p->addrs.used = 0;
	p->addrs.next = 2 + anywhere() % (POOL_ADDRS - 3);
	p->ids.next = anywhere() % p->ids.n;
	/* systemd's "foreign" range (systemd.io/UIDS-GIDS) lies inside the space of the private slots */
	for (uint64_t id = 0x7FFE0000; id <= 0x7FFEFFFF; id += LEASE_IDS) {
		if (id >= id_base && id < id_end)
			bit_set(&p->ids, (id - id_base) / LEASE_IDS, true);
	}
	p->ids.used = 0;
	return p;
}

void lease_pool_free(struct lease_pool *p)
{
	if (!p)
		return;
	free(p->ids.w);
	free(p->addrs.w);
	free(p);
}

static void exclude_range(struct lease_pool *p, uint64_t from, uint64_t count)
{
	uint64_t end = from + count, lim = p->id_base + (uint64_t)p->ids.n * LEASE_IDS;

	if (end <= p->id_base || from >= lim || !count)
		return;
	from = MAX(from, p->id_base);
	end = MIN(end, lim);
	for (uint64_t i = (from - p->id_base) / LEASE_IDS; i <= (end - 1 - p->id_base) / LEASE_IDS; i++)
		bit_set(&p->ids, i, true);
}

void lease_pool_exclude(struct lease_pool *p, const char *subid_text)
{
	auto_free char *copy = str_dup(subid_text);
	char *save = NULL;
	uint32_t used = p->ids.used;

	for (char *line = strtok_r(copy, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		char *a = strchr(line, ':'), *b = a ? strchr(a + 1, ':') : NULL;
		uint64_t from, count;

		if (!b)
			continue;
		*b = '\0';
		if (parse_u64(a + 1, &from) == 0 && parse_u64(b + 1, &count) == 0 && count <= UINT32_MAX)
			exclude_range(p, from, count);
	}
	p->ids.used = used;
}

int lease_take(struct lease_pool *p, bool want_addr, struct lease *ret, struct error *err)
{
	int64_t id = bits_take(&p->ids), a = 0;

	if (id < 0) {
		err_set_kind(err, -ENOSPC, ERR_REFUSED, "no id range is left: all %u are in use", p->ids.n);
		err_hint(err, "stop or remove machines");
		return -ENOSPC;
	}
	if (want_addr && (a = bits_take(&p->addrs)) < 0) {
		bit_set(&p->ids, id, false);
		err_set_kind(err, -ENOSPC, ERR_REFUSED, "no address is left in the pool");
		err_hint(err, "stop machines, or use --net none");
		return -ENOSPC;
	}
	*ret = (struct lease){ .id_base = p->id_base + (uint64_t)id * LEASE_IDS, .index = (uint32_t)a };
	if (want_addr)
		ret->addr.s_addr = htonl(p->pool + (uint32_t)a);
	return 0;
}

int lease_adopt(struct lease_pool *p, uint64_t id_base, struct in_addr addr, struct lease *ret)
{
	uint64_t i = (id_base - p->id_base) / LEASE_IDS;
	uint32_t a = ntohl(addr.s_addr) - p->pool;

	if (id_base < p->id_base || i >= p->ids.n || (id_base - p->id_base) % LEASE_IDS)
		return -ERANGE;
	if (addr.s_addr && a >= POOL_ADDRS)
		return -ERANGE;
	if (bit_get(&p->ids, i) || (addr.s_addr && bit_get(&p->addrs, a)))
		return -EEXIST;
	bit_set(&p->ids, i, true);
	p->ids.next = (i + 1) % p->ids.n;
	if (addr.s_addr) {
		bit_set(&p->addrs, a, true);
		p->addrs.next = (a + 1) % POOL_ADDRS;
	}
	*ret = (struct lease){ .id_base = id_base, .addr = addr, .index = addr.s_addr ? a : 0 };
	return 0;
}

void lease_give_back(struct lease_pool *p, struct lease *l)
{
	if (l->id_base)
		bit_set(&p->ids, (l->id_base - p->id_base) / LEASE_IDS, false);
	if (l->addr.s_addr)
		bit_set(&p->addrs, l->index, false);
	*l = (struct lease){ 0 };
}

size_t lease_count(const struct lease_pool *p)
{
	return p->ids.used;
}
