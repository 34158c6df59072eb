/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>
#include "lib/base/pack.h"

#define ARRAY_MAX (1U << 20)
#define RUN_ALIGN 8

/* The next n bytes of the input, or NULL once the input is bad. */
static const uint8_t *take(struct pack *p, size_t n)
{
	const uint8_t *at = p->in;

	if (p->bad || n > (size_t)(p->end - p->in)) {
		p->bad = true;
		return NULL;
	}
	p->in += n;
	return at;
}

/* Little-endian on the wire, so that a checkpoint can be read on another machine. */
static uint64_t number(struct pack *p, uint64_t v, size_t width)
{
	uint8_t bytes[sizeof(v)];
	const uint8_t *at;

	if (!p->reading) {
		for (size_t i = 0; i < width; i++)
			bytes[i] = (uint8_t)(v >> (8 * i));
		strbuf_add_n(&p->out, bytes, width);
		return v;
	}
	at = take(p, width);
	v = 0;
	for (size_t i = 0; at && i < width; i++)
		v |= (uint64_t)at[i] << (8 * i);
	return v;
}

void pack_u8(struct pack *p, uint8_t *v)
{
	*v = (uint8_t)number(p, *v, 1);
}

void pack_bool(struct pack *p, bool *v)
{
	uint64_t n = number(p, p->reading ? 0 : *v, 1);

	if (n > 1)
		p->bad = true;
	*v = !p->bad && n == 1;
}

void pack_u16(struct pack *p, uint16_t *v)
{
	*v = (uint16_t)number(p, *v, 2);
}

void pack_u32(struct pack *p, uint32_t *v)
{
	*v = (uint32_t)number(p, *v, 4);
}

void pack_i32(struct pack *p, int32_t *v)
{
	*v = (int32_t)(uint32_t)number(p, (uint32_t)*v, 4);
}

void pack_u64(struct pack *p, uint64_t *v)
{
	*v = number(p, *v, 8);
}

void pack_i64(struct pack *p, int64_t *v)
{
	*v = (int64_t)number(p, (uint64_t)*v, 8);
}

/* Length + 1 and the bytes with their NUL; 0 alone is NULL. */
void pack_str(struct pack *p, const char **s)
{
	size_t n = !p->reading && *s ? strlen(*s) + 1 : 0;
	const uint8_t *at;

	if (n > UINT32_MAX)
		p->bad = true;
	n = (size_t)number(p, n, 4);
	if (!p->reading) {
		strbuf_add_n(&p->out, *s, n);
		return;
	}
	*s = NULL;
	if (!n)
		return;
	at = take(p, n);
	if (at && memchr(at, 0, n) == at + n - 1)
		*s = (const char *)at;
	else
		p->bad = true;
}

static void pack_str_element(struct pack *p, void *s)
{
	pack_str(p, s);
}

void pack_strv(struct pack *p, struct strv *sv)
{
	pack_arr(p, sv, pack_str_element);
}

void pack_bytes(struct pack *p, const void **b, size_t *n)
{
	const uint8_t *at;
	size_t len;

	if (!p->reading && *n > UINT32_MAX)
		p->bad = true;
	len = (size_t)number(p, *n, 4);
	if (!p->reading) {
		strbuf_add_n(&p->out, *b, len);
		return;
	}
	at = len ? take(p, len) : NULL;
	*n = at ? len : 0;
	/* The run may be an array of structs (a BPF program): keep it aligned for its reader. */
	*b = at && (uintptr_t)at % RUN_ALIGN ? arena_dup(p->arena, at, len) : at;
}

void pack_fixed(struct pack *p, void *b, size_t n)
{
	const uint8_t *at;

	if (!p->reading) {
		strbuf_add_n(&p->out, b, n);
		return;
	}
	at = take(p, n);
	if (at)
		memcpy(b, at, n);
	else
		memset(b, 0, n);
}

/* Room for arena_push to go on: arena_grow takes a power of two for the capacity. */
static size_t capacity(size_t n)
{
	size_t cap = 1;

	while (cap < n)
		cap *= 2;
	return cap;
}

void pack_array(struct pack *p, void **v, size_t *n, size_t size, void (*fn)(struct pack *, void *))
{
	size_t count;

	if (!p->reading && *n > ARRAY_MAX)
		p->bad = true;
	count = (size_t)number(p, p->bad ? 0 : *n, 4);
	if (p->reading) {
		if (count > ARRAY_MAX || count > (size_t)(p->end - p->in))
			p->bad = true;
		if (p->bad)
			count = 0;
		*n = 0;
		*v = count ? arena_alloc_n(p->arena, capacity(count), size) : NULL;
	}
	for (size_t i = 0; i < count && !p->bad; i++)
		fn(p, (char *)*v + i * size);
	if (p->bad)
		count = 0;
	if (p->reading)
		*n = count;
}
