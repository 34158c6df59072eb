/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Namespaces, and what belongs to the user and time namespaces. */
#include <sched.h>
#include "lib/oci/oci_internal.h"

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x00000080
#endif

#define NS_PER_S INT64_C(1000000000)

/* In alphabetical order. */
const struct oci_word oci_namespaces[] = {
	{ "cgroup", CLONE_NEWCGROUP }, { "ipc", CLONE_NEWIPC }, { "mount", CLONE_NEWNS },
	{ "network", CLONE_NEWNET },   { "pid", CLONE_NEWPID }, { "time", CLONE_NEWTIME },
	{ "user", CLONE_NEWUSER },     { "uts", CLONE_NEWUTS }, { NULL, 0 },
};

bool oci_has_ns(const struct sandbox_config *s, uint32_t ns)
{
	for (size_t i = 0; i < s->joins.n; i++)
		if (s->joins.v[i].ns == ns)
			return true;
	return s->namespaces & ns;
}

static int decode_namespace(const json *item, void *ctx, struct error *err)
{
	struct oci_config *c = ctx;
	const char *path = NULL;
	uint64_t ns = 0;
	int r = oci_get_word(item, "type", oci_namespaces, &ns, err);

	if (r < 0)
		return r;
	if (!r)
		return oci_bad(err, "type: missing");
	if (oci_has_ns(&c->sandbox, (uint32_t)ns))
		return oci_bad(err, "type: the namespace is there twice");
	r = oci_get_abs(item, "path", &c->arena, &path, err);
	if (r < 0)
		return r;
	if (path)
		*arena_push(&c->arena, &c->sandbox.joins) =
			(struct sandbox_join){ .ns = (uint32_t)ns, .path = path };
	else
		c->sandbox.namespaces |= ns;
	return 0;
}

static int check_root(const struct oci_maps *m, const char *key, struct error *err)
{
	uint32_t outside;

	if (!m->n)
		return oci_bad(err, "%s: missing, the container has a user namespace of its own", key);
	if (oci_maps_find(m->v, m->n, 0, &outside) < 0)
		return oci_bad(err, "%s: id 0 of the container is not mapped", key);
	return 0;
}

static int check_maps(const struct sandbox_config *s, const struct oci_maps *uids,
		      const struct oci_maps *gids, struct error *err)
{
	int r;

	if (!oci_has_ns(s, CLONE_NEWUSER) && (uids->n || gids->n))
		return oci_bad(err, "%s: the container has no user namespace",
			       uids->n ? "uidMappings" : "gidMappings");
	if (!(s->namespaces & CLONE_NEWUSER))
		return 0;
	r = check_root(uids, "uidMappings", err);
	return r < 0 ? r : check_root(gids, "gidMappings", err);
}

/* Beside a user namespace that is joined maps may stand, as containerd and CRI-O write them: they are that
 * namespace's own. */
static int decode_maps(const json *section, struct oci_config *c, struct error *err)
{
	struct sandbox_config *s = &c->sandbox;
	struct oci_maps uids = { 0 }, gids = { 0 };
	uint32_t base = 0;
	int r;

	if ((r = oci_maps_decode(section, "uidMappings", &c->arena, &uids, err)) < 0 ||
	    (r = oci_maps_decode(section, "gidMappings", &c->arena, &gids, err)) < 0 ||
	    (r = check_maps(s, &uids, &gids, err)) < 0)
		return r;
	s->uid_maps.v = uids.v;
	s->uid_maps.n = uids.n;
	s->gid_maps.v = gids.v;
	s->gid_maps.n = gids.n;
	if (!(s->namespaces & CLONE_NEWUSER))
		return 0;
	(void)oci_maps_find(uids.v, uids.n, 0, &base);
	c->rootfs.id_base = base;
	c->rootfs.id_count = 0;
	for (size_t i = 0; i < uids.n; i++)
		c->rootfs.id_count += uids.v[i].count;
	return 0;
}

static int decode_offset(const char *name, const json *value, void *ctx, struct error *err)
{
	struct sandbox_config *s = ctx;
	bool boot = str_eq(name, "boottime");
	int64_t seconds = 0, rest = 0, ns = 0;
	int r;

	if (!boot && !str_eq(name, "monotonic"))
		return oci_bad(err, "%.40s: no clock that can be set off", name);
	if (json_kind_of(value) != JSON_OBJECT)
		return oci_bad(err, "%s: expected an object", name);
	if ((r = json_get_i64(value, "secs", &seconds, err)) < 0 ||
	    (r = oci_get_range(value, "nanosecs", 0, NS_PER_S - 1, &rest, err)) < 0)
		return oci_within(err, "%s.", name);
	if (__builtin_mul_overflow(seconds, NS_PER_S, &ns) || __builtin_add_overflow(ns, rest, &ns))
		return oci_bad(err, "%s.secs: more than a clock can be set off", name);
	*(boot ? &s->time_boot_ns : &s->time_mono_ns) = ns;
	return 0;
}

static int decode_offsets(const json *section, struct oci_config *c, struct error *err)
{
	int r = oci_each_member(section, "timeOffsets", decode_offset, &c->sandbox, err);

	if (r > 0 && !(c->sandbox.namespaces & CLONE_NEWTIME))
		return oci_bad(err, "timeOffsets: the container has no time namespace of its own");
	return r < 0 ? r : 0;
}

int oci_namespaces_decode(const json *section, struct oci_decode *d, struct error *err)
{
	int r = oci_each(section, "namespaces", decode_namespace, d->c, err);

	if (r >= 0)
		r = decode_maps(section, d->c, err);
	return r < 0 ? r : decode_offsets(section, d->c, err);
}
