/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <string.h>
#include "lib/plan/internal.h"

#define DEFAULT_PATH "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#define DEFAULT_TERM "TERM=xterm"
#define UMASK 022

static void env_set(struct arena *a, struct strv *env, const char *entry)
{
	size_t n = strcspn(entry, "=") + 1;

	for (size_t i = 0; i < env->n; i++)
		if (strncmp(env->v[i], entry, n) == 0) {
			env->v[i] = arena_str(a, entry);
			return;
		}
	strv_push(a, env, entry);
}

void plan_env_add(struct arena *a, struct strv *env, const struct strv *more)
{
	for (size_t i = 0; i < more->n; i++)
		env_set(a, env, more->v[i]);
}

static void add_env(const struct plan_input *in, struct plan *p)
{
	struct strv *env = &p->process.env;

	strv_push(&p->arena, env, DEFAULT_PATH);
	/* By this a program, systemd first of all, knows that it is in a container. */
	strv_push(&p->arena, env, "container=arnia");
	strv_push(&p->arena, env, arena_fmt(&p->arena, "HOSTNAME=%s", p->sandbox.hostname));
	if (in->spec->tty)
		strv_push(&p->arena, env, DEFAULT_TERM);
	plan_env_add(&p->arena, env, &in->spec->env);
}

int plan_add_process(const struct plan_input *in, struct plan *p, struct error *err)
{
	const struct spec *s = in->spec;
	struct process_config *c = &p->process;

	for (size_t i = 0; i < s->command.n; i++)
		strv_push(&p->arena, &c->argv, s->command.v[i]);
	if (!c->argv.n && s->image_init)
		strv_push(&p->arena, &c->argv, "/sbin/init");
	if (!c->argv.n)
		return err_set_kind(err, -EINVAL, ERR_USAGE, "no command: image %s has none, so give one",
				    s->image);
	add_env(in, p);
	c->cwd = arena_str(&p->arena, str_is_empty(s->workdir) ? "/" : s->workdir);
	c->user = arena_str(&p->arena, s->user ?: "");
	c->umask = UMASK;
	c->tty = s->tty;
	c->rows = in->rows;
	c->cols = in->cols;
	c->init = !s->image_init && !s->no_init;
	p->stdio = s->tty ? PLAN_STDIO_TTY : PLAN_STDIO_LOG;
	p->open_stdin = s->open_stdin;
	p->log_max = s->log_max;
	return 0;
}
