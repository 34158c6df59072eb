/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>
#include "lib/base/mem.h"
#include "lib/base/sha256.h"

/* FIPS 180-4 examples (NIST, "SHA256.pdf" and CAVP). */
static const struct {
	const char *text, *hex;
} known[] = {
	{ "", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" },
	{ "abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" },
	{ "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
	  "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1" },
	{ "abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmn"
	  "opqrstno"
	  "pqrstu",
	  "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1" },
};

static void test_known(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
		struct sha256 s;
		char hex[65];

		sha256_init(&s);
		sha256_add(&s, known[i].text, strlen(known[i].text));
		sha256_hex(&s, hex);
		assert_string_equal(hex, known[i].hex);
	}
}

/* A million "a", in pieces of every size: buffering must not matter. */
static void test_pieces(void **state)
{
	auto_free char *text = mem_alloc(1000000);
	size_t step = 1, at = 0;
	struct sha256 s;
	char hex[65];

	(void)state;
	memset(text, 'a', 1000000);
	sha256_init(&s);
	while (at < 1000000) {
		size_t n = MIN(step, 1000000 - at);

		sha256_add(&s, text + at, n);
		at += n;
		step = step % 200 + 1;
	}
	sha256_hex(&s, hex);
	assert_string_equal(hex, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_known),
		cmocka_unit_test(test_pieces),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
