/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A process object: of config.json, or of exec --process. */
#include <limits.h>
#include <string.h>
#include "lib/base/path.h"
#include "lib/base/rlimits.h"
#include "lib/oci/oci_internal.h"
#include "lib/spec/names.h"

#define UMASK 022
#define UMASK_MAX 0777
#define OOM_SCORE_MAX 1000

struct decode_process {
	struct arena *a;
	struct process_config p;
	struct sandbox_config s;
	struct strv *warnings;
};

static int decode_console_size(const json *process, struct decode_process *d, struct error *err)
{
	const json *size = NULL;
	int64_t rows = 0, cols = 0;
	int r = json_get_obj(process, "consoleSize", &size, err);

	if (r <= 0)
		return r;
	if ((r = oci_get_range(size, "height", 0, UINT16_MAX, &rows, err)) < 0 ||
	    (r = oci_get_range(size, "width", 0, UINT16_MAX, &cols, err)) < 0)
		return oci_within(err, "consoleSize.");
	d->p.rows = d->p.tty ? (uint16_t)rows : 0;
	d->p.cols = d->p.tty ? (uint16_t)cols : 0;
	return 0;
}

static int check_env(const struct strv *env, struct error *err)
{
	for (size_t i = 0; i < env->n; i++)
		if (env->v[i][0] == '=' || !strchr(env->v[i], '='))
			return oci_bad(err, "env[%zu]: \"%.40s\" is not as NAME=VALUE", i, env->v[i]);
	return 0;
}

static int decode_program(const json *process, struct decode_process *d, struct error *err)
{
	struct process_config *p = &d->p;
	int r;

	if ((r = json_get_bool(process, "terminal", &p->tty, err)) < 0 ||
	    (r = decode_console_size(process, d, err)) < 0 ||
	    (r = json_get_strv(process, "env", d->a, &p->env, err)) < 0 ||
	    (r = check_env(&p->env, err)) < 0 ||
	    (r = json_get_strv(process, "args", d->a, &p->argv, err)) < 0)
		return r;
	if (!p->argv.n)
		return oci_bad(err, "args: must not be empty");
	r = oci_get_abs(process, "cwd", d->a, &p->cwd, err);
	return r ? r : oci_bad(err, "cwd: missing");
}

static int decode_groups(const json *user, struct decode_process *d, struct error *err)
{
	const json *arr = NULL;
	int r = json_get_arr(user, "additionalGids", &arr, err);

	if (r < 0)
		return r;
	if (json_len(arr) > NGROUPS_MAX)
		return oci_bad(err, "additionalGids: more than %d", NGROUPS_MAX);
	for (size_t i = 0; i < json_len(arr); i++) {
		auto_json json *holder = json_new_obj();
		uint32_t gid = 0;

		/* The getters take members. */
		json_add(holder, "gid", json_ref((json *)json_at(arr, i)));
		r = oci_get_id(holder, "gid", &gid, NULL);
		if (r <= 0)
			return oci_bad(err, "additionalGids[%zu]: expected a group id", i);
		strv_push(d->a, &d->p.groups, arena_fmt(d->a, "%u", gid));
	}
	return 0;
}

static int decode_user_members(const json *user, struct decode_process *d, struct error *err)
{
	uint32_t uid = 0, gid = 0;
	int64_t umask = UMASK;
	int r;

	if ((r = oci_get_id(user, "uid", &uid, err)) < 0 || (r = oci_get_id(user, "gid", &gid, err)) < 0 ||
	    (r = oci_get_range(user, "umask", 0, UMASK_MAX, &umask, err)) < 0 ||
	    (r = decode_groups(user, d, err)) < 0)
		return r;
	d->p.user = arena_fmt(d->a, "%u:%u", uid, gid);
	d->p.umask = (uint32_t)umask;
	return 0;
}

static int decode_user(const json *process, struct decode_process *d, struct error *err)
{
	const json *user = NULL;
	int r = json_get_obj(process, "user", &user, err);

	d->p.user = "0:0";
	d->p.umask = UMASK;
	if (r <= 0)
		return r;
	r = decode_user_members(user, d, err);
	return r < 0 ? oci_within(err, "user.") : 0;
}

static int decode_rlimit(const json *item, void *ctx, struct error *err)
{
	struct decode_process *d = ctx;
	struct sandbox_rlimit limit = { 0 };
	const char *type = NULL;
	int r = json_get_str(item, "type", &type, err), soft, hard;

	if (r < 0)
		return r;
	if (!r)
		return oci_bad(err, "type: missing");
	if (!str_starts(type, "RLIMIT_") || rlimit_number(type, &limit.resource) < 0)
		return oci_bad(err, "type: unknown limit \"%.40s\"", type);
	for (size_t i = 0; i < d->s.rlimits.n; i++)
		if (d->s.rlimits.v[i].resource == limit.resource)
			return oci_bad(err, "type: %s is there twice", type);
	if ((soft = json_get_u64(item, "soft", &limit.soft, err)) < 0 ||
	    (hard = json_get_u64(item, "hard", &limit.hard, err)) < 0)
		return -EINVAL;
	if (!soft || !hard)
		return oci_bad(err, "%s: missing", soft ? "hard" : "soft");
	if (limit.soft > limit.hard)
		return oci_bad(err, "soft: more than hard");
	*arena_push(d->a, &d->s.rlimits) = limit;
	return 0;
}

/* As the specification spells it: "ALL" and "chown" would be more than was said. */
static bool find_cap(const char *name, uint64_t *ret)
{
	const char *rest = str_after(name, "CAP_"), *known;

	for (unsigned i = 0; rest && (known = spec_cap_name(i)); i++)
		if (str_eq(rest, known)) {
			*ret = UINT64_C(1) << i;
			return true;
		}
	return false;
}

static int decode_cap_set(const json *caps, const char *key, uint64_t *ret, struct strv *unknown,
			  struct error *err)
{
	const json *arr = NULL;
	uint64_t bits = 0, bit = 0;
	int r = json_get_arr(caps, key, &arr, err);

	if (r < 0)
		return r;
	for (size_t i = 0; i < json_len(arr); i++) {
		const char *name = json_str(json_at(arr, i));

		if (!name)
			return oci_bad(err, "%s[%zu]: expected a string", key, i);
		if (find_cap(name, &bit))
			bits |= bit;
		else
			unknown->v[unknown->n++] = name;
	}
	*ret = bits;
	return 0;
}

/* One warning for all of them, each named once, as long as there is room. */
static void warn_unknown(const struct strv *unknown, struct arena *a, struct strv *ret)
{
	cleanup(strbuf_done) struct strbuf names = { 0 };

	for (size_t i = 0; i < unknown->n && names.len < 400; i++) {
		bool seen = false;

		for (size_t k = 0; k < i && !seen; k++)
			seen = str_eq(unknown->v[i], unknown->v[k]);
		if (seen)
			continue;
		strbuf_add(&names, names.len ? " " : "");
		strbuf_add_escaped(&names, unknown->v[i], strnlen(unknown->v[i], 40));
	}
	if (unknown->n && ret)
		strv_push(a, ret,
			  arena_fmt(a, "ignoring unknown or unavailable capabilities: [%s]",
				    strbuf_cstr(&names)));
}

int oci_caps_decode(const json *caps, struct arena *a, struct sandbox_config *ret, struct strv *ret_warnings,
		    struct error *err)
{
	static const char *const keys[] = { "bounding", "effective", "permitted", "inheritable", "ambient" };
	uint64_t sets[ARRAY_SIZE(keys)] = { 0 };
	auto_free const char **names = NULL;
	struct strv unknown = { 0 };
	size_t n = 0;
	const json *arr;

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		n += json_get_arr(caps, keys[i], &arr, NULL) > 0 ? json_len(arr) : 0;
	unknown.v = names = mem_alloc_n(n + 1, sizeof(*names));
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		int r = decode_cap_set(caps, keys[i], &sets[i], &unknown, err);

		if (r < 0)
			return r;
	}
	warn_unknown(&unknown, a, ret_warnings);
	ret->cap_bounding = sets[0];
	ret->cap_effective = sets[1];
	ret->cap_permitted = sets[2];
	ret->cap_inheritable = sets[3];
	ret->cap_ambient = sets[4];
	return 0;
}

static int decode_caps(const json *process, struct decode_process *d, struct error *err)
{
	const json *caps = NULL;
	int r = json_get_obj(process, "capabilities", &caps, err);

	if (r <= 0)
		return r;
	r = oci_caps_decode(caps, d->a, &d->s, d->warnings, err);
	return r < 0 ? oci_within(err, "capabilities.") : 0;
}

static int decode_confinement(const json *process, struct decode_process *d, struct error *err)
{
	struct sandbox_config *s = &d->s;
	int64_t oom = INT32_MIN;
	int r;

	if ((r = decode_caps(process, d, err)) < 0 ||
	    (r = oci_each(process, "rlimits", decode_rlimit, d, err)) < 0 ||
	    (r = json_get_bool(process, "noNewPrivileges", &s->no_new_privs, err)) < 0 ||
	    (r = oci_get_range(process, "oomScoreAdj", -OOM_SCORE_MAX, OOM_SCORE_MAX, &oom, err)) < 0 ||
	    (r = oci_get_str(process, "apparmorProfile", d->a, &s->apparmor, err)) < 0 ||
	    (r = oci_get_str(process, "selinuxLabel", d->a, &s->selinux, err)) < 0)
		return r;
	s->oom_score_adj = (int32_t)oom;
	return oci_sched_decode(process, d->a, s, err);
}

/* What a process object says nothing about is not taken over from another one. */
static struct sandbox_config without_process(const struct sandbox_config *old)
{
	struct sandbox_config s = *old;

	s.cap_bounding = s.cap_effective = s.cap_permitted = s.cap_inheritable = s.cap_ambient = 0;
	s.no_new_privs = false;
	s.rlimits.v = NULL;
	s.rlimits.n = 0;
	s.oom_score_adj = INT32_MIN;
	s.sched = (struct sandbox_sched){ 0 };
	s.ioprio = 0;
	s.cpus_initial = s.cpus_final = s.apparmor = s.selinux = NULL;
	return s;
}

int oci_process_decode(const json *process, struct arena *a, struct process_config *ret,
		       struct sandbox_config *ret_sandbox, bool *ret_terminal, struct strv *ret_warnings,
		       struct error *err)
{
	struct strv warnings = *ret_warnings;
	struct decode_process d = { .a = a, .s = without_process(ret_sandbox), .warnings = &warnings };
	int r;

	if (json_kind_of(process) != JSON_OBJECT)
		return oci_bad(err, "process: expected an object");
	if ((r = decode_program(process, &d, err)) < 0 || (r = decode_user(process, &d, err)) < 0 ||
	    (r = decode_confinement(process, &d, err)) < 0)
		return oci_within(err, "process.");
	*ret = d.p;
	*ret_sandbox = d.s;
	*ret_terminal = d.p.tty;
	*ret_warnings = warnings;
	return 0;
}
