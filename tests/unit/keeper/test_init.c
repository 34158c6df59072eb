/* SPDX-License-Identifier: GPL-2.0-or-later */
/* arnia-init as PID 1 of a pid namespace. */
#include <errno.h>
#include <fcntl.h>
#include <pty.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utmp.h>
#include "tests/unit/keeper/harness.h"
#include "lib/base/fd.h"
#include "lib/base/file.h"
#include "lib/base/initproto.h"
#include "lib/base/proc.h"
#include "lib/base/str.h"

#define ARGS_MAX 8

struct run {
	pid_t pid;
	int out; /* its stdout and stderr */
};

/* Start "arnia-init ARGS", as PID 1, or in a session with a console of its own. */
static struct run start(bool console, const char *const *args)
{
	struct proc_clone c = { .flags = CLONE_NEWPID, .exit_signal = SIGCHLD, .cgroup_fd = -1 };
	char dir[3200], path[3300], *argv[ARGS_MAX + 2] = { "arnia-init" };
	int pair[2];
	struct run r;

	built_dir(dir, sizeof(dir));
	snprintf(path, sizeof(path), "%s/bin/arnia-init", dir);
	for (int i = 0; i < ARGS_MAX && args[i]; i++)
		argv[i + 1] = (char *)args[i];
	if (console)
		assert_int_equal(openpty(&pair[0], &pair[1], NULL, NULL, NULL), 0);
	else
		assert_int_equal(pipe2(pair, 0), 0);
	fd_cloexec(pair[0], true);
	r.pid = proc_clone3(&c);
	assert_true(r.pid >= 0);
	if (r.pid == 0) {
		if (console)
			login_tty(pair[1]);
		else if (dup2(pair[1], 1) < 0 || dup2(pair[1], 2) < 0)
			_exit(90);
		execv(path, argv);
		_exit(91);
	}
	close(pair[1]);
	r.out = pair[0];
	return r;
}

static int wait_end(struct run *r)
{
	int status = 0, fd = proc_pidfd_open(r->pid);

	wait_readable(fd);
	close(fd);
	assert_int_equal(waitpid(r->pid, &status, 0), r->pid);
	close(r->out);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* Read until the text ends with this. */
static void expect(struct run *r, const char *end, char *text, size_t size)
{
	size_t len = 0;

	do {
		ssize_t n;

		wait_readable(r->out);
		n = read(r->out, text + len, size - 1 - len);
		if (n <= 0)
			fail_msg("\"%.*s\" does not end with \"%s\"", (int)len, text, end);
		len += (size_t)n;
		text[len] = '\0';
	} while (!str_ends(text, end));
}

#define START(...) start(false, (const char *const[]){ __VA_ARGS__, NULL })
#define SHELL(text) START("--", "/bin/sh", "-c", text)

static void test_status(void **state)
{
	struct run r = SHELL("exit 7");

	(void)state;
	assert_int_equal(wait_end(&r), 7);
	r = SHELL("kill -USR1 $$");
	assert_int_equal(wait_end(&r), 128 + SIGUSR1);
	r = START("--", "/bin/true");
	assert_int_equal(wait_end(&r), 0);
}

static void test_cannot_run(void **state)
{
	char text[256];
	struct run r = START("--", "/nonexistent/program", "x");

	(void)state;
	expect(&r, "\n", text, sizeof(text));
	assert_string_equal(
		text, "arnia-init: /nonexistent/program: no such file (or its interpreter is missing)\n");
	assert_int_equal(wait_end(&r), 127);
	r = START("--", "/etc/passwd");
	assert_int_equal(wait_end(&r), 126);
	r = START("--", "/");
	assert_int_equal(wait_end(&r), 126);
	r = START("--");
	assert_int_equal(wait_end(&r), 2);
	r = START("/bin/true");
	assert_int_equal(wait_end(&r), 2);
	r = START("-x", "--", "/bin/true");
	assert_int_equal(wait_end(&r), 2);
}

/* Arguments and environment arrive as they are. */
static void test_arguments(void **state)
{
	char text[256];
	struct run r;

	(void)state;
	setenv("PASSED_ON", "a b", 1);
	r = START("--", "/bin/sh", "-c", "echo \"$0|$1|$2|$PASSED_ON\"", "--", "", "-g");
	expect(&r, "\n", text, sizeof(text));
	assert_string_equal(text, "--||-g|a b\n");
	assert_int_equal(wait_end(&r), 0);
}

static void test_signals(void **state)
{
	static const int signals[] = { SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGUSR2, SIGWINCH };
	char text[64];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(signals); i++) {
		auto_free char *script = str_fmt(
			"trap 'echo got; exit 3' %d; echo ready; while :; do sleep 0.02; done", signals[i]);
		struct run r = SHELL(script);

		expect(&r, "ready\n", text, sizeof(text));
		kill(r.pid, signals[i]);
		expect(&r, "got\n", text, sizeof(text));
		assert_int_equal(wait_end(&r), 3);
	}
	{
		/* The program starts with nothing blocked. */
		struct run r = SHELL("grep SigBlk /proc/self/status");

		expect(&r, "\n", text, sizeof(text));
		assert_string_equal(text, "SigBlk:\t0000000000000000\n");
		assert_int_equal(wait_end(&r), 0);
	}
}

/* With -g all of the program's process group is told. */
static void test_group(void **state)
{
	const char *script = "trap 'wait; exit 4' TERM; "
			     "sh -c 'trap \"echo child; exit 0\" TERM; echo ready; while :; do sleep 0.02; done' & "
			     "wait; wait";
	struct run r = START("-g", "--", "/bin/sh", "-c", script);
	char text[64];

	(void)state;
	expect(&r, "ready\n", text, sizeof(text));
	kill(r.pid, SIGTERM);
	expect(&r, "child\n", text, sizeof(text));
	assert_int_equal(wait_end(&r), 4);
}

static unsigned zombies_of(pid_t parent)
{
	auto_free char *path = str_fmt("/proc/%d/task/%d/children", parent, parent);
	auto_free char *pids = NULL;
	unsigned n = 0;

	assert_true(file_read_at(AT_FDCWD, path, 65536, &pids, NULL) >= 0);
	for (char *at = pids, *end; *at; at = end + (*end == ' ')) {
		pid_t pid = (pid_t)strtol(at, &end, 10);

		if (end == at)
			break;
		n += !process_lives(pid);
	}
	return n;
}

static void test_orphans_are_reaped(void **state)
{
	struct run r = SHELL(
		"i=0; while [ $i -lt 20 ]; do (sleep 0.05 &) ; i=$((i + 1)); done; echo started; sleep 600");
	char text[64];

	(void)state;
	expect(&r, "started\n", text, sizeof(text));
	usleep(500000);
	assert_int_equal(zombies_of(r.pid), 0);
	kill(r.pid, SIGTERM);
	assert_int_equal(wait_end(&r), 128 + SIGTERM);
}

/* The end of the program is the end, whatever else runs. */
static void test_others_do_not_hold_up(void **state)
{
	struct run r = SHELL("sleep 600 & exit 6");

	(void)state;
	assert_int_equal(wait_end(&r), 6);
}

/* On a console the program's group is the foreground one: it can read, and ^C is for it. */
static void test_console(void **state)
{
	const char *const args[] = {
		"--", "/bin/sh", "-c",
		"stty -echo; echo ready; read a; echo [$a]; trap 'echo intr; exit 9' INT; "
		"echo again; while :; do sleep 0.02; done",
		NULL
	};
	struct run r = start(true, args);
	char text[256];

	(void)state;
	expect(&r, "ready\r\n", text, sizeof(text));
	assert_int_equal(write(r.out, "typed\n", 6), 6);
	expect(&r, "again\r\n", text, sizeof(text));
	assert_non_null(strstr(text, "[typed]\r\n"));
	assert_int_equal(write(r.out, "\003", 1), 1);
	expect(&r, "intr\r\n", text, sizeof(text));
	assert_int_equal(wait_end(&r), 9);
}

/* As it is really started: from a sealed memfd. And what it costs. */
static void test_memory(void **state)
{
	auto_free char *bytes = NULL;
	char dir[3200], path[3300], *argv[] = { "arnia-init", "--", "/bin/sleep", "600", NULL };
	auto_free char *smaps = NULL;
	auto_free char *comm = NULL;
	long n, kib;
	int fd, status;
	pid_t pid;

	(void)state;
	built_dir(dir, sizeof(dir));
	snprintf(path, sizeof(path), "%s/bin/arnia-init", dir);
	n = file_read_at(AT_FDCWD, path, 1 << 20, &bytes, NULL);
	assert_true(n > 0);
	fd = fd_memfd_sealed("arnia-init", bytes, (size_t)n);
	pid = fork();
	if (pid == 0) {
		fexecve(fd, argv, (char *[]){ "A=1", NULL });
		_exit(91);
	}
	close(fd);
	usleep(300000);
	snprintf(path, sizeof(path), "/proc/%d/smaps_rollup", pid);
	assert_true(file_read_at(AT_FDCWD, path, 65536, &smaps, NULL) > 0);
	snprintf(path, sizeof(path), "/proc/%d/comm", pid);
	assert_true(file_read_at(AT_FDCWD, path, 64, &comm, NULL) > 0);
	assert_string_equal(comm, "arnia-init\n");
	kib = strtol(strstr(smaps, "Rss:") + 4, NULL, 10);
	print_message("# arnia-init: %ld KiB\n", kib);
	assert_in_range(kib, 1, 20);
	kill(pid, SIGTERM);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(WEXITSTATUS(status), 128 + SIGTERM);
}

/* What is told on the descriptor of -e: 0 when it just ends, else the error. */
static int told(const char *program, int want_status)
{
	struct init_report report = { 0 };
	int pair[2], spare;
	char number[16];
	ssize_t n;
	struct run r;

	assert_int_equal(pipe2(pair, O_CLOEXEC), 0);
	fd_cloexec(pair[1], false);
	snprintf(number, sizeof(number), "%d", pair[1]);
	r = START("-e", number, "--", program, "-c", "exec sleep 1000");
	close(pair[1]);
	wait_readable(pair[0]);
	n = read(pair[0], &report, sizeof(report));
	/* The end comes while the program still runs: it holds no copy. */
	if (n > 0) {
		assert_int_equal(n, sizeof(report));
		assert_true(report.magic == GUEST_MAGIC && report.type == GUEST_NO_EXEC);
		assert_int_equal(read(pair[0], &spare, 1), 0);
		assert_int_equal(read(r.out, &spare, 1), 0);
	} else {
		kill(r.pid, SIGKILL);
	}
	close(pair[0]);
	assert_int_equal(wait_end(&r), want_status);
	return n > 0 ? report.error : (int)n;
}

static void test_told(void **state)
{
	char text[256];
	struct run r;

	(void)state;
	assert_int_equal(told("/nonexistent/program", 127), -ENOENT);
	assert_int_equal(told("/etc/passwd", 126), -EACCES);
	assert_int_equal(told("/bin/sh", -1), 0);
	r = START("-e", "x", "--", "/bin/true");
	expect(&r, "\n", text, sizeof(text));
	assert_true(str_starts(text, "arnia-init: usage: "));
	assert_int_equal(wait_end(&r), 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_status),
		cmocka_unit_test(test_cannot_run),
		cmocka_unit_test(test_told),
		cmocka_unit_test(test_arguments),
		cmocka_unit_test(test_signals),
		cmocka_unit_test(test_group),
		cmocka_unit_test(test_orphans_are_reaped),
		cmocka_unit_test(test_others_do_not_hold_up),
		cmocka_unit_test(test_console),
		cmocka_unit_test(test_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
