/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <string.h>
#include "cmd/arnia/cli.h"

/* What people look for first; the rest follows as the daemon has it. */
static const char *const first_members[] = { "name",	  "id",	     "state",	"error",   "image",
					     "pid",	  "command", "created", "started", "exit",
					     "addresses", "ports",   "labels" };

/* Of what was asked for, what is not told by the machine itself. */
static json *rest_of_spec(const json *spec, const json *machine)
{
	json *o = json_new_obj();

	for (struct json_iter it = json_iter(spec); json_next(&it);)
		if (!row_member(machine, it.key))
			json_add(o, it.key, json_ref((json *)it.value));
	return o;
}

static void add_for_people(json *o, const json *machine, const char *key, const json *value)
{
	bool remove = true;

	if (str_eq(key, "spec"))
		json_add(o, key, rest_of_spec(value, machine));
	else if (!str_eq(key, "remove") || json_get_bool(machine, key, &remove, NULL) < 0 || remove)
		json_add(o, key, json_ref((json *)value));
}

static json *ordered(const struct cli *c, const json *machine)
{
	json *o = json_new_obj();

	if (out_is_json(c))
		json_add_i64(o, "schema", JSON_SCHEMA);
	for (size_t i = 0; i < ARRAY_SIZE(first_members); i++) {
		const json *v = row_member(machine, first_members[i]);

		if (v)
			json_add(o, first_members[i], json_ref((json *)v));
	}
	for (struct json_iter it = json_iter(machine); json_next(&it);) {
		if (row_member(o, it.key))
			continue;
		if (out_is_json(c))
			json_add(o, it.key, json_ref((json *)it.value));
		else
			add_for_people(o, machine, it.key, it.value);
	}
	return o;
}

/* All of them: an error with one does not hide the others. */
static int inspect(struct cli *c, const struct strv *names, json *machines)
{
	int worst = 0;

	for (size_t i = 0; i < names->n; i++) {
		auto_json json *reply = NULL;
		const json *machine = NULL;
		struct error err;
		int code = 0;

		if (cli_call(c, "io.arnia.Inspect", name_params(names->v[i]), &reply, &err) < 0 ||
		    json_get_obj(reply, "machine", &machine, &err) < 0)
			code = cli_fail(c, names->v[i], &err);
		else if (machine)
			json_push(machines, ordered(c, machine));
		worst = MAX(worst, code);
		if (code && err.kind == ERR_UNREACHABLE)
			break;
	}
	return worst;
}

/* In JSON one object for each. */
static int print_machines(struct cli *c, const json *machines)
{
	struct strbuf b = { 0 };
	bool ok;

	for (size_t i = 0; i < json_len(machines); i++) {
		if (out_is_json(c)) {
			out_json_text(&b, json_at(machines, i), c->format == FORMAT_JSON);
			strbuf_add(&b, c->format == FORMAT_JSON ? "" : "\n");
			continue;
		}
		strbuf_add(&b, i ? "\n" : "");
		out_tree(&b, json_at(machines, i), 0);
	}
	ok = cli_write(c, b.s, b.len);
	strbuf_done(&b);
	return ok ? 0 : ERR_FAILED;
}

int cmd_info(struct cli *c)
{
	auto_json json *machines = json_new_arr();
	struct strv names = { 0 };
	struct error err;
	int code, shown;

	if (names_expand(c, 0, &names, &err) < 0)
		return cli_fail(c, NULL, &err);
	code = inspect(c, &names, machines);
	shown = print_machines(c, machines);
	return MAX(code, shown);
}

int cmd_explain(struct cli *c)
{
	auto_json json *reply = NULL;
	const char *name = c->line.args.v[0], *text = "";
	struct strbuf b = { 0 };
	struct error err;
	bool ok;

	if (name_check(name, false, &err) < 0 ||
	    cli_call(c, "io.arnia.Explain", name_params(name), &reply, &err) < 0 ||
	    json_get_str(reply, "text", &text, &err) < 0)
		return cli_fail(c, name, &err);
	if (out_is_json(c))
		return out_object(c, "text", json_new_str(text));
	out_lines(&b, text);
	ok = cli_write(c, b.s, b.len);
	strbuf_done(&b);
	return ok ? 0 : ERR_FAILED;
}
