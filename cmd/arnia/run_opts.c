/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include "cmd/arnia/cli.h"
#include "cmd/arnia/run_opts.h"
#include "lib/base/file.h"
#include "lib/base/parse.h"
#include "lib/base/path.h"

#define ENV_FILE_MAX (1u << 20)
#define PROFILE_MAX (512u << 10)

static const struct opt_def options[] = {
	{ O_NAME, 0, "name", OPT_TEXT, "NAME", "name of the machine (one is made up)", NULL },
	{ O_DETACH, 'd', "detach", OPT_FLAG, NULL, "do not attach; print the id", NULL },
	{ O_INTERACTIVE, 'i', "interactive", OPT_FLAG, NULL, "pass standard input on", NULL },
	{ O_TTY, 't', "tty", OPT_FLAG, NULL, "give it a terminal (on a terminal it gets one anyway)", NULL },
	{ O_NO_TTY, 'T', "no-tty", OPT_FLAG, NULL, "no terminal, whatever ours is", NULL },
	{ O_DETACH_KEYS, 0, "detach-keys", OPT_TEXT, "KEYS",
	  "keys that leave it running (ctrl-],ctrl-],ctrl-])", NULL },
	{ O_RM, 0, "rm ephemeral", OPT_FLAG, NULL, "remove it when it has ended", NULL },
	{ O_ENV, 'e', "env", OPT_TEXT, "K=V", "environment variable; K alone: ours", NULL },
	{ O_ENV_FILE, 0, "env-file", OPT_TEXT, "FILE", "environment variables, one a line", NULL },
	{ O_WORKDIR, 'w', "workdir cwd", OPT_TEXT, "DIR", "folder to start in", NULL },
	{ O_USER, 'u', "user", OPT_TEXT, "USER[:GROUP]", "user to run as", NULL },
	{ O_HOSTNAME, 'h', "hostname", OPT_TEXT, "NAME", "host name (the machine's name)", NULL },
	{ O_ENTRYPOINT, 0, "entrypoint", OPT_TEXT, "PROGRAM", "put before the command", NULL },
	{ O_PUBLISH, 'p', "publish port", OPT_TEXT, "[[IP:]HOST:]PORT[/udp]",
	  "publish a port, or a range A-B", NULL },
	{ O_NETWORK, 0, "network net", OPT_CHOICE, "MODE", "routed, none or host", "routed none host" },
	{ O_DNS, 0, "dns", OPT_TEXT, "IP", "name server", NULL },
	{ O_VOLUME, 'v', "volume", OPT_TEXT, "DIR:TARGET[:ro]",
	  "show a host folder or file inside (ro, rw, noidmap)", NULL },
	{ O_TMPFS, 0, "tmpfs", OPT_TEXT, "TARGET[:size=64M]", "empty file system in memory (size, mode)",
	  NULL },
	{ O_DEVICE, 0, "device", OPT_TEXT, "DEV[:AS][:rwm]", "device node", NULL },
	{ O_READ_ONLY, 0, "read-only", OPT_FLAG, NULL, "root file system read-only", NULL },
	{ O_CPUS, 0, "cpus", OPT_CPUS, "N", "CPU time, 1.5 or 150%", NULL },
	{ O_MEMORY, 'm', "memory mem", OPT_LIMIT, "SIZE", "memory", NULL },
	{ O_SWAP, 0, "swap", OPT_LIMIT, "SIZE", "swap", NULL },
	{ O_MEMORY_SWAP, 0, "memory-swap", OPT_LIMIT, "SIZE", "memory and swap together", NULL },
	{ O_PIDS, 0, "pids-limit pids", OPT_COUNT_LIMIT, "N", "processes and threads", NULL },
	{ O_ULIMIT, 0, "ulimit", OPT_TEXT, "NAME=SOFT[:HARD]", "resource limit of its processes", NULL },
	{ O_OOM_SCORE, 0, "oom-score-adj", OPT_INT, "N", "-1000 to 1000: whom the kernel kills first", NULL },
	{ O_CAP_ADD, 0, "cap-add", OPT_TEXT, "CAP", "capability to have, or ALL", NULL },
	{ O_CAP_DROP, 0, "cap-drop", OPT_TEXT, "CAP", "capability not to have, or ALL", NULL },
	{ O_SECURITY, 0, "security-opt", OPT_TEXT, "OPTION",
	  "no-new-privileges[=no], seccomp=FILE or a profile's name", NULL },
	{ O_SYSCTL, 0, "sysctl", OPT_TEXT, "K=V", "kernel parameter of its namespaces", NULL },
	{ O_INIT, 0, "init", OPT_FLAG, NULL, "a small init as process 1 (default)", NULL },
	{ O_NO_INIT, 0, "no-init", OPT_FLAG, NULL, "the command itself is process 1", NULL },
	{ O_SYSTEM, 0, "system image-init", OPT_FLAG, NULL, "the image's own init is process 1", NULL },
	{ O_TIME_NS, 0, "time-namespace time-ns", OPT_FLAG, NULL, "uptime of its own", NULL },
	{ O_STOP_SIGNAL, 0, "stop-signal", OPT_SIGNAL, "SIGNAL", "what stop sends first", NULL },
	{ O_STOP_TIMEOUT, 0, "stop-timeout", OPT_DURATION, "TIME",
	  "how long stop waits before the kill (10s)", NULL },
	{ O_RESTART, 0, "restart", OPT_CHOICE, "no", "no: it is not started again", "no" },
	{ O_LABEL, 'l', "label", OPT_TEXT, "K[=V]", "label, for list --label", NULL },
	{ O_LOG_MAX, 0, "log-max", OPT_SIZE, "SIZE", "kept output (8M); 0: none", NULL },
	{ O_DRY_RUN, 'n', "dry-run", OPT_FLAG, NULL, "print what would be asked for", NULL },
};
const struct opt_table machine_options = { options, ARRAY_SIZE(options) };

static int bad(struct error *err, const char *option, const char *value, const char *what)
{
	return err_set_kind(err, -EINVAL, ERR_USAGE, "%s: \"%.100s\": %s", option, value, what);
}

/* docker's format: K=V, or K to pass ours on (nothing when we have none). */
static void add_variable(struct arena *a, const char *text, struct strv *ret)
{
	const char *ours;

	if (strchr(text, '=')) {
		strv_push(a, ret, text);
		return;
	}
	ours = getenv(text);
	if (ours)
		strv_push(a, ret, arena_fmt(a, "%s=%s", text, ours));
}

static int add_env_file(const char *path, struct arena *a, struct strv *ret, struct error *err)
{
	auto_free char *text = NULL;
	char *line, *rest;

	if (file_read_named(path, ENV_FILE_MAX, &text, err) < 0)
		return err_prefix(err, "--env-file");
	if (!utf8_valid(text, strlen(text)))
		return bad(err, "--env-file", path, "not UTF-8 text");
	for (rest = text; (line = strsep(&rest, "\n"));) {
		line += strspn(line, " \t");
		line[strcspn(line, "\r")] = '\0';
		if (*line == '=')
			return bad(err, "--env-file", line, "expected NAME=VALUE");
		if (*line && *line != '#')
			add_variable(a, line, ret);
	}
	return 0;
}

int env_add(const struct opt_line *line, struct arena *a, struct strv *ret, struct error *err)
{
	int r = 0;

	for (const struct opt_val *v = NULL; r >= 0 && (v = opt_each(line, O_ENV_FILE, v));)
		r = add_env_file(v->text, a, ret, err);
	for (const struct opt_val *v = NULL; r >= 0 && (v = opt_each(line, O_ENV, v));) {
		if (!*v->text || *v->text == '=')
			return bad(err, "-e", v->text, "expected NAME=VALUE");
		add_variable(a, v->text, ret);
	}
	return MIN(r, 0);
}

/* Text options that may come many times, as an array of strings. */
static void add_texts(const struct cli *c, json *spec, const char *key, enum opt_id id)
{
	struct arena a = { 0 };
	struct strv sv = { 0 };

	for (const struct opt_val *v = NULL; (v = opt_each(&c->line, id, v));)
		strv_push(&a, &sv, v->text);
	if (sv.n)
		json_add_strv(spec, key, &sv);
	arena_done(&a);
}

/* "K=V" (with `alone`, also "K") as members of an object. */
static int add_pairs(const struct cli *c, json *spec, const char *key, enum opt_id id, bool alone,
		     struct error *err)
{
	const char *shown = id == O_LABEL ? "--label" : "--sysctl";
	json *o = NULL;

	for (const struct opt_val *v = NULL; (v = opt_each(&c->line, id, v));) {
		const char *equal = strchr(v->text, '=');
		auto_free char *k = str_dup_n(v->text, equal ? (size_t)(equal - v->text) : strlen(v->text));

		if (!*k || (!equal && !alone)) {
			json_unref(o);
			return bad(err, shown, v->text, "expected KEY=VALUE");
		}
		if (!o)
			o = json_new_obj();
		json_add_str(o, k, equal ? equal + 1 : "");
	}
	if (o)
		json_add(spec, key, o);
	return 0;
}

static int add_array(const struct cli *c, json *spec, const char *key, enum opt_id id,
		     int (*parse)(const char *text, json *arr, struct error *err), struct error *err)
{
	auto_json json *arr = json_new_arr();
	int r = 0;

	for (const struct opt_val *v = NULL; r == 0 && (v = opt_each(&c->line, id, v));)
		r = parse(v->text, arr, err);
	if (r == 0 && json_len(arr))
		json_add(spec, key, ptr_steal(&arr));
	return r;
}

static int add_mounts(const struct cli *c, json *spec, struct error *err)
{
	auto_json json *arr = json_new_arr();
	int r = 0;

	for (const struct opt_val *v = NULL; r == 0 && (v = opt_each(&c->line, O_VOLUME, v));)
		r = parse_volume(v->text, arr, err);
	for (const struct opt_val *v = NULL; r == 0 && (v = opt_each(&c->line, O_TMPFS, v));)
		r = parse_tmpfs(v->text, arr, err);
	if (r == 0 && json_len(arr))
		json_add(spec, "mounts", ptr_steal(&arr));
	return r;
}

/* A profile's name, or the text of the file. */
static int add_seccomp(json *spec, const char *value, struct error *err)
{
	static const char names[] = "default strict unconfined";
	auto_free char *text = NULL;

	if (word_in(names, value, strlen(value))) {
		json_add_str(spec, "seccomp", value);
		return 0;
	}
	if (file_read_named(value, PROFILE_MAX, &text, err) < 0)
		return err_prefix(err, "--security-opt seccomp");
	json_add_str(spec, "seccomp", text);
	return 0;
}

static int add_security(const struct cli *c, json *spec, struct error *err)
{
	int r = 0;

	for (const struct opt_val *v = NULL; r == 0 && (v = opt_each(&c->line, O_SECURITY, v));) {
		size_t n = strcspn(v->text, "=:");
		const char *value = v->text[n] ? v->text + n + 1 : "yes";
		bool on = true;

		if (word_in("seccomp", v->text, n))
			r = add_seccomp(spec, value, err);
		else if (word_in("no-new-privileges", v->text, n) && parse_bool(value, &on) == 0)
			json_add_bool(spec, "noNewPrivs", on);
		else
			r = bad(err, "--security-opt", v->text, "expected seccomp=FILE or no-new-privileges");
	}
	return r;
}

/* docker's --memory-swap is both together; ours is swap alone. */
static int add_swap(const struct cli *c, json *spec, struct error *err)
{
	uint64_t memory = opt_num(&c->line, O_MEMORY, OPT_UNLIMITED),
		 both = opt_num(&c->line, O_MEMORY_SWAP, 0);

	if (!opt_get(&c->line, O_MEMORY_SWAP))
		return 0;
	if (both == OPT_UNLIMITED) {
		json_add_i64(spec, "swap", -1);
		return 0;
	}
	if (memory == OPT_UNLIMITED || both < memory)
		return err_set_kind(err, -EINVAL, ERR_USAGE,
				    "--memory-swap: needs --memory, and at least as much as it");
	json_add_u64(spec, "swap", both - memory);
	return 0;
}

static void add_plain(const struct cli *c, json *spec)
{
	static const struct {
		enum opt_id id;
		const char *key;
	} rows[] = {
		{ O_WORKDIR, "workdir" },
		{ O_USER, "user" },
		{ O_HOSTNAME, "hostname" },
		{ O_RM, "remove" },
		{ O_READ_ONLY, "readOnly" },
		{ O_NO_INIT, "noInit" },
		{ O_SYSTEM, "imageInit" },
		{ O_TIME_NS, "timeNamespace" },
		{ O_MEMORY, "memory" },
		{ O_SWAP, "swap" },
		{ O_PIDS, "pids" },
		{ O_NETWORK, "network" },
		{ O_OOM_SCORE, "oomScoreAdj" },
		{ O_STOP_SIGNAL, "stopSignal" },
		{ O_STOP_TIMEOUT, "stopTimeout" },
		{ O_LOG_MAX, "logMax" },
		{ O_RESTART, "restart" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct opt_val *v = opt_get(&c->line, rows[i].id);
		enum opt_type type = v ? v->def->type : OPT_TEXT;

		if (!v)
			continue;
		if (type == OPT_FLAG)
			json_add_bool(spec, rows[i].key, v->num);
		else if (type == OPT_TEXT || type == OPT_CHOICE || type == OPT_SIGNAL)
			json_add_str(spec, rows[i].key, v->text);
		else if ((type == OPT_LIMIT || type == OPT_COUNT_LIMIT) && v->num == OPT_UNLIMITED)
			json_add_i64(spec, rows[i].key, -1);
		else
			json_add_i64(spec, rows[i].key, (int64_t)v->num);
	}
	if (opt_get(&c->line, O_CPUS))
		json_add(spec, "cpus", json_new_num((double)opt_num(&c->line, O_CPUS, 0) / 1000));
	if (opt_get(&c->line, O_INIT) && !opt_get(&c->line, O_NO_INIT))
		json_add_bool(spec, "noInit", !opt_flag(&c->line, O_INIT, true));
}

static int add_command(const struct cli *c, json *spec, size_t at, struct error *err)
{
	const char *entry = opt_text(&c->line, O_ENTRYPOINT);
	struct strv env = { 0 }, command = { 0 };
	struct arena a = { 0 };
	int r = env_add(&c->line, &a, &env, err);

	if (!str_is_empty(entry))
		strv_push(&a, &command, entry);
	for (size_t i = at; i < c->line.args.n; i++)
		strv_push(&a, &command, c->line.args.v[i]);
	if (command.n)
		json_add_strv(spec, "command", &command);
	if (env.n)
		json_add_strv(spec, "env", &env);
	arena_done(&a);
	return r;
}

int run_spec(const struct cli *c, const char *image, const char *name, size_t command_at, json **ret,
	     struct error *err)
{
	auto_json json *spec = json_new_obj();
	int r;

	json_add_str(spec, "image", image);
	json_add_str(spec, "name", name);
	add_plain(c, spec);
	add_texts(c, spec, "dns", O_DNS);
	add_texts(c, spec, "capAdd", O_CAP_ADD);
	add_texts(c, spec, "capDrop", O_CAP_DROP);
	add_texts(c, spec, "devices", O_DEVICE);
	r = add_command(c, spec, command_at, err);
	if (r == 0)
		r = add_swap(c, spec, err);
	if (r == 0)
		r = add_mounts(c, spec, err);
	if (r == 0)
		r = add_array(c, spec, "ports", O_PUBLISH, parse_publish, err);
	if (r == 0)
		r = add_array(c, spec, "rlimits", O_ULIMIT, parse_ulimit, err);
	if (r == 0)
		r = add_pairs(c, spec, "sysctls", O_SYSCTL, false, err);
	if (r == 0)
		r = add_pairs(c, spec, "labels", O_LABEL, true, err);
	if (r == 0)
		r = add_security(c, spec, err);
	if (r < 0)
		return r;
	*ret = ptr_steal(&spec);
	return 0;
}
