/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Random programs against the definition in seccomp_internal.h. */
#include <sys/prctl.h>
#include <sys/syscall.h>
#include "tests/unit/sandbox/filter.h"
#include "tests/unit/sandbox/fixture.h"
#include "lib/sandbox/seccomp_internal.h"

static const uint32_t actions[] = {
	SECCOMP_RET_ALLOW,	  SECCOMP_RET_ERRNO | 1, SECCOMP_RET_ERRNO | 38,  SECCOMP_RET_LOG,
	SECCOMP_RET_KILL_PROCESS, SECCOMP_RET_TRAP,	 SECCOMP_RET_KILL_THREAD, SECCOMP_RET_TRACE | 5,
};
/* Near one another in each half, so that comparisons meet their borders. */
static const uint64_t values[] = {
	0,
	1,
	2,
	5,
	0xffffffff,
	0x100000000,
	0x100000001,
	0x100000005,
	0x1ffffffff,
	0x200000000,
	UINT64_MAX - 1,
	UINT64_MAX,
	0x7e020000,
	0xffffffff00000000,
};
#define PICK(a) ((a)[(size_t)rand_r(seed) % ARRAY_SIZE(a)])

static bool holds(const struct sc_cond *c, const struct seccomp_data *d)
{
	uint64_t v = d->args[c->arg];

	switch (c->op) {
	case SC_EQ:
		return v == c->value;
	case SC_NE:
		return v != c->value;
	case SC_LT:
		return v < c->value;
	case SC_LE:
		return v <= c->value;
	case SC_GT:
		return v > c->value;
	case SC_GE:
		return v >= c->value;
	default:
		return (v & c->value) == c->value_two;
	}
}

static uint32_t decide(const struct sc_program *p, const struct sc_table *t, const struct seccomp_data *d)
{
	uint32_t nr = (uint32_t)d->nr, best = 0,
		 last = t->last_x32 && nr >= 0x40000000 ? t->last_x32 : t->last;
	bool found = false;

	if (nr == UINT32_MAX)
		return SECCOMP_RET_ALLOW;
	if (t->x32_closed && nr >= 0x40000000)
		return SECCOMP_RET_ERRNO | ENOSYS;
	for (size_t i = 0; i < t->matches.n; i++) {
		const struct sc_rule *r = &p->rules[t->matches.v[i].rule];
		bool ok = t->matches.v[i].nr == nr;

		for (size_t j = 0; j < r->n; j++)
			ok = ok && holds(&r->conds[j], d);
		if (!ok || (found && (int32_t)(r->action & SECCOMP_RET_ACTION_FULL) >=
					     (int32_t)(best & SECCOMP_RET_ACTION_FULL)))
			continue;
		best = r->action;
		found = true;
	}
	return found ? best : (last && nr > last ? p->unknown_action : p->default_action);
}

static void make_rules(struct sc_rule *rules, size_t n, unsigned *seed)
{
	for (size_t i = 0; i < n; i++) {
		rules[i].action = PICK(actions);
		rules[i].n = rand_r(seed) % 3 ? (size_t)rand_r(seed) % 4 : 0;
		for (size_t j = 0; j < rules[i].n; j++)
			rules[i].conds[j] =
				(struct sc_cond){ (uint8_t)(rand_r(seed) % 3), (uint8_t)(rand_r(seed) % 7),
						  PICK(values), PICK(values) };
	}
}

/* Names come in this order too: by rule, not by number. */
static void make_matches(struct sc_table *t, struct arena *a, size_t rules, unsigned spread, bool x32,
			 unsigned *seed)
{
	for (size_t i = 0; i < rules; i++)
		for (int j = rand_r(seed) % 6; j >= 0; j--)
			*arena_push(a, &t->matches) =
				(struct sc_match){ (unsigned)rand_r(seed) % spread |
							   (x32 && rand_r(seed) % 2 ? 0x40000000 : 0),
						   (uint32_t)i };
	for (size_t i = 0; i < t->matches.n; i++) {
		uint32_t nr = t->matches.v[i].nr, *last = nr & 0x40000000 ? &t->last_x32 : &t->last;

		nr += (unsigned)rand_r(seed) % 3;
		*last = MAX(*last, nr);
	}
}

static void compare(const struct sc_program *p, const struct sock_filter *code, size_t n, unsigned spread,
		    unsigned *seed)
{
	static const uint32_t edges[] = { 0x3fffffff, 0x40000000, 0x40000001, 0x7fffffff,
					  0x80000000, 0xfffffffe, 0xffffffff, 511,
					  512,	      513,	  5000 };

	for (unsigned i = 0; i < spread * 6 + 500; i++) {
		const struct sc_table *t = &p->tables[(size_t)rand_r(seed) % p->n_tables];
		struct seccomp_data d = { .nr = (int)((unsigned)rand_r(seed) % (spread + 2)),
					  .arch = t->audit_arch };

		if (i % 3 == 0)
			d.nr |= 0x40000000;
		if (i % 11 == 0)
			d.nr = (int)PICK(edges);
		for (int j = 0; j < 6; j++)
			d.args[j] = PICK(values);
		assert_int_equal(filter_run(code, n, &d), decide(p, t, &d));
		d.arch = 0x12345;
		assert_int_equal(filter_run(code, n, &d), SECCOMP_RET_KILL_PROCESS);
	}
}

static int takes(void *arg)
{
	CHECK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
	CHECK(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, arg) == 0);
	return 0;
}

static void test_random(void **state)
{
	size_t largest = 0, too_large = 0;
	unsigned s = 7, *seed = &s;

	(void)state;
	for (int round = 0; round < 400; round++) {
		struct sc_rule rules[200] = { 0 };
		struct arena a = { 0 };
		unsigned spread = round % 4 ? 450 : 40;
		struct sc_program p = {
			.default_action = PICK(actions),
			.unknown_action = PICK(actions),
			.rules = rules,
			.n_rules = (size_t)rand_r(seed) % 200,
			.n_tables = 1 + (size_t)rand_r(seed) % 2,
			.tables = { { .audit_arch = AUDIT_ARCH_X86_64, .x32_closed = rand_r(seed) & 1 },
				    { .audit_arch = AUDIT_ARCH_I386 } },
		};
		struct sock_filter *code = NULL;
		size_t n = 0;
		int r;

		make_rules(rules, p.n_rules, seed);
		make_matches(&p.tables[0], &a, p.n_rules, spread, !p.tables[0].x32_closed, seed);
		make_matches(&p.tables[1], &a, p.n_rules, spread, false, seed);
		r = sc_bpf_compile(&p, &code, &n);
		if (r == 0) {
			compare(&p, code, n, spread, seed);
			largest = MAX(largest, n);
			free(code);
		} else {
			assert_int_equal(r, -E2BIG);
			too_large++;
		}
		arena_done(&a);
	}
	/* Jumps over more than 255 instructions were among them, and programs over the kernel's limit. */
	assert_true(largest > 1000);
	assert_true(too_large < 200);
}

/* The child must still be able to say that it went well, also with a sanitizer in it. */
static bool is_kept(uint32_t nr)
{
	static const uint32_t kept[] = { SYS_write,	  SYS_exit_group, SYS_munmap,
					 SYS_sigaltstack, SYS_gettid,	  SYS_getpid };

	for (size_t i = 0; i < ARRAY_SIZE(kept); i++)
		if (kept[i] == nr)
			return true;
	return false;
}

static void test_kernel_takes_it(void **state)
{
	unsigned s = 11, *seed = &s;

	(void)state;
	for (int round = 0; round < 20; round++) {
		struct sc_rule rules[60] = { 0 };
		struct arena a = { 0 };
		struct sc_program p = { .default_action = SECCOMP_RET_ALLOW,
					.unknown_action = PICK(actions),
					.rules = rules,
					.n_rules = 60,
					.n_tables = 1,
					.tables = { { .audit_arch = AUDIT_ARCH_X86_64 } } };
		struct sock_filter *code = NULL;
		struct sock_fprog prog;
		size_t n;

		make_rules(rules, p.n_rules, seed);
		make_matches(&p.tables[0], &a, p.n_rules, 400, false, seed);
		for (size_t i = 0; i < p.tables[0].matches.n; i++)
			if (is_kept(p.tables[0].matches.v[i].nr))
				p.tables[0].matches.v[i].nr = 399;
		assert_int_equal(sc_bpf_compile(&p, &code, &n), 0);
		prog = (struct sock_fprog){ (unsigned short)n, code };
		in_child(takes, &prog);
		free(code);
		arena_done(&a);
	}
}

static void test_empty(void **state)
{
	struct sc_program p = { .default_action = SECCOMP_RET_ERRNO | 1,
				.unknown_action = SECCOMP_RET_ERRNO | 38,
				.n_tables = 1,
				.tables = { { .audit_arch = AUDIT_ARCH_X86_64, .x32_closed = true } } };
	struct seccomp_data d = { .arch = AUDIT_ARCH_X86_64, .nr = 39 };
	struct sock_filter *code = NULL;
	size_t n;

	(void)state;
	assert_int_equal(sc_bpf_compile(&p, &code, &n), 0);
	assert_int_equal(filter_run(code, n, &d), SECCOMP_RET_ERRNO | 1);
	free(code);
	/* Everything allowed: a program of one leaf. */
	p.default_action = p.unknown_action = SECCOMP_RET_ALLOW;
	p.tables[0].x32_closed = false;
	assert_int_equal(sc_bpf_compile(&p, &code, &n), 0);
	assert_int_equal(filter_run(code, n, &d), SECCOMP_RET_ALLOW);
	d.arch = AUDIT_ARCH_I386;
	assert_int_equal(filter_run(code, n, &d), SECCOMP_RET_KILL_PROCESS);
	free(code);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random),
		cmocka_unit_test(test_kernel_takes_it),
		cmocka_unit_test(test_empty),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
