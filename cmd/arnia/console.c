/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <unistd.h>
#include "cmd/arnia/attach.h"
#include "cmd/arnia/tty.h"
#include "lib/base/fd.h"

/* Send `method` with the far end of a.session; the answer. */
static int join(struct attach *a, const char *method, json *params, json **ret, struct error *err)
{
	auto_json json *p = params;
	auto_fd int far = -1;
	int r = name_check(a->name, false, err);

	if (r == 0)
		r = attach_keys(a->c, &a->keys, err);
	if (r == 0)
		r = attach_socket(&a->session, &far, err);
	if (r == 0)
		r = cli_client(a->c, err);
	if (r == 0)
		r = rpc_client_send(a->c->client, method, ptr_steal(&p), false, &far, 1, err);
	return r < 0 ? r : cli_next(a->c, ret, NULL, err);
}

static int pump(struct attach *a)
{
	struct error err;
	int code;

	if (attach_run(a, &err) < 0)
		return cli_fail(a->c, a->name, &err);
	code = attach_code(a);
	if (a->end == ATTACH_LEFT) {
		attach_say_left(a);
		return 0;
	}
	if (a->end == ATTACH_GONE)
		cli_note(a->c, a->name, "detached: %s", a->why);
	return code < 0 ? ERR_FAILED : code;
}

int cmd_console(struct cli *c)
{
	auto_json json *reply = NULL, *p = name_params(c->line.args.v[0]);
	struct attach a = ATTACH_NONE;
	struct error err;
	int code;

	a.c = c;
	a.name = c->line.args.v[0];
	a.input = !opt_flag(&c->line, O_NO_INPUT, false);
	json_add_bool(p, "input", a.input);
	attach_add_size(p);
	if (join(&a, "io.arnia.Attach", ptr_steal(&p), &reply, &err) < 0 ||
	    json_get_bool(reply, "tty", &a.tty, &err) < 0)
		code = cli_fail(c, a.name, &err);
	else
		code = pump(&a);
	attach_done(&a);
	return code;
}

/* Start's answer does not say what kind of output the machine has; that of Logs does. */
static int find_tty(struct attach *a, struct error *err)
{
	auto_json json *reply = NULL;
	int r = cli_call(a->c, "io.arnia.Logs", name_params(a->name), &reply, err);

	if (r == 0)
		r = json_get_bool(reply, "tty", &a->tty, err);
	return r < 0 ? r : 0;
}

int console_start(struct cli *c)
{
	auto_json json *reply = NULL, *p = name_params(c->line.args.v[0]);
	struct attach a = ATTACH_NONE;
	struct error err;
	int code;

	a.c = c;
	a.name = c->line.args.v[0];
	a.input = true;
	attach_add_size(p);
	if (find_tty(&a, &err) < 0 || join(&a, "io.arnia.Start", ptr_steal(&p), &reply, &err) < 0)
		code = cli_fail(c, a.name, &err);
	else
		code = pump(&a);
	attach_done(&a);
	return code;
}
