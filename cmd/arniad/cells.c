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

#define CELLS 3 /* kept ready */

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
	}
	free(p);
}

static int prepare_one(struct daemon *d)
{
	struct job_request j = JOB_NONE;
	struct prepare *p = mem_alloc(sizeof(*p));
	struct plan_lease lease = { .cell = true };
	struct plan_input in = { .id = "", .name = "", .run = d->in.run, .state = d->in.state, .share = d->in.share,
				 .table = d->ids.nft_table, .ifgroup = d->ids.ifgroup, .facts = &d->facts.plan,
				 .lease = &lease };
	struct plan *plan = NULL;
	struct error err = { 0 };
	int r = lease_take(d->leases, true, &p->cell.lease, &err);

	if (r < 0) {
		free(p);
		return r;
	}
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

void cells_refill(struct daemon *d)
{
	if (!d->facts.ready || d->facts.net_error[0] || d->shutting_down)
		return;
	while (d->n_cells + d->cells_pending < CELLS && prepare_one(d) == 0)
		;
}

bool cell_take(struct daemon *d, struct cell *ret)
{
	if (!d->n_cells)
		return false;
	*ret = d->cells[0];
	memmove(d->cells, d->cells + 1, --d->n_cells * sizeof(*d->cells));
	return true;
}

void cells_forget(struct daemon *d)
{
	for (size_t i = 0; i < d->n_cells; i++)
		lease_give_back(d->leases, &d->cells[i].lease);
	d->n_cells = 0;
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
