/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/unit/plan/unit.h"
#include <errno.h>
#include <linux/capability.h>
#include <stdlib.h>
#include "lib/base/str.h"

static const char *argv[] = { "ps", "-e" };
static const char *env[] = { "A=exec", "NEW=1" };

static struct plan *build(const struct plan *start, const struct plan_exec *x)
{
	struct error err = { 0 };
	struct plan *p = NULL;

	if (plan_build_exec(start, x, &p, &err) < 0)
		fail_msg("%s", err.text);
	return p;
}

static struct plan *start_of(const char *spec)
{
	struct unit_host h;
	struct plan *p;

	unit_host(&h, spec);
	p = unit_start(&h);
	unit_host_done(&h);
	return p;
}

/* It is complete in itself: the start's plan is gone before it is looked at. */
static void test_text(void **state)
{
	struct plan *start =
		start_of("{'image':'a','user':'app','workdir':'/srv','env':['A=start','B=start'],"
			 "'capDrop':['ALL'],'capAdd':['KILL'],'oomScoreAdj':7}");
	const struct plan_exec x = { .exec_id = "fedcba9876543210", .argv = { argv, 2 }, .env = { env, 2 } };
	struct plan *p = build(start, &x);
	auto_free char *text = NULL;

	(void)state;
	plan_free(start);
	text = unit_print(p);
	assert_string_equal(
		text,
		"plan exec\nid 0123456789abcdef\nname web_1\nexec fedcba9876543210\nrun /run/arnia\nstate "
		"/var/lib/arnia\n"
		"share /usr/local/share/arnia\ncgroup arnia/c-0123456789abcdef\nnet routed\nids 1000000000 "
		"65536\n"
		"namespaces user,mount,pid,net,uts,ipc,cgroup\nuid-map 0 1000000000 65536\ngid-map 0 "
		"1000000000 65536\n"
		"caps bounding KILL\ncaps permitted KILL\ncaps effective KILL\ncaps inheritable -\ncaps "
		"ambient -\n"
		"no-new-privs yes\nseccomp 5 instructions\nkeyring new\nrlimit nofile 1024 "
		"524288 best-effort\noom-score-adj 7\n"
		"arg ps\narg -e\nenv PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n"
		"env container=arnia\nenv HOSTNAME=web-1\nenv A=exec\nenv B=start\nenv NEW=1\ncwd /srv\nuser "
		"app\n"
		"umask 0022\ninit none\nstdio fds\nlog-max 0\n");
	plan_free(p);
}

static void test_stdio(void **state)
{
	struct plan *start = start_of("{'image':'a'}");
	struct plan_exec x = { .exec_id = "e", .argv = { argv, 1 } };
	struct plan *p = build(start, &x);

	(void)state;
	assert_int_equal(p->stdio, PLAN_STDIO_FDS);
	plan_free(p);
	x.null_stdio = true;
	p = build(start, &x);
	assert_int_equal(p->stdio, PLAN_STDIO_NULL);
	plan_free(p);
	x.tty = true;
	x.rows = 50;
	x.cols = 132;
	p = build(start, &x);
	assert_int_equal(p->stdio, PLAN_STDIO_TTY);
	assert_true(p->process.tty && p->process.rows == 50 && p->process.cols == 132);
	assert_string_equal(p->process.env.v[p->process.env.n - 1], "TERM=xterm");
	plan_free(p);
	plan_free(start);
}

static void test_own_user_and_folder(void **state)
{
	static const char *term[] = { "TERM=vt100" };
	struct plan *start = start_of("{'image':'a','user':'app','workdir':'/srv'}");
	struct plan_exec x = {
		.exec_id = "e",
		.argv = { argv, 1 },
		.env = { term, 1 },
		.tty = true,
		.user = "0",
		.cwd = "/tmp",
	};
	struct plan *p = build(start, &x);

	(void)state;
	assert_string_equal(p->process.user, "0");
	assert_string_equal(p->process.cwd, "/tmp");
	assert_string_equal(p->process.env.v[p->process.env.n - 1], "TERM=vt100");
	plan_free(p);
	plan_free(start);
}

/* A capability outside the container's bounding set cannot be had by an exec. */
static void test_caps_stay_bounded(void **state)
{
	struct plan *start = start_of("{'image':'a'}");
	struct plan_exec x = { .exec_id = "e", .argv = { argv, 1 }, .cap_add = ~UINT64_C(0) };
	struct plan *p = build(start, &x);

	(void)state;
	assert_true(p->sandbox.cap_effective == start->sandbox.cap_bounding);
	assert_true(p->sandbox.cap_permitted == start->sandbox.cap_bounding);
	assert_true(p->sandbox.cap_bounding == start->sandbox.cap_bounding);
	assert_true(p->sandbox.cap_inheritable == 0 && p->sandbox.cap_ambient == 0);
	assert_false(p->sandbox.cap_effective & (UINT64_C(1) << CAP_SYS_ADMIN));
	plan_free(p);
	plan_free(start);
}

static void test_refused(void **state)
{
	struct plan *start = start_of("{'image':'a'}"), *p = NULL;
	struct plan_exec x = { .exec_id = "e" };
	struct error err;

	(void)state;
	assert_int_equal(plan_build_exec(start, &x, &p, &err), -EINVAL);
	assert_int_equal(err.kind, ERR_USAGE);
	x.argv = (struct strv){ argv, 1 };
	x.cwd = "tmp";
	assert_int_equal(plan_build_exec(start, &x, &p, &err), -EINVAL);
	assert_non_null(strstr(err.text, "not absolute"));
	x.cwd = "/tmp";
	x.user = "4294967296";
	assert_int_equal(plan_build_exec(start, &x, &p, &err), -EINVAL);
	assert_non_null(strstr(err.text, "user \"4294967296\""));
	assert_null(p);
	plan_free(start);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_stdio),
		cmocka_unit_test(test_own_user_and_folder),
		cmocka_unit_test(test_caps_stay_bounded),
		cmocka_unit_test(test_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
