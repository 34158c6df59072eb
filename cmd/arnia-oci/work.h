/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef ARNIA_OCI_WORK_H
#define ARNIA_OCI_WORK_H
/* The worker of one create or exec: a child of arnia-oci that takes one plan from it over a socket (frames of lib/base/kproto.h, as between
 * keeper and arnia-run) and enters the container's namespaces, so that arnia-oci itself never does. Standard streams are inherited. */
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include "lib/base/error.h"
#include "lib/plan/plan.h"
#include "lib/worker/worker.h"

/* The worker's side; the exit status. `plain`: its user namespace is the container's, the host's mount namespace is out of reach. */
int work_main(int sock, bool plain);
extern const struct steps work_steps; /* of a create */
#define WORK_ARGUMENT "--worker=" /* arnia-oci --worker=FD: ourselves, sealed */

/* arnia-oci's side. */
enum work_how {
	WORK_FORK, /* as WORK_SEALED when one of `maps` could write to our file */
	WORK_SEALED, /* executed from where its file cannot be written to: root of the container may come near it (CVE-2019-5736) */
	WORK_USERNS, /* in the user namespace that `maps` describe, which the caller has no right above */
	WORK_JOIN, /* the same, in the user namespace of `target` */
};
struct work_start {
	enum work_how how;
	const struct sandbox_config *sandbox; /* the maps of its user namespace, and the oom score */
	int target; /* pidfd, or -1 */
	uint32_t preserve_fds;
};
struct work {
	pid_t pid;
	int pidfd, sock;
};
#define WORK_NONE ((struct work){ .pidfd = -1, .sock = -1 })
/* Before all else: execute ourselves from a sealed copy in memory when a plain user runs a program that is his own. Returns 0 where that is
 * not needed. */
int work_seal_self(char **argv, char **env, struct error *err);
int work_begin(const struct work_start *how, struct work *ret, struct error *err);
/* Send the plan and descriptors: target (pidfd of init), start socket, cgroup; -1 = none. They stay the caller's. */
int work_send(const struct work *w, struct plan *p, int target, int start, int cgroup, struct error *err);
/* Reap it; killed first when it has not said its result. */
void work_end(struct work *w);

#endif
