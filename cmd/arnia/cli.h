/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef ARNIA_CLI_CLI_H
#define ARNIA_CLI_CLI_H
/*
 * arnia: the command line. A table of verbs (verbs.c) says what there is; each handler makes one request of
 * the daemon over one connection and prints the answer.
 */
#include <stdbool.h>
#include <stdint.h>
#include "cmd/arnia/options.h"
#include "lib/base/error.h"
#include "lib/base/instance.h"
#include "lib/base/json.h"
#include "lib/base/str.h"
#include "lib/rpc/rpc.h"

enum out_format { FORMAT_TABLE, FORMAT_JSON, FORMAT_JSONL, FORMAT_CSV, FORMAT_PLAIN };
#define JSON_SCHEMA 1 /* of -f json; objects only grow within one number */

struct cli {
	struct arena arena;
	const struct verb *verb;
	struct opt_line line;
	enum out_format format;
	const char *fields, *sort;
	bool no_header, quiet, yes, verbose, json_errors, idempotent, no_start;
	int timeout_ms; /* -1 = none */
	unsigned jobs;
	struct rpc_client *client; /* the first connection, once there is one */
};

/* ---- verbs.c ---- */
enum completes { COMPLETES_NOTHING, COMPLETES_MACHINES, COMPLETES_IMAGES, COMPLETES_VERBS, COMPLETES_SHELLS };
struct verb {
	const char *name;
	const char *aliases; /* space separated, or NULL */
	const char *usage;   /* what follows the name */
	const char *help;    /* one line */
	const char *more;    /* further lines of its own help, or NULL */
	struct opt_table tables[2];
	bool stop;	   /* options end at the first argument */
	bool table;	   /* lists: has fields, an order, a CSV form */
	bool guest;	   /* its exit code is the guest's: ours are 125, 126, 127 */
	unsigned min, max; /* arguments; max 0 = min, UINT32_MAX = any number */
	enum completes completes;
	int (*fn)(struct cli *c); /* returns the exit code, having said what went wrong */
	const struct verb *verbs; /* of a noun: its verbs; then fn is NULL */
	size_t n_verbs;
};
extern const struct verb verbs[];
extern const size_t verbs_n;
extern const struct opt_table global_options;
const struct verb *verb_find(const struct verb *list, size_t n, const char *name);
/* Bad usage: there is no such verb, but perhaps one like it. */
int verb_unknown(const struct cli *c, const struct verb *list, size_t n, const char *name);
/* "image build": the name with its noun's; arena. */
const char *verb_path(const struct verb *v, struct arena *a);

/* Its own tables (without the global one) into `tables`, which the syntax points at. */
struct opt_syntax verb_syntax(const struct verb *v, struct opt_table tables[4]);

/* ---- report.c: stderr ---- */
/* One line, "arnia: NAME: text (hint: ...)", or one JSON object. name may be NULL. Returns the exit code. */
int cli_fail(const struct cli *c, const char *name, const struct error *err);
int cli_exit_code(const struct cli *c, const struct error *err);
json *cli_error_json(const struct cli *c, const char *name, const struct error *err);
/* A remark that changes nothing: warnings, "attached to ...". */
void cli_note(const struct cli *c, const char *name, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* Bad usage found by a handler. */
int cli_usage(const struct cli *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* On a terminal and without -y: ask. True = go on. */
bool cli_confirm(const struct cli *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Write to stdout; false (said on stderr) when that fails. */
bool cli_write(const struct cli *c, const char *text, size_t n);

/* ---- connect.c ---- */
/* A new connection; as root the daemon is started when it does not run. */
int cli_connect(const struct cli *c, struct rpc_client **ret, struct error *err);
/* As root: see to it that there is a keeper. */
void cli_start_keeper(const struct cli *c);
int cli_client(struct cli *c, struct error *err); /* makes sure of c->client */
/* One request on c->client, waiting at most --timeout. */
int cli_call(struct cli *c, const char *method, json *params, json **ret, struct error *err);
int cli_next(struct cli *c, json **ret, bool *more, struct error *err);
/* A new connection to a daemon that went away: waits a few seconds for its return. */
int cli_reconnect(const struct cli *c, struct rpc_client **ret, struct error *err);
/* The same, then wait there for `name` to be in a condition. */
int cli_await(const struct cli *c, const char *name, const char *condition, json **ret, struct error *err);

/* ---- names.c ---- */
/* A name, id, or beginning of one: -EINVAL (USAGE) for anything that cannot be. Globs only where they may
 * be. */
int name_check(const char *name, bool glob, struct error *err);
/* The arguments from `first` on, globs replaced by what they match. */
int names_expand(struct cli *c, size_t first, struct strv *ret, struct error *err);
json *name_params(const char *name);

/* ---- each.c: one method for several names ---- */
struct each {
	const char *method;
	void (*params)(const struct cli *c, json *p); /* adds what goes beside the name; may be NULL */
	/* Print a reply (table format); returns an exit code. May be NULL. */
	int (*done)(struct cli *c, const char *name, const json *reply);
	/* --idempotent: states in which nothing was left to do, "gone" for no such machine */
	const char *wanted;
	bool asks; /* changes nothing: asked again when the daemon is another */
};
int each_run(struct cli *c, const struct each *e);
int each_names(struct cli *c, const struct each *e, const struct strv *names);

/* ---- output.c: stdout ---- */
struct field {
	const char *name;				   /* for -o and -s, and the member's name in JSON */
	const char *title;				   /* of the column; NULL: shown only with -o */
	void (*text)(const json *row, struct strbuf *out); /* NULL: the member as it is */
	bool right;
	bool color; /* by the word that stands in it */
};
struct listing {
	const char *member; /* "machines": of the object in JSON */
	const struct field *fields;
	size_t n;
	const char *id;	   /* member that -q prints */
	const char *empty; /* said on stderr when there is nothing to list */
};
int out_rows(struct cli *c, const struct listing *l, const json *rows);
/* JSON for people and programs alike: control characters that JSON lets through are escaped too. */
void out_json_text(struct strbuf *b, const json *j, bool pretty);
int out_json(struct cli *c, const json *j, bool pretty);
/* {"schema": 1, member: value}; value is consumed. */
int out_object(struct cli *c, const char *member, json *value);
/* Text of the daemon's: every line escaped. */
void out_lines(struct strbuf *b, const char *text);
/* A member of any kind on one line. */
void out_value(struct strbuf *b, const json *v);
bool out_is_json(const struct cli *c);
/* A member of any kind; NULL when missing or null. */
const json *row_member(const json *row, const char *name);

/* ---- tree.c ---- */
/* Indented "key: value" lines for people; what is empty is left out. */
void out_tree(struct strbuf *b, const json *j, unsigned depth);

/* ---- human.c ---- */
void human_duration(struct strbuf *b, uint64_t ms); /* "3m", "2d" */
void human_size(struct strbuf *b, uint64_t bytes);  /* "12.3M" */
/* Milliseconds since an RFC 3339 time, 0 for what cannot be read. */
uint64_t human_since(const char *time);
void human_command(const json *words, struct strbuf *out); /* as typed: sh -c 'echo x' */
void human_ports(const json *ports, struct strbuf *out);   /* "127.0.0.1:8080->80/tcp,..." */
void human_exit(const json *exit, struct strbuf *out);	   /* "exit 0, 5m ago", "signal KILL, 2h ago" */

/* ---- handlers ---- */
int cmd_run(struct cli *c);
int cmd_launch(struct cli *c);
int cmd_create(struct cli *c);
int cmd_start(struct cli *c);
int cmd_stop(struct cli *c);
int cmd_restart(struct cli *c);
int cmd_kill(struct cli *c);
int cmd_pause(struct cli *c);
int cmd_resume(struct cli *c);
int cmd_rm(struct cli *c);
int cmd_wait(struct cli *c);
int cmd_rename(struct cli *c);
int cmd_list(struct cli *c);
int cmd_info(struct cli *c);
int cmd_explain(struct cli *c);
int cmd_exec(struct cli *c);
int cmd_shell(struct cli *c);
int cmd_console(struct cli *c);
int cmd_logs(struct cli *c);
int cmd_events(struct cli *c);
int cmd_image_list(struct cli *c);
int cmd_image_build(struct cli *c);
int cmd_image_info(struct cli *c);
int cmd_image_rm(struct cli *c);
int cmd_host_info(struct cli *c);
int cmd_host_doctor(struct cli *c);
int cmd_host_shutdown(struct cli *c);
int cmd_version(struct cli *c);
int cmd_help(struct cli *c);
int cmd_completion(struct cli *c);
int help_verb(struct cli *c, const struct verb *v);

/* ---- reach.c ---- */
/* Warn of each volume in spec that other users of this host can get to. */
void reach_warn(struct cli *c, const json *spec);

/* ---- run_opts.c ---- */
extern const struct opt_table machine_options;
/* The Spec of arnia.varlink from the options and the arguments: image, then command. */
int run_spec(const struct cli *c, const char *image, const char *name, size_t command_at, json **ret,
	     struct error *err);
/* "KEY=VALUE", or "KEY" taken from our own environment, appended to arr. */
int env_add(const struct opt_line *line, struct arena *a, struct strv *ret, struct error *err);

/* ---- image.c ---- */
/* Build an image, its lines to stderr when that is a terminal (or `always`). *ret (may be NULL): the
 * image. */
int image_build(struct cli *c, const char *name, bool always, json **ret, struct error *err);
/* After NotFound: true when it is an image that is shipped and not built, and building it has worked;
 * -errno: it has not. */
int image_build_missing(struct cli *c, const char *name, struct error *err);

#endif
