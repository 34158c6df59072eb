/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <string.h>
#include "cmd/arnia-oci/cmd.h"
#include "lib/base/parse.h"
#include "lib/base/str.h"

struct reader {
	const struct opt_syntax *syntax;
	char *const *argv;
	size_t n, at;
	struct call *call;
	struct error *err;
};

static const struct opt *find(const struct opt_syntax *s, const char *name, size_t n, char letter)
{
	for (size_t i = 0; i < s->n_opts; i++) {
		const struct opt *o = &s->opts[i];

		if (name ? strlen(o->name) == n && memcmp(o->name, name, n) == 0 : o->letter == letter)
			return o;
	}
	return NULL;
}

static int no_such(const struct reader *r, const char *shown, int n)
{
	return err_set_kind(r->err, -EINVAL, ERR_USAGE, "flag provided but not defined: %.*s", MIN(n, 100),
			    shown);
}

/* `value` is what is written in the same word, or NULL. */
static int take(struct reader *r, const struct opt *o, const char *value)
{
	bool flag;

	if (o->kind == OPT_FLAG && value && parse_bool(value, &flag) < 0)
		return err_set_kind(r->err, -EINVAL, ERR_USAGE, "--%s: \"%.100s\" is not true or false",
				    o->name, value);
	if (o->kind != OPT_FLAG && !value) {
		if (r->at >= r->n)
			return err_set_kind(r->err, -EINVAL, ERR_USAGE, "flag needs an argument: --%s",
					    o->name);
		value = r->argv[r->at++];
	}
	*arena_push(&r->call->arena, &r->call->values) = (struct opt_value){ o, value };
	return 0;
}

static int read_letters(struct reader *r, const char *arg)
{
	for (const char *p = arg + 1; *p; p++) {
		const struct opt *o = find(r->syntax, NULL, 0, *p);
		const char *rest = p[1] == '=' ? p + 2 : p[1] ? p + 1 : NULL;

		if (!o)
			return no_such(r, arg, (int)strcspn(arg, "="));
		if (o->kind != OPT_FLAG || p[1] == '=')
			return take(r, o, rest);
		take(r, o, NULL);
	}
	return 0;
}

/* Go's parser takes one dash for two, and callers know it. */
static int read_option(struct reader *r, const char *arg)
{
	const char *name = arg + 1 + (arg[1] == '-');
	size_t n = strcspn(name, "=");
	const struct opt *o = find(r->syntax, name, n, 0);

	if (o)
		return take(r, o, name[n] ? name + n + 1 : NULL);
	return arg[1] == '-' ? no_such(r, arg, (int)strcspn(arg, "=")) : read_letters(r, arg);
}

static void take_rest(struct reader *r)
{
	while (r->at < r->n)
		*arena_push(&r->call->arena, &r->call->args) = r->argv[r->at++];
}

int opts_parse(const struct opt_syntax *s, char *const *argv, size_t n, struct call *c, struct error *err)
{
	struct reader r = { s, argv, n, 0, c, err };
	int code = 0;

	while (r.at < n && code == 0) {
		const char *arg = argv[r.at++];

		if (str_eq(arg, "--")) {
			take_rest(&r);
		} else if (arg[0] == '-' && arg[1]) {
			code = read_option(&r, arg);
		} else {
			*arena_push(&c->arena, &c->args) = arg;
			if (s->stop)
				take_rest(&r);
		}
	}
	return code;
}

static const struct opt_value *last(const struct call *c, const char *name)
{
	for (size_t i = c->values.n; i--;)
		if (str_eq(c->values.v[i].opt->name, name))
			return &c->values.v[i];
	return NULL;
}

bool opt_has(const struct call *c, const char *name)
{
	const struct opt_value *v = last(c, name);
	bool flag = true;

	if (v && v->opt->kind == OPT_FLAG && v->value)
		(void)parse_bool(v->value, &flag);
	return v && flag;
}

const char *opt_get(const struct call *c, const char *name)
{
	const struct opt_value *v = last(c, name);

	return v ? v->value : NULL;
}

struct strv opt_list(struct call *c, const char *name)
{
	struct strv list = { 0 };

	for (size_t i = 0; i < c->values.n; i++)
		if (str_eq(c->values.v[i].opt->name, name))
			*arena_push(&c->arena, &list) = c->values.v[i].value;
	return list;
}

int opt_get_num(const struct call *c, const char *name, uint64_t max, uint64_t otherwise, uint64_t *ret,
		struct error *err)
{
	const char *text = opt_get(c, name);
	uint64_t v = otherwise;

	if (text && (parse_u64(text, &v) < 0 || v > max))
		return err_set_kind(err, -EINVAL, ERR_USAGE,
				    "--%s: \"%.100s\" is not a number from 0 to %llu", name, text,
				    (unsigned long long)max);
	*ret = v;
	return 0;
}
