/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/unit/base/unit.h"
#include <stdlib.h>
#include "lib/base/pack.h"

struct inner {
	const char *name;
	uint16_t port;
	ARRAY_OF(uint32_t) list;
};

struct outer {
	uint8_t u8;
	bool flag;
	uint16_t u16;
	uint32_t u32;
	int32_t i32;
	uint64_t u64;
	int64_t i64;
	const char *text, *empty, *none;
	struct strv words;
	const void *bytes;
	size_t nbytes;
	char fixed[6];
	ARRAY_OF(struct inner) inner;
};

static void pack_number(struct pack *p, void *v)
{
	pack_u32(p, v);
}

static void pack_inner(struct pack *p, void *v)
{
	struct inner *in = v;

	pack_str(p, &in->name);
	pack_u16(p, &in->port);
	pack_arr(p, &in->list, pack_number);
}

static void pack_outer(struct pack *p, struct outer *o)
{
	pack_u8(p, &o->u8);
	pack_bool(p, &o->flag);
	pack_u16(p, &o->u16);
	pack_u32(p, &o->u32);
	pack_i32(p, &o->i32);
	pack_u64(p, &o->u64);
	pack_i64(p, &o->i64);
	pack_str(p, &o->text);
	pack_str(p, &o->empty);
	pack_str(p, &o->none);
	pack_strv(p, &o->words);
	pack_bytes(p, &o->bytes, &o->nbytes);
	pack_fixed(p, o->fixed, sizeof(o->fixed));
	pack_arr(p, &o->inner, pack_inner);
}

/* A filled struct in its packed form. */
static void make_sample(struct pack *p, struct arena *a)
{
	struct outer o = { .u8 = 200, .flag = true, .u16 = 0xabcd, .u32 = 0xdeadbeef, .i32 = -7, .u64 = UINT64_MAX - 1,
			   .i64 = INT64_MIN, .text = "text", .empty = "", .bytes = "\0\1\2\3\4\5\6\7", .nbytes = 8,
			   .fixed = "fixed" };

	strv_push(a, &o.words, "one");
	strv_push(a, &o.words, NULL);
	strv_push(a, &o.words, "three");
	for (uint32_t i = 0; i < 5; i++) {
		struct inner *in = arena_push(a, &o.inner);

		in->name = arena_fmt(a, "inner-%u", i);
		in->port = (uint16_t)(8000 + i);
		for (uint32_t k = 0; k < i; k++)
			*arena_push(a, &in->list) = i * 100 + k;
	}
	pack_outer(p, &o);
	assert_false(p->bad);
}

static void read_back(struct pack *p, struct outer *o, const void *in, size_t n, struct arena *a)
{
	*p = (struct pack){ .reading = true, .in = in, .end = (const uint8_t *)in + n, .arena = a };
	memset(o, 0xee, sizeof(*o));
	pack_outer(p, o);
}

static void test_round_trip(void **state)
{
	struct arena a = { 0 };
	struct pack w = { 0 }, r;
	struct outer o;

	(void)state;
	make_sample(&w, &a);
	read_back(&r, &o, w.out.s, w.out.len, &a);
	assert_false(r.bad);
	assert_ptr_equal(r.in, r.end);
	assert_true(o.u8 == 200 && o.flag && o.u16 == 0xabcd && o.u32 == 0xdeadbeef && o.i32 == -7);
	assert_true(o.u64 == UINT64_MAX - 1 && o.i64 == INT64_MIN);
	assert_string_equal(o.text, "text");
	assert_string_equal(o.empty, "");
	assert_null(o.none);
	assert_int_equal(o.words.n, 3);
	assert_null(o.words.v[1]);
	assert_string_equal(o.words.v[2], "three");
	assert_int_equal(o.nbytes, 8);
	assert_memory_equal(o.bytes, "\0\1\2\3\4\5\6\7", 8);
	assert_int_equal((uintptr_t)o.bytes % 8, 0);
	assert_string_equal(o.fixed, "fixed");
	assert_int_equal(o.inner.n, 5);
	assert_string_equal(o.inner.v[4].name, "inner-4");
	assert_int_equal(o.inner.v[4].port, 8004);
	assert_int_equal(o.inner.v[4].list.n, 4);
	assert_int_equal(o.inner.v[4].list.v[3], 403);
	/* A decoded array can grow further. */
	for (int i = 0; i < 20; i++)
		arena_push(&a, &o.inner)->port = 1;
	assert_string_equal(o.inner.v[4].name, "inner-4");
	strbuf_done(&w.out);
	arena_done(&a);
}

/* The wire form does not depend on the machine. */
static void test_wire(void **state)
{
	static const unsigned char want[] = { 0x02, 0x01, 0xfe, 0xff, 0xff, 0xff, 3, 0, 0, 0, 'a', 'b', 0, 0, 0, 0, 0 };
	struct pack w = { 0 };
	uint16_t u = 0x0102;
	int32_t i = -2;
	const char *s = "ab", *none = NULL;

	(void)state;
	pack_u16(&w, &u);
	pack_i32(&w, &i);
	pack_str(&w, &s);
	pack_str(&w, &none);
	assert_int_equal(w.out.len, sizeof(want));
	assert_memory_equal(w.out.s, want, sizeof(want));
	strbuf_done(&w.out);
}

/* Cut at every length: bad is set, everything left is zero, nothing outside the input is read (ASan). */
static void test_truncated(void **state)
{
	struct arena a = { 0 };
	struct pack w = { 0 }, r;
	struct outer o;

	(void)state;
	make_sample(&w, &a);
	for (size_t n = 0; n < w.out.len; n++) {
		char *exact = malloc(n ? n : 1);

		memcpy(exact, w.out.s, n);
		read_back(&r, &o, exact, n, &a);
		assert_true(r.bad);
		assert_int_equal(o.inner.n, 0);
		free(exact);
	}
	strbuf_done(&w.out);
	arena_done(&a);
}

static void use_outer(const struct outer *o)
{
	size_t total = 0;

	for (size_t i = 0; i < o->words.n; i++)
		total += o->words.v[i] ? strlen(o->words.v[i]) : 0;
	for (size_t i = 0; i < o->inner.n; i++)
		total += (o->inner.v[i].name ? strlen(o->inner.v[i].name) : 0) + o->inner.v[i].list.n;
	total += o->text ? strlen(o->text) : 0;
	total += o->nbytes ? ((const uint8_t *)o->bytes)[o->nbytes - 1] : 0;
	assert_true(total < 1000000);
}

/* Every byte damaged in several ways: what is decoded can be used. */
static void test_damaged(void **state)
{
	static const uint8_t flips[] = { 0x01, 0x80, 0xff };
	struct arena a = { 0 };
	struct pack w = { 0 }, r;
	struct outer o;
	size_t refused = 0;

	(void)state;
	make_sample(&w, &a);
	for (size_t i = 0; i < w.out.len * sizeof(flips); i++) {
		struct arena mine = { 0 };
		char *at = w.out.s + i / sizeof(flips), keep = *at;

		*at ^= (char)flips[i % sizeof(flips)];
		read_back(&r, &o, w.out.s, w.out.len, &mine);
		*at = keep;
		refused += r.bad;
		if (!r.bad)
			use_outer(&o);
		arena_done(&mine);
	}
	assert_true(refused > 0);
	strbuf_done(&w.out);
	arena_done(&a);
}

static void expect_bad(const void *in, size_t n, void (*fn)(struct pack *, void *))
{
	struct arena a = { 0 };
	struct pack p = { .reading = true, .in = in, .end = (const uint8_t *)in + n, .arena = &a };
	struct strv v = { 0 };

	fn(&p, &v);
	assert_true(p.bad);
	arena_done(&a);
}

static void read_strv(struct pack *p, void *v)
{
	pack_strv(p, v);
	assert_int_equal(((struct strv *)v)->n, 0);
	assert_null(((struct strv *)v)->v);
}

static void read_string(struct pack *p, void *v)
{
	const char *s = "x";

	(void)v;
	pack_str(p, &s);
	assert_null(s);
}

static void read_bool(struct pack *p, void *v)
{
	bool b = true;

	(void)v;
	pack_bool(p, &b);
	assert_false(b);
}

static void test_malformed(void **state)
{
	(void)state;
	/* Counts that no input could hold. */
	expect_bad("\xff\xff\xff\xff\0\0\0\0", 8, read_strv);
	expect_bad("\5\0\0\0\0\0\0\0", 8, read_strv);
	/* No NUL at the end; a NUL inside; longer than the input. */
	expect_bad("\2\0\0\0ab", 6, read_string);
	expect_bad("\3\0\0\0a\0\0", 7, read_string);
	expect_bad("\4\0\0\0ab\0", 7, read_string);
	expect_bad("\2", 1, read_bool);
	expect_bad("", 0, read_bool);
}

static void test_bad_stays(void **state)
{
	struct arena a = { 0 };
	struct pack p = { .reading = true, .in = (const uint8_t *)"\1\2\3\4", .arena = &a };
	uint64_t u = 9;
	uint8_t b = 9;
	char fixed[2] = "x";
	const void *run = "x";
	size_t n = 9;

	(void)state;
	p.end = p.in + 4;
	pack_u64(&p, &u);
	assert_true(p.bad);
	assert_int_equal(u, 0);
	/* There are bytes left, but what they mean is lost. */
	pack_u8(&p, &b);
	pack_fixed(&p, fixed, sizeof(fixed));
	pack_bytes(&p, &run, &n);
	assert_int_equal(b, 0);
	assert_int_equal(fixed[0], 0);
	assert_int_equal(n, 0);
	assert_null(run);
	arena_done(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip), cmocka_unit_test(test_wire),	     cmocka_unit_test(test_truncated),
		cmocka_unit_test(test_damaged),	   cmocka_unit_test(test_malformed), cmocka_unit_test(test_bad_stays),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
