/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "cmd/arnia/attach.h"
#include "cmd/arnia/tty.h"
#include "lib/base/fd.h"
#include "lib/base/parse.h"

#define FORWARD_MS 5000

int attach_socket(int *ret_ours, int *ret_keepers, struct error *err)
{
	int s[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, s) < 0)
		return err_sys(err, -errno, "make a session socket");
	*ret_ours = s[0];
	*ret_keepers = s[1];
	return 0;
}

void attach_add_size(json *params)
{
	struct session_size size;

	if (!tty_size(&size))
		return;
	json_add_u64(params, "rows", size.rows);
	json_add_u64(params, "columns", size.cols);
}

int attach_keys(const struct cli *c, struct keys *ret, struct error *err)
{
	const char *text = opt_text(&c->line, O_DETACH_KEYS) ?: KEYS_DEFAULT;

	if (keys_parse(text, ret) < 0)
		return err_set_kind(err, -EINVAL, ERR_USAGE,
				    "--detach-keys: \"%.100s\": expected keys like ctrl-p,ctrl-q", text);
	return 0;
}

static const char *signal_name(int sig)
{
	return sigabbrev_np(sig) ?: "TERM";
}

/* On a connection of its own: the first one waits for the machine's end. */
static int forward(struct attach *a, int sig, struct error *err)
{
	struct cli quiet = *a->c;
	struct rpc_client *client = NULL;
	json *reply = NULL, *p = name_params(a->forward_to);
	int r;

	json_add_str(p, "signal", signal_name(sig));
	quiet.no_start = true;
	r = cli_connect(&quiet, &client, err);
	if (r < 0) {
		json_unref(p);
		return r;
	}
	r = rpc_client_send(client, "io.arnia.Kill", p, false, NULL, 0, err);
	if (r == 0)
		r = rpc_client_next(client, &reply, NULL, FORWARD_MS, err);
	json_unref(reply);
	rpc_client_free(client);
	/* It ends this very moment, or is not up yet: the session will tell. */
	return r < 0 && (err->kind == ERR_STATE || err->kind == ERR_NOT_FOUND) ? 0 : MIN(r, 0);
}

/* 1: leave. */
static int on_signal(struct attach *a, int sig)
{
	struct error err;

	if (a->forward_to && forward(a, sig, &err) == 0)
		return 0;
	if (a->forward_to) {
		err_prefix(&err, "forward SIG%s", signal_name(sig));
		cli_fail(a->c, a->name, &err);
	}
	a->end = ATTACH_SIGNALLED;
	a->signal = sig;
	return 1;
}

static void say_how_to_leave(const struct attach *a)
{
	static const char *const times[] = { "", " twice", " three times" };
	struct strbuf b = { 0 };
	const struct keys *k = &a->keys;
	bool same = true;

	for (size_t i = 1; i < k->n; i++)
		same = same && k->sequence[i] == k->sequence[0];
	for (size_t i = 0; i < (same && k->n <= 3 ? MIN(k->n, (size_t)1) : k->n); i++) {
		unsigned char c = k->sequence[i];

		strbuf_addf(&b, c < 32 ? "%sCtrl-%c" : "%s%c", i ? " " : "", c < 32 ? c + 64 : c);
	}
	if (k->n)
		cli_note(a->c, a->name, "attached; %s%s within 1 s leaves it running", strbuf_cstr(&b),
			 same && k->n <= 3 ? times[k->n - 1] : "");
	strbuf_done(&b);
}

int attach_run(struct attach *a, struct error *err)
{
	cleanup(tty_done) struct tty t = TTY_NONE;
	bool raw = a->tty && a->input && isatty(STDIN_FILENO);
	int r;

	if (!raw)
		a->keys.n = 0;
	else if (isatty(STDERR_FILENO) && !a->c->quiet && !a->pass_master)
		say_how_to_leave(a);
	r = tty_begin(&t, raw, err);
	return r < 0 ? r : attach_io_loop(a, t.signals, on_signal, err);
}

void attach_say_left(const struct attach *a)
{
	/* Our prompt does not begin behind the guest's. */
	if (isatty(STDERR_FILENO))
		(void)fd_write_wait(STDERR_FILENO, "\n", 1);
	cli_note(a->c, a->name, "still running");
}

void attach_add_term(const struct strv *given, struct arena *a, struct strv *ret)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._+";
	const char *term = getenv("TERM");

	for (size_t i = 0; i < given->n; i++)
		if (str_starts(given->v[i], "TERM="))
			return;
	if (!str_is_empty(term) && strspn(term, plain) == strlen(term) && strlen(term) <= 64)
		strv_push(a, ret, arena_fmt(a, "TERM=%s", term));
}

void attach_done(struct attach *a)
{
	fd_close(&a->session);
	for (size_t i = 0; i < 3; i++)
		fd_close(&a->local[i]);
	json_unref(a->answer);
	a->answer = NULL;
}

int attach_code(const struct attach *a)
{
	if (a->end == ATTACH_SIGNALLED)
		return 128 + a->signal;
	if (a->end != ATTACH_EXITED)
		return -1;
	if (a->exit.code == CLD_EXITED)
		return a->exit.status & 0xff;
	if (a->exit.code == CLD_KILLED || a->exit.code == CLD_DUMPED)
		return 128 + (a->exit.status & 0x7f);
	return -1;
}

int exit_code_of(const json *exit)
{
	const char *name = NULL;
	uint64_t code = 0;
	int sig = 0;

	if (json_get_u64(exit, "code", &code, NULL) > 0 && code <= 255)
		return (int)code;
	if (json_get_str(exit, "signal", &name, NULL) > 0 && parse_signal(name, &sig) == 0)
		return 128 + sig;
	return -1;
}
