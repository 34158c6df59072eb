/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef ARNIA_CLI_ATTACH_H
#define ARNIA_CLI_ATTACH_H
/* The client's end of a session socket (lib/base/session.h): terminal and signals on this side, the keeper
 * on the other. */
#include "cmd/arnia/cli.h"
#include "cmd/arnia/keys.h"
#include "lib/base/session.h"

enum attach_end {
	ATTACH_EXITED,	  /* the program ended: `exit` */
	ATTACH_LEFT,	  /* the keys were typed */
	ATTACH_SIGNALLED, /* we were told to end: `signal` */
	ATTACH_GONE,	  /* the session ended, the program perhaps did not: `why` */
};
struct attach {
	struct cli *c;
	const char *name; /* shown */
	const char
		*forward_to; /* machine that gets our SIGINT, SIGTERM, SIGHUP, SIGQUIT; NULL: they end us */
	int session;	     /* owned */
	bool tty;	     /* the other side has a terminal */
	bool input;	     /* pass standard input on */
	bool pass_master;    /* an exec's terminal comes as SESSION_MASTER */
	/* Our ends of pipes that stand for standard input, output and error where those are terminals: an
	 * operator's terminal is never given to a guest (TIOCSTI). -1 = none; owned. */
	int local[3];
	struct keys keys;
	struct rpc_client *watch; /* its next answer is taken as soon as it comes; may be NULL */

	json *answer; /* of watch */
	bool watch_lost;
	enum attach_end end;
	struct session_exit exit;
	int signal;
	bool broken; /* GONE without a word: the keeper may be dead */
	char why[256];
};
#define ATTACH_NONE ((struct attach){ .session = -1, .local = { -1, -1, -1 } })
/* Both ends of a session socket. */
int attach_socket(int *ret_ours, int *ret_keepers, struct error *err);
/* rows and columns of our terminal into the parameters. */
void attach_add_size(json *params);
/* --detach-keys, or the default. */
int attach_keys(const struct cli *c, struct keys *ret, struct error *err);
/* Until the end, in whatever way; our terminal is as it was afterwards. */
int attach_run(struct attach *a, struct error *err);
void attach_done(struct attach *a);
/* After ATTACH_LEFT, on a line of its own. */
void attach_say_left(const struct attach *a);
/* What the other terminal is like: our TERM into *ret, unless `given` has one. */
void attach_add_term(const struct strv *given, struct arena *a, struct strv *ret);
/* Exit code for an ended program, chroot(1): its own, or 128 and the signal. -1 = not known. */
int attach_code(const struct attach *a);
/* The same from a machine's exit record; -1. */
int exit_code_of(const json *exit);

/* console.c: start a machine, attached from its first output on */
int console_start(struct cli *c);

/* attach_io.c */
struct attach_io;
int attach_io_loop(struct attach *a, int signals, int (*on_signal)(struct attach *a, int sig),
		   struct error *err);

#endif
