/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <unistd.h>
#include "cmd/arnia/tty.h"
#include "lib/base/fd.h"

bool tty_is_ours(void)
{
	return isatty(STDIN_FILENO) && isatty(STDOUT_FILENO);
}

bool tty_size(struct session_size *ret)
{
	struct winsize w;

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) < 0 || !w.ws_row || !w.ws_col)
		return false;
	*ret = (struct session_size){ w.ws_row, w.ws_col };
	return true;
}

static int catch_signals(struct tty *t)
{
	static const int list[] = { SIGWINCH, SIGINT, SIGTERM, SIGHUP, SIGQUIT };
	const struct sigaction ignore = { .sa_handler = SIG_IGN };
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < ARRAY_SIZE(list); i++)
		sigaddset(&set, list[i]);
	if (sigprocmask(SIG_BLOCK, &set, &t->old_mask) < 0)
		return -errno;
	t->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (t->signals >= 0) {
		sigaction(SIGPIPE, &ignore, &t->old_pipe);
		return 0;
	}
	sigprocmask(SIG_SETMASK, &t->old_mask, NULL);
	return -errno;
}

int tty_begin(struct tty *t, bool raw, struct error *err)
{
	struct termios mode;
	int r = catch_signals(t);

	if (r < 0)
		return err_sys(err, r, "catch signals");
	if (!raw || tcgetattr(STDIN_FILENO, &t->saved) < 0)
		return 0;
	mode = t->saved;
	cfmakeraw(&mode);
	t->raw = tcsetattr(STDIN_FILENO, TCSADRAIN, &mode) == 0;
	return 0;
}

void tty_done(struct tty *t)
{
	if (t->raw)
		tcsetattr(STDIN_FILENO, TCSADRAIN, &t->saved);
	if (t->signals >= 0) {
		sigaction(SIGPIPE, &t->old_pipe, NULL);
		sigprocmask(SIG_SETMASK, &t->old_mask, NULL);
	}
	fd_close(&t->signals);
	*t = TTY_NONE;
}

int tty_signal(struct tty *t)
{
	struct signalfd_siginfo info;

	return read(t->signals, &info, sizeof(info)) == (ssize_t)sizeof(info) ? (int)info.ssi_signo : 0;
}
