/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The standard tree of a container: runtime-spec "Default Filesystems", Docker's and Podman's masked paths.
 */
#include <sys/mount.h>
#include "lib/plan/internal.h"

#define SAFE (MS_NOSUID | MS_NODEV | MS_NOEXEC)

static const struct mount_item base_mounts[] = {
	{ .fstype = "proc", .source = "proc", .target = "/proc", .flags = SAFE, .create = true },
	{ .fstype = "tmpfs",
	  .source = "tmpfs",
	  .target = "/dev",
	  .data = "mode=755,size=65536k",
	  .flags = MS_NOSUID | MS_STRICTATIME,
	  .create = true },
	{ .fstype = "devpts",
	  .source = "devpts",
	  .target = "/dev/pts",
	  .data = "newinstance,ptmxmode=0666,mode=0620,gid=5",
	  .flags = MS_NOSUID | MS_NOEXEC,
	  .create = true },
	{ .fstype = "tmpfs",
	  .source = "shm",
	  .target = "/dev/shm",
	  .data = "mode=1777,size=65536k",
	  .flags = SAFE,
	  .create = true },
	{ .fstype = "mqueue",
	  .source = "mqueue",
	  .target = "/dev/mqueue",
	  .flags = SAFE,
	  .create = true,
	  .optional = true },
};
static const struct mount_item own_sys = {
	.fstype = "sysfs",
	.source = "sysfs",
	.target = "/sys",
	.flags = SAFE | MS_RDONLY,
	.create = true,
};
/* sysfs belongs to a network namespace: who shares the host's cannot mount one (EPERM). */
static const struct mount_item host_sys = {
	.kind = MOUNT_BIND,
	.source = "/sys",
	.target = "/sys",
	.flags = SAFE | MS_RDONLY | MS_REC,
	.create = true,
};
static const struct mount_item cgroup_mount = {
	.fstype = "cgroup2",
	.source = "cgroup",
	.target = "/sys/fs/cgroup",
	.flags = SAFE | MS_RELATIME,
};
/* An init finds /run empty at boot, as on a machine. */
static const struct mount_item run_mount = {
	.fstype = "tmpfs",
	.source = "tmpfs",
	.target = "/run",
	.data = "mode=755,size=65536k",
	.flags = MS_NOSUID | MS_NODEV,
	.create = true,
};

#define NODE(name, maj, min) { .path = name, .target = name, .type = 'c', .major = maj, .minor = min }
static const struct dev_item nodes[] = {
	NODE("/dev/null", 1, 3),
	NODE("/dev/zero", 1, 5),
	NODE("/dev/full", 1, 7),
	NODE("/dev/random", 1, 8),
	NODE("/dev/urandom", 1, 9),
	NODE("/dev/tty", 5, 0),
};

static const struct link_item links[] = {
	{ "/proc/self/fd", "/dev/fd" },	      { "/proc/self/fd/0", "/dev/stdin" },
	{ "/proc/self/fd/1", "/dev/stdout" }, { "/proc/self/fd/2", "/dev/stderr" },
	{ "pts/ptmx", "/dev/ptmx" },
};

/* What tells about the host or its other containers. */
static const char *const masked[] = {
	"/proc/acpi",
	"/proc/asound",
	"/proc/interrupts",
	"/proc/kcore",
	"/proc/keys",
	"/proc/latency_stats",
	"/proc/sched_debug",
	"/proc/scsi",
	"/proc/timer_list",
	"/proc/timer_stats",
	"/sys/devices/virtual/powercap",
	"/sys/firmware",
	"/sys/fs/selinux",
};

static const char *const readonly_paths[] = {
	"/proc/bus",	       "/proc/fs",  "/proc/irq",
	"/proc/sysrq-trigger", "/proc/sys", /* last: a system of its own may set what is its own there */
};

void plan_rootfs_defaults(struct rootfs_config *r, const struct plan_tree *t, struct arena *a)
{
	size_t n_readonly = ARRAY_SIZE(readonly_paths) - (t->image_init ? 1 : 0);
	struct mount_item *cgroup;

	for (size_t i = 0; i < ARRAY_SIZE(base_mounts); i++)
		*arena_push(a, &r->mounts) = base_mounts[i];
	*arena_push(a, &r->mounts) = t->host_net ? host_sys : own_sys;
	cgroup = arena_push(a, &r->mounts);
	*cgroup = cgroup_mount;
	/* To an application it is a view and no more. */
	cgroup->optional = !t->image_init;
	if (t->image_init)
		*arena_push(a, &r->mounts) = run_mount;
	else
		cgroup->flags |= MS_RDONLY;
	for (size_t i = 0; i < ARRAY_SIZE(nodes); i++)
		*arena_push(a, &r->devices) = nodes[i];
	for (size_t i = 0; i < ARRAY_SIZE(links); i++)
		*arena_push(a, &r->links) = links[i];
	for (size_t i = 0; i < ARRAY_SIZE(masked); i++)
		strv_push(a, &r->masked, masked[i]);
	for (size_t i = 0; i < n_readonly; i++)
		strv_push(a, &r->readonly_paths, readonly_paths[i]);
}
