/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Lines of ps(1) that belong to a container: ps is a script of the test, the container's process is the test's own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include "cmd/arnia-oci/cmd.h"
#include "lib/base/fd.h"
#include "lib/base/path.h"
#include "lib/base/str.h"

static char base[64], root[80], own_path[4096];
static struct call call;
static struct error err;

static struct record make(const char *id, pid_t pid)
{
	struct record r = RECORD_NONE;
	char boot[37];

	assert_int_equal(store_create(root, id, &r, &err), 0);
	assert_int_equal(proc_boot_id(boot), 0);
	r.bundle = "/bundle";
	r.boot = arena_str(&r.arena, boot);
	r.created = "2026-11-30T00:00:00.5Z";
	r.owner = "root";
	r.pid = pid;
	if (pid)
		assert_int_equal(proc_start_time(r.pid, &r.start), 0);
	assert_int_equal(store_save(&r, &err), 0);
	return r;
}

static int set_up(void **state)
{
	struct record r;

	(void)state;
	snprintf(base, sizeof(base), "/tmp/arnia-ps.XXXXXX");
	assert_non_null(mkdtemp(base));
	snprintf(root, sizeof(root), "%s/root", base);
	snprintf(own_path, sizeof(own_path), "%s", getenv("PATH") ?: "/bin:/usr/bin");
	call = (struct call){ .g = { .root = root, .log_fd = -1 }, .id = "one" };
	r = make("one", getpid());
	record_done(&r);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	setenv("PATH", own_path, 1);
	arena_done(&call.arena);
	return path_rmtree_at(AT_FDCWD, base);
}

/* ps shows `text` in which @ stands for the container's pid, and ends with `status`. What cmd_ps returns; its output in *ret. */
static int show(const char *text, int status, char **ret)
{
	auto_free char *ps = str_fmt("%s/ps", base), *file = str_fmt("%s/text", base), *path = str_fmt("%s:%s", base, own_path);
	auto_free char *script = str_fmt("#!/bin/sh\necho \"$@\" > %s/args\ncat %s\nexit %d\n", base, file, status);
	auto_fd int out = memfd_create("stdout", MFD_CLOEXEC), own = dup(STDOUT_FILENO);
	FILE *f = fopen(file, "w"), *s = fopen(ps, "w");
	char buf[65536];
	ssize_t n;
	int code;

	for (const char *p = text; *p; p++)
		if (*p == '@')
			fprintf(f, "%d", getpid());
		else
			fputc(*p, f);
	fputs(script, s);
	fclose(f);
	fclose(s);
	chmod(ps, 0755);
	setenv("PATH", path, 1);
	err_clear(&err);
	fflush(stdout);
	dup2(out, STDOUT_FILENO);
	code = cmd_ps(&call, &err);
	fflush(stdout);
	dup2(own, STDOUT_FILENO);
	n = pread(out, buf, sizeof(buf), 0);
	*ret = str_dup_n(buf, n > 0 ? (size_t)n : 0);
	return code;
}

static char *with_pid(const char *text)
{
	struct strbuf b = { 0 };

	for (; *text; text++)
		if (*text == '@')
			strbuf_addf(&b, "%d", getpid());
		else
			strbuf_addc(&b, *text);
	return strbuf_steal(&b);
}

/* The title, and its own lines: by the number in the column PID, not by one that is alike or elsewhere. */
static void its_lines(void **state)
{
	static const struct {
		const char *ps, *shown;
	} cases[] = {
		{ "UID PID CMD\nroot @ sleep\n", "UID PID CMD\nroot @ sleep\n" },
		{ "UID PID CMD\nroot 1 init\nroot @ sleep\nroot @0 other\nroot 1@ other\n", "UID PID CMD\nroot @ sleep\n" },
		{ "PID CMD\n@ sleep\n1 @\n", "PID CMD\n@ sleep\n" },
		{ "    PID CMD\n   @ sleep\n     1 x\n", "    PID CMD\n   @ sleep\n" },
		{ "UID\tPID\tPPID\nroot\t@\t1\nroot\t2\t@\n", "UID\\x09PID\\x09PPID\nroot\\x09@\\x091\n" },
		{ "A B C PID\na b c @\na b @ c\n", "A B C PID\na b c @\n" },
		{ "PPID PID\n@ 1\n1 @\n", "PPID PID\n1 @\n" },
		{ "PID\n@", "PID\n@\n" },
		{ "PID\n\n\n@\n\n", "PID\n@\n" },
		{ "PID\n", "PID\n" },
		{ "UID PID CMD\nroot\n@\nroot @ x\n", "UID PID CMD\nroot @ x\n" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		auto_free char *shown = NULL, *want = with_pid(cases[i].shown);

		assert_int_equal(show(cases[i].ps, 0, &shown), 0);
		if (strcmp(shown, want) != 0)
			fail_msg("case %zu shows \"%s\"", i, shown);
	}
}

/* A command's name drives no terminal. */
static void names_are_escaped(void **state)
{
	auto_free char *shown = NULL;

	(void)state;
	assert_int_equal(show("PID CMD\n@ \033[2J\r\a\n", 0, &shown), 0);
	assert_null(strpbrk(shown, "\033\r\a"));
	assert_non_null(strstr(shown, "[2J"));
}

static void what_ps_cannot(void **state)
{
	static const struct {
		const char *ps;
		int status, code;
		const char *says;
	} cases[] = {
		{ "UID CMD\nroot x\n", 0, -EBADMSG, "ps: no column PID in what it shows" },
		{ "pid\n@\n", 0, -EBADMSG, "ps: no column PID in what it shows" },
		{ "PIDS XPID\n@ @\n", 0, -EBADMSG, "ps: no column PID in what it shows" },
		{ "", 0, -EBADMSG, "ps: no column PID in what it shows" },
		{ "PID\n@\n", 1, -EIO, "ps: exit status 1" },
		{ "", 255, -EIO, "ps: exit status 255" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		auto_free char *shown = NULL;

		assert_int_equal(show(cases[i].ps, cases[i].status, &shown), cases[i].code);
		assert_string_equal(err.text, cases[i].says);
		assert_string_equal(shown, "");
	}
}

static void no_ps(void **state)
{
	(void)state;
	setenv("PATH", "/nonexistent", 1);
	assert_int_equal(cmd_ps(&call, &err), -ENOENT);
	assert_string_equal(err.text, "ps: No such file or directory");
}

static void its_arguments(void **state)
{
	static const struct {
		const char *words[4], *line;
	} cases[] = { { { NULL }, "-ef\n" }, { { "aux", NULL }, "aux\n" }, { { "-o", "pid,args", "-A", NULL }, "-o pid,args -A\n" } };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		auto_free char *shown = NULL, *file = str_fmt("%s/args", base);
		char got[64] = "";
		FILE *f;

		call.args = (struct strv){ 0 };
		for (size_t k = 0; cases[i].words[k]; k++)
			strv_push(&call.arena, &call.args, cases[i].words[k]);
		assert_int_equal(show("PID\n", 0, &shown), 0);
		f = fopen(file, "r");
		assert_non_null(f);
		assert_non_null(fgets(got, sizeof(got), f));
		fclose(f);
		assert_string_equal(got, cases[i].line);
	}
}

static void as_json(void **state)
{
	static const struct opt format = { "format", 'f', OPT_VALUE, "table|json", "" };
	auto_free char *shown = NULL, *want = with_pid("[@]"), *none = NULL, *bad = NULL;
	struct record r = make("over", 0);

	(void)state;
	record_done(&r);
	*arena_push(&call.arena, &call.values) = (struct opt_value){ &format, "json" };
	assert_int_equal(show("", 1, &shown), 0); /* ps is not asked */
	assert_int_equal(strncmp(shown, want, strlen(want)), 0);
	call.id = "over";
	assert_int_equal(show("", 1, &none), 0);
	assert_int_equal(strncmp(none, "null", 4), 0);
	*arena_push(&call.arena, &call.values) = (struct opt_value){ &format, "xml" };
	assert_int_equal(show("", 1, &bad), -EINVAL);
	assert_string_equal(err.text, "invalid format option");
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(its_lines),
		CASE(names_are_escaped),
		CASE(what_ps_cannot),
		CASE(no_ps),
		CASE(its_arguments),
		CASE(as_json),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
