/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdbool.h>
#include <stdlib.h>
#include "lib/container/lease.h"

#define BASE 0x10000000ull
#define N 64

static struct lease_pool *small(void)
{
	return lease_pool_new(BASE, BASE + N * LEASE_IDS, 0x0ad10000);
}

static void disjoint_until_none_is_left(void **state)
{
	struct lease_pool *p = small();
	struct lease l[N];
	struct error err = { 0 };

	(void)state;
	for (int i = 0; i < N; i++) {
		assert_int_equal(lease_take(p, true, &l[i], &err), 0);
		assert_int_equal(l[i].id_base % LEASE_IDS, 0);
		assert_in_range(l[i].id_base, BASE, BASE + (N - 1) * LEASE_IDS);
		assert_int_equal(ntohl(l[i].addr.s_addr) >> 16, 0x0ad1);
		for (int k = 0; k < i; k++) {
			assert_int_not_equal(l[i].id_base, l[k].id_base);
			assert_int_not_equal(l[i].addr.s_addr, l[k].addr.s_addr);
		}
	}
	assert_int_equal(lease_count(p), N);
	assert_int_equal(lease_take(p, false, &l[0], &err), -ENOSPC);
	assert_int_equal(err.kind, ERR_REFUSED);
	for (int i = 0; i < N; i++)
		lease_give_back(p, &l[i]);
	assert_int_equal(lease_count(p), 0);
	assert_int_equal(l[0].id_base, 0);
	lease_pool_free(p);
}

static void freed_ones_rest(void **state)
{
	struct lease_pool *p = small();
	struct lease a, b;
	uint64_t first;

	(void)state;
	assert_int_equal(lease_take(p, true, &a, NULL), 0);
	first = a.id_base;
	lease_give_back(p, &a);
	assert_int_equal(lease_take(p, true, &b, NULL), 0);
	assert_int_not_equal(b.id_base, first);
	lease_pool_free(p);
}

static void special_addresses_are_not_lent(void **state)
{
	struct lease_pool *p = lease_pool_new(BASE, BASE + 70000ull * LEASE_IDS, 0x0ad10000);
	struct lease l;
	int n = 0;

	(void)state;
	while (lease_take(p, true, &l, NULL) == 0) {
		uint32_t low = ntohl(l.addr.s_addr) & 0xffff;

		assert_int_not_equal(low, 0);
		assert_int_not_equal(low, 1);
		assert_int_not_equal(low, 0xffff);
		n++;
	}
	assert_int_equal(n, 65536 - 3);
	lease_pool_free(p);
}

static void a_failed_take_lends_nothing(void **state)
{
	struct lease_pool *p = lease_pool_new(BASE, BASE + 70000ull * LEASE_IDS, 0x0ad10000);
	struct lease l;
	size_t before;

	(void)state;
	while (lease_take(p, true, &l, NULL) == 0)
		;
	before = lease_count(p);
	assert_int_equal(lease_take(p, true, &l, NULL), -ENOSPC);
	assert_int_equal(lease_count(p), before);
	assert_int_equal(lease_take(p, false, &l, NULL), 0); /* ids are left */
	assert_int_equal(l.addr.s_addr, 0);
	lease_pool_free(p);
}

static void adopt(void **state)
{
	struct lease_pool *p = small();
	struct in_addr addr = { htonl(0x0ad10005) }, none = { 0 }, foreign = { htonl(0x0a000001) };
	struct lease l = { 0 }, other = { 0 };

	(void)state;
	assert_int_equal(lease_adopt(p, BASE + 3 * LEASE_IDS, addr, &l), 0);
	assert_int_equal(l.index, 5);
	assert_int_equal(lease_adopt(p, BASE + 3 * LEASE_IDS, none, &other), -EEXIST);
	assert_int_equal(lease_adopt(p, BASE + 4 * LEASE_IDS, addr, &other), -EEXIST);
	assert_int_equal(other.id_base, 0);
	assert_int_equal(lease_adopt(p, BASE + 4 * LEASE_IDS, none, &other), 0);
	assert_int_equal(lease_adopt(p, BASE - LEASE_IDS, none, &other), -ERANGE);
	assert_int_equal(lease_adopt(p, BASE + N * LEASE_IDS, none, &other), -ERANGE);
	assert_int_equal(lease_adopt(p, BASE + 5 * LEASE_IDS + 1, none, &other), -ERANGE);
	assert_int_equal(lease_adopt(p, BASE + 5 * LEASE_IDS, foreign, &other), -ERANGE);
	for (int i = 0; i < N - 2; i++) {
		assert_int_equal(lease_take(p, true, &other, NULL), 0);
		assert_int_not_equal(other.id_base, l.id_base);
		assert_int_not_equal(other.addr.s_addr, addr.s_addr);
	}
	assert_int_equal(lease_take(p, true, &other, NULL), -ENOSPC);
	lease_pool_free(p);
}

static void subids_are_kept_out(void **state)
{
	struct lease_pool *p = small();
	struct lease l;
	int n = 0;

	(void)state;
	/* begins in the second range and ends in the fourth: three ranges are touched; bad lines are passed over */
	lease_pool_exclude(p, "# no\nroot\nuser:268501000:131072\nx:y:z\nfar:100000:65536\nbad:-1:5\nhuge:1:99999999999999999999\n"
			      "user:268435456:0\n");
	while (lease_take(p, false, &l, NULL) == 0) {
		assert_false(l.id_base < 268501000ull + 131072 && l.id_base + LEASE_IDS > 268501000ull);
		n++;
	}
	assert_int_equal(n, N - 3);
	lease_pool_free(p);
}

/* Random lending, giving back and adopting against a plain array. */
static void against_a_model(void **state)
{
	struct lease_pool *p = small();
	struct lease held[N] = { 0 };
	unsigned seed = 7;
	size_t lent = 0;

	(void)state;
	for (int i = 0; i < 20000; i++) {
		struct lease *l = &held[rand_r(&seed) % N];

		if (l->id_base) {
			lease_give_back(p, l);
			lent--;
		} else {
			assert_int_equal(lease_take(p, rand_r(&seed) & 1, l, NULL), 0);
			lent++;
			for (int k = 0; k < N; k++)
				assert_true(&held[k] == l || held[k].id_base != l->id_base);
		}
		assert_int_equal(lease_count(p), lent);
	}
	lease_pool_free(p);
}

/* ---- crashes ---- */

/* What a daemon's end leaves: the plans on disk, each of a machine that may run. */
struct disk {
	uint64_t plans[N];
	size_t n;
};

static bool does_overlap(uint64_t a, uint64_t b)
{
	return a < b + LEASE_IDS && b < a + LEASE_IDS;
}

static void add_plan(struct disk *d, uint64_t id_base)
{
	for (size_t i = 0; i < d->n; i++)
		assert_false(does_overlap(d->plans[i], id_base));
	d->plans[d->n++] = id_base;
}

/* The next daemon: all that the plans hold is taken before anything is lent. */
static struct lease_pool *next_daemon(struct lease_pool *p, const struct disk *d, struct lease held[N])
{
	const struct in_addr none = { 0 };

	lease_pool_free(p);
	p = small();
	for (size_t i = 0; i < d->n; i++)
		assert_int_equal(lease_adopt(p, d->plans[i], none, &held[i]), 0);
	assert_int_equal(lease_count(p), d->n);
	return p;
}

/*
 * A machine comes: lent, then its plan is written, then it runs. One goes: it has ended, then its plan is removed, then its range is given back.
 * The daemon dies in any gap between two of them. No two plans ever overlap, and nothing stays lent without one.
 */
static void no_crash_makes_ranges_overlap(void **state)
{
	struct lease_pool *p = small();
	struct lease held[N] = { 0 };
	struct disk d = { .n = 0 };
	unsigned seed = 11, made = 0, gone = 0, crashes = 0;

	(void)state;
	while (made < 1000 || gone < 1000) {
		bool comes = d.n < N && (d.n == 0 || (size_t)rand_r(&seed) % N >= d.n), dies = rand_r(&seed) % 8 == 0;
		unsigned gap = (unsigned)rand_r(&seed) % 2;
		struct lease l;
		size_t at = comes ? d.n : (size_t)rand_r(&seed) % d.n;

		if (comes) {
			assert_int_equal(lease_take(p, false, &l, NULL), 0);
			if (!dies || gap) {
				add_plan(&d, l.id_base);
				held[at] = l;
				made++;
			}
		} else {
			l = held[at];
			d.plans[at] = d.plans[--d.n];
			held[at] = held[d.n];
			if (!dies || gap)
				lease_give_back(p, &l);
			gone++;
		}
		if (dies) {
			p = next_daemon(p, &d, held);
			crashes++;
		}
		assert_int_equal(lease_count(p), d.n);
	}
	assert_true(crashes > 100);
	lease_pool_free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(disjoint_until_none_is_left), cmocka_unit_test(freed_ones_rest),
		cmocka_unit_test(special_addresses_are_not_lent), cmocka_unit_test(a_failed_take_lends_nothing),
		cmocka_unit_test(adopt), cmocka_unit_test(subids_are_kept_out), cmocka_unit_test(against_a_model),
		cmocka_unit_test(no_crash_makes_ranges_overlap),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
