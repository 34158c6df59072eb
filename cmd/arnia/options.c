/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include "cmd/arnia/options.h"
#include "lib/base/parse.h"
#include "lib/base/str.h"

struct reader {
	const struct opt_syntax *syntax;
	char *const *argv;
	size_t n, at;
	struct arena *arena;
	struct opt_line *line;
	struct error *err;
};

bool word_in(const char *list, const char *word, size_t n)
{
	while (list && *list) {
		size_t len = strcspn(list, " ");

		if (len == n && memcmp(list, word, n) == 0)
			return true;
		list += len;
		list += *list == ' ';
	}
	return false;
}

static int parse_limited(const char *s, int (*parse)(const char *s, uint64_t *ret), uint64_t *ret)
{
	if (str_eq(s, "-1") || str_eq(s, "unlimited")) {
		*ret = OPT_UNLIMITED;
		return 0;
	}
	return parse(s, ret);
}

static int parse_int(const char *s, uint64_t *ret)
{
	bool minus = *s == '-';
	uint64_t v;
	int r = parse_u64(s + minus, &v);

	if (r < 0 || v > INT32_MAX)
		return r < 0 ? r : -ERANGE;
	*ret = minus ? -v : v;
	return 0;
}

static int parse_value(const struct opt_def *d, const char *s, uint64_t *ret)
{
	uint32_t u32 = 0;
	bool flag = false;
	int sig = 0, r = 0;

	switch (d->type) {
	case OPT_FLAG:
		r = parse_bool(s, &flag);
		*ret = flag;
		return r;
	case OPT_TEXT:
		return 0;
	case OPT_CHOICE:
		return word_in(d->choices, s, strlen(s)) ? 0 : -EINVAL;
	case OPT_SIZE:
		return parse_size(s, ret);
	case OPT_LIMIT:
		return parse_limited(s, parse_size, ret);
	case OPT_COUNT:
		return parse_u64(s, ret);
	case OPT_COUNT_LIMIT:
		return parse_limited(s, parse_u64, ret);
	case OPT_INT:
		return parse_int(s, ret);
	case OPT_DURATION:
		return parse_duration(s, ret);
	case OPT_CPUS:
		r = parse_cpus(s, &u32);
		*ret = u32;
		return r;
	case OPT_SIGNAL:
		r = parse_signal(s, &sig);
		*ret = (uint64_t)sig;
		return r;
	}
	return -EINVAL;
}

static const char *expected(const struct opt_def *d)
{
	static const char *const texts[] = {
		[OPT_FLAG] = "yes or no",
		[OPT_SIZE] = "a size like 512M or 10G",
		[OPT_LIMIT] = "a size like 512M or 10G, or -1",
		[OPT_COUNT] = "a whole number",
		[OPT_COUNT_LIMIT] = "a whole number, or -1",
		[OPT_INT] = "a whole number",
		[OPT_DURATION] = "a duration like 10s or 5m",
		[OPT_CPUS] = "a number of CPUs like 1.5 or 150%",
		[OPT_SIGNAL] = "a signal like TERM or 15",
	};

	return d->type == OPT_CHOICE ? d->choices : texts[d->type];
}

/* `shown` is the option as it was written. */
static int add_value(struct reader *r, const struct opt_def *d, const char *shown, const char *text)
{
	struct opt_val v = { .def = d, .text = text, .num = d->type == OPT_FLAG };

	if (text && parse_value(d, text, &v.num) < 0)
		return err_set_kind(r->err, -EINVAL, ERR_USAGE, "%s: \"%.100s\" is not %s%s", shown, text,
				    d->type == OPT_CHOICE ? "one of: " : "", expected(d));
	*arena_push(r->arena, &r->line->opts) = v;
	return 0;
}

static const struct opt_def *find(const struct reader *r, char key, const char *name, size_t n)
{
	for (size_t t = 0; t < r->syntax->n_tables; t++) {
		const struct opt_table *table = &r->syntax->tables[t];

		for (size_t i = 0; i < table->n; i++)
			if (name ? word_in(table->v[i].names, name, n) : table->v[i].key == key)
				return &table->v[i];
	}
	return NULL;
}

/* The value is the rest of this argument, or the next one. */
static int take_value(struct reader *r, const struct opt_def *d, const char *shown, const char *rest)
{
	if (!rest && d->type != OPT_FLAG) {
		if (r->at >= r->n)
			return err_set_kind(r->err, -EINVAL, ERR_USAGE, "%s: needs a value (%s)", shown,
					    d->arg);
		rest = r->argv[r->at++];
	}
	return add_value(r, d, shown, rest);
}

static int no_such_option(const struct reader *r, const char *shown)
{
	struct suggestion s = { .typed = shown + 2 };

	for (size_t t = 0; t < r->syntax->n_tables; t++)
		for (size_t i = 0; i < r->syntax->tables[t].n; i++)
			suggest_words(&s, r->syntax->tables[t].v[i].names);
	if (!s.n)
		return err_set_kind(r->err, -EINVAL, ERR_USAGE, "no such option: %.100s", shown);
	return err_set_kind(r->err, -EINVAL, ERR_USAGE, "no such option: %.100s; did you mean --%.*s?", shown, (int)s.n,
			    s.word);
}

static int read_long(struct reader *r, const char *arg)
{
	const char *equal = strchr(arg, '=');
	size_t n = equal ? (size_t)(equal - arg) : strlen(arg);
	const struct opt_def *d = find(r, 0, arg + 2, n - 2);
	const char *shown = arena_str_n(r->arena, arg, n);

	if (!d)
		return no_such_option(r, shown);
	return take_value(r, d, shown, equal ? equal + 1 : NULL);
}

/* "-it", "-p8080:80", "-m=1G". */
static int read_bundle(struct reader *r, const char *arg)
{
	for (const char *p = arg + 1; *p; p++) {
		const struct opt_def *d = find(r, *p, NULL, 0);
		const char *shown = arena_fmt(r->arena, "-%c", *p);
		const char *rest = p[1] == '=' ? p + 2 : p[1] ? p + 1 : NULL;

		if (!d)
			return err_set_kind(r->err, -EINVAL, ERR_USAGE, "no such option: %s", shown);
		if (d->type != OPT_FLAG)
			return take_value(r, d, shown, rest);
		if (p[1] == '=')
			return add_value(r, d, shown, rest);
		add_value(r, d, shown, NULL);
	}
	return 0;
}

static void take_rest(struct reader *r)
{
	while (r->at < r->n)
		strv_push(r->arena, &r->line->args, r->argv[r->at++]);
}

int opts_parse(const struct opt_syntax *syntax, char *const *argv, size_t n, struct arena *a,
	       struct opt_line *line, struct error *err)
{
	struct reader r = { syntax, argv, n, 0, a, line, err };

	line->dashes = SIZE_MAX;
	while (r.at < n) {
		const char *arg = argv[r.at++];
		int code = 0;

		if (str_eq(arg, "--")) {
			line->dashes = line->args.n;
			take_rest(&r);
		} else if (arg[0] != '-' || !arg[1]) {
			strv_push(a, &line->args, arg);
			if (syntax->stop)
				take_rest(&r);
		} else {
			code = arg[1] == '-' ? read_long(&r, arg) : read_bundle(&r, arg);
		}
		if (code < 0)
			return code;
	}
	return 0;
}

const struct opt_val *opt_each(const struct opt_line *line, enum opt_id id, const struct opt_val *after)
{
	for (size_t i = after ? (size_t)(after - line->opts.v) + 1 : 0; i < line->opts.n; i++)
		if (line->opts.v[i].def->id == id)
			return &line->opts.v[i];
	return NULL;
}

const struct opt_val *opt_get(const struct opt_line *line, enum opt_id id)
{
	const struct opt_val *last = NULL;

	for (const struct opt_val *v = NULL; (v = opt_each(line, id, v));)
		last = v;
	return last;
}

bool opt_flag(const struct opt_line *line, enum opt_id id, bool otherwise)
{
	const struct opt_val *v = opt_get(line, id);

	return v ? v->num != 0 : otherwise;
}

const char *opt_text(const struct opt_line *line, enum opt_id id)
{
	const struct opt_val *v = opt_get(line, id);

	return v ? v->text : NULL;
}

uint64_t opt_num(const struct opt_line *line, enum opt_id id, uint64_t otherwise)
{
	const struct opt_val *v = opt_get(line, id);

	return v ? v->num : otherwise;
}
