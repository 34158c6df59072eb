/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <sched.h>
#include <sys/mount.h>
#include "tests/unit/sandbox/fixture.h"

#define ALL_NS (CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNS)

static void test_check(void **state)
{
	static const struct {
		const char *name;
		uint64_t needs; /* 0: refused always */
	} rows[] = {
		{ "net.ipv4.ip_unprivileged_port_start", CLONE_NEWNET },
		{ "net.core.somaxconn", CLONE_NEWNET },
		{ "net.ipv6.conf.eth0.accept_ra", CLONE_NEWNET },
		{ "fs.mqueue.msg_max", CLONE_NEWIPC },
		{ "kernel.msgmax", CLONE_NEWIPC },
		{ "kernel.sem", CLONE_NEWIPC },
		{ "kernel.shmmax", CLONE_NEWIPC },
		{ "kernel.shm_rmid_forced", CLONE_NEWIPC },
		{ "kernel.domainname", CLONE_NEWUTS },
		{ "kernel.hostname", 0 },
		{ "kernel.core_pattern", 0 },
		{ "kernel.modprobe", 0 },
		{ "kernel.semx", 0 },
		{ "kernel.sem.x", 0 },
		{ "kernel.sem_next_id", 0 },
		{ "kernel.yama.ptrace_scope", 0 },
		{ "vm.overcommit_memory", 0 },
		{ "fs.file-max", 0 },
		{ "fs.mqueue", 0 },
		{ "fs.binfmt_misc.register", 0 },
		{ "net", 0 },
		{ "net.", 0 },
		{ "netx.a", 0 },
		{ "", 0 },
		{ ".", 0 },
		{ "net..ipv4", 0 },
		{ "net.../kernel", 0 },
		{ "net/ipv4/ip_forward", 0 },
		{ "net.ipv4/../../kernel/core_pattern", 0 },
		{ "net.ipv4.conf.a/b.forwarding", 0 },
		{ "/proc/sys/net", 0 },
		{ "net.ipv4.ip_forward ", 0 },
		{ "net.ipv4.ip_forward\n", 0 },
		{ "Net.core.somaxconn", 0 },
	};
	char long_name[400];
	struct error err;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		int with = sysctl_check(rows[i].name, ALL_NS, &err);

		if ((with == 0) != (rows[i].needs != 0))
			fail_msg("\"%s\": %d", rows[i].name, with);
		if (with < 0)
			assert_int_equal(err.kind, ERR_USAGE);
		/* Without the namespace it would be the host's. */
		assert_true(sysctl_check(rows[i].name, ALL_NS & ~rows[i].needs, &err) < 0 || !rows[i].needs);
		assert_true(sysctl_check(rows[i].name, 0, &err) < 0);
	}
	memset(long_name, 'a', sizeof(long_name));
	memcpy(long_name, "net.", 4);
	long_name[399] = '\0';
	assert_int_equal(sysctl_check(long_name, ALL_NS, NULL), -EINVAL);
}

static int read_is(const char *path, const char *text)
{
	auto_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
	char buf[128] = "";

	return read(fd, buf, sizeof(buf) - 1) > 0 && str_eq(buf, text);
}

static int apply(void *arg)
{
	struct sandbox_sysctl s[] = { { "net.ipv4.ip_unprivileged_port_start", "80" },
				      { "kernel.msgmax", "4321" },
				      { "kernel.domainname", "example.org" } };
	struct sandbox_config c = { .namespaces = ALL_NS,
				    .sysctls = { s, ARRAY_SIZE(s) },
				    .hostname = "unit" };
	struct error err = { 0 };
	char name[65] = "";

	(void)arg;
	CHECK(unshare(CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWNS) == 0);
	CHECK(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0);
	CHECK(sysctl_apply(&c, &err) == 0);
	CHECK(read_is("/proc/sys/net/ipv4/ip_unprivileged_port_start", "80\n"));
	CHECK(read_is("/proc/sys/kernel/msgmax", "4321\n"));
	CHECK(read_is("/proc/sys/kernel/domainname", "example.org\n"));
	CHECK(hostname_apply(&c, &err) == 0);
	CHECK(gethostname(name, sizeof(name)) == 0 && str_eq(name, "unit"));
	/* One that is refused stops it, and says which. */
	s[0] = (struct sandbox_sysctl){ "kernel.core_pattern", "|/bin/sh" };
	CHECK(sysctl_apply(&c, &err) == -EPERM && strstr(err.text, "kernel.core_pattern"));
	s[0] = (struct sandbox_sysctl){ "net.ipv4.nosuch", "1" };
	CHECK(sysctl_apply(&c, &err) == -ENOENT && strstr(err.text, "sys/net/ipv4/nosuch"));
	/* A mount on the way is not followed. */
	s[0] = (struct sandbox_sysctl){ "net.ipv4.ip_forward", "1" };
	CHECK(mount("/proc/sys/kernel", "/proc/sys/net", NULL, MS_BIND, NULL) == 0);
	CHECK(sysctl_apply(&c, &err) == -EXDEV);
	c.sysctls.n = 0;
	CHECK(sysctl_apply(&c, &err) == 0);
	return 0;
}

static void test_apply(void **state)
{
	(void)state;
	need_root();
	in_child(apply, NULL);
}

static int joined(void *arg)
{
	struct sandbox_sysctl s[] = { { "net.ipv4.ip_forward", "1" }, { "kernel.msgmax", "4321" } };
	struct sandbox_join j[] = { { .ns = CLONE_NEWNET, .path = "/proc/self/ns/net" },
				    { .ns = CLONE_NEWIPC, .path = "/proc/self/ns/ipc" } };
	struct sandbox_config c = { .sysctls = { s, 2 }, .joins = { j, 2 } };
	struct error err = { 0 };
	auto_fd int other = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	char path[32];

	(void)arg;
	CHECK(sysctl_check_all(&c, &err) == -EPERM && err.kind == ERR_USAGE && strstr(err.text, "net.ipv4.ip_forward"));
	CHECK(unshare(CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWNS) == 0);
	CHECK(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0);
	j[0].path = path_proc_fd(other, path);
	CHECK(sysctl_check_all(&c, &err) == 0);
	CHECK(sysctl_apply(&c, &err) == 0 && read_is("/proc/sys/kernel/msgmax", "4321\n"));
	c.joins.n = 1;
	CHECK(sysctl_check_all(&c, &err) == -EPERM && strstr(err.text, "kernel.msgmax"));
	CHECK(sysctl_apply(&c, &err) == -EPERM);
	j[0].path = "/proc/self/ns/none";
	CHECK(sysctl_check_all(&c, &err) == -ENOENT && strstr(err.text, "/proc/self/ns/none"));
	c.sysctls.n = 0;
	CHECK(sysctl_check_all(&c, &err) == 0);
	return 0;
}

static void test_joined(void **state)
{
	(void)state;
	need_root();
	in_child(joined, NULL);
}

static void test_name_plain(void **state)
{
	static const struct {
		const char *given, *plain;
	} rows[] = {
		{ "net/ipv4/ip_forward", "net.ipv4.ip_forward" }, { "net.ipv4.ip_forward", "net.ipv4.ip_forward" },
		{ "net/ipv4/conf/a.b/x", "net.ipv4.conf.a/b.x" }, { "net.ipv4.conf.a/b.x", "net.ipv4.conf.a/b.x" },
		{ "a", "a" },					  { "", "" },
		{ "/a", ".a" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		auto_free char *name = str_dup(rows[i].given);

		sysctl_name_plain(name);
		assert_string_equal(name, rows[i].plain);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_check),
		cmocka_unit_test(test_apply),
		cmocka_unit_test(test_joined),
		cmocka_unit_test(test_name_plain),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
