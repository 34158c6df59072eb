/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>
#include "cmd/arnia/cli.h"

#define COLUMN 32

static void pad_to(struct strbuf *b, size_t from, size_t column)
{
	size_t used = b->len - from;

	/* Too long: the text goes to the next line. */
	if (used + 2 > column) {
		strbuf_addc(b, '\n');
		used = 0;
	}
	while (used++ < column)
		strbuf_addc(b, ' ');
}

static void add_option(struct strbuf *b, const struct opt_def *o)
{
	size_t from = b->len, n = strcspn(o->names, " ");

	if (!o->help)
		return;
	strbuf_addf(b, o->key ? "  -%c" : "    ", o->key);
	if (n)
		strbuf_addf(b, "%s --%.*s", o->key ? "," : " ", (int)n, o->names);
	if (o->arg)
		strbuf_addf(b, " %s", o->arg);
	pad_to(b, from, COLUMN);
	strbuf_addf(b, "%s\n", o->help);
}

static void add_table(struct strbuf *b, const struct opt_table *t)
{
	for (size_t i = 0; i < t->n; i++)
		add_option(b, &t->v[i]);
}

static void add_verbs(struct strbuf *b, const struct verb *list, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		size_t from = b->len;

		strbuf_addf(b, "  %s", list[i].name);
		pad_to(b, from, 14);
		strbuf_addf(b, "%s\n", list[i].help);
	}
}

static void add_all(struct strbuf *b)
{
	strbuf_add(b, "usage: arnia [OPTIONS] VERB [NAME...] [OPTIONS]\n\n");
	add_verbs(b, verbs, verbs_n);
	strbuf_add(b, "\nOptions of all verbs:\n");
	add_table(b, &global_options);
	strbuf_add(
		b,
		"\nMore: arnia help VERB, arnia(1). Environment: ARNIA_ROOT, a private instance's folder.\n");
}

static void add_verb(struct strbuf *b, const struct verb *v, struct arena *a)
{
	struct opt_table tables[4];
	struct opt_syntax syntax = verb_syntax(v, tables);

	strbuf_addf(b, "usage: arnia %s %s\n\n%s\n", verb_path(v, a), v->usage, v->help);
	if (v->more)
		strbuf_addf(b, "%s\n", v->more);
	if (v->aliases)
		strbuf_addf(b, "Also called: %s\n", v->aliases);
	if (v->n_verbs)
		strbuf_addc(b, '\n');
	add_verbs(b, v->verbs, v->n_verbs);
	if (syntax.n_tables)
		strbuf_add(b, "\nOptions:\n");
	for (size_t i = 0; i < syntax.n_tables; i++)
		add_table(b, &syntax.tables[i]);
	strbuf_add(b, "\nOptions of all verbs: arnia help\n");
}

int help_verb(struct cli *c, const struct verb *v)
{
	struct strbuf b = { 0 };
	bool ok;

	if (v)
		add_verb(&b, v, &c->arena);
	else
		add_all(&b);
	ok = cli_write(c, b.s, b.len);
	strbuf_done(&b);
	return ok ? 0 : ERR_FAILED;
}

int cmd_help(struct cli *c)
{
	const struct verb *v = NULL;

	for (size_t i = 0; i < c->line.args.n; i++) {
		const char *name = c->line.args.v[i];

		const struct verb *list = v ? v->verbs : verbs;
		size_t n = v ? v->n_verbs : verbs_n;

		v = verb_find(list, n, name);
		if (!v)
			return verb_unknown(c, list, n, name);
	}
	return help_verb(c, v);
}
