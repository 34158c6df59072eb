/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <string.h>
#include "cmd/arnia/attach.h"

/* Verbs that ask one thing of each named machine. */

static void add_time(const struct cli *c, json *p)
{
	if (opt_get(&c->line, O_TIME))
		json_add_u64(p, "timeout", opt_num(&c->line, O_TIME, 0));
}

static void stop_params(const struct cli *c, json *p)
{
	add_time(c, p);
	json_add_str(p, "signal", opt_text(&c->line, O_SIGNAL));
}

static int stop_done(struct cli *c, const char *name, const json *reply)
{
	bool killed = false;

	if (json_get_bool(reply, "killed", &killed, NULL) > 0 && killed)
		cli_note(c, name, "did not end in time and was killed");
	return 0;
}

int cmd_stop(struct cli *c)
{
	static const struct each stop = { .method = "io.arnia.Stop", .params = stop_params, .done = stop_done, .wanted = "stopped failed suspended" };

	return each_run(c, &stop);
}

int cmd_restart(struct cli *c)
{
	static const struct each restart = { .method = "io.arnia.Restart", .params = add_time };

	return each_run(c, &restart);
}

static void kill_params(const struct cli *c, json *p)
{
	json_add_str(p, "signal", opt_text(&c->line, O_SIGNAL) ?: "KILL");
}

int cmd_kill(struct cli *c)
{
	static const struct each kill = { .method = "io.arnia.Kill", .params = kill_params, .wanted = "stopped failed" };

	return each_run(c, &kill);
}

int cmd_pause(struct cli *c)
{
	static const struct each pause = { .method = "io.arnia.Pause", .wanted = "paused" };

	return each_run(c, &pause);
}

int cmd_resume(struct cli *c)
{
	static const struct each resume = { .method = "io.arnia.Resume", .wanted = "running" };

	return each_run(c, &resume);
}

static void rm_params(const struct cli *c, json *p)
{
	if (opt_flag(&c->line, O_FORCE, false))
		json_add_bool(p, "force", true);
}

int cmd_rm(struct cli *c)
{
	static const struct each rm = { .method = "io.arnia.Remove", .params = rm_params, .wanted = "gone" };
	struct strv names = { 0 };
	struct strbuf all = { 0 };
	struct error err;
	bool go;

	if (names_expand(c, 0, &names, &err) < 0)
		return cli_fail(c, NULL, &err);
	for (size_t i = 0; i < names.n; i++)
		strbuf_addf(&all, "%s%s", i ? ", " : "", names.v[i]);
	go = opt_flag(&c->line, O_FORCE, false) ||
	     cli_confirm(c, "remove %s with all files in %s?", strbuf_cstr(&all),
			 names.n > 1 ? "them" : "it");
	strbuf_done(&all);
	return go ? each_names(c, &rm, &names) : ERR_FAILED;
}

static void wait_params(const struct cli *c, json *p)
{
	json_add_str(p, "condition", opt_text(&c->line, O_CONDITION));
}

/* docker's: the exit code of the machine, one a line; 128 and the signal. */
static int wait_done(struct cli *c, const char *name, const json *reply)
{
	const json *exit = NULL;
	struct strbuf b = { 0 };
	int code;
	bool ok;

	(void)name;
	json_get_obj(reply, "exit", &exit, NULL);
	if (!exit)
		return 0;
	code = exit_code_of(exit);
	strbuf_addf(&b, code < 0 ? "unknown\n" : "%d\n", code);
	ok = cli_write(c, b.s, b.len);
	strbuf_done(&b);
	return ok ? 0 : ERR_FAILED;
}

int cmd_wait(struct cli *c)
{
	static const struct each wait = { .method = "io.arnia.Wait", .params = wait_params, .done = wait_done, .asks = true };

	return each_run(c, &wait);
}

int cmd_rename(struct cli *c)
{
	const char *name = c->line.args.v[0], *new_name = c->line.args.v[1];
	auto_json json *p = name_params(name), *reply = NULL;
	struct error err;

	json_add_str(p, "newName", new_name);
	if (name_check(name, false, &err) < 0 || name_check(new_name, false, &err) < 0 ||
	    cli_call(c, "io.arnia.Rename", ptr_steal(&p), &reply, &err) < 0)
		return cli_fail(c, name, &err);
	return 0;
}
