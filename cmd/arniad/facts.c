/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the host can do: probed once, by a worker where privilege is needed, and told by `host info` and `host doctor`. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statfs.h>
#include <sys/utsname.h>
#include <unistd.h>
#include "cmd/arniad/daemon.h"
#include "lib/base/file.h"
#include "lib/base/mem.h"
#include "lib/base/parse.h"
#include "lib/base/str.h"

static const struct {
	uint32_t bit;
	const char *name;
} controllers[] = { { CG_CTL_CPU, "cpu" }, { CG_CTL_MEMORY, "memory" }, { CG_CTL_PIDS, "pids" }, { CG_CTL_IO, "io" },
		    { CG_CTL_CPUSET, "cpuset" } };

struct plan host_plan(const struct daemon *d, enum plan_kind kind)
{
	struct plan p = { .kind = kind, .id = "", .name = "", .run = d->in.run, .state = d->in.state,
			  .share = d->in.share, .pool_prefix = POOL_PREFIX, .cgroup_branch = d->facts.branch };

	p.pool.s_addr = htonl(d->ids.pool);
	p.net.mode = NET_ROUTED;
	p.net.table = d->ids.nft_table;
	p.net.ifgroup = d->ids.ifgroup;
	p.net.ifname = d->ids.ifprefix;
	p.net.gateway.s_addr = htonl(0xa9fe0101);
	return p;
}

/* "key=value" lines from PLAN_HOST_SETUP. */
void facts_from_setup(struct daemon *d, const char *text)
{
	auto_free char *copy = str_dup(text);
	struct facts *f = &d->facts;
	char *save = NULL;

	f->why[0] = f->net_error[0] = '\0';
	for (char *l = strtok_r(copy, "\n", &save); l; l = strtok_r(NULL, "\n", &save)) {
		const char *v;

		if ((v = str_after(l, "controllers=")))
			(void)parse_u32(v, &f->plan.controllers);
		else if ((v = str_after(l, "why=")))
			(void)str_copy(f->why, sizeof(f->why), v);
		else if ((v = str_after(l, "net_error=")))
			(void)str_copy(f->net_error, sizeof(f->net_error), v);
	}
	f->plan.hybrid = faccessat(AT_FDCWD, "/sys/fs/cgroup/unified/cgroup.controllers", F_OK, 0) == 0;
	f->plan.time_ns = faccessat(AT_FDCWD, "/proc/self/ns/time", F_OK, 0) == 0;
	f->plan.cgroup_branch = f->branch;
	f->ready = true;
}

json *facts_json(struct daemon *d)
{
	json *j = json_new_obj(), *ctl = json_new_arr();
	struct utsname u;
	struct statfs fs;

	uname(&u);
	json_add_str(j, "version", ARNIA_VERSION);
	json_add_str(j, "kernel", u.release);
	json_add_str(j, "machine", u.machine);
	json_add_i64(j, "cpus", sysconf(_SC_NPROCESSORS_ONLN));
	json_add_u64(j, "memory", (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE));
	json_add_str(j, "root", d->in.root);
	json_add_str(j, "stateFolder", d->in.state);
	json_add_str(j, "runFolder", d->in.run);
	if (statfs(d->in.state, &fs) == 0)
		json_add_u64(j, "stateFree", (uint64_t)fs.f_bavail * (uint64_t)fs.f_bsize);
	for (size_t i = 0; i < ARRAY_SIZE(controllers); i++) {
		if (d->facts.plan.controllers & controllers[i].bit)
			json_push(ctl, json_new_str(controllers[i].name));
	}
	json_add(j, "controllers", ctl);
	json_add_bool(j, "hybridCgroups", d->facts.plan.hybrid);
	json_add_str(j, "cgroup", d->facts.branch);
	json_add_bool(j, "timeNamespaces", d->facts.plan.time_ns);
	json_add_str(j, "nftTable", d->ids.nft_table);
	json_add_str(j, "networkError", d->facts.net_error[0] ? d->facts.net_error : NULL);
	json_add_u64(j, "idBase", d->ids.id_base);
	json_add_u64(j, "idEnd", d->ids.id_end);
	json_add_u64(j, "idsLent", lease_count(d->leases));
	json_add_u64(j, "cellsReady", d->n_cells);
	json_add_u64(j, "machines", d->n_machines);
	json_add_i64(j, "daemonPid", getpid());
	json_add_i64(j, "keeperPid", keeper_pid(d->keeper));
	return j;
}
