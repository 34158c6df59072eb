/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "lib/base/fd.h"
#include "lib/base/str.h"
#include "rootfs/template_internal.h"

static const char *const env[] = { "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "MARK=set", NULL };

static void collect(void *arg, const char *line)
{
	strbuf_addf(arg, "<%s>", line);
}

static int shell(const char *script, struct strbuf *out, struct error *err)
{
	const char *const argv[] = { "/bin/sh", "-c", script, NULL };

	if (geteuid() != 0)
		skip();
	return run_program(&(struct run){ argv, env, out ? collect : NULL, out }, err);
}

static void test_lines(void **state)
{
	struct strbuf out = { 0 };
	struct error err = { 0 };

	(void)state;
	assert_int_equal(shell("echo one; echo two >&2; printf 'a\\rb\\n\\n  \\nlast'", &out, &err), 0);
	assert_string_equal(strbuf_cstr(&out), "<one><two><a><b><last>");
	strbuf_done(&out);
}

static void test_bytes_are_tamed(void **state)
{
	struct strbuf out = { 0 };

	(void)state;
	assert_int_equal(
		shell("printf '\\033[2J\\001x\\n'; head -c 100000 /dev/zero | tr '\\0' y", &out, NULL), 0);
	assert_null(strchr(strbuf_cstr(&out), 0x1b));
	assert_null(strchr(strbuf_cstr(&out), 1));
	assert_int_equal(strlen(strstr(strbuf_cstr(&out), "<yyy")), 502);
	strbuf_done(&out);
}

static void test_surroundings(void **state)
{
	struct strbuf out = { 0 };
	struct error err = { 0 };

	(void)state;
	setenv("SECRET", "of the caller", 1);
	assert_int_equal(shell("echo $MARK$SECRET; pwd; cat; [ -d /proc/$$ ] && echo proc; umask; "
			       "for n in 0 1 2 3 4 5 6 7 8 9; do [ -e /proc/$$/fd/$n ] && echo $n; done; :",
			       &out, &err),
			 0);
	/* No descriptor but the usual three. */
	assert_string_equal(strbuf_cstr(&out), "<set></><proc><0022><0><1><2>");
	strbuf_done(&out);
}

static void test_failure(void **state)
{
	struct error err = { 0 };

	(void)state;
	assert_int_equal(shell("for i in 1 2 3 4 5 6; do echo line $i; done; exit 3", NULL, &err), -ECHILD);
	assert_string_equal(err.text, "sh: exit status 3: line 3; line 4; line 5; line 6");
	err_clear(&err);
	assert_int_equal(shell("echo before; kill -9 $$", NULL, &err), -ECHILD);
	assert_string_equal(err.text, "sh: exit status 137: before");
}

static void test_no_program(void **state)
{
	const char *const argv[] = { "/nonexistent/program", NULL };
	struct error err = { 0 };

	(void)state;
	if (geteuid() != 0)
		skip();
	assert_int_equal(run_program(&(struct run){ argv, env, NULL, NULL }, &err), -ENOEXEC);
	assert_non_null(strstr(err.text, "No such file"));
}

/* What the program leaves running ends with it. */
static void test_background_ends(void **state)
{
	char path[] = "/tmp/arnia-run.XXXXXX";
	auto_free char *script = NULL, *fifo = NULL;
	auto_fd int fd = -1;
	struct pollfd p;

	(void)state;
	if (geteuid() != 0)
		skip();
	assert_non_null(mkdtemp(path));
	fifo = str_fmt("%s/fifo", path);
	assert_int_equal(mkfifo(fifo, 0600), 0);
	fd = open(fifo, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	script = str_fmt("sleep 1000 >%s </dev/null 2>&1 & exec 3>%s; echo x >&3; exit 0", fifo, fifo);
	assert_int_equal(shell(script, NULL, NULL), 0);
	p = (struct pollfd){ fd, POLLIN, 0 };
	assert_int_equal(poll(&p, 1, 10000), 1);
	assert_true(p.revents & POLLHUP);
	unlink(fifo);
	rmdir(path);
}

static void tell(void *arg, const char *line)
{
	(void)line;
	fd_write_all(*(int *)arg, "s", 1);
}

/* Killed while it runs: nothing is left of the program, which never hears of it. */
static void test_caller_is_killed(void **state)
{
	char path[] = "/tmp/arnia-run.XXXXXX", byte;
	auto_free char *script = NULL, *fifo = NULL;
	auto_fd int fd = -1;
	int started[2];
	struct pollfd p;
	pid_t pid;

	(void)state;
	if (geteuid() != 0)
		skip();
	assert_non_null(mkdtemp(path));
	fifo = str_fmt("%s/fifo", path);
	assert_int_equal(mkfifo(fifo, 0600), 0);
	fd = open(fifo, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	assert_int_equal(pipe2(started, O_CLOEXEC), 0);
	script = str_fmt("trap '' TERM HUP INT; exec 3>%s; (setsid sleep 1000 &); echo started; sleep 1000",
			 fifo);
	pid = fork();
	if (pid == 0) {
		const char *const argv[] = { "/bin/sh", "-c", script, NULL };

		run_program(&(struct run){ argv, env, tell, &started[1] }, NULL);
		_exit(0);
	}
	close(started[1]);
	assert_int_equal(read(started[0], &byte, 1), 1);
	p = (struct pollfd){ fd, POLLIN, 0 };
	assert_int_equal(poll(&p, 1, 0), 0);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	assert_int_equal(poll(&p, 1, 10000), 1);
	assert_true(p.revents & POLLHUP);
	close(started[0]);
	unlink(fifo);
	rmdir(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_bytes_are_tamed),
		cmocka_unit_test(test_surroundings),
		cmocka_unit_test(test_failure),
		cmocka_unit_test(test_no_program),
		cmocka_unit_test(test_background_ends),
		cmocka_unit_test(test_caller_is_killed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
