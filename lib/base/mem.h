/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef ARNIA_BASE_MEM_H
#define ARNIA_BASE_MEM_H
/* Allocation that aborts when memory is out (programs are crash-only), ownership helpers, arenas. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define MIN(a, b) ((a) < (b) ? (a) : (b))
#define MAX(a, b) ((a) > (b) ? (a) : (b))
#define container_of(p, type, member) ((type *)((char *)(p) - offsetof(type, member)))
#define cleanup(f) __attribute__((cleanup(f)))
#define unused __attribute__((unused))

void *mem_alloc(size_t size); /* zeroed */
void *mem_alloc_n(size_t n, size_t size); /* zeroed, overflow aborts */
void *mem_realloc_n(void *p, size_t n, size_t size);
void *mem_dup(const void *p, size_t size);
char *str_dup(const char *s); /* NULL stays NULL */
char *str_dup_n(const char *s, size_t n);
char *str_fmt(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Take a pointer out of its owner: `return ptr_steal(&x)`. */
#define ptr_steal(pp)                          \
	({                                     \
		typeof(*(pp)) steal_ = *(pp);  \
		*(pp) = NULL;                  \
		steal_;                        \
	})
static inline void mem_freep(void *pp)
{
	free(*(void **)pp);
	*(void **)pp = NULL;
}
#define auto_free cleanup(mem_freep) /* auto_free char *s = NULL; */

/* Arena: many small allocations freed in one call. Zero-initialised is empty and valid. */
struct arena {
	struct arena_block *head;
};
void *arena_alloc(struct arena *a, size_t size); /* zeroed, aligned to 16 */
void *arena_alloc_n(struct arena *a, size_t n, size_t size);
char *arena_str(struct arena *a, const char *s); /* NULL stays NULL */
char *arena_str_n(struct arena *a, const char *s, size_t n);
char *arena_fmt(struct arena *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void *arena_dup(struct arena *a, const void *p, size_t size);
void arena_done(struct arena *a);

/* Grow a plain array {T *v; size_t n} by one zeroed element, in an arena (amortised: capacity is
 * the next power of two), and return the new element. Use through the macro. */
void *arena_grow(struct arena *a, void *v, size_t n, size_t size);
#define arena_push(a, vec) (((vec)->v = arena_grow((a), (vec)->v, (vec)->n, sizeof(*(vec)->v))), &(vec)->v[(vec)->n++])

/* The array type used in config structs: ARRAY_OF(struct mount_item) mounts; */
#define ARRAY_OF(T)        \
	struct {           \
		T *v;      \
		size_t n;  \
	}
struct strv { /* array of strings */
	const char **v;
	size_t n;
};
/* Append s (copied) to an arena-owned strv. */
void strv_push(struct arena *a, struct strv *sv, const char *s);

#endif
