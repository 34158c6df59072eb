/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Methods that look at machines or change them without waiting for a worker's start. */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include "cmd/arniad/daemon.h"
#include "lib/base/fd.h"
#include "lib/base/mem.h"
#include "lib/base/parse.h"
#include "lib/base/str.h"

struct list_filter {
	struct arena arena;
	struct strv names, labels;
	bool running;
};

static bool has_label(const struct machine *m, const char *want)
{
	const struct spec *s = &m->config.spec;
	const char *eq = strchr(want, '=');
	size_t n = eq ? (size_t)(eq - want) : strlen(want);

	for (size_t i = 0; i < s->labels.n; i++) {
		const struct spec_pair *p = &s->labels.v[i];

		if (strlen(p->key) == n && !strncmp(p->key, want, n) && (!eq || str_eq(p->value, eq + 1)))
			return true;
	}
	return false;
}

static bool matches(const struct machine *m, const struct list_filter *f)
{
	bool named = !f->names.n;

	if (f->running && m->state.phase != PHASE_RUNNING && m->state.phase != PHASE_PAUSED)
		return false;
	for (size_t i = 0; i < f->labels.n; i++) {
		if (!has_label(m, f->labels.v[i]))
			return false;
	}
	for (size_t i = 0; i < f->names.n && !named; i++)
		named = str_glob(f->names.v[i], MACHINE_NAME(m)) || str_glob(f->names.v[i], m->config.id);
	return named;
}

/* Plain names are looked up as everywhere, so that a beginning of an id works and a wrong one is an error. */
static int names_resolve(struct daemon *d, struct list_filter *f, struct error *err)
{
	for (size_t i = 0; i < f->names.n; i++) {
		struct machine *m;

		if (strpbrk(f->names.v[i], "*?["))
			continue;
		if (!(m = machine_find(d, f->names.v[i], err)))
			return err ? err->code : -ENOENT;
		f->names.v[i] = m->config.id;
	}
	return 0;
}

static int by_created(const void *a, const void *b)
{
	const struct machine *x = *(struct machine *const *)a, *y = *(struct machine *const *)b;

	return x->config.created_ns < y->config.created_ns ? -1 : x->config.created_ns > y->config.created_ns;
}

void api_list(struct rpc_call *c, void *arg)
{
	struct daemon *d = arg;
	const json *p = rpc_params(c);
	struct list_filter f = { 0 };
	struct error err = { 0 };
	struct machine **all = mem_alloc_n(d->n_machines + 1, sizeof(*all));
	size_t n = 0;

	if (api_names(p, "names", &f.arena, &f.names, &err) < 0 ||
	    api_names(p, "labels", &f.arena, &f.labels, &err) < 0 ||
	    json_get_bool(p, "running", &f.running, &err) < 0 || names_resolve(d, &f, &err) < 0) {
		rpc_fail(c, &err);
	} else {
		json *out = json_new_obj(), *list = json_new_arr();

		for (struct machine *m = d->machines; m; m = m->next) {
			if (matches(m, &f))
				all[n++] = m;
		}
		qsort(all, n, sizeof(*all), by_created);
		for (size_t i = 0; i < n; i++)
			json_push(list, view_machine(all[i]));
		json_add(out, "machines", list);
		rpc_reply(c, out);
	}
	free(all);
	arena_done(&f.arena);
}

void api_inspect(struct rpc_call *c, void *arg)
{
	struct machine *m = api_machine(c, arg);
	json *out;

	if (!m)
		return;
	out = json_new_obj();
	json_add(out, "machine", view_inspect(arg, m));
	rpc_reply(c, out);
}

struct explain {
	struct rpc_call *call;
	struct strbuf text;
};

static void explain_line(struct daemon *d, const char *text, void *arg)
{
	struct explain *x = arg;

	(void)d;
	strbuf_add(&x->text, text); /* pieces, put together */
}

static void explain_gone(struct rpc_call *c, void *arg)
{
	(void)c;
	((struct explain *)arg)->call = NULL;
}

static void on_explained(struct daemon *d, const struct kp_result *r, const char *data, void *arg)
{
	struct explain *x = arg;
	json *out;

	if (*data)
		explain_line(d, data, x);
	if (x->call && r->error.code) {
		rpc_fail(x->call, &r->error);
	} else if (x->call) {
		out = json_new_obj();
		json_add_str(out, "text", strbuf_cstr(&x->text));
		rpc_reply(x->call, out);
	}
	strbuf_done(&x->text);
	free(x);
}

void api_explain(struct rpc_call *c, void *arg)
{
	struct daemon *d = arg;
	struct machine *m = api_machine(c, d);
	struct job_request j = JOB_NONE;
	struct plan *start = NULL, look;
	struct explain *x;
	struct error err = { 0 };

	if (!m)
		return;
	if (!m->state.pid || store_load_plan(&d->store, m->config.id, &start, &err) < 0) {
		err_set_kind(&err, -EINVAL, ERR_STATE, "%s: nothing to explain: it is %s", MACHINE_NAME(m),
			     phase_name(m->state.phase));
		err_hint(&err, "start it first: arnia start %s", MACHINE_NAME(m));
		rpc_fail(c, &err);
		return;
	}
	if (jobs_have_room(d, &err) < 0) {
		rpc_fail(c, &err);
		plan_free(start);
		return;
	}
	x = mem_alloc(sizeof(*x));
	x->call = c;
	strbuf_add(&x->text, "# plan\n");
	plan_print(start, &x->text);
	strbuf_add(&x->text, "# kernel\n");
	plan_rekind(start, PLAN_EXPLAIN, &look);
	j.kind = PLAN_EXPLAIN;
	j.plan = &look;
	j.id = m->config.id;
	j.target = m->init.fd;
	j.line = explain_line;
	j.done = on_explained;
	j.arg = x;
	if (job_submit(d, &j, NULL, &err) < 0) {
		rpc_fail(c, &err);
		strbuf_done(&x->text);
		free(x);
	} else {
		rpc_on_gone(c, explain_gone, x);
	}
	plan_free(start);
}

void api_kill(struct rpc_call *c, void *arg)
{
	struct daemon *d = arg;
	struct machine *m = api_machine(c, d);
	struct error err = { 0 };
	const char *name = "KILL";
	json *data;
	int sig;

	if (!m)
		return;
	if (json_get_str(rpc_params(c), "signal", &name, &err) < 0) {
		rpc_fail(c, &err);
	} else if (parse_signal(name, &sig) < 0) {
		err_set_kind(&err, -EINVAL, ERR_USAGE, "there is no such signal");
		rpc_fail(c, &err);
	} else if (machine_kill(d, m, sig, &err) < 0) {
		rpc_fail(c, &err);
	} else {
		data = json_new_obj();
		view_add_signal(data, sig);
		event_emit(d, "kill", m, c, data);
		rpc_reply(c, NULL);
	}
}

static void pause_or_resume(struct rpc_call *c, struct daemon *d, bool pause)
{
	struct machine *m = api_machine(c, d);
	struct error err = { 0 };

	if (!m)
		return;
	if (machine_pause(d, m, pause, &err) < 0) {
		rpc_fail(c, &err);
		return;
	}
	event_emit(d, pause ? "pause" : "resume", m, c, NULL);
	rpc_reply(c, NULL);
}

void api_pause(struct rpc_call *c, void *arg)
{
	pause_or_resume(c, arg, true);
}

void api_resume(struct rpc_call *c, void *arg)
{
	pause_or_resume(c, arg, false);
}

void api_rename(struct rpc_call *c, void *arg)
{
	struct daemon *d = arg;
	struct machine *m = api_machine(c, d);
	struct error err = { 0 };
	const char *name = NULL;
	json *data;

	if (!m)
		return;
	if (json_get_str(rpc_params(c), "newName", &name, &err) < 0 || machine_rename(d, m, name, &err) < 0) {
		rpc_fail(c, &err);
		return;
	}
	data = json_new_obj();
	json_add_str(data, "newName", name);
	event_emit(d, "rename", m, c, data);
	rpc_reply(c, NULL);
}

void api_create(struct rpc_call *c, void *arg)
{
	struct daemon *d = arg;
	const json *spec = NULL;
	struct machine *m;
	struct error err = { 0 };
	json *out;

	if (json_get_obj(rpc_params(c), "spec", &spec, &err) < 0 || !spec) {
		if (!err.code)
			err_set_kind(&err, -EINVAL, ERR_USAGE, "spec: missing");
		rpc_fail(c, &err);
		return;
	}
	if (machine_create(d, spec, false, &m, &err) < 0) {
		rpc_fail(c, &err);
		return;
	}
	event_emit(d, "create", m, c, NULL);
	out = json_new_obj();
	json_add_str(out, "id", m->config.id);
	json_add_str(out, "name", MACHINE_NAME(m));
	json_add(out, "warnings", json_new_arr());
	rpc_reply(c, out);
}
