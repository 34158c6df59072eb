/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The root mount. The layers are idmapped clones, so that files lie on disk with the ids that the container
 * sees; overlay itself belongs to the initial user namespace. What decides the shape of this file:
 * - Linux before 6.5 wants layers attached in the caller's mount namespace while overlay is created, and
 * knows only lowerdir=A:B. They are attached beside the stage and named relative to the working directory,
 * because a string of fsconfig(2) has 255 bytes at most. They stay there: taking each off costs a grace
 * period, and the worker's namespace ends with the worker.
 * - Overlay does its own work with the credentials of FSCONFIG_CMD_CREATE. Ids that the mapping does not know
 * cannot own files (EOVERFLOW) and overlay then mounts read-only without an error, so they have to be those
 * of container root.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/capability.h>
#include <stdio.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "lib/base/fd.h"
#include "lib/base/path.h"
#include "lib/base/str.h"
#include "rootfs/internal.h"
#include "rootfs/rootfs.h"

#define FSCONFIG_STRING_MAX 255 /* strndup_user() in fs/fsopen.c */

/* ---- layers ---- */

/* Detached, idmapped clone of the folder `path`. */
static int layer_clone(const char *path, int userns, uint64_t attrs, struct error *err)
{
	auto_fd int fd = mnt_clone(AT_FDCWD, path, false);
	struct stat st;
	int r;

	if (fd < 0)
		return err_sys(err, fd, "layer %s", path);
	if (fstat(fd, &st) < 0)
		return err_sys(err, -errno, "layer %s", path);
	if (!S_ISDIR(st.st_mode))
		return err_sys(err, -ENOTDIR, "layer %s", path);
	r = mnt_set(fd, false, attrs, MS_PRIVATE, userns);
	if (r == -EINVAL && userns >= 0) {
		err_set_kind(err, r, ERR_UNSUPPORTED, "layer %s: its filesystem cannot be idmapped", path);
		err_hint(err, "keep the state on ext4, xfs or btrfs");
		return r;
	}
	return r < 0 ? err_sys(err, r, "idmap layer %s", path) : fd_steal(&fd);
}

static int layer_attach(int top, const char *name, int clone, struct error *err)
{
	int r = mkdirat(top, name, 0700) < 0 && errno != EEXIST ? -errno : 0;

	if (r == 0)
		r = mnt_attach(clone, top, name);
	return r < 0 ? err_sys(err, r, "attach layer %s", name) : 0;
}

static int make_dir(int dirfd, const char *name, mode_t mode)
{
	if (mkdirat(dirfd, name, mode) < 0)
		return errno == EEXIST ? 0 : -errno;
	return fchmodat(dirfd, name, mode, 0) < 0 ? -errno : 0;
}

/* Split the absolute path into folder and last part. */
static int split(const char *path, char dir[4096], const char **ret_name)
{
	const char *slash = strrchr(path, '/');

	if (!slash || slash == path || !slash[1] || (size_t)(slash - path) >= 4096)
		return -EINVAL;
	memcpy(dir, path, (size_t)(slash - path));
	dir[slash - path] = '\0';
	*ret_name = slash + 1;
	return 0;
}

struct upper {
	char dir[4096]; /* holds both: overlay wants them on one mount */
	const char *upper, *work;
};

static int upper_split(const struct rootfs_config *c, struct upper *u, struct error *err)
{
	char work_dir[4096];
	int r = split(c->upper, u->dir, &u->upper);

	if (r == 0)
		r = c->work ? split(c->work, work_dir, &u->work) : -EINVAL;
	if (r == 0 && !str_eq(u->dir, work_dir))
		r = -EINVAL;
	return r < 0 ? err_set(err, r, "upper and work must be absolute and lie in one folder") : 0;
}

/* The folder is 0700: what a container makes setuid lies in it with the host's ids. */
static int upper_make(const struct upper *u, struct error *err)
{
	auto_fd int dir = -1;
	int r = make_dir(AT_FDCWD, u->dir, 0700);

	if (r < 0)
		return err_sys(err, r, "make %s", u->dir);
	dir = open(u->dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return err_sys(err, -errno, "open %s", u->dir);
	r = make_dir(dir, u->upper, 0755);
	if (r == 0)
		r = make_dir(dir, u->work, 0700);
	return r < 0 ? err_sys(err, r, "make the layer in %s", u->dir) : 0;
}

/* ---- the filesystem ---- */

struct overlay {
	const struct rootfs_config *c;
	int top; /* folder of the attached layers: lower layers "1", "2", ..., upper and work in "0" */
	int userns;
	int fs;	   /* fsopen(2) */
	bool each; /* lower layers were named one by one */
};

static int attach_layer(const struct overlay *o, const char *path, size_t i, struct error *err)
{
	auto_fd int fd = layer_clone(path, o->userns, i ? MOUNT_ATTR_RDONLY : 0, err);
	char name[16];

	if (fd < 0)
		return fd_steal(&fd);
	snprintf(name, sizeof(name), "%zu", i);
	return layer_attach(o->top, name, fd, err);
}

/* The upper layer last: a missing layer leaves nothing made. */
static int attach_layers(const struct overlay *o, const struct upper *u, struct error *err)
{
	for (size_t i = 0; i < o->c->lower.n; i++) {
		int r = attach_layer(o, o->c->lower.v[i], i + 1, err);

		if (r < 0)
			return r;
	}
	if (u) {
		int r = upper_make(u, err);

		return r < 0 ? r : attach_layer(o, u->dir, 0, err);
	}
	return 0;
}

/* What the filesystem wrote into its context about the last failure ("e overlay: text", fsopen(2)). */
static int fs_error(int fs, int code, const char *what, struct error *err)
{
	char text[256];
	ssize_t n = read(fs, text, sizeof(text) - 1);

	if (n <= 2)
		return err_sys(err, code, "%s", what);
	text[n] = '\0';
	text[strcspn(text, "\n")] = '\0';
	return err_sys(err, code, "%s: %s", what, text + 2);
}

static int set_string(const struct overlay *o, const char *key, const char *value, struct error *err)
{
	if (fsconfig(o->fs, FSCONFIG_SET_STRING, key, value, 0) < 0)
		return fs_error(o->fs, -errno, key, err);
	return 0;
}

static int too_many(const struct overlay *o, struct error *err)
{
	err_clear(err);
	return err_set_kind(err, -EINVAL, ERR_UNSUPPORTED, "%zu layers: this kernel takes fewer",
			    o->c->lower.n);
}

/* More layers than one string can name: Linux 6.8 takes them one by one; before 6.5 it refuses only later. */
static int set_lower_each(struct overlay *o, struct error *err)
{
	o->each = true;
	char name[16];

	for (size_t i = 1; i <= o->c->lower.n; i++) {
		snprintf(name, sizeof(name), "%zu", i);
		if (fsconfig(o->fs, FSCONFIG_SET_STRING, "lowerdir+", name, 0) < 0)
			return too_many(o, err);
	}
	return 0;
}

static int set_lower(struct overlay *o, struct error *err)
{
	struct strbuf names = { 0 };
	int r;

	for (size_t i = 1; i <= o->c->lower.n; i++)
		strbuf_addf(&names, "%s%zu", i > 1 ? ":" : "", i);
	r = names.len > FSCONFIG_STRING_MAX ? set_lower_each(o, err)
					    : set_string(o, "lowerdir", strbuf_cstr(&names), err);
	strbuf_done(&names);
	return r;
}

/* A layer of a stranger must not name folders of other layers (trusted.overlay.redirect, .metacopy). */
static int set_options(struct overlay *o, const struct upper *u, struct error *err)
{
	static const char *const options[][2] = {
		{ "source", "overlay" },
		{ "redirect_dir", "nofollow" },
		{ "metacopy", "off" },
		{ "index", "off" },
	};
	char text[NAME_MAX + 3];
	int r = set_lower(o, err);

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(options); i++)
		r = set_string(o, options[i][0], options[i][1], err);
	if (r < 0 || !u)
		return r;
	snprintf(text, sizeof(text), "0/%s", u->upper);
	r = set_string(o, "upperdir", text, err);
	if (r < 0)
		return r;
	snprintf(text, sizeof(text), "0/%s", u->work);
	r = set_string(o, "workdir", text, err);
	if (r < 0 || !o->c->throwaway)
		return r;
	/* fsync(2) inside does nothing then, and upper cannot be mounted again. */
	return fsconfig(o->fs, FSCONFIG_SET_FLAG, "volatile", NULL, 0) < 0 ? fs_error(o->fs, -errno, "volatile", err) : 0;
}

struct cap_state {
	struct __user_cap_header_struct head;
	struct __user_cap_data_struct data[2];
};

static int caps_get(struct cap_state *ret)
{
	*ret = (struct cap_state){ .head.version = _LINUX_CAPABILITY_VERSION_3 };
	return syscall(SYS_capget, &ret->head, ret->data) < 0 ? -errno : 0;
}

static int caps_set(struct cap_state *c)
{
	return syscall(SYS_capset, &c->head, c->data) < 0 ? -errno : 0;
}

/* setfsuid(2) has no error: asking with an impossible id tells what is set. */
static bool set_fsids(uid_t uid, gid_t gid)
{
	setfsgid(gid);
	setfsuid(uid);
	return (gid_t)setfsgid((gid_t)-1) == gid && (uid_t)setfsuid((uid_t)-1) == uid;
}

/* FSCONFIG_CMD_CREATE as container root. setfsuid drops the filesystem capabilities from the effective set,
 * hence capset after it. */
static int create_as(int fs, uint64_t id, struct error *err)
{
	uid_t uid = (uid_t)setfsuid((uid_t)-1);
	gid_t gid = (gid_t)setfsgid((gid_t)-1);
	struct cap_state saved, all;
	int r = caps_get(&saved);

	if (r < 0)
		return err_sys(err, r, "read capabilities");
	all = saved;
	for (int i = 0; i < 2; i++)
		all.data[i].effective = all.data[i].permitted;
	if (!set_fsids((uid_t)id, (gid_t)id))
		r = err_sys(err, -EPERM, "become container root on the filesystem");
	if (r == 0 && (r = caps_set(&all)) < 0)
		err_sys(err, r, "raise capabilities");
	if (r == 0 && fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		r = fs_error(fs, -errno, "mount overlay", err);
	if ((!set_fsids(uid, gid) || caps_set(&saved) < 0) && r == 0)
		r = err_sys(err, -EPERM, "come back from the ids of container root");
	return r;
}

static int check_writable(int mount, struct error *err)
{
	struct statvfs sv;

	if (fstatvfs(mount, &sv) < 0)
		return err_sys(err, -errno, "look at overlay");
	if (!(sv.f_flag & ST_RDONLY))
		return 0;
	err_set(err, -EROFS, "overlay came up read-only");
	err_hint(err, "the kernel log says why");
	return -EROFS;
}

/* Called with the folder of the layers as working directory. Returns the detached mount. */
static int overlay_make(struct overlay *o, const struct upper *u, struct error *err)
{
	uint64_t attrs = MOUNT_ATTR_NODEV | (u ? 0 : MOUNT_ATTR_RDONLY);
	auto_fd int fs = fsopen("overlay", FSOPEN_CLOEXEC), mount = -1;
	int r;

	if (fs < 0) {
		r = err_set_kind(err, -errno, ERR_UNSUPPORTED, "overlay: %s", strerror(errno));
		err_hint(err, "modprobe overlay");
		return r;
	}
	o->fs = fs;
	r = set_options(o, u, err);
	if (r == 0)
		r = create_as(fs, o->c->id_base, err);
	if (r < 0)
		return r == -EINVAL && o->each ? too_many(o, err) : r;
	mount = fsmount(fs, FSMOUNT_CLOEXEC, (unsigned)attrs);
	if (mount < 0)
		return err_sys(err, -errno, "mount overlay");
	r = u ? check_writable(mount, err) : 0;
	return r < 0 ? r : fd_steal(&mount);
}

static int overlay_root(const struct rootfs_config *c, int stage, int userns, struct error *err)
{
	auto_fd int top = openat(stage, "..", O_PATH | O_DIRECTORY | O_CLOEXEC);
	auto_fd int cwd = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct overlay o = { .c = c, .top = top, .userns = userns };
	struct upper u;
	int r = 0;

	if (top < 0 || cwd < 0)
		return err_sys(err, -errno, "open the stage");
	if (c->upper)
		r = upper_split(c, &u, err);
	if (r == 0)
		r = attach_layers(&o, c->upper ? &u : NULL, err);
	if (r < 0)
		return r;
	if (fchdir(top) < 0)
		return err_sys(err, -errno, "enter the folder of the layers");
	r = overlay_make(&o, c->upper ? &u : NULL, err);
	if (fchdir(cwd) < 0 && r >= 0) {
		close(r);
		return err_sys(err, -errno, "leave the folder of the layers");
	}
	return r;
}

int rootfs_mount_root(const struct rootfs_config *c, int stage, int userns, struct error *err)
{
	auto_fd int mount = -1;
	int r;

	if (c->lower.n == 0)
		return err_set(err, -EINVAL, "no layer given");
	if (c->plain)
		mount = plain_root(c->lower.v[0], err);
	else if (!c->upper && c->lower.n == 1)
		mount = layer_clone(c->lower.v[0], userns, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NODEV, err);
	else
		mount = overlay_root(c, stage, userns, err);
	if (mount < 0)
		return mount;
	r = mnt_attach(mount, stage, STAGE_ROOT);
	return r < 0 ? err_sys(err, r, "attach the root") : fd_steal(&mount);
}

int rootfs_remove_layers(const char *dir, struct error *err)
{
	static const char *const names[] = { "work", "upper" };
	auto_fd int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int first = 0;

	if (fd < 0)
		return errno == ENOENT ? 0 : err_sys(err, -errno, "open %s", dir);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		int r = path_rmtree_at(fd, names[i]);

		if (r < 0 && r != -ENOENT && first == 0)
			first = err_sys(err, r, "remove %s/%s", dir, names[i]);
	}
	return first;
}
