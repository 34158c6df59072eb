/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <arpa/inet.h>
#include <string.h>
#include <sys/resource.h>
#include "lib/base/rlimits.h"
#include "lib/spec/internal.h"

/* Adds the value at `v` to `o`. */
typedef void (*spec_put)(json *o, const struct spec_member *m, const void *v);

static json *encode_table(const struct spec_table *t, const void *base);

static void put_str(json *o, const struct spec_member *m, const void *v)
{
	json_add_str(o, m->key, *(const char *const *)v);
}

static void put_bool(json *o, const struct spec_member *m, const void *v)
{
	json_add_bool(o, m->key, *(const bool *)v);
}

static void put_strv(json *o, const struct spec_member *m, const void *v)
{
	json_add_strv(o, m->key, v);
}

static void put_u16(json *o, const struct spec_member *m, const void *v)
{
	json_add_u64(o, m->key, *(const uint16_t *)v);
}

static void put_u32(json *o, const struct spec_member *m, const void *v)
{
	json_add_u64(o, m->key, *(const uint32_t *)v);
}

static void put_i32(json *o, const struct spec_member *m, const void *v)
{
	json_add_i64(o, m->key, *(const int32_t *)v);
}

static void put_u64(json *o, const struct spec_member *m, const void *v)
{
	json_add_u64(o, m->key, *(const uint64_t *)v);
}

static void put_limit(json *o, const struct spec_member *m, const void *v)
{
	uint64_t n = *(const uint64_t *)v;

	json_add_i64(o, m->key, n == CG_MAX ? -1 : (int64_t)n);
}

static void put_rlim(json *o, const struct spec_member *m, const void *v)
{
	uint64_t n = *(const uint64_t *)v;

	json_add_i64(o, m->key, n == RLIM_INFINITY ? -1 : (int64_t)n);
}

static void put_cpus(json *o, const struct spec_member *m, const void *v)
{
	json_add(o, m->key, json_new_num(*(const uint32_t *)v / 1000.0));
}

static void put_net(json *o, const struct spec_member *m, const void *v)
{
	json_add_str(o, m->key, spec_net_name(*(const enum net_mode *)v));
}

static void put_protocol(json *o, const struct spec_member *m, const void *v)
{
	json_add_str(o, m->key, *(const uint8_t *)v == IPPROTO_UDP ? "udp" : "tcp");
}

static void put_address(json *o, const struct spec_member *m, const void *v)
{
	char text[INET_ADDRSTRLEN];

	json_add_str(o, m->key, inet_ntop(AF_INET, v, text, sizeof(text)));
}

static void put_caps(json *o, const struct spec_member *m, const void *v)
{
	uint64_t bits = *(const uint64_t *)v;
	json *arr = json_new_arr();

	if (bits == SPEC_CAPS_ALL)
		json_push(arr, json_new_str("ALL"));
	for (unsigned i = 0; bits != SPEC_CAPS_ALL && spec_cap_name(i); i++)
		if (bits & UINT64_C(1) << i)
			json_push(arr, json_new_str(spec_cap_name(i)));
	json_add(o, m->key, arr);
}

static void put_rlimit_name(json *o, const struct spec_member *m, const void *v)
{
	json_add_str(o, m->key, rlimit_name(*(const uint32_t *)v));
}

static void put_pairs(json *o, const struct spec_member *m, const void *v)
{
	const struct spec_vec *vec = v;
	const struct spec_pair *pairs = vec->v;
	json *map = json_new_obj();

	for (size_t i = 0; i < vec->n; i++)
		json_add_str(map, pairs[i].key, pairs[i].value);
	json_add(o, m->key, map);
}

static void put_array(json *o, const struct spec_member *m, const void *v)
{
	const struct spec_vec *vec = v;
	json *arr = json_new_arr();

	for (size_t i = 0; i < vec->n; i++)
		json_push(arr, encode_table(m->table, (const char *)vec->v + i * m->table->size));
	json_add(o, m->key, arr);
}

static void put_nothing(json *o unused, const struct spec_member *m unused, const void *v unused)
{
}

static const struct {
	spec_put put;
	size_t size; /* bytes that are all equal to the default's when there is nothing to say */
} putters[SPEC_KINDS] = {
	[SPEC_STR] = { put_str, sizeof(const char *) },
	[SPEC_BOOL] = { put_bool, sizeof(bool) },
	[SPEC_STRV] = { put_strv, sizeof(struct strv) },
	[SPEC_U16] = { put_u16, sizeof(uint16_t) },
	[SPEC_U32] = { put_u32, sizeof(uint32_t) },
	[SPEC_I32] = { put_i32, sizeof(int32_t) },
	[SPEC_U64] = { put_u64, sizeof(uint64_t) },
	[SPEC_LIMIT] = { put_limit, sizeof(uint64_t) },
	[SPEC_RLIM] = { put_rlim, sizeof(uint64_t) },
	[SPEC_CPUS] = { put_cpus, sizeof(uint32_t) },
	[SPEC_NET] = { put_net, sizeof(enum net_mode) },
	[SPEC_PROTOCOL] = { put_protocol, sizeof(uint8_t) },
	[SPEC_ADDRESS] = { put_address, sizeof(struct in_addr) },
	[SPEC_CAPS] = { put_caps, sizeof(uint64_t) },
	[SPEC_RLIMIT_NAME] = { put_rlimit_name, sizeof(uint32_t) },
	[SPEC_PAIRS] = { put_pairs, sizeof(struct spec_vec) },
	[SPEC_ARRAY] = { put_array, sizeof(struct spec_vec) },
	[SPEC_RESTART] = { put_nothing, 0 },
};

static bool is_default(const struct spec_table *t, const struct spec_member *m, const void *v)
{
	static const unsigned char zeros[sizeof(struct spec_vec)];
	const void *dflt = t->defaults ? (const char *)t->defaults + m->offset : (const char *)zeros;

	return memcmp(v, dflt, putters[m->kind].size) == 0;
}

static json *encode_table(const struct spec_table *t, const void *base)
{
	json *o = json_new_obj();

	for (size_t i = 0; i < t->n; i++) {
		const struct spec_member *m = &t->members[i];
		const void *v = (const char *)base + m->offset;

		/* Members with a `given` bit are left to spec_encode, which sees the bit. */
		if (!m->given && (m->required || !is_default(t, m, v)))
			putters[m->kind].put(o, m, v);
	}
	return o;
}

json *spec_encode(const struct spec *s)
{
	json *o = encode_table(&spec_table, s);

	if (s->given & SPEC_GIVEN_IMAGE_INIT || s->image_init)
		json_add_bool(o, "imageInit", s->image_init);
	if (s->given & SPEC_GIVEN_NO_NEW_PRIVS || s->no_new_privs != !s->image_init)
		json_add_bool(o, "noNewPrivs", s->no_new_privs);
	return o;
}
