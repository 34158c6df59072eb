/* SPDX-License-Identifier: GPL-2.0-or-later */
/* seccomp_look.c: what a filter is said to let go is what it lets go. */
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include "tests/unit/sandbox/fixture.h"

static void compile(const char *json, struct sandbox_config *ret)
{
	const struct seccomp_input in = { .json = json, .json_len = strlen(json), .oci = true };
	struct error err = { 0 };
	void *code = NULL;

	assert_int_equal(seccomp_compile(&in, &code, &ret->seccomp_size, &err), 0);
	ret->seccomp = code;
}

static void test_actions(void **state)
{
	static const struct {
		const char *action;
		bool lets;
	} rows[] = { { "ALLOW", true },	 { "LOG", true },	   { "ERRNO", false },	    { "TRACE", false },
		     { "TRAP", false },	 { "KILL_THREAD", false }, { "KILL_PROCESS", false } };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		auto_free char *json = str_fmt("{\"defaultAction\":\"SCMP_ACT_%s\"}", rows[i].action);
		struct sandbox_config c = { 0 };

		compile(json, &c);
		assert_int_equal(filter_lets(&c, SYS_setsid, 0, 0), rows[i].lets);
		free((void *)c.seccomp);
	}
}

static void test_calls_and_arguments(void **state)
{
	static const char json[] = "{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"syscalls\":["
				   "{\"names\":[\"setsid\",\"read\"],\"action\":\"SCMP_ACT_ALLOW\"},"
				   "{\"names\":[\"clone\"],\"action\":\"SCMP_ACT_ALLOW\",\"args\":["
				   "{\"index\":0,\"value\":2114060288,\"valueTwo\":0,\"op\":\"SCMP_CMP_MASKED_EQ\"}]},"
				   "{\"names\":[\"ioctl\"],\"action\":\"SCMP_ACT_ALLOW\",\"args\":["
				   "{\"index\":1,\"value\":21518,\"op\":\"SCMP_CMP_NE\"}]}]}";
	struct sandbox_config c = { 0 };

	(void)state;
	compile(json, &c);
	assert_true(filter_lets(&c, SYS_setsid, 0, 0) && filter_lets(&c, SYS_read, 7, 9));
	assert_false(filter_lets(&c, SYS_write, 0, 0) || filter_lets(&c, SYS_clone3, 0, 0));
	assert_true(filter_lets(&c, SYS_clone, SIGCHLD, 0));
	assert_false(filter_lets(&c, SYS_clone, 0x10000000 | SIGCHLD, 0)); /* CLONE_NEWUSER */
	assert_true(filter_lets(&c, SYS_ioctl, 0, TCGETS));
	assert_false(filter_lets(&c, SYS_ioctl, 0, TIOCSCTTY));
	free((void *)c.seccomp);
}

/* Programs that end nowhere, or have what our compiler does not make. */
static void test_strange_programs(void **state)
{
	static const struct sock_filter rows[][2] = {
		{ BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0), BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 4) },
		{ BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 4000), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW) },
		{ BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 2), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW) },
		{ BPF_STMT(BPF_JMP | BPF_JA, 0xffff), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW) },
		{ BPF_STMT(BPF_ST, 0), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW) },
		{ BPF_STMT(BPF_LD | BPF_IMM, SECCOMP_RET_ALLOW), BPF_STMT(BPF_RET | BPF_A, 0) },
	};
	struct sandbox_config none = { .seccomp = rows, .seccomp_size = 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct sandbox_config c = { .seccomp = rows[i], .seccomp_size = sizeof(rows[i]) };

		assert_false(filter_lets(&c, SYS_setsid, 0, 0));
	}
	assert_false(filter_lets(&none, SYS_setsid, 0, 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_actions),
		cmocka_unit_test(test_calls_and_arguments),
		cmocka_unit_test(test_strange_programs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
