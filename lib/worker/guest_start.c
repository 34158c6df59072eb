/* SPDX-License-Identifier: GPL-2.0-or-later */
/* PLAN_START, the child's side: from a fresh clone to the container's first program. The steps stand at the
 * end. */
#include <errno.h>
#include <sched.h>
#include <unistd.h>
#include "lib/worker/worker.h"
#include "lib/base/mem.h"
#include "lib/worker/hooks.h"
#include "rootfs/rootfs.h"

/* Now that this process is in the container's cgroup, which becomes the root of what is seen inside
 * (cgroup_namespaces(7)). */
static int start_cgroupns(void *ctx, struct error *err)
{
	struct guest *g = ctx;

	if (!(g->plan->sandbox.namespaces & CLONE_NEWCGROUP))
		return 0;
	return unshare(CLONE_NEWCGROUP) < 0 ? err_sys(err, -errno, "make a cgroup namespace") : 0;
}

/* As early as can be: from here on every path is one of that namespace, which setns(2) makes root and working directory of. */
static int start_mntns(void *ctx, struct error *err)
{
	struct guest *g = ctx;

	if (g->plan->rootfs.place != ROOTFS_JOINED)
		return 0;
	return setns(g->w->mntns, CLONE_NEWNS) < 0 ? err_sys(err, -errno, "enter the mount namespace") : 0;
}

/* After GO: until then the worker's mounts have to arrive here. */
static int start_private(void *ctx, struct error *err)
{
	struct guest *g = ctx;

	return rootfs_guest_private(&g->plan->rootfs, err);
}

static int start_mounts(void *ctx, struct error *err)
{
	struct guest *g = ctx;
	struct rootfs_guest rg = { .stage = -1, .root_mount = -1, .attached = &g->w->board->root_id };
	int r = rootfs_guest_mount(&g->plan->rootfs, &rg, err);

	g->root = rg.root_mount;
	return r;
}

/* Before the hooks, which may look for it. The network that arnia-run makes has it already. */
static int start_loopback(void *ctx, struct error *err)
{
	struct guest *g = ctx;

	return g->w->asks ? loopback_apply(&g->plan->sandbox, err) : 0;
}

/* It is also where hooks run in the container's namespaces, as with runc. */
static int show_root(const struct guest *g, struct error *err)
{
	int r = rootfs_guest_show(&g->plan->rootfs, g->root, err);

	if (r == 0 && fchdir(g->root) < 0)
		return err_sys(err, -errno, "enter the new root");
	return r;
}

/* All is mounted and the old root still there. First those of the runtime's namespaces, which it runs itself; then those of the
 * container's, from the files of the host (runtime-spec config.md "createContainer Hooks"). */
static int start_hooks(void *ctx, struct error *err)
{
	struct guest *g = ctx;
	auto_free char *state = NULL;
	int r;

	if (!g->plan->halt)
		return 0;
	r = show_root(g, err);
	if (r < 0)
		return r;
	guest_report(g, GUEST_HOOKS, NULL);
	r = guest_go(g, err);
	if (r < 0 || !g->plan->hooks_create.n)
		return r;
	state = hook_state_text(g->plan->hook_state, g->w->board->guest_pid);
	return hooks_run_all(g->plan->hooks_create.v, g->plan->hooks_create.n, "createContainer", state, err);
}

static int start_late_hooks(void *ctx, struct error *err)
{
	struct guest *g = ctx;
	auto_free char *state = NULL;

	if (!g->plan->hooks_start.n)
		return 0;
	state = hook_state_text(g->plan->start_state, g->w->board->guest_pid);
	return hooks_run_all(g->plan->hooks_start.v, g->plan->hooks_start.n, "startContainer", state, err);
}

static int start_pivot(void *ctx, struct error *err)
{
	struct guest *g = ctx;
	int r;

	if (g->plan->rootfs.place == ROOTFS_HERE)
		return rootfs_guest_chroot(g->root, err);
	r = g->plan->rootfs.no_pivot ? rootfs_guest_move(g->root, err) : rootfs_guest_pivot(g->root, err);
	/* Now it is the root of all that are there. */
	if (r == 0)
		g->w->board->root_id = 0;
	return r;
}

static int start_hostname(void *ctx, struct error *err)
{
	struct guest *g = ctx;

	int r = hostname_apply(&g->plan->sandbox, err);

	return r == 0 ? domainname_apply(&g->plan->sandbox, err) : r;
}

/* Before /proc/sys becomes read-only. */
static int start_sysctls(void *ctx, struct error *err)
{
	struct guest *g = ctx;

	return sysctl_apply(&g->plan->sandbox, err);
}

static int start_seal(void *ctx, struct error *err)
{
	struct guest *g = ctx;

	if (g->plan->rootfs.readonly)
		cwd_make(g->plan->process.cwd);
	return rootfs_guest_seal(&g->plan->rootfs, err);
}

static const struct step guest_list[] = {
	{ "guest:forget", NULL, guest_forget, NULL },
	{ "guest:go", NULL, guest_go, NULL },
	{ "guest:cgroupns", NULL, start_cgroupns, NULL },
	{ "guest:mntns", NULL, start_mntns, NULL },
	{ "guest:private", NULL, start_private, NULL },
	{ "guest:ids", NULL, guest_ids, NULL },
	{ "guest:loopback", NULL, start_loopback, NULL },
	{ "guest:mounts", "rootfs", start_mounts, NULL },
	{ "guest:console", "console", guest_console, NULL },
	{ "guest:hooks", "hooks", start_hooks, NULL },
	{ "guest:pivot", "rootfs", start_pivot, NULL },
	{ "guest:hostname", NULL, start_hostname, NULL },
	{ "guest:sysctls", NULL, start_sysctls, NULL },
	{ "guest:seal", "rootfs", start_seal, NULL },
	{ "guest:stdio", "standard streams", guest_stdio, NULL },
	{ "guest:keyring", NULL, guest_keyring, NULL },
	{ "guest:sched", NULL, guest_sched, NULL },
	{ "guest:user", NULL, guest_user, NULL },
	{ "guest:cwd", NULL, guest_cwd, NULL },
	{ "guest:seccomp-early", "seccomp", guest_seccomp_early, NULL },
	{ "guest:caps", NULL, guest_caps, NULL },
	{ "guest:program", NULL, guest_program, NULL },
	{ "guest:rlimits", NULL, guest_rlimits, NULL },
	{ "guest:no-new-privs", NULL, guest_no_new_privs, NULL },
	{ "guest:label", NULL, guest_label, NULL },
	{ "guest:close", NULL, guest_close, NULL },
	{ "guest:listener", "seccomp", guest_seccomp_listener, NULL },
	{ "guest:halt", NULL, guest_halt, NULL },
	{ "guest:late-hooks", "hooks", start_late_hooks, NULL },
	{ "guest:seccomp", "seccomp", guest_seccomp, NULL },
	{ "guest:exec", NULL, guest_exec, NULL },
};
const struct steps guest_steps = STEPS(guest_list);
