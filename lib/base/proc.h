/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef ARNIA_BASE_PROC_H
#define ARNIA_BASE_PROC_H
/* Processes: never only a pid. */
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include "lib/base/error.h"

struct pidref {
	pid_t pid; /* 0 = none */
	int fd; /* pidfd, -1 = none */
	uint64_t start; /* starttime, clock ticks since boot (proc_pid_stat(5) field 22); 0 = unknown */
};
#define PIDREF_NONE ((struct pidref){ .fd = -1 })
void pidref_done(struct pidref *p);
/* Open by pid and check the start time (0 = do not check): -ESRCH when another process has the pid. */
int pidref_open(pid_t pid, uint64_t start, struct pidref *ret);
int pidref_kill(const struct pidref *p, int sig); /* pidfd_send_signal(2) */
bool pidref_alive(const struct pidref *p); /* poll of the pidfd, no wait */
/* How a process that is not ours ended, as wait(2) has it: while it waits for its parent as a zombie by /proc/PID/stat, once it is
 * reaped by its pidfd, if that was open before (Linux 6.15). -ENODATA: not to be known, or not yet. */
int pidref_wait_status(const struct pidref *p, int *ret);
int proc_start_time(pid_t pid, uint64_t *ret); /* 0 or -errno */
bool proc_is_ending(pid_t pid); /* on its way out, a zombie, or gone: PF_EXITING of field 9 */
int proc_pidfd_open(pid_t pid);
/* The pid of a pidfd as the mounted /proc has it, which may be that of another pid namespace than the caller's (proc_pid_fdinfo(5)). -ESRCH. */
pid_t proc_pid_of(int pidfd);

struct proc_clone {
	uint64_t flags; /* CLONE_NEW*, CLONE_PARENT, ... ; CLONE_PIDFD is implied when ret_pidfd is set */
	int exit_signal; /* 0 with CLONE_PARENT: the caller's is inherited, anything else is EINVAL (clone(2)) */
	int cgroup_fd; /* -1, else CLONE_INTO_CGROUP (Linux 5.7) */
	int *ret_pidfd; /* may be NULL */
};
/* clone3(2), fork-style: 0 in the child, pid in the parent, -errno on failure. */
pid_t proc_clone3(const struct proc_clone *c);
/* A stack for proc_spawn, with a page below it that faults. */
struct proc_stack {
	void *low; /* NULL = none */
	size_t size;
};
int proc_stack_new(size_t size, struct proc_stack *ret); /* 0 or -errno */
void proc_stack_free(struct proc_stack *s);
/* The same, but the child runs fn(arg) on a stack of its own and ends with what that returns. With CLONE_VM it does so in
 * the caller's memory, which saves the copy of it (most of the price of a process); then only one of the two may be in
 * libc at a time (errno and the heap are shared), and what the child allocates stays. Builds with the address sanitizer
 * copy all the same: what the child has to tell is told through shared mappings or descriptors. */
pid_t proc_spawn(const struct proc_clone *c, const struct proc_stack *s, int (*fn)(void *), void *arg);
/* Identity of the running kernel boot (/proc/sys/kernel/random/boot_id), 36 characters. */
int proc_boot_id(char out[37]);
/* Folder of the running program (/proc/self/exe), no trailing slash. */
int proc_self_dir(char *buf, size_t size);
int proc_raise_nofile(void); /* soft limit to the hard one */

/* Definitions newer than Debian 12's headers (linux/pidfd.h, 6.13 and 6.15). */
#ifndef PIDFD_GET_INFO
struct pidfd_info {
	uint64_t mask, cgroupid;
	uint32_t pid, tgid, ppid, ruid, rgid, euid, egid, suid, sgid, fsuid, fsgid;
	int32_t exit_code;
};
#define PIDFD_INFO_EXIT (1UL << 3)
#define PIDFD_GET_INFO _IOWR(0xFF, 11, struct pidfd_info)
#endif

#endif
