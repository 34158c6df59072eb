/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <string.h>
#include <sys/resource.h>
#include "lib/base/rlimits.h"
#include "lib/base/parse.h"
#include "lib/spec/internal.h"

#define CPUS_MAX 1e6

/* Puts the member `m` of `o` at `v`: 1, or 0 when it is missing or null, or -EINVAL with err "KEY: ...". */
typedef int (*spec_get)(struct arena *a, const json *o, const struct spec_member *m, void *v,
			struct error *err);

static int decode_table(struct arena *a, const json *o, const struct spec_table *t, void *base,
			struct error *err);

static int expected(const struct spec_member *m, struct error *err, const char *what)
{
	return err_set_kind(err, -EINVAL, ERR_USAGE, "%s: expected %s", m->key, what);
}

static int get_str(struct arena *a, const json *o, const struct spec_member *m, void *v, struct error *err)
{
	const char *s;
	int r = json_get_str(o, m->key, &s, err);

	if (r > 0)
		*(const char **)v = arena_str(a, s);
	return r;
}

static int get_bool(struct arena *a unused, const json *o, const struct spec_member *m, void *v,
		    struct error *err)
{
	return json_get_bool(o, m->key, v, err);
}

static int get_strv(struct arena *a, const json *o, const struct spec_member *m, void *v, struct error *err)
{
	return json_get_strv(o, m->key, a, v, err);
}

static int get_number(const json *o, const struct spec_member *m, int64_t *ret, struct error *err)
{
	int64_t n;
	int r = json_get_i64(o, m->key, &n, err);

	if (r <= 0)
		return r;
	if (n < m->min || n > m->max)
		return err_set_kind(err, -EINVAL, ERR_USAGE, "%s: expected %lld..%lld", m->key,
				    (long long)m->min, (long long)m->max);
	*ret = n;
	return 1;
}

static int get_u16(struct arena *a unused, const json *o, const struct spec_member *m, void *v,
		   struct error *err)
{
	int64_t n = 0;
	int r = get_number(o, m, &n, err);

	if (r > 0)
		*(uint16_t *)v = (uint16_t)n;
	return r;
}

static int get_u32(struct arena *a unused, const json *o, const struct spec_member *m, void *v,
		   struct error *err)
{
	int64_t n = 0;
	int r = get_number(o, m, &n, err);

	if (r > 0)
		*(uint32_t *)v = (uint32_t)n;
	return r;
}

static int get_i32(struct arena *a unused, const json *o, const struct spec_member *m, void *v,
		   struct error *err)
{
	int64_t n = 0;
	int r = get_number(o, m, &n, err);

	if (r > 0)
		*(int32_t *)v = (int32_t)n;
	return r;
}

static int get_u64(struct arena *a unused, const json *o, const struct spec_member *m, void *v,
		   struct error *err)
{
	int64_t n = 0;
	int r = get_number(o, m, &n, err);

	if (r > 0)
		*(uint64_t *)v = (uint64_t)n;
	return r;
}

/* A number, or -1 for `no_limit`. */
static int get_or_unlimited(const json *o, const struct spec_member *m, uint64_t no_limit, uint64_t *ret,
			    struct error *err)
{
	int64_t n;
	int r = json_get_i64(o, m->key, &n, err);

	if (r <= 0)
		return r;
	if (n < -1)
		return expected(m, err, "a number, or -1 for no limit");
	*ret = n == -1 ? no_limit : (uint64_t)n;
	return 1;
}

static int get_limit(struct arena *a unused, const json *o, const struct spec_member *m, void *v,
		     struct error *err)
{
	return get_or_unlimited(o, m, CG_MAX, v, err);
}

static int get_rlim(struct arena *a unused, const json *o, const struct spec_member *m, void *v,
		    struct error *err)
{
	return get_or_unlimited(o, m, RLIM_INFINITY, v, err);
}

static int get_cpus(struct arena *a unused, const json *o, const struct spec_member *m, void *v,
		    struct error *err)
{
	double n;
	uint32_t milli;
	int r = json_get_num(o, m->key, &n, err);

	if (r <= 0)
		return r;
	if (!(n >= 0 && n <= CPUS_MAX))
		return expected(m, err, "a number of CPUs");
	milli = (uint32_t)(n * 1000 + 0.5);
	/* Rounded to 0 it would mean no limit. */
	if (!milli && n > 0)
		return expected(m, err, "0.001 or more");
	*(uint32_t *)v = milli;
	return 1;
}

static int get_net(struct arena *a unused, const json *o, const struct spec_member *m, void *v,
		   struct error *err)
{
	const char *s;
	int r = json_get_str(o, m->key, &s, err);

	if (r <= 0)
		return r;
	for (enum net_mode mode = NET_NONE; mode <= NET_ROUTED; mode++)
		if (str_eq(s, spec_net_name(mode))) {
			*(enum net_mode *)v = mode;
			return 1;
		}
	return expected(m, err, "routed, none or host");
}

static int get_protocol(struct arena *a unused, const json *o, const struct spec_member *m, void *v,
			struct error *err)
{
	const char *s;
	int r = json_get_str(o, m->key, &s, err);

	if (r <= 0)
		return r;
	if (!str_eq(s, "tcp") && !str_eq(s, "udp"))
		return expected(m, err, "tcp or udp");
	*(uint8_t *)v = str_eq(s, "tcp") ? IPPROTO_TCP : IPPROTO_UDP;
	return 1;
}

static int get_address(struct arena *a unused, const json *o, const struct spec_member *m, void *v,
		       struct error *err)
{
	const char *s;
	int r = json_get_str(o, m->key, &s, err);

	if (r > 0 && parse_ipv4(s, v) < 0)
		return expected(m, err, "an IPv4 address");
	return r;
}

static int get_caps(struct arena *a unused, const json *o, const struct spec_member *m, void *v,
		    struct error *err)
{
	const json *arr;
	uint64_t bits = 0;
	int r = json_get_arr(o, m->key, &arr, err);

	if (r <= 0)
		return r;
	for (size_t i = 0; i < json_len(arr); i++) {
		const char *name = json_str(json_at(arr, i));
		uint64_t bit;

		if (!name)
			return err_set_kind(err, -EINVAL, ERR_USAGE, "%s[%zu]: expected a string", m->key, i);
		if (spec_cap_parse(name, &bit) < 0)
			return err_set_kind(err, -EINVAL, ERR_USAGE,
					    "%s[%zu]: no capability is named \"%.40s\"", m->key, i, name);
		bits |= bit;
	}
	*(uint64_t *)v = bits;
	return 1;
}

static int get_rlimit_name(struct arena *a unused, const json *o, const struct spec_member *m, void *v,
			   struct error *err)
{
	const char *s;
	int r = json_get_str(o, m->key, &s, err);

	if (r > 0 && rlimit_number(s, v) < 0)
		return err_set_kind(err, -EINVAL, ERR_USAGE, "%s: no resource limit is named \"%.40s\"",
				    m->key, s);
	return r;
}

static int get_pairs(struct arena *a, const json *o, const struct spec_member *m, void *v, struct error *err)
{
	ARRAY_OF(struct spec_pair) pairs = { 0 };
	struct spec_vec *vec = v;
	struct json_iter it;
	const json *map;
	int r = json_get_obj(o, m->key, &map, err);

	if (r <= 0)
		return r;
	it = json_iter(map);
	while (json_next(&it)) {
		const char *value = json_str(it.value);

		if (!value)
			return err_set_kind(err, -EINVAL, ERR_USAGE, "%s.%.64s: expected a string", m->key,
					    it.key);
		*arena_push(a, &pairs) =
			(struct spec_pair){ .key = arena_str(a, it.key), .value = arena_str(a, value) };
	}
	*vec = (struct spec_vec){ pairs.v, pairs.n };
	return 1;
}

/* Put "ports[1]." before the error of an element's member. */
static int in_element(const struct spec_member *m, size_t i, struct error *err)
{
	struct error inner;

	if (!err)
		return -EINVAL;
	inner = *err;
	return err_set_kind(err, -EINVAL, ERR_USAGE, "%s[%zu].%s", m->key, i, inner.text);
}

static int get_array(struct arena *a, const json *o, const struct spec_member *m, void *v, struct error *err)
{
	const struct spec_table *t = m->table;
	const json *arr;
	struct spec_vec vec = { 0 };
	int r = json_get_arr(o, m->key, &arr, err);

	if (r <= 0)
		return r;
	for (size_t i = 0; i < json_len(arr); i++) {
		const json *element = json_at(arr, i);

		if (json_kind_of(element) != JSON_OBJECT)
			return err_set_kind(err, -EINVAL, ERR_USAGE, "%s[%zu]: expected an object", m->key,
					    i);
		vec.v = arena_grow(a, vec.v, vec.n, t->size);
		if (decode_table(a, element, t, (char *)vec.v + vec.n++ * t->size, err) < 0)
			return in_element(m, i, err);
	}
	*(struct spec_vec *)v = vec;
	return 1;
}

static int get_restart(struct arena *a unused, const json *o, const struct spec_member *m, void *v unused,
		       struct error *err)
{
	const char *s;
	int r = json_get_str(o, m->key, &s, err);

	return r > 0 && !str_eq(s, "no") ? expected(m, err, "no") : r;
}

static const spec_get getters[SPEC_KINDS] = {
	[SPEC_STR] = get_str,	      [SPEC_BOOL] = get_bool,	[SPEC_STRV] = get_strv,
	[SPEC_U16] = get_u16,	      [SPEC_U32] = get_u32,	[SPEC_I32] = get_i32,
	[SPEC_U64] = get_u64,	      [SPEC_LIMIT] = get_limit, [SPEC_RLIM] = get_rlim,
	[SPEC_CPUS] = get_cpus,	      [SPEC_NET] = get_net,	[SPEC_PROTOCOL] = get_protocol,
	[SPEC_ADDRESS] = get_address, [SPEC_CAPS] = get_caps,	[SPEC_RLIMIT_NAME] = get_rlimit_name,
	[SPEC_PAIRS] = get_pairs,     [SPEC_ARRAY] = get_array, [SPEC_RESTART] = get_restart,
};

static int refuse_strangers(const json *o, const struct spec_table *t, struct error *err)
{
	struct json_iter it = json_iter(o);

	while (json_next(&it)) {
		size_t i = 0;

		while (i < t->n && !str_eq(t->members[i].key, it.key))
			i++;
		if (i == t->n)
			return err_set_kind(err, -EINVAL, ERR_USAGE, "%.64s: no such member", it.key);
	}
	return 0;
}

/* Members of the object `o` into the struct at `base`, set to its defaults first. */
static int decode_table(struct arena *a, const json *o, const struct spec_table *t, void *base,
			struct error *err)
{
	uint32_t given = 0;
	int r = refuse_strangers(o, t, err);

	if (r < 0)
		return r;
	if (t->defaults)
		memcpy(base, t->defaults, t->size);
	for (size_t i = 0; i < t->n; i++) {
		const struct spec_member *m = &t->members[i];

		r = getters[m->kind](a, o, m, (char *)base + m->offset, err);
		if (r < 0)
			return r;
		if (r > 0)
			given |= m->given;
		else if (m->required)
			return err_set_kind(err, -EINVAL, ERR_USAGE, "%s: missing", m->key);
	}
	if (t == &spec_table)
		((struct spec *)base)->given = given;
	return 0;
}

int spec_decode(const json *j, struct spec *ret, struct error *err)
{
	struct arena arena = { 0 };
	struct spec s;
	int r;

	if (json_kind_of(j) != JSON_OBJECT)
		return err_set_kind(err, -EINVAL, ERR_USAGE, "expected an object");
	r = decode_table(&arena, j, &spec_table, &s, err);
	if (r < 0) {
		arena_done(&arena);
		return r;
	}
	s.arena = arena;
	if (!(s.given & SPEC_GIVEN_NO_NEW_PRIVS))
		s.no_new_privs = !s.image_init;
	*ret = s;
	return 0;
}

void spec_done(struct spec *s)
{
	arena_done(&s->arena);
	*s = SPEC_DEFAULTS;
}
