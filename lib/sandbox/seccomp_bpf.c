/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Rules by number -> classic BPF.
 *
 * Why not libseccomp's own output: the kernel runs a new filter once for each system call number to find
 * those that are always allowed, and translates each instruction to machine code. Three hundred separate
 * tests cost it 0.6 ms in a list and 0.2 ms in libseccomp's tree, on every start. Here neighbours with the
 * same answer are one range, the ranges are the leaves of a search tree balanced by how many numbers lie in
 * them, and answers are shared.
 *
 * The program is made from its end to its start: all jumps of BPF lead forward, so each target is known when
 * the jump to it is made. A label is a position counted from the end.
 */
#include <errno.h>
#include <linux/audit.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include "lib/sandbox/seccomp_internal.h"

#define X32_START 0x40000000u
#define NUMBERS 512 /* where numbers in use end; what is above has no weight in the tree */
#define NEAR 250    /* jump offsets are 8 bits; room for jumps put in between */
#define NONE SIZE_MAX
#define SINGLES_MAX 2

struct decision { /* conditional rules, the strictest first, then `fallback` */
	uint32_t fallback;
	const uint32_t *rules;
	size_t n;
	size_t label;
};
struct single {
	uint32_t nr;
	size_t decision;
};
struct range { /* from `first` to the next range's first; but for the singles */
	uint32_t first;
	size_t decision;
	struct single singles[SINGLES_MAX];
	size_t n;
};
struct leaf {
	uint32_t action;
	size_t label;
};
struct build {
	const struct sc_program *p;
	struct arena arena;
	ARRAY_OF(struct decision) decisions;
	ARRAY_OF(struct range) ranges; /* of the table at hand */
	ARRAY_OF(struct leaf) leaves;
	struct sock_filter *code; /* the last instruction first */
	size_t len;
};

/* ---- instructions ---- */

static size_t add(struct build *b, struct sock_filter f)
{
	if (b->len < BPF_MAXINSNS)
		b->code[b->len] = f;
	return b->len++;
}

static bool is_near(const struct build *b, size_t label)
{
	return b->len - label <= NEAR;
}

static size_t reach(struct build *b, size_t label)
{
	if (is_near(b, label))
		return label;
	return add(b, (struct sock_filter)BPF_STMT(BPF_JMP | BPF_JA, (uint32_t)(b->len - label - 1)));
}

/* With yes == no there is nothing to ask: no instruction is made. */
static size_t add_jump(struct build *b, uint16_t op, uint32_t k, size_t yes, size_t no)
{
	if (yes == no)
		return yes;
	yes = reach(b, yes);
	no = reach(b, no);
	return add(b, (struct sock_filter)BPF_JUMP(BPF_JMP | op | BPF_K, k, (uint8_t)(b->len - yes - 1),
						   (uint8_t)(b->len - no - 1)));
}

/* Goes on with the instruction made last. */
static size_t add_load(struct build *b, size_t offset)
{
	return add(b, (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)offset));
}

/* One instruction is as cheap as the jump to a far one. */
static size_t add_return(struct build *b, uint32_t action)
{
	struct leaf *l = NULL;

	for (size_t i = 0; i < b->leaves.n; i++)
		if (b->leaves.v[i].action == action)
			l = &b->leaves.v[i];
	if (l && is_near(b, l->label))
		return l->label;
	if (!l) {
		l = arena_push(&b->arena, &b->leaves);
		l->action = action;
	}
	l->label = add(b, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, action));
	return l->label;
}

/* ---- conditions ---- */

static size_t word_offset(uint8_t arg, bool high)
{
	bool second = high == (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__);

	return offsetof(struct seccomp_data, args) + 8 * arg + (second ? 4 : 0);
}

static size_t add_equal(struct build *b, const struct sc_cond *c, size_t yes, size_t no)
{
	size_t l;

	add_jump(b, BPF_JEQ, (uint32_t)c->value, yes, no);
	l = add_load(b, word_offset(c->arg, false));
	add_jump(b, BPF_JEQ, (uint32_t)(c->value >> 32), l, no);
	return add_load(b, word_offset(c->arg, true));
}

/* op is BPF_JGT (>) or BPF_JGE (>=), of the low words; the high ones decide when they differ. */
static size_t add_greater(struct build *b, const struct sc_cond *c, uint16_t op, size_t yes, size_t no)
{
	size_t l;

	add_jump(b, op, (uint32_t)c->value, yes, no);
	l = add_load(b, word_offset(c->arg, false));
	l = add_jump(b, BPF_JEQ, (uint32_t)(c->value >> 32), l, no);
	add_jump(b, BPF_JGT, (uint32_t)(c->value >> 32), yes, l);
	return add_load(b, word_offset(c->arg, true));
}

static size_t add_masked_word(struct build *b, const struct sc_cond *c, bool high, size_t yes, size_t no)
{
	uint32_t mask = (uint32_t)(high ? c->value >> 32 : c->value);
	uint32_t value = (uint32_t)(high ? c->value_two >> 32 : c->value_two);

	if (yes == no || value & ~mask)
		return no;
	if (!mask)
		return yes;
	add_jump(b, BPF_JEQ, value, yes, no);
	if (mask != UINT32_MAX)
		add(b, (struct sock_filter)BPF_STMT(BPF_ALU | BPF_AND | BPF_K, mask));
	return add_load(b, word_offset(c->arg, high));
}

static size_t add_cond(struct build *b, const struct sc_cond *c, size_t yes, size_t no)
{
	if (yes == no)
		return yes;
	switch (c->op) {
	case SC_EQ:
		return add_equal(b, c, yes, no);
	case SC_NE:
		return add_equal(b, c, no, yes);
	case SC_GT:
		return add_greater(b, c, BPF_JGT, yes, no);
	case SC_GE:
		return add_greater(b, c, BPF_JGE, yes, no);
	case SC_LE:
		return add_greater(b, c, BPF_JGT, no, yes);
	case SC_LT:
		return add_greater(b, c, BPF_JGE, no, yes);
	default: /* SC_MASKED_EQ */
		yes = add_masked_word(b, c, true, yes, no);
		return add_masked_word(b, c, false, yes, no);
	}
}

/* ---- decisions ---- */

/* As the kernel chooses among filters: the smaller, as a signed number. */
static int32_t strictness(uint32_t action)
{
	return (int32_t)(action & SECCOMP_RET_ACTION_FULL);
}

/* "one argument equals one of these": the rules [i, end) differ only in the low word. */
static bool is_choice_with(const struct sc_rule *a, const struct sc_rule *b)
{
	return a->action == b->action && a->n == 1 && b->n == 1 && a->conds[0].op == SC_EQ &&
	       b->conds[0].op == SC_EQ && a->conds[0].arg == b->conds[0].arg &&
	       a->conds[0].value >> 32 == b->conds[0].value >> 32;
}

/* The rules [first, end) of the decision as one chain of comparisons, the argument loaded once. */
static size_t add_choice(struct build *b, const struct decision *d, size_t first, size_t end, size_t no)
{
	const struct sc_rule *rules = b->p->rules;
	const struct sc_cond *c = &rules[d->rules[first]].conds[0];
	size_t yes = add_return(b, rules[d->rules[first]].action), l = no;

	for (size_t i = end; i-- > first;)
		l = add_jump(b, BPF_JEQ, (uint32_t)rules[d->rules[i]].conds[0].value, yes, l);
	if (l == no)
		return no;
	l = add_load(b, word_offset(c->arg, false));
	add_jump(b, BPF_JEQ, (uint32_t)(c->value >> 32), l, no);
	return add_load(b, word_offset(c->arg, true));
}

static size_t add_decision(struct build *b, size_t index)
{
	struct decision *d = &b->decisions.v[index];
	const struct sc_rule *rules = b->p->rules;
	size_t l;

	if (d->n == 0)
		return add_return(b, d->fallback);
	if (d->label != NONE)
		return d->label;
	l = add_return(b, d->fallback);
	for (size_t end = d->n, i; end > 0; end = i) {
		const struct sc_rule *r = &rules[d->rules[end - 1]];

		i = end - 1;
		while (i > 0 && is_choice_with(&rules[d->rules[i - 1]], r))
			i--;
		if (end - i > 1) {
			l = add_choice(b, d, i, end, l);
			continue;
		}
		for (size_t no = l, j = r->n, yes = add_return(b, r->action); j-- > 0; yes = l)
			l = add_cond(b, &r->conds[j], yes, no);
	}
	d->label = l;
	return l;
}

static size_t find_decision(struct build *b, uint32_t fallback, const uint32_t *rules, size_t n)
{
	struct decision *d;

	for (size_t i = 0; i < b->decisions.n; i++) {
		d = &b->decisions.v[i];
		if (d->fallback == fallback && d->n == n &&
		    (n == 0 || memcmp(d->rules, rules, n * sizeof(*rules)) == 0))
			return i;
	}
	d = arena_push(&b->arena, &b->decisions);
	*d = (struct decision){ .fallback = fallback, .n = n, .label = NONE };
	if (n)
		d->rules = arena_dup(&b->arena, rules, n * sizeof(*rules));
	return b->decisions.n - 1;
}

/* Does the rule decide before `floor`, the one without conditions that decides otherwise? */
static bool comes_before(const struct sc_rule *r, const struct sc_rule *floor)
{
	int32_t a = strictness(r->action);

	if (!floor || a != strictness(floor->action))
		return !floor || a < strictness(floor->action);
	return r < floor;
}

/* What the rules of one number come to. */
static size_t decide(struct build *b, const struct sc_match *m, size_t n)
{
	const struct sc_rule *rules = b->p->rules, *floor = NULL;
	auto_free uint32_t *left = mem_alloc_n(n, sizeof(*left));
	size_t count = 0, at;

	for (size_t i = 0; i < n; i++) {
		const struct sc_rule *r = &rules[m[i].rule];

		if (r->n == 0 && (!floor || strictness(r->action) < strictness(floor->action)))
			floor = r;
	}
	for (size_t i = 0; i < n; i++) {
		const struct sc_rule *r = &rules[m[i].rule];

		if (r->n == 0 || !comes_before(r, floor))
			continue;
		/* Insert by strictness; equals stay in the profile's order. */
		for (at = count; at > 0 && strictness(rules[left[at - 1]].action) > strictness(r->action);
		     at--)
			left[at] = left[at - 1];
		left[at] = m[i].rule;
		count++;
	}
	return find_decision(b, floor ? floor->action : b->p->default_action, left, count);
}

/* ---- ranges and tree ---- */

static void add_range(struct build *b, uint32_t first, size_t decision)
{
	struct range *r;

	if (b->ranges.n && b->ranges.v[b->ranges.n - 1].decision == decision)
		return;
	r = arena_push(&b->arena, &b->ranges);
	*r = (struct range){ .first = first, .decision = decision };
}

static int compare_matches(const void *a, const void *b)
{
	const struct sc_match *x = a, *y = b;

	return x->nr != y->nr ? (x->nr < y->nr ? -1 : 1) : (x->rule > y->rule) - (x->rule < y->rule);
}

/* The numbers from `start` that m[0..n) speaks of, and what is around them; above `last` is what nobody
 * knows. */
static void add_numbers(struct build *b, uint32_t start, uint32_t last, const struct sc_match *m, size_t n)
{
	size_t gap = find_decision(b, b->p->default_action, NULL, 0);
	uint32_t next = start;

	for (size_t i = 0, end; i < n; i = end) {
		for (end = i; end < n && m[end].nr == m[i].nr; end++)
			;
		if (m[i].nr > next)
			add_range(b, next, gap);
		add_range(b, m[i].nr, decide(b, m + i, end - i));
		next = m[i].nr + 1;
	}
	if (next <= last)
		add_range(b, next, gap);
	add_range(b, MAX(next, last + 1),
		  find_decision(b, last ? b->p->unknown_action : b->p->default_action, NULL, 0));
}

static void make_ranges(struct build *b, const struct sc_table *t)
{
	struct sc_match *m = t->matches.v;
	size_t native = 0;

	b->ranges.n = 0;
	b->ranges.v = NULL;
	if (t->matches.n)
		qsort(m, t->matches.n, sizeof(*m), compare_matches);
	while (native < t->matches.n && m[native].nr < X32_START)
		native++;
	add_numbers(b, 0, t->last, m, native);
	if (t->x32_closed)
		add_range(b, X32_START, find_decision(b, SECCOMP_RET_ERRNO | ENOSYS, NULL, 0));
	else if (t->last_x32)
		add_numbers(b, X32_START, t->last_x32, m + native, t->matches.n - native);
	/* -1 is how a tracer skips a call; the kernel itself answers ENOSYS to it. */
	add_range(b, UINT32_MAX, find_decision(b, SECCOMP_RET_ALLOW, NULL, 0));
}

/* "A except one number": a comparison by itself instead of two borders of the tree. */
static void fold_singles(struct build *b)
{
	struct range *v = b->ranges.v;
	size_t n = 0;

	for (size_t i = 0; i < b->ranges.n; i++) {
		struct range *r = &v[n];

		*r = v[i];
		while (r->n < SINGLES_MAX && i + 2 < b->ranges.n && v[i + 2].decision == r->decision &&
		       v[i + 2].first == v[i + 1].first + 1) {
			r->singles[r->n++] = (struct single){ v[i + 1].first, v[i + 1].decision };
			i += 2;
		}
		n++;
	}
	b->ranges.n = n;
}

static size_t add_leaf(struct build *b, const struct range *r)
{
	size_t l = add_decision(b, r->decision);

	for (size_t i = r->n; i-- > 0;)
		l = add_jump(b, BPF_JEQ, r->singles[i].nr, add_decision(b, r->singles[i].decision), l);
	return l;
}

static uint32_t weight_until(const struct range *r)
{
	return MIN(r->first, (uint32_t)NUMBERS);
}

/* The ranges v[from..to) and the number at which the next one starts. */
static size_t add_tree(struct build *b, size_t from, size_t to, uint32_t end)
{
	const struct range *v = b->ranges.v;
	uint32_t start = weight_until(&v[from]), best = UINT32_MAX;
	size_t split = from + 1, yes, no;

	if (to - from == 1)
		return add_leaf(b, &v[from]);
	for (size_t i = from + 1; i < to; i++) {
		uint32_t left = weight_until(&v[i]) - start, right = end - weight_until(&v[i]);
		uint32_t uneven = left > right ? left - right : right - left;

		if (uneven < best) {
			best = uneven;
			split = i;
		}
	}
	yes = add_tree(b, split, to, end);
	no = add_tree(b, from, split, weight_until(&v[split]));
	return add_jump(b, BPF_JGE, v[split].first, yes, no);
}

static void compile(struct build *b)
{
	size_t next = add_return(b, SECCOMP_RET_KILL_PROCESS);

	for (size_t i = b->p->n_tables; i-- > 0;) {
		const struct sc_table *t = &b->p->tables[i];
		size_t tree;

		make_ranges(b, t);
		fold_singles(b);
		tree = add_tree(b, 0, b->ranges.n, NUMBERS);
		if (tree != b->len - 1)
			add(b, (struct sock_filter)BPF_STMT(BPF_JMP | BPF_JA, (uint32_t)(b->len - tree - 1)));
		tree = add_load(b, offsetof(struct seccomp_data, nr));
		next = add_jump(b, BPF_JEQ, t->audit_arch, tree, next);
	}
	add_load(b, offsetof(struct seccomp_data, arch));
}

int sc_bpf_compile(const struct sc_program *p, struct sock_filter **ret, size_t *ret_n)
{
	struct build b = { .p = p, .code = mem_alloc_n(BPF_MAXINSNS, sizeof(*b.code)) };
	auto_free struct sock_filter *code = b.code;
	struct sock_filter *out;

	compile(&b);
	arena_done(&b.arena);
	if (b.len > BPF_MAXINSNS)
		return -E2BIG;
	out = mem_alloc_n(b.len, sizeof(*out));
	for (size_t i = 0; i < b.len; i++)
		out[i] = code[b.len - 1 - i];
	*ret = out;
	*ret_n = b.len;
	return 0;
}
