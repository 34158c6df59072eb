/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <string.h>
#include "lib/plan/internal.h"

/* What the new process is joined to and held by: the container's, without what only its making needed. */
static void copy_sandbox(const struct plan *start, const struct plan_exec *x, struct plan *p)
{
	const struct sandbox_config *from = &start->sandbox;
	struct sandbox_config *to = &p->sandbox;

	*to = (struct sandbox_config){
		.namespaces = from->namespaces,
		.cap_bounding = from->cap_bounding,
		.cap_effective = (from->cap_effective | x->cap_add) & from->cap_bounding,
		.cap_permitted = (from->cap_permitted | x->cap_add) & from->cap_bounding,
		.no_new_privs = from->no_new_privs,
		.seccomp_flags = from->seccomp_flags,
		.oom_score_adj = from->oom_score_adj,
		.new_keyring = from->new_keyring,
	};
	if (from->seccomp_size) {
		to->seccomp = arena_dup(&p->arena, from->seccomp, from->seccomp_size);
		to->seccomp_size = from->seccomp_size;
	}
	for (size_t i = 0; i < from->uid_maps.n; i++)
		*arena_push(&p->arena, &to->uid_maps) = from->uid_maps.v[i];
	for (size_t i = 0; i < from->gid_maps.n; i++)
		*arena_push(&p->arena, &to->gid_maps) = from->gid_maps.v[i];
	for (size_t i = 0; i < from->rlimits.n; i++)
		*arena_push(&p->arena, &to->rlimits) = from->rlimits.v[i];
}

static bool has_term(const struct strv *env)
{
	for (size_t i = 0; i < env->n; i++)
		if (str_starts(env->v[i], "TERM="))
			return true;
	return false;
}

static void add_process(const struct plan *start, const struct plan_exec *x, struct plan *p)
{
	const struct process_config *from = &start->process;
	struct process_config *to = &p->process;

	for (size_t i = 0; i < x->argv.n; i++)
		strv_push(&p->arena, &to->argv, x->argv.v[i]);
	plan_env_add(&p->arena, &to->env, &from->env);
	plan_env_add(&p->arena, &to->env, &x->env);
	if (x->tty && !has_term(&to->env))
		strv_push(&p->arena, &to->env, "TERM=xterm");
	to->cwd = arena_str(&p->arena, str_is_empty(x->cwd) ? from->cwd : x->cwd);
	to->user = arena_str(&p->arena, x->user ?: from->user);
	for (size_t i = 0; !x->user && i < from->groups.n; i++)
		strv_push(&p->arena, &to->groups, from->groups.v[i]);
	to->umask = from->umask;
	to->tty = x->tty;
	to->rows = x->rows;
	to->cols = x->cols;
}

int plan_build_exec(const struct plan *start, const struct plan_exec *x, struct plan **ret, struct error *err)
{
	struct plan *p;

	if (!x->argv.n)
		return err_set_kind(err, -EINVAL, ERR_USAGE, "no command");
	if (!str_is_empty(x->cwd) && x->cwd[0] != '/')
		return err_set_kind(err, -EINVAL, ERR_USAGE, "working directory \"%.80s\": not absolute",
				    x->cwd);
	if (x->user && !spec_user_is_valid(x->user))
		return err_set_kind(err, -EINVAL, ERR_USAGE,
				    "user \"%.40s\": not USER, UID, USER:GROUP or UID:GID", x->user);
	p = mem_alloc(sizeof(*p));
	p->kind = PLAN_EXEC;
	p->id = arena_str(&p->arena, start->id);
	p->name = arena_str(&p->arena, start->name);
	p->exec_id = arena_str(&p->arena, x->exec_id);
	p->run = arena_str(&p->arena, start->run);
	p->state = arena_str(&p->arena, start->state);
	p->share = arena_str(&p->arena, start->share);
	p->cgroup.path = arena_str(&p->arena, start->cgroup.path);
	p->cgroup.limits = CG_LIMITS_NONE;
	p->net.mode = start->net.mode;
	p->rootfs.id_base = start->rootfs.id_base;
	p->rootfs.id_count = start->rootfs.id_count;
	copy_sandbox(start, x, p);
	add_process(start, x, p);
	if (x->tty)
		p->stdio = PLAN_STDIO_TTY;
	else
		p->stdio = x->null_stdio ? PLAN_STDIO_NULL : PLAN_STDIO_FDS;
	*ret = p;
	return 0;
}
