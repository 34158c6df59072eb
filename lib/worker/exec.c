/* SPDX-License-Identifier: GPL-2.0-or-later */
/* PLAN_EXEC: a program in a running container. The worker itself enters nothing but, for the moment of the
 * clone, the pid namespace: it stays able to take other jobs, and it may place the child in any cgroup. The
 * child joins the rest through the pidfd of the container's init. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "cgroup/cgroup.h"
#include "lib/worker/worker.h"
#include "lib/base/fd.h"
#include "lib/base/file.h"
#include "lib/base/mem.h"
#include "rootfs/rootfs.h"

struct exec {
	struct job *job;
	const struct plan *plan;
	struct worker *w;
	int cgroup;
	struct stdio io;
	struct allowance allowance;
	struct child child;
	struct guest guest;
	bool inside; /* child_clone_inside */
	bool away;   /* in the container's pid namespace */
};

static int not_running(struct error *err)
{
	return err_set_kind(err, -ESRCH, ERR_STATE, "the container is not running");
}

static int exec_check(void *ctx, struct error *err)
{
	struct exec *x = ctx;

	if (x->job->target < 0)
		return err_set(err, -EBADF, "an exec without the container's process");
	if (x->plan->process.argv.n == 0 || !x->plan->exec_id)
		return err_set(err, -EINVAL, "an incomplete plan");
	return 0;
}

static int exec_cgroup(void *ctx, struct error *err)
{
	struct exec *x = ctx;
	struct cg_events ev;

	/* Whoever runs without cgroups has none to enter; what was given is where the new process is born. */
	if (x->job->cgroup >= 0 || !*x->plan->cgroup.path) {
		x->cgroup = x->job->cgroup >= 0 ? fd_dup(x->job->cgroup) : -1;
		return 0;
	}
	x->cgroup = cg_open(x->w->cgroup, x->plan->cgroup.path, err);
	if (x->cgroup < 0)
		return x->cgroup == -ENOENT ? not_running(err) : x->cgroup;
	/* The new process would be born frozen and nothing would ever come of it. */
	if (cg_read_events(x->cgroup, &ev) == 0 && ev.frozen)
		return err_set_kind(err, -EBUSY, ERR_STATE, "the container is paused");
	return 0;
}

static int exec_stdio(void *ctx, struct error *err)
{
	struct exec *x = ctx;

	return stdio_prepare(x->job, &x->io, err);
}

/* In the host's mount namespace, which its first process is in with a root of its own. Which process /proc/PID was is known by its life
 * afterwards: the pid was not given to another one. */
static int exec_root(void *ctx, struct error *err)
{
	struct exec *x = ctx;
	const struct pidref init = { .fd = x->job->target };
	pid_t pid = proc_pid_of(init.fd);
	char path[32];

	if (x->plan->rootfs.place != ROOTFS_HERE)
		return 0;
	snprintf(path, sizeof(path), "/proc/%d/root", pid);
	x->guest.root = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (pid < 0 || !pidref_alive(&init))
		return not_running(err);
	return x->guest.root < 0 ? err_sys(err, -errno, "open the container's root") : 0;
}

static int exec_allowance(void *ctx, struct error *err)
{
	struct exec *x = ctx;

	return allowance_take(x->plan, &x->allowance, err);
}

/* Whether it is born of a process that nobody of the container sees. The root of one without user namespace may look into what joins it,
 * if it has CAP_SYS_PTRACE. That of another one may not, where a change of ids leaves a process undumpable. Not the daemon's: whom
 * the keeper is not told of in time it reaps, and the number is another's. */
static bool is_born_inside(const struct exec *x)
{
	if (!x->w->asks)
		return false;
	if (x->plan->sandbox.namespaces & CLONE_NEWUSER)
		return x->w->hostns >= 0 && exec_is_early(x->plan) && ids_make_dumpable();
	return true;
}

static int exec_pidns(void *ctx, struct error *err)
{
	struct exec *x = ctx;

	x->inside = is_born_inside(x);
	if (x->inside || !(x->plan->sandbox.namespaces & CLONE_NEWPID))
		return 0;
	if (setns(x->job->target, CLONE_NEWPID) < 0)
		return errno == ESRCH ? not_running(err)
				      : err_sys(err, -errno, "enter the container's pid namespace");
	x->away = true;
	return 0;
}

static void come_back(void *ctx)
{
	struct exec *x = ctx;

	if (x->away && setns(x->w->pidns, CLONE_NEWPID) < 0)
		x->w->spent = true;
	x->away = false;
}

/* A container whose init made cgroups of its own and gave controllers to them has no room for processes at
 * its top (cgroup-v2.rst, "No Internal Process Constraint"): the program then goes where init is. */
static int cgroup_of_init(const struct exec *x, struct error *err)
{
	pid_t pid = proc_pid_of(x->job->target);
	auto_free char *text = NULL;
	char path[48];
	const char *at;

	if (pid < 0)
		return not_running(err);
	snprintf(path, sizeof(path), "/proc/%d/cgroup", pid);
	if (file_read_at(AT_FDCWD, path, 65536, &text, err) < 0)
		return err->code;
	at = str_starts(text, "0::/") ? text : strstr(text, "\n0::/");
	if (!at)
		return err_set(err, -ENOENT, "the container's first process has no cgroup");
	at = strchr(at, '/') + 1;
	text[(size_t)(at - text) + strcspn(at, "\n")] = '\0';
	return cg_open(x->w->cgroup, at, err);
}

static void describe_guest(struct exec *x)
{
	struct guest *g = &x->guest;

	g->w = x->w;
	g->plan = x->plan;
	/* In a user namespace already: what is undumpable is so for its root, too. */
	g->early = x->inside && x->w->hostns >= 0 && exec_is_early(x->plan);
	g->steps = g->early ? exec_inside_steps : exec_guest_steps;
	g->target = x->job->target;
	for (int i = 0; i < 3; i++)
		g->io[i] = x->io.own[i];
}

static int clone_guest(struct exec *x, struct error *err)
{
	return x->inside ? child_clone_inside(&x->child, &x->guest, err) : child_clone(&x->child, 0, false, &x->guest, err);
}

/* A container full of processes takes no new one, but one that is moved in (cgroup-v2.rst, "PID"): so that it can
 * be looked after. Our own cgroup is the way in; the program is let go when it is where it belongs. */
static int clone_and_move(struct exec *x, struct error *err)
{
	int r;

	x->child.cgroup = -1;
	r = clone_guest(x, err);
	x->child.cgroup = x->cgroup;
	if (r < 0)
		return r;
	r = cg_add_process(x->cgroup, x->child.pid, err);
	if (r < 0)
		child_end(&x->child, false);
	return r;
}

static int exec_clone(void *ctx, struct error *err)
{
	struct exec *x = ctx;
	int r = child_report_open(&x->child, err);

	if (r < 0)
		return r;
	describe_guest(x);
	x->child.cgroup = x->cgroup;
	r = clone_guest(x, err);
	if ((r == -EBUSY || r == -EOPNOTSUPP) && x->cgroup >= 0) {
		int other = cgroup_of_init(x, err);

		if (other < 0)
			return other;
		fd_close(&x->cgroup);
		x->cgroup = x->child.cgroup = other;
		r = clone_guest(x, err);
	}
	if (r == -EAGAIN && x->cgroup >= 0)
		r = clone_and_move(x, err);
	/* ENOMEM: its pid namespace takes no process any more, because its init is dead (pid_namespaces(7)).
	 */
	if (r == -ENOMEM || r == -ENODEV || r == -ESRCH)
		return not_running(err);
	return r;
}

static void undo_clone(void *ctx)
{
	struct exec *x = ctx;

	child_end(&x->child, false);
}

static int exec_return(void *ctx, struct error *err)
{
	(void)err;
	come_back(ctx);
	return 0;
}

static int exec_adopt(void *ctx, struct error *err)
{
	struct exec *x = ctx;

	return child_adopt(x->job, &x->child, &x->io, KP_ROLE_EXEC, err);
}

static int exec_wait(void *ctx, struct error *err)
{
	struct exec *x = ctx;

	return child_go_and_wait(x->job, &x->child, x->guest.steps, err);
}

int exec_run(struct job *j, struct error *err)
{
	struct exec x = { .job = j,
			  .plan = j->plan,
			  .w = j->w,
			  .cgroup = -1,
			  .io = STDIO_NONE,
			  .allowance = ALLOWANCE_NONE,
			  .child = CHILD_NONE,
			  .guest = GUEST_NONE };
	size_t at = 0;
	int r = steps_run(exec_steps, &x, &at, err);

	if (r < 0) {
		if (exec_steps.v[at - 1].run != exec_wait)
			child_last_words(j, &x.child, x.guest.steps, err);
		r = err->code;
		steps_undo(exec_steps, &x, at);
	} else {
		j->pid = x.child.pid;
	}
	guest_done(&x.guest);
	fd_close(&x.guest.root);
	allowance_return(&x.allowance);
	child_done(&x.child);
	stdio_done(&x.io);
	fd_close(&x.cgroup);
	return r;
}

/* ---- the child ---- */

/* All in one call: the kernel checks the rights with the ids from before. The pid namespace is there since
 * the clone, and what the container shares with the host (its network) is not in the plan's list. */
int guest_join(void *ctx, struct error *err)
{
	struct guest *g = ctx;
	uint64_t left = g->joined ? CLONE_NEWCGROUP : g->early ? ~(uint64_t)0 : ~(uint64_t)CLONE_NEWPID;
	int flags = (int)(g->plan->sandbox.namespaces & left);

	if (flags && setns(g->target, flags) < 0)
		return errno == ESRCH ? not_running(err)
				      : err_sys(err, -errno, "enter the container's namespaces");
	if (!g->joined && g->root >= 0) {
		int r = rootfs_guest_chroot(g->root, err);

		if (r < 0)
			return r;
	}
	fd_close(&g->target);
	fd_close(&g->root);
	g->root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	return g->root < 0 ? err_sys(err, -errno, "open the container's root") : 0;
}

static const struct step host_list[] = {
	{ "exec:check", NULL, exec_check, NULL },
	{ "exec:cgroup", NULL, exec_cgroup, NULL },
	{ "exec:stdio", "standard streams", exec_stdio, NULL },
	{ "exec:root", NULL, exec_root, NULL },
	{ "exec:allowance", NULL, exec_allowance, NULL },
	{ "exec:pidns", NULL, exec_pidns, come_back },
	{ "exec:clone", NULL, exec_clone, undo_clone },
	{ "exec:return", NULL, exec_return, NULL },
	{ "exec:adopt", NULL, exec_adopt, NULL },
	{ "exec:wait", NULL, exec_wait, NULL },
};
const struct steps exec_steps = STEPS(host_list);

static const struct step guest_list[] = {
	{ "exec-guest:forget", NULL, guest_forget, NULL },
	{ "exec-guest:go", NULL, guest_go, NULL },
	{ "exec-guest:join", NULL, guest_join, NULL },
	{ "exec-guest:ids", NULL, guest_ids, NULL },
	{ "exec-guest:console", "console", guest_console, NULL },
	{ "exec-guest:stdio", "standard streams", guest_stdio, NULL },
	{ "exec-guest:keyring", NULL, guest_keyring, NULL },
	{ "exec-guest:sched", NULL, guest_sched, NULL },
	{ "exec-guest:user", NULL, guest_user, NULL },
	{ "exec-guest:cwd", NULL, guest_cwd, NULL },
	{ "exec-guest:seccomp-early", "seccomp", guest_seccomp_early, NULL },
	{ "exec-guest:caps", NULL, guest_caps, NULL },
	{ "exec-guest:program", NULL, guest_program, NULL },
	{ "exec-guest:rlimits", NULL, guest_rlimits, NULL },
	{ "exec-guest:no-new-privs", NULL, guest_no_new_privs, NULL },
	{ "exec-guest:label", NULL, guest_label, NULL },
	{ "exec-guest:close", NULL, guest_close, NULL },
	{ "exec-guest:listener", "seccomp", guest_seccomp_listener, NULL },
	{ "exec-guest:seccomp", "seccomp", guest_seccomp, NULL },
	{ "exec-guest:exec", NULL, guest_exec, NULL },
};
const struct steps exec_guest_steps = STEPS(guest_list);
