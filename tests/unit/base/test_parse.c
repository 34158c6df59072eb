/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/unit/base/unit.h"
#include <arpa/inet.h>
#include <signal.h>
#include "lib/base/mem.h"
#include "lib/base/parse.h"
#include "lib/base/str.h"

struct number_case {
	const char *text;
	int result;
	uint64_t value;
};

static void check_numbers(const struct number_case *cases, size_t n, int (*parse)(const char *, uint64_t *))
{
	for (size_t i = 0; i < n; i++) {
		uint64_t v = 12345;
		int r = parse(cases[i].text, &v);

		if (r != cases[i].result || v != (r < 0 ? 12345 : cases[i].value))
			fail_msg("\"%s\": result %d, value %llu", cases[i].text, r, (unsigned long long)v);
	}
}

static void test_u64(void **state)
{
	static const struct number_case cases[] = {
		{ "0", 0, 0 },
		{ "007", 0, 7 },
		{ "18446744073709551615", 0, UINT64_MAX },
		{ "18446744073709551616", -ERANGE, 0 },
		{ "99999999999999999999999999", -ERANGE, 0 },
		{ "", -EINVAL, 0 },
		{ " 1", -EINVAL, 0 },
		{ "1 ", -EINVAL, 0 },
		{ "+1", -EINVAL, 0 },
		{ "-1", -EINVAL, 0 },
		{ "0x10", -EINVAL, 0 },
		{ "1\n", -EINVAL, 0 },
		{ "1.0", -EINVAL, 0 },
	};

	(void)state;
	check_numbers(cases, ARRAY_SIZE(cases), parse_u64);
}

static void test_narrow(void **state)
{
	uint32_t v32 = 1;
	uint16_t v16 = 1;

	(void)state;
	assert_int_equal(parse_u32("4294967295", &v32), 0);
	assert_int_equal(v32, UINT32_MAX);
	assert_int_equal(parse_u32("4294967296", &v32), -ERANGE);
	assert_int_equal(v32, UINT32_MAX);
	assert_int_equal(parse_u16("65535", &v16), 0);
	assert_int_equal(v16, 65535);
	assert_int_equal(parse_u16("65536", &v16), -ERANGE);
	assert_int_equal(parse_u16("", &v16), -EINVAL);
}

static void test_size(void **state)
{
	static const struct number_case cases[] = {
		{ "4096", 0, 4096 },
		{ "4096B", 0, 4096 },
		{ "1K", 0, 1024 },
		{ "1k", 0, 1024 },
		{ "1KiB", 0, 1024 },
		{ "1KB", 0, 1024 },
		{ "512M", 0, 512ULL << 20 },
		{ "1.5G", 0, 3ULL << 29 },
		{ "0.5K", 0, 512 },
		{ "10T", 0, 10ULL << 40 },
		{ "1P", 0, 1ULL << 50 },
		{ "16383P", 0, 16383ULL << 50 },
		{ "16384P", -ERANGE, 0 },
		{ "99999999999999999999G", -ERANGE, 0 },
		{ "1.5", -EINVAL, 0 },
		{ "1.G", -EINVAL, 0 },
		{ ".5G", -EINVAL, 0 },
		{ "1E", -EINVAL, 0 },
		{ "1Gi", -EINVAL, 0 },
		{ "1GiBB", -EINVAL, 0 },
		{ "1 G", -EINVAL, 0 },
		{ "-1G", -EINVAL, 0 },
		{ "G", -EINVAL, 0 },
		{ "", -EINVAL, 0 },
		{ "1.0000000001G", -EINVAL, 0 },
	};

	(void)state;
	check_numbers(cases, ARRAY_SIZE(cases), parse_size);
}

static void test_duration(void **state)
{
	static const struct number_case cases[] = {
		{ "10", 0, 10000 },	 { "10s", 0, 10000 },	 { "300ms", 0, 300 },	   { "5m", 0, 300000 },
		{ "1.5h", 0, 5400000 },	 { "2d", 0, 172800000 }, { "0", 0, 0 },		   { "0.25s", 0, 250 },
		{ "1.5ms", 0, 1 },	 { "10S", -EINVAL, 0 },	 { "1h30m", -EINVAL, 0 },  { "-1s", -EINVAL, 0 },
		{ "s", -EINVAL, 0 },	 { "", -EINVAL, 0 },	 { "1.s", -EINVAL, 0 },	   { "10 s", -EINVAL, 0 },
		{ "18446744073709551615d", -ERANGE, 0 },
	};

	(void)state;
	check_numbers(cases, ARRAY_SIZE(cases), parse_duration);
}

static int cpus64(const char *s, uint64_t *ret)
{
	uint32_t v;
	int r = parse_cpus(s, &v);

	if (r == 0)
		*ret = v;
	return r;
}

static void test_cpus(void **state)
{
	static const struct number_case cases[] = {
		{ "1", 0, 1000 },	{ "1.5", 0, 1500 },	{ "150%", 0, 1500 },	 { "0.1", 0, 100 },
		{ "12.5%", 0, 125 },	{ "0.001", 0, 1 },	{ "0", -ERANGE, 0 },	 { "0.0001", -ERANGE, 0 },
		{ "0%", -ERANGE, 0 },	{ "-1", -EINVAL, 0 },	{ "1.5.", -EINVAL, 0 },	 { "1%%", -EINVAL, 0 },
		{ "5000000", -ERANGE, 0 }, { "max", -EINVAL, 0 },
	};

	(void)state;
	check_numbers(cases, ARRAY_SIZE(cases), cpus64);
}

static void test_bool(void **state)
{
	static const char *const yes[] = { "yes", "true", "1", "on" };
	static const char *const no[] = { "no", "false", "0", "off" };
	static const char *const bad[] = { "", "y", "YES", "2", "yes ", "of", "tru" };
	bool b;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(yes); i++) {
		b = false;
		assert_int_equal(parse_bool(yes[i], &b), 0);
		assert_true(b);
		assert_int_equal(parse_bool(no[i], &b), 0);
		assert_false(b);
	}
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		b = true;
		assert_int_equal(parse_bool(bad[i], &b), -EINVAL);
		assert_true(b);
	}
}

static void test_ipv4(void **state)
{
	static const char *const bad[] = { "",	       "10.0.0",      "10.0.0.256", "10.0.0.1 ", "10.0.0.01x",
					   "10.0.0.1.2", "0x0a.0.0.1",  "::1",	"010.0.0.1", "10.0.0.-1" };
	struct in_addr a = { 7 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		if (parse_ipv4(bad[i], &a) != -EINVAL || a.s_addr != 7)
			fail_msg("\"%s\" was taken", bad[i]);
	assert_int_equal(parse_ipv4("10.209.0.1", &a), 0);
	assert_int_equal(ntohl(a.s_addr), 0x0ad10001);
}

static void test_signal(void **state)
{
	static const char *const bad[] = { "", "SIG", "term", "0", "65", "-1", "TERM ", "RTMIN-1", "RTMIN+31", "RTMAX+1",
					   "RTMIN+", "15x", "RTMIN+999", "SIGSIGTERM" };
	const struct {
		const char *text;
		int sig;
	} good[] = {
		{ "TERM", SIGTERM }, { "SIGTERM", SIGTERM }, { "15", 15 },	  { "KILL", SIGKILL },
		{ "CLD", SIGCHLD },  { "SIGIO", SIGIO },     { "POLL", SIGPOLL }, { "IOT", SIGABRT },
		{ "SYS", SIGSYS },   { "64", 64 },	     { "PWR", SIGPWR },	  { "RTMIN+3", SIGRTMIN + 3 },
		{ "SIGRTMIN", SIGRTMIN }, { "RTMAX-1", SIGRTMAX - 1 },	  { "SIGRTMAX", SIGRTMAX },
	};
	int sig;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		sig = -5;
		if (parse_signal(good[i].text, &sig) != 0 || sig != good[i].sig)
			fail_msg("%s: %d", good[i].text, sig);
	}
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		sig = -5;
		if (parse_signal(bad[i], &sig) >= 0 || sig != -5)
			fail_msg("\"%s\" was taken", bad[i]);
	}
}

static void test_name(void **state)
{
	static const char *const good[] = { "a", "web", "web-1", "web_1", "a.b", "0", "A9", "101",
					    "a23456789012345678901234567890123456789012345678901234567890123" };
	static const char *const bad[] = { "",	   ".",	   "..",   "a/b",  "-a",   "a-",    "_a",  "a_",     ".a",   "a.",
					   "a..b", "a.-b", "a_.b", "a b",  "a\n",  "../evil", "/a", "\xc3\xa4", "a\tb", "a:b",
					   "a234567890123456789012345678901234567890123456789012345678901234" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(good); i++)
		if (!name_is_valid(good[i]))
			fail_msg("\"%s\" was refused", good[i]);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		if (name_is_valid(bad[i]))
			fail_msg("\"%s\" was taken", bad[i]);
	assert_false(name_is_valid(NULL));
}

static void test_id(void **state)
{
	char a[ID_LEN + 1], b[ID_LEN + 1];

	(void)state;
	for (int i = 0; i < 3000; i++) {
		id_make(a);
		assert_true(id_is_valid(a));
		assert_true(strspn(a, "0123456789") < ID_LEN);
	}
	id_make(b);
	assert_string_not_equal(a, b);
	assert_true(id_is_valid("0123456789abcdef"));
	assert_false(id_is_valid("0123456789abcde"));
	assert_false(id_is_valid("0123456789abcdef0"));
	assert_false(id_is_valid("0123456789ABCDEF"));
	assert_false(id_is_valid("../3456789abcdef"));
	assert_false(id_is_valid(""));
	assert_false(id_is_valid(NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_u64),    cmocka_unit_test(test_narrow), cmocka_unit_test(test_size),
		cmocka_unit_test(test_duration), cmocka_unit_test(test_cpus),	cmocka_unit_test(test_bool),
		cmocka_unit_test(test_ipv4),   cmocka_unit_test(test_signal), cmocka_unit_test(test_name),
		cmocka_unit_test(test_id),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
