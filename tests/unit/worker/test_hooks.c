/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "lib/base/fd.h"
#include "lib/base/file.h"
#include "lib/base/path.h"
#include "lib/base/str.h"
#include "lib/base/time.h"
#include "lib/worker/hooks.h"

static char dir[64];
static struct arena arena;

static int set_up(void **state)
{
	(void)state;
	snprintf(dir, sizeof(dir), "/tmp/arnia-hooks-XXXXXX");
	return mkdtemp(dir) ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	arena_done(&arena);
	return path_rmtree_at(AT_FDCWD, dir);
}

static const char *at(const char *name)
{
	return arena_fmt(&arena, "%s/%s", dir, name);
}

/* A shell that runs `script` in the test's folder, without an environment. */
static struct hook_item shell(const char *script)
{
	struct hook_item h = { .path = "/bin/sh" };

	strv_push(&arena, &h.args, "sh");
	strv_push(&arena, &h.args, "-c");
	strv_push(&arena, &h.args, arena_fmt(&arena, "cd %s; %s", dir, script));
	return h;
}

static void assert_file(const char *name, const char *text)
{
	auto_free char *got = NULL;
	struct error err = { 0 };

	if (file_read_at(AT_FDCWD, at(name), 65536, &got, &err) < 0)
		fail_msg("%s", err.text);
	assert_string_equal(got, text);
}

static void the_pid_takes_its_place(void **state)
{
	static const struct {
		const char *state, *text;
	} cases[] = {
		{ "{\"pid\":\001,\"status\":\"created\"}", "{\"pid\":4711,\"status\":\"created\"}" },
		{ "\001", "4711" },
		{ "{\"pid\":0}", "{\"pid\":0}" },
		{ "", "" },
		{ "\001\001", "4711\001" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		auto_free char *text = hook_state_text(cases[i].state, 4711);

		assert_string_equal(text, cases[i].text);
	}
}

/* What it gets: the state, its words, its environment, and nothing of ours. */
static void what_a_hook_gets(void **state)
{
	struct hook_item h = shell("cat > state; echo \"$0 $1 $# $A ${PATH:-none} ${OURS:-none}\" > words; ls -l /proc/self/fd > fds");
	auto_fd int leak = open("/", O_RDONLY | O_DIRECTORY);
	auto_free char *fds = NULL;
	struct error err = { 0 };

	(void)state;
	assert_true(leak > 2);
	setenv("OURS", "1", 1);
	strv_push(&arena, &h.args, "zero");
	strv_push(&arena, &h.args, "one two");
	strv_push(&arena, &h.env, "A=b c");
	strv_push(&arena, &h.env, "PATH=/bin:/usr/bin");
	assert_int_equal(hook_run(&h, "{\"id\":\"box\"}", &err), 0);
	assert_file("state", "{\"id\":\"box\"}");
	assert_file("words", "zero one two 1 b c /bin:/usr/bin none\n");
	assert_true(file_read_at(AT_FDCWD, at("fds"), 65536, &fds, NULL) > 0);
	assert_non_null(strstr(fds, " 0 -> "));
	assert_null(strstr(fds, " -> /\n"));
	unsetenv("OURS");
}

static void no_environment_and_no_arguments(void **state)
{
	struct hook_item h = { .path = at("hook") };
	struct error err = { 0 };
	auto_free char *text = str_fmt("#!/bin/sh\nread line < /proc/$$/environ\necho \"$0 $# [$line]\" > %s/seen\n", dir);

	(void)state;
	assert_int_equal(file_write_atomic_at(AT_FDCWD, h.path, text, strlen(text), 0755, false, &err), 0);
	assert_int_equal(hook_run(&h, "", &err), 0);
	assert_file("seen", arena_fmt(&arena, "%s 0 []\n", h.path));
}

/* A state that it does not read does not stop it, however long. */
static void input_that_nobody_reads(void **state)
{
	struct hook_item h = shell("exec true");
	auto_free char *long_state = malloc(300001);
	struct error err = { 0 };

	(void)state;
	memset(long_state, 'x', 300000);
	long_state[300000] = '\0';
	assert_int_equal(hook_run(&h, long_state, &err), 0);
	arena_done(&arena);
	h = shell("exec wc -c > size");
	strv_push(&arena, &h.env, "PATH=/bin:/usr/bin");
	assert_int_equal(hook_run(&h, long_state, &err), 0);
	assert_file("size", "300000\n");
}

static void how_a_failure_is_told(void **state)
{
	static const struct {
		const char *script, *says;
	} cases[] = {
		{ "exit 7", "hook /bin/sh: exit status 7" },
		{ "echo first; echo last; exit 1", "hook /bin/sh: exit status 1: last" },
		{ "echo out; echo error >&2; exit 1", "hook /bin/sh: exit status 1: error" },
		{ "printf 'no newline'; exit 1", "hook /bin/sh: exit status 1: no newline" },
		{ "printf 'word \\n \\n\\n'; exit 1", "hook /bin/sh: exit status 1: word" },
		{ "printf '\\n\\n'; exit 1", "hook /bin/sh: exit status 1" },
		{ "kill -TERM $$", "hook /bin/sh: killed by signal 15" },
		{ "echo why; kill -KILL $$", "hook /bin/sh: killed by signal 9: why" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct hook_item h = shell(cases[i].script);
		struct error err = { 0 };

		assert_int_equal(hook_run(&h, "", &err), -ECANCELED);
		assert_string_equal(err.text, cases[i].says);
	}
}

/* Control bytes drive no terminal, and the text is bounded; a flood of output neither stops it nor is kept. */
static void words_that_are_hostile(void **state)
{
	struct hook_item h = shell("printf 'a\\033[31mb'; exit 1");
	struct error err = { 0 };

	(void)state;
	assert_int_equal(hook_run(&h, "", &err), -ECANCELED);
	assert_string_equal(err.text, "hook /bin/sh: exit status 1: a\\x1b[31mb");
	h = shell("i=0; while [ $i -lt 400 ]; do printf '%01000d' 7; i=$((i + 1)); done; exit 9");
	assert_int_equal(hook_run(&h, "", &err), -ECANCELED);
	assert_non_null(strstr(err.text, "exit status 9: 000"));
	assert_true(strlen(err.text) < 300);
}

static void what_cannot_be_executed(void **state)
{
	const char *const paths[] = { "/nonexistent", "/", at("plain") };

	(void)state;
	assert_int_equal(file_write_atomic_at(AT_FDCWD, at("plain"), "x", 1, 0644, false, NULL), 0);
	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		struct hook_item h = { .path = paths[i] };
		struct error err = { 0 };
		auto_free char *says = str_fmt("hook %s: exit status 126: cannot be executed", paths[i]);

		assert_int_equal(hook_run(&h, "", &err), -ECANCELED);
		assert_string_equal(err.text, says);
	}
}

static bool lives(const char *name)
{
	auto_free char *text = NULL, *path = NULL, *stat = NULL;
	const char *end;

	assert_true(file_read_at(AT_FDCWD, at(name), 64, &text, NULL) > 0);
	path = str_fmt("/proc/%d/stat", atoi(text));
	if (file_read_at(AT_FDCWD, path, 4096, &stat, NULL) < 0)
		return false;
	end = strrchr(stat, ')');
	return end && end[2] != 'Z' && end[2] != 'X';
}

/* Killed, but perhaps not yet gone. */
static void assert_ends(const char *name)
{
	for (int i = 0; i < 500 && lives(name); i++)
		usleep(10000);
	assert_false(lives(name));
}

static void over_its_time_the_whole_group_ends(void **state)
{
	struct hook_item h = shell("trap '' TERM; (trap '' TERM HUP; sleep 1000 & echo $! > grandchild; sleep 1000) & echo $! > child; sleep 1000");
	struct error err = { 0 };

	(void)state;
	strv_push(&arena, &h.env, "PATH=/bin:/usr/bin");
	h.timeout_ms = 1000;
	assert_int_equal(hook_run(&h, "", &err), -ETIMEDOUT);
	assert_string_equal(err.text, "hook /bin/sh: not done within 1 s");
	assert_ends("child");
	assert_ends("grandchild");
}

/* One that is done is done, whoever holds its output; and it is not killed for the time of others. */
static void a_daemon_that_it_starts(void **state)
{
	struct hook_item h = shell("sleep 1000 & echo $! > daemon");
	uint64_t begun = time_mono_ms();
	auto_free char *pid = NULL;
	struct error err = { 0 };

	(void)state;
	strv_push(&arena, &h.env, "PATH=/bin:/usr/bin");
	h.timeout_ms = 600000;
	assert_int_equal(hook_run(&h, "", &err), 0);
	assert_true(time_mono_ms() - begun < 600000);
	assert_true(lives("daemon"));
	assert_true(file_read_at(AT_FDCWD, at("daemon"), 64, &pid, NULL) > 0);
	kill(atoi(pid), SIGKILL);
}

/* One that closes its output first is waited for. */
static void no_output_any_more(void **state)
{
	struct hook_item h = shell("exec > /dev/null 2>&1; sleep 0.2; echo done > mark; exit 5");
	struct error err = { 0 };

	(void)state;
	strv_push(&arena, &h.env, "PATH=/bin:/usr/bin");
	assert_int_equal(hook_run(&h, "", &err), -ECANCELED);
	assert_string_equal(err.text, "hook /bin/sh: exit status 5");
	assert_file("mark", "done\n");
}

static void all_of_a_kind(void **state)
{
	struct hook_item v[] = { shell("echo 0 >> order"), shell("echo 1 >> order; exit 3"), shell("echo 2 >> order") };
	struct error err = { 0 };

	(void)state;
	assert_int_equal(hooks_run_all(v, 0, "poststop", "", &err), 0);
	assert_int_equal(hooks_run_all(v, 3, "createRuntime", "", &err), -ECANCELED);
	assert_string_equal(err.text, "createRuntime hook #1: hook /bin/sh: exit status 3");
	assert_file("order", "0\n1\n");
}

static void nothing_stays_open(void **state)
{
	struct hook_item good = shell("true"), bad = { .path = "/nonexistent" };
	int before = dup(0), after;

	(void)state;
	close(before);
	hook_run(&good, "", NULL);
	hook_run(&bad, "", NULL);
	after = dup(0);
	close(after);
	assert_int_equal(after, before);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(the_pid_takes_its_place),
		CASE(what_a_hook_gets),
		CASE(no_environment_and_no_arguments),
		CASE(input_that_nobody_reads),
		CASE(how_a_failure_is_told),
		CASE(words_that_are_hostile),
		CASE(what_cannot_be_executed),
		CASE(over_its_time_the_whole_group_ends),
		CASE(a_daemon_that_it_starts),
		CASE(no_output_any_more),
		CASE(all_of_a_kind),
		CASE(nothing_stays_open),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
