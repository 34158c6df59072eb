/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From a decoded configuration to a plan: what is left to decide is the filter, which namespaces differ from ours, and folders. */
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>
#include "cmd/arnia-oci/engine.h"
#include "lib/base/fd.h"
#include "lib/base/parse.h"
#include "lib/base/path.h"
#include "lib/base/str.h"
#include "lib/sandbox/sandbox.h"
#include "lib/worker/hooks.h"

#define CACHE "@seccomp" /* no id has this character */

static int open_cache(const char *root)
{
	auto_free char *path = str_fmt("%s/" CACHE, root);

	if (mkdir(path, 0700) < 0 && errno != EEXIST)
		return -1;
	return open(path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

static int compile_filter(struct act *a, struct error *err)
{
	struct sandbox_config *s = &a->plan.sandbox;
	struct seccomp_input in = { .json = a->config.seccomp, .caps = s->cap_bounding, .oci = true };
	auto_fd int cache = -1;
	auto_free void *bytes = NULL;
	int r;

	if (!a->config.seccomp)
		return 0;
	in.json_len = strlen(in.json);
	cache = open_cache(a->call->g.root);
	/* Its flags were decoded with the rest. */
	r = seccomp_compile_cached(&in, cache, &bytes, &s->seccomp_size, err);
	if (r < 0)
		return r;
	s->seccomp = arena_dup(&a->config.arena, bytes, s->seccomp_size);
	return 0;
}

int preserved_fds(struct call *c, struct process_config *p, struct error *err)
{
	const char *listen = getenv("LISTEN_FDS");
	uint64_t n = 0;
	uint32_t extra = 0;
	int r = opt_get_num(c, "preserve-fds", 1024, 0, &n, err);

	if (r < 0)
		return r;
	/* sd_listen_fds(3): the sockets come first, and are for the program. */
	if (listen && parse_u32(listen, &extra) == 0 && extra > 0 && extra <= 1024) {
		strv_push(&c->arena, &p->env, arena_fmt(&c->arena, "LISTEN_FDS=%u", extra));
		strv_push(&c->arena, &p->env, "LISTEN_PID=1");
		n += extra;
	}
	if (n > c->inherited)
		return err_set_kind(err, -EBADF, ERR_USAGE, "preserve-fds: descriptor %u is not open", 3 + c->inherited);
	p->preserve_fds = (uint32_t)n;
	return 0;
}

#define NO_PID 2147483647 /* stands where the pid will be */

static const char *state_text(struct act *a, enum oci_status status)
{
	auto_json json *j = oci_state(a->record.id, status, NO_PID, &a->config);
	auto_free char *text = json_text(j, false), *mark = str_fmt("\"pid\":%d", NO_PID);
	char *at = strstr(text, mark);

	return at ? arena_fmt(&a->config.arena, "%.*s\"pid\":%c%s", (int)(at - text), text, HOOK_PID_MARK, at + strlen(mark))
		  : arena_str(&a->config.arena, text);
}

static void common(struct act *a, enum plan_kind kind)
{
	struct plan *p = &a->plan;
	struct arena *m = &a->config.arena;
	char id[ID_LEN + 1];

	id_make(id);
	p->kind = kind;
	p->id = arena_str(m, id);
	p->name = a->record.id;
	p->exec_id = kind == PLAN_EXEC ? p->id : NULL;
	p->run = arena_fmt(m, "%s/%s", a->call->g.root, a->record.id);
	p->state = p->share = p->layers_dir = "";
	p->cgroup.limits = CG_LIMITS_NONE;
	p->cgroup.path = "";
	p->sandbox = a->config.sandbox;
	/* Others cannot be raised (capabilities(7), "Ambient"); runc and crun go on without them, too. */
	p->sandbox.cap_ambient &= p->sandbox.cap_inheritable & p->sandbox.cap_permitted;
	p->process = a->config.process;
	p->stdio = a->config.terminal ? PLAN_STDIO_TTY : PLAN_STDIO_FDS;
}

static bool joins(const struct sandbox_config *s, uint32_t ns)
{
	for (size_t i = 0; i < s->joins.n; i++)
		if (s->joins.v[i].ns == ns)
			return true;
	return false;
}

/* A plain user has rights only inside the user namespace, which the worker is born into. */
static int split_userns(struct act *a, struct error *err)
{
	struct sandbox_config *s = &a->plan.sandbox;

	a->plain_user = geteuid() != 0;
	if (!a->plain_user)
		return 0;
	if (!(s->namespaces & CLONE_NEWUSER))
		return err_set_kind(err, -EPERM, ERR_PERM,
				    joins(s, CLONE_NEWUSER) ? "linux.namespaces: only root joins a user namespace by path"
							    : "rootless container requires user namespaces");
	s->namespaces &= ~(uint64_t)CLONE_NEWUSER;
	/* The guest has no less rights there than its worker. */
	a->plan.rootfs.direct = true;
	return 0;
}

/* What the host has to have, or does not let a container change: said before anything is made. */
static int check_host(const struct sandbox_config *s, struct error *err)
{
	int r = sysctl_check_all(s, err);

	if (r < 0)
		return err_prefix(err, "linux.sysctl"), r;
	r = lsm_check(s, err);
	if (r == 0)
		r = affinity_check(s->cpus_initial, err);
	return r == 0 ? affinity_check(s->cpus_final, err) : r;
}

static bool is_own_mntns(const char *path)
{
	struct stat a, b;

	return stat(path, &a) == 0 && stat("/proc/self/ns/mnt", &b) == 0 && a.st_ino == b.st_ino && a.st_dev == b.st_dev;
}

static const char *joined_mntns(const struct sandbox_config *s)
{
	for (size_t i = 0; i < s->joins.n; i++)
		if (s->joins.v[i].ns == CLONE_NEWNS)
			return s->joins.v[i].path;
	return NULL;
}

/* Our own, by path, is as if none were named: a pivot there would take the host's root from under it. */
static enum rootfs_place place_of(const struct sandbox_config *s)
{
	const char *joined = joined_mntns(s);

	if (s->namespaces & CLONE_NEWNS)
		return ROOTFS_NEW;
	return joined && !is_own_mntns(joined) ? ROOTFS_JOINED : ROOTFS_HERE;
}

/* Whoever is in a user namespace mounts only where that, or one below it, owns the mount namespace (mount_namespaces(7)). */
static int check_place(const struct act *a, enum rootfs_place place, struct error *err)
{
	const struct sandbox_config *s = &a->config.sandbox;
	const struct rootfs_config *c = &a->config.rootfs;

	if (place != ROOTFS_NEW && s->namespaces & CLONE_NEWUSER)
		return err_set_kind(err, -EINVAL, ERR_USAGE,
				    "linux.namespaces: a new user namespace needs a new mount namespace: it has no rights in another one");
	if (place == ROOTFS_HERE && joins(s, CLONE_NEWUSER))
		return err_set_kind(err, -EINVAL, ERR_USAGE,
				    "linux.namespaces: with a user namespace a mount namespace is needed, made or joined");
	/* Nobody could take it off any more: paths do not lead to what is mounted over /. */
	if (place == ROOTFS_HERE && str_eq(a->record.rootfs, "/"))
		return err_set_kind(err, -EINVAL, ERR_USAGE, "root.path: / needs a new mount namespace, or one that is joined");
	if (place == ROOTFS_HERE && (c->masked.n || c->readonly_paths.n))
		return err_set_kind(err, -EINVAL, ERR_USAGE, "linux.%s: the mount namespace that is joined is the caller's own, and they would hide the host's",
				    c->masked.n ? "maskedPaths" : "readonlyPaths");
	return 0;
}

static void drop_join(struct sandbox_config *s, uint32_t ns)
{
	size_t n = 0;

	for (size_t i = 0; i < s->joins.n; i++)
		if (s->joins.v[i].ns != ns)
			s->joins.v[n++] = s->joins.v[i];
	s->joins.n = n;
}

/* As runc has it: the old root is still there to propagate to. */
static int check_pivot(const struct act *a, struct error *err)
{
	if (opt_has(a->call, "no-pivot") && a->config.rootfs.propagation & MS_PRIVATE)
		return err_set_kind(err, -EINVAL, ERR_USAGE,
				    "linux.rootfsPropagation: a private root is not safe without pivot_root");
	return 0;
}

static bool is_of(const struct sandbox_config *s, uint32_t ns)
{
	return s->namespaces & ns || joins(s, ns);
}

/* The tree: where it is made, and by whom. */
static void plan_rootfs(struct act *a, enum rootfs_place place)
{
	struct plan *p = &a->plan;

	p->rootfs = a->config.rootfs;
	p->rootfs.place = place;
	p->rootfs.direct = place != ROOTFS_NEW || !is_of(&p->sandbox, CLONE_NEWUSER);
	p->rootfs.host_cgroups = !is_of(&p->sandbox, CLONE_NEWCGROUP);
	p->rootfs.no_pivot = opt_has(a->call, "no-pivot");
}

int plan_create(struct act *a, struct error *err)
{
	struct plan *p = &a->plan;
	const struct sandbox_config of_mounts = { .selinux = a->config.rootfs.mount_label };
	enum rootfs_place place = place_of(&a->config.sandbox);
	int r = check_place(a, place, err);

	if (r == 0)
		r = check_pivot(a, err);
	if (r == 0)
		r = check_host(&a->config.sandbox, err);
	if (r == 0)
		r = lsm_check(&of_mounts, err);
	if (r < 0)
		return r;
	if (place == ROOTFS_HERE)
		drop_join(&a->config.sandbox, CLONE_NEWNS);
	common(a, PLAN_START);
	plan_rootfs(a, place);
	/* execCPUAffinity is for execs (runtime-spec config.md). */
	p->sandbox.cpus_initial = p->sandbox.cpus_final = NULL;
	p->halt = true;
	p->hooks_create.v = a->config.hooks[OCI_CREATE_CONTAINER].v;
	p->hooks_create.n = a->config.hooks[OCI_CREATE_CONTAINER].n;
	p->hooks_start.v = a->config.hooks[OCI_START_CONTAINER].v;
	p->hooks_start.n = a->config.hooks[OCI_START_CONTAINER].n;
	if (p->hooks_create.n || p->hooks_start.n) {
		p->hook_state = state_text(a, OCI_CREATING);
		p->start_state = state_text(a, OCI_CREATED);
	}
	if (opt_has(a->call, "no-new-keyring"))
		p->sandbox.new_keyring = false;
	r = preserved_fds(a->call, &p->process, err);
	oci_env_last(&a->config.arena, &p->process.env);
	if (r == 0)
		r = split_userns(a, err);
	return r == 0 ? compile_filter(a, err) : r;
}

/* ---- exec ---- */

static const struct {
	uint32_t ns;
	const char *name;
} kinds[] = {
	{ CLONE_NEWUSER, "user" }, { CLONE_NEWNS, "mnt" }, { CLONE_NEWPID, "pid" },	  { CLONE_NEWNET, "net" },
	{ CLONE_NEWUTS, "uts" },   { CLONE_NEWIPC, "ipc" }, { CLONE_NEWCGROUP, "cgroup" }, { 0x80, "time" },
};

int has_stopped(struct error *err)
{
	return err_set_kind(err, -ESRCH, ERR_STATE, "cannot exec in a stopped container");
}

/* Not what the configuration says but what is: a namespace that is ours too cannot be joined (setns(2)). Of a process that ends, nothing
 * is to be seen, which does not mean that it shares ours. */
static int namespaces_that_differ(const struct pidref *init, uint64_t *ret, struct error *err)
{
	*ret = 0;
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		char own[32], other[48];
		struct stat a, b;

		snprintf(own, sizeof(own), "/proc/self/ns/%s", kinds[i].name);
		snprintf(other, sizeof(other), "/proc/%d/ns/%s", init->pid, kinds[i].name);
		/* A kernel without that kind. */
		if (stat(own, &a) < 0)
			continue;
		if (stat(other, &b) < 0)
			return errno == ENOENT || errno == ESRCH ? has_stopped(err)
								 : err_sys(err, -errno, "namespaces of process %d", init->pid);
		if (a.st_ino != b.st_ino || a.st_dev != b.st_dev)
			*ret |= kinds[i].ns;
	}
	/* Else its pid may have been another's. */
	return pidref_alive(init) ? 0 : has_stopped(err);
}

int plan_exec(struct act *a, const struct pidref *init, struct error *err)
{
	struct sandbox_config *s = &a->plan.sandbox;
	uint64_t ns;
	int r = namespaces_that_differ(init, &ns, err);

	if (r < 0)
		return r;
	common(a, PLAN_EXEC);
	oci_env_last(&a->config.arena, &a->plan.process.env);
	a->plain_user = geteuid() != 0 && ns & CLONE_NEWUSER;
	s->joins.n = 0;
	s->namespaces = a->plain_user ? ns & ~(uint64_t)CLONE_NEWUSER : ns;
	/* What is in our mount namespace has a root of its own there. */
	if (!(ns & CLONE_NEWNS))
		a->plan.rootfs.place = ROOTFS_HERE;
	/* The ids of the user are judged by the kernel. */
	a->plan.rootfs.id_count = a->config.rootfs.id_count;
	return compile_filter(a, err);
}
