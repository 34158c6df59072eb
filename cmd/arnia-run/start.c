/* SPDX-License-Identifier: GPL-2.0-or-later */
/* PLAN_START, host side. The steps stand at the end; the other side of it is guest_start.c. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <unistd.h>
#include "cgroup/cgroup.h"
#include "cmd/arnia-run/run.h"
#include "lib/base/fd.h"
#include "rootfs/rootfs.h"

struct start {
	struct job *job;
	const struct plan *plan;
	struct worker *w;
	int cgroup;
	struct stdio io;
	struct allowance allowance;
	struct child child;
	struct guest guest;
	int userns, netns; /* of the child; not with a cell */
	bool new_layers, published;
};

#define CLONED_NS (CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWUTS | CLONE_NEWIPC)

static int start_check(void *ctx, struct error *err)
{
	struct start *s = ctx;
	const uint64_t needed = CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID;

	if ((s->plan->sandbox.namespaces & needed) != needed)
		return err_set(err, -EINVAL, "a plan without user, mount and pid namespaces");
	if (s->plan->process.argv.n == 0)
		return err_set(err, -EINVAL, "a plan without a program");
	if (s->plan->process.init && s->w->init < 0)
		return err_set(err, -EBADF, "the worker was started without the program arnia-init");
	if (s->plan->use_cell && (s->w->userns < 0 || s->w->netns < 0))
		return err_set_kind(err, -ESTALE, ERR_STATE, "this worker holds no prepared namespaces");
	return 0;
}

static int start_cgroup(void *ctx, struct error *err)
{
	struct start *s = ctx;

	s->cgroup = cg_create_with(s->w->cgroup, &s->plan->cgroup, &s->w->devices, err);
	return s->cgroup < 0 ? s->cgroup : 0;
}

/* A folder that cannot be removed any more is left to PLAN_DESTROY, which is due then. */
static void undo_cgroup(void *ctx)
{
	struct start *s = ctx;

	if (s->cgroup < 0)
		return;
	if (cg_remove(s->w->cgroup, s->plan->cgroup.path, NULL) < 0)
		s->job->left = true;
}

static int start_stdio(void *ctx, struct error *err)
{
	struct start *s = ctx;

	return stdio_prepare(s->job, &s->io, err);
}

static int start_allowance(void *ctx, struct error *err)
{
	struct start *s = ctx;

	return allowance_take(s->plan, &s->allowance, err);
}

/* No NEWCGROUP: its root would be the worker's cgroup. The guest makes it, and NEWTIME is in allow.c. */
static int start_clone(void *ctx, struct error *err)
{
	struct start *s = ctx;
	uint64_t ns = s->plan->sandbox.namespaces & CLONED_NS;
	int r = child_report_open(&s->child, err);

	if (r < 0)
		return r;
	if (s->plan->use_cell)
		ns &= ~(uint64_t)(CLONE_NEWUSER | CLONE_NEWNET);
	s->child.cgroup = s->cgroup;
	s->guest.w = s->w;
	s->guest.plan = s->plan;
	s->guest.steps = guest_steps;
	for (int i = 0; i < 3; i++)
		s->guest.io[i] = s->io.own[i];
	return child_clone(&s->child, ns, s->plan->use_cell, &s->guest, err);
}

/* Also the undo of the wait: what uses the layers and addresses ends before they are taken away. */
static void undo_clone(void *ctx)
{
	struct start *s = ctx;

	child_end(&s->child, true);
}

static int start_adopt(void *ctx, struct error *err)
{
	struct start *s = ctx;

	return child_adopt(s->job, &s->child, &s->io, KP_ROLE_CONTAINER, err);
}

static int start_idmap(void *ctx, struct error *err)
{
	struct start *s = ctx;

	return idmap_write(s->child.pid, &s->plan->sandbox, err);
}

static int start_namespaces(void *ctx, struct error *err)
{
	struct start *s = ctx;

	return namespaces_open(s->child.pid, s->plan->net.mode != NET_HOST, &s->userns, &s->netns, err);
}

/* A link of this name is that of the run before: it goes with its namespace, but the kernel does that in the
 * background, some 20 ms after the last process ended, and someone may hold the namespace. Deleting it waits
 * for as long, so it is done only when it is in the way. */
int network_attach(struct worker *w, const struct plan *p, int netns, struct error *err)
{
	int r = net_attach(worker_net(w), &p->net, netns, err);

	if (r != -EEXIST || p->net.mode != NET_ROUTED || net_link_delete(worker_net(w), p->net.ifname, NULL) < 0)
		return r;
	err_clear(err);
	return net_attach(worker_net(w), &p->net, netns, err);
}

/* Nothing to undo: the link goes with its namespace, and what net_attach did half it undoes itself. */
static int start_network(void *ctx, struct error *err)
{
	struct start *s = ctx;

	return network_attach(s->w, s->plan, s->netns, err);
}

static int start_publish(void *ctx, struct error *err)
{
	struct start *s = ctx;
	bool open = ports_are_open(&s->plan->net);
	int r;

	if (s->plan->net.mode != NET_ROUTED)
		return 0;
	r = publish_or_make_table(s->job, err);
	s->published = r >= 0;
	if (s->published && open)
		ports_tell(s->job);
	return r;
}

static void undo_publish(void *ctx)
{
	struct start *s = ctx;

	if (s->published && net_unpublish(worker_net(s->w), &s->plan->net, NULL) < 0)
		s->job->left = true;
}

static int start_rootfs(void *ctx, struct error *err)
{
	struct start *s = ctx;
	int userns = s->plan->use_cell ? s->w->userns : s->userns;
	auto_fd int root = -1;

	s->new_layers = s->plan->rootfs.upper && access(s->plan->rootfs.upper, F_OK) < 0;
	s->w->staged = true;
	root = rootfs_mount_root(&s->plan->rootfs, s->w->stage, userns, err);
	if (root < 0)
		return root;
	return rootfs_stage_sources(&s->plan->rootfs, s->w->stage, s->w->hostns, userns, err);
}

/* Layers that were there before hold a container's data and stay. */
static void undo_rootfs(void *ctx)
{
	struct start *s = ctx;

	if (!s->new_layers || !s->plan->layers_dir)
		return;
	if (worker_restage(s->w, NULL) < 0 || rootfs_remove_layers(s->plan->layers_dir, NULL) < 0)
		s->job->left = true;
}

static int start_wait(void *ctx, struct error *err)
{
	struct start *s = ctx;

	return child_go_and_wait(s->job, &s->child, guest_steps, err);
}

int start_run(struct job *j, struct error *err)
{
	struct start s = { .job = j,
			   .plan = j->plan,
			   .w = j->w,
			   .cgroup = -1,
			   .io = STDIO_NONE,
			   .allowance = ALLOWANCE_NONE,
			   .child = CHILD_NONE,
			   .guest = GUEST_NONE,
			   .userns = -1,
			   .netns = -1 };
	struct steps l = j->plan->use_cell ? start_cell_steps : start_steps;
	size_t at = 0;
	int r = steps_run(l, &s, &at, err);

	if (r < 0) {
		if (l.v[at - 1].run != start_wait)
			child_last_words(j, &s.child, guest_steps, err);
		r = err->code;
		steps_undo(l, &s, at);
	} else {
		j->pid = s.child.pid;
	}
	/* It is the container's now. After a failure too nothing may go on under its address: whoever asked takes the
	 * lease back. */
	worker_drop_cell(j->w);
	guest_done(&s.guest);
	allowance_return(&s.allowance);
	child_done(&s.child);
	stdio_done(&s.io);
	fd_close(&s.cgroup);
	fd_close(&s.userns);
	fd_close(&s.netns);
	return r;
}

static const struct step own_namespaces[] = {
	{ "start:check", NULL, start_check, NULL },
	{ "start:cgroup", NULL, start_cgroup, undo_cgroup },
	{ "start:stdio", "standard streams", start_stdio, NULL },
	{ "start:allowance", NULL, start_allowance, NULL },
	{ "start:clone", NULL, start_clone, undo_clone },
	{ "start:adopt", NULL, start_adopt, NULL },
	{ "start:idmap", "user namespace", start_idmap, NULL },
	{ "start:namespaces", NULL, start_namespaces, NULL },
	{ "start:network", "network", start_network, NULL },
	{ "start:publish", "network", start_publish, undo_publish },
	{ "start:rootfs", "rootfs", start_rootfs, undo_rootfs },
	{ "start:wait", NULL, start_wait, undo_clone },
};

/* The namespaces, ids and link exist: all is ready when the process is cloned. */
static const struct step with_cell[] = {
	{ "start:check", NULL, start_check, NULL },
	{ "start:cgroup", NULL, start_cgroup, undo_cgroup },
	{ "start:stdio", "standard streams", start_stdio, NULL },
	{ "start:publish", "network", start_publish, undo_publish },
	{ "start:rootfs", "rootfs", start_rootfs, undo_rootfs },
	{ "start:allowance", NULL, start_allowance, NULL },
	{ "start:clone", NULL, start_clone, undo_clone },
	{ "start:adopt", NULL, start_adopt, NULL },
	{ "start:wait", NULL, start_wait, undo_clone },
};

const struct steps start_steps = STEPS(own_namespaces);
const struct steps start_cell_steps = STEPS(with_cell);
