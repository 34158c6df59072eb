/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sources of binds and devices: cloned in the host's mount namespace, attached below the stage of ours. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>
#include "lib/base/fd.h"
#include "rootfs/internal.h"
#include "rootfs/rootfs.h"

/* A visit to another mount namespace: setns(2) moves the root and the working directory, so both ways are
 * kept. */
struct visit {
	int home, cwd; /* -1: not away */
};

static void visit_done(struct visit *v)
{
	fd_close(&v->home);
	fd_close(&v->cwd);
}

static int visit_begin(struct visit *v, int mntns, struct error *err)
{
	if (mntns < 0)
		return 0;
	v->home = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);
	v->cwd = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (v->home < 0 || v->cwd < 0)
		return err_sys(err, -errno, "keep the own mount namespace");
	if (setns(mntns, CLONE_NEWNS) < 0)
		return err_sys(err, -errno, "enter the host's mount namespace");
	return 0;
}

static int visit_end(const struct visit *v, struct error *err)
{
	if (v->home < 0)
		return 0;
	if (setns(v->home, CLONE_NEWNS) < 0)
		return err_sys(err, -errno, "return to the own mount namespace");
	return fchdir(v->cwd) < 0 ? err_sys(err, -errno, "return to the stage") : 0;
}

static uint64_t wanted_propagation(const struct mount_item *m)
{
	/* A clone is a peer of its source: left so only when asked. Asked or not, "shared" comes from
	 * attaching below the stage, so there it means "leave". Unbindable is only what the guest makes of
	 * it: it clones once more. */
	if (m->flags & MS_SHARED)
		return 0;
	return m->flags & MS_SLAVE ? MS_SLAVE : MS_PRIVATE;
}

/* What concerns the mount itself, then the tree as a whole. */
static int change_more(const struct mount_item *m, int fd)
{
	uint64_t set = m->shallow ? mnt_attrs(m->flags) : 0, clear = mnt_attrs(m->clear & ~m->flags);
	int r;

	/* The absence of the other access time modes. */
	if (m->shallow && m->flags & MS_RELATIME)
		clear |= MOUNT_ATTR__ATIME;
	r = mnt_change(fd, false, set, clear);
	return r < 0 ? r : mnt_change(fd, true, m->rec_set, m->rec_clear);
}

static bool has_own_maps(const struct mount_item *m)
{
	return m->uid_maps.n || m->gid_maps.n;
}

/* The mount itself, and with idmap_tree what is below it: without a way around for what cannot be. */
static int map_exactly(const struct mount_item *m, int fd, int container, struct error *err)
{
	auto_fd int own = has_own_maps(m) ? mapped_userns(m, err) : -1;
	int userns = has_own_maps(m) ? own : container, r;

	if (has_own_maps(m) && own < 0)
		return fd_steal(&own);
	if (userns < 0)
		return err_set_kind(err, -EINVAL, ERR_USAGE,
				    "idmap %s: neither it nor the container has id maps", m->source);
	r = mnt_set(fd, m->idmap_tree, 0, 0, userns);
	if (r == -EINVAL)
		return err_set_kind(err, r, ERR_UNSUPPORTED, "mount source %s: its filesystem cannot be idmapped",
				    m->source);
	return r < 0 ? err_sys(err, r, "idmap %s", m->source) : 0;
}

static int clone_source(const struct mount_item *m, struct error *err)
{
	int fd = mnt_clone(AT_FDCWD, m->source, m->flags & MS_REC);

	if (fd >= 0)
		return fd;
	err_sys(err, fd, "mount source %s", m->source);
	/* Locked to it, they would show what they cover (mount_namespaces(7)). */
	if (fd == -EINVAL && !(m->flags & MS_REC))
		err_hint(err, "with mounts below it that belong to another user namespace only rbind is possible");
	return fd;
}

/* What is mounted below it is found one by one, in *below, when not all of it can be idmapped. */
static int clone_bind(const struct mount_item *m, int userns, struct submounts *below, struct error *err)
{
	bool exactly = has_own_maps(m) || (m->shallow && m->idmap);
	const struct mnt_look look = { m->shallow ? 0 : mnt_attrs(m->flags), wanted_propagation(m),
				       m->idmap && !exactly ? userns : -1 };
	auto_fd int fd = clone_source(m, err);
	int r;

	if (fd < 0)
		return fd_steal(&fd);
	r = exactly ? map_exactly(m, fd, userns, err) : 0;
	if (r < 0)
		return r;
	r = mnt_set(fd, true, look.attrs, look.propagation, look.userns);
	/* Put together again as a peer of the source, it would change the source. */
	if (mnt_not_idmappable(r) && look.userns >= 0 && look.propagation) {
		r = submounts_clone(m->source, &look, m->flags & MS_REC ? below : NULL, err);
		if (r < 0)
			return r;
		fd_close(&fd);
		fd = r;
	}
	if (r >= 0)
		r = change_more(m, fd);
	return r < 0 ? err_sys(err, r, "set the options of %s", m->source) : fd_steal(&fd);
}

bool stage_has_source(const struct rootfs_config *c, const struct mount_item *m)
{
	if (!c->direct)
		return true;
	return c->place == ROOTFS_NEW && (m->flags & (MS_SHARED | MS_SLAVE) || has_own_maps(m));
}

int guest_clone_bind(const struct rootfs_config *c, const struct mount_item *m, struct error *err)
{
	/* All in a new namespace is private by now. */
	bool as_it_is = c->place == ROOTFS_NEW && !m->shallow && !m->idmap && !mnt_attrs(m->flags);
	auto_fd int fd = as_it_is ? clone_source(m, err) : clone_bind(m, -1, NULL, err);
	int r;

	if (fd < 0)
		return fd_steal(&fd);
	r = as_it_is ? change_more(m, fd) : 0;
	if (r == 0 && m->flags & MS_UNBINDABLE)
		r = mnt_set(fd, true, 0, MS_UNBINDABLE, -1);
	return r < 0 ? err_sys(err, r, "set the options of %s", m->source) : fd_steal(&fd);
}

static int check_device(int fd, const struct dev_item *d, struct stat *ret_st, struct error *err)
{
	mode_t type = d->type == 'b' ? S_IFBLK : S_IFCHR;

	if (fstat(fd, ret_st) < 0)
		return err_sys(err, -errno, "device %s", d->path);
	if ((ret_st->st_mode & S_IFMT) != type || ret_st->st_rdev != makedev(d->major, d->minor))
		return err_set(err, -ENODEV, "%s is not the device %c %u:%u", d->path, d->type, d->major,
			       d->minor);
	return 0;
}

#define DEVICE_ATTRS (MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC)

int stage_clone_device(const struct dev_item *d, struct error *err)
{
	auto_fd int fd = mnt_clone(AT_FDCWD, d->path, false);
	struct stat st;
	int r;

	if (fd < 0)
		return err_sys(err, fd, "device %s", d->path);
	r = check_device(fd, d, &st, err);
	if (r < 0)
		return r;
	r = mnt_set(fd, false, DEVICE_ATTRS, MS_PRIVATE, -1);
	return r < 0 ? err_sys(err, r, "set the options of %s", d->path) : fd_steal(&fd);
}

struct sources {
	int stage;
	int *fds; /* binds in order, then devices; -1: a missing optional one, a standard device */
	struct submounts *below; /* of each bind */
	size_t n, n_binds;
};

/* A node that is not for all is of no use inside, where the host's root is nobody (a devtmpfs cannot be idmapped). The
 * container gets another one of the same device and mode, which belongs to its root. */
static int own_node(int stage, const char *name, const struct stat *like, uint64_t owner)
{
	auto_fd int fd = -1;
	int r;

	if (mknodat(stage, name, like->st_mode & (S_IFMT | 0777), like->st_rdev) < 0)
		return -errno;
	if (fchownat(stage, name, (uid_t)owner, (gid_t)owner, AT_SYMLINK_NOFOLLOW) < 0 ||
	    fchmodat(stage, name, like->st_mode & 0777, 0) < 0)
		return -errno;
	fd = mnt_clone(stage, name, false);
	if (fd < 0)
		return fd_steal(&fd);
	r = mnt_change(fd, false, 0, MOUNT_ATTR_NODEV);
	if (r == 0)
		r = mnt_set(fd, false, DEVICE_ATTRS, MS_PRIVATE, -1);
	return r < 0 ? r : fd_steal(&fd);
}

static int own_nodes(const struct rootfs_config *c, struct sources *s, struct error *err)
{
	for (size_t i = 0; i < c->devices.n; i++) {
		int *fd = &s->fds[s->n_binds + i], own;
		char name[STAGE_NAME_SIZE];
		struct stat st;

		if (*fd < 0 || fstat(*fd, &st) < 0 || (st.st_mode & 06) == 06)
			continue;
		own = own_node(s->stage, stage_source_name(s->n_binds + i, name), &st, c->id_base);
		/* Inside another container making nodes may be forbidden: then it is as on the host. */
		if (own == -EPERM)
			continue;
		if (own < 0)
			return err_sys(err, own, "make a node for device %s", c->devices.v[i].path);
		fd_close(fd);
		*fd = own;
	}
	return 0;
}

static void sources_done(struct sources *s)
{
	for (size_t i = 0; i < s->n; i++) {
		fd_close(&s->fds[i]);
		submounts_done(&s->below[i]);
	}
	free(s->fds);
	free(s->below);
}

static bool is_staged(int stage, const struct dev_item *d)
{
	int standard = stage_standard_device(d);
	char name[STAGE_NAME_SIZE];

	return standard >= 0 && faccessat(stage, stage_device_name(standard, name), F_OK, 0) == 0;
}

static int clone_all(const struct rootfs_config *c, int userns, struct sources *s, struct error *err)
{
	for (size_t i = 0; i < c->mounts.n; i++) {
		const struct mount_item *m = &c->mounts.v[i];
		int fd = -1;

		if (!mnt_is_source(m))
			continue;
		if (!stage_has_source(c, m)) {
			s->fds[s->n++] = -1;
			continue;
		}
		fd = clone_bind(m, userns, &s->below[s->n], err);
		if (fd < 0 && !m->optional)
			return fd;
		s->fds[s->n++] = MAX(fd, -1);
	}
	s->n_binds = s->n;
	for (size_t i = 0; i < c->devices.n; i++) {
		int fd = -1;

		if (!c->devices.v[i].make && !is_staged(s->stage, &c->devices.v[i])) {
			fd = stage_clone_device(&c->devices.v[i], err);
			if (fd < 0)
				return fd;
		}
		s->fds[s->n++] = fd;
	}
	return 0;
}

int stage_attach(int stage, const char *name, int clone)
{
	struct stat st;
	int r;

	if (fstat(clone, &st) < 0)
		return -errno;
	r = S_ISDIR(st.st_mode) ? mkdirat(stage, name, 0755) : mknodat(stage, name, S_IFREG | 0644, 0);
	if (r < 0 && errno != EEXIST)
		return -errno;
	return mnt_attach(clone, stage, name);
}

static int join_all(const struct sources *s, struct error *err)
{
	for (size_t i = 0; i < s->n_binds; i++) {
		int tree = s->below[i].n ? submounts_join(s->stage, s->fds[i], &s->below[i], err) : -1;

		if (s->below[i].n && tree < 0)
			return tree;
		if (tree >= 0) {
			fd_close(&s->fds[i]);
			s->fds[i] = tree;
		}
	}
	return 0;
}

static int attach_all(const struct sources *s, struct error *err)
{
	char name[STAGE_NAME_SIZE];

	for (size_t i = 0; i < s->n; i++) {
		int r = s->fds[i] >= 0 ? stage_attach(s->stage, stage_source_name(i, name), s->fds[i]) : 0;

		if (r < 0)
			return err_sys(err, r, "attach source %zu", i);
	}
	return 0;
}

int rootfs_stage_sources(const struct rootfs_config *c, int stage, int host_mntns, int userns,
			 struct error *err)
{
	cleanup(visit_done) struct visit visit = { -1, -1 };
	cleanup(sources_done) struct sources s = { .stage = stage };
	struct error back = { 0 };
	int r, r_back;

	s.fds = mem_alloc_n(c->mounts.n + c->devices.n + 1, sizeof(*s.fds));
	s.below = mem_alloc_n(c->mounts.n + c->devices.n + 1, sizeof(*s.below));
	r = visit_begin(&visit, host_mntns, err);
	if (r < 0)
		return r;
	r = clone_all(c, userns, &s, err);
	r_back = visit_end(&visit, &back);
	if (r_back < 0) {
		if (err)
			*err = back;
		return r_back;
	}
	/* An OCI configuration asks for the host's node as it is. */
	if (r == 0 && userns >= 0 && !c->plain)
		r = own_nodes(c, &s, err);
	if (r == 0)
		r = join_all(&s, err);
	if (r == 0)
		r = attach_all(&s, err);
	/* What an optional source had to say is forgotten. */
	if (r == 0)
		err_clear(err);
	return r;
}
