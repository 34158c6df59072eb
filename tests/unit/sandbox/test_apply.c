/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <linux/filter.h>
#include <linux/keyctl.h>
#include <linux/seccomp.h>
#include <sys/syscall.h>
#include "tests/unit/sandbox/fixture.h"

static int no_new_privs(void *arg)
{
	struct sandbox_config c = { .no_new_privs = false };
	char text[128];

	(void)arg;
	CHECK(str_eq(status_field("NoNewPrivs", text), "0"));
	CHECK(no_new_privs_apply(&c, NULL) == 0);
	CHECK(str_eq(status_field("NoNewPrivs", text), "0"));
	c.no_new_privs = true;
	CHECK(no_new_privs_apply(&c, NULL) == 0);
	CHECK(str_eq(status_field("NoNewPrivs", text), "1"));
	return 0;
}

static int oom_score(void *arg)
{
	struct sandbox_config c = { .oom_score_adj = 567 };
	auto_fd int fd = open("/proc/self/oom_score_adj", O_RDONLY | O_CLOEXEC);
	struct error err = { 0 };
	char text[16] = "";

	(void)arg;
	CHECK(oom_score_apply(&c, NULL) == 0);
	CHECK(pread(fd, text, sizeof(text) - 1, 0) == 4 && str_eq(text, "567\n"));
	c.oom_score_adj = INT32_MIN;
	CHECK(oom_score_apply(&c, NULL) == 0);
	CHECK(pread(fd, text, sizeof(text) - 1, 0) == 4 && str_eq(text, "567\n"));
	c.oom_score_adj = 1001;
	CHECK(oom_score_apply(&c, &err) == -EINVAL && strstr(err.text, "oom_score_adj"));
	return 0;
}

static int keyring(void *arg)
{
	struct sandbox_config c = { .new_keyring = false };
	long before = syscall(SYS_keyctl, KEYCTL_GET_KEYRING_ID, KEY_SPEC_SESSION_KEYRING, 1), after;

	(void)arg;
	CHECK(keyring_apply(&c, NULL) == 0);
	CHECK(syscall(SYS_keyctl, KEYCTL_GET_KEYRING_ID, KEY_SPEC_SESSION_KEYRING, 1) == before);
	c.new_keyring = true;
	CHECK(keyring_apply(&c, NULL) == 0);
	after = syscall(SYS_keyctl, KEYCTL_GET_KEYRING_ID, KEY_SPEC_SESSION_KEYRING, 1);
	CHECK(before < 0 ? errno == ENOSYS : after > 0 && after != before);
	return 0;
}

/* A container's settings in the order in which a start makes them, then what is left of a root's powers. */
static int all_of_them(void *arg)
{
	static const struct sock_filter allow[] = { BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW) };
	struct sandbox_config c = { .no_new_privs = true,
				    .seccomp = allow,
				    .seccomp_size = sizeof(allow),
				    .cap_bounding = caps_application };
	struct sandbox_user u = { .uid = 33, .gid = 33 };
	char text[128];

	(void)arg;
	CHECK(caps_bound(&c, NULL) == 0);
	CHECK(caps_keep(NULL) == 0);
	CHECK(user_apply(&u, NULL) == 0);
	CHECK(caps_apply(&c, false, NULL) == 0);
	CHECK(no_new_privs_apply(&c, NULL) == 0);
	CHECK(filter_load(&c, NULL) == 0);
	CHECK(str_eq(status_field("Seccomp", text), "2"));
	CHECK(str_eq(status_field("Uid", text), "33\t33\t33\t33"));
	CHECK(str_eq(status_field("Groups", text), ""));
	CHECK(str_eq(status_field("CapEff", text), "0000000000000000"));
	return 0;
}

static int load_without_right(void *arg)
{
	static const struct sock_filter allow[] = { BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW) };
	struct sandbox_config c = { .seccomp = allow, .seccomp_size = sizeof(allow) };
	struct error err = { 0 };

	(void)arg;
	CHECK(caps_apply(&c, true, NULL) == 0);
	CHECK(filter_load(&c, &err) == -EACCES && strstr(err.text, "seccomp"));
	return 0;
}

static void test_each(void **state)
{
	(void)state;
	in_child(no_new_privs, NULL);
	in_child(oom_score, NULL);
	in_child(keyring, NULL);
	in_child(load_without_right, NULL);
}

static void test_together(void **state)
{
	(void)state;
	need_root();
	in_child(all_of_them, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_each), cmocka_unit_test(test_together) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
