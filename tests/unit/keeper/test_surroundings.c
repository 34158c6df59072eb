/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the keeper costs and what it sees: memory, mounts. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_memory, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(test_mounts, rig_setup_bare, rig_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
