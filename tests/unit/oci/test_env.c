/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/unit/oci/unit.h"

static void check(const char *given, const char *kept)
{
	struct arena a = { 0 };
	struct strv env = { 0 };
	struct strbuf b = { 0 };
	auto_free char *text = str_dup(given);
	char *rest = text, *word;

	while ((word = strsep(&rest, " ")))
		if (*word)
			strv_push(&a, &env, word);
	oci_env_last(&a, &env);
	for (size_t i = 0; i < env.n; i++)
		strbuf_addf(&b, "%s%s", i ? " " : "", env.v[i]);
	assert_string_equal(strbuf_cstr(&b), kept);
	strbuf_done(&b);
	arena_done(&a);
}

static void test_last(void **state unused)
{
	check("", "");
	check("A=1", "A=1");
	check("A=1 B=2 A=3", "B=2 A=3");
	check("A=1 A=1 A=1", "A=1");
	check("AB=1 A=2 ABC=3 A= B=A=5 AB=4", "ABC=3 A= B=A=5 AB=4");
	check("B=1 A=1 B=2 A=2 B=3", "A=2 B=3");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_last),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
