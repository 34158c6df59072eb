/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Terminals (pty(7), tty_ioctl(4)). */
#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>
#include "lib/base/fd.h"
#include "lib/sandbox/sandbox.h"

int pty_set_size(int master, uint16_t rows, uint16_t cols)
{
	struct winsize size = { .ws_row = rows, .ws_col = cols };

	return ioctl(master, TIOCSWINSZ, &size) < 0 ? -errno : 0;
}

int pty_make_raw(int fd, void *saved_termios)
{
	struct termios t, raw;

	if (tcgetattr(fd, &t) < 0)
		return -errno;
	raw = t;
	cfmakeraw(&raw);
	if (tcsetattr(fd, TCSANOW, &raw) < 0)
		return -errno;
	if (saved_termios)
		*(struct termios *)saved_termios = t;
	return 0;
}

int pty_take(int slave, struct error *err)
{
	/* EPERM: leader already, which is what we want. */
	if (setsid() < 0 && (errno != EPERM || getsid(0) != getpid()))
		return err_sys(err, -errno, "start a session");
	if (ioctl(slave, TIOCSCTTY, 0) < 0)
		return err_sys(err, -errno, "take the terminal");
	for (int fd = 0; fd <= 2; fd++) {
		/* dup2 onto itself would leave the descriptor close-on-exec. */
		int r = fd == slave ? fd_cloexec(fd, false) : (dup2(slave, fd) < 0 ? -errno : 0);

		if (r < 0)
			return err_sys(err, r, "put the terminal on descriptor %d", fd);
	}
	return 0;
}
