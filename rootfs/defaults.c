/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The standard content of a container's /proc, /sys and /dev: OCI runtime-spec config-linux.md ("Default
 * Filesystems", "Default Devices"), and the paths that Docker (moby oci/defaults.go) and Podman
 * (containers/common) mask. */
#include <sys/mount.h>
#include "lib/base/str.h"
#include "rootfs/internal.h"
#include "rootfs/rootfs.h"

#define HARD (MS_NOSUID | MS_NODEV | MS_NOEXEC)

static const struct mount_item mounts[] = {
	{ .fstype = "proc", .target = "/proc", .flags = HARD },
	/* Before what lies in it: nothing is ever made in the image's own /dev. */
	{ .fstype = "tmpfs",
	  .target = "/dev",
	  .data = "mode=755,size=65536k",
	  .flags = MS_NOSUID | MS_STRICTATIME },
	{ .fstype = "devpts",
	  .target = "/dev/pts",
	  .data = "newinstance,ptmxmode=0666,mode=0620,gid=5",
	  .flags = MS_NOSUID | MS_NOEXEC },
	{ .fstype = "tmpfs",
	  .source = "shm",
	  .target = "/dev/shm",
	  .data = "mode=1777,size=65536k",
	  .flags = HARD },
	{ .fstype = "mqueue", .target = "/dev/mqueue", .flags = HARD, .optional = true },
	{ .fstype = "sysfs", .target = "/sys", .flags = HARD | MS_RDONLY },
	{ .fstype = "cgroup2",
	  .source = "cgroup",
	  .target = "/sys/fs/cgroup",
	  .flags = HARD | MS_RDONLY,
	  .optional = true },
};

#define NODE(name, maj, min) { .path = name, .target = name, .type = 'c', .major = maj, .minor = min }
const struct dev_item standard_devices[] = {
	NODE("/dev/null", 1, 3),
	NODE("/dev/zero", 1, 5),
	NODE("/dev/full", 1, 7),
	NODE("/dev/random", 1, 8),
	NODE("/dev/urandom", 1, 9),
	NODE("/dev/tty", 5, 0),
};
const size_t n_standard_devices = ARRAY_SIZE(standard_devices);

int stage_standard_device(const struct dev_item *d)
{
	for (size_t i = 0; i < n_standard_devices; i++) {
		const struct dev_item *s = &standard_devices[i];

		if (str_eq(d->path, s->path) && d->type == s->type && d->major == s->major &&
		    d->minor == s->minor)
			return (int)i;
	}
	return -1;
}

static const struct link_item links[] = {
	{ "/proc/self/fd", "/dev/fd" },	      { "/proc/self/fd/0", "/dev/stdin" },
	{ "/proc/self/fd/1", "/dev/stdout" }, { "/proc/self/fd/2", "/dev/stderr" },
	{ "pts/ptmx", "/dev/ptmx" },
};

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
};

static const char *const readonly_paths[] = {
	"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger",
};

void rootfs_config_defaults(struct rootfs_config *c, struct arena *a)
{
	for (size_t i = 0; i < ARRAY_SIZE(mounts); i++) {
		struct mount_item *m = arena_push(a, &c->mounts);

		*m = mounts[i];
		m->kind = MOUNT_FS;
		m->create = true;
	}
	for (size_t i = 0; i < n_standard_devices; i++)
		*arena_push(a, &c->devices) = standard_devices[i];
	for (size_t i = 0; i < ARRAY_SIZE(links); i++)
		*arena_push(a, &c->links) = links[i];
	for (size_t i = 0; i < ARRAY_SIZE(masked); i++)
		strv_push(a, &c->masked, masked[i]);
	for (size_t i = 0; i < ARRAY_SIZE(readonly_paths); i++)
		strv_push(a, &c->readonly_paths, readonly_paths[i]);
}
