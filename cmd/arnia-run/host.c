/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * PLAN_HOST_SETUP and PLAN_HOST_TEARDOWN: what all containers of an instance share. The answer of a set-up is
 * text, one KEY=VALUE a line: branch=PATH        the cgroup below which containers go controllers=BITS
 * decimal, bits of enum cg_controller that can be used there why=TEXT           what keeps the others away;
 * only when some are missing hybrid=0|1         cgroup v1 controllers are mounted beside v2 time_ns=0|1
 *     net=0|1            containers can have a network
 *     net_error=TEXT     why not; net_hint=TEXT what to do
 * A host without network filtering can still run containers without one, so that is no failure of the whole.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>
#include "cgroup/cgroup.h"
#include "cmd/arnia-run/run.h"
#include "lib/base/mem.h"

#define ALL_CONTROLLERS (CG_CTL_CPU | CG_CTL_MEMORY | CG_CTL_PIDS | CG_CTL_IO | CG_CTL_CPUSET)

/* mkdir -p; those that are there are fine. */
static int make_branch(int root, const char *path, struct error *err)
{
	auto_free char *at = str_dup(path);

	for (char *end = at;; *end++ = '/') {
		end += strcspn(end, "/");
		bool last = !*end;

		*end = '\0';
		if (mkdirat(root, at, 0755) < 0 && errno != EEXIST)
			return err_sys(err, -errno, "make cgroup %s", at);
		if (last)
			return 0;
	}
}

static bool is_hybrid(void)
{
	struct statfs fs;

	return statfs("/sys/fs/cgroup", &fs) == 0 && fs.f_type != CGROUP2_SUPER_MAGIC;
}

static int set_up_cgroups(struct job *j, struct error *err)
{
	const char *branch = j->plan->cgroup_branch;
	uint32_t have = 0;
	char why[256] = "";
	int r = make_branch(j->w->cgroup, branch, err);

	if (r < 0)
		return r;
	r = cg_enable(j->w->cgroup, branch, ALL_CONTROLLERS, &have, why);
	if (r < 0)
		return err_sys(err, r, "enable the controllers of cgroup %s", branch);
	strbuf_addf(&j->text, "branch=%s\ncontrollers=%u\n", branch, have);
	if (why[0])
		strbuf_addf(&j->text, "why=%s\n", why);
	strbuf_addf(&j->text, "hybrid=%d\ntime_ns=%d\n", is_hybrid(),
		    access("/proc/self/ns/time", F_OK) == 0);
	return 0;
}

struct net_host_config net_config_of(const struct plan *p)
{
	return (struct net_host_config){ .table = p->net.table,
					 .ifgroup = p->net.ifgroup,
					 .pool = p->pool,
					 .pool_prefix = p->pool_prefix,
					 .gateway = p->net.gateway };
}

int host_setup_run(struct job *j, struct error *err)
{
	struct net_host_config net = net_config_of(j->plan);
	struct error why = { 0 };
	int r = set_up_cgroups(j, err);

	if (r < 0)
		return r;
	r = net.table ? net_host_setup(worker_net(j->w), &net, &why) : -EOPNOTSUPP;
	strbuf_addf(&j->text, "net=%d\n", r >= 0);
	if (r < 0 && net.table) {
		strbuf_addf(&j->text, "net_error=%s\n", why.text);
		if (why.hint[0])
			strbuf_addf(&j->text, "net_hint=%s\n", why.hint);
	}
	return 0;
}

int host_teardown_run(struct job *j, struct error *err)
{
	struct net_host_config net = net_config_of(j->plan);
	struct error e = { 0 };
	int r = net.table ? net_host_teardown(worker_net(j->w), &net, err) : 0;
	int r2 = cg_remove(j->w->cgroup, j->plan->cgroup_branch, &e);

	if (r < 0)
		return err_prefix(err, "network");
	/* The keeper and arniad live in the branch too: the keeper removes it when it leaves. */
	if (r2 < 0 && r2 != -EBUSY) {
		*err = e;
		return r2;
	}
	return 0;
}
