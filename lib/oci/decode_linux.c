/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The "linux" section, but for what has a file of its own. */
#include <ctype.h>
#include <linux/mempolicy.h>
#include <net/if.h>
#include <sched.h>
#include <string.h>
#include <sys/personality.h>
#include "lib/base/path.h"
#include "lib/oci/oci_internal.h"

#define SYSCTL_NAME_MAX 255
#define MPOL_WEIGHTED_INTERLEAVE_ 6

const struct oci_word oci_mempolicy_modes[] = {
	{ "MPOL_BIND", MPOL_BIND },
	{ "MPOL_DEFAULT", MPOL_DEFAULT },
	{ "MPOL_INTERLEAVE", MPOL_INTERLEAVE },
	{ "MPOL_LOCAL", MPOL_LOCAL },
	{ "MPOL_PREFERRED", MPOL_PREFERRED },
	{ "MPOL_PREFERRED_MANY", MPOL_PREFERRED_MANY },
	{ "MPOL_WEIGHTED_INTERLEAVE", MPOL_WEIGHTED_INTERLEAVE_ },
	{ NULL, 0 },
};

const struct oci_word oci_mempolicy_flags[] = {
	{ "MPOL_F_NUMA_BALANCING", MPOL_F_NUMA_BALANCING },
	{ "MPOL_F_RELATIVE_NODES", MPOL_F_RELATIVE_NODES },
	{ "MPOL_F_STATIC_NODES", MPOL_F_STATIC_NODES },
	{ NULL, 0 },
};

static const struct oci_word personalities[] = {
	{ "LINUX", PER_LINUX },
	{ "LINUX32", PER_LINUX32 },
	{ NULL, 0 },
};

/* Where the first separator is a slash, slashes separate: sysctl.d(5). */
static char *dotted(struct arena *a, const char *name)
{
	char *s = arena_str(a, name);

	if (s[strcspn(s, "./")] != '/')
		return s;
	for (char *p = s; *p; p++)
		*p = *p == '/' ? '.' : *p == '.' ? '/' : *p;
	return s;
}

/* Words between single separators. Whether it is a setting of the container's own is for those to say who
 * write it. */
static bool is_sysctl_name(const char *name)
{
	bool in_word = false;

	if (strlen(name) > SYSCTL_NAME_MAX)
		return false;
	for (; *name; name++) {
		bool word = isalnum((unsigned char)*name) || *name == '_' || *name == '-';

		if (!word && ((*name != '.' && *name != '/') || !in_word))
			return false;
		in_word = word;
	}
	return in_word;
}

static int decode_sysctl(const char *name, const json *value, void *ctx, struct error *err)
{
	struct oci_config *c = ctx;
	const char *text = json_str(value);

	if (!is_sysctl_name(name))
		return oci_bad(err, "%.64s: no name of a kernel setting", name);
	if (!text)
		return oci_bad(err, "%.64s: expected a string", name);
	*arena_push(&c->arena, &c->sandbox.sysctls) = (struct sandbox_sysctl){
		.name = dotted(&c->arena, name),
		.value = arena_str(&c->arena, text),
	};
	return 0;
}

static bool is_interface_name(const char *s)
{
	size_t n = strlen(s);

	if (!n || n >= IFNAMSIZ || str_eq(s, ".") || str_eq(s, ".."))
		return false;
	for (; *s; s++)
		if (*s == '/' || *s == ':' || isspace((unsigned char)*s) || (unsigned char)*s < 0x20)
			return false;
	return true;
}

static int decode_netdev(const char *name, const json *value, void *ctx, struct error *err)
{
	struct oci_config *c = ctx;
	struct oci_netdev dev = { 0 };
	int r;

	if (!is_interface_name(name))
		return oci_bad(err, "%.32s: no name of a network device", name);
	if (json_kind_of(value) != JSON_OBJECT)
		return oci_bad(err, "%s: expected an object", name);
	r = oci_get_str(value, "name", &c->arena, &dev.rename, err);
	if (r < 0)
		return oci_within(err, "%s.", name);
	if (r && !is_interface_name(dev.rename))
		return oci_bad(err, "%s.name: \"%.32s\" is no name of a network device", name, dev.rename);
	dev.name = arena_str(&c->arena, name);
	*arena_push(&c->arena, &c->netdevs) = dev;
	return 0;
}

static int decode_netdevs(const json *section, struct oci_config *c, struct error *err)
{
	int r = oci_each_member(section, "netDevices", decode_netdev, c, err);

	if (r > 0 && !oci_has_ns(&c->sandbox, CLONE_NEWNET))
		return oci_bad(err, "netDevices: the container has no network namespace");
	return r < 0 ? r : 0;
}

static int decode_paths(const json *section, const char *key, struct oci_config *c, struct strv *ret,
			struct error *err)
{
	int r = json_get_strv(section, key, &c->arena, ret, err);

	if (r < 0)
		return r;
	if (ret->n && !oci_has_ns(&c->sandbox, CLONE_NEWNS))
		return oci_bad(err, "%s: the container has no mount namespace", key);
	for (size_t i = 0; i < ret->n; i++) {
		char plain[4096];

		if (!path_is_absolute(ret->v[i]))
			return oci_bad(err, "%s[%zu]: \"%.80s\" is not an absolute path", key, i, ret->v[i]);
		if (path_normalize(ret->v[i], plain) < 0)
			return oci_bad(err, "%s[%zu]: \"%.80s\" leaves the root, or is too long", key, i,
				       ret->v[i]);
	}
	return 0;
}

static int decode_rdt_members(const json *o, struct oci_config *c, struct error *err)
{
	static const char *const monitors[] = { "enableMonitoring", "enableCMT", "enableMBM" };
	struct oci_rdt *rdt = &c->rdt;
	int r;

	for (size_t i = 0; i < ARRAY_SIZE(monitors); i++) {
		bool on = false;

		r = json_get_bool(o, monitors[i], &on, err);
		if (r < 0)
			return r;
		rdt->monitoring = rdt->monitoring || on;
	}
	if ((r = oci_get_str(o, "closID", &c->arena, &rdt->clos_id, err)) < 0 ||
	    (r = oci_get_str(o, "l3CacheSchema", &c->arena, &rdt->l3, err)) < 0 ||
	    (r = oci_get_str(o, "memBwSchema", &c->arena, &rdt->mem_bw, err)) < 0 ||
	    (r = json_get_strv(o, "schemata", &c->arena, &rdt->schemata, err)) < 0)
		return r;
	/* "/": the class that all others are in. */
	if (rdt->clos_id && !str_eq(rdt->clos_id, "/") &&
	    (str_eq(rdt->clos_id, ".") || str_eq(rdt->clos_id, "..") || strpbrk(rdt->clos_id, "/\n")))
		return oci_bad(err, "closID: \"%.64s\" is no name of a folder", rdt->clos_id);
	rdt->set = true;
	return 0;
}

static int decode_rdt(const json *section, struct oci_config *c, struct error *err)
{
	const json *o = NULL;
	int r = json_get_obj(section, "intelRdt", &o, err);

	if (r <= 0)
		return r;
	r = decode_rdt_members(o, c, err);
	return r < 0 ? oci_within(err, "intelRdt.") : 0;
}

static int decode_personality(const json *section, struct oci_config *c, struct error *err)
{
	const json *o = NULL, *flags = NULL;
	int r = json_get_obj(section, "personality", &o, err);

	if (r <= 0)
		return r;
	r = oci_get_word(o, "domain", personalities, &c->sandbox.personality, err);
	if (r == 0)
		r = oci_bad(err, "domain: missing");
	if (r > 0)
		r = json_get_arr(o, "flags", &flags, err);
	if (r < 0)
		return oci_within(err, "personality.");
	if (json_len(flags))
		strv_push(&c->arena, &c->warnings, "linux.personality.flags: none is defined, ignored");
	c->sandbox.set_personality = true;
	return 0;
}

static int check_mempolicy(uint64_t mode, uint64_t flags, const char *nodes, struct error *err)
{
	if (flags & MPOL_F_STATIC_NODES && flags & MPOL_F_RELATIVE_NODES)
		return oci_bad(err,
			       "flags: MPOL_F_STATIC_NODES and MPOL_F_RELATIVE_NODES exclude each other");
	if ((mode == MPOL_DEFAULT || mode == MPOL_LOCAL) && nodes)
		return oci_bad(err, "nodes: none for this mode");
	if (mode != MPOL_DEFAULT && mode != MPOL_LOCAL && mode != MPOL_PREFERRED && !nodes)
		return oci_bad(err, "nodes: missing");
	return 0;
}

static int decode_mempolicy_members(const json *o, struct oci_config *c, struct error *err)
{
	uint64_t mode = 0, flags = 0;
	const char *nodes = NULL;
	int r = oci_get_word(o, "mode", oci_mempolicy_modes, &mode, err);

	if (r < 0)
		return r;
	if (!r)
		return oci_bad(err, "mode: missing");
	if ((r = oci_get_list(o, "nodes", &c->arena, &nodes, err)) < 0 ||
	    (r = oci_get_flags(o, "flags", oci_mempolicy_flags, &flags, err)) < 0 ||
	    (r = check_mempolicy(mode, flags, nodes, err)) < 0)
		return r;
	c->sandbox.mempolicy = (uint32_t)(mode | flags);
	c->sandbox.mempolicy_nodes = nodes;
	return 0;
}

static int decode_mempolicy(const json *section, struct oci_config *c, struct error *err)
{
	const json *o = NULL;
	int r = json_get_obj(section, "memoryPolicy", &o, err);

	if (r <= 0)
		return r;
	r = decode_mempolicy_members(o, c, err);
	return r < 0 ? oci_within(err, "memoryPolicy.") : 0;
}

static int decode_plain(const json *section, struct oci_config *c, struct error *err)
{
	int r;

	if ((r = oci_each_member(section, "sysctl", decode_sysctl, c, err)) < 0 ||
	    (r = oci_get_str(section, "cgroupsPath", &c->arena, &c->cgroups_path, err)) < 0 ||
	    (r = oci_get_word(section, "rootfsPropagation", oci_propagations, &c->rootfs.propagation, err)) <
		    0 ||
	    (r = oci_get_str(section, "mountLabel", &c->arena, &c->rootfs.mount_label, err)) < 0 ||
	    (r = decode_paths(section, "maskedPaths", c, &c->rootfs.masked, err)) < 0 ||
	    (r = decode_paths(section, "readonlyPaths", c, &c->rootfs.readonly_paths, err)) < 0)
		return r;
	return 0;
}

int oci_linux_decode(const json *section, struct oci_decode *d, struct error *err)
{
	static int (*const parts[])(const json *, struct oci_config *, struct error *) = {
		decode_plain, decode_netdevs, decode_rdt, decode_personality, decode_mempolicy,
	};
	int r;

	if ((r = oci_namespaces_decode(section, d, err)) < 0 ||
	    (r = oci_devices_decode(section, d, err)) < 0 || (r = oci_seccomp_decode(section, d, err)) < 0)
		return r;
	for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
		r = parts[i](section, d->c, err);
		if (r < 0)
			return r;
	}
	return 0;
}
