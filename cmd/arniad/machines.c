/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <string.h>
#include "cmd/arniad/daemon.h"
#include "lib/base/fd.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"

static unsigned hash(const char *s)
{
	uint32_t h = 2166136261u;

	for (; *s; s++)
		h = (h ^ (unsigned char)*s) * 16777619u;
	return h % HASH_SIZE;
}

struct machine *machine_add(struct daemon *d, struct machine_config *c)
{
	struct machine *m = mem_alloc(sizeof(*m));
	unsigned hn, hi;

	m->config = *c;
	m->daemon = d;
	m->init = PIDREF_NONE;
	m->root = -1;
	memset(m->held, -1, sizeof(m->held));
	m->watch_memory = m->watch_cgroup = -1;
	hn = hash(MACHINE_NAME(m));
	hi = hash(m->config.id);
	m->next = d->machines;
	d->machines = m;
	m->next_name = d->by_name[hn];
	d->by_name[hn] = m;
	m->next_id = d->by_id[hi];
	d->by_id[hi] = m;
	d->n_machines++;
	return m;
}

static void unlink_name(struct daemon *d, struct machine *m)
{
	struct machine **pp = &d->by_name[hash(MACHINE_NAME(m))];

	while (*pp != m)
		pp = &(*pp)->next_name;
	*pp = m->next_name;
}

void machine_drop_fds(struct machine *m)
{
	pidref_done(&m->init);
	for (size_t i = 0; i < ARRAY_SIZE(m->held); i++)
		fd_close(&m->held[i]);
	m->held_bits = 0;
}

enum news { NEWS_PHASE, NEWS_GONE, NEWS_NOT_REMOVED, NEWS_NO_KEEPER };

static bool is_due(const struct waiter *w, const struct machine *m, enum news news)
{
	if (news == NEWS_PHASE)
		return !w->removed_only && w->phases >> m->state.phase & 1;
	if (news == NEWS_NO_KEEPER)
		return w->asked;
	return news == NEWS_GONE || w->removed_only;
}

/* Tell those who wait. They are taken off the list first: a callback may add others, or move the machine on. */
static void notify(struct daemon *d, struct machine *m, enum news news, const struct error *why)
{
	struct waiter *due = NULL, **due_end = &due, *late = NULL, **late_end = &late, **pp = &m->waiters, *w;
	struct error gone = { 0 };

	while ((w = *pp)) {
		struct waiter ***end = w->acts ? &late_end : &due_end;

		if (!is_due(w, m, news)) {
			pp = &w->next;
			continue;
		}
		*pp = w->next;
		w->next = NULL;
		**end = w;
		*end = &w->next;
	}
	*due_end = late;
	err_set_kind(&gone, -ENOENT, ERR_NOT_FOUND, "%s: it was removed", MACHINE_NAME(m));
	while ((w = due)) {
		due = w->next;
		w->fn(d, m, news == NEWS_GONE && !w->removed_only ? &gone : why, w->arg);
		free(w);
	}
}

void machine_not_removed(struct daemon *d, struct machine *m, const struct error *why)
{
	notify(d, m, NEWS_NOT_REMOVED, why);
}

void machine_keeper_lost(struct daemon *d, struct machine *m, const struct error *why)
{
	notify(d, m, NEWS_NO_KEEPER, why);
}

void machine_forget(struct daemon *d, struct machine *m)
{
	struct machine **pp = &d->machines;

	notify(d, m, NEWS_GONE, NULL);
	while (*pp != m)
		pp = &(*pp)->next;
	*pp = m->next;
	unlink_name(d, m);
	pp = &d->by_id[hash(m->config.id)];
	while (*pp != m)
		pp = &(*pp)->next_id;
	*pp = m->next_id;
	d->n_machines--;
	watch_stop(d, m);
	loop_del_timer(m->stop_timer);
	machine_drop_fds(m);
	fd_close(&m->root);
	machine_config_done(&m->config);
	machine_state_done(&m->state);
	free(m);
}

struct machine *machine_by_name(struct daemon *d, const char *name)
{
	struct machine *m = d->by_name[hash(name)];

	while (m && !str_eq(MACHINE_NAME(m), name))
		m = m->next_name;
	return m;
}

struct machine *machine_by_id(struct daemon *d, const char *id)
{
	struct machine *m = d->by_id[hash(id)];

	while (m && !str_eq(m->config.id, id))
		m = m->next_id;
	return m;
}

static struct machine *by_prefix(struct daemon *d, const char *ref, struct error *err)
{
	struct machine *found = NULL;

	for (struct machine *m = d->machines; m; m = m->next) {
		if (!str_starts(m->config.id, ref))
			continue;
		if (found) {
			err_set_kind(err, -EINVAL, ERR_USAGE, "%s: more than one id begins so", ref);
			return NULL;
		}
		found = m;
	}
	return found;
}

struct machine *machine_find(struct daemon *d, const char *ref, struct error *err)
{
	struct machine *m;
	struct error e = { 0 };
	struct strbuf shown = { 0 };

	if (str_is_empty(ref) || strlen(ref) > 63 || (!name_is_valid(ref) && !id_is_valid(ref))) {
		strbuf_add_escaped(&shown, ref ? ref : "", ref ? strnlen(ref, 70) : 0);
		err_set_kind(err, -EINVAL, ERR_USAGE, "\"%s\" is no valid name", strbuf_cstr(&shown));
		err_hint(err, "letters, digits, '_', '.', '-', at most 63, beginning with a letter or digit");
		strbuf_done(&shown);
		return NULL;
	}
	if ((m = machine_by_name(d, ref)) || (m = machine_by_id(d, ref)))
		return m;
	if (strlen(ref) >= 4 && strspn(ref, "0123456789abcdef") == strlen(ref) && (m = by_prefix(d, ref, &e)))
		return m;
	if (e.code) {
		if (err)
			*err = e;
		return NULL;
	}
	err_set_kind(err, -ENOENT, ERR_NOT_FOUND, "%s: no such machine", ref);
	err_hint(err, "arnia list shows what there is");
	return NULL;
}

int machine_rename(struct daemon *d, struct machine *m, const char *name, struct error *err)
{
	const char *old = MACHINE_NAME(m);
	enum phase p;
	unsigned h;
	int r;

	if (!name_is_valid(name))
		return err_set_kind(err, -EINVAL, ERR_USAGE, "the new name is not valid");
	if (id_is_valid(name)) /* it would stand before the machine that has this id */
		return err_set_kind(err, -EINVAL, ERR_USAGE, "the new name looks like an id");
	if ((r = lifecycle_next(m->state.phase, EVENT_RENAME, &p, err)) < 0)
		return r;
	if (machine_by_name(d, name))
		return err_set_kind(err, -EEXIST, ERR_STATE, "%s: there is a machine of this name", name);
	unlink_name(d, m);
	m->config.spec.name = arena_str(&m->config.spec.arena, name);
	if ((r = store_save_config(&d->store, &m->config, err)) < 0)
		m->config.spec.name = old;
	h = hash(MACHINE_NAME(m));
	m->next_name = d->by_name[h];
	d->by_name[h] = m;
	return r;
}

void machine_save_state(struct daemon *d, struct machine *m)
{
	struct error err = { 0 };

	(void)str_copy(m->state.boot_id, sizeof(m->state.boot_id), d->boot_id);
	m->state.id_base = m->lease.id_base;
	m->state.addr = m->lease.addr;
	m->state.removing = m->to_remove || m->removing;
	if (store_save_state(&d->store, m->config.id, &m->state, &err) < 0)
		log_error("%s: save state: %s", MACHINE_NAME(m), err.text);
}

int machine_event(struct daemon *d, struct machine *m, enum lifecycle_event e, struct error *err)
{
	enum phase to;
	int r = lifecycle_next(m->state.phase, e, &to, err);

	if (r < 0) {
		err_prefix(err, "%s", MACHINE_NAME(m));
		return r;
	}
	if (to == m->state.phase)
		return 0;
	m->state.phase = to;
	machine_save_state(d, m);
	notify(d, m, NEWS_PHASE, NULL);
	return 0;
}

void machine_wait(struct machine *m, uint32_t phases, bool removed_only, op_done fn, void *arg)
{
	struct waiter *w = mem_alloc(sizeof(*w));

	*w = (struct waiter){ .next = m->waiters, .phases = phases, .removed_only = removed_only, .fn = fn, .arg = arg };
	m->waiters = w;
}

void machine_wait_asked(struct machine *m, uint32_t phases, bool removed_only, op_done fn, void *arg)
{
	machine_wait(m, phases, removed_only, fn, arg);
	m->waiters->asked = true;
}

void machine_wait_to_act(struct machine *m, uint32_t phases, op_done fn, void *arg)
{
	machine_wait_asked(m, phases, false, fn, arg);
	m->waiters->acts = true;
}

void machine_unwait(struct machine *m, void *arg)
{
	struct waiter **pp = &m->waiters, *w;

	while ((w = *pp)) {
		if (w->arg == arg) {
			*pp = w->next;
			free(w);
		} else {
			pp = &w->next;
		}
	}
}

int machine_cgroup(struct daemon *d, const struct machine *m, struct error *err)
{
	auto_free char *path = str_fmt("%s/c-%s", d->facts.branch, m->config.id);

	return cg_open(d->cgroup_root, path, err);
}
