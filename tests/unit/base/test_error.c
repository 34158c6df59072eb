/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/unit/base/unit.h"
#include "lib/base/error.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"

static void test_set(void **state)
{
	struct error e = { 0 };

	(void)state;
	assert_int_equal(err_set(&e, -ENOENT, "no %s", "file"), -ENOENT);
	assert_int_equal(e.code, -ENOENT);
	assert_int_equal(e.kind, ERR_FAILED);
	assert_string_equal(e.text, "no file");
	assert_int_equal(err_sys(&e, -EINVAL, "mount %d", 3), -EINVAL);
	assert_string_equal(e.text, "mount 3: Invalid argument");
	assert_int_equal(err_set_kind(&e, -ENOENT, ERR_NOT_FOUND, "x"), -ENOENT);
	assert_int_equal(e.kind, ERR_NOT_FOUND);
	assert_int_equal(err_set(&e, -ETIMEDOUT, "x"), -ETIMEDOUT);
	assert_int_equal(e.kind, ERR_TIMEOUT);
	err_set(&e, -EOPNOTSUPP, "x");
	assert_int_equal(e.kind, ERR_UNSUPPORTED);
	err_set(&e, -EPERM, "x");
	assert_int_equal(e.kind, ERR_FAILED);
	/* Never a success by mistake. */
	assert_int_equal(err_set(&e, 0, "x"), -EIO);
	assert_int_equal(err_set(NULL, -EBUSY, "x"), -EBUSY);
	assert_int_equal(err_sys(NULL, -EBUSY, "x"), -EBUSY);
	err_clear(&e);
	assert_int_equal(e.code, 0);
	err_clear(NULL);
}

static void test_prefix(void **state)
{
	struct error e;

	(void)state;
	err_sys(&e, -EINVAL, "mount overlay");
	assert_int_equal(err_prefix(&e, "rootfs"), -EINVAL);
	assert_int_equal(err_prefix(&e, "container %s", "web"), -EINVAL);
	assert_string_equal(e.text, "container web: rootfs: mount overlay: Invalid argument");
	assert_int_equal(err_prefix(NULL, "x"), -EIO);
	/* Its own text as an argument. */
	err_set(&e, -EIO, "inner");
	err_set(&e, -EIO, "outer (%s)", e.text);
	assert_string_equal(e.text, "outer (inner)");
}

static void test_long(void **state)
{
	struct error e;
	char name[2000];

	(void)state;
	memset(name, 'n', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	err_set(&e, -EIO, "%s", name);
	assert_int_equal(strlen(e.text), sizeof(e.text) - 1);
	err_prefix(&e, "p");
	assert_int_equal(strlen(e.text), sizeof(e.text) - 1);
	assert_true(str_starts(e.text, "p: nnn"));
	err_hint(&e, "%s", name);
	assert_int_equal(strlen(e.hint), sizeof(e.hint) - 1);
	/* Cut in the middle of a two-byte character: the half is dropped. */
	for (size_t i = 0; i + 2 < sizeof(name); i += 2)
		memcpy(name + i, "\xc3\xa4", 2);
	err_set(&e, -EIO, "%s", name);
	assert_true(utf8_valid(e.text, strlen(e.text)));
	assert_true(strlen(e.text) >= sizeof(e.text) - 3);
}

static void test_clean(void **state)
{
	struct error e;

	(void)state;
	err_set(&e, -EIO, "a\nb\x1b[31m\x7f");
	assert_string_equal(e.text, "a b?[31m?");
	err_hint(&e, "try %s", "this");
	err_hint(&e, "not this");
	assert_string_equal(e.hint, "try this");
	err_set(&e, -EIO, "next");
	assert_string_equal(e.hint, "");
	err_hint(NULL, "x");
}

static void test_sanitize(void **state)
{
	struct error e;

	(void)state;
	memset(&e, 0xff, sizeof(e));
	err_sanitize(&e);
	assert_int_equal(e.code, -1);
	assert_int_equal(e.kind, ERR_FAILED);
	assert_int_equal(strlen(e.text) < sizeof(e.text), 1);
	memset(&e, 'x', sizeof(e));
	err_sanitize(&e);
	assert_int_equal(e.code, -EIO);
	assert_int_equal(strlen(e.text), sizeof(e.text) - 1);
	assert_int_equal(strlen(e.hint), sizeof(e.hint) - 1);
	e = (struct error){ .code = -5, .kind = ERR_STATE, .text = "ok" };
	err_sanitize(&e);
	assert_int_equal(e.kind, ERR_STATE);
	e = (struct error){ .code = 0, .kind = ERR_STATE };
	err_sanitize(&e);
	assert_int_equal(e.kind, ERR_NONE);
}

static void test_kind_names(void **state)
{
	static const enum err_kind kinds[] = { ERR_NONE, ERR_FAILED, ERR_USAGE, ERR_NOT_FOUND, ERR_STATE, ERR_PERM,
					       ERR_UNREACHABLE, ERR_TIMEOUT, ERR_REFUSED, ERR_UNSUPPORTED, ERR_CANNOT_RUN,
					       ERR_NO_COMMAND };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		for (size_t k = 0; k < i; k++)
			assert_string_not_equal(err_kind_name(kinds[i]), err_kind_name(kinds[k]));
	assert_string_equal(err_kind_name(ERR_STATE), "wrong-state");
	assert_string_equal(err_kind_name((enum err_kind)9999), "failed");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_set),   cmocka_unit_test(test_prefix),   cmocka_unit_test(test_long),
		cmocka_unit_test(test_clean), cmocka_unit_test(test_sanitize), cmocka_unit_test(test_kind_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
