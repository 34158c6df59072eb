/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>
#include "lib/base/fd.h"
#include "lib/base/path.h"
#include "rootfs/internal.h"

#ifndef MS_NOSYMFOLLOW
#define MS_NOSYMFOLLOW 256
#endif
#ifndef MOUNT_ATTR_NOSYMFOLLOW
#define MOUNT_ATTR_NOSYMFOLLOW 0x00200000
#endif

int mnt_clone(int dirfd, const char *path, bool recursive)
{
	unsigned flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC;
	int fd;

	if (recursive)
		flags |= AT_RECURSIVE;
	if (!*path)
		flags |= AT_EMPTY_PATH;
	fd = open_tree(dirfd, path, flags);
	return fd < 0 ? -errno : fd;
}

int mnt_attach(int mount, int dirfd, const char *path)
{
	unsigned flags = MOVE_MOUNT_F_EMPTY_PATH;

	if (!*path)
		flags |= MOVE_MOUNT_T_EMPTY_PATH;
	return move_mount(mount, "", dirfd, path, flags) < 0 ? -errno : 0;
}

int mnt_set(int mount, bool recursive, uint64_t attr_set, uint64_t propagation, int userns)
{
	struct mount_attr a = { .attr_set = attr_set, .propagation = propagation };

	/* The access time mode is a field of several bits, not a set of flags: it is cleared to be set. */
	if (attr_set & (MOUNT_ATTR_NOATIME | MOUNT_ATTR_STRICTATIME))
		a.attr_clr = MOUNT_ATTR__ATIME;
	if (userns >= 0) {
		a.attr_set |= MOUNT_ATTR_IDMAP;
		a.userns_fd = (uint64_t)userns;
	}
	if (mount_setattr(mount, "", AT_EMPTY_PATH | (recursive ? AT_RECURSIVE : 0), &a, sizeof(a)) < 0)
		return -errno;
	return 0;
}

int mnt_change(int mount, bool recursive, uint64_t attr_set, uint64_t attr_clr)
{
	struct mount_attr a = { .attr_set = attr_set, .attr_clr = attr_clr };

	if ((attr_set | attr_clr) & MOUNT_ATTR__ATIME)
		a.attr_clr |= MOUNT_ATTR__ATIME;
	if (!a.attr_set && !a.attr_clr)
		return 0;
	if (mount_setattr(mount, "", AT_EMPTY_PATH | (recursive ? AT_RECURSIVE : 0), &a, sizeof(a)) < 0)
		return -errno;
	return 0;
}

int mnt_propagate(int mount, uint64_t ms_flags)
{
	uint64_t kind = ms_flags & (MS_SHARED | MS_SLAVE | MS_PRIVATE | MS_UNBINDABLE);

	return kind ? mnt_set(mount, ms_flags & MS_REC, 0, kind, -1) : 0;
}

bool mnt_is_source(const struct mount_item *m)
{
	return m->kind == MOUNT_BIND && !(m->flags & MS_REMOUNT);
}

uint64_t mnt_attrs(uint64_t ms_flags)
{
	static const struct {
		uint64_t ms, attr;
	} table[] = {
		{ MS_RDONLY, MOUNT_ATTR_RDONLY },
		{ MS_NOSUID, MOUNT_ATTR_NOSUID },
		{ MS_NODEV, MOUNT_ATTR_NODEV },
		{ MS_NOEXEC, MOUNT_ATTR_NOEXEC },
		{ MS_NODIRATIME, MOUNT_ATTR_NODIRATIME },
		{ MS_NOATIME, MOUNT_ATTR_NOATIME },
		{ MS_STRICTATIME, MOUNT_ATTR_STRICTATIME },
		{ MS_NOSYMFOLLOW, MOUNT_ATTR_NOSYMFOLLOW },
	};
	uint64_t attrs = 0;

	for (size_t i = 0; i < ARRAY_SIZE(table); i++)
		if (ms_flags & table[i].ms)
			attrs |= table[i].attr;
	return attrs;
}

int mnt_make(const char *source, int target, const char *fstype, unsigned long flags, const char *data)
{
	char path[32];

	return mount(source, path_proc_fd(target, path), fstype, flags, data) < 0 ? -errno : 0;
}

static int set_option(int fs, const char *option)
{
	const char *eq = strchrnul(option, '=');
	char key[32];

	if ((size_t)(eq - option) >= sizeof(key))
		return -EINVAL;
	snprintf(key, sizeof(key), "%.*s", (int)(eq - option), option);
	if (fsconfig(fs, *eq ? FSCONFIG_SET_STRING : FSCONFIG_SET_FLAG, key, *eq ? eq + 1 : NULL, 0) < 0)
		return -errno;
	return 0;
}

int mnt_tmpfs(const char *const *options, uint64_t attrs)
{
	auto_fd int fs = fsopen("tmpfs", FSOPEN_CLOEXEC);
	int r, fd;

	if (fs < 0)
		return -errno;
	for (; *options; options++) {
		r = set_option(fs, *options);
		if (r < 0)
			return r;
	}
	if (fsconfig(fs, FSCONFIG_SET_STRING, "source", "tmpfs", 0) < 0 ||
	    fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return -errno;
	fd = fsmount(fs, FSMOUNT_CLOEXEC, (unsigned)attrs);
	return fd < 0 ? -errno : fd;
}
