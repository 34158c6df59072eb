/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is on disk, at our start. What is not usable is put aside and named; the rest is served. */
#include <errno.h>
#include <string.h>
#include "cmd/arniad/daemon.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"

static void on_bad(void *arg, const char *file, const struct error *why)
{
	struct daemon *d = arg;
	struct bad_file *b = mem_alloc(sizeof(*b));

	log_error("%s is not usable: %s", file, why->text);
	(void)str_copy(b->name, sizeof(b->name), file);
	(void)str_copy(b->why, sizeof(b->why), why->text);
	b->next = d->bad;
	d->bad = b;
}

/* Whether it runs, the keeper knows; and the plan, if there is one, says what to undo. */
static void lose_state(struct daemon *d, struct machine *m, const struct error *why)
{
	auto_free char *file = str_fmt("state/%s.json", m->config.id);

	on_bad(d, file, why);
	machine_state_done(&m->state);
	m->state = (struct machine_state){ .phase = PHASE_STARTING };
	m->state_lost = true;
}

static void on_config(void *arg, struct machine_config *c)
{
	struct daemon *d = arg;
	struct machine *m;
	struct error err = { 0 };

	if (machine_by_name(d, c->spec.name)) { /* a copied file: the first one stays */
		auto_free char *file = str_fmt("config/%s.json", c->id);

		err_set(&err, -EEXIST, "a second machine named %s", c->spec.name);
		on_bad(d, file, &err);
		machine_config_done(c);
		return;
	}
	m = machine_add(d, c);
	m->tty = m->config.spec.tty;
	if (store_load_state(&d->store, m->config.id, d->boot_id, &m->state, &err) < 0)
		lose_state(d, m, &err);
	m->stopping_asked = m->state.phase == PHASE_STOPPING && !m->state.exit.known;
	m->to_remove = m->state.removing;
}

/* From before anything is lent. */
static void adopt(struct daemon *d, const char *id, uint64_t id_base, struct in_addr addr, struct lease *ret)
{
	if (lease_adopt(d->leases, id_base, addr, ret) < 0)
		log_error("%s: its id range or address is lent twice or outside this instance's", id);
}

static void add_stray(struct daemon *d, const char *id, const struct plan *p)
{
	struct stray *s = mem_alloc(sizeof(*s));

	(void)str_copy(s->id, sizeof(s->id), id);
	adopt(d, id, p->rootfs.id_base, p->net.addr, &s->lease);
	s->next = d->strays;
	d->strays = s;
}

static void on_plan(void *arg, const char *id)
{
	struct daemon *d = arg;
	struct machine *m = machine_by_id(d, id);
	struct plan *p = NULL;
	struct error err = { 0 };
	int r = store_load_plan(&d->store, id, &p, &err);

	if (m)
		m->had_plan = true;
	if (r < 0) {
		auto_free char *file = str_fmt("plan/%s", id);

		on_bad(d, file, &err);
		if (r == -EBADMSG)
			store_isolate_plan(&d->store, id);
		return;
	}
	if (m)
		adopt(d, id, p->rootfs.id_base, p->net.addr, &m->lease);
	else
		add_stray(d, id, p);
	plan_free(p);
}

/* The plan is gone, now or in an earlier daemon's time: the state remembers what it was lent. */
static void adopt_by_states(struct daemon *d)
{
	for (struct machine *m = d->machines; m; m = m->next) {
		if (m->lease.id_base || !m->state.id_base)
			continue;
		m->had_plan = true;
		adopt(d, m->config.id, m->state.id_base, m->state.addr, &m->lease);
	}
}

static void check_events(struct daemon *d)
{
	size_t n = events_unreadable(d->events);
	struct error why = { 0 };

	if (!n)
		return;
	err_set(&why, -EBADMSG, "%zu lines in it cannot be read and are passed over", n);
	on_bad(d, "events.jsonl", &why);
}

int reconcile_load(struct daemon *d, struct error *err)
{
	int r = proc_boot_id(d->boot_id);

	if (r < 0)
		return err_sys(err, r, "read the boot id");
	store_each_bad(&d->store, on_bad, d);
	check_events(d);
	store_load_configs(&d->store, on_config, on_bad, d);
	store_each_plan(&d->store, on_plan, d);
	adopt_by_states(d);
	return 0;
}
