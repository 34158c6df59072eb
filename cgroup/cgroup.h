/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef ARNIA_CGROUP_H
#define ARNIA_CGROUP_H
/* cgroup v2, by descriptors (Documentation/admin-guide/cgroup-v2.rst). Every write goes to a descriptor whose
 * filesystem was checked to be cgroup2. */
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include "lib/base/error.h"
#include "cgroup/cgroup_config.h"

/* The cgroup2 mount: /sys/fs/cgroup, or where a hybrid host has it (/sys/fs/cgroup/unified, else by mountinfo).
 * Returns an O_PATH|O_DIRECTORY descriptor of its root. */
int cg_open_root(struct error *err);
/* Our own branch below which everything is made: the caller's current cgroup when `delegated` (systemd Delegate=yes:
 * the unit's cgroup), else the top. Text relative to the mount, no leading slash ("" = top). */
int cg_own_path(char *buf, size_t size, struct error *err);
/* Controllers usable below `path` (bit set of enum cg_controller), enabling them in subtree_control on the way where
 * that is possible. Processes in an inner cgroup prevent it: then the bit is missing and `why` (may be NULL, 256 bytes) says
 * what is in the way. */
int cg_enable(int root, const char *path, uint32_t want, uint32_t *ret_have, char *why);

/* mkdir (parents too), open, write the limits and the list, attach the device program, delegate. All undone on failure.
 * -EEXIST when the leaf is there, unless c->reuse: then -EBUSY (kind STATE) when processes are in it or below, folders that were
 * there stay on failure, with what was written to them by then, and a device program of ours is replaced. Returns the cgroup's O_PATH|O_DIRECTORY descriptor (for CLONE_INTO_CGROUP). */
int cg_create(int root, const struct cg_config *c, struct error *err);
/* A device program that is loaded already, and taken when c->devices are its rules: loading is half the cost of a cgroup, and
 * programs that do the same should be one in memory. `rules` stay the caller's. Taken over from a cgroup that has it, else loaded. */
struct cg_program {
	const struct cg_device *rules;
	size_t n;
	int fd; /* -1 = none */
};
int cg_program_open(const struct cg_device *rules, size_t n, struct cg_program *ret, struct error *err);
void cg_program_close(struct cg_program *p);
int cg_create_with(int root, const struct cg_config *c, const struct cg_program *p /* or NULL */, struct error *err);
int cg_open(int root, const char *path, struct error *err);
/* Change limits of a live cgroup (only knobs that are set). */
int cg_write_limits(int cg, const struct cg_limits *l, struct error *err);
/* Write control files of a live cgroup in order, up to the first that fails, after switching on their controllers above it. Kind
 * UNSUPPORTED when a file is missing and its write not optional, USAGE when the name is not one of a file. */
int cg_write_list(int cg, const struct cg_write *w, size_t n, struct error *err);
/* Replace the device program (exactly one of ours stays attached, at no moment none). n = 0 takes it away. Each kind of
 * access is decided by the last rule that matches the device and speaks of it; what no rule decides is denied. */
int cg_set_devices(int cg, const struct cg_device *rules, size_t n, struct error *err);
int cg_add_process(int cg, pid_t pid, struct error *err);

int cg_freeze(int cg, bool frozen, struct error *err); /* writes; completion is an event in cgroup.events */
int cg_kill(int cg, struct error *err); /* cgroup.kill, 5.14; works on frozen ones */
/* rmdir of the leaf and what the container made below it. -EBUSY while processes live. A missing cgroup is fine. */
int cg_remove(int root, const char *path, struct error *err);

struct cg_events {
	bool populated, frozen;
};
int cg_read_events(int cg, struct cg_events *ret);
/* Descriptor of an inotify instance watching cgroup.events (and memory.events when there): readable on change. */
int cg_watch(int cg, struct error *err);
struct cg_stat {
	uint64_t cpu_usec, mem_bytes, mem_peak, swap_bytes, pids, pids_peak; /* CG_UNSET when the host cannot tell */
	/* Failure counters of *.events. oom_kill counts processes, oom_group_kill (5.17) times that all were killed. */
	uint64_t oom_kill, oom_group_kill, mem_max_hit, pids_max_hit;
};
int cg_read_stat(int cg, struct cg_stat *ret);
/* The text of the files that tell what is used (cpu.stat, memory.current, hugetlb.SIZE.current ...), in the arena. -ENODEV when the
 * cgroup is gone. */
int cg_read_stat_text(int cg, struct arena *a, struct cg_stat_text *ret);
/* The pids in the cgroup and below, at most max; returns the count. */
long cg_read_pids(int cg, pid_t *pids, size_t max);
/* What the kernel has now for each knob that is readable, as "memory.max 536870912" lines. */
struct strbuf;
void cg_print(int cg, struct strbuf *out);
/* Name of the knob's file and of its controller ("memory.max", "memory"); used in messages. */
const char *cg_knob_file(enum cg_knob k);
const char *cg_knob_controller(enum cg_knob k);
/* Which asked knobs cannot be given with these controllers (bit set of CG_ASKED). */
uint32_t cg_limits_missing(const struct cg_limits *l, uint32_t have);

#endif
