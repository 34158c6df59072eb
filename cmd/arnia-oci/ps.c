/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include "cmd/arnia-oci/cmd.h"
#include "lib/base/fd.h"
#include "lib/base/json.h"
#include "lib/base/str.h"

#define OUTPUT_MAX (64u << 20)

extern char **environ;

static int print_pids(const pid_t *pids, long n, struct error *err)
{
	/* "null" when there is none, as runc's. */
	auto_json json *j = n > 0 ? json_new_arr() : NULL;

	for (long i = 0; i < n; i++)
		json_push(j, json_new_i64(pids[i]));
	return print_json(j, false, err);
}

/* ---- ps(1) ---- */

static char **ps_argv(struct call *c)
{
	size_t n = c->args.n;
	char **argv = arena_alloc_n(&c->arena, n + 3, sizeof(*argv)), **at = argv;

	*at++ = (char *)"ps";
	if (!n)
		*at++ = (char *)"-ef";
	for (size_t i = 0; i < n; i++)
		*at++ = (char *)c->args.v[i];
	return argv;
}

static int read_all(int fd, struct strbuf *out)
{
	char buf[16384];
	ssize_t n;

	while ((n = read(fd, buf, sizeof(buf))) != 0) {
		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0)
			strbuf_add_n(out, buf, (size_t)n);
		if (out->len > OUTPUT_MAX)
			return -EFBIG;
	}
	return 0;
}

static int spawn_ps(char **argv, int out, pid_t *ret)
{
	posix_spawn_file_actions_t acts;
	int code = posix_spawn_file_actions_init(&acts);

	if (code == 0)
		code = posix_spawn_file_actions_adddup2(&acts, out, STDOUT_FILENO);
	if (code == 0)
		code = posix_spawnp(ret, argv[0], &acts, NULL, argv, environ);
	posix_spawn_file_actions_destroy(&acts);
	return -code;
}

static int run_ps(char **argv, struct strbuf *out, struct error *err)
{
	int fds[2], status = 0, code;
	pid_t pid = 0;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return err_sys(err, -errno, "pipe");
	code = spawn_ps(argv, fds[1], &pid);
	fd_close(&fds[1]);
	if (code == 0)
		code = read_all(fds[0], out);
	fd_close(&fds[0]);
	while (pid && waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (code < 0)
		return err_sys(err, code, "ps");
	if (!WIFEXITED(status) || WEXITSTATUS(status))
		return err_set(err, -EIO, "ps: exit status %d", WIFEXITED(status) ? WEXITSTATUS(status) : 1);
	return 0;
}

/* Which word of the first line is PID. */
static int pid_column(char *title, unsigned *ret)
{
	char *rest = title, *word;

	for (unsigned i = 0; (word = strsep(&rest, " \t"));) {
		if (str_eq(word, "PID")) {
			*ret = i;
			return 0;
		}
		i += *word != '\0';
	}
	return -ENOENT;
}

static long pid_in(const char *line, unsigned column)
{
	for (; column; column--) {
		line += strspn(line, " \t");
		line += strcspn(line, " \t");
	}
	return strtol(line, NULL, 10);
}

static bool is_one(const pid_t *pids, long n, long pid)
{
	for (long i = 0; i < n; i++)
		if (pids[i] == pid)
			return true;
	return false;
}

/* Commands are named by who runs in the container, so that what they hold cannot drive a terminal. */
static void print_line(const char *line)
{
	struct strbuf b = { 0 };

	strbuf_add_escaped(&b, line, strlen(line));
	puts(strbuf_cstr(&b));
	strbuf_done(&b);
}

static int print_table(struct call *c, const pid_t *pids, long n, struct error *err)
{
	struct strbuf out = { 0 };
	unsigned column = 0;
	int code = run_ps(ps_argv(c), &out, err);
	char *rest = (char *)strbuf_cstr(&out), *line = strsep(&rest, "\n");
	auto_free char *title = str_dup(line);

	if (code == 0 && pid_column(title, &column) < 0)
		code = err_set(err, -EBADMSG, "ps: no column PID in what it shows");
	if (code == 0)
		print_line(line);
	while (code == 0 && (line = strsep(&rest, "\n")))
		if (*line && is_one(pids, n, pid_in(line, column)))
			print_line(line);
	strbuf_done(&out);
	if (code == 0 && fflush(stdout))
		code = err_sys(err, -errno, "write the output");
	return code;
}

int cmd_ps(struct call *c, struct error *err)
{
	const char *format = opt_get(c, "format") ?: "table";
	struct record r = RECORD_NONE;
	struct pidref init = PIDREF_NONE;
	auto_free pid_t *pids = NULL;
	enum oci_status status = OCI_STOPPED;
	int code;
	long n = 0;

	if (!str_eq(format, "table") && !str_eq(format, "json"))
		return err_set_kind(err, -EINVAL, ERR_USAGE, "invalid format option");
	code = store_load(c->g.root, c->id, false, &r, err);
	if (code == 0)
		code = record_status(&r, &status, &init, err);
	/* As runc: one that is over has no processes. */
	if (code == 0 && init.fd >= 0)
		code = (int)MIN(n = record_pids(&r, &init, &pids, err), 0L);
	if (code == 0)
		code = str_eq(format, "json") ? print_pids(pids, n, err) : print_table(c, pids, n, err);
	pidref_done(&init);
	record_done(&r);
	return code;
}
