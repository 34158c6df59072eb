/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The flat binary form: what is taken packs to bytes that read back to the same bytes. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "lib/base/pack.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct item {
	const char *name;
	uint64_t number;
	struct strv words;
};

struct record {
	uint8_t u8;
	bool flag;
	uint16_t u16;
	uint32_t u32;
	int32_t i32;
	int64_t i64;
	const char *text;
	const void *bytes;
	size_t nbytes;
	char fixed[5];
	ARRAY_OF(struct item) items;
};

static void pack_item(struct pack *p, void *v)
{
	struct item *i = v;

	pack_str(p, &i->name);
	pack_u64(p, &i->number);
	pack_strv(p, &i->words);
}

static void pack_record(struct pack *p, struct record *r)
{
	pack_u8(p, &r->u8);
	pack_bool(p, &r->flag);
	pack_u16(p, &r->u16);
	pack_u32(p, &r->u32);
	pack_i32(p, &r->i32);
	pack_i64(p, &r->i64);
	pack_str(p, &r->text);
	pack_bytes(p, &r->bytes, &r->nbytes);
	pack_fixed(p, r->fixed, sizeof(r->fixed));
	pack_arr(p, &r->items, pack_item);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena a = { 0 };
	struct pack in = { .reading = true, .in = data, .end = data + size, .arena = &a }, out = { 0 };
	struct record r;

	memset(&r, 0xee, sizeof(r));
	pack_record(&in, &r);
	if (!in.bad) {
		size_t used = (size_t)(in.in - data);

		pack_record(&out, &r);
		if (out.bad || out.out.len != used || memcmp(out.out.s, data, used) != 0)
			abort();
	}
	strbuf_done(&out.out);
	arena_done(&a);
	return 0;
}
