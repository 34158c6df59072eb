/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef ARNIA_CLI_OPTIONS_H
#define ARNIA_CLI_OPTIONS_H
/* One parser for every verb's options, driven by tables; help, completion and the checks of values come
 * from the same rows. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "lib/base/error.h"
#include "lib/base/mem.h"

enum opt_type {
	OPT_FLAG, /* num: 1, or 0 for --x=no */
	OPT_TEXT,
	OPT_CHOICE,	 /* one of `choices` */
	OPT_SIZE,	 /* bytes */
	OPT_LIMIT,	 /* bytes, or -1 / unlimited: num OPT_UNLIMITED */
	OPT_COUNT,	 /* whole number */
	OPT_COUNT_LIMIT, /* whole number, or -1 / unlimited */
	OPT_INT,	 /* whole number with a sign: num is the two's complement */
	OPT_DURATION,	 /* ms */
	OPT_CPUS,	 /* thousandths */
	OPT_SIGNAL,
};
#define OPT_UNLIMITED UINT64_MAX

enum opt_id {
	/* global */
	O_FORMAT = 1,
	O_FIELDS,
	O_SORT,
	O_NO_HEADER,
	O_QUIET,
	O_YES,
	O_TIMEOUT,
	O_JOBS,
	O_COLOR,
	O_VERBOSE,
	O_JSON_ERRORS,
	O_IDEMPOTENT,
	O_NO_START,
	O_HELP,
	O_VERSION,
	/* what a machine shall be */
	O_NAME,
	O_TEMPLATE,
	O_DETACH,
	O_INTERACTIVE,
	O_TTY,
	O_NO_TTY,
	O_RM,
	O_ENV,
	O_ENV_FILE,
	O_WORKDIR,
	O_USER,
	O_HOSTNAME,
	O_ENTRYPOINT,
	O_PUBLISH,
	O_VOLUME,
	O_TMPFS,
	O_CPUS,
	O_MEMORY,
	O_MEMORY_SWAP,
	O_SWAP,
	O_PIDS,
	O_ULIMIT,
	O_OOM_SCORE,
	O_RESTART,
	O_LABEL,
	O_READ_ONLY,
	O_CAP_ADD,
	O_CAP_DROP,
	O_SECURITY,
	O_SYSCTL,
	O_DEVICE,
	O_DNS,
	O_NETWORK,
	O_INIT,
	O_NO_INIT,
	O_SYSTEM,
	O_TIME_NS,
	O_STOP_SIGNAL,
	O_STOP_TIMEOUT,
	O_LOG_MAX,
	O_DETACH_KEYS,
	O_DRY_RUN,
	/* the rest */
	O_ALL,
	O_RUNNING,
	O_ATTACH,
	O_TIME,
	O_SIGNAL,
	O_FORCE,
	O_CONDITION,
	O_NO_INPUT,
	O_FOLLOW,
	O_SINCE,
	O_UNTIL,
	O_TAIL,
	O_TIMESTAMPS,
	O_KILL,
	O_CLIENT,
};

struct opt_def {
	enum opt_id id;
	char key;	   /* of the short form, or 0 */
	const char *names; /* long forms, space separated, the first is shown; "" when there is none */
	enum opt_type type;
	const char *arg;     /* name of the value in help; NULL for flags */
	const char *help;    /* NULL: taken, not shown */
	const char *choices; /* space separated; for OPT_CHOICE, and for completion */
};
struct opt_table {
	const struct opt_def *v;
	size_t n;
};
#define OPT_TABLE(a) ((struct opt_table){ (a), ARRAY_SIZE(a) })
struct opt_val {
	const struct opt_def *def;
	const char *text; /* as given; NULL for a flag without value */
	uint64_t num;
};
struct opt_line {
	ARRAY_OF(struct opt_val) opts;
	struct strv args;
	size_t dashes; /* args before "--"; SIZE_MAX when there was none */
};
struct opt_syntax {
	const struct opt_table *tables; /* looked up in order: a verb's own before the global ones */
	size_t n_tables;
	bool stop; /* the first argument ends the options: what follows is a command of someone else's */
};
/* Read argv[0..n). Appends to *line (strings are borrowed from argv). -EINVAL, kind USAGE. */
int opts_parse(const struct opt_syntax *syntax, char *const *argv, size_t n, struct arena *a,
	       struct opt_line *line, struct error *err);
/* The last one given wins; NULL when not given. */
const struct opt_val *opt_get(const struct opt_line *line, enum opt_id id);
bool opt_flag(const struct opt_line *line, enum opt_id id, bool otherwise);
const char *opt_text(const struct opt_line *line, enum opt_id id);
uint64_t opt_num(const struct opt_line *line, enum opt_id id, uint64_t otherwise);
/* For options that may come many times: for (v = NULL; (v = opt_each(line, id, v));) */
const struct opt_val *opt_each(const struct opt_line *line, enum opt_id id, const struct opt_val *after);
/* ---- suggest.c: what was meant by a word that there is not ---- */
struct suggestion {
	const char *typed;
	const char *word; /* the nearest one so far, n bytes; n is 0 when none is near */
	size_t n;
	unsigned distance;
};
void suggest_try(struct suggestion *s, const char *word, size_t n);
void suggest_words(struct suggestion *s, const char *words); /* space-separated list, or NULL */

/* True when `word` is one of a space-separated list. */
bool word_in(const char *list, const char *word, size_t n);

#endif
