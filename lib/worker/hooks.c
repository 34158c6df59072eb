/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include "lib/base/fd.h"
#include "lib/base/proc.h"
#include "lib/base/str.h"
#include "lib/base/time.h"
#include "lib/worker/hooks.h"

#define WORDS_MAX 4096 /* of its output, the rest is read and forgotten */

char *hook_state_text(const char *state, pid_t pid)
{
	const char *mark = strchr(state, HOOK_PID_MARK);

	return mark ? str_fmt("%.*s%d%s", (int)(mark - state), state, pid, mark + 1) : str_dup(state);
}

static char **as_vector(const struct strv *v, const char *only)
{
	char **out = mem_alloc_n(v->n + 2, sizeof(*out));

	if (v->n)
		memcpy(out, v->v, v->n * sizeof(*out));
	else if (only)
		out[0] = (char *)only;
	return out;
}

struct hook_vectors {
	char **argv, **env;
};
static void vectors_done(struct hook_vectors *v)
{
	free(v->argv);
	free(v->env);
}

/* In the new process: system calls only. */
static void become(const struct hook_item *h, const struct hook_vectors *v, int in, int out)
{
	static const char text[] = "cannot be executed\n";
	sigset_t none;

	/* Who runs it may hold some back. */
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	setpgid(0, 0);
	if (dup2(in, STDIN_FILENO) < 0 || dup2(out, STDOUT_FILENO) < 0 || dup2(out, STDERR_FILENO) < 0 ||
	    close_range(3, ~0U, CLOSE_RANGE_CLOEXEC) < 0)
		_exit(126);
	execve(h->path, v->argv, v->env);
	if (write(STDERR_FILENO, text, sizeof(text) - 1) < 0)
		_exit(127);
	_exit(126);
}

struct words {
	char text[WORDS_MAX];
	size_t n;
};

/* False at the end of its output. */
static bool listen_to(int fd, struct words *w)
{
	char more[WORDS_MAX];
	ssize_t n = read(fd, more, sizeof(more));
	size_t keep;

	if (n <= 0)
		return n < 0 && errno == EINTR;
	keep = MIN((size_t)n, sizeof(w->text) - w->n);
	memcpy(w->text + w->n, more, keep);
	w->n += keep;
	return true;
}

/* Until the process ends: what inherited its output may hold it open for ever. */
static int wait_for(int pidfd, int *out, uint64_t timeout_ms, struct words *w)
{
	uint64_t end = timeout_ms ? time_mono_ms() + timeout_ms : 0;

	for (;;) {
		struct pollfd p[2] = { { .fd = pidfd, .events = POLLIN }, { .fd = *out, .events = POLLIN } };
		uint64_t now = end ? time_mono_ms() : 0;
		int r = end && now >= end ? 0 : poll(p, 2, end ? (int)MIN(end - now, 60000u) : -1);

		if (r < 0 && errno != EINTR)
			return -errno;
		if (r == 0 && time_mono_ms() >= end)
			return -ETIMEDOUT;
		if (r > 0 && p[1].revents && !listen_to(*out, w))
			fd_close(out);
		else if (r > 0 && p[0].revents && !(p[1].revents & POLLIN))
			return 0;
	}
}

static void last_line(struct words *w, struct strbuf *ret)
{
	const char *at;

	while (w->n && (w->text[w->n - 1] == '\n' || w->text[w->n - 1] == ' '))
		w->n--;
	at = w->n ? memrchr(w->text, '\n', w->n) : NULL;
	at = at ? at + 1 : w->text;
	strbuf_add_escaped(ret, at, MIN((size_t)(w->text + w->n - at), 200u));
}

static int judge(const struct hook_item *h, const siginfo_t *si, struct words *w, struct error *err)
{
	cleanup(strbuf_done) struct strbuf line = { 0 };

	if (si->si_code == CLD_EXITED && si->si_status == 0)
		return 0;
	last_line(w, &line);
	return err_set(err, -ECANCELED, "hook %s: %s %d%s%s", h->path,
		       si->si_code == CLD_EXITED ? "exit status" : "killed by signal", si->si_status,
		       line.len ? ": " : "", strbuf_cstr(&line));
}

static int end_of(pid_t pid, int pidfd, int waited, const struct hook_item *h, struct words *w, struct error *err)
{
	siginfo_t si = { 0 };

	/* Its group too: what it started is over with it. */
	if (waited < 0)
		kill(-pid, SIGKILL);
	while (waitid(P_PIDFD, (id_t)pidfd, &si, WEXITED) < 0)
		if (errno != EINTR)
			return err_sys(err, -errno, "hook %s: wait", h->path);
	if (waited == -ETIMEDOUT)
		return err_set(err, waited, "hook %s: not done within %llu s", h->path,
			       (unsigned long long)(h->timeout_ms / 1000));
	return waited < 0 ? err_sys(err, waited, "hook %s: wait", h->path) : judge(h, &si, w, err);
}

int hook_run(const struct hook_item *h, const char *state, struct error *err)
{
	cleanup(vectors_done) struct hook_vectors v = { as_vector(&h->args, h->path), as_vector(&h->env, NULL) };
	auto_fd int in = fd_memfd_sealed("arnia-state", state, strlen(state)), pidfd = -1, out = -1, far = -1;
	struct proc_clone clone = { .exit_signal = SIGCHLD, .cgroup_fd = -1, .ret_pidfd = &pidfd };
	struct words words = { .n = 0 };
	int ends[2];
	pid_t pid;

	if (in < 0)
		return err_sys(err, in, "hook %s: its input", h->path);
	if (pipe2(ends, O_CLOEXEC) < 0)
		return err_sys(err, -errno, "hook %s: its output", h->path);
	out = ends[0];
	far = ends[1];
	pid = proc_clone3(&clone);
	if (pid < 0)
		return err_sys(err, pid, "hook %s: clone a process", h->path);
	if (pid == 0)
		become(h, &v, in, far);
	fd_close(&far);
	setpgid(pid, pid);
	return end_of(pid, pidfd, wait_for(pidfd, &out, h->timeout_ms, &words), h, &words, err);
}

int hooks_run_all(const struct hook_item *v, size_t n, const char *what, const char *state, struct error *err)
{
	for (size_t i = 0; i < n; i++) {
		int r = hook_run(&v[i], state, err);

		if (r < 0)
			return err_prefix(err, "%s hook #%zu", what, i), r;
	}
	return 0;
}
