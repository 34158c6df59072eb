/* SPDX-License-Identifier: GPL-2.0-or-later */
/* create, start, run. */
#include <errno.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>
#include "cmd/arnia-oci/engine.h"
#include "lib/base/fd.h"

int cmd_create(struct call *c, struct error *err)
{
	struct act a = ACT_NONE;
	int r = container_create(c, &a, err);

	act_done(&a);
	return r;
}

/* A container that is to be ready is waited for, unlocked. */
static int start_and_wait(struct call *c, struct record *rec, const struct oci_config *config,
			  const struct pidref *init, struct error *err)
{
	cleanup(notify_done) struct notify n = NOTIFY_NONE;
	int r;

	notify_begin(c, rec, &n);
	r = container_start(c, rec, config, err);
	if (r < 0)
		return r;
	fd_close(&rec->lock);
	notify_wait(&n, init);
	return 0;
}

static int start_record(struct call *c, struct record *rec, struct oci_config *config, struct error *err)
{
	cleanup(pidref_done) struct pidref init = PIDREF_NONE;
	enum oci_status status;
	int r = record_status(rec, &status, &init, err);

	if (r < 0)
		return r;
	if (status == OCI_STOPPED)
		return err_set_kind(err, -EINVAL, ERR_STATE, "cannot start a container that has stopped");
	if (status == OCI_PAUSED)
		return err_set_kind(err, -EINVAL, ERR_STATE, "cannot start a container in the paused state");
	if (status != OCI_CREATED)
		return err_set_kind(err, -EINVAL, ERR_STATE, "cannot start an already running container");
	r = config_of_record(c, rec, config, err);
	return r == 0 ? start_and_wait(c, rec, config, &init, err) : r;
}

int cmd_start(struct call *c, struct error *err)
{
	struct record rec = RECORD_NONE;
	struct oci_config config = { 0 };
	int r = store_load(c->g.root, c->id, true, &rec, err);

	if (r == 0)
		r = start_record(c, &rec, &config, err);
	oci_config_done(&config);
	record_done(&rec);
	return r;
}

/* The container is over: nothing of it stays unless asked. While it ran it was not locked: it may be deleted by now, and its id
 * another one's. */
static int run_end(struct act *a, struct error *err)
{
	struct record now = RECORD_NONE;
	int r;

	if (opt_has(a->call, "keep"))
		return 0;
	r = store_load(a->call->g.root, a->record.id, true, &now, err);
	if (r == 0 && now.pid == a->record.pid && now.start == a->record.start)
		r = container_delete(a->call, &now, err);
	record_done(&now);
	return r == -ENOENT ? 0 : r;
}

/* The process on the way into a user namespace that is joined was made our child (clone_in_cell), and is over. */
static void reap_others(pid_t init)
{
	siginfo_t si = { 0 };

	while (waitid(P_ALL, 0, &si, WEXITED | WNOHANG | WNOWAIT) == 0 && si.si_pid > 0 && si.si_pid != init) {
		waitpid(si.si_pid, NULL, 0);
		si.si_pid = 0;
	}
}

int container_foreground(struct act *a, struct notify *n, struct error *err)
{
	int status = 0, r;

	reap_others(a->init.pid);
	fd_close(&a->record.lock);
	if (a->master >= 0 && !opt_get(a->call, "console-socket"))
		r = console_relay(a->master, &a->init, n, &status, err);
	else
		r = foreground_wait(&a->init, n, &status, err);
	if (r < 0)
		return r;
	a->call->exit_code = exit_code_of(status);
	return run_end(a, err);
}

static void end_failed(struct act *a)
{
	struct error e = { 0 };

	pidref_kill(&a->init, SIGKILL);
	while (waitpid(a->init.pid, NULL, 0) < 0 && errno == EINTR)
		;
	container_delete(a->call, &a->record, &e);
}

/* It is created. */
static int run_on(struct act *a, struct notify *n, struct error *err)
{
	struct call *c = a->call;
	int r;

	fd_close(&a->start);
	notify_begin(c, &a->record, n);
	r = container_start(c, &a->record, &a->config, err);
	work_end(&a->work);
	if (r < 0) {
		end_failed(a);
		return r;
	}
	/* Whoever watches us has our exit code. */
	if (!opt_has(c, "detach")) {
		n->pid = getpid();
		return container_foreground(a, n, err);
	}
	fd_close(&a->record.lock);
	notify_wait(n, &a->init);
	return 0;
}

int cmd_run(struct call *c, struct error *err)
{
	struct act a = ACT_NONE;
	struct notify n = NOTIFY_NONE;
	int r = container_create(c, &a, err);

	if (r == 0)
		r = run_on(&a, &n, err);
	notify_done(&n);
	act_done(&a);
	return r;
}
