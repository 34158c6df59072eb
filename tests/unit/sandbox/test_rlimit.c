/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <sys/resource.h>
#include "tests/unit/sandbox/fixture.h"

static void test_parse(void **state)
{
	static const struct {
		const char *text;
		uint32_t resource;
		uint64_t soft, hard;
	} good[] = {
		{ "nofile=1024:2048", RLIMIT_NOFILE, 1024, 2048 },
		{ "nofile=1024", RLIMIT_NOFILE, 1024, 1024 },
		{ "NOFILE=0:0", RLIMIT_NOFILE, 0, 0 },
		{ "RLIMIT_CORE=0:unlimited", RLIMIT_CORE, 0, RLIM_INFINITY },
		{ "rlimit_as=unlimited", RLIMIT_AS, RLIM_INFINITY, RLIM_INFINITY },
		{ "memlock=-1", RLIMIT_MEMLOCK, RLIM_INFINITY, RLIM_INFINITY },
		{ "rttime=1:2", RLIMIT_RTTIME, 1, 2 },
		{ "stack=8388608:18446744073709551615", RLIMIT_STACK, 8388608, RLIM_INFINITY },
	};
	static const char *const bad[] = {
		"",
		"nofile",
		"nofile=",
		"=1",
		"nofile=:1",
		"nofile=1:",
		"nofile=2:1",
		"nofile=unlimited:1",
		"nofile=-2",
		"nofile=1:2:3",
		"nofile=0x10",
		"nofile= 1",
		"nofile=1 ",
		"nofiles=1",
		"rlimit_=1",
		"rlimit_nofilex=1",
		"nofile=18446744073709551616",
		"nofile==1",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		struct sandbox_rlimit l = { 0 };

		if (rlimit_parse(good[i].text, &l) < 0)
			fail_msg("\"%s\" is refused", good[i].text);
		assert_int_equal(l.resource, good[i].resource);
		assert_true(l.soft == good[i].soft && l.hard == good[i].hard);
	}
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct sandbox_rlimit l = { .resource = 99 };

		if (rlimit_parse(bad[i], &l) != -EINVAL)
			fail_msg("\"%s\" is taken", bad[i]);
		assert_int_equal(l.resource, 99);
	}
}

static int apply(void *arg)
{
	struct sandbox_rlimit l[] = { { .resource = RLIMIT_NOFILE, .soft = 100, .hard = 200 },
				      { .resource = RLIMIT_CORE } };
	struct sandbox_config c = { .rlimits = { l, 2 } };
	struct error err = { 0 };
	struct rlimit now;

	(void)arg;
	CHECK(rlimit_apply(&c, &err) == 0);
	CHECK(getrlimit(RLIMIT_NOFILE, &now) == 0 && now.rlim_cur == 100 && now.rlim_max == 200);
	CHECK(getrlimit(RLIMIT_CORE, &now) == 0 && now.rlim_cur == 0 && now.rlim_max == 0);
	l[0] = (struct sandbox_rlimit){ .resource = RLIMIT_NOFILE, .soft = 300, .hard = 200 };
	CHECK(rlimit_apply(&c, &err) == -EINVAL && strstr(err.text, "nofile"));
	l[0] = (struct sandbox_rlimit){ .resource = RLIMIT_NOFILE, .soft = 300, .hard = RLIM_INFINITY };
	CHECK(rlimit_apply(&c, &err) == -EPERM && strstr(err.text, "nofile=300:unlimited"));
	CHECK(str_starts(err.hint, "at most ") && strstr(err.hint, "fs.nr_open"));
	l[0] = (struct sandbox_rlimit){ .resource = 99, .soft = 1, .hard = 1 };
	CHECK(rlimit_apply(&c, &err) == -EINVAL);
	return 0;
}

/* Without CAP_SYS_RESOURCE, as on a nested host. */
static int apply_nested(void *arg)
{
	struct sandbox_rlimit l = { .resource = RLIMIT_NOFILE, .soft = 60, .hard = 90 };
	struct sandbox_config c = { .rlimits = { &l, 1 } }, none = { 0 };
	struct error err = { 0 };
	struct rlimit now;

	(void)arg;
	CHECK(caps_apply(&none, true, NULL) == 0);
	CHECK(rlimit_apply(&c, &err) == 0);
	l.soft = l.hard = 1000;
	CHECK(rlimit_apply(&c, &err) == -EPERM && strstr(err.text, "nofile=1000:1000"));
	CHECK(str_starts(err.hint, "at most 90,"));
	CHECK(getrlimit(RLIMIT_NOFILE, &now) == 0 && now.rlim_cur == 60 && now.rlim_max == 90);
	l.best_effort = true;
	CHECK(rlimit_apply(&c, &err) == 0);
	CHECK(getrlimit(RLIMIT_NOFILE, &now) == 0 && now.rlim_cur == 90 && now.rlim_max == 90);
	return 0;
}

static void test_apply(void **state)
{
	(void)state;
	in_child(apply, NULL);
	in_child(apply_nested, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_parse), cmocka_unit_test(test_apply) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
