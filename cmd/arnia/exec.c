/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>
#include "cmd/arnia/attach.h"
#include "cmd/arnia/tty.h"
#include "lib/base/fd.h"

struct exec {
	struct cli *c;
	const char *name, *user;
	struct strv command;
	bool detach, tty;
	struct attach a;
};

/*
 * Who the login shell belongs to is known only inside: the user's line of /etc/passwd there. Accounts whose
 * shell is none (nologin) get /bin/sh: the caller is an administrator, not the account's owner.
 */
static const char login_script[] = "u=$(id -u 2>/dev/null) || u=0\n"
				   "s= h=\n"
				   "while IFS=: read -r _ _ i _ _ d p; do\n"
				   "  if [ \"$i\" = \"$u\" ]; then s=$p h=$d; break; fi\n"
				   "done </etc/passwd 2>/dev/null\n"
				   "case $s in */nologin | */false) s= ;; esac\n"
				   "[ -n \"$s\" ] && [ -x \"$s\" ] || s=/bin/sh\n"
				   "[ -n \"$h\" ] && cd \"$h\" 2>/dev/null && export HOME=\"$h\"\n"
				   "export SHELL=\"$s\"\n"
				   "exec \"$s\" -l\n";

static int add_params(struct exec *e, json *p, struct error *err)
{
	const struct opt_line *line = &e->c->line;
	struct strv env = { 0 };
	int r = env_add(line, &e->c->arena, &env, err);

	if (r < 0)
		return r;
	if (e->tty)
		attach_add_term(&env, &e->c->arena, &env);
	json_add_strv(p, "command", &e->command);
	if (env.n)
		json_add_strv(p, "env", &env);
	json_add_str(p, "workdir", opt_text(line, O_WORKDIR));
	json_add_str(p, "user", e->user);
	json_add_bool(p, "tty", e->tty);
	json_add_bool(p, "stdio", !e->tty && !e->detach);
	if (e->tty)
		attach_add_size(p);
	return 0;
}

/* Where standard input, output or error is a terminal, a pipe that we pump. fds[0..3): what the program
 * gets; `far` owns the pipes' far ends. */
static int stand_in(struct exec *e, int fds[3], int far[3], struct error *err)
{
	for (int i = 0; i < 3; i++) {
		int p[2];

		fds[i] = i;
		if (!isatty(i))
			continue;
		if (pipe2(p, O_CLOEXEC) < 0)
			return err_sys(err, -errno, "make a pipe");
		fds[i] = far[i] = p[i == STDIN_FILENO ? 0 : 1];
		e->a.local[i] = p[i == STDIN_FILENO ? 1 : 0];
		/* Only our end: whether the other one blocks is the program's business. */
		fd_nonblock(e->a.local[i], true);
	}
	e->a.input = e->a.local[0] >= 0;
	return 0;
}

/* [session] with a terminal, [session, stdin, stdout, stderr] without one, nothing detached. */
static int ask(struct exec *e, struct error *err)
{
	int fds[4] = { -1, -1, -1, -1 }, far[4] = { -1, -1, -1, -1 };
	size_t n = e->detach ? 0 : e->tty ? 1 : 4;
	auto_json json *p = name_params(e->name), *reply = NULL;
	int r = add_params(e, p, err);

	if (r == 0 && n)
		r = attach_socket(&e->a.session, &far[0], err);
	if (r == 0 && n == 4)
		r = stand_in(e, fds + 1, far + 1, err);
	fds[0] = far[0];
	if (r == 0)
		r = cli_client(e->c, err);
	if (r == 0)
		r = rpc_client_send(e->c->client, "io.arnia.Exec", ptr_steal(&p), false, fds, n, err);
	for (size_t i = 0; i < ARRAY_SIZE(far); i++)
		fd_close(&far[i]);
	return r < 0 ? r : cli_next(e->c, &reply, NULL, err);
}

static int ended(struct exec *e)
{
	struct error err;
	int code = attach_code(&e->a);

	/* We hold the terminal: it goes with us, as that of machinectl(1) does. */
	if (e->a.end == ATTACH_LEFT) {
		cli_note(e->c, e->name, "left; the command's terminal hangs up");
		return 128 + SIGHUP;
	}
	if (code >= 0)
		return code;
	if (e->a.end == ATTACH_GONE)
		err_set(&err, -ECONNRESET, "detached: %s", e->a.why);
	else
		err_set(&err, -EIO, "ended, and how is not known");
	return cli_fail(e->c, e->name, &err);
}

static int run(struct exec *e)
{
	struct error err;
	int code;

	e->a = ATTACH_NONE;
	e->a.c = e->c;
	e->a.name = e->name;
	e->a.tty = e->a.input = e->a.pass_master = e->tty;
	code = name_check(e->name, false, &err);
	if (code == 0)
		code = attach_keys(e->c, &e->a.keys, &err);
	if (code == 0)
		code = ask(e, &err);
	if (code == 0 && !e->detach)
		code = attach_run(&e->a, &err);
	if (code < 0)
		code = cli_fail(e->c, e->name, &err);
	else if (!e->detach)
		code = ended(e);
	attach_done(&e->a);
	return code;
}

static void choose_tty(struct exec *e)
{
	const struct opt_line *line = &e->c->line;

	e->detach = opt_flag(line, O_DETACH, false);
	e->tty = opt_flag(line, O_TTY, !e->detach && tty_is_ours()) && !opt_flag(line, O_NO_TTY, false);
}

int cmd_exec(struct cli *c)
{
	struct exec e = { .c = c, .name = c->line.args.v[0], .user = opt_text(&c->line, O_USER) };
	size_t at = c->line.args.n > 1 && str_eq(c->line.args.v[1], "--") ? 2 : 1;

	e.command = (struct strv){ c->line.args.v + at, c->line.args.n - at };
	if (!e.command.n)
		return cli_usage(c, "a command is needed");
	choose_tty(&e);
	return run(&e);
}

/* "USER@NAME" as in machinectl(1). */
int cmd_shell(struct cli *c)
{
	struct exec e = { .c = c, .name = c->line.args.v[0], .user = opt_text(&c->line, O_USER) };
	const char *at = strchr(e.name, '@');

	if (at) {
		e.user = arena_str_n(&c->arena, e.name, (size_t)(at - e.name));
		e.name = at + 1;
	}
	strv_push(&c->arena, &e.command, "/bin/sh");
	strv_push(&c->arena, &e.command, "-c");
	strv_push(&c->arena, &e.command, login_script);
	choose_tty(&e);
	return run(&e);
}
