/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include "lib/base/mem.h"

#define ARENA_ALIGN 16
#define ARENA_BLOCK_MIN 4096
#define ARENA_BLOCK_MAX (64 * 1024)

struct arena_block {
	struct arena_block *next;
	size_t used, size; /* of data */
	_Alignas(ARENA_ALIGN) unsigned char data[];
};

static void out_of_memory(void)
{
	static const char text[] = "arnia: out of memory\n";

	fwrite(text, 1, sizeof(text) - 1, stderr);
	abort();
}

static size_t mul_or_abort(size_t n, size_t size)
{
	size_t total;

	if (__builtin_mul_overflow(n, size, &total))
		out_of_memory();
	return total;
}

void *mem_alloc(size_t size)
{
	void *p = calloc(1, size ? size : 1);

	if (!p)
		out_of_memory();
	return p;
}

void *mem_alloc_n(size_t n, size_t size)
{
	return mem_alloc(mul_or_abort(n, size));
}

void *mem_realloc_n(void *p, size_t n, size_t size)
{
	size_t total = mul_or_abort(n, size);
	void *q = realloc(p, total ? total : 1);

	if (!q)
		out_of_memory();
	return q;
}

void *mem_dup(const void *p, size_t size)
{
	void *q = mem_alloc(size);

	if (size)
		memcpy(q, p, size);
	return q;
}

char *str_dup(const char *s)
{
	return s ? mem_dup(s, strlen(s) + 1) : NULL;
}

char *str_dup_n(const char *s, size_t n)
{
	char *copy;

	if (!s)
		return NULL;
	n = strnlen(s, n);
	copy = mem_alloc(n + 1);
	memcpy(copy, s, n);
	return copy;
}

char *str_fmt(const char *fmt, ...)
{
	char *s;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&s, fmt, ap);
	va_end(ap);
	if (n < 0)
		out_of_memory();
	return s;
}

static struct arena_block *arena_add_block(struct arena *a, size_t need)
{
	size_t size = a->head ? MIN(a->head->size * 2, (size_t)ARENA_BLOCK_MAX) : ARENA_BLOCK_MIN;
	struct arena_block *b;

	if (need > SIZE_MAX / 2)
		out_of_memory();
	size = MAX(size, need);
	b = mem_alloc(sizeof(*b) + size);
	b->size = size;
	b->next = a->head;
	a->head = b;
	return b;
}

void *arena_alloc(struct arena *a, size_t size)
{
	struct arena_block *b = a->head;
	size_t need;
	void *p;

	if (size > SIZE_MAX - ARENA_ALIGN)
		out_of_memory();
	need = (MAX(size, (size_t)1) + ARENA_ALIGN - 1) & ~(size_t)(ARENA_ALIGN - 1);
	if (!b || b->size - b->used < need)
		b = arena_add_block(a, need);
	p = b->data + b->used;
	b->used += need;
	return p;
}

void *arena_alloc_n(struct arena *a, size_t n, size_t size)
{
	return arena_alloc(a, mul_or_abort(n, size));
}

char *arena_str(struct arena *a, const char *s)
{
	return s ? arena_dup(a, s, strlen(s) + 1) : NULL;
}

char *arena_str_n(struct arena *a, const char *s, size_t n)
{
	char *copy;

	if (!s)
		return NULL;
	n = strnlen(s, n);
	copy = arena_alloc(a, n + 1);
	memcpy(copy, s, n);
	return copy;
}

char *arena_fmt(struct arena *a, const char *fmt, ...)
{
	va_list ap, again;
	char *s;
	int n;

	va_start(ap, fmt);
	va_copy(again, ap);
	n = vsnprintf(NULL, 0, fmt, ap);
	if (n < 0)
		out_of_memory();
	s = arena_alloc(a, (size_t)n + 1);
	vsnprintf(s, (size_t)n + 1, fmt, again);
	va_end(again);
	va_end(ap);
	return s;
}

void *arena_dup(struct arena *a, const void *p, size_t size)
{
	void *q = arena_alloc(a, size);

	if (size)
		memcpy(q, p, size);
	return q;
}

void arena_done(struct arena *a)
{
	while (a->head) {
		struct arena_block *b = a->head;

		a->head = b->next;
		free(b);
	}
}

void *arena_grow(struct arena *a, void *v, size_t n, size_t size)
{
	void *bigger;

	/* Full exactly when n is 0 or a power of two. */
	if (n & (n - 1))
		return v;
	bigger = arena_alloc_n(a, n ? mul_or_abort(n, 2) : 1, size);
	if (n)
		memcpy(bigger, v, n * size);
	return bigger;
}

void strv_push(struct arena *a, struct strv *sv, const char *s)
{
	*arena_push(a, sv) = arena_str(a, s);
}
