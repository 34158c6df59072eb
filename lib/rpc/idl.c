/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <ctype.h>
#include <errno.h>
#include <string.h>
#include "lib/base/str.h"
#include "lib/rpc/idl.h"
#include "lib/rpc/rpc.h"

#define DEPTH_MAX 16

enum token { T_END, T_NAME, T_ARROW, T_PUNCT };
struct parser {
	struct idl *idl;
	const char *at;
	unsigned line, depth;
	enum token token;
	const char *word; /* in the arena; a single character for T_PUNCT */
	struct strv used; /* types to be defined */
	struct error *err;
};

static int fail(struct parser *p, const char *what)
{
	return err_set_kind(p->err, -EINVAL, ERR_USAGE, "line %u: %s at \"%.40s\"", p->line, what,
			    p->token == T_END ? "end" : p->word);
}

static void skip_blank(struct parser *p)
{
	while (*p->at && (isspace((unsigned char)*p->at) || *p->at == '#')) {
		if (*p->at == '#')
			p->at += strcspn(p->at, "\n");
		if (*p->at == '\n')
			p->line++;
		if (*p->at)
			p->at++;
	}
}

static void next(struct parser *p)
{
	size_t n = 1;

	skip_blank(p);
	if (!*p->at) {
		p->token = T_END;
		return;
	}
	p->token = T_PUNCT;
	if (str_starts(p->at, "->")) {
		p->token = T_ARROW;
		n = 2;
	} else if (isalpha((unsigned char)*p->at)) {
		p->token = T_NAME;
		while (isalnum((unsigned char)p->at[n]) || (p->at[n] && strchr("_.-", p->at[n])))
			n++;
	}
	p->word = arena_str_n(&p->idl->arena, p->at, n);
	p->at += n;
}

static bool is(const struct parser *p, const char *word)
{
	return p->token != T_END && str_eq(p->word, word);
}

static int expect(struct parser *p, const char *word)
{
	char what[32];

	if (is(p, word)) {
		next(p);
		return 0;
	}
	str_copy(what, sizeof(what), "expected ");
	str_copy(what + strlen(what), sizeof(what) - strlen(what), word);
	return fail(p, what);
}

/* A member's or enumerator's name: letters, digits and underscores between them. */
static int member_name(struct parser *p)
{
	if (p->token != T_NAME || strpbrk(p->word, ".-") || str_ends(p->word, "_"))
		return fail(p, "expected a name");
	next(p);
	return 0;
}

static int parse_type(struct parser *p);

static int parse_member(struct parser *p, bool *ret_typed)
{
	int r = member_name(p);

	*ret_typed = r == 0 && is(p, ":");
	if (!*ret_typed)
		return r;
	next(p);
	return parse_type(p);
}

/* "(a: int, b: ?string)" or, with `enums`, also "(tcp, udp)": all members of one kind. */
static int parse_fields(struct parser *p, bool enums)
{
	bool first = true, all_typed = true, typed;
	int r = expect(p, "(");

	while (r == 0 && !is(p, ")")) {
		r = first ? 0 : expect(p, ",");
		if (r == 0)
			r = parse_member(p, &typed);
		if (r == 0 && first)
			all_typed = typed;
		if (r == 0 && (typed != all_typed || (!typed && !enums)))
			r = fail(p, "expected \":\" and a type");
		first = false;
	}
	return r < 0 ? r : expect(p, ")");
}

static int parse_named_type(struct parser *p)
{
	static const char *const plain[] = { "bool", "int", "float", "string", "object", "any" };

	if (p->token != T_NAME)
		return fail(p, "expected a type");
	if (isupper((unsigned char)p->word[0])) {
		strv_push(&p->idl->arena, &p->used, p->word);
		next(p);
		return 0;
	}
	for (size_t i = 0; i < ARRAY_SIZE(plain); i++)
		if (is(p, plain[i])) {
			next(p);
			return 0;
		}
	return fail(p, "unknown type");
}

/* After "[": "]" for an array, "string]" for a map. */
static int parse_bracket(struct parser *p)
{
	int r = 0;

	next(p);
	if (is(p, "string"))
		next(p);
	r = expect(p, "]");
	return r < 0 ? r : parse_type(p);
}

static int parse_bare_type(struct parser *p)
{
	if (is(p, "["))
		return parse_bracket(p);
	if (is(p, "("))
		return parse_fields(p, true);
	return parse_named_type(p);
}

static int parse_type(struct parser *p)
{
	int r;

	if (++p->depth > DEPTH_MAX)
		return fail(p, "nested too deep");
	if (is(p, "?"))
		next(p);
	r = is(p, "?") ? fail(p, "expected a type") : parse_bare_type(p);
	p->depth--;
	return r;
}

static bool has(const struct strv *sv, const char *name)
{
	for (size_t i = 0; i < sv->n; i++)
		if (str_eq(sv->v[i], name))
			return true;
	return false;
}

/* The capitalised name of a type, method or error, not used before. */
static int declare(struct parser *p, struct strv *kind)
{
	struct idl *i = p->idl;

	next(p);
	if (p->token != T_NAME || !isupper((unsigned char)p->word[0]) || strpbrk(p->word, "_.-"))
		return fail(p, "expected a capitalised name");
	if (has(&i->types, p->word) || has(&i->methods, p->word) || has(&i->errors, p->word))
		return fail(p, "name given twice");
	strv_push(&i->arena, kind, p->word);
	next(p);
	return 0;
}

static int parse_method(struct parser *p)
{
	int r = declare(p, &p->idl->methods);

	if (r == 0)
		r = parse_fields(p, false);
	if (r == 0)
		r = expect(p, "->");
	return r < 0 ? r : parse_fields(p, false);
}

static int parse_declaration(struct parser *p)
{
	bool is_type = is(p, "type");
	int r;

	if (is(p, "method"))
		return parse_method(p);
	if (!is_type && !is(p, "error"))
		return fail(p, "expected type, method or error");
	r = declare(p, is_type ? &p->idl->types : &p->idl->errors);
	return r < 0 ? r : parse_fields(p, is_type);
}

static int parse_all(struct parser *p)
{
	int r;

	next(p);
	r = expect(p, "interface");
	if (r < 0)
		return r;
	if (p->token != T_NAME || !strchr(p->word, '.') || str_ends(p->word, "."))
		return fail(p, "expected the interface's dotted name");
	p->idl->name = p->word;
	for (next(p); r == 0 && p->token != T_END;)
		r = parse_declaration(p);
	for (size_t i = 0; r == 0 && i < p->used.n; i++)
		if (!has(&p->idl->types, p->used.v[i]))
			r = err_set_kind(p->err, -EINVAL, ERR_USAGE, "type %s is not defined", p->used.v[i]);
	return r;
}

int idl_parse(const char *text, struct idl *ret, struct error *err)
{
	struct idl i = { 0 };
	struct parser p = { .idl = &i, .at = text, .line = 1, .err = err };
	int r = parse_all(&p);

	if (r < 0)
		idl_done(&i);
	else
		*ret = i;
	return r;
}

void idl_done(struct idl *i)
{
	arena_done(&i->arena);
	*i = (struct idl){ 0 };
}

int rpc_interface_check(const char *text, const struct rpc_method *methods, size_t n, struct error *err)
{
	cleanup(idl_done) struct idl i = { 0 };
	struct strv offered = { 0 };
	int r = idl_parse(text, &i, err);

	if (r < 0)
		return r;
	for (size_t k = 0; k < n; k++) {
		const char *rest = str_after(methods[k].name, i.name);

		if (!rest || *rest != '.' || !has(&i.methods, rest + 1))
			return err_set(err, -EINVAL, "%s is offered and not described", methods[k].name);
		strv_push(&i.arena, &offered, rest + 1);
	}
	for (size_t k = 0; k < i.methods.n; k++)
		if (!has(&offered, i.methods.v[k]))
			return err_set(err, -EINVAL, "%s.%s is described and not offered", i.name,
				       i.methods.v[k]);
	return 0;
}
