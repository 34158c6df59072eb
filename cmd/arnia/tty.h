/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef ARNIA_CLI_TTY_H
#define ARNIA_CLI_TTY_H
/* Our own terminal. */
#include <signal.h>
#include <stdbool.h>
#include <termios.h>
#include "lib/base/error.h"
#include "lib/base/session.h"

bool tty_is_ours(void); /* standard input and output are terminals */
/* Size of the terminal on standard output; false when there is none. */
bool tty_size(struct session_size *ret);

struct tty {
	bool raw;
	struct termios saved;
	int signals; /* signalfd(2) */
	sigset_t old_mask;
	struct sigaction old_pipe;
};
#define TTY_NONE ((struct tty){ .signals = -1 })
/* Take the signals that would end us (and SIGWINCH) as data, SIGPIPE as an error of write(2), so that what
 * follows is always undone; with raw, make the terminal pass every key on. Undo with tty_done. */
int tty_begin(struct tty *t, bool raw, struct error *err);
void tty_done(struct tty *t);
/* A signal that came, 0 when none. */
int tty_signal(struct tty *t);

#endif
