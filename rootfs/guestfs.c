/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Mounts of the guest half that are no binds: new filesystems, and what is there mounted with other options.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>
#include <unistd.h>
#include "lib/base/fd.h"
#include "lib/base/path.h"
#include "lib/base/str.h"
#include "rootfs/internal.h"

#define PROPAGATION (MS_SHARED | MS_SLAVE | MS_PRIVATE | MS_UNBINDABLE)
#define OPTIONS_MAX 18

bool guest_readonly_late(const struct rootfs_config *c, const struct mount_item *m)
{
	char path[4096];

	if (!c->plain || m->kind != MOUNT_FS || !(m->flags & MS_RDONLY) || m->flags & MS_REMOUNT)
		return false;
	return str_eq(m->fstype, "tmpfs") || (path_normalize(m->target, path) == 0 && str_eq(path, "/dev"));
}

static unsigned long mount_flags(const struct guest *g, const struct mount_item *m)
{
	unsigned long flags =
		m->flags & ~(unsigned long)(PROPAGATION | MS_REC | MS_BIND | MS_REMOUNT | MS_MOVE);

	return guest_readonly_late(g->c, m) ? flags & ~(unsigned long)MS_RDONLY : flags;
}

/* Options of mount(2)'s data as a list for fsconfig(2). */
static int split_options(char *data, const char *options[OPTIONS_MAX])
{
	char *save = NULL;
	size_t n = 0;

	for (char *o = strtok_r(data, ",", &save); o; o = strtok_r(NULL, ",", &save)) {
		if (n + 2 >= OPTIONS_MAX)
			return -E2BIG;
		options[n++] = o;
	}
	return (int)n;
}

static int mount_copied(const struct guest *g, const struct mount_item *m, int target, const char *data)
{
	auto_fd int from = openat(target, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), fs = -1;
	const char *options[OPTIONS_MAX] = { 0 };
	unsigned long flags = mount_flags(g, m);
	auto_free char *text = str_dup(data ? data : ""), *label = NULL;
	int r;

	if (from < 0)
		return -errno;
	r = split_options(text, options);
	if (r < 0)
		return r;
	if (g->c->mount_label && *g->c->mount_label) {
		if (asprintf(&label, "context=%s", g->c->mount_label) < 0)
			return -ENOMEM;
		options[r] = label;
	}
	/* Filled before it is attached, and made read-only only then. */
	fs = mnt_tmpfs(options, mnt_attrs(flags & ~(unsigned long)MS_RDONLY));
	if (fs < 0)
		return fd_steal(&fs);
	r = copyup_tree(from, fs);
	if (r == 0 && flags & MS_RDONLY)
		r = mnt_set(fs, false, MOUNT_ATTR_RDONLY, 0, -1);
	return r < 0 ? r : mnt_attach(fs, target, "");
}

/* Where the container's root may not mount cgroup2, or has no cgroup namespace, it sees the host's, read-only (CVE-2023-25809). */
static int bind_cgroup(const struct mount_item *m, int target)
{
	static const char *const places[] = { "/sys/fs/cgroup", "/sys/fs/cgroup/unified" };

	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		auto_fd int fd = open(places[i], O_PATH | O_DIRECTORY | O_CLOEXEC), clone = -1;
		int r;

		if (fd < 0 || !path_fd_is_fs(fd, CGROUP2_SUPER_MAGIC))
			continue;
		clone = mnt_clone(fd, "", true);
		if (clone < 0)
			return fd_steal(&clone);
		r = mnt_set(clone, true, mnt_attrs(m->flags | MS_RDONLY), MS_PRIVATE, -1);
		return r < 0 ? r : mnt_attach(clone, target, "");
	}
	return -ENOENT;
}

/* A tmpfs over a folder of the image looks like it, unless the options say otherwise: the last mode counts.
 */
static char *tmpfs_options(const struct guest *g, const struct mount_item *m, const struct guest_place *at)
{
	struct strbuf s = { 0 };

	if (!g->c->plain || !at->mode || !str_eq(m->fstype, "tmpfs"))
		return m->data ? str_dup(m->data) : NULL;
	strbuf_addf(&s, "mode=%04o%s%s", at->mode & 07777, m->data && *m->data ? "," : "",
		    m->data ? m->data : "");
	return strbuf_steal(&s);
}

static int mount_new(const struct guest *g, const struct mount_item *m, const struct guest_place *at)
{
	auto_free char *options = tmpfs_options(g, m, at), *data = NULL;
	int r;

	if (m->copy_up && str_eq(m->fstype, "tmpfs"))
		return mount_copied(g, m, at->fd, options);
	/* A mount made in the first cgroup namespace would set the options of all mounts of cgroup2 anew (cgroup-v2.rst, "nsdelegate"). */
	if (g->c->host_cgroups && str_eq(m->fstype, "cgroup2"))
		return bind_cgroup(m, at->fd);
	data = label_options(g->c, m->fstype, options);
	r = mnt_make(m->source ? m->source : m->fstype, at->fd, m->fstype, mount_flags(g, m), data);
	if ((r == -EPERM || r == -EBUSY) && g->c->plain && str_eq(m->fstype, "cgroup2")) {
		int bound = bind_cgroup(m, at->fd);

		return bound == -ENOENT ? r : bound;
	}
	return r;
}

/* Flags that the mount has now, as mount(2) takes them. */
static unsigned long flags_now(int fd)
{
	static const struct {
		unsigned long st, ms;
	} table[] = {
		{ ST_RDONLY, MS_RDONLY },   { ST_NOSUID, MS_NOSUID },	{ ST_NODEV, MS_NODEV },
		{ ST_NOEXEC, MS_NOEXEC },   { ST_NOATIME, MS_NOATIME }, { ST_NODIRATIME, MS_NODIRATIME },
		{ ST_RELATIME, MS_RELATIME },
	};
	unsigned long flags = 0;
	struct statvfs sv;

	for (size_t i = 0; fstatvfs(fd, &sv) == 0 && i < ARRAY_SIZE(table); i++)
		if (sv.f_flag & table[i].st)
			flags |= table[i].ms;
	return flags;
}

static int remount(const struct guest *g, const struct mount_item *m, int target)
{
	unsigned long flags = mount_flags(g, m) | MS_REMOUNT, now;
	int r;

	if (m->kind != MOUNT_BIND && !(m->flags & MS_BIND))
		return mnt_make(NULL, target, NULL, flags, m->data);
	r = mnt_make(NULL, target, NULL, flags | MS_BIND, NULL);
	now = flags_now(target);
	/* Flags may be locked: those that nobody asked to clear are kept, as mount(8) does. */
	if (r != -EPERM || now & m->clear)
		return r;
	return mnt_make(NULL, target, NULL, flags | now | MS_BIND, NULL);
}

static int label_file(const struct guest *g, int fd)
{
	const char *label = g->c->mount_label;
	char path[32];

	return setxattr(path_proc_fd(fd, path), "security.selinux", label, strlen(label), 0) < 0 ? -errno : 0;
}

/* On the mount that lies there now, which a descriptor from before does not lead to. */
static int finish(const struct guest *g, const struct mount_item *m, const char *path)
{
	bool labelled = g->c->mount_label && *g->c->mount_label && str_eq(m->fstype, "mqueue");
	auto_fd int fd = -1;
	int r;

	if (!(m->flags & PROPAGATION) && !m->clear && !m->rec_set && !m->rec_clear && !labelled)
		return 0;
	fd = path_open_in(g->root, path, O_PATH, 0);
	if (fd < 0)
		return fd_steal(&fd);
	r = mnt_change(fd, false, 0, mnt_attrs(m->clear));
	if (r == 0)
		r = mnt_change(fd, true, m->rec_set, m->rec_clear);
	if (r == 0)
		r = mnt_propagate(fd, m->flags);
	return r == 0 && labelled ? label_file(g, fd) : r;
}

int guest_mount_fs(const struct guest *g, const struct mount_item *m, const struct guest_place *at)
{
	int r = m->flags & MS_REMOUNT ? remount(g, m, at->fd) : mount_new(g, m, at);

	return r < 0 ? r : finish(g, m, at->path);
}
