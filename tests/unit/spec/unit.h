/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef ARNIA_TESTS_SPEC_UNIT_H
#define ARNIA_TESTS_SPEC_UNIT_H
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "lib/spec/spec.h"

/* In texts of tests ' stands for ". */
json *parse_text(const char *text);
/* Decode; a failure ends the test. */
struct spec decode_text(const char *text);
/* Decoding fails with kind USAGE: its message in *ret. */
void decode_fails(const char *text, struct error *ret);
/* Both say the same, member by member. */
void assert_spec_equal(const struct spec *a, const struct spec *b);

#endif
