/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "cmd/arnia-oci/criu.h"

static struct msg_reader reader(const void *p, size_t n)
{
	return (struct msg_reader){ p, (const uint8_t *)p + n };
}

/* Examples of protobuf.dev, "Encoding". */
static void test_bytes(void **state)
{
	struct strbuf b = { 0 }, sub = { 0 };

	(void)state;
	msg_num(&b, 1, 150);
	msg_str(&b, 2, "testing");
	msg_str(&b, 4, NULL);
	msg_num(&sub, 1, 150);
	msg_sub(&b, 3, &sub);
	assert_int_equal(b.len, 17);
	assert_memory_equal(b.s, "\x08\x96\x01\x12\x07testing\x1a\x03\x08\x96\x01", 17);
	strbuf_done(&b);
	strbuf_done(&sub);
}

static void test_round(void **state)
{
	static const uint64_t nums[] = { 0, 1, 127, 128, 1ull << 32, UINT64_MAX };
	struct strbuf b = { 0 };
	struct msg_reader r;
	struct msg_field f;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(nums); i++)
		msg_num(&b, 64 + (unsigned)i, nums[i]);
	msg_str(&b, 7, "");
	r = reader(b.s, b.len);
	for (size_t i = 0; i < ARRAY_SIZE(nums); i++) {
		assert_true(msg_next(&r, &f));
		assert_int_equal(f.field, 64 + i);
		assert_true(f.num == nums[i] && !f.p);
	}
	assert_true(msg_next(&r, &f));
	assert_true(f.field == 7 && f.p && f.n == 0);
	assert_false(msg_next(&r, &f));
	strbuf_done(&b);
}

static void test_other_kinds_are_passed_over(void **state)
{
	static const char text[] = "\x09xxxxxxxx\x15yyyy\x18\x05";
	struct msg_reader r = reader(text, sizeof(text) - 1);
	struct msg_field f;

	(void)state;
	assert_true(msg_next(&r, &f) && f.field == 1 && f.n == 8);
	assert_true(msg_next(&r, &f) && f.field == 2 && f.n == 4);
	assert_true(msg_next(&r, &f) && f.field == 3 && f.num == 5);
	assert_false(msg_next(&r, &f));
}

static void test_damaged(void **state)
{
	static const struct {
		const char *s;
		size_t n;
	} bad[] = {
		{ "\x08", 1 }, /* no value */
		{ "\x08\x80", 2 }, /* cut */
		{ "\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 12 }, /* too long */
		{ "\x12\x05" "abc", 5 }, /* more than there is */
		{ "\x12\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 11 },
		{ "\x09xxx", 4 },
		{ "\x0b", 1 }, /* a group */
		{ "", 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		char *copy = malloc(bad[i].n + 1); /* an exact end for the sanitizer */
		struct msg_reader r;
		struct msg_field f;

		memcpy(copy, bad[i].s, bad[i].n);
		r = reader(copy, bad[i].n);
		assert_false(msg_next(&r, &f));
		free(copy);
	}
}

/* All that there is to read, bounded; of a copy with an exact end, for the sanitizer. */
static size_t read_all(const char *s, size_t n)
{
	char *copy = malloc(n + 1);
	struct msg_reader r;
	struct msg_field f;
	size_t fields = 0;

	memcpy(copy, s, n);
	r = reader(copy, n);
	while (msg_next(&r, &f)) {
		const uint8_t *end = (const uint8_t *)copy + n;

		assert_true(r.at <= end);
		assert_true(!f.p || (f.p >= (const uint8_t *)copy && f.n <= (size_t)(end - f.p)));
		fields++;
		assert_true(fields <= n);
	}
	free(copy);
	return fields;
}

/* Cut anywhere, the fields before the cut are there and no other; with any bit turned it comes to an end. */
static void test_cut_and_turned(void **state)
{
	struct strbuf b = { 0 }, sub = { 0 };
	size_t ends[5], whole = 0;

	(void)state;
	msg_num(&sub, 1, UINT64_MAX);
	msg_num(&b, 1, 300);
	ends[0] = b.len;
	msg_str(&b, 2, "some text");
	ends[1] = b.len;
	msg_sub(&b, 3, &sub);
	ends[2] = b.len;
	msg_num(&b, 1000, 1);
	ends[3] = b.len;
	msg_str(&b, 4, "");
	ends[4] = b.len;
	for (size_t n = 0; n <= b.len; n++) {
		if (whole < 5 && n == ends[whole])
			whole++;
		assert_int_equal(read_all(b.s, n), whole);
	}
	assert_int_equal(whole, 5);
	for (size_t i = 0; i < b.len * 8; i++) {
		b.s[i / 8] ^= (char)(1 << i % 8);
		read_all(b.s, b.len);
		b.s[i / 8] ^= (char)(1 << i % 8);
	}
	strbuf_done(&b);
	strbuf_done(&sub);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bytes),
		cmocka_unit_test(test_round),
		cmocka_unit_test(test_other_kinds_are_passed_over),
		cmocka_unit_test(test_damaged),
		cmocka_unit_test(test_cut_and_turned),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
