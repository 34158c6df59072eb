/* SPDX-License-Identifier: GPL-2.0-or-later */
/* When and where a process runs, with what label and what memory. */
#include <linux/ioprio.h>
#include <linux/mempolicy.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/personality.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include "lib/sandbox/list.h"
#include "lib/sandbox/procfs.h"
#include "tests/unit/sandbox/fixture.h"

static void test_list(void **state)
{
	static const struct {
		const char *text;
		int r;
		unsigned long first; /* bits 0..63 */
	} rows[] = {
		{ "0", 0, 1 },
		{ "0-3,7", 0, 0x8f },
		{ "7,0-3", 0, 0x8f },
		{ "5-5,5", 0, 0x20 },
		{ "63", 0, 1ul << 63 },
		{ "0-63", 0, ~0ul },
		{ "64,8191", 0, 0 },
		{ "007", 0, 0x80 },
		{ "8192", -ERANGE, 0 },
		{ "0-99999999999999999999999", -ERANGE, 0 },
		{ "", -EINVAL, 0 },
		{ ",", -EINVAL, 0 },
		{ "1,", -EINVAL, 0 },
		{ ",1", -EINVAL, 0 },
		{ "3-1", -EINVAL, 0 },
		{ "1-", -EINVAL, 0 },
		{ "-1", -EINVAL, 0 },
		{ "1--2", -EINVAL, 0 },
		{ " 1", -EINVAL, 0 },
		{ "1\n", -EINVAL, 0 },
		{ "0x1", -EINVAL, 0 },
		{ "all", -EINVAL, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct list l = { { 0x5a } };

		if (list_parse(rows[i].text, &l) != rows[i].r)
			fail_msg("\"%s\"", rows[i].text);
		assert_int_equal(l.bits[0], rows[i].r < 0 ? 0x5a : rows[i].first);
	}
}

static int affinity(void *arg)
{
	struct error err = { 0 };
	cpu_set_t set;

	(void)arg;
	CHECK(affinity_apply(NULL, &err) == 0 && affinity_check(NULL, &err) == 0);
	CHECK(sched_getaffinity(0, sizeof(set), &set) == 0);
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		char text[16];

		if (!CPU_ISSET(cpu, &set))
			continue;
		snprintf(text, sizeof(text), "%d,8000", cpu);
		CHECK(affinity_apply(text, &err) == 0);
		CHECK(sched_getaffinity(0, sizeof(set), &set) == 0 && CPU_COUNT(&set) == 1 && CPU_ISSET(cpu, &set));
		break;
	}
	CHECK(affinity_apply("8000-8191", &err) == -EINVAL && strstr(err.text, "CPUs 8000-8191: none of them"));
	CHECK(affinity_apply("a", &err) == -EINVAL && err.kind == ERR_USAGE && strstr(err.text, "CPUs \"a\""));
	CHECK(affinity_check("9999", &err) == -ERANGE && err.kind == ERR_USAGE);
	return 0;
}

static int scheduler(void *arg)
{
	struct sandbox_config c = { .sched = { .policy = SCHED_BATCH, .nice = 5 } };
	struct error err = { 0 };

	(void)arg;
	CHECK(sched_apply(&c, &err) == 0 && sched_getscheduler(0) == SCHED_OTHER);
	c.sched.set = true;
	CHECK(sched_apply(&c, &err) == 0 && sched_getscheduler(0) == SCHED_BATCH);
	CHECK(getpriority(PRIO_PROCESS, 0) == 5);
	c.sched.policy = 77;
	CHECK(sched_apply(&c, &err) == -EINVAL && strstr(err.text, "scheduling policy"));
	c.sched = (struct sandbox_sched){ .set = true, .nice = 5, .flags = 1 /* SCHED_FLAG_RESET_ON_FORK */ };
	CHECK(sched_apply(&c, &err) == 0 && sched_getscheduler(0) == (SCHED_OTHER | SCHED_RESET_ON_FORK));
	return 0;
}

static int io_priority(void *arg)
{
	struct sandbox_config c = { 0 };
	struct error err = { 0 };
	long before = syscall(SYS_ioprio_get, IOPRIO_WHO_PROCESS, 0);

	(void)arg;
	CHECK(ioprio_apply(&c, &err) == 0 && syscall(SYS_ioprio_get, IOPRIO_WHO_PROCESS, 0) == before);
	c.ioprio = IOPRIO_PRIO_VALUE(IOPRIO_CLASS_BE, 6);
	CHECK(ioprio_apply(&c, &err) == 0);
	CHECK(syscall(SYS_ioprio_get, IOPRIO_WHO_PROCESS, 0) == IOPRIO_PRIO_VALUE(IOPRIO_CLASS_BE, 6));
	c.ioprio = 7u << IOPRIO_CLASS_SHIFT | 1;
	CHECK(ioprio_apply(&c, &err) == -EINVAL && strstr(err.text, "I/O priority 7/1"));
	return 0;
}

static int persona(void *arg)
{
	struct sandbox_config c = { .personality = PER_LINUX32 };
	struct error err = { 0 };
	struct utsname u;

	(void)arg;
	CHECK(personality_apply(&c, &err) == 0 && personality(0xffffffff) == PER_LINUX);
	c.set_personality = true;
	CHECK(personality_apply(&c, &err) == 0 && personality(0xffffffff) == PER_LINUX32);
	CHECK(uname(&u) == 0);
#ifdef __x86_64__
	CHECK(str_eq(u.machine, "i686"));
#endif
	c.personality = PER_LINUX;
	CHECK(personality_apply(&c, &err) == 0 && personality(0xffffffff) == PER_LINUX);
	return 0;
}

static int memory(void *arg)
{
	struct sandbox_config c = { .mempolicy_nodes = "0" };
	struct error err = { 0 };
	unsigned long nodes[LIST_BITS / LIST_WORD] = { 0 };
	int mode = -1;

	(void)arg;
	CHECK(mempolicy_apply(&c, &err) == 0);
	if (syscall(SYS_get_mempolicy, &mode, NULL, 0, NULL, 0) < 0) {
		c.mempolicy = MPOL_BIND;
		CHECK(errno != ENOSYS || (mempolicy_apply(&c, &err) == -ENOSYS && err.kind == ERR_UNSUPPORTED));
		return 0;
	}
	CHECK(mode == MPOL_DEFAULT);
	c.mempolicy = MPOL_BIND | MPOL_F_STATIC_NODES;
	CHECK(mempolicy_apply(&c, &err) == 0);
	CHECK(syscall(SYS_get_mempolicy, &mode, nodes, LIST_BITS, NULL, 0) == 0);
	CHECK(mode == (MPOL_BIND | MPOL_F_STATIC_NODES) && nodes[0] == 1);
	c.mempolicy = MPOL_LOCAL;
	c.mempolicy_nodes = NULL;
	CHECK(mempolicy_apply(&c, &err) == 0 && syscall(SYS_get_mempolicy, &mode, NULL, 0, NULL, 0) == 0);
	CHECK(mode == MPOL_LOCAL);
	c.mempolicy = MPOL_BIND;
	CHECK(mempolicy_apply(&c, &err) == -EINVAL && strstr(err.text, "memory policy"));
	c.mempolicy_nodes = "x";
	CHECK(mempolicy_apply(&c, &err) == -EINVAL && err.kind == ERR_USAGE && strstr(err.text, "memory nodes"));
	return 0;
}

static int domain(void *arg)
{
	struct sandbox_join join = { .ns = CLONE_NEWUTS, .path = "/proc/self/ns/uts" };
	struct sandbox_config c = { .namespaces = CLONE_NEWPID };
	struct error err = { 0 };
	struct utsname u;

	(void)arg;
	CHECK(unshare(CLONE_NEWUTS) == 0 && domainname_apply(&c, &err) == 0);
	c.domainname = "example.org";
	/* It would be the host's. */
	CHECK(domainname_apply(&c, &err) == -EPERM && err.kind == ERR_USAGE);
	c.joins.v = &join;
	c.joins.n = 1;
	CHECK(sandbox_namespaces(&c) == (CLONE_NEWPID | CLONE_NEWUTS));
	CHECK(domainname_apply(&c, &err) == 0 && uname(&u) == 0 && str_eq(u.domainname, "example.org"));
	c.joins.n = 0;
	c.namespaces = CLONE_NEWUTS;
	c.domainname = "0123456789012345678901234567890123456789012345678901234567890123456789";
	CHECK(domainname_apply(&c, &err) == -EINVAL && strstr(err.text, "domain name"));
	return 0;
}

static int labels(void *arg)
{
	struct sandbox_config c = { .apparmor = "unconfined", .selinux = "" };
	struct error err = { 0 };
	auto_fd int proc = procfs_open(NULL);
	char buf[512];
	bool has_apparmor = procfs_read(proc, "self/attr/apparmor/current", buf, sizeof(buf)) > 0;

	(void)arg;
	CHECK(lsm_check(&c, &err) == 0 && lsm_apply(&c, &err) == 0);
	c.apparmor = "a\nb";
	CHECK(lsm_check(&c, &err) == -EINVAL && err.kind == ERR_USAGE);
	c.apparmor = "arnia-unit-no-such-profile";
	err = (struct error){ 0 };
	if (has_apparmor) {
		CHECK(lsm_check(&c, &err) == 0 && lsm_apply(&c, &err) == -ENOENT && strstr(err.text, "is not loaded"));
	} else {
		CHECK(lsm_check(&c, &err) == -EOPNOTSUPP && err.kind == ERR_UNSUPPORTED);
		CHECK(lsm_apply(&c, &err) == -EOPNOTSUPP && strstr(err.text, "AppArmor is not enabled on this host"));
	}
	c.apparmor = NULL;
	c.selinux = "system_u:system_r:container_t:s0:c1,c2";
	if (access("/sys/fs/selinux/enforce", F_OK) < 0)
		CHECK(lsm_apply(&c, &err) == -EOPNOTSUPP && strstr(err.text, "SELinux is not enabled on this host"));
	/* Something else at /proc is not written to. */
	CHECK(unshare(CLONE_NEWNS) == 0 && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0);
	CHECK(mount("tmpfs", "/proc", "tmpfs", 0, NULL) == 0);
	CHECK(lsm_apply(&c, &err) == -EXDEV);
	return 0;
}

static int reading(void *arg)
{
	auto_fd int proc = procfs_open(NULL);
	char buf[8];

	(void)arg;
	CHECK(procfs_read(proc, "self/comm", buf, sizeof(buf)) == 7 && str_eq(buf, "test_sc"));
	CHECK(procfs_read(proc, "self/none", buf, sizeof(buf)) == -ENOENT);
	CHECK(procfs_read(proc, "self/exe", buf, sizeof(buf)) == -ELOOP);
	CHECK(procfs_read(proc, "../etc/passwd", buf, sizeof(buf)) == -EXDEV);
	CHECK(hide_openat2() == 0);
	CHECK(procfs_read(proc, "self/comm", buf, sizeof(buf)) == 7 && str_eq(buf, "test_sc"));
	return 0;
}

static void test_each(void **state)
{
	(void)state;
	in_child(affinity, NULL);
	in_child(scheduler, NULL);
	in_child(io_priority, NULL);
	in_child(persona, NULL);
	in_child(memory, NULL);
	in_child(reading, NULL);
}

static void test_as_root(void **state)
{
	(void)state;
	need_root();
	in_child(domain, NULL);
	in_child(labels, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_list),
		cmocka_unit_test(test_each),
		cmocka_unit_test(test_as_root),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
