/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Mounts whose source is outside of the container: criu keeps their places under a name, and is told on restore what belongs there. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>
#include <linux/magic.h>
#include "cmd/arnia-oci/criu.h"
#include "lib/base/fd.h"
#include "lib/base/file.h"
#include "lib/base/mountinfo.h"
#include "lib/base/path.h"

#define NULL_DEVICE "/dev/null" /* the name of all files that are masked, as runc has it */

static bool is_bind(const struct mount_item *m)
{
	return m->kind == MOUNT_BIND && !(m->flags & MS_REMOUNT);
}

static bool has_cgroupns(const struct sandbox_config *s)
{
	for (size_t i = 0; i < s->joins.n; i++)
		if (s->joins.v[i].ns == CLONE_NEWCGROUP)
			return true;
	return s->namespaces & CLONE_NEWCGROUP;
}

/* Without a cgroup namespace it is a bind of the host's. */
static bool is_host_cgroup(const struct oci_config *config, const struct mount_item *m)
{
	return m->kind == MOUNT_FS && str_eq(m->fstype, "cgroup2") && !has_cgroupns(&config->sandbox);
}

static bool has_target(const struct rootfs_config *r, const char *target)
{
	for (size_t i = 0; i < r->mounts.n; i++)
		if (str_eq(r->mounts.v[i].target, target))
			return true;
	return false;
}

/* Mount points of the host below `source`, as far as they are below: "/sub". Text and list live in the arena. */
static struct strv points_below(struct arena *a, const char *source)
{
	auto_free char *real = realpath(source, NULL), *text = NULL;
	struct strv list = { 0 };
	char *save = NULL;

	if (!real || file_read_at(AT_FDCWD, "/proc/self/mountinfo", MOUNTINFO_MAX, &text, NULL) < 0)
		return list;
	for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		struct mountinfo m;
		const char *rest = mountinfo_parse(line, &m) == 0 ? str_after(m.point, str_eq(real, "/") ? "" : real) : NULL;

		if (rest && rest[0] == '/' && rest[1])
			strv_push(a, &list, rest);
	}
	return list;
}

/* ---- checkpoint ---- */

struct dump {
	struct criu *c;
	int root; /* the container's */
	char *text; /* its mountinfo */
	ARRAY_OF(struct mountinfo) mounts;
	struct strv told; /* mount points */
};

static int read_mounts(struct dump *d, const struct pidref *init, struct error *err)
{
	auto_free char *path = str_fmt("/proc/%d/mountinfo", init->pid), *root = str_fmt("/proc/%d/root", init->pid);
	long n = file_read_at(AT_FDCWD, path, MOUNTINFO_MAX, &d->text, err);
	char *save = NULL;

	if (n < 0)
		return (int)n;
	d->root = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (d->root < 0)
		return err_sys(err, -errno, "root of the container");
	/* Else it may be another process that has the number by now. */
	if (!pidref_alive(init))
		return err_set_kind(err, -ESRCH, ERR_STATE, "the container has ended");
	for (char *line = strtok_r(d->text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		struct mountinfo m;

		if (mountinfo_parse(line, &m) == 0)
			*arena_push(&d->c->call->arena, &d->mounts) = m;
	}
	return 0;
}

/* The point of the mount that `path` leads to; NULL when that is something below a mount, or nothing. */
static const char *point_of(const struct dump *d, const char *path, bool *ret_dir)
{
	auto_fd int fd = path_open_in(d->root, path, O_PATH, 0);
	struct statx st;

	if (fd < 0 || statx(fd, "", AT_EMPTY_PATH, STATX_TYPE | STATX_MNT_ID, &st) < 0)
		return NULL;
	if (!(st.stx_attributes & STATX_ATTR_MOUNT_ROOT))
		return NULL;
	*ret_dir = S_ISDIR(st.stx_mode);
	for (size_t i = 0; i < d->mounts.n; i++)
		if (d->mounts.v[i].id == st.stx_mnt_id)
			return d->mounts.v[i].point;
	return NULL;
}

static void tell(struct dump *d, const char *point, const char *name)
{
	for (size_t i = 0; i < d->told.n; i++)
		if (str_eq(d->told.v[i], point))
			return;
	*arena_push(&d->c->call->arena, &d->told) = point;
	criu_external_mount(d->c, point, name);
}

static bool is_point(const struct dump *d, const char *path)
{
	for (size_t i = 0; i < d->mounts.n; i++)
		if (str_eq(d->mounts.v[i].point, path))
			return true;
	return false;
}

/* What an rbind brought along: mounts that are below the source, too. Not what the configuration mounts there. */
static void tell_below(struct dump *d, const struct oci_config *config, const char *source, const char *point)
{
	struct arena *a = &d->c->call->arena;
	struct strv below = points_below(a, source);

	for (size_t i = 0; i < below.n; i++) {
		const char *inside = arena_fmt(a, "%s%s", point, below.v[i]);

		if (!has_target(&config->rootfs, inside) && is_point(d, inside))
			tell(d, inside, inside);
	}
}

/* Of one that was restored the configuration may be without it. */
static void tell_notify(struct dump *d)
{
	auto_free char *own = notify_folder(d->c->call);
	auto_fd int fd = path_open_in(d->root, NOTIFY_INSIDE, O_PATH, 0);
	struct stat a, b;
	const char *point;
	bool dir;

	if (fd < 0 || fstat(fd, &a) < 0 || stat(own, &b) < 0 || a.st_dev != b.st_dev || a.st_ino != b.st_ino)
		return;
	point = point_of(d, NOTIFY_INSIDE, &dir);
	if (point)
		tell(d, point, point);
}

static void tell_all(struct dump *d, const struct oci_config *config)
{
	const char *point;
	bool dir;

	for (size_t i = 0; i < config->rootfs.mounts.n; i++) {
		const struct mount_item *m = &config->rootfs.mounts.v[i];

		if (!is_bind(m) && !is_host_cgroup(config, m))
			continue;
		point = point_of(d, m->target, &dir);
		if (point)
			tell(d, point, point);
		if (point && is_bind(m) && m->flags & MS_REC)
			tell_below(d, config, m->source, point);
	}
	for (size_t i = 0; i < config->rootfs.masked.n; i++) {
		point = point_of(d, config->rootfs.masked.v[i], &dir);
		if (point && !dir)
			tell(d, point, NULL_DEVICE);
	}
	for (size_t i = 0; i < config->rootfs.devices.n; i++) {
		point = point_of(d, config->rootfs.devices.v[i].target, &dir);
		if (point)
			tell(d, point, point);
	}
	tell_notify(d);
}

int criu_dump_mounts(struct criu *c, const struct oci_config *config, const struct pidref *init, struct error *err)
{
	struct dump d = { .c = c, .root = -1 };
	int r = read_mounts(&d, init, err);

	if (r == 0)
		tell_all(&d, config);
	fd_close(&d.root);
	free(d.text);
	return r;
}

/* ---- restore ---- */

static const char *cgroup_mount(void)
{
	struct statfs fs;

	return statfs("/sys/fs/cgroup", &fs) == 0 && fs.f_type == CGROUP2_SUPER_MAGIC ? "/sys/fs/cgroup" : "/sys/fs/cgroup/unified";
}

/* A path when the links of the rootfs are followed, as mount points are; NULL: not there, or no other than it is. */
static const char *followed(struct criu *c, int root, const char *path)
{
	char base[4096], full[4096], link[32];
	auto_fd int fd = path_open_in(root, path, O_PATH, 0);
	ssize_t n, m;

	if (fd < 0)
		return NULL;
	n = readlink(path_proc_fd(root, link), base, sizeof(base) - 1);
	m = readlink(path_proc_fd(fd, link), full, sizeof(full) - 1);
	if (n < 0 || m <= n || memcmp(base, full, (size_t)n) != 0)
		return NULL;
	full[m] = '\0';
	return str_eq(full + n, path) ? NULL : arena_str(&c->call->arena, full + n);
}

static void tell_source(struct criu *c, int root, const char *target, const char *source, bool deep)
{
	struct arena *a = &c->call->arena;
	struct strv below = { 0 };
	const char *names[2] = { 0 };
	char plain[4096];

	if (path_normalize(target, plain) < 0)
		return;
	if (deep)
		below = points_below(a, source);
	names[0] = plain;
	names[1] = followed(c, root, plain);
	for (size_t k = 0; k < ARRAY_SIZE(names) && names[k]; k++) {
		criu_external_mount(c, names[k], source);
		for (size_t i = 0; i < below.n; i++)
			criu_external_mount(c, arena_fmt(a, "%s%s", names[k], below.v[i]), arena_fmt(a, "%s%s", source, below.v[i]));
	}
}

void criu_restore_mounts(struct criu *c, const struct oci_config *config)
{
	const struct rootfs_config *r = &config->rootfs;
	auto_fd int root = open(r->lower.v[0], O_PATH | O_DIRECTORY | O_CLOEXEC);
	auto_free char *notify = notify_folder(c->call);

	for (size_t i = 0; i < r->mounts.n; i++) {
		const struct mount_item *m = &r->mounts.v[i];

		if (is_bind(m) || is_host_cgroup(config, m))
			tell_source(c, root, m->target, is_bind(m) ? m->source : cgroup_mount(), is_bind(m) && m->flags & MS_REC);
	}
	if (!has_target(r, NOTIFY_INSIDE))
		tell_source(c, root, NOTIFY_INSIDE, notify, false);
	if (r->masked.n)
		criu_external_mount(c, NULL_DEVICE, NULL_DEVICE);
	for (size_t i = 0; i < r->devices.n; i++)
		if (r->devices.v[i].path && !str_eq(r->devices.v[i].target, NULL_DEVICE))
			tell_source(c, root, r->devices.v[i].target, r->devices.v[i].path, false);
}

/* criu brings the content of a tmpfs with it, folders for mounts among it. */
static bool below_tmpfs(const struct rootfs_config *r, const char *target)
{
	for (size_t i = 0; i < r->mounts.n; i++) {
		const struct mount_item *m = &r->mounts.v[i];
		const char *rest = m->kind == MOUNT_FS && str_eq(m->fstype, "tmpfs") ? str_after(target, m->target) : NULL;

		if (rest && *rest == '/')
			return true;
	}
	return false;
}

/* A bind is mounted meanwhile, for places of others may be in what it shows. */
static int make_place(const struct mount_item *m, int root, bool *ret_bound, struct error *err)
{
	auto_fd int fd = -1;
	char link[32];
	struct stat st = { .st_mode = S_IFDIR };

	if (is_bind(m) && stat(m->source, &st) < 0)
		return err_sys(err, -errno, "mount source %s", m->source);
	fd = path_make_target_in(root, m->target, S_ISDIR(st.st_mode));
	if (fd < 0)
		return err_sys(err, fd, "place for mount %s", m->target);
	*ret_bound = is_bind(m) && mount(m->source, path_proc_fd(fd, link), NULL, MS_BIND | MS_REC, NULL) == 0;
	return 0;
}

static void take_off(int root, const char *target)
{
	auto_fd int fd = path_open_in(root, target, O_PATH, 0);
	char link[32];

	if (fd >= 0)
		(void)umount2(path_proc_fd(fd, link), MNT_DETACH);
}

int criu_make_places(const struct oci_config *config, int root, struct error *err)
{
	const struct rootfs_config *r = &config->rootfs;
	auto_free bool *bound = mem_alloc_n(r->mounts.n + 1, sizeof(bool));
	int x = 0;

	for (size_t i = 0; x == 0 && i < r->mounts.n; i++) {
		const struct mount_item *m = &r->mounts.v[i];

		if (m->flags & MS_REMOUNT || str_eq(m->fstype, "cgroup2") || below_tmpfs(r, m->target))
			continue;
		x = make_place(m, root, &bound[i], err);
	}
	for (size_t i = r->mounts.n; i--;)
		if (bound[i])
			take_off(root, r->mounts.v[i].target);
	return x;
}
