/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>
#include "lib/base/str.h"
#include "lib/spec/spec.h"

static size_t key_len(const char *entry)
{
	return strcspn(entry, "=");
}

/* Where the variable of `entry` is in env; env->n when it is not. */
static size_t env_find(const struct strv *env, const char *entry)
{
	size_t n = key_len(entry), i = 0;

	while (i < env->n && (key_len(env->v[i]) != n || strncmp(env->v[i], entry, n) != 0))
		i++;
	return i;
}

/* The later value of a variable takes the place of an earlier one. */
static void env_add(struct arena *a, struct strv *env, const struct strv *more)
{
	for (size_t i = 0; i < more->n; i++) {
		size_t at = env_find(env, more->v[i]);

		if (at < env->n)
			env->v[at] = arena_str(a, more->v[i]);
		else
			strv_push(a, env, more->v[i]);
	}
}

static void strv_add(struct arena *a, struct strv *sv, const struct strv *more)
{
	for (size_t i = 0; i < more->n; i++)
		strv_push(a, sv, more->v[i]);
}

static const char *take_default(struct spec *s, const char *mine, const char *image)
{
	return str_is_empty(mine) && !str_is_empty(image) ? arena_str(&s->arena, image) : mine;
}

void spec_merge(struct spec *s, const struct spec_image *image)
{
	struct strv env = { 0 };

	if (!(s->given & SPEC_GIVEN_IMAGE_INIT))
		s->image_init = s->image_init || (image->init && !s->command.n && !s->no_init);
	if (!(s->given & SPEC_GIVEN_NO_NEW_PRIVS))
		s->no_new_privs = !s->image_init;
	s->given |= SPEC_GIVEN_IMAGE_INIT | SPEC_GIVEN_NO_NEW_PRIVS;
	/* An init writes to its console: without one its messages would be lost. */
	s->tty = s->tty || s->image_init;
	if (!s->command.n)
		strv_add(&s->arena, &s->command, &image->cmd);
	env_add(&s->arena, &env, &image->env);
	env_add(&s->arena, &env, &s->env);
	s->env = env;
	s->workdir = take_default(s, s->workdir, image->workdir);
	s->user = take_default(s, s->user, image->user);
	s->stop_signal = take_default(s, s->stop_signal, image->stop_signal);
	if (str_is_empty(s->stop_signal))
		s->stop_signal = s->image_init ? "RTMIN+3" : "TERM";
}
