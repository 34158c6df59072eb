/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef ARNIA_SANDBOX_CONFIG_H
#define ARNIA_SANDBOX_CONFIG_H
/* What one process shall be allowed and look like. Plain data. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "lib/base/idmap.h"
#include "lib/base/mem.h"

struct sandbox_rlimit {
	uint32_t resource; /* RLIMIT_* */
	uint64_t soft, hard;
	bool best_effort; /* a default, not asked for: as far as the host allows */
};
struct sandbox_sysctl {
	const char *name; /* "net.ipv4.ip_unprivileged_port_start" */
	const char *value;
};
struct sandbox_join { /* a namespace that is there already */
	uint32_t ns; /* CLONE_NEW*, one bit; not in sandbox_config.namespaces */
	const char *path; /* of the host: /proc/PID/ns/net, a bound file; its kind is checked */
};
struct sandbox_sched { /* sched_setattr(2) */
	bool set; /* else all of it is left */
	uint32_t policy; /* SCHED_* */
	int32_t nice;
	uint32_t priority;
	uint64_t flags; /* SCHED_FLAG_* */
	uint64_t runtime, deadline, period; /* ns */
};
struct sandbox_config {
	uint64_t namespaces; /* CLONE_NEW* to be made; CLONE_NEWTIME by option */
	ARRAY_OF(struct sandbox_join) joins;
	ARRAY_OF(struct id_map) uid_maps, gid_maps;
	int64_t time_boot_ns, time_mono_ns; /* offsets, with CLONE_NEWTIME */
	const char *hostname;
	ARRAY_OF(struct sandbox_sysctl) sysctls;
	/* capability sets, bit per CAP_* */
	uint64_t cap_bounding, cap_effective, cap_permitted, cap_inheritable, cap_ambient;
	bool no_new_privs;
	const void *seccomp; /* compiled: array of struct sock_filter, or NULL */
	size_t seccomp_size; /* bytes */
	uint32_t seccomp_flags; /* SECCOMP_FILTER_FLAG_* */
	ARRAY_OF(struct sandbox_rlimit) rlimits;
	int32_t oom_score_adj; /* INT32_MIN = leave */
	bool new_keyring;
	/* What an OCI configuration may ask for besides; all zero = nothing asked. */
	const char *domainname; /* setdomainname(2) */
	bool any_ids; /* the user's ids need not be below rootfs_config.id_count: the kernel judges */
	bool seccomp_listener; /* with SECCOMP_FILTER_FLAG_NEW_LISTENER in the flags: the descriptor goes to the worker */
	bool set_personality;
	uint64_t personality; /* personality(2) */
	struct sandbox_sched sched;
	uint32_t ioprio; /* ioprio_set(2) value; 0 = leave */
	const char *cpus_initial, *cpus_final; /* execCPUAffinity: "0-3,7", or NULL */
	const char *apparmor, *selinux; /* for the program, at its execve(2); NULL = leave */
	uint32_t mempolicy; /* MPOL_* | MPOL_F_*; 0 (MPOL_DEFAULT) = leave */
	const char *mempolicy_nodes; /* "0-1", or NULL */
};
/* One program to run: a container's first, or an exec. */
struct process_config {
	struct strv argv, env; /* PATH in env is what argv[0] is looked up by */
	const char *cwd; /* absolute, inside */
	const char *user; /* "", "USER", "UID", "USER:GROUP", "UID:GID": looked up in the container's own /etc/passwd and group */
	struct strv groups; /* additional, names or numbers */
	uint32_t umask;
	bool tty;
	uint16_t rows, cols;
	bool init; /* arnia-init is PID 1 and argv its child (application mode) */
	uint32_t preserve_fds; /* descriptors 3..3+n-1 of the worker go to the program as they are */
};
/* A program of the host's administrator at a point of a container's life (runtime-spec config.md "POSIX-platform Hooks"). */
struct hook_item {
	const char *path; /* absolute */
	struct strv args; /* argv with argv[0]; empty = {path} */
	struct strv env; /* exactly this */
	uint64_t timeout_ms; /* 0 = none */
};

#endif
