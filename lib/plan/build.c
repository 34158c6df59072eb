/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <linux/sched.h>
#include <net/if.h>
#include <string.h>
#include "lib/plan/internal.h"

static struct plan *new_plan(const struct plan_input *in, enum plan_kind kind)
{
	struct plan *p = mem_alloc(sizeof(*p));

	p->kind = kind;
	p->id = arena_str(&p->arena, in->id);
	p->name = arena_str(&p->arena, in->name);
	p->run = arena_str(&p->arena, in->run);
	p->state = arena_str(&p->arena, in->state);
	p->share = arena_str(&p->arena, in->share);
	p->cgroup.limits = CG_LIMITS_NONE;
	return p;
}

/* net_mac_derive's rule, which this layer cannot link: locally administered, stable for an address. */
static void derive_mac(struct in_addr addr, uint8_t first, uint8_t ret[6])
{
	ret[0] = first;
	ret[1] = 0xa4;
	memcpy(ret + 2, &addr.s_addr, sizeof(addr.s_addr));
}

static int add_link(const struct plan_input *in, struct plan *p, struct error *err)
{
	const struct plan_lease *l = in->lease;
	struct net_config *n = &p->net;

	if (!l->addr.s_addr || str_is_empty(l->ifname) || strlen(l->ifname) >= IFNAMSIZ || !in->table)
		return err_set(err, -EINVAL, "network lease: incomplete");
	n->mode = NET_ROUTED;
	n->table = arena_str(&p->arena, in->table);
	n->ifgroup = in->ifgroup;
	n->ifname = arena_str(&p->arena, l->ifname);
	n->ifindex = l->ifindex;
	n->addr = l->addr;
	n->gateway = in->gateway;
	derive_mac(l->addr, 0x06, n->host_mac);
	derive_mac(l->addr, 0x02, n->mac);
	return 0;
}

int plan_add_network(const struct plan_input *in, struct plan *p, struct error *err)
{
	const struct spec *s = in->spec;
	int r;

	p->net.mode = s->net;
	p->use_cell = in->lease->cell;
	if (p->use_cell && s->net != (in->lease->plain ? NET_NONE : NET_ROUTED))
		return err_set(err, -EINVAL, "the prepared worker has another network");
	if (s->net != NET_ROUTED)
		return 0;
	r = add_link(in, p, err);
	if (r < 0)
		return r;
	p->pool = in->pool;
	p->pool_prefix = in->pool_prefix;
	for (size_t i = 0; i < s->ports.n; i++)
		*arena_push(&p->arena, &p->net.ports) = s->ports.v[i];
	return 0;
}

/* In the order in which a start makes them. */
static int add_undo(const struct plan_input *in, struct plan *p, struct error *err unused)
{
	*arena_push(&p->arena, &p->undo) = PLAN_UNDO_CGROUP;
	if (p->net.mode == NET_ROUTED) {
		*arena_push(&p->arena, &p->undo) = PLAN_UNDO_LINK;
		*arena_push(&p->arena, &p->undo) = PLAN_UNDO_PUBLISH;
	}
	/* Else the layers outlive the stop: they are the user's data. */
	if (in->spec->remove)
		*arena_push(&p->arena, &p->undo) = PLAN_UNDO_LAYERS;
	return 0;
}

/* Whatever way a spec came here, merged with an image or read from a backup, this is the last look at all of
 * it. */
static int check_spec(const struct plan_input *in, struct plan *p unused, struct error *err)
{
	return spec_check(in->spec, err);
}

int plan_build_start(const struct plan_input *in, struct plan **ret, struct error *err)
{
	static int (*const steps[])(const struct plan_input *, struct plan *, struct error *) = {
		check_spec,	  plan_add_cgroup, plan_add_network, plan_add_rootfs, plan_add_devices,
		plan_add_sandbox, plan_add_files,  plan_add_process, add_undo,
	};
	struct plan *p = new_plan(in, PLAN_START);

	for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
		int r = steps[i](in, p, err);

		if (r < 0) {
			plan_free(p);
			return r;
		}
	}
	*ret = p;
	return 0;
}

int plan_build_prepare(const struct plan_input *in, struct plan **ret, struct error *err)
{
	struct plan *p = new_plan(in, PLAN_PREPARE);
	int r = in->lease->plain ? 0 : add_link(in, p, err);

	r = r < 0 ? r : plan_map_ids(in->lease, p, err);
	if (r < 0) {
		plan_free(p);
		return r;
	}
	p->rootfs.id_base = in->lease->id_base;
	p->rootfs.id_count = PLAN_ID_COUNT;
	p->sandbox.namespaces = CLONE_NEWUSER | CLONE_NEWNET;
	if (p->net.mode == NET_ROUTED)
		*arena_push(&p->arena, &p->undo) = PLAN_UNDO_LINK;
	*ret = p;
	return 0;
}

void plan_rekind(const struct plan *start, enum plan_kind kind, struct plan *ret)
{
	*ret = *start;
	ret->arena = (struct arena){ 0 };
	ret->kind = kind;
}
