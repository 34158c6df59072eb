/* SPDX-License-Identifier: GPL-2.0-or-later */
/* PLAN_PREPARE: a cell, made before anyone asks for a container: a user namespace with its ids, a network
 * namespace that belongs to it, and the link between that and the host. The worker holds it by descriptors
 * until a start takes it, or until it exits, and all goes. */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>
#include "cmd/arnia-run/run.h"
#include "lib/base/fd.h"
#include "lib/base/proc.h"

struct prepare {
	struct job *job;
	const struct plan *plan;
	struct worker *w;
	struct child child, fds;
	int userns, netns;
};

/* The process in which the namespaces are born does nothing: it ends when the worker closes its end, or dies.
 */
static int wait_for_end(void *arg)
{
	const struct child *c = arg;
	char end;

	close(c->report);
	return read(c->guest_report, &end, 1) == 0 ? 0 : ERR_FAILED;
}

static int prepare_clone(void *ctx, struct error *err)
{
	struct prepare *p = ctx;
	struct proc_clone args = { .flags = CLONE_NEWUSER | CLONE_NEWNET | CLONE_VM,
				   .exit_signal = SIGCHLD,
				   .cgroup_fd = -1,
				   .ret_pidfd = &p->child.pidfd };
	int r = child_report_open(&p->child, err);

	if (r < 0)
		return r;
	/* A copy: what this process reads in our memory must not be changed below. */
	p->fds = p->child;
	p->child.pid = proc_spawn(&args, &p->w->guest_stack, wait_for_end, &p->fds);
	fd_close(&p->child.guest_report);
	if (p->child.pid < 0) {
		r = p->child.pid;
		p->child.pid = 0;
		return err_sys(err, r, "clone a process");
	}
	return 0;
}

static void end_clone(void *ctx)
{
	struct prepare *p = ctx;
	siginfo_t si;

	fd_close(&p->child.report);
	if (p->child.pid > 0)
		while (waitid(P_PIDFD, (id_t)p->child.pidfd, &si, WEXITED) < 0 && errno == EINTR)
			;
	p->child.pid = 0;
}

static int prepare_idmap(void *ctx, struct error *err)
{
	struct prepare *p = ctx;

	return idmap_write(p->child.pid, &p->plan->sandbox, err);
}

static int prepare_namespaces(void *ctx, struct error *err)
{
	struct prepare *p = ctx;

	return namespaces_open(p->child.pid, true, &p->userns, &p->netns, err);
}

static int prepare_end(void *ctx, struct error *err)
{
	(void)err;
	end_clone(ctx);
	return 0;
}

static int prepare_network(void *ctx, struct error *err)
{
	struct prepare *p = ctx;

	return network_attach(p->w, p->plan, p->netns, err);
}

int prepare_run(struct job *j, struct error *err)
{
	struct prepare p = {
		.job = j, .plan = j->plan, .w = j->w, .child = CHILD_NONE, .userns = -1, .netns = -1
	};
	size_t at = 0;
	int r = steps_run(prepare_steps, &p, &at, err);

	if (r < 0) {
		steps_undo(prepare_steps, &p, at);
	} else {
		fd_close(&j->w->userns);
		fd_close(&j->w->netns);
		j->w->userns = fd_steal(&p.userns);
		j->w->netns = fd_steal(&p.netns);
	}
	child_done(&p.child);
	fd_close(&p.userns);
	fd_close(&p.netns);
	return r;
}

static const struct step list[] = {
	{ "prepare:clone", NULL, prepare_clone, end_clone },
	{ "prepare:idmap", "user namespace", prepare_idmap, NULL },
	{ "prepare:namespaces", NULL, prepare_namespaces, NULL },
	{ "prepare:end", NULL, prepare_end, NULL },
	{ "prepare:network", "network", prepare_network, NULL },
};
const struct steps prepare_steps = STEPS(list);
