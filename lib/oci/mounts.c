/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <limits.h>
#include <string.h>
#include <sys/mount.h>
#include "lib/base/path.h"
#include "lib/oci/oci_internal.h"

#ifndef MS_NOSYMFOLLOW
#define MS_NOSYMFOLLOW 256
#endif
#ifndef MOUNT_ATTR_NOSYMFOLLOW
#define MOUNT_ATTR_NOSYMFOLLOW 0x00200000
#endif

#define PROPAGATION (MS_SHARED | MS_SLAVE | MS_PRIVATE | MS_UNBINDABLE)

const struct oci_word oci_propagations[] = {
	{ "private", MS_PRIVATE },
	{ "rprivate", MS_PRIVATE | MS_REC },
	{ "rshared", MS_SHARED | MS_REC },
	{ "rslave", MS_SLAVE | MS_REC },
	{ "runbindable", MS_UNBINDABLE | MS_REC },
	{ "shared", MS_SHARED },
	{ "slave", MS_SLAVE },
	{ "unbindable", MS_UNBINDABLE },
	{ NULL, 0 },
};

enum option_kind { SET, CLEAR, PROPAGATE, REC_SET, REC_CLEAR, REC_ATIME, COPY_UP, IDMAP, IDMAP_TREE };
/* The table "Linux mount options" of runtime-spec config.md, in alphabetical order. */
static const struct mount_option {
	const char *name;
	enum option_kind kind;
	uint64_t flag;
} options[] = {
	{ "acl", SET, MS_POSIXACL },
	{ "async", CLEAR, MS_SYNCHRONOUS },
	{ "atime", CLEAR, MS_NOATIME },
	{ "bind", SET, MS_BIND },
	{ "defaults", SET, 0 },
	{ "dev", CLEAR, MS_NODEV },
	{ "diratime", CLEAR, MS_NODIRATIME },
	{ "dirsync", SET, MS_DIRSYNC },
	{ "exec", CLEAR, MS_NOEXEC },
	{ "idmap", IDMAP, 0 },
	{ "iversion", SET, MS_I_VERSION },
	{ "lazytime", SET, MS_LAZYTIME },
	{ "loud", CLEAR, MS_SILENT },
	{ "mand", SET, MS_MANDLOCK },
	{ "noacl", CLEAR, MS_POSIXACL },
	{ "noatime", SET, MS_NOATIME },
	{ "nodev", SET, MS_NODEV },
	{ "nodiratime", SET, MS_NODIRATIME },
	{ "noexec", SET, MS_NOEXEC },
	{ "noiversion", CLEAR, MS_I_VERSION },
	{ "nolazytime", CLEAR, MS_LAZYTIME },
	{ "nomand", CLEAR, MS_MANDLOCK },
	{ "norelatime", CLEAR, MS_RELATIME },
	{ "nostrictatime", CLEAR, MS_STRICTATIME },
	{ "nosuid", SET, MS_NOSUID },
	{ "nosymfollow", SET, MS_NOSYMFOLLOW },
	{ "private", PROPAGATE, MS_PRIVATE },
	{ "ratime", REC_ATIME, 0 },
	{ "rbind", SET, MS_BIND | MS_REC },
	{ "rdev", REC_CLEAR, MOUNT_ATTR_NODEV },
	{ "rdiratime", REC_CLEAR, MOUNT_ATTR_NODIRATIME },
	{ "relatime", SET, MS_RELATIME },
	{ "remount", SET, MS_REMOUNT },
	{ "rexec", REC_CLEAR, MOUNT_ATTR_NOEXEC },
	{ "ridmap", IDMAP_TREE, 0 },
	{ "rnoatime", REC_ATIME, MOUNT_ATTR_NOATIME },
	{ "rnodev", REC_SET, MOUNT_ATTR_NODEV },
	{ "rnodiratime", REC_SET, MOUNT_ATTR_NODIRATIME },
	{ "rnoexec", REC_SET, MOUNT_ATTR_NOEXEC },
	{ "rnorelatime", REC_SET, 0 },
	{ "rnostrictatime", REC_ATIME, 0 },
	{ "rnosuid", REC_SET, MOUNT_ATTR_NOSUID },
	{ "rnosymfollow", REC_SET, MOUNT_ATTR_NOSYMFOLLOW },
	{ "ro", SET, MS_RDONLY },
	{ "rprivate", PROPAGATE, MS_PRIVATE },
	{ "rrelatime", REC_ATIME, 0 },
	{ "rro", REC_SET, MOUNT_ATTR_RDONLY },
	{ "rrw", REC_CLEAR, MOUNT_ATTR_RDONLY },
	{ "rshared", PROPAGATE, MS_SHARED },
	{ "rslave", PROPAGATE, MS_SLAVE },
	{ "rstrictatime", REC_ATIME, MOUNT_ATTR_STRICTATIME },
	{ "rsuid", REC_CLEAR, MOUNT_ATTR_NOSUID },
	{ "rsymfollow", REC_CLEAR, MOUNT_ATTR_NOSYMFOLLOW },
	{ "runbindable", PROPAGATE, MS_UNBINDABLE },
	{ "rw", CLEAR, MS_RDONLY },
	{ "shared", PROPAGATE, MS_SHARED },
	{ "silent", SET, MS_SILENT },
	{ "slave", PROPAGATE, MS_SLAVE },
	{ "strictatime", SET, MS_STRICTATIME },
	{ "suid", CLEAR, MS_NOSUID },
	{ "symfollow", CLEAR, MS_NOSYMFOLLOW },
	{ "sync", SET, MS_SYNCHRONOUS },
	{ "tmpcopyup", COPY_UP, 0 },
	{ "unbindable", PROPAGATE, MS_UNBINDABLE },
};

const char *oci_mount_option(size_t i)
{
	return i < ARRAY_SIZE(options) ? options[i].name : NULL;
}

static const struct mount_option *find_option(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(options); i++)
		if (str_eq(options[i].name, name))
			return &options[i];
	return NULL;
}

static void take_recursive(const struct mount_option *o, struct mount_item *m)
{
	/* The access time mode is a field, which the kernel wants cleared as a whole. */
	uint64_t field = o->kind == REC_ATIME ? MOUNT_ATTR__ATIME : o->flag;

	m->rec_set &= ~field;
	m->rec_clear &= ~field;
	if (o->kind != REC_CLEAR)
		m->rec_set |= o->flag;
	if (o->kind != REC_SET)
		m->rec_clear |= field;
}

static void take_option(const struct mount_option *o, struct mount_item *m)
{
	switch (o->kind) {
	case SET:
		m->flags |= o->flag;
		m->clear &= ~o->flag;
		break;
	case CLEAR:
		m->flags &= ~o->flag;
		m->clear |= o->flag;
		break;
	case PROPAGATE:
		m->flags = (m->flags & ~(uint64_t)PROPAGATION) | o->flag;
		break;
	case COPY_UP:
		m->copy_up = true;
		break;
	case IDMAP:
	case IDMAP_TREE:
		m->idmap = true;
		m->idmap_tree = o->kind == IDMAP_TREE;
		break;
	default:
		take_recursive(o, m);
	}
}

static int decode_options(const json *mount, struct arena *a, struct mount_item *m, struct error *err)
{
	cleanup(strbuf_done) struct strbuf data = { 0 };
	const json *arr = NULL;
	int r = json_get_arr(mount, "options", &arr, err);

	if (r < 0)
		return r;
	for (size_t i = 0; i < json_len(arr); i++) {
		const char *name = json_str(json_at(arr, i));
		const struct mount_option *o = name ? find_option(name) : NULL;

		if (!name)
			return oci_bad(err, "options[%zu]: expected a string", i);
		if (o) {
			take_option(o, m);
		} else if (*name) {
			strbuf_addf(&data, "%s%s", data.len ? "," : "", name);
		}
	}
	if (data.len)
		m->data = arena_str(a, strbuf_cstr(&data));
	return 0;
}

static int decode_target(const json *mount, struct arena *a, struct mount_item *m, struct error *err)
{
	const char *path = NULL;
	char plain[4096];
	int r = json_get_str(mount, "destination", &path, err);

	if (r < 0)
		return r;
	if (!r || !*path)
		return oci_bad(err, "destination: missing");
	if (path_normalize(path, plain) < 0)
		return oci_bad(err, "destination: \"%.80s\" leaves the root, or is too long", path);
	if (str_eq(plain, "/"))
		return oci_bad(err, "destination: the root is mounted already");
	/* A relative one is below the root as well. */
	m->target = arena_fmt(a, "%s%s", path_is_absolute(path) ? "" : "/", path);
	return 0;
}

static int decode_source(const json *mount, const char *bundle, struct arena *a, struct mount_item *m,
			 struct error *err)
{
	const char *source = NULL;
	int r = json_get_str(mount, "source", &source, err);

	if (r < 0)
		return r;
	if (str_is_empty(source)) {
		if (m->kind == MOUNT_BIND)
			return oci_bad(err, "source: missing");
		m->source = m->fstype;
		return 0;
	}
	if (m->kind == MOUNT_FS)
		m->source = arena_str(a, source);
	else if (oci_below(bundle, source, a, &m->source) < 0)
		return oci_bad(err, "source: \"%.80s\" is no path below the bundle, or is too long", source);
	return 0;
}

static int decode_type(const json *mount, struct arena *a, struct mount_item *m, struct error *err)
{
	int r = oci_get_str(mount, "type", a, &m->fstype, err);

	if (r < 0)
		return r;
	if (m->flags & MS_BIND || str_eq(m->fstype, "bind")) {
		m->kind = MOUNT_BIND;
		m->fstype = NULL;
		m->flags &= ~(uint64_t)MS_BIND;
		m->shallow = true;
		return 0;
	}
	if (!m->fstype)
		return oci_bad(err, "type: missing");
	if (str_eq(m->fstype, "cgroup"))
		m->fstype = "cgroup2";
	m->kind = MOUNT_FS;
	m->clear = 0;
	return 0;
}

static int decode_maps(const json *mount, struct arena *a, struct mount_item *m, struct error *err)
{
	struct oci_maps uids = { 0 }, gids = { 0 };
	int r = oci_maps_decode(mount, "uidMappings", a, &uids, err);

	if (r == 0)
		r = oci_maps_decode(mount, "gidMappings", a, &gids, err);
	if (r < 0)
		return r;
	if (!uids.n != !gids.n)
		return oci_bad(err, "%s: missing, and the other is there",
			       uids.n ? "gidMappings" : "uidMappings");
	if (uids.n)
		m->idmap = true;
	if (m->idmap && m->kind != MOUNT_BIND)
		return oci_bad(err, "%s: ids can be mapped for a bind only",
			       uids.n ? "uidMappings" : "options");
	m->uid_maps.v = uids.v;
	m->uid_maps.n = uids.n;
	m->gid_maps.v = gids.v;
	m->gid_maps.n = gids.n;
	return 0;
}

int oci_mount_decode(const json *mount, const char *bundle, struct arena *a, struct mount_item *ret,
		     struct error *err)
{
	struct mount_item m = { .create = true };
	int r;

	if ((r = decode_target(mount, a, &m, err)) < 0 || (r = decode_options(mount, a, &m, err)) < 0 ||
	    (r = decode_type(mount, a, &m, err)) < 0 || (r = decode_source(mount, bundle, a, &m, err)) < 0 ||
	    (r = decode_maps(mount, a, &m, err)) < 0)
		return r;
	if (m.copy_up && !str_eq(m.fstype, "tmpfs"))
		return oci_bad(err, "options: tmpcopyup is for tmpfs only");
	*ret = m;
	return 0;
}

static void warn_relative(const char *path, struct oci_config *c)
{
	cleanup(strbuf_done) struct strbuf b = { 0 };

	strbuf_add(&b, "mount destination ");
	strbuf_add_escaped(&b, path, strlen(path));
	strbuf_add(&b, " is not absolute, taken as below /");
	strv_push(&c->arena, &c->warnings, strbuf_cstr(&b));
}

static int decode_mount(const json *item, void *ctx, struct error *err)
{
	struct oci_decode *d = ctx;
	const char *path = "/";
	struct mount_item m;
	int r = oci_mount_decode(item, d->in->bundle, &d->c->arena, &m, err);

	if (r < 0)
		return r;
	(void)json_get_str(item, "destination", &path, NULL);
	if (!path_is_absolute(path))
		warn_relative(path, d->c);
	*arena_push(&d->c->arena, &d->c->rootfs.mounts) = m;
	return 0;
}

int oci_mounts_decode(const json *j, struct oci_decode *d, struct error *err)
{
	int r = oci_each(j, "mounts", decode_mount, d, err);

	return r < 0 ? r : 0;
}
