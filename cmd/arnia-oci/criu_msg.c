/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Protocol buffers: a key (field number and kind of value) and a value, over and over (protobuf.dev, "Encoding"). */
#include <string.h>
#include "cmd/arnia-oci/criu.h"

enum wire { WIRE_VARINT = 0, WIRE_64 = 1, WIRE_BYTES = 2, WIRE_32 = 5 };

static void add_varint(struct strbuf *b, uint64_t v)
{
	while (v >= 0x80) {
		strbuf_addc(b, (char)(v | 0x80));
		v >>= 7;
	}
	strbuf_addc(b, (char)v);
}

void msg_num(struct strbuf *b, unsigned field, uint64_t v)
{
	add_varint(b, field << 3 | WIRE_VARINT);
	add_varint(b, v);
}

static void add_bytes(struct strbuf *b, unsigned field, const void *p, size_t n)
{
	add_varint(b, field << 3 | WIRE_BYTES);
	add_varint(b, n);
	strbuf_add_n(b, p, n);
}

void msg_str(struct strbuf *b, unsigned field, const char *s)
{
	if (s)
		add_bytes(b, field, s, strlen(s));
}

void msg_sub(struct strbuf *b, unsigned field, const struct strbuf *sub)
{
	add_bytes(b, field, sub->s ? sub->s : "", sub->len);
}

static bool take_varint(struct msg_reader *r, uint64_t *ret)
{
	uint64_t v = 0;

	for (unsigned shift = 0; shift < 64 && r->at < r->end; shift += 7) {
		uint8_t byte = *r->at++;

		v |= (uint64_t)(byte & 0x7f) << shift;
		if (!(byte & 0x80)) {
			*ret = v;
			return true;
		}
	}
	return false;
}

static bool take_bytes(struct msg_reader *r, uint64_t n, struct msg_field *ret)
{
	if (n > (uint64_t)(r->end - r->at))
		return false;
	ret->p = r->at;
	ret->n = (size_t)n;
	r->at += n;
	return true;
}

bool msg_next(struct msg_reader *r, struct msg_field *ret)
{
	uint64_t key, n;

	*ret = (struct msg_field){ 0 };
	if (!take_varint(r, &key))
		return false;
	ret->field = (unsigned)(key >> 3);
	switch (key & 7) {
	case WIRE_VARINT:
		return take_varint(r, &ret->num);
	case WIRE_BYTES:
		return take_varint(r, &n) && take_bytes(r, n, ret);
	case WIRE_64:
		return take_bytes(r, 8, ret);
	case WIRE_32:
		return take_bytes(r, 4, ret);
	}
	return false;
}
