/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>
#include "cmd/arnia/cli.h"

#define JOBS_DEFAULT 4

/* A descriptor of ours must not become 0, 1 or 2. */
static void open_stdio(void)
{
	for (int fd = 0; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0 && errno == EBADF && open("/dev/null", O_RDWR | O_CLOEXEC) < 0)
			_exit(ERR_FAILED);
}

/* How errors look must be known before the options are read. */
static bool wants_json_errors(int argc, char *const *argv)
{
	for (int i = 1; i < argc && !str_eq(argv[i], "--"); i++)
		if (str_eq(argv[i], "--json-errors"))
			return true;
	return false;
}

/* All text goes to the daemon as JSON. */
static int check_text(const struct cli *c, int argc, char *const *argv)
{
	for (int i = 1; i < argc; i++)
		if (!utf8_valid(argv[i], strlen(argv[i])))
			return cli_usage(c, "argument %d is not UTF-8 text", i);
	return 0;
}

static enum out_format format_of(const char *name)
{
	static const char *const names[] = { [FORMAT_JSON] = "json",
					     [FORMAT_JSONL] = "jsonl",
					     [FORMAT_CSV] = "csv",
					     [FORMAT_PLAIN] = "plain" };

	for (size_t i = 1; i < ARRAY_SIZE(names); i++)
		if (str_eq(names[i], name))
			return (enum out_format)i;
	return FORMAT_TABLE;
}

static void take_globals(struct cli *c)
{
	const struct opt_line *l = &c->line;
	uint64_t jobs = opt_num(l, O_JOBS, JOBS_DEFAULT);

	c->format = format_of(opt_text(l, O_FORMAT));
	c->fields = opt_text(l, O_FIELDS);
	c->sort = opt_text(l, O_SORT);
	c->no_header = opt_flag(l, O_NO_HEADER, false);
	c->quiet = opt_flag(l, O_QUIET, false);
	c->yes = opt_flag(l, O_YES, false);
	c->verbose = opt_flag(l, O_VERBOSE, false);
	c->idempotent = opt_flag(l, O_IDEMPOTENT, false);
	c->no_start = opt_flag(l, O_NO_START, false);
	c->json_errors = opt_flag(l, O_JSON_ERRORS, c->json_errors);
	c->timeout_ms = opt_get(l, O_TIMEOUT) ? (int)MIN(opt_num(l, O_TIMEOUT, 0), (uint64_t)INT_MAX) : -1;
	c->jobs = jobs < 1 ? 1 : (unsigned)MIN(jobs, (uint64_t)1000);
}

/* The verb, and for a noun the verb after it; what is left of the arguments. */
static int find_verb(struct cli *c, struct strv *args)
{
	const struct verb *v = verb_find(verbs, verbs_n, args->v[0]);

	if (!v)
		return verb_unknown(c, verbs, verbs_n, args->v[0]);
	c->verb = v;
	args->v++;
	args->n--;
	if (v->fn)
		return 0;
	/* `arnia image` lists images. */
	v = args->n && args->v[0][0] != '-' ? verb_find(v->verbs, v->n_verbs, args->v[0]) : &v->verbs[0];
	if (!v)
		return verb_unknown(c, c->verb->verbs, c->verb->n_verbs, args->v[0]);
	if (args->n && args->v[0][0] != '-') {
		args->v++;
		args->n--;
	} else if (args->n && (str_eq(args->v[0], "--help") || str_eq(args->v[0], "-h"))) {
		return 0;
	}
	c->verb = v;
	return 0;
}

static int check_count(const struct cli *c)
{
	const struct verb *v = c->verb;
	size_t n = c->line.args.n;
	unsigned max = MAX(v->max, v->min);

	if (n < v->min)
		return cli_usage(c, "arguments are missing: %s", v->usage);
	if (n > max)
		return cli_usage(c, "too many arguments: \"%.100s\"", c->line.args.v[max]);
	return 0;
}

/* What has no effect is not taken in silence. */
static int check_format(const struct cli *c)
{
	if (c->verb->table)
		return 0;
	if (c->format == FORMAT_CSV)
		return cli_usage(c, "-f csv is for lists");
	if (c->fields || c->sort)
		return cli_usage(c, "%s is for lists", c->fields ? "--fields" : "--sort");
	return 0;
}

static int run_verb(struct cli *c, const struct strv *args)
{
	struct opt_table tables[5];
	struct opt_syntax syntax = verb_syntax(c->verb, tables);
	struct error err;
	int code;

	tables[syntax.n_tables++] = global_options;
	if (opts_parse(&syntax, (char *const *)args->v, args->n, &c->arena, &c->line, &err) < 0)
		return cli_usage(c, "%s", err.text);
	take_globals(c);
	if (opt_flag(&c->line, O_HELP, false))
		return help_verb(c, c->verb);
	if (!c->verb->fn)
		return help_verb(c, c->verb);
	code = check_count(c);
	if (code == 0)
		code = check_format(c);
	return code ? code : c->verb->fn(c);
}

static int cli_main(struct cli *c, int argc, char *const *argv)
{
	struct opt_syntax syntax = { &global_options, 1, true };
	struct strv args;
	struct error err;
	int code;

	c->json_errors = wants_json_errors(argc, argv);
	if (argc && opts_parse(&syntax, argv + 1, (size_t)argc - 1, &c->arena, &c->line, &err) < 0)
		return cli_usage(c, "%s", err.text);
	take_globals(c);
	if (opt_flag(&c->line, O_VERSION, false))
		return cmd_version(c);
	if (opt_flag(&c->line, O_HELP, false))
		return help_verb(c, NULL);
	if (!c->line.args.n)
		return cli_usage(c, "a verb is needed");
	args = c->line.args;
	c->line.args = (struct strv){ 0 };
	code = find_verb(c, &args);
	if (code == 0)
		code = check_text(c, argc, argv);
	return code ? code : run_verb(c, &args);
}

int main(int argc, char **argv)
{
	struct cli c = { .timeout_ms = -1 };
	int code;

	open_stdio();
	code = cli_main(&c, argc, argv);
	rpc_client_free(c.client);
	arena_done(&c.arena);
	return code;
}
