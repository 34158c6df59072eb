/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <string.h>
#include <unistd.h>
#include "cmd/arnia/attach.h"
#include "cmd/arnia/tty.h"
#include "lib/base/fd.h"
#include "lib/base/parse.h"
#include "lib/base/time.h"

#define REMOVED_MS 30000 /* how long the daemon may take to clear away what has ended */

struct run {
	struct cli *c;
	const char *image;
	json *spec;
	bool detach, tty, input, remove;
	const char *id, *name; /* of the machine, once it is there */
};

static void run_done(struct run *r)
{
	json_unref(r->spec);
}

/* The answer's id, name and warnings. */
static int take_answer(struct run *r, const json *reply, struct error *err)
{
	const json *warnings = NULL;

	if (json_get_str(reply, "id", &r->id, err) < 0 || json_get_str(reply, "name", &r->name, err) < 0 ||
	    json_get_arr(reply, "warnings", &warnings, err) < 0)
		return -EPROTO;
	r->id = arena_str(&r->c->arena, r->id ?: "");
	r->name = arena_str(&r->c->arena, r->name ?: r->id);
	for (size_t i = 0; i < json_len(warnings); i++)
		cli_note(r->c, r->name, "warning: %s", json_str(json_at(warnings, i)) ?: "");
	return 0;
}

/* Run or Create, with the session's far end when there is one. Builds a shipped image that is not built,
 * and asks again. */
static int ask(struct run *r, const char *method, bool more, int session, struct error *err)
{
	reach_warn(r->c, r->spec);
	for (bool again = false;; again = true) {
		auto_json json *p = json_new_obj(), *reply = NULL;
		int code = cli_client(r->c, err);

		json_add(p, "spec", json_ref(r->spec));
		if (r->tty && session >= 0)
			attach_add_size(p);
		if (code == 0)
			code = rpc_client_send(r->c->client, method, ptr_steal(&p), more, &session,
					       session >= 0, err);
		if (code == 0)
			code = cli_next(r->c, &reply, NULL, err);
		if (code == 0)
			return take_answer(r, reply, err);
		if (err->kind != ERR_NOT_FOUND || again)
			return code;
		code = image_build_missing(r->c, r->image, err);
		if (code < 0)
			return code;
	}
}

static int print_made(struct run *r)
{
	struct strbuf b = { 0 };
	bool ok;

	if (out_is_json(r->c)) {
		auto_json json *o = json_new_obj();

		json_add_i64(o, "schema", JSON_SCHEMA);
		json_add_str(o, "id", r->id);
		json_add_str(o, "name", r->name);
		return out_json(r->c, o, r->c->format == FORMAT_JSON);
	}
	strbuf_add_escaped(&b, r->id, strlen(r->id));
	strbuf_addc(&b, '\n');
	ok = cli_write(r->c, b.s, b.len);
	strbuf_done(&b);
	return ok ? 0 : ERR_FAILED;
}

static int run_detached(struct run *r, const char *method)
{
	struct error err;

	if (ask(r, method, false, -1, &err) < 0)
		return cli_fail(r->c, r->name, &err);
	return print_made(r);
}

/* The daemon's last word: {exit, state}. It may have gone away meanwhile; the machine has not. */
static int last_word(struct run *r, struct attach *a, struct error *err)
{
	int code;

	if (a->answer)
		return 0;
	code = a->watch_lost ? -ECONNRESET : rpc_client_next(a->watch, &a->answer, NULL, REMOVED_MS, err);
	if (code == -ECONNRESET)
		code = cli_await(r->c, r->id, r->remove ? "removed" : "stopped", &a->answer, err);
	/* Removed, and nobody asked in time. */
	if (code < 0 && r->remove && err->kind == ERR_NOT_FOUND)
		return 0;
	return MIN(code, 0);
}

static int run_ended(struct run *r, struct attach *a)
{
	struct error err = { 0 };
	const json *exit = NULL;
	int code = attach_code(a);

	if (a->end == ATTACH_LEFT) {
		attach_say_left(a);
		return 0;
	}
	if (a->end == ATTACH_SIGNALLED)
		return code;
	if (a->end == ATTACH_GONE)
		cli_note(r->c, r->name, "detached: %s", a->why);
	if (a->broken)
		cli_start_keeper(r->c);
	if (last_word(r, a, &err) < 0) {
		/* Its exit code is known; that it is cleared away is not. */
		cli_note(r->c, r->name, "%s", err.text);
		return code >= 0 ? code : cli_exit_code(r->c, &err);
	}
	json_get_obj(a->answer, "exit", &exit, NULL);
	if (code < 0)
		code = exit_code_of(exit);
	if (code >= 0)
		return code;
	err_set(&err, -EIO, "ended, and how is not known");
	return cli_fail(r->c, r->name, &err);
}

static int run_attached(struct run *r)
{
	struct attach a = ATTACH_NONE;
	auto_fd int far = -1;
	struct error err;
	int code;

	a.c = r->c;
	a.tty = r->tty;
	a.input = r->input;
	code = attach_keys(r->c, &a.keys, &err);
	if (code == 0)
		code = attach_socket(&a.session, &far, &err);
	if (code == 0)
		code = ask(r, "io.arnia.Run", true, far, &err);
	fd_close(&far);
	if (code == 0) {
		a.name = r->name;
		a.forward_to = r->tty ? NULL : r->id;
		a.watch = r->c->client;
		code = attach_run(&a, &err);
	}
	code = code < 0 ? cli_fail(r->c, r->name, &err) : run_ended(r, &a);
	attach_done(&a);
	return code;
}

static void add_term(struct run *r)
{
	struct strv env = { 0 };
	struct arena a = { 0 };

	json_get_strv(r->spec, "env", &a, &env, NULL);
	attach_add_term(&env, &a, &env);
	if (env.n)
		json_add_strv(r->spec, "env", &env);
	arena_done(&a);
}

/* On a terminal, a terminal; detached, only when asked for. */
static void choose_tty(struct run *r)
{
	const struct opt_line *line = &r->c->line;
	bool ours = !r->detach && tty_is_ours();

	r->tty = opt_flag(line, O_TTY, ours) && !opt_flag(line, O_NO_TTY, false);
	r->input = opt_flag(line, O_INTERACTIVE, ours && r->tty);
	json_add_bool(r->spec, "tty", r->tty);
	json_add_bool(r->spec, "openStdin", r->input);
	if (r->tty && !r->detach)
		add_term(r);
}

static int prepare(struct run *r, const char *name, size_t command_at, struct error *err)
{
	const struct opt_line *line = &r->c->line;

	r->remove = opt_flag(line, O_RM, false);
	r->name = name;
	if (name && !name_is_valid(name))
		return name_check(name, false, err);
	if (run_spec(r->c, r->image, name, command_at, &r->spec, err) < 0)
		return err->code;
	choose_tty(r);
	return 0;
}

/* A "--" right after the image is not part of the command. */
static size_t command_start(const struct cli *c, size_t at)
{
	return at < c->line.args.n && str_eq(c->line.args.v[at], "--") ? at + 1 : at;
}

static int make(struct run *r, const char *method)
{
	if (opt_flag(&r->c->line, O_DRY_RUN, false))
		return out_json(r->c, r->spec, r->c->format != FORMAT_JSONL);
	if (r->detach)
		return run_detached(r, method);
	return run_attached(r);
}

int cmd_run(struct cli *c)
{
	cleanup(run_done) struct run r = { .c = c, .image = c->line.args.v[0] };
	struct error err;

	r.detach = opt_flag(&c->line, O_DETACH, false);
	if (prepare(&r, opt_text(&c->line, O_NAME), command_start(c, 1), &err) < 0)
		return cli_fail(c, r.name, &err);
	return make(&r, "io.arnia.Run");
}

/* Arguments before "--" are ours, those after it the command. */
static size_t own_args(const struct cli *c)
{
	return MIN(c->line.dashes, c->line.args.n);
}

int cmd_launch(struct cli *c)
{
	cleanup(run_done) struct run r = { .c = c, .image = c->line.args.v[0], .detach = true };
	const char *name = opt_text(&c->line, O_NAME);
	size_t own = own_args(c), at = name ? 1 : MIN(own, (size_t)2);
	struct error err;

	if (!own)
		return cli_usage(c, "an image is needed");
	if (!name && own > 1)
		name = c->line.args.v[1];
	if (prepare(&r, name, at, &err) < 0)
		return cli_fail(c, r.name, &err);
	return make(&r, "io.arnia.Run");
}

static bool exists_already(struct cli *c, const char *name)
{
	auto_json json *reply = NULL, *p = json_new_obj();
	struct rpc_client *client = NULL;
	json *names = json_new_arr();
	bool there;

	json_push(names, json_new_str(name));
	json_add(p, "names", names);
	if (cli_connect(c, &client, NULL) < 0)
		return false;
	there = rpc_client_call(client, "io.arnia.List", ptr_steal(&p), &reply, NULL) == 0;
	rpc_client_free(client);
	return there;
}

/* With -t the first argument is the name, without it the image: `create 101 -t debian-12`, `create --name
 * web debian-12`. */
int cmd_create(struct cli *c)
{
	const char *image = opt_text(&c->line, O_TEMPLATE), *name = opt_text(&c->line, O_NAME);
	cleanup(run_done) struct run r = { .c = c, .detach = true };
	size_t own = own_args(c), at = 0;
	struct error err;

	if (!image && at < own)
		image = c->line.args.v[at++];
	else if (image && !name && at < own)
		name = c->line.args.v[at++];
	if (!image)
		return cli_usage(c, "an image is needed");
	r.image = image;
	if (prepare(&r, name, at, &err) < 0)
		return cli_fail(c, r.name, &err);
	if (opt_flag(&c->line, O_DRY_RUN, false))
		return out_json(c, r.spec, c->format != FORMAT_JSONL);
	if (ask(&r, "io.arnia.Create", false, -1, &err) == 0)
		return print_made(&r);
	if (c->idempotent && name && err.kind == ERR_STATE && exists_already(c, name))
		return 0;
	return cli_fail(c, name, &err);
}

int cmd_start(struct cli *c)
{
	static const struct each start = { .method = "io.arnia.Start", .wanted = "running starting" };

	if (!opt_flag(&c->line, O_ATTACH, false))
		return each_run(c, &start);
	if (c->line.args.n != 1)
		return cli_usage(c, "--attach takes one machine");
	return console_start(c);
}
