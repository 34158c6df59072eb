/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The worker's side of a create: the steps stand at the end. Those of an exec are lib/worker/exec.c. */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <linux/nsfs.h>
#include "cmd/arnia-oci/work.h"
#include "lib/base/fd.h"
#include "lib/base/frame.h"
#include "lib/worker/worker.h"
#include "rootfs/rootfs.h"

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x00000080
#endif
#define CLONED_NS (CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWUTS | CLONE_NEWIPC)

struct create {
	struct job *job;
	const struct plan *plan;
	struct worker *w;
	struct stdio io;
	struct allowance allowance;
	struct child child;
	struct guest guest;
	int userns; /* of the child; -1 = the worker's */
};

/* What a path is said to be, it has to be: a namespace file of that kind (ioctl_ns(2)). */
static int open_join(const struct sandbox_join *j, struct error *err)
{
	auto_fd int fd = open(j->path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	int kind;

	if (fd < 0)
		return err_sys(err, -errno, "namespace %s", j->path);
	kind = ioctl(fd, NS_GET_NSTYPE);
	if (kind < 0)
		return err_set(err, -EINVAL, "namespace %s: not a namespace", j->path);
	if ((uint32_t)kind != j->ns)
		return err_set(err, -EINVAL, "namespace %s: of another kind than asked for", j->path);
	return fd_steal(&fd);
}

static int join_one(struct create *c, const struct sandbox_join *j, struct error *err)
{
	auto_fd int fd = open_join(j, err);

	if (fd < 0)
		return fd;
	/* Entered on the way to the clone: inside it the worker has no rights on the host any more. */
	if (j->ns == CLONE_NEWUSER) {
		c->w->userns = fd_steal(&fd);
		return 0;
	}
	/* By the guest alone: paths of other namespaces, which may come after this one, are ours. */
	if (j->ns == CLONE_NEWNS) {
		c->w->mntns = fd_steal(&fd);
		return 0;
	}
	if (setns(fd, (int)j->ns) == 0)
		return 0;
	/* One that belongs to the user namespace that is joined as well. */
	if (errno == EPERM && j->ns == CLONE_NEWNET) {
		c->w->netns = fd_steal(&fd);
		return 0;
	}
	return err_sys(err, -errno, "enter namespace %s", j->path);
}

static int create_join(void *ctx, struct error *err)
{
	struct create *c = ctx;
	const struct sandbox_config *s = &c->plan->sandbox;

	for (size_t i = 0; i < s->joins.n; i++) {
		int r = join_one(c, &s->joins.v[i], err);

		if (r < 0)
			return r;
	}
	if (c->w->netns >= 0 && c->w->userns < 0)
		return err_set(err, -EPERM, "no right to enter the network namespace");
	return 0;
}

static int create_stdio(void *ctx, struct error *err)
{
	struct create *c = ctx;

	return stdio_prepare(c->job, &c->io, err);
}

static int create_allowance(void *ctx, struct error *err)
{
	struct create *c = ctx;

	return allowance_take(c->plan, &c->allowance, err);
}

static int create_clone(void *ctx, struct error *err)
{
	struct create *c = ctx;
	uint64_t ns = c->plan->sandbox.namespaces & CLONED_NS;
	int r = child_report_open(&c->child, err);

	if (r < 0)
		return r;
	c->child.cgroup = c->job->cgroup;
	c->guest.w = c->w;
	c->guest.plan = c->plan;
	c->guest.steps = guest_steps;
	c->guest.start = c->job->start;
	for (int i = 0; i < 3; i++)
		c->guest.io[i] = c->io.own[i];
	return child_clone(&c->child, ns, c->w->userns >= 0, &c->guest, err);
}

/* A cgroup that was there before holds others. */
static void undo_clone(void *ctx)
{
	struct create *c = ctx;

	child_end(&c->child, !c->plan->cgroup.reuse);
	/* Nothing but our own end comes after this. */
	if (c->w->mntns >= 0 && c->w->board->root_id && setns(c->w->mntns, CLONE_NEWNS) == 0)
		rootfs_detach_root(c->plan->rootfs.lower.v[0], c->w->board->root_id, NULL);
}

static int create_adopt(void *ctx, struct error *err)
{
	struct create *c = ctx;

	return child_adopt(c->job, &c->child, &c->io, KP_ROLE_CONTAINER, err);
}

static int create_idmap(void *ctx, struct error *err)
{
	struct create *c = ctx;

	if (!(c->plan->sandbox.namespaces & CLONE_NEWUSER))
		return 0;
	return idmap_write(c->child.pid, &c->plan->sandbox, err);
}

static int create_namespaces(void *ctx, struct error *err)
{
	struct create *c = ctx;
	int none = -1;

	if (!(c->plan->sandbox.namespaces & CLONE_NEWUSER))
		return 0;
	return namespaces_open(c->child.pid, false, &c->userns, &none, err);
}

static int create_rootfs(void *ctx, struct error *err)
{
	struct create *c = ctx;
	int userns = c->w->userns >= 0 ? c->w->userns : c->userns;
	auto_fd int root = -1;

	/* Then the guest makes all of it. */
	if (c->plan->rootfs.place != ROOTFS_NEW)
		return 0;
	root = rootfs_mount_root(&c->plan->rootfs, c->w->stage, userns, err);
	if (root < 0)
		return root;
	return rootfs_stage_sources(&c->plan->rootfs, c->w->stage, c->w->hostns, userns, err);
}

static int create_wait(void *ctx, struct error *err)
{
	struct create *c = ctx;

	return child_go_and_wait(c->job, &c->child, guest_steps, err);
}

static const struct step work_list[] = {
	{ "oci:join", NULL, create_join, NULL },
	{ "oci:stdio", "standard streams", create_stdio, NULL },
	{ "oci:allowance", NULL, create_allowance, NULL },
	{ "oci:clone", NULL, create_clone, undo_clone },
	{ "oci:adopt", NULL, create_adopt, NULL },
	{ "oci:idmap", "user namespace", create_idmap, NULL },
	{ "oci:namespaces", NULL, create_namespaces, NULL },
	{ "oci:rootfs", "rootfs", create_rootfs, NULL },
	{ "oci:wait", NULL, create_wait, undo_clone },
};
const struct steps work_steps = STEPS(work_list);

/* The guest goes on in this memory when the worker is gone, so nothing that it reads lies on the worker's stack, and nothing is freed. */
static int create_run(struct job *j, struct error *err)
{
	struct create *c = mem_alloc(sizeof(*c));
	size_t at = 0;
	int r;

	*c = (struct create){ .job = j,
			      .plan = j->plan,
			      .w = j->w,
			      .io = STDIO_NONE,
			      .allowance = ALLOWANCE_NONE,
			      .child = CHILD_NONE,
			      .guest = GUEST_NONE,
			      .userns = -1 };
	r = steps_run(work_steps, c, &at, err);
	if (r < 0) {
		if (work_steps.v[at - 1].run != create_wait)
			child_last_words(j, &c->child, guest_steps, err);
		r = err->code;
		steps_undo(work_steps, c, at);
	} else {
		j->pid = c->child.pid;
	}
	return r;
}

/* ---- one job ---- */

static int take_job(struct job *j, struct frame *f, struct error *err)
{
	const struct kp_job *head = frame_body(f, sizeof(*head));
	auto_fd int plan = -1;
	const struct {
		uint32_t bit;
		int *to;
	} places[] = { { KP_FD_PLAN, &plan },
		       { KP_FD_TARGET, &j->target },
		       { KP_FD_START, &j->start },
		       { KP_FD_CGROUP, &j->cgroup } };
	size_t at = 0;

	if (f->head.type != KW_JOB || !head)
		return err_set(err, -EPROTO, "frame of type %u where a job was expected", f->head.type);
	for (size_t i = 0; i < ARRAY_SIZE(places); i++)
		if (head->fds & places[i].bit)
			*places[i].to = frame_take_fd(f, at++);
	return plan_read(plan, &j->plan, err);
}

/* The user namespace has its maps by now: become its root. */
static int take_ids(struct error *err)
{
	if (geteuid() == 0)
		return 0;
	if (setgroups(0, NULL) < 0 && errno != EPERM)
		return err_sys(err, -errno, "leave the groups");
	if (setresgid(0, 0, 0) < 0 || setresuid(0, 0, 0) < 0)
		return err_sys(err, -errno, "become root of the user namespace");
	return worker_undumpable(err);
}

static int do_job(struct job *j, struct error *err)
{
	int r = take_ids(err);

	if (r < 0)
		return r;
	j->w->run = j->plan->run;
	for (int i = 0; i < 3; i++)
		j->stdio[i] = i;
	if (j->plan->kind == PLAN_EXEC) {
		r = worker_open_few(j->w, err);
		return r < 0 ? r : exec_run(j, err);
	}
	r = j->plan->rootfs.place == ROOTFS_NEW ? worker_open(j->w, err) : worker_open_few(j->w, err);
	return r < 0 ? r : create_run(j, err);
}

static int answer(const struct job *j, const struct error *err)
{
	struct kp_result res = { .pid = j->pid, .error = *err };

	return job_send(j, KW_RESULT, &res, sizeof(res), NULL, 0);
}

int work_main(int sock, bool plain)
{
	struct worker *w = mem_alloc(sizeof(*w));
	struct job *j = mem_alloc(sizeof(*j));
	struct error err = { 0 };
	struct frame f;
	int r;

	*w = WORKER_NONE;
	*j = (struct job){ .w = w, .stdio = { -1, -1, -1 }, .target = -1, .start = -1, .cgroup = -1 };
	w->keeper = sock;
	w->asks = true;
	r = frame_recv(sock, KP_MAGIC, &f, 0);
	if (r <= 0)
		return ERR_FAILED;
	/* Without the right to come back to it: its own copy has the sources, too. */
	w->hostns = !plain ? open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC) : -1;
	r = worker_harden(&err);
	if (r == 0)
		r = take_job(j, &f, &err);
	frame_done(&f);
	if (r == 0)
		r = do_job(j, &err);
	return answer(j, &err) < 0 || r < 0 ? ERR_FAILED : 0;
}
