/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef TEST_RUN_KEEPER_H
#define TEST_RUN_KEEPER_H
/*
 * A test in the keeper's place: it starts workers (the code of arnia-run in a forked process), gives them
 * jobs, is the parent of what they clone, and looks for what is left behind. Everything lies in a mount and a
 * network namespace of its own, below one folder and one cgroup branch.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdbool.h>
#include <stdint.h>
#include <cmocka.h>
#include "cmd/arnia-run/run.h"
#include "lib/plan/plan.h"

struct world {
	bool ready;   /* false: not root, tests are skipped */
	char dir[64]; /* ARNIA_ROOT */
	char run[80], state[80], rootfs[80];
	char branch[64];
	int cgroup;	  /* top */
	int hostns, init; /* as a worker is given them; init -1 when arnia-init is not built */
	struct net_sockets net;
};
extern struct world world;
int world_setup(void **state);
int world_teardown(void **state);
#define NEED_WORLD()                                                                                         \
	do {                                                                                                 \
		if (!world.ready)                                                                            \
			skip();                                                                              \
	} while (0)

struct fake_worker {
	pid_t pid;
	int sock;
	uint64_t seq;
};
/* fail_at: value of ARNIA_FAIL_AT, or NULL. */
void worker_start(struct fake_worker *w, const char *fail_at);
/* Close its socket and wait; its wait status. */
int worker_end(struct fake_worker *w);

struct answer {	   /* of one job */
	bool died; /* the worker ended instead of answering */
	struct kp_result res;
	char *text; /* progress, then data */
	bool adopted;
	struct kp_container c;
	int pidfd, in, out, err, master;
};
struct give { /* with a job */
	int stdio[3], target;
};
#define GIVE_NONE ((struct give){ { -1, -1, -1 }, -1 })
void job_do(struct fake_worker *w, struct plan *p, const struct give *g, struct answer *ret);
void job_raw(struct fake_worker *w, const struct kp_job *head, const int *fds, size_t nfds,
	     struct answer *ret);
void answer_done(struct answer *a);
#define assert_success(a) assert_string_equal((a)->res.error.text, "")
#define assert_text(text, part)                                                                              \
	do {                                                                                                 \
		if (!strstr((text), (part)))                                                                 \
			fail_msg("\"%s\" is not in:\n%s", (part), (text));                                   \
	} while (0)

/* Plans; freed by the caller with plan_free. */
struct plan *plan_new(enum plan_kind kind, const char *id);
/* A container that runs `sh -c SCRIPT` (busybox), streams to pipes, no network, read-only root. */
struct plan *plan_container(const char *id, const char *script);
void plan_argv(struct plan *p, const char *const *argv);
void plan_layers(struct plan *p);	   /* own writable layer, removed with it */
void plan_net(struct plan *p, unsigned n); /* the nth address */
struct plan *plan_exec_of(const struct plan *start, const char *script);
struct plan *plan_like(const struct plan *start, enum plan_kind kind); /* shallow: freed with free() */

/* Everything until the other end closes; malloc'ed. */
char *read_all(int fd);
/* Wait for an adopted process: its wait status as waitpid(2) has it. */
int adopted_wait(struct answer *a);
/* Nothing of container `p` is left: processes, cgroup, layers, nft elements, link, the worker's mounts. */
void assert_clean(const struct plan *p, const struct answer *a);
size_t count_mounts(pid_t pid);
size_t count_fds(pid_t pid);
/* A worker answers before it has cleaned up: it comes down to `want` a moment later. */
void assert_settles(size_t (*count)(pid_t), pid_t pid, size_t want);

#endif
