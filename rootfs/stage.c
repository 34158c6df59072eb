/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The stage: a private tmpfs at run/stage of the worker's mount namespace, and in it "guest", a shared mount.
 * Mounts made below "guest" propagate to the child's copy; the layers of overlay lie beside it ("..") and do
 * not.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>
#include "lib/base/fd.h"
#include "rootfs/internal.h"
#include "rootfs/rootfs.h"

const char *stage_source_name(size_t i, char buf[STAGE_NAME_SIZE])
{
	snprintf(buf, STAGE_NAME_SIZE, "s%zu", i);
	return buf;
}

const char *stage_device_name(int standard, char buf[STAGE_NAME_SIZE])
{
	snprintf(buf, STAGE_NAME_SIZE, "d%d", standard);
	return buf;
}

static int open_dir(int dirfd, const char *name)
{
	int fd = openat(dirfd, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

static int make_dir(int dirfd, const char *name)
{
	if (mkdirat(dirfd, name, 0755) < 0)
		return errno == EEXIST ? 0 : -errno;
	/* The child reads it as another user: umask must not matter. */
	return fchmodat(dirfd, name, 0755, 0) < 0 ? -errno : 0;
}

/* tmpfs on run/stage; its O_PATH descriptor. */
static int mount_top(const char *run)
{
	auto_fd int dir = open(run, O_PATH | O_DIRECTORY | O_CLOEXEC), place = -1;
	int r;

	if (dir < 0)
		return -errno;
	r = make_dir(dir, "stage");
	if (r < 0)
		return r;
	place = open_dir(dir, "stage");
	if (place < 0)
		return place;
	r = mnt_make("arnia", place, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=755,size=1m");
	return r < 0 ? r : open_dir(dir, "stage");
}

/* Bind the folder "guest" on itself as a shared mount. */
static int mount_guest(int top)
{
	auto_fd int clone = -1, guest = -1;
	int r = make_dir(top, "guest");

	if (r < 0)
		return r;
	clone = mnt_clone(top, "guest", false);
	if (clone < 0)
		return clone;
	r = mnt_set(clone, false, 0, MS_SHARED, -1);
	if (r == 0)
		r = mnt_attach(clone, top, "guest");
	if (r < 0)
		return r;
	guest = open_dir(top, "guest");
	if (guest < 0)
		return guest;
	/* The guest cannot make folders here: the tmpfs belongs to the host's root. */
	r = make_dir(guest, STAGE_ROOT);
	if (r == 0)
		r = make_dir(guest, STAGE_FILES);
	return r < 0 ? r : fd_steal(&guest);
}

/* Where one is missing or not for all, the start that wants it goes its own way. */
static void stage_devices(int guest)
{
	char name[STAGE_NAME_SIZE];

	for (size_t i = 0; i < n_standard_devices; i++) {
		auto_fd int clone = stage_clone_device(&standard_devices[i], NULL);
		struct stat st;

		if (clone >= 0 && fstat(clone, &st) == 0 && (st.st_mode & 06) == 06)
			(void)stage_attach(guest, stage_device_name((int)i, name), clone);
	}
}

int rootfs_stage(const char *run, struct error *err)
{
	int guest = rootfs_stage_bare(run, err);

	if (guest >= 0)
		stage_devices(guest);
	return guest;
}

int rootfs_stage_bare(const char *run, struct error *err)
{
	auto_fd int top = mount_top(run), guest = -1;

	if (top < 0)
		return err_sys(err, top, "mount the stage in %s", run);
	guest = mount_guest(top);
	if (guest < 0)
		return err_sys(err, guest, "prepare the stage in %s", run);
	if (fchdir(guest) < 0)
		return err_sys(err, -errno, "enter the stage in %s", run);
	return fd_steal(&guest);
}
