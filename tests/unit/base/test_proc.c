/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/unit/base/unit.h"
#include <poll.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include "lib/base/failat.h"
#include "lib/base/fd.h"
#include "lib/base/log.h"
#include "lib/base/proc.h"
#include "lib/base/str.h"

/* A child that waits until it is killed or we die. */
static pid_t sleeper(int *ret_pidfd)
{
	struct proc_clone c = { .exit_signal = SIGCHLD, .cgroup_fd = -1, .ret_pidfd = ret_pidfd };
	pid_t pid = proc_clone3(&c);

	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			pause();
	}
	assert_true(pid > 0);
	return pid;
}

static void test_clone(void **state)
{
	auto_fd int fd = -1;
	pid_t pid = sleeper(&fd);
	struct pidref p = { .pid = pid, .fd = fd };
	struct pollfd pf = { .fd = fd, .events = POLLIN };
	int status;

	(void)state;
	assert_true(fd >= 0);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	assert_true(pidref_alive(&p));
	assert_int_equal(pidref_kill(&p, SIGTERM), 0);
	assert_int_equal(poll(&pf, 1, 10000), 1);
	assert_false(pidref_alive(&p));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
	assert_int_equal(pidref_kill(&p, SIGTERM), -ESRCH);
}

/* The number of a process that is gone, which its group still has. */
static void test_pid_of_a_group(void **state)
{
	struct pidref p = PIDREF_NONE;
	int ends[2], status;
	pid_t leader;
	char c;

	(void)state;
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	leader = fork();
	if (leader == 0) {
		setpgid(0, 0);
		if (fork() == 0) {
			close(ends[1]);
			(void)!read(ends[0], &c, 1);
		}
		_exit(0);
	}
	close(ends[0]);
	assert_int_equal(waitpid(leader, &status, 0), leader);
	assert_int_equal(kill(-leader, 0), 0);
	assert_int_equal(proc_pidfd_open(leader), -ESRCH);
	assert_int_equal(pidref_open(leader, 0, &p), -ESRCH);
	assert_int_equal(p.fd, -1);
	assert_int_equal(proc_pidfd_open(0), -EINVAL);
	assert_int_equal(proc_pidfd_open(-1), -EINVAL);
	close(ends[1]);
}

static void test_clone_errors(void **state)
{
	int fd = 77;
	struct proc_clone c = { .flags = CLONE_PARENT, .exit_signal = SIGCHLD, .cgroup_fd = -1, .ret_pidfd = &fd };

	(void)state;
	assert_int_equal(proc_clone3(&c), -EINVAL);
	c = (struct proc_clone){ .exit_signal = SIGCHLD, .cgroup_fd = 9999, .ret_pidfd = &fd };
	assert_int_equal(proc_clone3(&c), -EBADF);
	assert_int_equal(fd, 77);
}

struct told {
	int up, down;
	volatile int seen;
};

static int hear_and_tell(void *arg)
{
	struct told *t = arg;
	char deep[8192], c;

	memset(deep, 7, sizeof(deep));
	if (read(t->down, &c, 1) != 1)
		return 3;
	t->seen = deep[sizeof(deep) - 1];
	return write(t->up, &c, 1) == 1 ? 42 : 4;
}

/* On its own stack, in the caller's memory or a copy of it. */
static void test_spawn(void **state)
{
	const uint64_t flags[] = { 0, CLONE_VM };
	struct proc_stack s = { 0 };

	(void)state;
	assert_int_equal(proc_stack_new(32 << 10, &s), 0);
	for (size_t i = 0; i < ARRAY_SIZE(flags); i++) {
		auto_fd int fd = -1;
		struct proc_clone c = { .flags = flags[i], .exit_signal = SIGCHLD, .cgroup_fd = -1, .ret_pidfd = &fd };
		int up[2], down[2], status;
		struct told t;
		char ch = 'x';
		pid_t pid;

		assert_int_equal(pipe2(up, O_CLOEXEC), 0);
		assert_int_equal(pipe2(down, O_CLOEXEC), 0);
		t = (struct told){ .up = up[1], .down = down[0] };
		pid = proc_spawn(&c, &s, hear_and_tell, &t);
		assert_true(pid > 0 && fd >= 0);
		assert_int_equal(write(down[1], &ch, 1), 1);
		assert_int_equal(read(up[0], &ch, 1), 1);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 42);
#ifndef __SANITIZE_ADDRESS__
		assert_int_equal(t.seen, flags[i] ? 7 : 0);
#endif
		for (int k = 0; k < 2; k++) {
			close(up[k]);
			close(down[k]);
		}
	}
	assert_int_equal(proc_spawn(&(struct proc_clone){ .exit_signal = SIGCHLD, .cgroup_fd = 9999 }, &s, hear_and_tell, NULL),
			 -EBADF);
	proc_stack_free(&s);
	proc_stack_free(&s);
}

static int run_over(void *arg)
{
	volatile char *low = arg;

	signal(SIGSEGV, SIG_DFL); /* cmocka has a handler */
	low[-1] = 1;
	return 0;
}

static void test_stack_ends(void **state)
{
	struct proc_stack s = { 0 };
	int status;
	pid_t pid;

	(void)state;
	assert_int_equal(proc_stack_new(32 << 10, &s), 0);
	pid = proc_spawn(&(struct proc_clone){ .exit_signal = SIGCHLD, .cgroup_fd = -1 }, &s, run_over, s.low);
	assert_int_equal(waitpid(pid, &status, 0), pid);
#ifdef __SANITIZE_ADDRESS__
	assert_true(status != 0);
#else
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
#endif
	proc_stack_free(&s);
}

static void test_pidref(void **state)
{
	pid_t pid = sleeper(NULL);
	struct pidref p = PIDREF_NONE, q = PIDREF_NONE;

	(void)state;
	assert_int_equal(pidref_open(pid, 0, &p), 0);
	assert_true(p.pid == pid && p.fd >= 0 && p.start > 0);
	assert_int_equal(pidref_open(pid, p.start, &q), 0);
	assert_true(pidref_alive(&q));
	pidref_done(&q);
	assert_true(q.fd == -1 && q.pid == 0);
	assert_int_equal(proc_pid_of(p.fd), pid);
	/* The same pid, another time: another process. */
	assert_int_equal(pidref_open(pid, p.start + 1, &q), -ESRCH);
	assert_int_equal(q.fd, -1);
	assert_int_equal(pidref_kill(&q, SIGKILL), -ESRCH);
	assert_false(pidref_alive(&q));
	assert_int_equal(pidref_kill(&p, SIGKILL), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_int_equal(pidref_open(pid, p.start, &q), -ESRCH);
	assert_int_equal(pidref_open(pid, 0, &q), -ESRCH);
	assert_int_equal(proc_pid_of(p.fd), -ESRCH);
	pidref_done(&p);
	pidref_done(&p);
}

/* A name that looks like the rest of the line. */
static void test_start_time(void **state)
{
	uint64_t before = 0, after = 0;

	(void)state;
	assert_int_equal(proc_start_time(getpid(), &before), 0);
	assert_true(before > 0);
	assert_int_equal(prctl(PR_SET_NAME, "x) R 1 2 (3"), 0);
	assert_int_equal(proc_start_time(getpid(), &after), 0);
	prctl(PR_SET_NAME, "test_proc");
	assert_true(before == after);
	assert_int_equal(proc_start_time(0x7ffffff0, &after), -ENOENT);
	assert_true(before == after);
}

static void test_ending(void **state)
{
	siginfo_t si;
	pid_t pid = fork();

	(void)state;
	if (pid == 0)
		_exit(0);
	assert_int_equal(waitid(P_PID, (id_t)pid, &si, WEXITED | WNOWAIT), 0);
	assert_true(proc_is_ending(pid));
	assert_false(proc_is_ending(getpid()));
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_true(proc_is_ending(0x7ffffff0));
}

static void check_status(int how, bool reap)
{
	siginfo_t si;
	struct pidref p;
	int status = -1, pid = fork();

	if (pid == 0) {
		if (how > 0xff)
			kill(getpid(), how >> 8);
		_exit(how);
	}
	assert_int_equal(waitid(P_PID, (id_t)pid, &si, WEXITED | WNOWAIT), 0);
	assert_int_equal(pidref_open(pid, 0, &p), 0);
	if (reap)
		assert_int_equal(waitpid(pid, &status, 0), pid);
	status = -1;
	if (pidref_wait_status(&p, &status) < 0)
		assert_true(reap); /* before Linux 6.15 */
	else if (how > 0xff)
		assert_true(WIFSIGNALED(status) && WTERMSIG(status) == how >> 8);
	else
		assert_true(WIFEXITED(status) && WEXITSTATUS(status) == how);
	if (!reap)
		assert_int_equal(waitpid(pid, &status, 0), pid);
	pidref_done(&p);
}

static void test_wait_status(void **state)
{
	struct pidref self;
	int status = 77;

	(void)state;
	for (int reap = 0; reap < 2; reap++) {
		check_status(0, reap);
		check_status(37, reap);
		check_status(SIGKILL << 8, reap);
	}
	assert_int_equal(pidref_open(getpid(), 0, &self), 0);
	assert_int_equal(pidref_wait_status(&self, &status), -ENODATA); /* it runs */
	assert_int_equal(status, 77);
	pidref_done(&self);
}

static void test_identity(void **state)
{
	char a[37], b[37], dir[4096];

	(void)state;
	assert_int_equal(proc_boot_id(a), 0);
	assert_int_equal(proc_boot_id(b), 0);
	assert_string_equal(a, b);
	assert_int_equal(strlen(a), 36);
	assert_int_equal(a[8], '-');
	assert_int_equal(proc_self_dir(dir, sizeof(dir)), 0);
	assert_true(str_ends(dir, "/tests/unit/base"));
	assert_int_equal(proc_self_dir(dir, 4), -ENAMETOOLONG);
}

static void test_nofile(void **state)
{
	struct rlimit old, now;

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	now = old;
	now.rlim_cur = 256;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &now), 0);
	assert_int_equal(proc_raise_nofile(), 0);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &now), 0);
	assert_true(now.rlim_cur == old.rlim_max);
	setrlimit(RLIMIT_NOFILE, &old);
}

static void test_fail_at(void **state)
{
	int status;
	pid_t pid;

	(void)state;
	unsetenv("ARNIA_FAIL_AT");
	assert_int_equal(fail_at("mount"), 0);
	setenv("ARNIA_FAIL_AT", "mount:errno:ENOSPC", 1);
	assert_int_equal(fail_at("mount"), -ENOSPC);
	assert_int_equal(fail_at("moun"), 0);
	assert_int_equal(fail_at("mount:"), 0);
	assert_int_equal(fail_at("mount-2"), 0);
	setenv("ARNIA_FAIL_AT", "mount:errno:NONSENSE", 1);
	assert_int_equal(fail_at("mount"), -EIO);
	setenv("ARNIA_FAIL_AT", "mount:kill", 1);
	assert_int_equal(fail_at("other"), 0);
	pid = fork();
	if (pid == 0) {
		fail_at("mount");
		_exit(0);
	}
	unsetenv("ARNIA_FAIL_AT");
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

static void write_word(const char *path, const char *word)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(fd_write_all(fd, word, strlen(word)), 0);
	close(fd);
}

static void test_fail_at_file(void **state)
{
	char root[] = "/tmp/unit-failat-XXXXXX", path[64];
	int status;
	pid_t pid;

	(void)state;
	assert_non_null(mkdtemp(root));
	snprintf(path, sizeof(path), "%s/fail-at", root);
	unsetenv("ARNIA_FAIL_AT");
	setenv("ARNIA_ROOT", root, 1);
	assert_int_equal(fail_at("mount"), 0);
	write_word(path, "mount:errno:ENOSPC\n");
	assert_int_equal(fail_at("mount"), -ENOSPC);
	assert_int_equal(fail_at("moun"), 0);
	/* carried, the file is not looked at any more, until it is carried again */
	fail_at_carry();
	write_word(path, "mount:errno:EIO");
	assert_int_equal(fail_at("mount"), -ENOSPC);
	fail_at_carry();
	assert_int_equal(fail_at("mount"), -EIO);
	unlink(path);
	fail_at_carry();
	assert_int_equal(fail_at("mount"), 0);
	unsetenv("ARNIA_FAIL_AT");
	unsetenv("ARNIA_FAIL_AT_CARRIED");
	/* a kill happens once */
	write_word(path, "mount:kill");
	pid = fork();
	if (pid == 0) {
		fail_at("mount");
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	assert_int_equal(access(path, F_OK), -1);
	assert_int_equal(fail_at("mount"), 0);
	/* also by who only carries it */
	write_word(path, "mount:kill");
	pid = fork();
	if (pid == 0) {
		fail_at_carry();
		fail_at("mount");
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	assert_int_equal(access(path, F_OK), -1);
	/* what the environment says from the start is not overruled */
	setenv("ARNIA_FAIL_AT", "mount:errno:EPERM", 1);
	fail_at_carry();
	assert_int_equal(fail_at("mount"), -EPERM);
	unsetenv("ARNIA_FAIL_AT");
	unsetenv("ARNIA_ROOT");
	rmdir(root);
}

/* One line to stderr, read back through a pipe. */
static void check_log(enum log_level max, const char *want)
{
	int keep = fd_dup(2), p[2];
	char got[512];
	ssize_t n;

	assert_int_equal(pipe2(p, O_CLOEXEC), 0);
	dup2(p[1], 2);
	close(p[1]);
	log_init("unit", max);
	log_error("name %s", "a\nunit: forged\x1b[2J");
	log_debug("details");
	dup2(keep, 2);
	close(keep);
	n = read(p[0], got, sizeof(got) - 1);
	close(p[0]);
	assert_true(n >= 0);
	got[n] = '\0';
	assert_string_equal(got, want);
}

static void test_log(void **state)
{
	(void)state;
	check_log(LOG_INFO_, "unit: name a\\x0aunit: forged\\x1b[2J\n");
	check_log(LOG_DEBUG_, "unit: name a\\x0aunit: forged\\x1b[2J\nunit: details\n");
	/* Inherited from a service, but stderr is not that stream any more. */
	setenv("JOURNAL_STREAM", "1:1", 1);
	check_log(LOG_INFO_, "unit: name a\\x0aunit: forged\\x1b[2J\n");
	unsetenv("JOURNAL_STREAM");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_clone), cmocka_unit_test(test_pid_of_a_group),
		cmocka_unit_test(test_clone_errors), cmocka_unit_test(test_spawn),
		cmocka_unit_test(test_stack_ends), cmocka_unit_test(test_pidref), cmocka_unit_test(test_start_time),
		cmocka_unit_test(test_ending),
		cmocka_unit_test(test_wait_status), cmocka_unit_test(test_identity), cmocka_unit_test(test_nofile),
		cmocka_unit_test(test_fail_at),
		cmocka_unit_test(test_fail_at_file),	 cmocka_unit_test(test_log),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
