/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef ARNIA_SANDBOX_CONFIG_H
#define ARNIA_SANDBOX_CONFIG_H
/* What one process shall be allowed and look like. Plain data. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "lib/base/mem.h"

struct id_map { /* one line of uid_map(5) */
	uint32_t inside, outside, count;
};
struct sandbox_rlimit {
	uint32_t resource; /* RLIMIT_* */
	uint64_t soft, hard;
	bool best_effort; /* a default, not asked for: as far as the host allows */
};
struct sandbox_sysctl {
	const char *name; /* "net.ipv4.ip_unprivileged_port_start" */
	const char *value;
};
struct sandbox_config {
	uint64_t namespaces; /* CLONE_NEW*; CLONE_NEWTIME by option */
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
};

#endif
