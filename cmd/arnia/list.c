/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>
#include "cmd/arnia/cli.h"

static void add_str(struct strbuf *out, const char *s)
{
	if (s)
		strbuf_add_escaped(out, s, strlen(s));
}

static void text_list(const json *arr, struct strbuf *out)
{
	for (size_t i = 0; i < json_len(arr); i++) {
		strbuf_add(out, i ? "," : "");
		out_value(out, json_at(arr, i));
	}
}

static void text_address(const json *row, struct strbuf *out)
{
	text_list(row_member(row, "addresses"), out);
}

static void text_command(const json *row, struct strbuf *out)
{
	human_command(row_member(row, "command"), out);
}

static void text_ports(const json *row, struct strbuf *out)
{
	human_ports(row_member(row, "ports"), out);
}

static void text_labels(const json *row, struct strbuf *out)
{
	struct json_iter it = json_iter(row_member(row, "labels"));

	for (bool first = true; json_next(&it); first = false) {
		strbuf_add(out, first ? "" : ",");
		add_str(out, it.key);
		strbuf_addc(out, '=');
		out_value(out, it.value);
	}
}

static void text_status(const json *row, struct strbuf *out)
{
	const char *state = NULL, *started = NULL, *error = NULL;
	const json *exit = row_member(row, "exit");

	json_get_str(row, "state", &state, NULL);
	json_get_str(row, "started", &started, NULL);
	json_get_str(row, "error", &error, NULL);
	if (state && word_in("running paused stopping", state, strlen(state)) && started) {
		strbuf_add(out, "up ");
		human_duration(out, human_since(started));
	} else if (exit) {
		human_exit(exit, out);
	} else {
		add_str(out, error); /* of a start that failed */
	}
}

static const struct field fields[] = {
	{ "name", "name", NULL, false, false },
	{ "id", "id", NULL, false, false },
	{ "state", "state", NULL, false, true },
	{ "image", "image", NULL, false, false },
	{ "address", "address", text_address, false, false },
	{ "ports", "ports", text_ports, false, false },
	{ "status", "uptime/exit", text_status, false, false },
	{ "pid", NULL, NULL, true, false },
	{ "created", NULL, NULL, false, false },
	{ "started", NULL, NULL, false, false },
	{ "command", NULL, text_command, false, false },
	{ "labels", NULL, text_labels, false, false },
	{ "remove", NULL, NULL, false, false },
	{ "error", NULL, NULL, false, false },
};
static const struct listing machines = { "machines", fields, ARRAY_SIZE(fields), "id",
					 "no machines here; make one: arnia run -it busybox" };

static int list_params(struct cli *c, json *p, struct error *err)
{
	json *names = json_new_arr(), *labels = json_new_arr();

	for (size_t i = 0; i < c->line.args.n; i++)
		json_push(names, json_new_str(c->line.args.v[i]));
	for (const struct opt_val *v = NULL; (v = opt_each(&c->line, O_LABEL, v));)
		json_push(labels, json_new_str(v->text));
	if (json_len(names))
		json_add(p, "names", json_ref(names));
	if (json_len(labels))
		json_add(p, "labels", json_ref(labels));
	json_unref(names);
	json_unref(labels);
	if (opt_flag(&c->line, O_RUNNING, false))
		json_add_bool(p, "running", true);
	for (size_t i = 0; i < c->line.args.n; i++)
		if (name_check(c->line.args.v[i], true, err) < 0)
			return err->code;
	return 0;
}

int cmd_list(struct cli *c)
{
	auto_json json *p = json_new_obj(), *reply = NULL;
	const json *rows = NULL;
	struct listing l = machines;
	struct error err;

	if (list_params(c, p, &err) < 0 || cli_call(c, "io.arnia.List", ptr_steal(&p), &reply, &err) < 0 ||
	    json_get_arr(reply, "machines", &rows, &err) < 0)
		return cli_fail(c, NULL, &err);
	/* Asked for some, and there are none: nothing to advise. */
	if (c->line.args.n || opt_get(&c->line, O_LABEL) || opt_get(&c->line, O_RUNNING))
		l.empty = "no machine matches";
	return out_rows(c, &l, rows);
}
