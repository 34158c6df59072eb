/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <string.h>
#include "cmd/arnia/cli.h"
#include "lib/base/parse.h"

json *name_params(const char *name)
{
	json *p = json_new_obj();

	json_add_str(p, "name", name);
	return p;
}

static bool is_glob(const char *name)
{
	return strpbrk(name, "*?[") != NULL;
}

/* Letters, digits and what a name and a pattern may have beside them. */
static bool glob_is_valid(const char *s)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-*?[]!^";
	size_t n = strnlen(s, 129);

	return n <= 128 && strspn(s, plain) == n;
}

int name_check(const char *name, bool glob, struct error *err)
{
	if (name_is_valid(name) || (glob && is_glob(name) && glob_is_valid(name)))
		return 0;
	err_set_kind(err, -EINVAL, ERR_USAGE, "\"%.100s\" is not a machine name", name);
	err_hint(err, "letters, digits, '_', '.', '-', up to 63, the first a letter or digit");
	return -EINVAL;
}

static bool has(const struct strv *sv, const char *name)
{
	for (size_t i = 0; i < sv->n; i++)
		if (str_eq(sv->v[i], name))
			return true;
	return false;
}

static int expand_glob(struct cli *c, const char *glob, struct strv *ret, struct error *err)
{
	auto_json json *reply = NULL, *p = json_new_obj();
	const json *machines = NULL;
	json *names = json_new_arr();
	int r;

	json_push(names, json_new_str(glob));
	json_add(p, "names", names);
	r = cli_call(c, "io.arnia.List", ptr_steal(&p), &reply, err);
	if (r < 0 || json_get_arr(reply, "machines", &machines, err) < 0)
		return r < 0 ? r : -EPROTO;
	if (!json_len(machines))
		return err_set_kind(err, -ENOENT, ERR_NOT_FOUND, "no machine matches \"%s\"", glob);
	for (size_t i = 0; i < json_len(machines); i++) {
		const char *name = NULL;

		if (json_get_str(json_at(machines, i), "name", &name, err) < 0)
			return -EPROTO;
		if (name && !has(ret, name))
			strv_push(&c->arena, ret, name);
	}
	return 0;
}

int names_expand(struct cli *c, size_t first, struct strv *ret, struct error *err)
{
	struct strv out = { 0 };

	for (size_t i = first; i < c->line.args.n; i++) {
		const char *name = c->line.args.v[i];
		int r = name_check(name, true, err);

		if (r == 0 && is_glob(name))
			r = expand_glob(c, name, &out, err);
		else if (r == 0 && !has(&out, name))
			strv_push(&c->arena, &out, name);
		if (r < 0)
			return r;
	}
	*ret = out;
	return 0;
}
