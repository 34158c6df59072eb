/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What runs, and the nft table. Host ports as they really are: a number that is left open in the spec is chosen by the
 * worker. And all elements again, when a table that somebody took away was made anew.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "cmd/arniad/daemon.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"

#define KEY "host_ports="
#define RUNS (1u << PHASE_RUNNING | 1u << PHASE_PAUSED)

void machine_note_ports(struct machine *m, const char *text)
{
	const char *at = strstr(text, KEY);

	if (!at)
		return;
	at += strlen(KEY);
	machine_state_done(&m->state);
	m->state.host_ports = str_fmt("%.*s", (int)strspn(at, "0123456789,"), at);
}

uint16_t machine_host_port(const struct machine *m, size_t i)
{
	const char *at = m->state.host_ports;

	if (!at)
		return m->config.spec.ports.v[i].host_port;
	for (; i && at; i--) {
		at = strchr(at, ',');
		at += at != NULL;
	}
	return at ? (uint16_t)strtoul(at, NULL, 10) : 0;
}

static void on_published(struct daemon *d, const struct kp_result *r, const char *data, void *arg)
{
	auto_free char *id = arg;
	struct machine *m = machine_by_id(d, id);

	d->publishing = false;
	if (m && r->error.code && r->error.code != -EPIPE) /* the next keeper is asked again */
		log_error("%s: publish again: %s", MACHINE_NAME(m), r->error.text);
	if (m) {
		m->publishing = false;
		if (strstr(data, KEY)) {
			machine_note_ports(m, data);
			machine_save_state(d, m);
		}
		if (m->clean_due)
			machine_clean(d, m);
	}
	publish_go_on(d);
}

static void set_ports(const struct machine *m, struct net_config *c)
{
	for (size_t i = 0; i < c->ports.n && i < m->config.spec.ports.n; i++)
		c->ports.v[i].host_port = machine_host_port(m, i);
}

static void publish(struct daemon *d, struct machine *m)
{
	struct job_request j = JOB_NONE;
	struct plan *start = NULL, plan;
	struct arena a = { 0 };
	struct error err = { 0 };
	int r = machine_plan(d, m, PLAN_PUBLISH, &start, &a, &plan, &err);

	if (r == 0) {
		set_ports(m, &plan.net);
		j.kind = PLAN_PUBLISH;
		j.plan = &plan;
		j.id = m->config.id;
		j.done = on_published;
		j.arg = str_dup(m->config.id);
		r = job_submit(d, &j, NULL, &err);
		if (r < 0)
			free(j.arg);
	}
	d->publishing = m->publishing = r == 0;
	if (r < 0)
		log_error("%s: publish again: %s", MACHINE_NAME(m), err.text);
	plan_free(start);
	arena_done(&a);
}

/* A start publishes itself, and may have done so in the lost table: then it is due once it is over. */
static bool is_ready(const struct machine *m)
{
	return m->publish_due && m->state.phase != PHASE_STARTING && !m->orphan_job;
}

void publish_go_on(struct daemon *d)
{
	if (!keeper_connected(d->keeper))
		return;
	for (struct machine *m = d->machines; m && !d->publishing; m = m->next) {
		if (!is_ready(m))
			continue;
		m->publish_due = false;
		if (m->lease.addr.s_addr && m->init.pid && !m->cleaning)
			publish(d, m);
	}
}

void publish_all(struct daemon *d)
{
	for (struct machine *m = d->machines; m; m = m->next)
		m->publish_due = m->lease.addr.s_addr != 0;
	publish_go_on(d);
}

static bool has_line(const char *text, const char *line)
{
	size_t n = strlen(line);

	for (const char *at = strstr(text, line); at; at = strstr(at + 1, line)) {
		if ((at == text || at[-1] == '\n') && (at[n] == '\n' || !at[n]))
			return true;
	}
	return false;
}

size_t publish_missing(const struct machine *m, const char *net)
{
	const struct spec *s = &m->config.spec;
	char line[PLAN_ELEMENT_SIZE];
	size_t n;

	if (!m->lease.addr.s_addr || !(RUNS >> m->state.phase & 1))
		return 0;
	plan_element_text(NULL, m->lease.addr, line);
	n = !has_line(net, line);
	for (size_t i = 0; i < s->ports.n; i++) {
		struct net_port p = s->ports.v[i];

		p.host_port = machine_host_port(m, i);
		plan_element_text(&p, m->lease.addr, line);
		n += !has_line(net, line);
	}
	return n;
}
