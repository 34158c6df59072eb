/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <fcntl.h>
#include <string.h>
#include "lib/base/file.h"
#include "lib/base/str.h"
#include "lib/rpc/idl.h"
#include "tests/unit/rpc/rpc_test.h"

static void embedded_text_is_the_file(void **state)
{
	auto_free char *text = NULL;
	struct error err = { 0 };

	(void)state;
	assert_true(file_read_at(AT_FDCWD, "lib/rpc/arnia.varlink", 1 << 20, &text, &err) > 0);
	assert_string_equal(text, rpc_interface_text);
}

static bool has(const struct strv *sv, const char *name)
{
	for (size_t i = 0; i < sv->n; i++)
		if (str_eq(sv->v[i], name))
			return true;
	return false;
}

static void arnia_varlink_is_correct(void **state)
{
	static const enum err_kind kinds[] = { ERR_FAILED,     ERR_USAGE,     ERR_NOT_FOUND, ERR_STATE,
					       ERR_PERM,       ERR_TIMEOUT,   ERR_REFUSED,   ERR_UNSUPPORTED,
					       ERR_CANNOT_RUN, ERR_NO_COMMAND };
	struct error err = { 0 };
	struct idl i = { 0 };

	(void)state;
	if (idl_parse(rpc_interface_text, &i, &err) < 0)
		fail_msg("%s", err.text);
	assert_string_equal(i.name, "io.arnia");
	assert_true(has(&i.methods, "Run") && has(&i.methods, "HostShutdown") && has(&i.types, "Spec"));
	/* Every error we send is described, and every described one has a kind of its own. */
	assert_int_equal(i.errors.n, ARRAY_SIZE(kinds));
	for (size_t k = 0; k < ARRAY_SIZE(kinds); k++) {
		const char *name = rpc_error_name(kinds[k]);

		assert_int_equal(rpc_error_kind(name), kinds[k]);
		assert_true(has(&i.errors, str_after(name, "io.arnia.")));
	}
	idl_done(&i);
}

static void good_texts(void **state)
{
	static const char *const good[] = {
		"interface a.b",
		"# x\ninterface a.b # y\n# z",
		"interface a.b\ntype T ()",
		"interface a.b\ntype T (a: int, b: ?[]string, c: [string]?(x: bool), d: (one, two))",
		"interface a.b-c.d\ntype A (b: B)\ntype B (a: ?[]A)\nmethod M(a: A)->(o: object)error E(x: "
		"any)",
	};
	struct error err;

	(void)state;
	for (size_t k = 0; k < ARRAY_SIZE(good); k++) {
		struct idl i = { 0 };

		if (idl_parse(good[k], &i, &err) < 0)
			fail_msg("%s: %s", good[k], err.text);
		idl_done(&i);
	}
}

static void bad_texts(void **state)
{
	static const char *const bad[] = {
		"",
		"interface",
		"interface a",
		"interface a.",
		"method M() -> ()",
		"interface a.b\nmethod m() -> ()",
		"interface a.b\nmethod M()",
		"interface a.b\nmethod M() -> (a: int",
		"interface a.b\nmethod M(a) -> ()",
		"interface a.b\nmethod M(a: int,) -> ()",
		"interface a.b\ntype T (a: integer)",
		"interface a.b\ntype T (a: Missing)",
		"interface a.b\ntype T (a: ??int)",
		"interface a.b\ntype T (a: [int]int)",
		"interface a.b\ntype T (a, b: int)",
		"interface a.b\ntype T (a: int, b)",
		"interface a.b\ntype T ()\nerror T ()",
		"interface a.b\ntype T (a.b: int)",
		"interface a.b\ntype T (a_: int)",
		"interface a.b\nhello",
		"interface a.b {",
		"interface a.b\ntype T (a: [][][][][][][][][][][][][][][][][]int)",
	};
	struct error err;

	(void)state;
	for (size_t k = 0; k < ARRAY_SIZE(bad); k++) {
		struct idl i = { 0 };

		memset(&err, 0, sizeof(err));
		if (idl_parse(bad[k], &i, &err) == 0)
			fail_msg("taken: %s", bad[k]);
		assert_true(err.text[0] && err.code < 0);
	}
}

static void table_and_text_agree(void **state)
{
	static const struct rpc_method two[] = { { "a.b.One", NULL, false }, { "a.b.Two", NULL, false } };
	static const char text[] = "interface a.b\nmethod One() -> ()\nmethod Two() -> ()";
	struct error err;

	(void)state;
	assert_int_equal(rpc_interface_check(text, two, 2, &err), 0);
	assert_true(rpc_interface_check(text, two, 1, &err) < 0);
	assert_string_equal(err.text, "a.b.Two is described and not offered");
	assert_true(rpc_interface_check("interface a.b\nmethod One() -> ()", two, 2, &err) < 0);
	assert_string_equal(err.text, "a.b.Two is offered and not described");
	assert_true(rpc_interface_check("interface a.c\n", two, 1, &err) < 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(embedded_text_is_the_file),
		cmocka_unit_test(arnia_varlink_is_correct),
		cmocka_unit_test(good_texts),
		cmocka_unit_test(bad_texts),
		cmocka_unit_test(table_and_text_agree),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
