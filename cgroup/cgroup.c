/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A cgroup's life: make, open, fill, freeze, kill, remove. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "lib/base/fd.h"
#include "lib/base/file.h"
#include "lib/base/mem.h"
#include "lib/base/path.h"
#include "lib/base/str.h"
#include "cgroup/internal.h"

/* What the kernel calls delegatable (cgroups(7), /sys/kernel/cgroup/delegate); a missing one is skipped. */
static const char *const delegated_files[] = {
	"cgroup.procs", "cgroup.threads", "cgroup.subtree_control", "memory.oom.group", "memory.reclaim",
};

int cg_write(int cg, const char *file, const char *text, struct error *err)
{
	return file_write_ctl_at(cg, file, CGROUP2_SUPER_MAGIC, text, err);
}

long cg_read(int cg, const char *file, char *buf, size_t size)
{
	auto_fd int fd = openat(cg, file, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = read(fd, buf, size - 1);
	if (n < 0)
		return -errno;
	buf[n] = '\0';
	return n;
}

int cg_check_path(const char *path, struct error *err)
{
	const char *part = path;
	bool ok = !str_is_empty(path) && strlen(path) < PATH_MAX;

	while (ok) {
		size_t n = strcspn(part, "/");

		ok = n > 0 && n < 256 && !(n == 1 && part[0] == '.') &&
		     !(n == 2 && part[0] == '.' && part[1] == '.');
		if (!part[n])
			break;
		part += n + 1;
	}
	return ok ? 0
		  : err_set_kind(err, -EINVAL, ERR_USAGE, "cgroup \"%s\": not a plain relative path", path);
}

/* The folder above `path` ("" for the top). */
static char *parent_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? str_dup_n(path, (size_t)(slash - path)) : str_dup("");
}

/* rmdir path and what is above it, `n` folders in all; those that others use by now stay. */
static void remove_made(int root, const char *path, size_t n)
{
	auto_free char *at = str_dup(path);

	while (n-- > 0 && unlinkat(root, at, AT_REMOVEDIR) == 0) {
		char *slash = strrchr(at, '/');

		if (!slash)
			return;
		*slash = '\0';
	}
}

/* mkdir -p, the leaf strictly new; *ret_made counts the folders that were not there. */
static int make_folders(int root, const char *path, size_t *ret_made)
{
	auto_free char *at = str_dup(path);
	size_t made = 0;

	for (char *slash = strchr(at, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (mkdirat(root, at, 0755) == 0) {
			made++;
		} else if (errno != EEXIST) {
			int r = -errno;

			*slash = '\0';
			remove_made(root, at, made);
			return r;
		}
		*slash = '/';
	}
	if (mkdirat(root, path, 0755) < 0) {
		int r = -errno;
		auto_free char *parent = parent_of(path);

		remove_made(root, parent, made);
		return r;
	}
	*ret_made = made + 1;
	return 0;
}

static int make_leaf(int root, const struct cg_config *c, size_t *ret_made, struct error *err)
{
	const char *path = c->path;
	int r = mkdirat(root, path, 0755) == 0 ? 0 : -errno;

	*ret_made = 1;
	if (r == -ENOENT)
		r = make_folders(root, path, ret_made);
	if (r == -EEXIST && c->reuse) {
		*ret_made = 0;
		return 0;
	}
	if (r == -EEXIST)
		return err_set_kind(err, r, ERR_STATE, "cgroup %s exists already", path);
	return r < 0 ? err_sys(err, r, "make cgroup %s", path) : 0;
}

/* A limit on memory alone could be evaded into swap, so swap is closed unless a value was given. */
static struct cg_limits with_swap(const struct cg_limits *l)
{
	struct cg_limits out = *l;

	if (l->memory_max != CG_UNSET && l->memory_max != CG_MAX && l->swap_max == CG_UNSET)
		out.swap_max = 0;
	return out;
}

static int first_limits(int root, int cg, const struct cg_config *c, struct error *err)
{
	struct cg_limits l = with_swap(&c->limits);
	auto_free char *parent = NULL;
	uint32_t missing = 0, have = 0;
	char why[256] = "";
	int r = cg_limits_try(cg, &l, &missing, err);

	if (r < 0 || !missing)
		return r;
	parent = parent_of(c->path);
	r = cg_enable(root, parent, cg_knobs_controllers(missing), &have, why);
	if (r == 0 && have)
		r = cg_limits_try(cg, &l, &missing, err);
	else if (r < 0)
		r = err_sys(err, r, "enable the cgroup controllers");
	return r < 0 ? r : cg_limits_refuse(cg, &l, missing, why, err);
}

/* Controllers first: which of two files is there may depend on them. */
static int first_writes(int root, int cg, const struct cg_config *c, struct error *err)
{
	auto_free char *parent = parent_of(c->path);
	uint32_t missing = 0, have;
	char why[256] = "";
	int r = cg_writes_missing(cg, c->writes.v, c->writes.n, &missing);

	if (r == 0 && missing)
		r = cg_enable(root, parent, missing, &have, why);
	if (r < 0)
		return err_sys(err, r, "enable the cgroup controllers");
	return cg_writes_try(cg, c->writes.v, c->writes.n, why, err);
}

static int first_devices(int cg, const struct cg_config *c, const struct cg_program *p, struct error *err)
{
	if (c->devices.n == 0)
		return 0;
	if (c->reuse)
		return cg_set_devices(cg, c->devices.v, c->devices.n, err);
	return cg_devices_attach(cg, c->devices.v, c->devices.n, p, err);
}

static int delegate(int cg, uint32_t uid, uint32_t gid, struct error *err)
{
	if (fchownat(cg, "", uid, gid, AT_EMPTY_PATH) < 0)
		return err_sys(err, -errno, "delegate to %u:%u", uid, gid);
	for (size_t i = 0; i < ARRAY_SIZE(delegated_files); i++)
		if (fchownat(cg, delegated_files[i], uid, gid, AT_SYMLINK_NOFOLLOW) < 0 && errno != ENOENT)
			return err_sys(err, -errno, "delegate %s to %u:%u", delegated_files[i], uid, gid);
	return 0;
}

/* Nothing is written where processes of others would feel it. */
static int check_unused(int cg, struct error *err)
{
	struct cg_events ev;

	if (cg_read_events(cg, &ev) < 0 || !ev.populated)
		return 0;
	return err_set_kind(err, -EBUSY, ERR_STATE, "processes of others are in it");
}

static int fill(int root, int cg, const struct cg_config *c, const struct cg_program *p, struct error *err)
{
	int r;

	if (!path_fd_is_fs(cg, CGROUP2_SUPER_MAGIC))
		return err_set(err, -EXDEV, "not on a cgroup2 filesystem");
	r = first_limits(root, cg, c, err);
	if (r == 0 && c->writes.n > 0)
		r = first_writes(root, cg, c, err);
	if (r == 0)
		r = first_devices(cg, c, p, err);
	if (r == 0 && c->delegate)
		r = delegate(cg, c->owner_uid, c->owner_gid, err);
	return r;
}

int cg_create(int root, const struct cg_config *c, struct error *err)
{
	return cg_create_with(root, c, NULL, err);
}

int cg_create_with(int root, const struct cg_config *c, const struct cg_program *p, struct error *err)
{
	auto_fd int cg = -1;
	size_t made = 0;
	int r = cg_check_path(c->path, err);

	if (r == 0)
		r = make_leaf(root, c, &made, err);
	if (r < 0)
		return r;
	cg = openat(root, c->path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	r = cg < 0 ? err_sys(err, -errno, "open") : 0;
	if (r == 0 && !made)
		r = check_unused(cg, err);
	if (r == 0)
		r = fill(root, cg, c, p, err);
	if (r < 0) {
		remove_made(root, c->path, made);
		return err_prefix(err, "cgroup %s", c->path), r;
	}
	return fd_steal(&cg);
}

int cg_open(int root, const char *path, struct error *err)
{
	auto_fd int cg = -1;
	int r = cg_check_path(path, err);

	if (r < 0)
		return r;
	cg = openat(root, path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (cg < 0)
		return err_sys(err, -errno, "open cgroup %s", path);
	if (!path_fd_is_fs(cg, CGROUP2_SUPER_MAGIC))
		return err_set(err, -EXDEV, "cgroup %s: not on a cgroup2 filesystem", path);
	return fd_steal(&cg);
}

int cg_add_process(int cg, pid_t pid, struct error *err)
{
	char text[16];

	snprintf(text, sizeof(text), "%d", pid);
	return cg_write(cg, "cgroup.procs", text, err);
}

int cg_freeze(int cg, bool frozen, struct error *err)
{
	return cg_write(cg, "cgroup.freeze", frozen ? "1" : "0", err);
}

int cg_kill(int cg, struct error *err)
{
	return cg_write(cg, "cgroup.kill", "1", err);
}
