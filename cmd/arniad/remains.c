/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is left of machines that nobody knows any more, or whose plan is lost. */
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>
#include "cmd/arniad/daemon.h"
#include "lib/base/fd.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"

#define CGROUP_PREFIX "c-"

static void base_plan(struct daemon *d, const char *id, struct arena *a, struct plan *ret)
{
	auto_free char *cgroup = str_fmt("%s/" CGROUP_PREFIX "%s", d->facts.branch, id);
	auto_free char *dir = str_fmt("%s/containers/%s", d->in.state, id);

	*ret = (struct plan){ .kind = PLAN_DESTROY, .id = arena_str(a, id), .name = "", .run = d->in.run,
			      .state = d->in.state, .share = d->in.share };
	ret->cgroup.path = arena_str(a, cgroup);
	ret->cgroup.limits = CG_LIMITS_NONE;
	ret->layers_dir = arena_str(a, dir);
	*arena_push(a, &ret->undo) = PLAN_UNDO_CGROUP;
}

void remains_plan(struct daemon *d, struct machine *m, struct arena *a, struct plan *ret)
{
	const struct spec *s = &m->config.spec;
	char ifname[16];

	base_plan(d, m->config.id, a, ret);
	if (m->lease.addr.s_addr) {
		ret->net.mode = NET_ROUTED;
		ret->net.table = d->ids.nft_table;
		ret->net.ifgroup = d->ids.ifgroup;
		ret->net.addr = m->lease.addr;
		ret->net.gateway.s_addr = htonl(0xa9fe0101);
		cell_names(d, &m->lease, ifname, &ret->net.ifindex);
		ret->net.ifname = arena_str(a, ifname);
		for (size_t i = 0; i < s->ports.n; i++)
			*arena_push(a, &ret->net.ports) = s->ports.v[i];
		*arena_push(a, &ret->undo) = PLAN_UNDO_PUBLISH;
	}
	if (s->remove)
		*arena_push(a, &ret->undo) = PLAN_UNDO_LAYERS;
}

static struct stray *take_stray(struct daemon *d, const char *id)
{
	struct stray **pp = &d->strays, *s;

	while ((s = *pp) && !str_eq(s->id, id))
		pp = &s->next;
	if (s)
		*pp = s->next;
	return s;
}

/* Its configuration may only be unreadable: then nothing of it is touched. */
static bool is_nobodys(struct daemon *d, const char *id)
{
	return !machine_by_id(d, id) && !store_has_unread(&d->store, id);
}

static void submit(struct daemon *d, const char *id, struct plan *p, job_fn done)
{
	struct job_request j = JOB_NONE;

	j.kind = p->kind;
	j.plan = p;
	j.id = id;
	j.done = done;
	j.arg = str_dup(id);
	if (job_submit(d, &j, NULL, NULL) < 0)
		free(j.arg);
}

static void on_folder_swept(struct daemon *d, const struct kp_result *r, const char *data, void *arg)
{
	auto_free char *id = arg;

	(void)d;
	(void)data;
	if (r->error.code)
		log_warn("sweep %s: %s", *id ? id : "the trash", r->error.text);
}

static void remove_folder(struct daemon *d, const char *id)
{
	auto_free char *dir = str_fmt("%s/containers/%s", d->in.state, id);
	struct plan p = { .kind = PLAN_REMOVE, .id = id, .name = "", .run = d->in.run, .state = d->in.state,
			  .share = d->in.share, .layers_dir = dir };

	submit(d, id, &p, on_folder_swept);
}

static void on_undone(struct daemon *d, const struct kp_result *r, const char *data, void *arg)
{
	auto_free char *id = arg;
	struct stray *s;

	(void)data;
	if (r->error.code) {
		log_warn("sweep %s: %s", id, r->error.text);
		return;
	}
	store_drop_plan(&d->store, id);
	if ((s = take_stray(d, id)))
		lease_give_back(d->leases, &s->lease);
	free(s);
	remove_folder(d, id);
}

static bool has_plan(const struct daemon *d, const char *id)
{
	return faccessat(d->store.plan, id, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static bool has_cgroup(const struct daemon *d, const char *id)
{
	auto_free char *path = str_fmt("%s/" CGROUP_PREFIX "%s", d->facts.branch, id);

	return faccessat(d->cgroup_root, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static void sweep_plan(void *arg, const char *id)
{
	struct daemon *d = arg;
	struct plan *p = NULL, undo;

	if (!is_nobodys(d, id) || store_load_plan(&d->store, id, &p, NULL) < 0)
		return;
	log_info("undo what machine %s left", id);
	plan_rekind(p, PLAN_DESTROY, &undo);
	submit(d, id, &undo, on_undone);
	plan_free(p);
}

static void sweep_folder(void *arg, const char *id)
{
	struct daemon *d = arg;

	if (is_nobodys(d, id) && !has_plan(d, id) && !has_cgroup(d, id))
		remove_folder(d, id);
}

static void sweep_state(void *arg, const char *id)
{
	struct daemon *d = arg;

	if (is_nobodys(d, id))
		store_drop_state(&d->store, id);
}

static void sweep_cgroup(struct daemon *d, const char *name)
{
	const char *id = str_after(name, CGROUP_PREFIX);
	struct arena a = { 0 };
	struct plan p;

	if (!id || !id_is_valid(id) || !is_nobodys(d, id) || has_plan(d, id))
		return;
	log_info("undo cgroup %s, which no machine owns", name);
	base_plan(d, id, &a, &p);
	submit(d, id, &p, on_undone);
	arena_done(&a);
}

static void sweep_cgroups(struct daemon *d)
{
	int fd = openat(d->cgroup_root, d->facts.branch, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;

	if (!dir) {
		fd_close(&fd);
		return;
	}
	while ((e = readdir(dir)))
		sweep_cgroup(d, e->d_name);
	closedir(dir);
}

/* What the last daemon's workers had no time for. */
static void sweep_trash(struct daemon *d)
{
	auto_free char *dir = str_fmt("%s/trash", d->in.state);
	struct plan p = { .kind = PLAN_REMOVE, .id = "", .name = "", .run = d->in.run, .state = d->in.state,
			  .share = d->in.share, .layers_dir = dir };

	if (faccessat(AT_FDCWD, dir, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
		submit(d, "", &p, on_folder_swept);
}

/* Of each what says most: a plan, else a cgroup, which may hold processes that use the folder. */
void remains_sweep_folders(struct daemon *d)
{
	store_each_folder(&d->store, sweep_folder, d);
}

void remains_sweep(struct daemon *d)
{
	store_each_plan(&d->store, sweep_plan, d);
	sweep_cgroups(d);
	remains_sweep_folders(d);
	store_each_state(&d->store, sweep_state, d);
	sweep_trash(d);
}
