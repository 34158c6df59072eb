/* SPDX-License-Identifier: GPL-2.0-or-later */
/* linux.devices, the nodes that every container has, and the links beside them. */
#include <sched.h>
#include <limits.h>
#include "lib/base/path.h"
#include "lib/oci/oci_internal.h"

#define NODE_MODE 0666
#define MODE_MASK 07777

static const struct dev_item default_devices[] = {
	{ .path = "/dev/null", .type = 'c', .major = 1, .minor = 3 },
	{ .path = "/dev/random", .type = 'c', .major = 1, .minor = 8 },
	{ .path = "/dev/full", .type = 'c', .major = 1, .minor = 7 },
	{ .path = "/dev/tty", .type = 'c', .major = 5, .minor = 0 },
	{ .path = "/dev/zero", .type = 'c', .major = 1, .minor = 5 },
	{ .path = "/dev/urandom", .type = 'c', .major = 1, .minor = 9 },
};

static const struct link_item default_links[] = {
	{ "/proc/self/fd", "/dev/fd" },	      { "/proc/self/fd/0", "/dev/stdin" },
	{ "/proc/self/fd/1", "/dev/stdout" }, { "/proc/self/fd/2", "/dev/stderr" },
	{ "pts/ptmx", "/dev/ptmx" },	      { "/proc/kcore", "/dev/core" },
};

static const struct oci_word types[] = {
	{ "b", 'b' }, { "c", 'c' }, { "u", 'c' }, { "p", 'p' }, { NULL, 0 }
};

/* A node made in a user namespace cannot be opened, and need not be makeable at all; a pipe can be made by
 * everybody. */
static bool is_made(const struct oci_decode *d, char type)
{
	return type == 'p' || (!d->in->rootless && !oci_has_ns(&d->c->sandbox, CLONE_NEWUSER));
}

static int decode_path(const json *item, struct oci_decode *d, struct dev_item *dev, struct error *err)
{
	char plain[4096];
	int r = oci_get_abs(item, "path", &d->c->arena, &dev->path, err);

	if (r < 0)
		return r;
	if (!r)
		return oci_bad(err, "path: missing");
	if (path_normalize(dev->path, plain) < 0 || str_eq(plain, "/"))
		return oci_bad(err, "path: \"%.80s\" is no path below the root", dev->path);
	dev->target = dev->path = arena_str(&d->c->arena, plain);
	return 0;
}

static int decode_number(const json *item, const char *key, char type, uint32_t *ret, struct error *err)
{
	int64_t n = 0;
	int r = oci_get_range(item, key, 0, UINT32_MAX, &n, err);

	if (r < 0)
		return r;
	if (!r && type != 'p')
		return oci_bad(err, "%s: missing", key);
	*ret = (uint32_t)n;
	return 0;
}

/* That of the container's own devpts is a link (config-linux.md, "Default Devices"). Engines that give all devices of the host list
 * it, too. */
static bool is_ptmx(const struct dev_item *dev)
{
	return str_eq(dev->path, "/dev/ptmx");
}

static int decode_device(const json *item, void *ctx, struct error *err)
{
	struct oci_decode *d = ctx;
	struct dev_item dev = { .mode = NODE_MODE };
	uint64_t type = 0;
	int r = oci_get_word(item, "type", types, &type, err);

	if (r < 0)
		return r;
	if (!r)
		return oci_bad(err, "type: missing");
	dev.type = (char)type;
	dev.make = is_made(d, dev.type);
	if ((r = decode_path(item, d, &dev, err)) < 0 ||
	    (r = decode_number(item, "major", dev.type, &dev.major, err)) < 0 ||
	    (r = decode_number(item, "minor", dev.type, &dev.minor, err)) < 0 ||
	    (r = json_get_u32(item, "fileMode", &dev.mode, err)) < 0 ||
	    (r = oci_get_id(item, "uid", &dev.uid, err)) < 0 ||
	    (r = oci_get_id(item, "gid", &dev.gid, err)) < 0)
		return r;
	/* Callers that have it from stat(2) leave the kind of file in. */
	dev.mode &= MODE_MASK;
	if (!is_ptmx(&dev))
		*arena_push(&d->c->arena, &d->c->rootfs.devices) = dev;
	return 0;
}

static bool is_configured(const struct rootfs_config *r, const char *path)
{
	for (size_t i = 0; i < r->devices.n; i++)
		if (str_eq(r->devices.v[i].target, path))
			return true;
	return false;
}

static void add_defaults(struct oci_decode *d)
{
	struct rootfs_config *r = &d->c->rootfs;

	for (size_t i = 0; i < ARRAY_SIZE(default_devices); i++) {
		struct dev_item dev = default_devices[i];

		if (is_configured(r, dev.path))
			continue;
		dev.target = dev.path;
		dev.mode = NODE_MODE;
		dev.make = is_made(d, dev.type);
		*arena_push(&d->c->arena, &r->devices) = dev;
	}
	for (size_t i = 0; i < ARRAY_SIZE(default_links); i++)
		if (!is_configured(r, default_links[i].path))
			*arena_push(&d->c->arena, &r->links) = default_links[i];
}

/* Then /dev is a folder of the host, which stays as it is. */
static bool is_dev_bound(const struct rootfs_config *r)
{
	char plain[4096];

	for (size_t i = 0; i < r->mounts.n; i++)
		if (r->mounts.v[i].kind == MOUNT_BIND && path_normalize(r->mounts.v[i].target, plain) == 0 &&
		    str_eq(plain, "/dev"))
			return true;
	return false;
}

int oci_devices_decode(const json *section, struct oci_decode *d, struct error *err)
{
	struct rootfs_config *r = &d->c->rootfs;
	int n = oci_each(section, "devices", decode_device, d, err);

	if (n < 0)
		return n;
	if (is_dev_bound(r))
		r->devices.n = 0;
	else
		add_defaults(d);
	return 0;
}
