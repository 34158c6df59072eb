/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Cells: {id range, user namespace, network namespace owned by it, veth, address} made before a request needs them, each held by a prepared worker.
 * Making one takes longer than the rest of a start (0.5 ms against 0.4).
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "cmd/arniad/daemon.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"

#define ROUTED 3 /* kept ready */
#define PLAIN 2 /* of those without a link, once one was asked for */
/* A cell costs as much as the rest of a start: made at once it would compete with the start that took the last one. */
#define QUIET_MS 20
#define SOON_MS 3 /* when none is left */
#define AT_ONCE 2 /* jobs on their way: somebody starts machines one after the other */

struct prepare {
	struct cell cell;
};

void cell_names(const struct daemon *d, const struct lease *l, char ifname[16], uint32_t *ifindex)
{
	/* by the place in the pool: unique while lent, and short enough for IFNAMSIZ */
	snprintf(ifname, 16, "%s%04x", d->ids.ifprefix, l->index & 0xffff);
	*ifindex = d->ids.ifindex_base + l->index;
}

static void on_prepared(struct daemon *d, const struct kp_result *r, const char *data, void *arg)
{
	struct prepare *p = arg;

	(void)data;
	d->cells_pending--;
	if (r->error.code || !r->worker) {
		log_warn("prepare a cell: %s", r->error.text);
		lease_give_back(d->leases, &p->cell.lease);
	} else {
		p->cell.worker = r->worker;
		d->cells = mem_realloc_n(d->cells, d->n_cells + 1, sizeof(*d->cells));
		d->cells[d->n_cells++] = p->cell;
		cells_refill(d);
	}
	free(p);
}

static int prepare_one(struct daemon *d, bool routed)
{
	struct job_request j = JOB_NONE;
	struct prepare *p = mem_alloc(sizeof(*p));
	struct plan_lease lease = { .cell = true, .plain = !routed };
	struct plan_input in = { .id = "", .name = "", .run = d->in.run, .state = d->in.state, .share = d->in.share,
				 .table = d->ids.nft_table, .ifgroup = d->ids.ifgroup, .facts = &d->facts.plan,
				 .lease = &lease };
	struct plan *plan = NULL;
	struct error err = { 0 };
	int r = lease_take(d->leases, routed, &p->cell.lease, &err);

	if (r < 0) {
		free(p);
		return r;
	}
	p->cell.routed = routed;
	in.gateway.s_addr = htonl(0xa9fe0101);
	cell_names(d, &p->cell.lease, p->cell.ifname, &p->cell.ifindex);
	lease.id_base = p->cell.lease.id_base;
	lease.addr = p->cell.lease.addr;
	lease.ifname = p->cell.ifname;
	lease.ifindex = p->cell.ifindex;
	r = plan_build_prepare(&in, &plan, &err);
	if (r == 0) {
		j.kind = PLAN_PREPARE;
		j.plan = plan;
		j.flags = KP_JOB_KEEP;
		j.done = on_prepared;
		j.arg = p;
		r = job_submit(d, &j, &p->cell.seq, &err);
		plan_free(plan);
	}
	if (r < 0) {
		lease_give_back(d->leases, &p->cell.lease);
		free(p);
		return r;
	}
	d->cells_pending++;
	return 0;
}

static size_t count(const struct daemon *d, bool routed)
{
	size_t n = 0;

	for (size_t i = 0; i < d->n_cells; i++)
		n += d->cells[i].routed == routed;
	return n;
}

/* Which kind is short, if any. */
static bool is_short(const struct daemon *d, bool *ret_routed)
{
	bool routed = !d->facts.net_error[0] && count(d, true) < ROUTED;

	*ret_routed = routed;
	return routed || count(d, false) < (d->wants_plain ? PLAIN : 0);
}

static void on_refill(void *arg)
{
	struct daemon *d = arg;
	bool routed;

	d->refill = NULL;
	if (d->shutting_down || d->cells_pending || !is_short(d, &routed))
		return;
	/* One at a time; while others work, only the first of a kind. */
	if (count(d, routed) && d->n_jobs > AT_ONCE)
		cells_refill(d);
	else
		(void)prepare_one(d, routed);
}

void cells_refill(struct daemon *d)
{
	bool routed;

	if (!d->facts.ready || d->shutting_down || d->refill || d->cells_pending || !is_short(d, &routed))
		return;
	d->refill = loop_add_timer(d->loop, count(d, routed) ? QUIET_MS : SOON_MS, on_refill, d);
}

bool cell_take(struct daemon *d, bool routed, struct cell *ret)
{
	d->wants_plain |= !routed;
	for (size_t i = 0; i < d->n_cells; i++) {
		if (d->cells[i].routed != routed)
			continue;
		*ret = d->cells[i];
		memmove(d->cells + i, d->cells + i + 1, (--d->n_cells - i) * sizeof(*d->cells));
		return true;
	}
	return false;
}

void cells_forget(struct daemon *d)
{
	for (size_t i = 0; i < d->n_cells; i++)
		lease_give_back(d->leases, &d->cells[i].lease);
	d->n_cells = 0;
	loop_del_timer(d->refill);
	d->refill = NULL;
}

void cell_put_back(struct daemon *d, const struct cell *c)
{
	d->cells = mem_realloc_n(d->cells, d->n_cells + 1, sizeof(*d->cells));
	d->cells[d->n_cells++] = *c;
}

void cells_died(struct daemon *d, uint64_t seq)
{
	for (size_t i = 0; i < d->n_cells; i++) {
		if (d->cells[i].seq != seq)
			continue;
		log_warn("a prepared worker ended");
		lease_give_back(d->leases, &d->cells[i].lease);
		memmove(d->cells + i, d->cells + i + 1, (--d->n_cells - i) * sizeof(*d->cells));
		return;
	}
}
