/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "lib/base/parse.h"
#include "lib/base/str.h"
#include "rootfs/template_internal.h"

static const char *const sources[] = { "busybox", "debootstrap", NULL };
static const char *const variants[] = { "extract", "custom",	"essential",   "apt", "required", "minbase",
					"buildd",  "important", "debootstrap", "-",   "standard", NULL };

static bool is_one_of(const char *s, const char *const *list)
{
	for (; *list; list++)
		if (str_eq(s, *list))
			return true;
	return false;
}

static int bad(struct error *err, const char *key, const char *expected)
{
	return err_set_kind(err, -EINVAL, ERR_USAGE, "%s: expected %s", key, expected);
}

/* No control bytes, 1..max bytes. */
static bool is_line(const char *s, size_t max)
{
	size_t n = strlen(s);

	if (n == 0 || n > max)
		return false;
	for (; *s; s++)
		if ((unsigned char)*s < 0x20 || *s == 0x7f)
			return false;
	return true;
}

/* Only these bytes, the first a letter or digit: what is put on a command line can never be an option, a
 * list, or a path out of the archive. */
static bool is_word(const char *s, size_t max, const char *others)
{
	static const char alnum[] = "abcdefghijklmnopqrstuvwxyz0123456789";
	size_t n = strlen(s);

	if (n == 0 || n > max || !strchr(alnum, *s))
		return false;
	for (; *s; s++)
		if (!strchr(alnum, *s) && !strchr(others, *s))
			return false;
	return true;
}

static bool is_url(const char *s)
{
	static const char *const schemes[] = { "http://", "https://", "ftp://", "file:///" };

	if (!is_line(s, 512) || strpbrk(s, " []\"'\\"))
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(schemes); i++)
		if (str_starts(s, schemes[i]) && s[strlen(schemes[i])])
			return true;
	return false;
}

static bool is_environment(const char *s)
{
	const char *eq = strchr(s, '=');

	return eq && eq != s && strlen(s) <= 4096 && !strpbrk(s, "\n\r");
}

/* ---- members ---- */

static int get_strings(const json *j, struct template_desc *t, struct error *err)
{
	const struct {
		const char *key;
		const char **to;
	} table[] = {
		{ "name", &t->name },
		{ "description", &t->description },
		{ "source", &t->source },
		{ "suite", &t->suite },
		{ "mirror", &t->mirror },
		{ "variant", &t->variant },
		{ "workdir", &t->workdir },
		{ "user", &t->user },
		{ "stopSignal", &t->stop_signal },
	};

	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		const char *s = NULL;
		int r = json_get_str(j, table[i].key, &s, err);

		if (r < 0)
			return r;
		if (s)
			*table[i].to = arena_str(&t->arena, s);
	}
	return 0;
}

static int get_lists(const json *j, struct template_desc *t, struct error *err)
{
	const struct {
		const char *key;
		struct strv *to;
		size_t max;
	} table[] = {
		{ "packages", &t->packages, 1000 },
		{ "cmd", &t->cmd, 256 },
		{ "env", &t->env, 256 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		int r = json_get_strv(j, table[i].key, &t->arena, table[i].to, err);

		if (r < 0)
			return r;
		if (table[i].to->n > table[i].max)
			return bad(err, table[i].key, "fewer entries");
	}
	return 0;
}

/* ---- rules ---- */

static int check_debootstrap(const struct template_desc *t, struct error *err)
{
	if (!t->suite || !is_word(t->suite, 64, ".-+"))
		return bad(err, "suite", "a release, such as \"bookworm\"");
	if (t->variant && !is_one_of(t->variant, variants))
		return bad(err, "variant", "one of those of mmdebstrap, such as \"minbase\"");
	if (t->mirror && !is_url(t->mirror))
		return bad(err, "mirror", "a URL of an archive");
	for (size_t i = 0; i < t->packages.n; i++)
		if (!is_word(t->packages.v[i], 128, ".-+:"))
			return bad(err, "packages", "names of packages");
	return 0;
}

static int check_source(const struct template_desc *t, struct error *err)
{
	if (!t->source || !is_one_of(t->source, sources))
		return bad(err, "source", "\"busybox\" or \"debootstrap\"");
	if (str_eq(t->source, "debootstrap"))
		return check_debootstrap(t, err);
	if (t->suite || t->mirror || t->variant || t->packages.n)
		return bad(err, "source",
			   "\"debootstrap\" when there is a suite, mirror, variant or package");
	return 0;
}

static int check_process(const struct template_desc *t, struct error *err)
{
	int sig;

	for (size_t i = 0; i < t->cmd.n; i++)
		if (strlen(t->cmd.v[i]) > 4096)
			return bad(err, "cmd", "shorter arguments");
	if (t->cmd.n && !t->cmd.v[0][0])
		return bad(err, "cmd", "a program");
	for (size_t i = 0; i < t->env.n; i++)
		if (!is_environment(t->env.v[i]))
			return bad(err, "env", "\"NAME=VALUE\" of one line each");
	if (t->workdir && (t->workdir[0] != '/' || !is_line(t->workdir, 4000)))
		return bad(err, "workdir", "an absolute path");
	if (t->user && !is_line(t->user, 64))
		return bad(err, "user", "a user");
	if (t->stop_signal && parse_signal(t->stop_signal, &sig) < 0)
		return bad(err, "stopSignal", "a signal, such as \"TERM\"");
	return 0;
}

static int check(const struct template_desc *t, struct error *err)
{
	int r;

	if (t->name && !name_is_valid(t->name))
		return bad(err, "name", "letters, digits, \"_\", \".\", \"-\"");
	if (t->description && !is_line(t->description, 255))
		return bad(err, "description", "one line of at most 255 bytes");
	r = check_source(t, err);
	return r < 0 ? r : check_process(t, err);
}

static int get_record(const json *j, struct template_record *ret, struct error *err)
{
	struct template_record rec = { 0 };
	const json *build = NULL;
	const char *id = NULL;
	int r = json_get_obj(j, "build", &build, err);

	if (r < 0)
		return r;
	if (!build)
		return err_set(err, -ENODATA, "it has no record of a build");
	r = json_get_str(build, "id", &id, err);
	if (r >= 0)
		r = json_get_u64(build, "time", &rec.time_ns, err);
	if (r >= 0)
		r = json_get_u64(build, "size", &rec.size, err);
	if (r < 0)
		return r;
	if (!id || strlen(id) != 64 || strspn(id, "0123456789abcdef") != 64)
		return bad(err, "build.id", "64 hex digits");
	memcpy(rec.id, id, 65);
	*ret = rec;
	return 0;
}

static int from_json(const json *j, struct template_desc *t, struct template_record *record,
		     struct error *err)
{
	static const char *const keys[] = { "name",    "description", "source", "suite", "mirror",
					    "variant", "packages",    "cmd",	"env",	 "workdir",
					    "user",    "stopSignal",  "init",	"build", NULL };
	int r = json_only_keys(j, keys, err);

	if (r >= 0)
		r = get_strings(j, t, err);
	if (r >= 0)
		r = get_lists(j, t, err);
	if (r >= 0)
		r = json_get_bool(j, "init", &t->init, err);
	if (r >= 0)
		r = check(t, err);
	if (r >= 0 && record)
		r = get_record(j, record, err);
	return r < 0 ? r : 0;
}

int template_parse_built(const char *text, size_t n, struct template_desc *ret,
			 struct template_record *ret_record, struct error *err)
{
	struct template_desc t = { 0 };
	auto_json json *j = NULL;
	int r;

	if (n > TEMPLATE_MAX)
		return err_set_kind(err, -EFBIG, ERR_USAGE, "larger than %d bytes", TEMPLATE_MAX);
	j = json_parse(text, n, err);
	if (!j)
		return err ? err->code : -EINVAL;
	if (json_kind_of(j) != JSON_OBJECT)
		return err_set_kind(err, -EINVAL, ERR_USAGE, "expected an object");
	r = from_json(j, &t, ret_record, err);
	if (r < 0) {
		template_done(&t);
		return r;
	}
	*ret = t;
	return 0;
}

int template_parse(const char *text, size_t n, struct template_desc *ret, struct error *err)
{
	return template_parse_built(text, n, ret, NULL, err);
}

void template_done(struct template_desc *t)
{
	arena_done(&t->arena);
	*t = (struct template_desc){ 0 };
}

char *template_text_built(const char *text, size_t n, const struct template_record *r, struct error *err)
{
	auto_json json *j = json_parse(text, n, err), *out = NULL;
	json *build;

	if (!j)
		return NULL;
	out = json_new_obj();
	for (struct json_iter it = json_iter(j); json_next(&it);)
		if (!str_eq(it.key, "build"))
			json_add(out, it.key, json_ref((json *)it.value));
	build = json_new_obj();
	json_add_str(build, "id", r->id);
	json_add_u64(build, "time", r->time_ns);
	json_add_u64(build, "size", r->size);
	json_add(out, "build", build);
	return json_text(out, true);
}
