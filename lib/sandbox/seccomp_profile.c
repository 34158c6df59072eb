/* SPDX-License-Identifier: GPL-2.0-or-later */
/* JSON in the OCI schema (runtime-spec config-linux.md "Seccomp", with the "archMap", "includes" and
 * "excludes" of the files that Docker and Podman ship) -> rules. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "lib/base/json.h"
#include "lib/base/parse.h"
#include "lib/base/str.h"
#include "lib/sandbox/sandbox.h"
#include "lib/sandbox/seccomp_internal.h"

#define TEXT_MAX (1u << 20)
#define ENTRIES_MAX 4096
#define ERRNO_MAX 4095

struct word {
	const char *name;
	uint32_t value;
};
static const struct word actions[] = {
	{ "SCMP_ACT_KILL", SECCOMP_RET_KILL_THREAD },
	{ "SCMP_ACT_KILL_THREAD", SECCOMP_RET_KILL_THREAD },
	{ "SCMP_ACT_KILL_PROCESS", SECCOMP_RET_KILL_PROCESS },
	{ "SCMP_ACT_TRAP", SECCOMP_RET_TRAP },
	{ "SCMP_ACT_ERRNO", SECCOMP_RET_ERRNO },
	{ "SCMP_ACT_TRACE", SECCOMP_RET_TRACE },
	{ "SCMP_ACT_LOG", SECCOMP_RET_LOG },
	{ "SCMP_ACT_ALLOW", SECCOMP_RET_ALLOW },
	{ "SCMP_ACT_NOTIFY", SECCOMP_RET_USER_NOTIF },
};
static const struct word operators[] = {
	{ "SCMP_CMP_NE", SC_NE },
	{ "SCMP_CMP_LT", SC_LT },
	{ "SCMP_CMP_LE", SC_LE },
	{ "SCMP_CMP_EQ", SC_EQ },
	{ "SCMP_CMP_GE", SC_GE },
	{ "SCMP_CMP_GT", SC_GT },
	{ "SCMP_CMP_MASKED_EQ", SC_MASKED_EQ },
};
static const struct word filter_flags[] = {
	{ "SECCOMP_FILTER_FLAG_TSYNC", SECCOMP_FILTER_FLAG_TSYNC },
	{ "SECCOMP_FILTER_FLAG_LOG", SECCOMP_FILTER_FLAG_LOG },
	{ "SECCOMP_FILTER_FLAG_SPEC_ALLOW", SECCOMP_FILTER_FLAG_SPEC_ALLOW },
	{ "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV", SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV },
};

static int find_word(const struct word *w, size_t n, const char *name, uint32_t *ret)
{
	for (size_t i = 0; i < n; i++)
		if (str_eq(w[i].name, name)) {
			*ret = w[i].value;
			return 0;
		}
	return -ENOENT;
}

void seccomp_known(struct arena *a, struct strv *ret_actions, struct strv *ret_archs,
		   char ret_version[SECCOMP_VERSION_SIZE])
{
	struct strv names = { 0 }, arch_names = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(actions); i++)
		*arena_push(a, &names) = actions[i].name;
	sc_arch_names(a, &arch_names);
	sc_library_version(ret_version, SECCOMP_VERSION_SIZE);
	*ret_actions = names;
	*ret_archs = arch_names;
}

static int bad(struct error *err, const char *member, const char *what, const char *value)
{
	return err_set_kind(err, -EINVAL, ERR_USAGE, "%s: %s \"%.64s\"", member, what, value);
}

/* Members that a later version of the OCI schema may have are none of an older runtime's business; in a profile of ours they are
 * mistakes. */
static int only_keys(const json *o, const struct sc_host *h, const char *const *keys, struct error *err)
{
	return h->oci ? 0 : json_only_keys(o, keys, err);
}

/* "action" with "errnoRet", or "defaultAction" with "defaultErrnoRet". */
static int get_action(const json *o, const char *key, const char *errno_key, uint32_t *ret, struct error *err)
{
	const char *name = NULL;
	uint32_t action, data = EPERM;
	int r = json_get_str(o, key, &name, err), given;

	if (r < 0)
		return r;
	if (!name)
		return err_set_kind(err, -EINVAL, ERR_USAGE, "%s: missing", key);
	if (find_word(actions, ARRAY_SIZE(actions), name, &action) < 0)
		return bad(err, key, "unknown action", name);
	given = json_get_u32(o, errno_key, &data, err);
	if (given < 0)
		return given;
	if (given && action != SECCOMP_RET_ERRNO && action != SECCOMP_RET_TRACE)
		return err_set_kind(err, -EINVAL, ERR_USAGE, "%s: %s takes none", errno_key, name);
	if (data > ERRNO_MAX)
		return err_set_kind(err, -ERANGE, ERR_USAGE, "%s: over %d", errno_key, ERRNO_MAX);
	if (action == SECCOMP_RET_ERRNO || action == SECCOMP_RET_TRACE)
		action |= data;
	*ret = action;
	return 0;
}

static int notify_unsupported(const char *key, struct error *err)
{
	return err_set_kind(err, -EOPNOTSUPP, ERR_UNSUPPORTED, "%s: SCMP_ACT_NOTIFY is not supported", key);
}

/* The descriptor of the listener is there only when the filter is loaded, and someone has to be told of it. */
static int check_notify(const struct sc_entry *e, const struct sc_host *h, struct error *err)
{
	if (e->rule.action != SECCOMP_RET_USER_NOTIF)
		return 0;
	if (!h->oci)
		return notify_unsupported("action", err);
	for (size_t i = 0; i < e->names.n; i++)
		if (str_eq(e->names.v[i], "write"))
			return err_set_kind(err, -EINVAL, ERR_USAGE,
					    "action: SCMP_ACT_NOTIFY is not possible for write");
	return 0;
}

static int get_default_action(const json *o, const struct sc_host *h, struct sc_profile *p, struct error *err)
{
	int r = get_action(o, "defaultAction", "defaultErrnoRet", &p->default_action, err);

	if (r < 0 || p->default_action != SECCOMP_RET_USER_NOTIF)
		return r;
	if (!h->oci)
		return notify_unsupported("defaultAction", err);
	return err_set_kind(err, -EINVAL, ERR_USAGE, "defaultAction: SCMP_ACT_NOTIFY is not possible for all calls");
}

int sc_kernel_parse(const char *release, uint32_t *ret)
{
	unsigned major, minor;
	int end = 0;

	if (sscanf(release, "%4u.%4u%n", &major, &minor, &end) != 2 || release[0] == '+' ||
	    release[0] == ' ' || major > UINT16_MAX || minor > UINT16_MAX)
		return -EINVAL;
	*ret = major << 16 | minor;
	return 0;
}

/* One "includes" or "excludes". *ret_all: everything it asks for holds; *ret_any: something of it does.
 * Members that are not there count as holding for the first, and not for the second. */
static int test_condition(const json *o, const struct sc_host *h, bool *ret_all, bool *ret_any,
			  struct error *err)
{
	static const char *const keys[] = { "caps", "arches", "minKernel", NULL };
	const json *caps = NULL, *arches = NULL;
	const char *kernel = NULL;
	bool all = true, any = false, found = false;
	int r = json_only_keys(o, keys, err);

	if (r < 0 || (r = json_get_arr(o, "caps", &caps, err)) < 0 ||
	    (r = json_get_arr(o, "arches", &arches, err)) < 0 ||
	    (r = json_get_str(o, "minKernel", &kernel, err)) < 0)
		return r;
	for (size_t i = 0; i < json_len(caps); i++) {
		const char *name = json_str(json_at(caps, i));
		uint64_t bits = 0;

		if (!name)
			return err_set_kind(err, -EINVAL, ERR_USAGE, "caps[%zu]: expected a string", i);
		/* A name that is not known here is a capability that nobody has. */
		if (caps_parse(name, &bits) < 0)
			bits = 0;
		all = all && bits && (bits & ~h->caps) == 0;
		any = any || bits & h->caps;
	}
	for (size_t i = 0; i < json_len(arches); i++) {
		const char *name = json_str(json_at(arches, i));

		if (!name)
			return err_set_kind(err, -EINVAL, ERR_USAGE, "arches[%zu]: expected a string", i);
		found = found || str_eq(name, h->arch);
	}
	if (json_len(arches)) {
		all = all && found;
		any = any || found;
	}
	if (!str_is_empty(kernel)) {
		uint32_t least;

		if (sc_kernel_parse(kernel, &least) < 0)
			return bad(err, "minKernel", "not a version", kernel);
		all = all && h->kernel >= least;
		any = any || h->kernel >= least;
	}
	*ret_all = all;
	*ret_any = any;
	return 0;
}

/* Does the entry count on this host with these capabilities? */
static int applies(const json *o, const struct sc_host *h, bool *ret, struct error *err)
{
	const json *in = NULL, *out = NULL;
	bool all = true, any = false, unused_all, unused_any;
	int r;

	if (h->oci) {
		*ret = true;
		return 0;
	}
	r = json_get_obj(o, "includes", &in, err);
	if (r >= 0)
		r = json_get_obj(o, "excludes", &out, err);
	if (r < 0)
		return r;
	if (in && (r = test_condition(in, h, &all, &unused_any, err)) < 0)
		return err_prefix(err, "includes"), r;
	if (out && (r = test_condition(out, h, &unused_all, &any, err)) < 0)
		return err_prefix(err, "excludes"), r;
	*ret = all && !any;
	return 0;
}

static int parse_cond(const json *o, const struct sc_host *h, struct sc_cond *ret, struct error *err)
{
	static const char *const keys[] = { "index", "value", "valueTwo", "op", NULL };
	const char *op = NULL;
	uint32_t index = UINT32_MAX, op_value;
	struct sc_cond c = { 0 };
	int r;

	if (json_kind_of(o) != JSON_OBJECT)
		return err_set_kind(err, -EINVAL, ERR_USAGE, "expected an object");
	if ((r = only_keys(o, h, keys, err)) < 0 || (r = json_get_u32(o, "index", &index, err)) < 0 ||
	    (r = json_get_u64(o, "value", &c.value, err)) < 0 ||
	    (r = json_get_u64(o, "valueTwo", &c.value_two, err)) < 0 ||
	    (r = json_get_str(o, "op", &op, err)) < 0)
		return r;
	if (index > 5)
		return err_set_kind(err, -EINVAL, ERR_USAGE, "index: expected 0 to 5");
	if (!op)
		return err_set_kind(err, -EINVAL, ERR_USAGE, "op: missing");
	if (find_word(operators, ARRAY_SIZE(operators), op, &op_value) < 0)
		return bad(err, "op", "unknown operator", op);
	c.arg = (uint8_t)index;
	c.op = (uint8_t)op_value;
	*ret = c;
	return 0;
}

static int parse_conds(const json *o, const struct sc_host *h, struct sc_rule *rule, struct error *err)
{
	const json *args = NULL;
	int r = json_get_arr(o, "args", &args, err);

	if (r < 0)
		return r;
	if (json_len(args) > SC_CONDS_MAX)
		return err_set_kind(err, -E2BIG, ERR_USAGE, "args: more than %d", SC_CONDS_MAX);
	rule->n = json_len(args);
	for (size_t i = 0; i < rule->n; i++) {
		r = parse_cond(json_at(args, i), h, &rule->conds[i], err);
		if (r < 0)
			return err_prefix(err, "args[%zu]", i), r;
	}
	return 0;
}

static int parse_names(const json *o, struct sc_profile *p, struct strv *ret, struct error *err)
{
	const char *one = NULL;
	int r = json_get_strv(o, "names", &p->arena, ret, err);

	/* "name" is what files older than Docker 1.13 have. */
	if (r >= 0)
		r = json_get_str(o, "name", &one, err);
	if (r < 0)
		return r;
	if (one)
		strv_push(&p->arena, ret, one);
	return ret->n ? 0 : err_set_kind(err, -EINVAL, ERR_USAGE, "names: missing");
}

/* Two conditions on the same argument in one entry are alternatives, each a rule of its own: so do runc, crun
 * and Docker, and profiles are written for it. */
static bool has_alternatives(const struct sc_rule *rule)
{
	for (size_t i = 0; i < rule->n; i++)
		for (size_t j = 0; j < i; j++)
			if (rule->conds[i].arg == rule->conds[j].arg)
				return true;
	return false;
}

static void add_entry(struct sc_profile *p, const struct sc_entry *e, bool here)
{
	/* "By default refused" beside an allowance under conditions only says what holds otherwise. */
	if (!here || (e->rule.n == 0 && e->rule.action == p->default_action)) {
		for (size_t i = 0; i < e->names.n; i++)
			*arena_push(&p->arena, &p->others) = e->names.v[i];
		return;
	}
	if (e->rule.action == SECCOMP_RET_USER_NOTIF)
		p->flags |= SECCOMP_FILTER_FLAG_NEW_LISTENER;
	if (!has_alternatives(&e->rule)) {
		*arena_push(&p->arena, &p->entries) = *e;
		return;
	}
	for (size_t i = 0; i < e->rule.n; i++) {
		struct sc_entry *one = arena_push(&p->arena, &p->entries);

		*one = *e;
		one->rule.n = 1;
		one->rule.conds[0] = e->rule.conds[i];
	}
}

static int parse_entry(const json *o, const struct sc_host *h, struct sc_profile *p, size_t index,
		       struct error *err)
{
	static const char *const keys[] = { "names",   "name",	   "action",   "errnoRet", "args",
					    "comment", "includes", "excludes", NULL };
	struct sc_entry e = { .index = index };
	bool here = false;
	int r;

	if (json_kind_of(o) != JSON_OBJECT)
		return err_set_kind(err, -EINVAL, ERR_USAGE, "expected an object");
	/* All of it is checked, also where it does not apply: a profile is right or wrong on every host. */
	if ((r = only_keys(o, h, keys, err)) < 0 || (r = parse_names(o, p, &e.names, err)) < 0 ||
	    (r = get_action(o, "action", "errnoRet", &e.rule.action, err)) < 0 ||
	    (r = check_notify(&e, h, err)) < 0 || (r = parse_conds(o, h, &e.rule, err)) < 0 || (r = applies(o, h, &here, err)) < 0)
		return r;
	add_entry(p, &e, here);
	return 0;
}

static int parse_entries(const json *o, const struct sc_host *h, struct sc_profile *p, struct error *err)
{
	const json *list = NULL;
	int r = json_get_arr(o, "syscalls", &list, err);

	if (r < 0)
		return r;
	if (json_len(list) > ENTRIES_MAX)
		return err_set_kind(err, -E2BIG, ERR_USAGE, "syscalls: more than %d", ENTRIES_MAX);
	for (size_t i = 0; i < json_len(list); i++) {
		r = parse_entry(json_at(list, i), h, p, i, err);
		if (r < 0)
			return err_prefix(err, "syscalls[%zu]", i), r;
	}
	return 0;
}

static int add_archs(const json *o, const char *key, bool keep, struct sc_profile *p, struct error *err)
{
	struct strv names = { 0 };
	int r = json_get_strv(o, key, &p->arena, &names, err);

	if (r < 0)
		return r;
	for (size_t i = 0; i < names.n; i++) {
		if (!sc_arch_is_known(names.v[i]))
			return bad(err, key, "unknown architecture", names.v[i]);
		if (keep)
			strv_push(&p->arena, &p->archs, names.v[i]);
	}
	return 0;
}

/* "archMap": of its entries only the one of this host counts. */
static int parse_arch_map(const json *o, const struct sc_host *h, struct sc_profile *p, struct error *err)
{
	static const char *const keys[] = { "architecture", "subArchitectures", NULL };
	const json *map = NULL;
	int r = json_get_arr(o, "archMap", &map, err);

	for (size_t i = 0; r >= 0 && i < json_len(map); i++) {
		const json *e = json_at(map, i);
		const char *name = NULL;

		if (json_kind_of(e) != JSON_OBJECT)
			r = err_set_kind(err, -EINVAL, ERR_USAGE, "expected an object");
		else if ((r = json_only_keys(e, keys, err)) >= 0 &&
			 (r = json_get_str(e, "architecture", &name, err)) >= 0)
			r = name && sc_arch_is_known(name)
				    ? add_archs(e, "subArchitectures", str_eq(name, h->scmp_arch), p, err)
				    : bad(err, "architecture", "unknown architecture", name ? name : "");
		if (r < 0)
			err_prefix(err, "archMap[%zu]", i);
	}
	return r < 0 ? r : 0;
}

static int parse_flags(const json *o, struct sc_profile *p, struct error *err)
{
	struct strv names = { 0 };
	int r = json_get_strv(o, "flags", &p->arena, &names, err);

	for (size_t i = 0; r >= 0 && i < names.n; i++) {
		uint32_t flag;

		if (find_word(filter_flags, ARRAY_SIZE(filter_flags), names.v[i], &flag) < 0)
			return bad(err, "flags", "unknown flag", names.v[i]);
		p->flags |= flag;
	}
	return r < 0 ? r : 0;
}

static int parse_top(const json *o, const struct sc_host *h, struct sc_profile *p, struct error *err)
{
	static const char *const keys[] = {
		"defaultAction", "defaultErrnoRet", "architectures", "archMap",		 "flags",
		"syscalls",	 "comment",	    "listenerPath",  "listenerMetadata", NULL
	};
	const char *listener = NULL;
	uint32_t given;
	int r;

	if (json_kind_of(o) != JSON_OBJECT)
		return err_set_kind(err, -EINVAL, ERR_USAGE, "expected an object");
	if ((r = only_keys(o, h, keys, err)) < 0 || (r = json_get_str(o, "listenerPath", &listener, err)) < 0)
		return r;
	if (!h->oci && !str_is_empty(listener))
		return err_set_kind(err, -EOPNOTSUPP, ERR_UNSUPPORTED,
				    "listenerPath: listeners are not supported");
	p->errno_given = json_get_u32(o, "defaultErrnoRet", &given, NULL) > 0;
	if ((r = get_default_action(o, h, p, err)) < 0 || (r = add_archs(o, "architectures", true, p, err)) < 0 ||
	    (!h->oci && (r = parse_arch_map(o, h, p, err)) < 0) || (r = parse_flags(o, p, err)) < 0 ||
	    (r = parse_entries(o, h, p, err)) < 0)
		return r;
	if (p->flags & SECCOMP_FILTER_FLAG_NEW_LISTENER)
		return !str_is_empty(listener) ? 0
					       : err_set_kind(err, -EINVAL, ERR_USAGE,
							      "listenerPath: missing, and there is SCMP_ACT_NOTIFY");
	/* Of no meaning without one, and refused by the kernel. */
	p->flags &= ~(uint32_t)SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV;
	return 0;
}

int sc_profile_parse(const char *text, size_t len, const struct sc_host *host, struct sc_profile *ret,
		     struct error *err)
{
	struct sc_profile p = { 0 };
	auto_json json *o = NULL;
	int r = -EFBIG;

	if (len > TEXT_MAX)
		err_set_kind(err, r, ERR_USAGE, "larger than %u bytes", TEXT_MAX);
	else
		r = (o = json_parse(text, len, err)) ? parse_top(o, host, &p, err) : -EINVAL;
	if (r < 0) {
		sc_profile_done(&p);
		return err_prefix(err, host->oci ? "linux.seccomp" : "seccomp profile"), r;
	}
	*ret = p;
	return 0;
}

void sc_profile_done(struct sc_profile *p)
{
	arena_done(&p->arena);
	*p = (struct sc_profile){ 0 };
}
