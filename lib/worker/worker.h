/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef ARNIA_WORKER_H
#define ARNIA_WORKER_H
/*
 * What carries plans out, without network and images: step lists, the cloned child, the guest's way to its program. Of two programs:
 * arnia-run, which takes its plans from the keeper, and arnia-oci, whose worker takes one from its parent. Nothing is decided
 * here: what is done stands in the plan, and in which order in the step tables at the end of guest_start.c, exec.c and inside.c.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include "cgroup/cgroup.h"
#include "lib/base/error.h"
#include "lib/base/frame.h"
#include "lib/base/initproto.h"
#include "lib/base/kproto.h"
#include "lib/base/proc.h"
#include "lib/base/str.h"
#include "lib/plan/plan.h"
#include "lib/sandbox/sandbox.h"

/* ---- steps.c: work as a list of functions ---- */
struct step {
	const char *name; /* "start:cgroup": what ARNIA_FAIL_AT and --list-steps call it */
	const char *what; /* put before an error's text; NULL = nothing */
	int (*run)(void *ctx, struct error *err);
	void (*undo)(void *ctx); /* also called when `run` itself failed half-way, so it looks at what is
				    there; NULL = nothing */
};
struct steps {
	const struct step *v;
	size_t n;
};
#define STEPS(array) ((struct steps){ (array), ARRAY_SIZE(array) })
/* The beginning of one step: its fault injection. 0 or -errno with err set. */
int step_enter(const struct step *s, struct error *err);
/* Run all in order up to the first failure. *ret_at is the number of steps begun. */
int steps_run(struct steps l, void *ctx, size_t *ret_at, struct error *err);
/* Undo steps [0, at), last one first. */
void steps_undo(struct steps l, void *ctx, size_t at);
const char *step_plain_name(const struct step *s); /* without "start:" */

extern const struct steps guest_steps; /* a start's guest */
extern const struct steps exec_steps, exec_guest_steps;
extern const struct steps exec_inside_steps; /* inside.c */

/* What the worker's children tell it, in a page that all see: one that is killed cannot tell, and one that runs its
 * program has no more to say. */
struct board {
	uint32_t step; /* of the guest: index into its steps */
	uint32_t last_act; /* its next act is execve */
	int32_t error; /* of child_clone's way into a cell: which call failed, and how */
	int32_t failed;
	int32_t pid, pidfd; /* the guest, when another cloned it */
	uint64_t root_id; /* mount id of the root that the guest attached in a namespace of others, until it is the root of all there; 0 */
	int32_t guest_pid; /* as the worker's pid namespace has it; set before GO */
};
struct worker {
	int keeper; /* KW_FD_KEEPER */
	int hostns; /* KW_FD_HOSTNS */
	int init;   /* KW_FD_INIT; -1 when there is none */
	int stage;  /* O_PATH, also the working directory (rootfs_stage) */
	int cgroup; /* top of cgroup2 */
	int pidns;  /* its own, to come back to */
	struct cg_program devices; /* of a start without devices of its own */
	int userns, netns; /* the cell, made by a prepare job; -1 */
	int mntns; /* of a guest that joins one (ROOTFS_JOINED); -1 */
	struct proc_stack guest_stack, enter_stack;
	volatile struct board *board;
	bool staged;	/* a job attached mounts to the stage */
	bool asks;	/* its parent is arnia-oci, which answers KW_ADOPT, KW_HOOKS and KW_LISTENER */
	bool spent;	/* it is where it cannot leave, or half-way there: no further job */
	const char *run; /* folder of the stage; not owned */
};
#define WORKER_NONE                                                                                             \
	((struct worker){ .keeper = -1, .hostns = -1, .init = -1, .stage = -1, .cgroup = -1, .pidns = -1,       \
			  .devices.fd = -1, .userns = -1, .netns = -1, .mntns = -1 })

/* ---- prestart.c: what a worker is before its first job ---- */
/* Undumpable, default signals, umask 022. */
int worker_harden(struct error *err);
/* Kept until the container's execve: nothing inside may look at a process of ours through /proc or ptrace. A change of ids may
 * undo it (proc_sys_fs(5), suid_dumpable = 1). */
int worker_undumpable(struct error *err);
void worker_reset_oom_score(void); /* to 0 */
/* A mount namespace of its own; stacks, shared page, the cgroup tree, the stage. */
int worker_open(struct worker *w, struct error *err);
/* For an exec alone: neither mounts nor the cgroup tree. */
int worker_open_few(struct worker *w, struct error *err);
/* A fresh stage: mounts of the last job go away. */
int worker_restage(struct worker *w, struct error *err);
void worker_drop_cell(struct worker *w);
void worker_done(struct worker *w);

/* ---- job.c ---- */
struct job {
	struct worker *w;
	struct plan *plan;
	uint64_t seq;
	char id[sizeof(((struct kp_job *)0)->id)];
	int stdio[3], target; /* descriptors that came along; -1 */
	int start; /* listening socket of a start that halts; -1 */
	int cgroup; /* where an exec is born, instead of plan.cgroup.path; -1 */
	/* the answer */
	pid_t pid;
	bool left; /* kp_result.left */
	struct strbuf text;
};
/* Send a frame to the keeper. Descriptors stay the caller's. */
int job_send(const struct job *j, enum kp_type type, const void *body, size_t n, const int *fds, size_t nfds);
/* For a worker that asks: wait for KW_GO. -ECANCELED when its parent gave up (which then says why itself). */
int job_await_go(const struct job *j, struct error *err);

/* /proc/PID/ns/user and, with `net`, ns/net. */
int namespaces_open(pid_t pid, bool net, int *ret_userns, int *ret_netns, struct error *err);
int exec_run(struct job *j, struct error *err); /* PLAN_EXEC */

/* ---- stdio.c: descriptors 0, 1, 2 of the program, as start and exec prepare them ---- */
struct stdio {
	int own[3]; /* the program's ends; -1 = /dev/null of the container */
	int far[3]; /* the keeper's ends of pipes; -1 */
	bool lent;  /* own[] belong to the job */
};
#define STDIO_NONE ((struct stdio){ { -1, -1, -1 }, { -1, -1, -1 }, false })
int stdio_prepare(const struct job *j, struct stdio *ret, struct error *err);
void stdio_done(struct stdio *s);

/* ---- child.c: the cloned process, as the worker sees it ---- */
struct child {
	pid_t pid; /* 0 = none */
	int pidfd;
	int report;	  /* worker's end of the report socket */
	int guest_report; /* the child's end, until it is cloned */
	int cgroup;	  /* not owned */
};
#define CHILD_NONE ((struct child){ .pidfd = -1, .report = -1, .guest_report = -1, .cgroup = -1 })
int child_report_open(struct child *c, struct error *err);
/* clone3(2) as a sibling: the keeper is the parent. The guest runs in the worker's memory, so that only one of both may
 * run: it waits for GO first, and then the worker waits for it (child_wait). With `cell` it is born in the worker's. */
struct guest;
int child_clone(struct child *c, uint64_t namespaces, bool cell, struct guest *g, struct error *err);
#define EXEC_MS 30000 /* from the clone to the program, on the slowest of hosts */
/* For an exec by a worker whose parent is a subreaper (PR_SET_CHILD_SUBREAPER, prctl(2)): born in the namespaces of g->target,
 * and where that can be (exec_is_early) with no more rights than the program will have. -ECANCELED: *err says why. */
bool exec_is_early(const struct plan *p);
/* fs.suid_dumpable is 1 (proc(5)): who changes his ids is dumpable until he says otherwise. */
bool ids_make_dumpable(void);
int child_clone_inside(struct child *c, struct guest *g, struct error *err);
/* Tell the keeper, with the pipes' far ends. */
int child_adopt(const struct job *j, const struct child *c, const struct stdio *io, enum kp_role role,
		struct error *err);
/* Let the guest go, and wait until it runs its program (0) or failed (its own words, or how it was killed and where). A
 * console master is passed on. */
int child_go_and_wait(const struct job *j, const struct child *c, struct steps guest, struct error *err);
/* A step of the worker failed: if that is because the guest had ended before, its reason is the one to tell.
 */
void child_last_words(const struct job *j, const struct child *c, struct steps guest, struct error *err);
/* SIGKILL, the whole cgroup too when it may be written (`all`), and wait until nothing of it lives. */
void child_end(struct child *c, bool all);
void child_done(struct child *c);
/* Wait, at most ms, until no process lives in the cgroup: by its events, no polling. -ETIMEDOUT. */
int cgroup_wait_empty(int cg, unsigned ms, struct error *err);

/* ---- allow.c ---- */
/* What a plan asks for that only host root can give: higher hard limits, a lower OOM score, clocks. The
 * worker takes it for itself before the clone, the child inherits it, and it is given back so that no later
 * job inherits it too. */
struct allowance {
	uint32_t raised;   /* bit per RLIMIT_* */
	uint64_t hard[16]; /* of those, what it was */
	bool oom_score;
	int time_home; /* the worker's own time namespace; -1 = not left */
};
#define ALLOWANCE_NONE ((struct allowance){ .time_home = -1 })
int allowance_take(const struct plan *p, struct allowance *ret, struct error *err);
void allowance_return(struct allowance *a);

/* ---- guest.c, guest_start.c: the child ---- */
/* GUEST_MAGIC and GUEST_NO_EXEC are of lib/base/initproto.h. */
enum guest_frame {
	GUEST_GO = 1,
	GUEST_MASTER,
	GUEST_ERROR,
	GUEST_HOOKS = GUEST_NO_EXEC + 1, /* waits for GO */
	GUEST_LISTENER, /* body: int32_t, the number of the descriptor in the guest; waits for GO */
	GUEST_HALTED, /* waits at its start socket; the worker's part is done */
};
/* Between a `start` and a guest that halts: one connection of the start socket. GO is sent, then the end of the connection says
 * that the program runs; else an error frame comes first (GUEST_ERROR). -ECONNREFUSED, -ECONNRESET: it ended before it had heard of it. */
int guest_release(int start_dir, const char *name, struct error *err);
struct guest {
	struct worker *w;
	const struct plan *plan;
	struct steps steps;
	int far_report; /* the worker's end: open here as well it would keep the socket alive */
	int report;
	int io[3];
	int target; /* exec: pidfd of the container's init */
	bool joined; /* exec: it was born in all but the cgroup namespace */
	bool early; /* exec: exec_inside_steps */
	int start; /* of a start that halts: its listening socket */
	int root;   /* O_PATH of the container's root; of an exec -1 until it is entered, unless that takes a chroot (ROOTFS_HERE) */
	int slave;  /* of the console, until it is taken */
	struct sandbox_user user;
	char *home, **env, **argv; /* kept for the worker, which frees what its guest could not */
	char program[4096];
	bool plain; /* it will run: arnia-init need not tell whether it did */
};
#define GUEST_NONE                                                                                           \
	((struct guest){ .far_report = -1, .report = -1, .io = { -1, -1, -1 }, .target = -1, .start = -1, .root = -1, .slave = -1 })
/* Runs the steps; the last one is execve. Never returns: for proc_spawn. */
int guest_run(void *guest);
/* By the worker, when the guest is gone or runs its program. */
void guest_done(struct guest *g);

/* Tell the worker, or who starts a guest that halted. */
void guest_report(const struct guest *g, enum guest_frame type, const struct error *err);
/* The error in a GUEST_ERROR frame; returns its code. */
int guest_take_error(const struct frame *f, struct error *err);
int guest_halt(void *ctx, struct error *err); /* halt.c */

/* What to say when `program` could not be executed; returns `error`. */
int guest_exec_failed(const char *program, int error, struct error *err);
/* Steps that start and exec share (guest.c). */
int guest_forget(void *ctx, struct error *err);
int guest_go(void *ctx, struct error *err);
int guest_join(void *ctx, struct error *err); /* exec.c */
int guest_ids(void *ctx, struct error *err);
int guest_console(void *ctx, struct error *err);
int guest_stdio(void *ctx, struct error *err);
int guest_keyring(void *ctx, struct error *err);
int guest_rlimits(void *ctx, struct error *err);
int guest_sched(void *ctx, struct error *err);
int guest_label(void *ctx, struct error *err);
int guest_user(void *ctx, struct error *err);
int guest_cwd(void *ctx, struct error *err);
int guest_seccomp_early(void *ctx, struct error *err);
int guest_seccomp_listener(void *ctx, struct error *err);
int guest_caps(void *ctx, struct error *err);
int guest_program(void *ctx, struct error *err);
int guest_no_new_privs(void *ctx, struct error *err);
int guest_close(void *ctx, struct error *err);
int guest_seccomp(void *ctx, struct error *err);
int guest_exec(void *ctx, struct error *err);

#endif
