/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the keeper costs and what it sees: memory, mounts. */
#include <errno.h>
#include <fcntl.h>
#include <linux/ioprio.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/personality.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include "tests/unit/keeper/harness.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"

#if defined(__SANITIZE_ADDRESS__)
#define INSTRUMENTED true
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define INSTRUMENTED true
#endif
#endif
#ifndef INSTRUMENTED
#define INSTRUMENTED false
#endif

static unsigned count_lines(const char *text)
{
	unsigned n = 0;

	for (; *text; text++)
		n += *text == '\n';
	return n;
}

/* In a child: can a user namespace below the keeper's mounts have its own /proc and /sys? */
static int try_proc(pid_t keeper)
{
	auto_free char *path = str_fmt("/proc/%d/ns/mnt", keeper);
	int fd = open(path, O_RDONLY | O_CLOEXEC), status = 1;
	pid_t pid;

	if (setns(fd, CLONE_NEWNS) < 0 ||
	    unshare(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET) < 0)
		return 10;
	pid = fork();
	if (pid == 0) {
		if (mount("proc", "/proc", "proc", 0, NULL) < 0)
			_exit(errno);
		_exit(mount("sysfs", "/sys", "sysfs", 0, NULL) < 0 ? errno : 0);
	}
	waitpid(pid, &status, 0);
	return WEXITSTATUS(status);
}

static void test_mounts(void **state)
{
	struct rig *r = *state;
	auto_free char *before = NULL;
	auto_free char *after = NULL;
	auto_free char *theirs = NULL;
	auto_free char *later = NULL;
	char path[128];
	pid_t pid;

	assert_int_equal(unshare(CLONE_NEWNS), 0);
	assert_int_equal(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
	for (int i = 0; i < 200; i++) {
		snprintf(path, sizeof(path), "%s/m%d with\\odd\tname", r->root, i);
		assert_int_equal(mkdir(path, 0755), 0);
		assert_int_equal(mount("tmpfs", path, "tmpfs", 0, NULL), 0);
	}
	/* As in many containers: parts of /proc and /sys covered. */
	assert_int_equal(mount("/dev/null", "/proc/version", NULL, MS_BIND, NULL), 0);
	assert_int_equal(mount("tmpfs", "/proc/fs", "tmpfs", 0, NULL), 0);
	assert_int_equal(mount("tmpfs", "/sys/firmware", "tmpfs", 0, NULL), 0);
	/* Mounts are shared with whoever copies the namespace, as systemd sets it up. */
	assert_int_equal(mount(NULL, "/", NULL, MS_REC | MS_SHARED, NULL), 0);
	before = proc_text(getpid(), "mountinfo");
	rig_lock(r);
	rig_start(r);
	after = proc_text(getpid(), "mountinfo");
	theirs = proc_text(r->keeper, "mountinfo");
	assert_true(count_lines(before) > 200);
	assert_int_equal(count_lines(after), count_lines(before));
	assert_true(count_lines(theirs) < 30);
	assert_null(strstr(theirs, r->root));
	assert_non_null(strstr(theirs, " /proc "));
	assert_non_null(strstr(theirs, "cgroup2"));
	/* One that comes later stays out. */
	snprintf(path, sizeof(path), "%s/later", r->root);
	assert_int_equal(mkdir(path, 0755), 0);
	assert_int_equal(mount("tmpfs", path, "tmpfs", 0, NULL), 0);
	later = proc_text(r->keeper, "mountinfo");
	assert_int_equal(count_lines(later), count_lines(theirs));
	pid = fork();
	if (pid == 0)
		_exit(try_proc(r->keeper));
	assert_int_equal(WEXITSTATUS(wait_status(pid)), 0);
	/* Workers reach the host's mounts by their descriptor 4: checked by the fake worker at its start. */
	rig_connect(r, NULL);
	rig_run(r, ID(1), "pipe 0\nexit 0", -1, 0);
	rig_disconnect(r);
	rig_kill_keeper(r);
	assert_int_equal(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
	umount2(path, MNT_DETACH);
	umount2("/proc/version", MNT_DETACH);
	umount2("/proc/fs", MNT_DETACH);
	umount2("/sys/firmware", MNT_DETACH);
	for (int i = 0; i < 200; i++) {
		snprintf(path, sizeof(path), "%s/m%d with\\odd\tname", r->root, i);
		umount2(path, MNT_DETACH);
	}
}

/* Without its text, which all programs share, and is dirty when just copied. */
static long private_kib(pid_t pid)
{
	auto_free char *text = proc_text(pid, "smaps_rollup");
	const char *anon = strstr(text, "Anonymous:");

	assert_non_null(anon);
	return strtol(anon + strlen("Anonymous:"), NULL, 10);
}

/* What a container costs here: about 400 bytes, and nothing while it is idle. */
static void test_memory(void **state)
{
	struct rig *r = *state;
	pid_t pids[250];
	char id[ID_LEN + 1];
	long before = 0, after;

	for (int i = 0; i < 250; i++) {
		snprintf(id, sizeof(id), "%016x", 0xd00 + i);
		pids[i] = rig_run(r, id, "pipe 1000\nexec sleep 600", -1, 0);
		if (i == 49)
			before = private_kib(r->keeper);
	}
	after = private_kib(r->keeper);
	print_message("# keeper: %ld KiB private with 50 containers, %ld with 250\n", before, after);
	if (!INSTRUMENTED) {
		assert_true(after < 400);
		assert_true((after - before) * 1024 / 200 <= 600);
	}
	for (int i = 0; i < 250; i++)
		kill(pids[i], SIGKILL);
	for (int i = 0; i < 250; i++) {
		struct frame f;

		rig_expect(r, KP_EXIT, &f);
		frame_done(&f);
	}
}

static int ioprio_of(pid_t pid)
{
	return (int)syscall(SYS_ioprio_get, IOPRIO_WHO_PROCESS, pid);
}

/* In a child of the test: a caller whose surroundings are nobody else's wish. Soft limits only: root in a container
 * cannot raise the others again. */
static void be_odd(void)
{
	static const struct {
		int resource;
		rlim_t value;
	} low[] = { { RLIMIT_CPU, 60 },	   { RLIMIT_FSIZE, 1 << 20 },  { RLIMIT_NOFILE, 256 },
		    { RLIMIT_STACK, 1 << 20 }, { RLIMIT_MEMLOCK, 4096 },   { RLIMIT_NPROC, 64 },
		    { RLIMIT_AS, 1 << 28 } };
	const struct sched_param none = { 0 };
	cpu_set_t one;

	for (size_t i = 0; i < ARRAY_SIZE(low); i++) {
		struct rlimit l;

		assert_int_equal(getrlimit(low[i].resource, &l), 0);
		l.rlim_cur = MIN(low[i].value, l.rlim_max);

		/* the sanitizers' shadow needs more */
		if (low[i].resource != RLIMIT_AS || !INSTRUMENTED)
			assert_int_equal(setrlimit(low[i].resource, &l), 0);
	}
	CPU_ZERO(&one);
	CPU_SET(sched_getcpu(), &one);
	assert_int_equal(sched_setaffinity(0, sizeof(one), &one), 0);
	assert_int_equal(sched_setscheduler(0, SCHED_BATCH, &none), 0);
	assert_int_equal(setpriority(PRIO_PROCESS, 0, 15), 0);
	assert_int_equal(
		syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0, IOPRIO_PRIO_VALUE(IOPRIO_CLASS_IDLE, 0)), 0);
	assert_int_not_equal(personality(ADDR_NO_RANDOMIZE), -1);
	assert_int_equal(setresgid(12, 12, 12), 0);
}

static void check_ordinary(pid_t pid, const cpu_set_t *all)
{
	static const struct {
		int resource;
		rlim_t soft, hard;
	} want[] = { { RLIMIT_CPU, RLIM_INFINITY, RLIM_INFINITY },   { RLIMIT_FSIZE, RLIM_INFINITY, RLIM_INFINITY },
		     { RLIMIT_AS, RLIM_INFINITY, RLIM_INFINITY },    { RLIMIT_NPROC, RLIM_INFINITY, RLIM_INFINITY },
		     { RLIMIT_STACK, 8 << 20, RLIM_INFINITY },	     { RLIMIT_MEMLOCK, 8 << 20, 8 << 20 },
		     { RLIMIT_CORE, 0, RLIM_INFINITY } };
	auto_free char *status = proc_text(pid, "status");
	auto_free char *domain = proc_text(pid, "personality");
	struct rlimit l;
	cpu_set_t set;

	for (size_t i = 0; i < ARRAY_SIZE(want); i++) {
		assert_int_equal(prlimit(pid, (enum __rlimit_resource)want[i].resource, NULL, &l), 0);
		assert_true(l.rlim_max <= want[i].hard && l.rlim_cur == MIN(want[i].soft, l.rlim_max));
	}
	assert_int_equal(prlimit(pid, RLIMIT_NOFILE, NULL, &l), 0);
	assert_true(l.rlim_cur == l.rlim_max && l.rlim_max > 1024);
	assert_int_equal(sched_getaffinity(pid, sizeof(set), &set), 0);
	assert_true(CPU_EQUAL(&set, all));
	assert_int_equal(sched_getscheduler(pid), SCHED_OTHER);
	assert_int_equal(getpriority(PRIO_PROCESS, (id_t)pid), 0);
	/* without a class of its own it follows the nice value */
	assert_int_not_equal(IOPRIO_PRIO_CLASS(ioprio_of(pid)), IOPRIO_CLASS_IDLE);
	assert_int_equal(strtoul(domain, NULL, 16), PER_LINUX);
	assert_non_null(strstr(status, "Gid:\t0\t0\t0\t0\n"));
}

/* The first command starts the keeper, and all containers come from it: what that command had is not theirs. */
static void test_nothing_inherited(void **state)
{
	struct rig *r = *state;
	cpu_set_t all;
	pid_t pid, child;

	assert_int_equal(sched_getaffinity(0, sizeof(all), &all), 0);
	child = fork();
	if (child == 0) {
		rig_lock(r);
		be_odd();
		rig_start(r);
		/* to look at another's limits we must be who it is (prlimit(2)) */
		assert_int_equal(setresgid(0, 0, 0), 0);
		check_ordinary(r->keeper, &all);
		rig_connect(r, NULL);
		pid = rig_run(r, ID(1), "pipe 0\nexec sleep 600", -1, 0);
		check_ordinary(pid, &all);
		rig_disconnect(r);
		rig_kill_keeper(r);
		kill(pid, SIGKILL);
		_exit(0);
	}
	assert_int_equal(wait_status(child), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_memory, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(test_nothing_inherited, rig_setup_bare, rig_teardown),
		cmocka_unit_test_setup_teardown(test_mounts, rig_setup_bare, rig_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
