/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "cgroup/cgroup.h"
#include "cmd/arnia-oci/criu.h"
#include "lib/base/fd.h"
#include "lib/base/path.h"

struct checkpoint {
	struct criu criu;
	struct record record;
	struct oci_config config;
	struct pidref init;
	int status_fd; /* -1 = none */
	bool was_paused;
};

static int load(struct call *c, struct checkpoint *p, struct error *err)
{
	enum oci_status status = OCI_STOPPED;
	int r = store_load(c->g.root, c->id, true, &p->record, err);

	if (r == 0)
		r = record_status(&p->record, &status, &p->init, err);
	if (r < 0)
		return r;
	p->was_paused = status == OCI_PAUSED;
	if (status != OCI_RUNNING && status != OCI_PAUSED)
		return err_set_kind(err, -EINVAL, ERR_STATE, "container cannot be checkpointed in %s state", oci_status_name(status));
	if (p->record.root_id)
		return err_set_kind(err, -EOPNOTSUPP, ERR_UNSUPPORTED,
				    "a container without a mount namespace of its own cannot be checkpointed: its mounts are the host's");
	return config_of_record(c, &p->record, &p->config, err);
}

/* Where a lazy dump says that it is ready to be asked for memory. */
static int take_status_fd(struct call *c, struct checkpoint *p, struct error *err)
{
	uint64_t fd = 0;
	int r, flags;

	if (!opt_get(c, "status-fd"))
		return 0;
	r = opt_get_num(c, "status-fd", 1 << 20, 0, &fd, err);
	if (r < 0)
		return r;
	flags = fcntl((int)fd, F_GETFL);
	if (flags < 0 || (flags & O_ACCMODE) == O_RDONLY)
		return err_set_kind(err, -EBADF, ERR_USAGE, "--status-fd: descriptor %d is not open for writing", (int)fd);
	(void)fd_cloexec((int)fd, true);
	p->status_fd = (int)fd;
	return 0;
}

/* The way to them is relative to the new ones, and criu says little when it is wrong. */
static int check_parent(struct call *c, const struct criu *criu, struct error *err)
{
	const char *parent = opt_get(c, "parent-path");
	struct stat st;

	if (!parent)
		return 0;
	if (path_is_absolute(parent))
		return err_set_kind(err, -EINVAL, ERR_USAGE, "--parent-path must be relative to the folder of the images");
	if (fstatat(criu->images, parent, &st, 0) < 0)
		return err_sys(err, -errno, "--parent-path %s", parent);
	return S_ISDIR(st.st_mode) ? 0 : err_sys(err, -ENOTDIR, "--parent-path %s", parent);
}

/* ---- what criu is told ---- */

static int add_namespaces(struct checkpoint *p, struct error *err)
{
	static const struct {
		uint32_t ns;
		const char *name, *key;
	} kinds[] = { { CLONE_NEWNET, "net", CRIU_NETNS }, { CLONE_NEWPID, "pid", CRIU_PIDNS } };
	const struct sandbox_config *s = &p->config.sandbox;

	for (size_t i = 0; i < s->joins.n; i++)
		for (size_t k = 0; k < ARRAY_SIZE(kinds); k++) {
			auto_free char *path = str_fmt("/proc/%d/ns/%s", p->init.pid, kinds[k].name), *text = NULL;
			struct stat st;

			if (s->joins.v[i].ns != kinds[k].ns)
				continue;
			if (stat(path, &st) < 0)
				return err_sys(err, -errno, "%s namespace of the container", kinds[k].name);
			text = str_fmt("%s[%llu]:%s", kinds[k].name, (unsigned long long)st.st_ino, kinds[k].key);
			msg_str(&p->criu.opts, CRIU_EXTERNAL, text);
		}
	return 0;
}

/* criu stops the processes by the freezer then, which none can run from. */
static void add_freezer(struct checkpoint *p)
{
	auto_fd int root = p->record.cgroup && p->record.own_cgroup ? cg_open_root(NULL) : -1;
	auto_free char *path = NULL;
	char link[32], mount[4096];
	ssize_t n = root < 0 ? -1 : readlink(path_proc_fd(root, link), mount, sizeof(mount) - 1);

	if (n <= 0)
		return;
	path = str_fmt("%.*s/%s", (int)n, mount, p->record.cgroup);
	msg_str(&p->criu.opts, CRIU_FREEZE_CGROUP, path);
}

static int describe(struct checkpoint *p, struct error *err)
{
	struct criu *c = &p->criu;
	int r = criu_options(c, &p->config, err);

	if (r < 0)
		return r;
	msg_num(&c->opts, CRIU_PID, (uint64_t)p->init.pid);
	msg_str(&c->opts, CRIU_ROOT, p->record.rootfs);
	if (opt_has(c->call, "pre-dump") || opt_get(c->call, "parent-path"))
		msg_num(&c->opts, CRIU_TRACK_MEM, 1);
	add_freezer(p);
	r = add_namespaces(p, err);
	if (r < 0 || opt_has(c->call, "pre-dump"))
		return r;
	return criu_dump_mounts(c, &p->config, &p->init, err);
}

/* ---- the act ---- */

static int on_event(void *ctx, const struct criu_event *ev, struct error *err)
{
	struct checkpoint *p = ctx;

	(void)err;
	if (str_eq(ev->script, "status-ready") && p->status_fd >= 0) {
		(void)!write(p->status_fd, "", 1);
		fd_close(&p->status_fd);
	}
	return 0;
}

/* criu thaws what it froze, unless it was killed. */
static void thaw(struct checkpoint *p)
{
	auto_fd int cg = p->record.cgroup && p->record.own_cgroup ? record_cgroup(&p->record, NULL) : -1;

	if (cg >= 0 && !p->was_paused)
		(void)cg_freeze(cg, false, NULL);
}

static int dump(struct checkpoint *p, struct error *err)
{
	struct criu *c = &p->criu;
	bool pre = opt_has(c->call, "pre-dump");
	int r = describe(p, err);

	c->event = on_event;
	c->ctx = p;
	if (r == 0 && !pre)
		r = criu_dump_streams(c, &p->record, p->init.pid, err);
	if (r == 0)
		r = criu_begin(c, err);
	if (r == 0)
		r = criu_talk(c, pre ? CRIU_PRE_DUMP : CRIU_DUMP, err);
	criu_end(c);
	if (r < 0) {
		thaw(p);
		criu_sweep(c);
	}
	return r;
}

/* As with runc: its life goes on in the images, and the id is free for the restored one. */
static int leave(struct call *c, struct checkpoint *p, struct error *err)
{
	if (opt_has(c, "leave-running") || opt_has(c, "pre-dump"))
		return 0;
	return container_delete(c, &p->record, err);
}

int cmd_checkpoint(struct call *c, struct error *err)
{
	struct checkpoint p = { .criu = CRIU_NONE, .record = RECORD_NONE, .init = PIDREF_NONE, .status_fd = -1 };
	int r = criu_need_root(c, err);

	if (r == 0)
		r = load(c, &p, err);
	if (r == 0)
		r = take_status_fd(c, &p, err);
	if (r == 0)
		r = criu_open(&p.criu, c, "dump.log", true, err);
	if (r == 0)
		r = check_parent(c, &p.criu, err);
	if (r == 0)
		r = dump(&p, err);
	if (r == 0)
		r = leave(c, &p, err);
	criu_done(&p.criu);
	pidref_done(&p.init);
	oci_config_done(&p.config);
	record_done(&p.record);
	return r;
}
