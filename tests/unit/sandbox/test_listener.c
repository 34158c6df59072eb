/* SPDX-License-Identifier: GPL-2.0-or-later */
/* linux.seccomp of OCI configurations: what profiles have not. */
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include "tests/unit/sandbox/filter.h"
#include "tests/unit/sandbox/fixture.h"

#define LISTENER "\"listenerPath\":\"/run/agent.sock\""
#define NOTIFY(names) "{\"names\":[" names "],\"action\":\"SCMP_ACT_NOTIFY\"}"
#define CONFIG(members) "{\"defaultAction\":\"SCMP_ACT_ALLOW\"," members "}"

static int compile(const char *json, bool oci, struct sandbox_config *ret, struct error *err)
{
	struct seccomp_input in = { .json = json, .json_len = strlen(json), .oci = oci };
	void *code = NULL;
	int r = seccomp_compile(&in, &code, &ret->seccomp_size, err);

	if (r < 0)
		return r;
	ret->seccomp = code;
	return seccomp_flags(&in, &ret->seccomp_flags, err);
}

static void test_errors(void **state)
{
	static const struct {
		const char *json, *text;
	} rows[] = {
		{ "{\"defaultAction\":\"SCMP_ACT_NOTIFY\"," LISTENER "}",
		  "defaultAction: SCMP_ACT_NOTIFY is not possible for all calls" },
		{ CONFIG(LISTENER ",\"syscalls\":[" NOTIFY("\"mkdir\"") "," NOTIFY("\"read\",\"write\"") "]"),
		  "syscalls[1]: action: SCMP_ACT_NOTIFY is not possible for write" },
		{ CONFIG("\"syscalls\":[" NOTIFY("\"mkdir\"") "]"), "listenerPath: missing" },
		{ CONFIG("\"syscalls\":[{\"names\":[\"mkdir\"],\"action\":\"SCMP_ACT_ASK\"}]"),
		  "syscalls[0]: action: unknown action \"SCMP_ACT_ASK\"" },
		{ CONFIG("\"flags\":[\"SECCOMP_FILTER_FLAG_NEW_LISTENER\"]"), "flags: unknown flag" },
		{ CONFIG("\"architectures\":[\"SCMP_ARCH_VAX\"]"), "architectures: unknown architecture" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct sandbox_config c = { 0 };
		struct error err = { 0 };

		assert_true(compile(rows[i].json, true, &c, &err) < 0);
		assert_int_equal(err.kind, ERR_USAGE);
		if (!strstr(err.text, rows[i].text) || !str_starts(err.text, "linux.seccomp: "))
			fail_msg("row %zu: %s", i, err.text);
		assert_null(c.seccomp);
	}
}

static void test_flags(void **state)
{
	static const struct {
		const char *json;
		uint32_t flags;
	} rows[] = {
		{ CONFIG("\"flags\":[]"), 0 },
		{ CONFIG("\"flags\":[\"SECCOMP_FILTER_FLAG_LOG\",\"SECCOMP_FILTER_FLAG_SPEC_ALLOW\","
			 "\"SECCOMP_FILTER_FLAG_TSYNC\"]"),
		  SECCOMP_FILTER_FLAG_LOG | SECCOMP_FILTER_FLAG_SPEC_ALLOW | SECCOMP_FILTER_FLAG_TSYNC },
		/* Means nothing without a listener. */
		{ CONFIG("\"flags\":[\"SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV\"]"), 0 },
		{ CONFIG(LISTENER ",\"later\":1,\"archMap\":1"), 0 },
		{ CONFIG(LISTENER ",\"syscalls\":[" NOTIFY("\"mkdir\"") "]"), SECCOMP_FILTER_FLAG_NEW_LISTENER },
		{ CONFIG(LISTENER ",\"flags\":[\"SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV\"],\"syscalls\":[" NOTIFY(
			  "\"mkdir\"") "]"),
		  SECCOMP_FILTER_FLAG_NEW_LISTENER | SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct sandbox_config c = { 0 };
		struct error err = { 0 };

		if (compile(rows[i].json, true, &c, &err) < 0)
			fail_msg("row %zu: %s", i, err.text);
		assert_int_equal(c.seccomp_flags, rows[i].flags);
		free((void *)c.seccomp);
	}
}

static uint32_t ask(const struct sandbox_config *c, int nr, uint64_t arg)
{
	struct seccomp_data d = { .nr = nr, .arch = AUDIT_ARCH_X86_64, .args = { arg } };

	return filter_run(c->seccomp, c->seccomp_size / sizeof(struct sock_filter), &d);
}

/* Each action by name; what Docker resolves before ("includes") is no member of the schema. */
static void test_actions(void **state)
{
	static const char json[] =
		CONFIG("\"syscalls\":[{\"names\":[\"read\"],\"action\":\"SCMP_ACT_KILL\"},"
		       "{\"names\":[\"open\"],\"action\":\"SCMP_ACT_KILL_THREAD\"},"
		       "{\"names\":[\"close\"],\"action\":\"SCMP_ACT_KILL_PROCESS\"},"
		       "{\"names\":[\"stat\"],\"action\":\"SCMP_ACT_TRAP\"},"
		       "{\"names\":[\"fstat\"],\"action\":\"SCMP_ACT_ERRNO\",\"later\":1},"
		       "{\"names\":[\"lstat\"],\"action\":\"SCMP_ACT_ERRNO\",\"errnoRet\":38},"
		       "{\"names\":[\"poll\"],\"action\":\"SCMP_ACT_TRACE\",\"errnoRet\":7},"
		       "{\"names\":[\"lseek\"],\"action\":\"SCMP_ACT_LOG\",\"includes\":{\"caps\":[\"CAP_BPF\"]}}," NOTIFY(
			       "\"mkdir\"") ","
		       "{\"names\":[\"mkdir\"],\"action\":\"SCMP_ACT_ERRNO\",\"args\":[{\"index\":0,\"value\":5,"
		       "\"op\":\"SCMP_CMP_EQ\"}]}]," LISTENER);
	struct sandbox_config c = { 0 };
	struct error err = { 0 };

	(void)state;
#ifndef __x86_64__
	skip();
#endif
	if (compile(json, true, &c, &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(ask(&c, 0, 0), SECCOMP_RET_KILL_THREAD);
	assert_int_equal(ask(&c, 2, 0), SECCOMP_RET_KILL_THREAD);
	assert_int_equal(ask(&c, 3, 0), SECCOMP_RET_KILL_PROCESS);
	assert_int_equal(ask(&c, 4, 0), SECCOMP_RET_TRAP);
	assert_int_equal(ask(&c, 5, 0), SECCOMP_RET_ERRNO | EPERM);
	assert_int_equal(ask(&c, 6, 0), SECCOMP_RET_ERRNO | ENOSYS);
	assert_int_equal(ask(&c, 7, 0), SECCOMP_RET_TRACE | 7);
	assert_int_equal(ask(&c, 8, 0), SECCOMP_RET_LOG);
	assert_int_equal(ask(&c, 83, 0), SECCOMP_RET_USER_NOTIF);
	assert_int_equal(ask(&c, 83, 5), SECCOMP_RET_ERRNO | EPERM);
	assert_int_equal(ask(&c, 1, 0), SECCOMP_RET_ALLOW);
	free((void *)c.seccomp);
	assert_int_equal(compile(json, false, &c, &err), -EOPNOTSUPP);
}

/* One call of a child is answered with the given error. */
static int answer(int listener, int error)
{
	struct seccomp_notif n = { 0 };
	struct seccomp_notif_resp resp = { .error = -error };

	CHECK(ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &n) == 0);
	resp.id = n.id;
	CHECK(ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &resp) == 0);
	return 0;
}

static int call_is_answered(int listener)
{
	int status, r;
	pid_t pid = fork();

	if (pid == 0)
		_exit(syscall(SYS_mkdirat, AT_FDCWD, "/none/none", 0700) < 0 && errno == ENOMEDIUM ? 0 : 1);
	r = answer(listener, ENOMEDIUM);
	CHECK(r == 0 && waitpid(pid, &status, 0) == pid && status == 0);
	return 0;
}

static int listen_on(void *arg)
{
	static const char json[] = CONFIG(
		LISTENER ",\"flags\":[\"SECCOMP_FILTER_FLAG_TSYNC\",\"SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV\"],"
			 "\"syscalls\":[" NOTIFY("\"mkdir\",\"mkdirat\"") "]");
	struct sandbox_config c = { .no_new_privs = true };
	struct error err = { 0 };
	int fd = -7;

	(void)arg;
	CHECK(compile(json, true, &c, &err) == 0 && no_new_privs_apply(&c, &err) == 0);
	/* Who does not take it does not load it. */
	CHECK(filter_load(&c, &err) == -EINVAL && fd == -7);
	CHECK(filter_load_listener(&c, &fd, &err) == 0 && fd >= 0);
	CHECK(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	return call_is_answered(fd);
}

static int load_without(void *arg)
{
	static const struct sock_filter allow[] = { BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW) };
	struct sandbox_config c = { .no_new_privs = true };
	struct error err = { 0 };
	char text[128];
	int fd = -7;

	(void)arg;
	CHECK(filter_load_listener(&c, &fd, &err) == 0 && fd == -1);
	CHECK(str_eq(status_field("Seccomp", text), "0"));
	c.seccomp = allow;
	c.seccomp_size = 3;
	fd = -7;
	CHECK(filter_load_listener(&c, &fd, &err) == -EINVAL && fd == -7);
	c.seccomp_size = sizeof(allow);
	CHECK(no_new_privs_apply(&c, &err) == 0 && filter_load_listener(&c, &fd, &err) == 0 && fd == -1);
	CHECK(str_eq(status_field("Seccomp", text), "2"));
	return 0;
}

static void test_load(void **state)
{
	(void)state;
	in_child(load_without, NULL);
	in_child(listen_on, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_errors),
		cmocka_unit_test(test_flags),
		cmocka_unit_test(test_actions),
		cmocka_unit_test(test_load),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
