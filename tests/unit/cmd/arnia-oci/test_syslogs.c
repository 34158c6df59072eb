/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <syslog.h>
#include <cmocka.h>
#include "cmd/arnia-oci/syslogs.h"

static void check(const struct syslog_line *l, const char *want, size_t n)
{
	struct strbuf b = { 0 };

	journal_entry(&b, l);
	assert_int_equal(b.len, n);
	assert_memory_equal(b.s, want, n);
	strbuf_done(&b);
}

#define CHECK(l, want) check(&(l), want, sizeof(want) - 1)

static void test_entry(void **state)
{
	const struct syslog_line plain = { "who", "it = broken", LOG_ERR }, empty = { "", "", LOG_DEBUG };

	(void)state;
	CHECK(plain, "MESSAGE=it = broken\nPRIORITY=3\nSYSLOG_IDENTIFIER=who\n");
	CHECK(empty, "MESSAGE=\nPRIORITY=7\nSYSLOG_IDENTIFIER=\n");
}

/* Behind its length, 64 bits, the least byte first. */
static void test_newlines(void **state)
{
	const struct syslog_line l = { "a\nb", "x\nPRIORITY=0", LOG_WARNING };

	(void)state;
	CHECK(l, "MESSAGE\n\x0c\0\0\0\0\0\0\0x\nPRIORITY=0\nPRIORITY=4\nSYSLOG_IDENTIFIER\n\x03\0\0\0\0\0\0\0"
		 "a\nb\n");
}

/* As syslog(3) has it. */
static void test_message(void **state)
{
	static const char want[] = "<11>Jan  2 03:04:05 who: it is broken";
	const struct syslog_line l = { "who", "it is broken", LOG_ERR };
	const struct tm when = { .tm_year = 126, .tm_mday = 2, .tm_hour = 3, .tm_min = 4, .tm_sec = 5 };
	struct strbuf b = { 0 };

	(void)state;
	syslog_message(&b, &l, &when);
	assert_int_equal(b.len, sizeof(want));
	assert_memory_equal(b.s, want, sizeof(want));
	strbuf_done(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_entry),
		cmocka_unit_test(test_newlines),
		cmocka_unit_test(test_message),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
