/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "lib/base/fd.h"
#include "lib/base/proc.h"
#include "lib/base/str.h"
#include "rootfs/template_internal.h"

#define LINE_MAX_BYTES 500
#define TAIL 4 /* lines kept for the error */

struct pipes {
	int go[2]; /* to the child: its parent still lives when it can no longer die unseen */
	int out[2];
};

static void pipes_close(struct pipes *p)
{
	for (int i = 0; i < 2; i++) {
		fd_close(&p->go[i]);
		fd_close(&p->out[i]);
	}
}

/* ---- child ---- */

static void reset_signals(void)
{
	struct sigaction dfl = { .sa_handler = SIG_DFL };
	sigset_t none;

	for (int sig = 1; sig < NSIG; sig++)
		sigaction(sig, &dfl, NULL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

static int take_stdio(int out)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	return null < 0 || dup2(null, 0) < 0 || dup2(out, 1) < 0 || dup2(out, 2) < 0 ? -errno : 0;
}

static _Noreturn void complain(const char *what)
{
	dprintf(2, "%s: %s\n", what, strerror(errno));
	_exit(127);
}

/* PID 1 of the namespace: reaps, and takes everything with it when the program is done or this process is
 * killed. */
static _Noreturn void child_main(const struct run *r, const struct pipes *p)
{
	pid_t pid, ended;
	char byte;
	int status;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	/* Killed before that line: the read end of nobody's pipe. */
	if (read(p->go[0], &byte, 1) != 1 || take_stdio(p->out[1]) < 0)
		_exit(127);
	reset_signals();
	umask(022);
	if (setsid() < 0 || chdir("/") < 0)
		complain("new session");
	if (mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0 ||
	    mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) < 0)
		complain("mount /proc");
	pid = fork();
	if (pid < 0)
		complain("fork");
	if (pid == 0) {
		execve(r->argv[0], (char *const *)r->argv, (char *const *)r->env);
		complain(r->argv[0]);
	}
	while ((ended = wait(&status)) != pid)
		if (ended < 0 && errno != EINTR)
			_exit(127);
	_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
}

/* ---- parent ---- */

struct reader {
	const struct run *r;
	char line[LINE_MAX_BYTES + 1];
	size_t len;
	struct strbuf tail[TAIL]; /* ring, next is the oldest */
	size_t next;
};

static void reader_done(struct reader *rd)
{
	for (size_t i = 0; i < TAIL; i++)
		strbuf_done(&rd->tail[i]);
}

static void end_line(struct reader *rd)
{
	struct strbuf *t = &rd->tail[rd->next];
	size_t n = rd->len;

	rd->len = 0;
	while (n && (rd->line[n - 1] == ' ' || rd->line[n - 1] == '\t'))
		n--;
	if (n == 0)
		return;
	t->len = 0;
	strbuf_add_escaped(t, rd->line, n);
	rd->next = (rd->next + 1) % TAIL;
	if (rd->r->line)
		rd->r->line(rd->r->arg, strbuf_cstr(t));
}

static void feed(struct reader *rd, const char *p, size_t n)
{
	for (; n; p++, n--) {
		/* A carriage return redraws a line. */
		if (*p == '\n' || *p == '\r')
			end_line(rd);
		else if (rd->len < LINE_MAX_BYTES)
			rd->line[rd->len++] = *p;
	}
}

static int read_output(struct reader *rd, int fd)
{
	char buf[4096];
	ssize_t n;

	for (;;) {
		n = read(fd, buf, sizeof(buf));
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		feed(rd, buf, (size_t)n);
	}
	end_line(rd);
	return n < 0 ? -errno : 0;
}

static int report(const struct reader *rd, int status, struct error *err)
{
	const char *name = strrchr(rd->r->argv[0], '/') + 1;
	struct strbuf text = { 0 };
	int r;

	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	for (size_t i = 0; i < TAIL; i++) {
		const struct strbuf *t = &rd->tail[(rd->next + i) % TAIL];

		if (t->len)
			strbuf_addf(&text, "%s%.*s", text.len ? "; " : "", (int)MIN(t->len, (size_t)140),
				    t->s);
	}
	if (WIFSIGNALED(status))
		r = err_set(err, -ECHILD, "%s: killed by signal %d: %s", name, WTERMSIG(status),
			    strbuf_cstr(&text));
	else
		r = err_set(err, WEXITSTATUS(status) == 127 ? -ENOEXEC : -ECHILD, "%s: exit status %d: %s",
			    name, WEXITSTATUS(status), strbuf_cstr(&text));
	strbuf_done(&text);
	return r;
}

int run_program(const struct run *r, struct error *err)
{
	cleanup(pipes_close) struct pipes p = { { -1, -1 }, { -1, -1 } };
	cleanup(reader_done) struct reader rd = { .r = r };
	struct proc_clone c = { .flags = CLONE_NEWPID | CLONE_NEWNS,
				.exit_signal = SIGCHLD,
				.cgroup_fd = -1 };
	int status, e;
	pid_t pid;

	if (pipe2(p.go, O_CLOEXEC) < 0 || pipe2(p.out, O_CLOEXEC) < 0)
		return err_sys(err, -errno, "pipe");
	pid = proc_clone3(&c);
	if (pid < 0)
		return err_sys(err, (int)pid, "start %s", r->argv[0]);
	if (pid == 0) {
		fd_close(&p.go[1]);
		child_main(r, &p);
	}
	fd_close(&p.go[0]);
	fd_close(&p.out[1]);
	e = fd_write_all(p.go[1], "", 1);
	if (e == 0)
		e = read_output(&rd, p.out[0]);
	if (e < 0)
		kill(pid, SIGKILL);
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return err_sys(err, -errno, "wait for %s", r->argv[0]);
	return e < 0 ? err_sys(err, e, "read the output of %s", r->argv[0]) : report(&rd, status, err);
}
