/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <ctype.h>
#include <limits.h>
#include <sched.h>
#include <string.h>
#include <sys/mount.h>
#include "lib/base/path.h"
#include "lib/oci/oci_internal.h"

#define MAJOR 1
#define HOSTNAME_MAX 64 /* uname(2) */

/* "0" or a number without leading zero at *s, which is left behind it. */
static bool skip_number(const char **s, unsigned long *ret)
{
	char *end;

	if (!isdigit((unsigned char)**s) || (**s == '0' && isdigit((unsigned char)(*s)[1])))
		return false;
	*ret = strtoul(*s, &end, 10);
	*s = end;
	return true;
}

/* "-rc.1+build": dots between words of [0-9A-Za-z-]. */
static bool is_suffix(const char *s)
{
	if (!*s)
		return true;
	if (*s != '-' && *s != '+')
		return false;
	for (const char *p = s + 1; *p; p++)
		if (!isalnum((unsigned char)*p) && !strchr("-.+", *p))
			return false;
	return s[1];
}

static int decode_version(const json *j, struct oci_decode *d, struct error *err)
{
	unsigned long part[3] = { 0 };
	const char *s;
	int r = oci_get_str(j, "ociVersion", &d->c->arena, &d->c->version, err);

	if (r < 0)
		return r;
	if (!r)
		return oci_bad(err, "ociVersion: missing");
	s = d->c->version;
	for (size_t i = 0; i < ARRAY_SIZE(part); i++) {
		if (!skip_number(&s, &part[i]) || (i < 2 && *s++ != '.'))
			return oci_bad(err, "ociVersion: \"%.40s\" is no version", d->c->version);
	}
	if (!is_suffix(s))
		return oci_bad(err, "ociVersion: \"%.40s\" is no version", d->c->version);
	/* A later minor one is what newer engines write for whatever is in it; members that are not known are ignored (config.md,
	 * "Extensibility"). */
	if (part[0] != MAJOR)
		return oci_bad(err, "ociVersion: %.40s is not one of %d.x", d->c->version, MAJOR);
	return 0;
}

static int decode_root_path(const json *root, struct oci_decode *d, struct error *err)
{
	struct oci_config *c = d->c;
	const char *path = NULL, *below = NULL;
	char plain[4096];
	int r = json_get_str(root, "path", &path, err);

	if (r < 0)
		return r;
	if (str_is_empty(path))
		return oci_bad(err, "path: missing");
	if (oci_below(d->in->bundle, path, &c->arena, &below) < 0 || path_normalize(below, plain) < 0)
		return oci_bad(err, "path: \"%.80s\" is no path below the bundle, or is too long", path);
	strv_push(&c->arena, &c->rootfs.lower, plain);
	return json_get_bool(root, "readonly", &c->rootfs.readonly, err);
}

static int decode_root(const json *j, struct oci_decode *d, struct error *err)
{
	const json *root = NULL;
	int r = json_get_obj(j, "root", &root, err);

	if (r < 0)
		return r;
	if (!r)
		return oci_bad(err, "root: missing");
	r = decode_root_path(root, d, err);
	return r < 0 ? oci_within(err, "root.") : 0;
}

static int decode_process(const json *j, struct oci_decode *d, struct error *err)
{
	struct oci_config *c = d->c;
	const json *process = NULL;
	int r = json_get_obj(j, "process", &process, err);

	if (r <= 0)
		return r;
	r = oci_process_decode(process, &c->arena, &c->process, &c->sandbox, &c->terminal, &c->warnings, err);
	if (r < 0)
		return r;
	c->has_process = true;
	c->rootfs.console = c->terminal;
	return 0;
}

static int decode_annotation(const char *name, const json *value, void *ctx, struct error *err)
{
	struct oci_config *c = ctx;

	if (!json_str(value))
		return oci_bad(err, "%.64s: expected a string", name);
	if (!*name)
		return oci_bad(err, "\"\": a name must not be empty");
	*arena_push(&c->arena, &c->annotations) =
		(struct oci_pair){ arena_str(&c->arena, name), arena_str(&c->arena, json_str(value)) };
	return 0;
}

static int decode_annotations(const json *j, struct oci_decode *d, struct error *err)
{
	int r = oci_each_member(j, "annotations", decode_annotation, d->c, err);

	return r < 0 ? r : 0;
}

/* The path in errors of resources is whole already. */
static int decode_linux(const json *j, struct oci_decode *d, struct error *err)
{
	auto_json json *empty = json_new_obj();
	const json *section = empty, *resources = NULL;
	int r = json_get_obj(j, "linux", &section, err);

	if (r < 0)
		return r;
	r = oci_linux_decode(section, d, err);
	if (r == 0)
		r = json_get_obj(section, "resources", &resources, err);
	if (r < 0)
		return oci_within(err, "linux.");
	return oci_resources_decode(resources, &d->c->arena, &d->c->cgroup, err);
}

static int decode_uts_name(const json *j, const char *key, struct oci_config *c, const char **ret,
			   struct error *err)
{
	int r = oci_get_str(j, key, &c->arena, ret, err);

	if (r <= 0)
		return r;
	if (strlen(*ret) > HOSTNAME_MAX)
		return oci_bad(err, "%s: longer than %d bytes", key, HOSTNAME_MAX);
	if (!oci_has_ns(&c->sandbox, CLONE_NEWUTS))
		return oci_bad(err, "%s: the container has no uts namespace", key);
	return 0;
}

static int decode_names(const json *j, struct oci_decode *d, struct error *err)
{
	int r = decode_uts_name(j, "hostname", d->c, &d->c->sandbox.hostname, err);

	return r < 0 ? r : decode_uts_name(j, "domainname", d->c, &d->c->sandbox.domainname, err);
}

/* Without maps of its own such a mount is mapped as the container is. */
static int check_idmaps(const json *j unused, struct oci_decode *d, struct error *err)
{
	for (size_t i = 0; i < d->c->rootfs.mounts.n; i++) {
		const struct mount_item *m = &d->c->rootfs.mounts.v[i];

		if (m->idmap && !m->uid_maps.n && !oci_has_ns(&d->c->sandbox, CLONE_NEWUSER))
			return oci_bad(err,
				       "mounts[%zu].options: %s without uidMappings, and no user namespace",
				       i, m->idmap_tree ? "ridmap" : "idmap");
	}
	return 0;
}

static bool has_writable_cgroup(const struct rootfs_config *r)
{
	char plain[4096];

	for (size_t i = 0; i < r->mounts.n; i++) {
		const struct mount_item *m = &r->mounts.v[i];

		if (m->kind == MOUNT_FS && str_eq(m->fstype, "cgroup2") && !(m->flags & MS_RDONLY) &&
		    path_normalize(m->target, plain) == 0 && str_eq(plain, "/sys/fs/cgroup"))
			return true;
	}
	return false;
}

/* What an id of the container is outside, as far as the configuration says it. */
static int outside_id(const struct sandbox_config *s, const struct id_map *v, size_t n, uint32_t *id)
{
	if (!oci_has_ns(s, CLONE_NEWUSER))
		return 0;
	return oci_maps_find(v, n, *id, id);
}

/* With a cgroup namespace of its own and cgroupfs mounted writable, the program makes cgroups below. */
static int decode_delegation(const json *j unused, struct oci_decode *d, struct error *err unused)
{
	const struct sandbox_config *s = &d->c->sandbox;
	uint32_t uid = 0, gid = 0;

	if (d->in->rootless || !(s->namespaces & CLONE_NEWCGROUP) || !has_writable_cgroup(&d->c->rootfs))
		return 0;
	if (d->c->has_process) {
		char *end;

		uid = (uint32_t)strtoul(d->c->process.user, &end, 10);
		gid = (uint32_t)strtoul(end + 1, NULL, 10);
	}
	if (outside_id(s, s->uid_maps.v, s->uid_maps.n, &uid) < 0 ||
	    outside_id(s, s->gid_maps.v, s->gid_maps.n, &gid) < 0)
		return 0;
	d->c->cgroup.delegate = true;
	d->c->cgroup.owner_uid = uid;
	d->c->cgroup.owner_gid = gid;
	return 0;
}

/* In this order: namespaces are in "linux", devices depend on the mounts. */
static int (*const parts[])(const json *, struct oci_decode *, struct error *) = {
	decode_version, decode_root,	    oci_mounts_decode, decode_process, oci_hooks_decode,
	decode_linux,	decode_annotations, decode_names,      check_idmaps,   decode_delegation,
};

static struct oci_config defaults(void)
{
	struct oci_config c = { 0 };

	c.cgroup.limits = CG_LIMITS_NONE;
	c.rootfs.plain = true;
	c.rootfs.id_count = UINT32_MAX;
	c.sandbox.any_ids = true;
	c.sandbox.new_keyring = true;
	c.sandbox.oom_score_adj = INT32_MIN;
	return c;
}

int oci_config_decode(const json *j, const struct oci_input *in, struct oci_config *ret, struct error *err)
{
	struct oci_config c = defaults();
	struct oci_decode d = { .in = in, .c = &c };
	int r = 0;

	if (json_kind_of(j) != JSON_OBJECT)
		return oci_bad(err, "the configuration: expected an object");
	c.bundle = arena_str(&c.arena, in->bundle);
	for (size_t i = 0; i < ARRAY_SIZE(parts) && r >= 0; i++)
		r = parts[i](j, &d, err);
	if (r < 0) {
		arena_done(&c.arena);
		return r;
	}
	*ret = c;
	return 0;
}

void oci_config_done(struct oci_config *c)
{
	arena_done(&c->arena);
	*c = (struct oci_config){ 0 };
}
