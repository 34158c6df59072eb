/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The terminal of a container, and a process in the foreground. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>
#include "cmd/arnia-oci/engine.h"
#include "lib/base/fd.h"
#include "lib/base/sock.h"
#include "lib/sandbox/sandbox.h"

#define PIECE 32768

static int send_fd(const char *option, const char *path, const char *text, int fd, struct error *err)
{
	auto_fd int s = sock_connect(path, SOCK_STREAM, err);
	long n;

	if (s < 0)
		return err_prefix(err, "%s", option), s;
	n = sock_send_fds(s, text, strlen(text), &fd, 1);
	return n < 0 ? err_sys(err, (int)n, "%s %s: send the descriptor", option, path) : 0;
}

int console_send(const char *path, int master, struct error *err)
{
	return send_fd("console socket", path, "/dev/ptmx", master, err);
}

int pidfd_send(const char *path, bool first, int pidfd, struct error *err)
{
	return send_fd("pidfd socket", path, first ? "standard" : "setns", pidfd, err);
}

struct relay {
	int master, signals;
	const struct pidref *p;
	struct notify *notify;
	struct termios saved;
	bool is_tty, raw;
	bool in_open;
};

/* All but those that stop, or that tell of ourselves. */
static int catch_signals(struct error *err)
{
	sigset_t all;
	int fd;

	sigfillset(&all);
	sigdelset(&all, SIGSTOP);
	sigdelset(&all, SIGKILL);
	sigdelset(&all, SIGSEGV);
	sigdelset(&all, SIGBUS);
	sigdelset(&all, SIGILL);
	sigdelset(&all, SIGFPE);
	sigdelset(&all, SIGABRT);
	if (sigprocmask(SIG_BLOCK, &all, NULL) < 0)
		return err_sys(err, -errno, "block signals");
	fd = signalfd(-1, &all, SFD_CLOEXEC | SFD_NONBLOCK);
	return fd < 0 ? err_sys(err, -errno, "make a signalfd") : fd;
}

void console_fit(int master)
{
	struct winsize size;

	if (ioctl(STDIN_FILENO, TIOCGWINSZ, &size) == 0)
		ioctl(master, TIOCSWINSZ, &size);
}

static void pass_signals(const struct relay *r)
{
	struct signalfd_siginfo si;

	while (read(r->signals, &si, sizeof(si)) == (ssize_t)sizeof(si)) {
		if (si.ssi_signo == SIGWINCH && r->master >= 0)
			console_fit(r->master);
		else if (si.ssi_signo != SIGCHLD && si.ssi_signo != SIGPIPE && si.ssi_signo != SIGURG)
			pidref_kill(r->p, (int)si.ssi_signo);
	}
}

/* False at its end. */
static bool copy(int from, int to)
{
	char buf[PIECE];
	ssize_t n = read(from, buf, sizeof(buf));

	if (n < 0)
		return errno == EINTR || errno == EAGAIN;
	return n > 0 && fd_write_wait(to, buf, (size_t)n) == 0;
}

static int reap(const struct pidref *p, int *ret_status, struct error *err)
{
	while (waitpid(p->pid, ret_status, 0) < 0)
		if (errno != EINTR)
			return err_sys(err, -errno, "wait for process %d", p->pid);
	return 0;
}

/* What the terminal still holds when its last user is gone. */
static void drain(const struct relay *r)
{
	struct pollfd p = { .fd = r->master, .events = POLLIN };

	while (poll(&p, 1, 0) > 0 && p.revents & POLLIN && copy(r->master, STDOUT_FILENO))
		;
}

static void relay_loop(struct relay *r)
{
	for (;;) {
		struct pollfd p[] = { { .fd = r->p->fd, .events = POLLIN },
				      { .fd = r->signals, .events = POLLIN },
				      { .fd = r->master, .events = POLLIN },
				      { .fd = r->in_open ? STDIN_FILENO : -1, .events = POLLIN },
				      { .fd = r->notify ? r->notify->from : -1, .events = POLLIN } };

		if (poll(p, ARRAY_SIZE(p), -1) < 0)
			continue;
		if (p[1].revents)
			pass_signals(r);
		if (p[2].revents && !copy(r->master, STDOUT_FILENO))
			fd_close(&r->master);
		if (p[3].revents && r->master >= 0 && !copy(STDIN_FILENO, r->master))
			r->in_open = false;
		if (p[4].revents)
			notify_take(r->notify);
		if (p[0].revents && (r->master < 0 || !(p[2].revents & POLLIN)))
			return;
	}
}

static int relay(struct relay *r, int *ret_status, struct error *err)
{
	r->signals = catch_signals(err);
	if (r->signals < 0)
		return r->signals;
	if (r->master >= 0 && isatty(STDIN_FILENO)) {
		console_fit(r->master);
		r->raw = pty_make_raw(STDIN_FILENO, &r->saved) == 0;
	}
	relay_loop(r);
	if (r->master >= 0)
		drain(r);
	if (r->raw)
		tcsetattr(STDIN_FILENO, TCSADRAIN, &r->saved);
	fd_close(&r->signals);
	return reap(r->p, ret_status, err);
}

int console_relay(int master, const struct pidref *p, struct notify *n, int *ret_status, struct error *err)
{
	struct relay r = { .master = fd_dup(master), .signals = -1, .p = p, .notify = n, .in_open = true };
	int x = relay(&r, ret_status, err);

	fd_close(&r.master);
	return x;
}

int foreground_wait(const struct pidref *p, struct notify *n, int *ret_status, struct error *err)
{
	struct relay r = { .master = -1, .signals = -1, .p = p, .notify = n };

	return relay(&r, ret_status, err);
}
