/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Stands in for arnia-run in the keeper's tests. The plan is text: "MODE LOG_MAX\nSHELL COMMAND".
 *   pipe tty exec exec-tty  start the command with pipes, a console, the job's own stdio, a console for the
 * client fail                    adopt a child, then say that the job failed kill-early kill-late    die
 * before, or after, the child is adopted quick                   the child ends before it is adopted slow as
 * pipe, after two seconds hang prepare last       never answer; only answer; answer and end progress report
 * two lines, then answer
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>
#include "lib/base/fd.h"
#include "lib/base/frame.h"
#include "lib/base/kproto.h"
#include "lib/base/proc.h"
#include "lib/base/str.h"

struct start {
	struct frame *f;
	struct kp_job job;
	char mode[32];
	char *command;
	struct kp_container c;
	int fds[5]; /* for KW_ADOPT */
	size_t nfds;
	int stdio[3]; /* the child's */
	int master;
	int go[2];
};

static void send_frame(uint32_t type, uint64_t seq, const void *body, size_t n, const int *fds, size_t nfds)
{
	if (frame_send(KW_FD_KEEPER, KP_MAGIC, type, seq, body, n, fds, nfds) < 0)
		exit(3);
}

static void send_result(const struct start *s, int pid, int code)
{
	struct kp_result r = { .pid = pid, .again = !str_eq(s->mode, "last") };

	if (code)
		err_set(&r.error, code, "the fake failed");
	send_frame(KW_RESULT, s->f->head.seq, &r, sizeof(r), NULL, 0);
}

static void make_pipes(struct start *s)
{
	int in[2], out[2], err[2];

	if (pipe2(in, O_CLOEXEC) < 0 || pipe2(out, O_CLOEXEC) < 0 || pipe2(err, O_CLOEXEC) < 0)
		exit(4);
	s->stdio[0] = in[0];
	s->stdio[1] = out[1];
	s->stdio[2] = err[1];
	s->fds[1] = in[1];
	s->fds[2] = out[0];
	s->fds[3] = err[0];
	s->nfds = 4;
	s->c.fds = KP_FD_PIDFD | KP_FD_IN | KP_FD_OUT | KP_FD_ERR;
}

static void make_console(struct start *s)
{
	s->master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (s->master < 0 || grantpt(s->master) < 0 || unlockpt(s->master) < 0)
		exit(5);
	for (int i = 0; i < 3; i++)
		s->stdio[i] = open(ptsname(s->master), O_RDWR | O_NOCTTY | O_CLOEXEC);
	s->nfds = 1;
	s->c.fds = KP_FD_PIDFD;
	s->c.tty = 1;
}

static void take_stdio(struct start *s)
{
	size_t at = 1;

	for (int i = 0; i < 3; i++)
		s->stdio[i] = s->job.fds & (KP_FD_STDIN << i) ? s->f->fds[at++]
							      : open("/dev/null", O_RDWR | O_CLOEXEC);
	s->nfds = 1;
	s->c.fds = KP_FD_PIDFD;
}

static void run_child(struct start *s)
{
	char go;

	close(s->go[1]);
	if (!str_eq(s->mode, "quick") && read(s->go[0], &go, 1) != 1)
		_exit(99);
	setsid();
	if (s->c.tty)
		ioctl(s->stdio[0], TIOCSCTTY, 0);
	for (int i = 0; i < 3; i++)
		dup2(s->stdio[i], i);
	execl("/bin/sh", "sh", "-c", s->command, (char *)NULL);
	_exit(98);
}

static void adopt(struct start *s)
{
	struct proc_clone c = { .flags = CLONE_PARENT, .cgroup_fd = -1, .ret_pidfd = &s->fds[0] };
	pid_t pid = proc_clone3(&c);
	struct kp_ref ref;

	if (pid == 0)
		run_child(s);
	if (pid < 0)
		exit(6);
	if (str_eq(s->mode, "kill-early"))
		raise(SIGKILL);
	if (str_eq(s->mode, "quick")) {
		struct pidref p = { .pid = pid, .fd = s->fds[0] };

		while (pidref_alive(&p))
			usleep(1000);
		usleep(200000);
	}
	s->c.pid = pid;
	proc_start_time(pid, &s->c.start);
	send_frame(KW_ADOPT, s->f->head.seq, &s->c, sizeof(s->c), s->fds, s->nfds);
	if (s->c.tty) {
		memcpy(ref.id, s->c.id, sizeof(ref.id));
		send_frame(KW_MASTER, s->f->head.seq, &ref, sizeof(ref), &s->master, 1);
	}
}

static void finish(struct start *s)
{
	if (str_eq(s->mode, "fail")) {
		close(s->go[1]);
		send_result(s, 0, -ENOENT);
		return;
	}
	if (write(s->go[1], "", 1) != 1 && !str_eq(s->mode, "quick"))
		exit(7);
	if (str_eq(s->mode, "kill-late"))
		raise(SIGKILL);
	send_result(s, s->c.pid, 0);
}

static void start(struct start *s)
{
	bool exec = str_starts(s->mode, "exec");

	s->c.role = exec ? KP_ROLE_EXEC : KP_ROLE_CONTAINER;
	memcpy(s->c.id, s->job.id, sizeof(s->c.id));
	if (pipe2(s->go, O_CLOEXEC) < 0)
		exit(8);
	if (str_ends(s->mode, "tty"))
		make_console(s);
	else if (exec)
		take_stdio(s);
	else
		make_pipes(s);
	adopt(s);
	for (int i = 0; i < 3; i++)
		close(s->stdio[i]);
	for (size_t i = 0; i < s->nfds; i++)
		close(s->fds[i]);
	if (s->c.tty)
		close(s->master);
	finish(s);
	close(s->go[0]);
	close(s->go[1]);
}

static void carry_out(struct frame *f)
{
	struct start s = { .f = f };
	unsigned long long log_max = 0;
	char text[FRAME_MAX] = "";

	memcpy(&s.job, f->body, sizeof(s.job));
	if (f->head.type != KW_JOB || !fd_is_sealed(f->fds[0]) ||
	    pread(f->fds[0], text, sizeof(text) - 1, 0) <= 0 ||
	    sscanf(text, "%31s %llu", s.mode, &log_max) < 1)
		exit(9);
	s.c.log_max = log_max;
	s.command = strchr(text, '\n');
	s.command = s.command ? s.command + 1 : NULL;
	if (str_eq(s.mode, "slow"))
		usleep(2000000);
	if (str_eq(s.mode, "hang"))
		for (;;)
			pause();
	if (str_eq(s.mode, "progress")) {
		send_frame(KW_PROGRESS, f->head.seq, "one", 4, NULL, 0);
		send_frame(KW_PROGRESS, f->head.seq, "two", 4, NULL, 0);
	}
	if (s.command)
		start(&s);
	else
		send_result(&s, 0, 0);
	if (str_eq(s.mode, "last"))
		exit(0);
}

int main(void)
{
	struct sigaction old;
	struct frame f;
	sigset_t blocked;

	/* What every worker is promised: the host's namespace and the init program, nothing else open, no
	 * signal blocked or ignored. */
	if (fcntl(KW_FD_HOSTNS, F_GETFD) < 0 || !fd_is_sealed(KW_FD_INIT) || fcntl(6, F_GETFD) >= 0)
		return 2;
	if (sigprocmask(SIG_SETMASK, NULL, &blocked) < 0 || !sigisemptyset(&blocked) ||
	    sigaction(SIGPIPE, NULL, &old) < 0 || old.sa_handler != SIG_DFL)
		return 2;
	for (int fd = KW_FD_KEEPER; fd <= KW_FD_INIT; fd++)
		fd_cloexec(fd, true);
	send_frame(KW_READY, 0, NULL, 0, NULL, 0);
	while (frame_recv(KW_FD_KEEPER, KP_MAGIC, &f, 0) == 1) {
		carry_out(&f);
		frame_done(&f);
	}
	return 0;
}
