/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>
#include "cmd/arnia-oci/criu.h"
#include "lib/base/fd.h"

#define PLACE "criu-root" /* below the record's folder: criu wants a mount for the root */
#define FIELD_JOIN_NS 39
#define FIELD_CGROUP_ROOT 25

struct restore {
	struct criu criu;
	struct act act;
	struct stat images; /* of the folder, as it was */
	char *place;
};

/* ---- what criu is told ---- */

static int inherit_namespace(struct restore *p, const struct sandbox_join *j, const char *key, struct error *err)
{
	struct criu *c = &p->criu;
	int fd;

	if (c->n_fds == CRIU_MAX_FDS)
		return err_set(err, -E2BIG, "linux.namespaces: too many paths");
	fd = open(j->path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd < 0)
		return err_sys(err, -errno, "namespace %s", j->path);
	criu_inherit(c, key, CRIU_FIRST_FD + (int)c->n_fds);
	c->fds[c->n_fds++] = fd;
	return 0;
}

static void join_namespace(struct criu *c, const char *name, const char *path)
{
	struct strbuf m = { 0 };

	msg_str(&m, 1, name);
	msg_str(&m, 2, path);
	msg_sub(&c->opts, FIELD_JOIN_NS, &m);
	strbuf_done(&m);
}

static int add_namespaces(struct restore *p, struct error *err)
{
	static const struct {
		uint32_t ns;
		const char *name, *key;
	} kinds[] = { { CLONE_NEWNET, NULL, CRIU_NETNS }, { CLONE_NEWPID, NULL, CRIU_PIDNS }, { CLONE_NEWUSER, "user", NULL },
		      { CLONE_NEWIPC, "ipc", NULL },	  { CLONE_NEWUTS, "uts", NULL },      { 0x80, "time", NULL } };
	const struct sandbox_config *s = &p->act.config.sandbox;
	int r = 0;

	for (size_t i = 0; r == 0 && i < s->joins.n; i++) {
		const struct sandbox_join *j = &s->joins.v[i];
		size_t k = 0;

		while (k < ARRAY_SIZE(kinds) && kinds[k].ns != j->ns)
			k++;
		if (k == ARRAY_SIZE(kinds))
			return err_set_kind(err, -EOPNOTSUPP, ERR_UNSUPPORTED,
					    "linux.namespaces: criu cannot restore into %s, of this kind", j->path);
		if (kinds[k].key)
			r = inherit_namespace(p, j, kinds[k].key, err);
		else
			join_namespace(&p->criu, kinds[k].name, j->path);
	}
	return r;
}

/* The cgroup that its own was, at the time of the dump, is this one now. */
static void add_cgroup(struct restore *p)
{
	struct strbuf m = { 0 };
	auto_free char *path = NULL;

	if (!p->act.record.cgroup)
		return;
	path = str_fmt("/%s", p->act.record.cgroup);
	msg_str(&m, 1, "");
	msg_str(&m, 2, path);
	msg_sub(&p->criu.opts, FIELD_CGROUP_ROOT, &m);
	strbuf_done(&m);
}

static int describe(struct restore *p, struct error *err)
{
	struct criu *c = &p->criu;
	int r = criu_options(c, &p->act.config, err);

	if (r < 0)
		return r;
	msg_num(&c->opts, CRIU_EVASIVE_DEVICES, 1);
	msg_num(&c->opts, CRIU_RST_SIBLING, 1);
	msg_str(&c->opts, CRIU_ROOT, p->place);
	criu_restore_mounts(c, &p->act.config);
	r = add_namespaces(p, err);
	return r == 0 ? criu_restore_streams(c, err) : r;
}

/* ---- in criu's process, before it is criu: a mount namespace of its own, so nothing has to be taken off again ---- */

static int make_root(void *ctx, struct error *err)
{
	struct restore *p = ctx;
	const char *rootfs = p->act.record.rootfs;
	auto_fd int root = -1;

	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0)
		return err_sys(err, -errno, "make a mount namespace");
	if (mount(rootfs, p->place, NULL, MS_BIND | MS_REC, NULL) < 0)
		return err_sys(err, -errno, "mount %s for criu", rootfs);
	root = open(p->place, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root < 0)
		return err_sys(err, -errno, "open %s", p->place);
	return criu_make_places(&p->act.config, root, err);
}

/* ---- what criu tells ---- */

static int run_hooks(struct restore *p, pid_t pid, struct error *err)
{
	static const enum oci_hook kinds[] = { OCI_PRESTART, OCI_CREATE_RUNTIME };
	struct act *a = &p->act;
	int r = 0;

	a->hooked = true;
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(kinds); i++)
		r = hooks_run_of(a->call, &a->record, &a->config, kinds[i], OCI_CREATING, pid, err);
	return r;
}

/* It is there, and does not run yet. */
static int take_process(struct restore *p, pid_t pid, struct error *err)
{
	struct act *a = &p->act;
	struct pidref init;
	uint64_t start;
	int r = proc_start_time(pid, &start);

	if (r == 0)
		r = pidref_open(pid, start, &init);
	if (r < 0)
		return err_sys(err, r, "process %d that criu restored", pid);
	pidref_done(&a->init);
	a->init = init;
	a->record.pid = pid;
	a->record.start = start;
	return store_save(&a->record, err);
}

static int take_master(struct restore *p, int *fd, struct error *err)
{
	const char *path = opt_get(p->act.call, "console-socket");

	if (*fd < 0)
		return err_set(err, -EPROTO, "a terminal of criu without its descriptor");
	fd_close(&p->act.master);
	p->act.master = fd_steal(fd);
	return path ? console_send(path, p->act.master, err) : 0;
}

static int on_event(void *ctx, const struct criu_event *ev, struct error *err)
{
	struct restore *p = ctx;

	if (str_eq(ev->script, "setup-namespaces"))
		return run_hooks(p, ev->pid, err);
	if (str_eq(ev->script, "post-restore"))
		return take_process(p, ev->pid, err);
	if (str_eq(ev->script, "orphan-pts-master"))
		return take_master(p, ev->fd, err);
	return 0;
}

/* ---- the act ---- */

/* In a user namespace criu is somebody else when it opens images: the group of the container's root may come in
 * meanwhile. */
static void lend_images(const struct restore *p)
{
	const struct sandbox_config *s = &p->act.config.sandbox;
	const struct stat *st = &p->images;

	if (!(s->namespaces & CLONE_NEWUSER) || st->st_mode & S_IXOTH)
		return;
	for (size_t i = 0; i < s->gid_maps.n; i++)
		if (s->gid_maps.v[i].inside == 0 && fchown(p->criu.images, (uid_t)-1, s->gid_maps.v[i].outside) == 0)
			(void)fchmod(p->criu.images, (st->st_mode & 07700) | S_IXGRP);
}

static void take_images_back(const struct restore *p)
{
	struct stat now;

	if (fstat(p->criu.images, &now) < 0 || now.st_gid == p->images.st_gid)
		return;
	(void)fchmod(p->criu.images, p->images.st_mode & 07700);
	if (fchown(p->criu.images, (uid_t)-1, p->images.st_gid) == 0)
		(void)fchmod(p->criu.images, p->images.st_mode & 07777);
}

/* A scope is made for a process: criu, whose children stay in it. */
static int place_criu(struct restore *p, struct error *err)
{
	struct act *a = &p->act;
	int r;

	a->init.pid = p->criu.pid;
	r = cgroup_place(a, err);
	a->init.pid = 0;
	return r;
}

static int talk(struct restore *p, struct error *err)
{
	struct criu *c = &p->criu;
	int r;

	c->cgroup = p->act.cgroup;
	c->enter = make_root;
	c->event = on_event;
	c->ctx = p;
	r = criu_begin(c, err);
	if (r == 0)
		r = place_criu(p, err);
	if (r == 0) {
		add_cgroup(p);
		lend_images(p);
		r = criu_talk(c, CRIU_RESTORE, err);
		take_images_back(p);
	}
	criu_end(c);
	if (r == 0 && !p->act.record.pid)
		r = err_set(err, -EPROTO, "criu restored nothing");
	return r;
}

static int restore(struct restore *p, struct error *err)
{
	struct act *a = &p->act;
	int r = cgroup_prepare(a, err);

	if (r == 0)
		r = store_save(&a->record, err);
	if (r == 0)
		r = notify_make(&a->record, true, err);
	p->place = str_fmt("%s/%s/" PLACE, a->call->g.root, a->record.id);
	if (r == 0 && mkdir(p->place, 0755) < 0)
		r = err_sys(err, -errno, "make %s", p->place);
	if (r == 0)
		r = describe(p, err);
	if (r == 0)
		r = talk(p, err);
	(void)rmdir(p->place);
	if (r == 0 && a->pid_file)
		r = pid_file_write(a->pid_file, a->init.pid, err);
	if (r < 0)
		container_undo(a);
	return r;
}

static void restore_done(struct restore *p)
{
	for (size_t i = 0; i < p->criu.n_fds; i++)
		fd_close(&p->criu.fds[i]);
	criu_done(&p->criu);
	act_done(&p->act);
	mem_freep(&p->place);
}

int cmd_restore(struct call *c, struct error *err)
{
	struct restore p = { .criu = CRIU_NONE, .act = ACT_NONE };
	int r = criu_need_root(c, err);

	/* Relative to where we are; the bundle is entered next. */
	if (r == 0)
		r = criu_open(&p.criu, c, "restore.log", false, err);
	if (r == 0 && fstat(p.criu.images, &p.images) < 0)
		r = err_sys(err, -errno, "--image-path");
	if (r == 0)
		r = container_begin(c, &p.act, err);
	if (r == 0)
		r = restore(&p, err);
	if (r == 0 && !opt_has(c, "detach"))
		r = container_foreground(&p.act, NULL, err);
	restore_done(&p);
	return r;
}
