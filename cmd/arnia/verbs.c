/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>
#include "cmd/arnia/cli.h"

#define ANY UINT32_MAX
#define NO_OPTIONS                                                                                           \
	{                                                                                                    \
		{                                                                                            \
			NULL, 0                                                                              \
		}                                                                                            \
	}
#define OPTIONS(a)                                                                                           \
	{                                                                                                    \
		OPT_TABLE(a)                                                                                 \
	}

static const struct opt_def globals[] = {
	{ O_FORMAT, 'f', "format", OPT_CHOICE, "FORMAT", "table, json, jsonl, csv or plain",
	  "table json jsonl csv plain" },
	{ O_FIELDS, 'o', "output fields", OPT_TEXT, "FIELD,...", "fields to print", NULL },
	{ O_SORT, 's', "sort", OPT_TEXT, "[-]FIELD", "order by a field; -: downwards", NULL },
	{ O_NO_HEADER, 0, "no-header", OPT_FLAG, NULL, "no line of titles", NULL },
	{ O_QUIET, 'q', "quiet", OPT_FLAG, NULL, "ids only; no remarks", NULL },
	{ O_YES, 'y', "yes", OPT_FLAG, NULL, "do not ask", NULL },
	{ O_TIMEOUT, 0, "timeout", OPT_DURATION, "TIME", "wait no longer for an answer (exit code 7)", NULL },
	{ O_JOBS, 'j', "jobs", OPT_COUNT, "N", "names to work on at once (4)", NULL },
	{ O_IDEMPOTENT, 0, "idempotent", OPT_FLAG, NULL, "succeed when it is so already", NULL },
	{ O_NO_START, 0, "no-start", OPT_FLAG, NULL, "do not start the daemon", NULL },
	{ O_COLOR, 0, "color", OPT_CHOICE, "WHEN", "auto, always or never", "auto always never" },
	{ O_JSON_ERRORS, 0, "json-errors", OPT_FLAG, NULL, "errors as JSON objects", NULL },
	{ O_VERBOSE, 'v', "verbose", OPT_FLAG, NULL, "say more about errors", NULL },
	{ O_HELP, 'h', "help", OPT_FLAG, NULL, "this text", NULL },
	{ O_VERSION, 'V', "version", OPT_FLAG, NULL, NULL, NULL },
};
const struct opt_table global_options = OPT_TABLE(globals);

static const struct opt_def create_options[] = {
	{ O_TEMPLATE, 't', "template image", OPT_TEXT, "IMAGE", "what to make it from", NULL },
};
static const struct opt_def start_options[] = {
	{ O_ATTACH, 'a', "attach", OPT_FLAG, NULL, "attach to it (one machine)", NULL },
	{ O_DETACH_KEYS, 0, "detach-keys", OPT_TEXT, "KEYS",
	  "keys that leave it running (ctrl-],ctrl-],ctrl-])", NULL },
};
static const struct opt_def stop_options[] = {
	{ O_TIME, 't', "time timeout", OPT_DURATION, "TIME",
	  "how long it has before it is killed (its own, or 10s)", NULL },
	{ O_SIGNAL, 's', "signal", OPT_SIGNAL, "SIGNAL", "what to send first", NULL },
};
static const struct opt_def restart_options[] = {
	{ O_TIME, 't', "time timeout", OPT_DURATION, "TIME",
	  "how long it has before it is killed (its own, or 10s)", NULL },
};
static const struct opt_def kill_options[] = {
	{ O_SIGNAL, 's', "signal", OPT_SIGNAL, "SIGNAL",
	  "KILL (default) goes to all its processes, others to the first", NULL },
};
static const struct opt_def rm_options[] = {
	{ O_FORCE, 'f', "force", OPT_FLAG, NULL, "kill it first when it runs; do not ask", NULL },
};
static const struct opt_def wait_options[] = {
	{ O_CONDITION, 0, "condition", OPT_CHOICE, "STATE", "stopped (default), running or removed",
	  "stopped running removed" },
};
static const struct opt_def list_options[] = {
	{ O_RUNNING, 'r', "running", OPT_FLAG, NULL, "running ones only", NULL },
	{ O_LABEL, 'l', "label", OPT_TEXT, "K[=V]", "those that carry the label", NULL },
	{ O_ALL, 'a', "all", OPT_FLAG, NULL, NULL, NULL }, /* docker's; all are shown anyway */
};
static const struct opt_def exec_options[] = {
	{ O_INTERACTIVE, 'i', "interactive", OPT_FLAG, NULL,
	  "taken for docker's fingers: input is always passed on", NULL },
	{ O_TTY, 't', "tty", OPT_FLAG, NULL, "give it a terminal (on a terminal it gets one anyway)", NULL },
	{ O_NO_TTY, 'T', "no-tty", OPT_FLAG, NULL, "no terminal, whatever ours is", NULL },
	{ O_DETACH, 'd', "detach", OPT_FLAG, NULL, "do not wait for it", NULL },
	{ O_ENV, 'e', "env", OPT_TEXT, "K=V", "environment variable; K alone: ours", NULL },
	{ O_ENV_FILE, 0, "env-file", OPT_TEXT, "FILE", "environment variables, one a line", NULL },
	{ O_WORKDIR, 'w', "workdir cwd", OPT_TEXT, "DIR", "folder to start in", NULL },
	{ O_USER, 'u', "user", OPT_TEXT, "USER[:GROUP]", "user to run as", NULL },
	{ O_DETACH_KEYS, 0, "detach-keys", OPT_TEXT, "KEYS",
	  "keys that leave it running (ctrl-],ctrl-],ctrl-])", NULL },
};
static const struct opt_def console_options[] = {
	{ O_NO_INPUT, 0, "no-input no-stdin", OPT_FLAG, NULL, "watch only", NULL },
	{ O_DETACH_KEYS, 0, "detach-keys", OPT_TEXT, "KEYS",
	  "keys that leave it running (ctrl-],ctrl-],ctrl-])", NULL },
};
static const struct opt_def logs_options[] = {
	{ O_FOLLOW, 'f', "follow", OPT_FLAG, NULL, "go on until the machine stops", NULL },
	{ O_TAIL, 'n', "tail", OPT_TEXT, "LINES", "the last lines only", NULL },
	{ O_SINCE, 0, "since", OPT_TEXT, "TIME", "from a time on: 10m, @SECONDS, 2026-01-31T12:00:00Z",
	  NULL },
	{ O_UNTIL, 0, "until", OPT_TEXT, "TIME", "up to a time", NULL },
	{ O_TIMESTAMPS, 't', "timestamps", OPT_FLAG, NULL, "the time before each line", NULL },
};
static const struct opt_def events_options[] = {
	{ O_SINCE, 0, "since", OPT_TEXT, "WHEN", "past ones: after a sequence number, or a time", NULL },
	{ O_FOLLOW, 0, "follow", OPT_FLAG, NULL, "wait for new ones (without --since it does)", NULL },
};
static const struct opt_def shutdown_options[] = {
	{ O_KILL, 0, "kill", OPT_FLAG, NULL, "kill the machines that run", NULL },
};
static const struct opt_def version_options[] = {
	{ O_CLIENT, 0, "client", OPT_FLAG, NULL, "of this program only", NULL },
};

static const struct verb image_verbs[] = {
	{ "list", "ls", "", "list images, built or not", NULL, NO_OPTIONS, false, true, false, 0, 0,
	  COMPLETES_NOTHING, cmd_image_list, NULL, 0 },
	{ "build", NULL, "IMAGE...", "build images", NULL, NO_OPTIONS, false, false, false, 1, ANY, COMPLETES_IMAGES,
	  cmd_image_build, NULL, 0 },
	{ "info", "inspect", "IMAGE", "what an image is made of", NULL, NO_OPTIONS, false, false, false, 1, 1,
	  COMPLETES_IMAGES, cmd_image_info, NULL, 0 },
	{ "rm", "remove delete", "IMAGE...", "remove built images", NULL, NO_OPTIONS, false, false, false, 1, ANY,
	  COMPLETES_IMAGES, cmd_image_rm, NULL, 0 },
};
static const struct verb host_verbs[] = {
	{ "info", NULL, "", "what this host can do", NULL, NO_OPTIONS, false, false, false, 0, 0, COMPLETES_NOTHING,
	  cmd_host_info, NULL, 0 },
	{ "doctor", NULL, "", "what is missing on this host; exit code 1 when there is a problem", NULL,
	  NO_OPTIONS, false, true, false, 0, 0, COMPLETES_NOTHING, cmd_host_doctor, NULL, 0 },
	{ "shutdown", NULL, "", "end the daemon and the keeper, and take away what they made", NULL,
	  OPTIONS(shutdown_options), false, false, false, 0, 0, COMPLETES_NOTHING, cmd_host_shutdown, NULL, 0 },
};

const struct verb verbs[] = {
	{ .name = "run",
	  .usage = "[OPTIONS] IMAGE [COMMAND...]",
	  .help = "make a machine, start it, and attach to it",
	  .stop = true,
	  .guest = true,
	  .more = "Options end at the image. The exit code is the command's, or 128 and its signal;\n"
		  "125: arnia failed, 126: the command cannot be run, 127: there is no such command.",
	  .min = 1,
	  .max = ANY,
	  .completes = COMPLETES_IMAGES,
	  .fn = cmd_run },
	{ .name = "create",
	  .usage = "NAME -t IMAGE [OPTIONS] [-- COMMAND...]",
	  .help = "make a machine and do not start it",
	  .more = "Also: create [OPTIONS] [--name NAME] IMAGE [COMMAND...]",
	  .max = ANY,
	  .completes = COMPLETES_IMAGES,
	  .tables = OPTIONS(create_options),
	  .fn = cmd_create },
	{ .name = "launch",
	  .usage = "IMAGE [NAME] [OPTIONS] [-- COMMAND...]",
	  .help = "make a machine and start it, detached",
	  .min = 1,
	  .max = ANY,
	  .completes = COMPLETES_IMAGES,
	  .fn = cmd_launch },
	{ .name = "start",
	  .aliases = "boot",
	  .usage = "NAME...",
	  .help = "start stopped machines",
	  .min = 1,
	  .max = ANY,
	  .completes = COMPLETES_MACHINES,
	  .tables = OPTIONS(start_options),
	  .fn = cmd_start },
	{ .name = "stop",
	  .aliases = "poweroff",
	  .usage = "NAME...",
	  .help = "stop machines: a signal, and after a time a kill",
	  .min = 1,
	  .max = ANY,
	  .completes = COMPLETES_MACHINES,
	  .tables = OPTIONS(stop_options),
	  .fn = cmd_stop },
	{ .name = "restart",
	  .aliases = "reboot",
	  .usage = "NAME...",
	  .help = "stop and start machines",
	  .min = 1,
	  .max = ANY,
	  .completes = COMPLETES_MACHINES,
	  .tables = OPTIONS(restart_options),
	  .fn = cmd_restart },
	{ .name = "kill",
	  .usage = "NAME...",
	  .help = "send a signal",
	  .min = 1,
	  .max = ANY,
	  .completes = COMPLETES_MACHINES,
	  .tables = OPTIONS(kill_options),
	  .fn = cmd_kill },
	{ .name = "pause",
	  .aliases = "freeze",
	  .usage = "NAME...",
	  .help = "freeze all processes of machines",
	  .min = 1,
	  .max = ANY,
	  .completes = COMPLETES_MACHINES,
	  .fn = cmd_pause },
	{ .name = "resume",
	  .aliases = "unpause",
	  .usage = "NAME...",
	  .help = "let paused machines go on",
	  .min = 1,
	  .max = ANY,
	  .completes = COMPLETES_MACHINES,
	  .fn = cmd_resume },
	{ .name = "rm",
	  .aliases = "remove delete destroy",
	  .usage = "NAME...",
	  .help = "remove machines with their files",
	  .min = 1,
	  .max = ANY,
	  .completes = COMPLETES_MACHINES,
	  .tables = OPTIONS(rm_options),
	  .fn = cmd_rm },
	{ .name = "wait",
	  .usage = "NAME...",
	  .help = "wait until machines have stopped; print their exit codes",
	  .min = 1,
	  .max = ANY,
	  .completes = COMPLETES_MACHINES,
	  .tables = OPTIONS(wait_options),
	  .fn = cmd_wait },
	{ .name = "rename",
	  .usage = "NAME NEW",
	  .help = "give a machine another name",
	  .min = 2,
	  .max = 2,
	  .completes = COMPLETES_MACHINES,
	  .fn = cmd_rename },
	{ .name = "list",
	  .aliases = "ls ps",
	  .usage = "[NAME...]",
	  .help = "list machines, running or not",
	  .max = ANY,
	  .more = "Fields: name id state image address ports status pid created started command labels "
		  "remove error",
	  .completes = COMPLETES_MACHINES,
	  .tables = OPTIONS(list_options),
	  .table = true,
	  .fn = cmd_list },
	{ .name = "info",
	  .aliases = "inspect",
	  .usage = "NAME...",
	  .help = "all about machines",
	  .min = 1,
	  .max = ANY,
	  .completes = COMPLETES_MACHINES,
	  .fn = cmd_info },
	{ .name = "explain",
	  .usage = "NAME",
	  .help = "how a machine was set up, step by step, and what the kernel has",
	  .min = 1,
	  .max = 1,
	  .completes = COMPLETES_MACHINES,
	  .fn = cmd_explain },
	{ .name = "exec",
	  .usage = "[OPTIONS] NAME COMMAND...",
	  .help = "run a program in a machine",
	  .stop = true,
	  .guest = true,
	  .more = "Options end at the name. Exit codes as of run.",
	  .min = 1,
	  .max = ANY,
	  .completes = COMPLETES_MACHINES,
	  .tables = OPTIONS(exec_options),
	  .fn = cmd_exec },
	{ .name = "shell",
	  .aliases = "enter",
	  .usage = "[OPTIONS] [USER@]NAME",
	  .help = "login shell in a machine",
	  .guest = true,
	  .min = 1,
	  .max = 1,
	  .completes = COMPLETES_MACHINES,
	  .tables = OPTIONS(exec_options),
	  .fn = cmd_shell },
	{ .name = "console",
	  .aliases = "attach",
	  .usage = "NAME",
	  .help = "join a machine's console or output",
	  .min = 1,
	  .max = 1,
	  .more = "Ctrl-] three times within a second leaves. When the machine ends, its exit code is ours.",
	  .completes = COMPLETES_MACHINES,
	  .tables = OPTIONS(console_options),
	  .fn = cmd_console },
	{ .name = "logs",
	  .aliases = "log",
	  .usage = "NAME",
	  .help = "what a machine has written",
	  .min = 1,
	  .max = 1,
	  .completes = COMPLETES_MACHINES,
	  .tables = OPTIONS(logs_options),
	  .fn = cmd_logs },
	{ .name = "events",
	  .usage = "[NAME...]",
	  .help = "what happens, as it happens",
	  .max = ANY,
	  .completes = COMPLETES_MACHINES,
	  .tables = OPTIONS(events_options),
	  .fn = cmd_events },
	{ .name = "image",
	  .aliases = "images template",
	  .usage = "list|build|info|rm",
	  .help = "images to make machines from",
	  .verbs = image_verbs,
	  .n_verbs = ARRAY_SIZE(image_verbs) },
	{ .name = "host",
	  .usage = "info|doctor|shutdown",
	  .help = "this host",
	  .verbs = host_verbs,
	  .n_verbs = ARRAY_SIZE(host_verbs) },
	{ .name = "version",
	  .usage = "",
	  .help = "versions of arnia and its daemon",
	  .tables = OPTIONS(version_options),
	  .fn = cmd_version },
	{ .name = "help",
	  .usage = "[VERB...]",
	  .help = "what there is, or all about a verb",
	  .max = 2,
	  .completes = COMPLETES_VERBS,
	  .fn = cmd_help },
	{ .name = "completion",
	  .usage = "bash|zsh|fish",
	  .help = "completion script for a shell",
	  .min = 1,
	  .max = 1,
	  .completes = COMPLETES_SHELLS,
	  .fn = cmd_completion },
};
const size_t verbs_n = ARRAY_SIZE(verbs);

const struct verb *verb_find(const struct verb *list, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (str_eq(list[i].name, name) || word_in(list[i].aliases, name, strlen(name)))
			return &list[i];
	return NULL;
}

int verb_unknown(const struct cli *c, const struct verb *list, size_t n, const char *name)
{
	struct suggestion s = { .typed = name };

	for (size_t i = 0; i < n; i++) {
		suggest_words(&s, list[i].name);
		suggest_words(&s, list[i].aliases);
	}
	if (!s.n)
		return cli_usage(c, "no such verb: %.100s", name);
	return cli_usage(c, "no such verb: %.100s; did you mean %.*s?", name, (int)s.n, s.word);
}

const char *verb_path(const struct verb *v, struct arena *a)
{
	for (size_t i = 0; i < verbs_n; i++)
		if (v >= verbs[i].verbs && v < verbs[i].verbs + verbs[i].n_verbs)
			return arena_fmt(a, "%s %s", verbs[i].name, v->name);
	return v->name;
}

struct opt_syntax verb_syntax(const struct verb *v, struct opt_table tables[4])
{
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_SIZE(v->tables); i++)
		if (v->tables[i].n)
			tables[n++] = v->tables[i];
	/* A machine's options are a table of their own file. */
	if (v->fn == cmd_run || v->fn == cmd_create || v->fn == cmd_launch)
		tables[n++] = machine_options;
	return (struct opt_syntax){ tables, n, v->stop };
}
