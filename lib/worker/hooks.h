/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef ARNIA_WORKER_HOOKS_H
#define ARNIA_WORKER_HOOKS_H
/* Hooks (runtime-spec config.md "POSIX-platform Hooks"): programs of the host's administrator at points of a container's life. */
#include <stddef.h>
#include <sys/types.h>
#include "lib/base/error.h"
#include "lib/sandbox/sandbox_config.h"

/* Where the pid of the container's process is to stand in plan.hook_state: it is not known when the text is made. */
#define HOOK_PID_MARK '\001'
/* Malloc'ed copy of the text with the pid in its place. */
char *hook_state_text(const char *state, pid_t pid);
/* Run it with `state` on its standard input and its own environment and nothing else of ours, in a process group of its own, and wait
 * for its end. Over its time the group is killed (-ETIMEDOUT). A status other than 0 is -ECANCELED, with the last line of what it
 * wrote. */
int hook_run(const struct hook_item *h, const char *state, struct error *err);
/* In order, up to the first that fails; `what` ("createRuntime") and its number stand before the error. */
int hooks_run_all(const struct hook_item *v, size_t n, const char *what, const char *state, struct error *err);

#endif
