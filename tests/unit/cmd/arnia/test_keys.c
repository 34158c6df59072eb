/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <string.h>
#include "cmd/arnia/keys.h"

static void parses(void **state)
{
	struct keys k;

	(void)state;
	assert_int_equal(keys_parse(KEYS_DEFAULT, &k), 0);
	assert_int_equal(k.n, 3);
	assert_memory_equal(k.sequence, "\x1d\x1d\x1d", 3);
	assert_int_equal(keys_parse("ctrl-p,ctrl-Q", &k), 0);
	assert_memory_equal(k.sequence, "\x10\x11", 2);
	assert_int_equal(keys_parse("ctrl-a,d", &k), 0);
	assert_memory_equal(k.sequence,
			    "\x01"
			    "d",
			    2);
	assert_int_equal(keys_parse("a,,,b", &k), 0);
	assert_memory_equal(k.sequence, "a,b", 3);
	assert_int_equal(keys_parse("ctrl-@,ctrl-[,ctrl-\\,ctrl-^,ctrl-_", &k), 0);
	assert_memory_equal(k.sequence, "\0\x1b\x1c\x1e\x1f", 5);
	assert_int_equal(keys_parse("", &k), 0);
	assert_int_equal(k.n, 0);
}

static void refuses(void **state)
{
	static const char *const bad[] = { "ctrl-",
					   "ctrl-1",
					   "ctrl-pp",
					   "ab",
					   "a,",
					   "ctrl-p,",
					   "ctrl-p ctrl-q",
					   "\x01",
					   "a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,q" };
	struct keys k;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(keys_parse(bad[i], &k), -EINVAL);
}

/* Type each byte `step` ms after the one before; the index of the byte that left, or -1. */
static int type(const char *sequence, const char *typed, uint64_t step)
{
	struct keys k;
	size_t pass;
	uint64_t now = 5000;

	assert_int_equal(keys_parse(sequence, &k), 0);
	for (int i = 0; typed[i]; i++, now += step) {
		bool left = keys_typed(&k, typed + i, 1, now, &pass);

		assert_int_equal(pass, !left);
		if (left)
			return i;
	}
	return -1;
}

static void leaves(void **state)
{
	(void)state;
	assert_int_equal(type(KEYS_DEFAULT, "\x1d\x1d\x1d", 0), 2);
	assert_int_equal(type(KEYS_DEFAULT, "x\x1d\x1dx\x1d\x1d\x1d", 10), 6);
	assert_int_equal(type(KEYS_DEFAULT, "\x1d\x1dx\x1d", 0), -1);
	assert_int_equal(type("ctrl-p,ctrl-q", "\x10\x10\x11", 0), 2);
	assert_int_equal(type("ctrl-p,ctrl-q", "\x10x\x11", 0), -1);
	/* What did not match may hold the beginning of what does. */
	assert_int_equal(type("a,a,b", "aaab", 0), 3);
	assert_int_equal(type("a,b,a,c", "ababac", 0), 5);
	assert_int_equal(type("", "\x1d\x1d\x1d", 0), -1);
}

static void only_in_time(void **state)
{
	(void)state;
	assert_int_equal(type(KEYS_DEFAULT, "\x1d\x1d\x1d", 500), 2);
	assert_int_equal(type(KEYS_DEFAULT, "\x1d\x1d\x1d\x1d\x1d\x1d", 501), -1);
}

/* Slow at first, then fast: the last three are within the time. */
static void slow_then_fast(void **state)
{
	struct keys k;
	size_t pass;

	(void)state;
	assert_int_equal(keys_parse(KEYS_DEFAULT, &k), 0);
	assert_false(keys_typed(&k, "\x1d", 1, 0, &pass));
	assert_false(keys_typed(&k, "\x1d", 1, 900, &pass));
	assert_false(keys_typed(&k, "\x1d", 1, 1100, &pass));
	assert_true(keys_typed(&k, "\x1d", 1, 1200, &pass));
	/* And begins anew afterwards. */
	assert_false(keys_typed(&k, "\x1d\x1d", 2, 1200, &pass));
}

static void one_read(void **state)
{
	struct keys k;
	size_t pass = 0;

	(void)state;
	assert_int_equal(keys_parse(KEYS_DEFAULT, &k), 0);
	assert_true(keys_typed(&k, "ls\n\x1d\x1d\x1dmore", 10, 0, &pass));
	assert_int_equal(pass, 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parses),	cmocka_unit_test(refuses),	  cmocka_unit_test(leaves),
		cmocka_unit_test(only_in_time), cmocka_unit_test(slow_then_fast), cmocka_unit_test(one_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
