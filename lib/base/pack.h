/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef ARNIA_BASE_PACK_H
#define ARNIA_BASE_PACK_H
/*
 * Flat binary form of plain structs. One function per struct walks its fields and serves both directions, so that
 * writing and reading cannot disagree:
 *     static void pack_mount(struct pack *p, struct mount_item *m) { pack_str(p, &m->source); pack_u64(p, &m->flags); }
 * Writing appends to a buffer; reading takes from a fixed one, where strings and byte runs point into the input and
 * arrays come from the arena. A short or malformed input sets p->bad; every later read yields zeros and empty.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "lib/base/mem.h"
#include "lib/base/str.h"

struct pack {
	bool reading, bad;
	struct strbuf out; /* writing */
	const uint8_t *in; /* reading: [in, end) */
	const uint8_t *end;
	struct arena *arena; /* reading: arrays */
};
void pack_u8(struct pack *p, uint8_t *v);
void pack_bool(struct pack *p, bool *v);
void pack_u16(struct pack *p, uint16_t *v);
void pack_u32(struct pack *p, uint32_t *v);
void pack_i32(struct pack *p, int32_t *v);
void pack_u64(struct pack *p, uint64_t *v);
void pack_i64(struct pack *p, int64_t *v);
void pack_str(struct pack *p, const char **s); /* NULL is kept apart from "" */
void pack_strv(struct pack *p, struct strv *sv);
void pack_bytes(struct pack *p, const void **b, size_t *n);
void pack_fixed(struct pack *p, void *b, size_t n); /* exactly n bytes, in place */
/* Arrays: count, then each element by fn. Counts over 1<<20, or over the bytes left, are bad. */
void pack_array(struct pack *p, void **v, size_t *n, size_t size, void (*fn)(struct pack *, void *));
#define pack_arr(p, a, fn) pack_array((p), (void **)&(a)->v, &(a)->n, sizeof(*(a)->v), (fn))

#endif
