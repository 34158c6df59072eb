/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <poll.h>
#include <string.h>
#include "cmd/arnia/cli.h"
#include "lib/base/fd.h"
#include "lib/base/proc.h"
#include "lib/base/version.h"

#define END_MS 5000

static const struct field check_fields[] = {
	{ "level", "level", NULL, false, true },
	{ "name", "check", NULL, false, false },
	{ "text", "result", NULL, false, false },
	{ "hint", NULL, NULL, false, false },
};
static const struct listing checks = { "checks", check_fields, ARRAY_SIZE(check_fields), "name",
				       "nothing was checked" };

int cmd_host_info(struct cli *c)
{
	auto_json json *reply = NULL;
	const json *info = NULL;
	struct strbuf b = { 0 };
	struct error err;
	bool ok;

	if (cli_call(c, "io.arnia.HostInfo", NULL, &reply, &err) < 0 ||
	    json_get_obj(reply, "info", &info, &err) < 0)
		return cli_fail(c, NULL, &err);
	if (out_is_json(c))
		return out_object(c, "info", json_ref((json *)info));
	out_tree(&b, info, 0);
	ok = cli_write(c, b.s, b.len);
	strbuf_done(&b);
	return ok ? 0 : ERR_FAILED;
}

/* Hints do not fit in a column. One that several checks share is said once. */
static void show_hints(const struct cli *c, const json *rows)
{
	const char *last = NULL;

	for (size_t i = 0; i < json_len(rows); i++) {
		const char *name = NULL, *hint = NULL, *level = NULL;

		json_get_str(json_at(rows, i), "name", &name, NULL);
		json_get_str(json_at(rows, i), "hint", &hint, NULL);
		json_get_str(json_at(rows, i), "level", &level, NULL);
		if (!hint || str_eq(level, "ok") || str_eq(hint, last))
			continue;
		cli_note(c, name, "%s", hint);
		last = hint;
	}
}

int cmd_host_doctor(struct cli *c)
{
	auto_json json *reply = NULL;
	const json *rows = NULL;
	bool problem = false;
	struct error err;
	int code;

	if (cli_call(c, "io.arnia.HostDoctor", NULL, &reply, &err) < 0 ||
	    json_get_arr(reply, "checks", &rows, &err) < 0)
		return cli_fail(c, NULL, &err);
	for (size_t i = 0; i < json_len(rows); i++) {
		const char *level = NULL;

		json_get_str(json_at(rows, i), "level", &level, NULL);
		problem = problem || str_eq(level, "problem");
	}
	code = out_rows(c, &checks, rows);
	if (c->format == FORMAT_TABLE && !c->quiet)
		show_hints(c, rows);
	return problem ? ERR_FAILED : code;
}

/* Its pidfd, or -1 when the daemon has none at the moment. */
static int open_keeper(struct cli *c, int *ret, struct error *err)
{
	auto_json json *reply = NULL;
	int64_t pid = 0;
	int r = cli_call(c, "io.arnia.Version", NULL, &reply, err);

	if (r == 0 && json_get_i64(reply, "keeper", &pid, NULL) > 0 && pid > 0)
		*ret = proc_pidfd_open((pid_t)pid);
	return r;
}

/* The keeper answers first and ends then. The next command must find it gone, not going. */
static void wait_for_end(int keeper)
{
	struct pollfd p = { .fd = keeper, .events = POLLIN };

	if (keeper >= 0)
		(void)poll(&p, 1, END_MS);
}

int cmd_host_shutdown(struct cli *c)
{
	auto_json json *p = json_new_obj(), *reply = NULL;
	bool kill = opt_flag(&c->line, O_KILL, false);
	auto_fd int keeper = -1;
	struct error err;

	if (!cli_confirm(c, "end the daemon and the keeper of this host%s?",
			 kill ? ", and kill all machines" : ""))
		return ERR_FAILED;
	if (kill)
		json_add_bool(p, "kill", true);
	/* What does not run need not be started to be ended. */
	c->no_start = true;
	if (open_keeper(c, &keeper, &err) == 0 &&
	    cli_call(c, "io.arnia.HostShutdown", ptr_steal(&p), &reply, &err) == 0) {
		wait_for_end(keeper);
		return 0;
	}
	if (c->idempotent && err.kind == ERR_UNREACHABLE)
		return 0;
	return cli_fail(c, NULL, &err);
}

/* Ours, and the daemon's when one runs. */
int cmd_version(struct cli *c)
{
	auto_json json *o = json_new_obj(), *reply = NULL;
	struct strbuf b = { 0 };
	struct error err;
	bool ok;

	c->no_start = true;
	if (out_is_json(c))
		json_add_i64(o, "schema", JSON_SCHEMA);
	json_add_str(o, "client", ARNIA_VERSION);
	if (!opt_flag(&c->line, O_CLIENT, false) && cli_call(c, "io.arnia.Version", NULL, &reply, &err) < 0 &&
	    err.kind != ERR_UNREACHABLE)
		return cli_fail(c, NULL, &err);
	for (struct json_iter it = json_iter(reply); json_next(&it);)
		json_add(o, !out_is_json(c) && str_eq(it.key, "version") ? "daemon" : it.key,
			 json_ref((json *)it.value));
	if (out_is_json(c))
		return out_json(c, o, c->format == FORMAT_JSON);
	out_tree(&b, o, 0);
	ok = cli_write(c, b.s, b.len);
	strbuf_done(&b);
	return ok ? 0 : ERR_FAILED;
}
