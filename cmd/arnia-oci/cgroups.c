/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The container's cgroup by either manager. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "cmd/arnia-oci/engine.h"
#include "lib/base/fd.h"
#include "lib/base/str.h"
#include "lib/worker/worker.h"

#define KILL_MS 10000

/* Who may not make cgroups goes without, as long as nothing was asked of them. */
static bool may_go_without(const struct act *a, int code)
{
	const struct cg_config *g = &a->config.cgroup;

	if (!caller_is_plain(a->call) || (code != -EACCES && code != -EPERM && code != -EROFS && code != -ENOENT))
		return false;
	for (size_t i = 0; i < g->writes.n; i++)
		if (!g->writes.v[i].optional)
			return false;
	return true;
}

/* Before anything is written to it, and before it is taken for ours, which is killed when something fails. */
static int check_empty(int root, const char *path, struct error *err)
{
	auto_fd int cg = cg_open(root, path, NULL);
	struct cg_events ev;

	if (cg >= 0 && cg_read_events(cg, &ev) == 0 && ev.populated)
		return err_set_kind(err, -EBUSY, ERR_STATE, "cgroup %s is not empty: processes of others are in it", path);
	return 0;
}

/* What is kept names it before it is there: whenever this process is killed, delete finds what is left. */
static int keep_path(struct act *a, const char *path, struct error *err)
{
	a->record.cgroup = arena_str(&a->record.arena, path);
	a->record.own_cgroup = path != NULL;
	return store_save(&a->record, err);
}

static int make_folder(struct act *a, struct error *err)
{
	auto_fd int root = cg_open_root(err);
	struct cg_config *g = &a->config.cgroup;
	int r = root < 0 ? root : oci_cgroup_path(a->config.cgroups_path, a->record.id, &a->config.arena, &g->path, err);

	if (r == 0)
		r = check_empty(root, g->path, err);
	if (r == 0)
		r = keep_path(a, g->path, err);
	if (r < 0)
		return r;
	g->limits = CG_LIMITS_NONE;
	g->reuse = true;
	a->cgroup = cg_create(root, g, err);
	if (a->cgroup >= 0)
		return 0;
	r = a->cgroup;
	a->record.cgroup = NULL;
	if (!may_go_without(a, r))
		return r;
	err_clear(err);
	return keep_path(a, NULL, err);
}

int cgroup_prepare(struct act *a, struct error *err)
{
	struct oci_scope scope;
	int r;

	switch (a->call->g.manager) {
	case CGROUP_DISABLED:
		return 0;
	case CGROUP_FS:
		return make_folder(a, err);
	case CGROUP_SYSTEMD:
		break;
	}
	r = oci_scope_parse(a->config.cgroups_path, a->record.id, caller_is_plain(a->call), &a->record.arena, &scope, err);
	if (r < 0)
		return r;
	a->record.scope = scope.unit;
	a->slice = scope.slice;
	return 0;
}

/* The scope needs a process to be made for. */
int cgroup_place(struct act *a, struct error *err)
{
	auto_free char *path = NULL;
	auto_fd int root = -1;
	struct cg_config *g = &a->config.cgroup;
	int r;

	if (!a->record.scope)
		return 0;
	r = scope_start(a, &path, err);
	if (r < 0)
		return r;
	root = cg_open_root(err);
	if (root < 0)
		return root;
	a->record.cgroup = arena_str(&a->record.arena, path[0] == '/' ? path + 1 : path);
	a->record.own_cgroup = true;
	a->cgroup = cg_open(root, a->record.cgroup, err);
	if (a->cgroup < 0)
		return a->cgroup;
	r = cg_write_list(a->cgroup, g->writes.v, g->writes.n, err);
	if (r == 0 && g->devices.n)
		r = cg_set_devices(a->cgroup, g->devices.v, g->devices.n, err);
	return r;
}

void cgroup_undo(struct act *a)
{
	struct error e = { 0 };
	auto_fd int root = -1;

	/* First: systemd waits long for what does not end at its TERM. */
	if (a->cgroup >= 0 && cg_kill(a->cgroup, NULL) == 0)
		cgroup_wait_empty(a->cgroup, KILL_MS, NULL);
	if (a->record.scope && scope_run(&a->record, "stop", NULL, &e) < 0)
		report(&a->call->g, REPORT_WARN, "scope %s is left: %s", a->record.scope, e.text);
	if (!a->record.cgroup)
		return;
	root = cg_open_root(NULL);
	if (root >= 0)
		cg_remove(root, a->record.cgroup, NULL);
}
