/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is on disk and what the keeper holds, made one: at our start, and whenever the keeper was replaced. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "cmd/arniad/daemon.h"
#include "lib/base/fd.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"

#define SPARES 2
#define STOP_AGAIN_MS 10000

/* ---- from disk ---- */

static void on_bad(void *arg, const char *file, const struct error *why)
{
	struct daemon *d = arg;
	struct bad_file *b = mem_alloc(sizeof(*b));

	log_error("%s is not usable and was put aside: %s", file, why->text);
	(void)str_copy(b->name, sizeof(b->name), file);
	(void)str_copy(b->why, sizeof(b->why), why->text);
	b->next = d->bad;
	d->bad = b;
}

static void on_config(void *arg, struct machine_config *c)
{
	struct daemon *d = arg;
	struct machine *m;
	struct error err = { 0 };

	if (machine_by_name(d, c->spec.name)) { /* a copied file: the first one stays */
		err_set(&err, -EEXIST, "a second machine named %s", c->spec.name);
		on_bad(d, c->id, &err);
		machine_config_done(c);
		return;
	}
	m = machine_add(d, c);
	m->tty = m->config.spec.tty;
	if (store_load_state(&d->store, m->config.id, d->boot_id, &m->state, &err) < 0) {
		auto_free char *file = str_fmt("%s.json", m->config.id);

		on_bad(d, file, &err);
		/* the plan, if there is one, says what to undo */
		m->state = (struct machine_state){ .phase = PHASE_STOPPING };
	}
}

static void on_plan(void *arg, const char *id)
{
	struct daemon *d = arg;
	struct machine *m = machine_by_id(d, id);
	struct plan *p = NULL;
	struct lease orphan;
	struct error err = { 0 };
	int r = store_load_plan(&d->store, id, &p, &err);

	if (r < 0) {
		on_bad(d, id, &err);
		return;
	}
	r = lease_adopt(d->leases, p->rootfs.id_base, p->net.addr, m ? &m->lease : &orphan);
	if (r < 0)
		log_error("%s: its id range or address is lent twice or outside this instance's", id);
	plan_free(p);
}

int reconcile_load(struct daemon *d, struct error *err)
{
	int r = proc_boot_id(d->boot_id);

	if (r < 0)
		return err_sys(err, r, "read the boot id");
	store_load_configs(&d->store, on_config, on_bad, d);
	store_each_plan(&d->store, on_plan, d);
	return 0;
}

/* ---- what nobody owns ---- */

static void on_swept(struct daemon *d, const struct kp_result *r, const char *data, void *arg)
{
	auto_free char *id = arg;

	(void)data;
	if (r->error.code)
		log_warn("sweep %s: %s", id, r->error.text);
	else
		store_drop_plan(&d->store, id);
}

static void sweep_plan(void *arg, const char *id)
{
	struct daemon *d = arg;
	struct job_request j = JOB_NONE;
	struct plan *p = NULL, undo;

	if (machine_by_id(d, id) || store_has_unread(&d->store, id) || store_load_plan(&d->store, id, &p, NULL) < 0)
		return;
	log_info("undo what machine %s left", id);
	plan_rekind(p, PLAN_DESTROY, &undo);
	j.kind = PLAN_DESTROY;
	j.plan = &undo;
	j.id = id;
	j.done = on_swept;
	j.arg = str_dup(id);
	if (job_submit(d, &j, NULL, NULL) < 0)
		free(j.arg);
	plan_free(p);
}

static void sweep_folder(void *arg, const char *id)
{
	struct daemon *d = arg;
	struct job_request j = JOB_NONE;
	auto_free char *dir = str_fmt("%s/containers/%s", d->in.state, id);
	struct plan p = { .kind = PLAN_REMOVE, .id = id, .name = "", .run = d->in.run, .state = d->in.state,
			  .share = d->in.share, .layers_dir = dir };

	if (machine_by_id(d, id) || store_has_unread(&d->store, id))
		return;
	j.kind = PLAN_REMOVE;
	j.plan = &p;
	j.id = id;
	j.done = on_swept;
	j.arg = str_dup(id);
	if (job_submit(d, &j, NULL, NULL) < 0)
		free(j.arg);
}

/* ---- from the keeper ---- */

static void on_hello(void *arg, const struct kp_hello *h)
{
	struct kp_spares n = { SPARES };
	struct daemon *d = arg;

	log_debug("keeper %d", h->pid);
	keeper_send(d->keeper, KP_SPARES, 0, &n, sizeof(n), NULL, 0);
}

static void on_container(void *arg, const struct kp_container *c, struct frame *f)
{
	static const uint32_t bits[] = { KP_FD_IN, KP_FD_OUT, KP_FD_ERR, KP_FD_MASTER };
	struct daemon *d = arg;
	struct machine *m = c->role == KP_ROLE_CONTAINER ? machine_by_id(d, c->id) : NULL;
	auto_fd int pidfd = frame_take_fd(f, 0);
	size_t at = 1;

	if (!m) {
		if (c->role == KP_ROLE_CONTAINER && pidfd >= 0) {
			log_warn("the keeper holds machine %s, which is unknown here: it is ended", c->id);
			(void)pidref_kill(&(struct pidref){ .pid = c->pid, .fd = pidfd }, SIGKILL);
		}
		return;
	}
	machine_drop_fds(m);
	m->init = (struct pidref){ .pid = c->pid, .fd = fd_steal(&pidfd), .start = c->start };
	m->state.pid = c->pid;
	m->state.pid_start = c->start;
	m->told = true;
	for (size_t i = 0; i < ARRAY_SIZE(bits); i++) {
		int fd = c->fds & bits[i] ? frame_take_fd(f, at++) : -1;

		if (bits[i] == KP_FD_IN) /* a second writer would keep the program from seeing the end of its input */
			fd_close(&fd);
		m->held[i] = fd;
		m->held_bits |= fd >= 0 ? bits[i] : 0;
	}
}

static void on_exited(void *arg, const struct kp_exit *x)
{
	struct daemon *d = arg;
	struct machine *m = x->role == KP_ROLE_CONTAINER ? machine_by_id(d, x->id) : NULL;
	struct kp_ref ref = { 0 };

	if (m && !d->synced_once) { /* told again while we get in step: taken up in on_synced */
		m->exited = true;
		m->state.exit = (struct exit_record){ .code = x->code, .status = x->status, .time_ns = x->time_ns };
		return;
	}
	if (m) {
		machine_exited(d, m, x);
		return;
	}
	(void)str_copy(ref.id, sizeof(ref.id), x->id);
	keeper_send(d->keeper, KP_FORGET, 0, &ref, sizeof(ref), NULL, 0);
}

static void on_result(void *arg, uint64_t seq, const struct kp_result *r, const char *data)
{
	if (!jobs_result(arg, seq, r, data))
		cells_died(arg, seq);
}

static void on_progress(void *arg, uint64_t seq, const char *text)
{
	jobs_progress(arg, seq, text);
}

static void give(struct daemon *d, struct machine *m)
{
	struct kp_container c = { .role = KP_ROLE_CONTAINER, .fds = KP_FD_PIDFD | m->held_bits, .pid = m->init.pid,
				  .tty = m->tty, .start = m->init.start, .log_max = m->config.spec.log_max };
	int fds[5] = { m->init.fd };
	size_t n = 1;

	(void)str_copy(c.id, sizeof(c.id), m->config.id);
	for (size_t i = 0; i < ARRAY_SIZE(m->held); i++) {
		if (m->held[i] >= 0)
			fds[n++] = m->held[i];
	}
	keeper_send(d->keeper, KP_GIVE, 0, &c, sizeof(c), fds, n);
}

/* Has its first process become the container's program? While it is still the worker's child the start is not done. */
static bool has_execed(const struct machine *m)
{
	char path[64], exe[4096];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/exe", m->init.pid);
	n = readlink(path, exe, sizeof(exe) - 1);
	if (n <= 0)
		return false;
	exe[n] = '\0';
	return !str_ends(exe, "/arnia-run") && !str_ends(exe, "/arnia-run (deleted)");
}

static void settle_starting(struct daemon *d, struct machine *m)
{
	if (m->init.pid && pidref_alive(&m->init) && has_execed(m)) {
		machine_event(d, m, EVENT_STARTED, NULL);
		watch_start(d, m);
		return;
	}
	(void)str_copy(m->state.error, sizeof(m->state.error), "the daemon ended during its start");
	machine_event(d, m, EVENT_START_FAILED, NULL);
	machine_clean(d, m);
}

static void settle_up(struct daemon *d, struct machine *m, bool told)
{
	struct kp_exit x = { .pid = m->state.pid, .code = m->state.exit.code, .status = m->state.exit.status,
			     .time_ns = m->state.exit.time_ns };

	if (m->exited) {
		m->exited = false;
		machine_exited(d, m, &x);
		return;
	}
	if (!m->init.pid && m->state.pid && m->state.pid_start &&
	    pidref_open(m->state.pid, m->state.pid_start, &m->init) < 0)
		m->init = PIDREF_NONE;
	if (m->init.pid && pidref_alive(&m->init)) {
		if (!told)
			give(d, m);
		watch_start(d, m);
		if (m->state.phase == PHASE_STOPPING) /* whoever asked is gone with the last daemon */
			(void)machine_stop(d, m, STOP_AGAIN_MS, 0, NULL);
		return;
	}
	x.code = x.status = 0;
	machine_exited(d, m, &x);
}

static void settle(struct daemon *d, struct machine *m, bool told)
{
	switch (m->state.phase) {
	case PHASE_STARTING:
		if (!d->synced_once)
			settle_starting(d, m);
		break;
	case PHASE_RUNNING:
	case PHASE_PAUSED:
		settle_up(d, m, told);
		break;
	case PHASE_STOPPING:
		if (m->exited || m->init.pid || m->state.pid)
			settle_up(d, m, told);
		else
			machine_clean(d, m);
		break;
	case PHASE_STOPPED:
		if (!d->synced_once && m->config.spec.remove)
			machine_clean(d, m); /* undo leftovers, then it is removed */
		break;
	default:
		break;
	}
}

/* Whose group the socket is open to, and so is everything behind it. */
static gid_t client_group(const struct daemon *d)
{
	auto_free char *path = str_fmt("%s/arnia.sock", d->in.run);
	struct stat st;

	return lstat(path, &st) == 0 && S_ISSOCK(st.st_mode) && st.st_mode & S_IWGRP ? st.st_gid : 0;
}

static void on_setup(struct daemon *d, const struct kp_result *r, const char *data, void *arg)
{
	struct rpc_limits limits = { .group = client_group(d) };

	(void)arg;
	if (r->error.code) {
		log_error("set up the host: %s", r->error.text);
		(void)str_copy(d->facts.net_error, sizeof(d->facts.net_error), r->error.text);
	}
	facts_from_setup(d, data);
	cells_refill(d);
	if (d->rpc)
		return;
	for (struct machine *m = d->machines, *next; m; m = next) {
		next = m->next;
		settle(d, m, m->told);
	}
	store_each_plan(&d->store, sweep_plan, d);
	store_each_folder(&d->store, sweep_folder, d);
	d->synced_once = true;
	d->rpc = rpc_server_new(d->loop, d->listen_fd, api_methods, api_methods_n, rpc_interface_text, &limits, d);
}

static void set_up_host(struct daemon *d)
{
	struct plan p = { .kind = PLAN_HOST_SETUP, .id = "", .name = "", .run = d->in.run, .state = d->in.state,
			  .share = d->in.share, .pool_prefix = 16, .cgroup_branch = d->facts.branch };
	struct job_request j = JOB_NONE;
	struct error err = { 0 };

	p.pool.s_addr = htonl(d->ids.pool);
	p.net.mode = NET_ROUTED;
	p.net.table = d->ids.nft_table;
	p.net.ifgroup = d->ids.ifgroup;
	p.net.gateway.s_addr = htonl(0xa9fe0101);
	j.kind = PLAN_HOST_SETUP;
	j.plan = &p;
	j.done = on_setup;
	if (job_submit(d, &j, NULL, &err) < 0)
		log_error("set up the host: %s", err.text);
}

static void on_synced(void *arg)
{
	struct daemon *d = arg;

	if (!d->synced_once) {
		set_up_host(d);
		return;
	}
	for (struct machine *m = d->machines, *next; m; m = next) {
		next = m->next;
		settle(d, m, m->told);
	}
	set_up_host(d);
}

static void on_lost(void *arg)
{
	struct daemon *d = arg;

	if (d->keeper_told_to_end)
		return;
	log_warn("the keeper is gone; waiting for the next one");
	for (struct machine *m = d->machines; m; m = m->next)
		m->told = false;
	cells_forget(d);
	d->cells_pending = 0;
	jobs_fail_all(d);
}

const struct keeper_ops reconcile_ops = {
	.hello = on_hello,
	.container = on_container,
	.exited = on_exited,
	.result = on_result,
	.progress = on_progress,
	.synced = on_synced,
	.lost = on_lost,
};
