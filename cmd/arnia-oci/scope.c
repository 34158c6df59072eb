/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The systemd cgroup driver: the bus is spoken by a program of its own, so that this one stays small and static. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include "cmd/arnia-oci/engine.h"
#include "cmd/arnia-oci/scope.h"
#include "lib/base/fd.h"
#include "lib/base/str.h"

#define OUTPUT_MAX 8192

int scope_program(struct arena *m, const char **ret, struct error *err)
{
	static const char installed[] = ARNIA_PREFIX "/libexec/arnia/arnia-oci-scope";
	char dir[4096];
	const char *name = geteuid() != 0 ? strrchr(program_invocation_name, '/') : NULL;

	if (proc_self_dir(dir, sizeof(dir)) == 0) {
		*ret = arena_fmt(m, "%s/arnia-oci-scope", dir);
		if (access(*ret, X_OK) == 0)
			return 0;
	}
	/* A plain user's copy in memory has the name of what it is a copy of (work_seal_self). */
	if (name) {
		*ret = arena_fmt(m, "%.*s/arnia-oci-scope", (int)(name - program_invocation_name), program_invocation_name);
		if (access(*ret, X_OK) == 0)
			return 0;
	}
	*ret = installed;
	if (access(installed, X_OK) == 0)
		return 0;
	return err_set_kind(err, -ENOENT, ERR_UNSUPPORTED, "the program arnia-oci-scope, which speaks to systemd, is not installed");
}

/* In the child. */
static void become(const char *program, const struct strv *argv, int out)
{
	char **v = mem_alloc_n(argv->n + 1, sizeof(*v));

	memcpy(v, argv->v, argv->n * sizeof(*v));
	if (dup2(out, STDOUT_FILENO) < 0 || dup2(out, STDERR_FILENO) < 0)
		_exit(126);
	execv(program, v);
	_exit(127);
}

int scope_exec(const struct strv *argv, char **ret_output, struct error *err)
{
	auto_fd int out = -1, far = -1, pidfd = -1;
	struct proc_clone clone = { .exit_signal = SIGCHLD, .cgroup_fd = -1, .ret_pidfd = &pidfd };
	char text[OUTPUT_MAX];
	int ends[2], status = 0;
	pid_t pid;
	long n;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return err_sys(err, -errno, "make a pipe");
	out = ends[0];
	far = ends[1];
	pid = proc_clone3(&clone);
	if (pid < 0)
		return err_sys(err, pid, "clone a process");
	if (pid == 0)
		become(argv->v[0], argv, far);
	fd_close(&far);
	n = fd_read_full(out, text, sizeof(text) - 1);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	text[n > 0 ? n : 0] = '\0';
	text[strcspn(text, "\n")] = '\0';
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		return err_set(err, -EIO, "systemd: %s", text[0] ? text : "arnia-oci-scope failed");
	if (ret_output)
		*ret_output = str_dup(text);
	return 0;
}

static int add_props(struct act *a, struct strv *argv, struct error *err)
{
	struct arena *m = &a->config.arena;
	struct strv props = { 0 };
	int r = oci_scope_props(&a->config.cgroup, m, &props, err);

	if (r == 0)
		r = oci_scope_annotations(a->config.annotations.v, a->config.annotations.n, m, &props, err);
	for (size_t i = 0; r == 0 && i < props.n; i++) {
		strv_push(m, argv, "--property");
		strv_push(m, argv, props.v[i]);
	}
	return r;
}

int scope_start(struct act *a, char **ret_path, struct error *err)
{
	struct arena *m = &a->config.arena;
	struct strv argv = { 0 };
	const char *program;
	int r = scope_program(m, &program, err);

	if (r < 0)
		return r;
	strv_push(m, &argv, program);
	strv_push(m, &argv, "start");
	strv_push(m, &argv, a->record.scope);
	strv_push(m, &argv, a->slice);
	strv_push(m, &argv, arena_fmt(m, "%d", a->init.pid));
	if (caller_is_plain(a->call))
		strv_push(m, &argv, "--user");
	r = add_props(a, &argv, err);
	return r < 0 ? r : scope_exec(&argv, ret_path, err);
}

int scope_run(const struct record *r, const char *act, const struct strv *args, struct error *err)
{
	struct arena m = { 0 };
	struct strv argv = { 0 };
	const char *program;
	int x = scope_program(&m, &program, err);

	if (x == 0) {
		strv_push(&m, &argv, program);
		strv_push(&m, &argv, act);
		strv_push(&m, &argv, r->scope);
		if (r->rootless)
			strv_push(&m, &argv, "--user");
		for (size_t i = 0; args && i < args->n; i++)
			strv_push(&m, &argv, args->v[i]);
		x = scope_exec(&argv, NULL, err);
	}
	arena_done(&m);
	return x;
}
