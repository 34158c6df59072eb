/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The keeper's own mount namespace. Workers and containers copy it, and a copy costs per mount (a start goes
 * from 0.7 to 2.2 ms with 1000 host mounts), so it keeps only what they need. Paths the user names are opened
 * in the host's.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include "cmd/arnia-keeper/keeper.h"
#include "lib/base/fd.h"
#include "lib/base/file.h"
#include "lib/base/log.h"
#include "lib/base/mountinfo.h"
#include "lib/base/str.h"

/* True when path lies at or below dir. */
static bool is_below(const char *path, const char *dir)
{
	const char *rest = str_after(path, dir);

	return rest && (!*rest || *rest == '/' || str_eq(dir, "/"));
}

/* Programs and what package tools need are looked for below these; kept are the mounts on the way to them. */
static bool is_on_the_way(const struct keeper *k, const char *mount)
{
	static const char *const fixed[] = {
		"/proc",      "/sys/fs/cgroup/unified",
		"/dev/pts",   "/dev/shm",
		"/tmp",	      "/var/tmp",
		"/var/cache", "/usr",
		"/etc",	      "/bin",
		"/sbin",      "/lib",
		"/lib64",     "/root",
		/* whose slot is which: arniad looks there again */
		"/run/arnia-slots",
	};
	const char *const own[] = { k->in.run, k->in.state, k->in.lib, k->in.share };

	for (size_t i = 0; i < ARRAY_SIZE(fixed); i++)
		if (is_below(fixed[i], mount))
			return true;
	for (size_t i = 0; i < ARRAY_SIZE(own); i++)
		if (is_below(own[i], mount))
			return true;
	/* Containers or templates on a disk of their own. */
	return is_below(mount, k->in.state);
}

/*
 * By path: all mounts stacked on one path are kept or all go, so it does not matter in which order they are
 * met. What covers parts of /proc and /sys goes too: the kernel lets a user namespace mount them only where
 * they are fully visible (mount_too_revealing in fs/namespace.c). What cannot be detached is left.
 */
static int trim(const struct keeper *k)
{
	auto_free char *text = NULL;
	long n = file_read_at(AT_FDCWD, "/proc/self/mountinfo", MOUNTINFO_MAX, &text, NULL);
	unsigned kept = 0, gone = 0;
	char *at;

	if (n < 0)
		return (int)n;
	/* From the end, so that what lies on top goes first. */
	for (at = text + n; at > text; *at = '\0') {
		struct mountinfo m;

		for (at--; at > text && at[-1] != '\n'; at--)
			;
		if (mountinfo_parse(at, &m) < 0 || is_on_the_way(k, m.point) ||
		    umount2(m.point, MNT_DETACH | UMOUNT_NOFOLLOW) < 0)
			kept++;
		else
			gone++;
	}
	log_debug("mounts: %u detached, %u kept", gone, kept);
	return 0;
}

int mounts_leave_host(struct keeper *k, struct error *err)
{
	auto_fd int host = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);
	int r;

	if (host < 0)
		return err_sys(err, -errno, "open the host's mount namespace");
	if (unshare(CLONE_NEWNS) < 0)
		return err_sys(err, -errno, "make a mount namespace");
	/* From here on detaching does not reach the host. */
	if (mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0)
		return err_sys(err, -errno, "leave the host's mount propagation");
	r = trim(k);
	if (r < 0)
		return err_sys(err, r, "read the mounts");
	/* Private: or every mount the host makes later would come in here. */
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return err_sys(err, -errno, "end mount propagation");
	k->fd.hostns = fd_steal(&host);
	return 0;
}
