/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <linux/capability.h>
#include <sys/prctl.h>
#include "tests/unit/sandbox/fixture.h"

#define BIT(cap) (1ULL << (cap))

static void test_names(void **state)
{
	uint64_t bits = 0;

	(void)state;
	assert_int_equal(caps_parse("CAP_NET_RAW", &bits), 0);
	assert_true(bits == BIT(CAP_NET_RAW));
	assert_int_equal(caps_parse("net_raw", &bits), 0);
	assert_int_equal(caps_parse("Cap_Net_Raw", &bits), 0);
	assert_true(bits == BIT(CAP_NET_RAW));
	assert_int_equal(caps_parse("checkpoint_restore", &bits), 0);
	assert_true(bits == BIT(40));
	assert_int_equal(caps_parse("ALL", &bits), 0);
	assert_true(bits == caps_kernel_all());
	bits = 7;
	assert_int_equal(caps_parse("CAP_", &bits), -ENOENT);
	assert_int_equal(caps_parse("", &bits), -ENOENT);
	assert_int_equal(caps_parse("net_rawx", &bits), -ENOENT);
	assert_int_equal(caps_parse("cap_cap_kill", &bits), -ENOENT);
	assert_int_equal(caps_parse("5", &bits), -ENOENT);
	assert_true(bits == 7);
	for (unsigned i = 0; i <= CAP_LAST_CAP; i++) {
		assert_non_null(caps_name(i));
		assert_int_equal(caps_parse(caps_name(i), &bits), 0);
		assert_true(bits == BIT(i));
	}
	assert_null(caps_name(64));
}

static void test_kernel_all(void **state)
{
	char text[32] = "";
	auto_fd int fd = open("/proc/sys/kernel/cap_last_cap", O_RDONLY | O_CLOEXEC);

	(void)state;
	assert_true(read(fd, text, sizeof(text) - 1) > 0);
	assert_true(caps_kernel_all() == (2ULL << atoi(text)) - 1);
}

static void test_application_set(void **state)
{
	cleanup(strbuf_done) struct strbuf text = { 0 };

	(void)state;
	caps_print(caps_application, &text);
	assert_string_equal(strbuf_cstr(&text),
			    "chown,dac_override,fowner,fsetid,kill,setgid,setuid,setpcap,net_bind_service,"
			    "net_raw,sys_chroot,mknod,audit_write,setfcap");
	assert_int_equal(__builtin_popcountll(caps_application), 14);
	strbuf_done(&text);
	text = (struct strbuf){ 0 };
	caps_print(0, &text);
	assert_string_equal(strbuf_cstr(&text), "");
	caps_print(BIT(0) | BIT(63), &text);
	assert_string_equal(strbuf_cstr(&text), "chown,63");
}

static uint64_t field(const char *name)
{
	char buf[128];

	return strtoull(status_field(name, buf), NULL, 16);
}

/* As an application container is set up: in a user namespace of its own it would hold everything, here what
 * we hold. */
static struct sandbox_config application(void)
{
	struct sandbox_config c = { .cap_bounding = caps_application,
				    .cap_effective = caps_application,
				    .cap_permitted = caps_application };

	return c;
}

static int as_root(void *arg)
{
	struct sandbox_config c = application();

	(void)arg;
	CHECK(caps_bound(&c, NULL) == 0);
	CHECK(caps_apply(&c, true, NULL) == 0);
	CHECK(field("CapBnd") == caps_application);
	CHECK(field("CapEff") == caps_application);
	CHECK(field("CapPrm") == caps_application);
	CHECK(field("CapInh") == 0);
	CHECK(field("CapAmb") == 0);
	return 0;
}

static int as_user(void *arg)
{
	struct sandbox_config c = application();
	struct sandbox_user u = { .uid = 1000, .gid = 1000 };

	(void)arg;
	CHECK(caps_bound(&c, NULL) == 0);
	CHECK(caps_keep(NULL) == 0);
	CHECK(user_apply(&u, NULL) == 0);
	CHECK(caps_apply(&c, false, NULL) == 0);
	CHECK(field("CapEff") == 0);
	CHECK(field("CapPrm") == 0);
	CHECK(field("CapInh") == 0);
	CHECK(field("CapAmb") == 0);
	CHECK(field("CapBnd") == caps_application);
	return 0;
}

static int as_user_with_ambient(void *arg)
{
	struct sandbox_config c = application();
	struct sandbox_user u = { .uid = 1000, .gid = 1000 };

	(void)arg;
	c.cap_permitted = c.cap_effective = c.cap_inheritable = c.cap_ambient = BIT(CAP_NET_BIND_SERVICE);
	CHECK(caps_bound(&c, NULL) == 0);
	CHECK(caps_keep(NULL) == 0);
	CHECK(user_apply(&u, NULL) == 0);
	CHECK(caps_apply(&c, false, NULL) == 0);
	CHECK(field("CapEff") == BIT(CAP_NET_BIND_SERVICE));
	CHECK(field("CapPrm") == BIT(CAP_NET_BIND_SERVICE));
	CHECK(field("CapInh") == BIT(CAP_NET_BIND_SERVICE));
	CHECK(field("CapAmb") == BIT(CAP_NET_BIND_SERVICE));
	return 0;
}

/* An ambient set that the caller had is gone, with and without inheritable capabilities of the own. */
static int drops_ambient(void *arg)
{
	struct sandbox_config had = { .cap_permitted = caps_application,
				      .cap_effective = caps_application,
				      .cap_inheritable = BIT(CAP_KILL) | BIT(CAP_CHOWN),
				      .cap_ambient = BIT(CAP_KILL) | BIT(CAP_CHOWN) };
	struct sandbox_config c = application();

	CHECK(caps_apply(&had, true, NULL) == 0);
	CHECK(field("CapAmb") == (BIT(CAP_KILL) | BIT(CAP_CHOWN)));
	c.cap_inheritable = arg ? BIT(CAP_KILL) : 0;
	CHECK(caps_apply(&c, true, NULL) == 0);
	CHECK(field("CapAmb") == 0);
	CHECK(field("CapInh") == c.cap_inheritable);
	return 0;
}

static int not_ours_to_give(void *arg)
{
	struct sandbox_config c = { .cap_permitted = BIT(CAP_KILL), .cap_effective = BIT(CAP_KILL) };
	struct error err = { 0 };

	(void)arg;
	CHECK(caps_apply(&c, true, NULL) == 0);
	c.cap_permitted |= BIT(CAP_SYS_BOOT);
	CHECK(caps_apply(&c, true, &err) == -EPERM);
	CHECK(strstr(err.text, "sys_boot is not ours to give"));
	CHECK(field("CapPrm") == BIT(CAP_KILL));
	/* Nor can the bounding set be changed without SETPCAP. */
	CHECK(caps_bound(&c, &err) == -EPERM);
	return 0;
}

static void test_apply(void **state)
{
	(void)state;
	need_root();
	in_child(as_root, NULL);
	in_child(as_user, NULL);
	in_child(as_user_with_ambient, NULL);
	in_child(drops_ambient, NULL);
	in_child(drops_ambient, "inheritable");
	in_child(not_ours_to_give, NULL);
}

/* Over an execve: what the program really gets. */
static int after_exec(void *arg)
{
	struct sandbox_config c = application();
	struct sandbox_user u = { .uid = 1000, .gid = 1000 };
	int fds[2], status;
	char text[4096] = "";
	pid_t pid;

	c.cap_ambient = c.cap_inheritable = arg ? BIT(CAP_KILL) : 0;
	CHECK(pipe2(fds, O_CLOEXEC) == 0);
	pid = fork();
	if (pid == 0) {
		dup2(fds[1], 1);
		if (caps_bound(&c, NULL) == 0 && caps_keep(NULL) == 0 && user_apply(&u, NULL) == 0 &&
		    caps_apply(&c, false, NULL) == 0)
			execl("/bin/cat", "cat", "/proc/self/status", (char *)NULL);
		_exit(127);
	}
	close(fds[1]);
	CHECK(fd_read_full(fds[0], text, sizeof(text) - 1) > 0);
	CHECK(waitpid(pid, &status, 0) == pid && status == 0);
	CHECK(strstr(text, arg ? "CapEff:\t0000000000000020\n" : "CapEff:\t0000000000000000\n"));
	CHECK(strstr(text, arg ? "CapPrm:\t0000000000000020\n" : "CapPrm:\t0000000000000000\n"));
	CHECK(strstr(text, arg ? "CapAmb:\t0000000000000020\n" : "CapAmb:\t0000000000000000\n"));
	return 0;
}

static void test_exec(void **state)
{
	(void)state;
	need_root();
	in_child(after_exec, NULL);
	in_child(after_exec, "ambient");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_kernel_all),
		cmocka_unit_test(test_application_set),
		cmocka_unit_test(test_apply),
		cmocka_unit_test(test_exec),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
