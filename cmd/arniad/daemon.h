/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef ARNIA_ARNIAD_DAEMON_H
#define ARNIA_ARNIAD_DAEMON_H
/*
 * arniad: server, policy, plans, jobs, events. One thread. It mounts nothing, speaks no netlink, forks nothing: workers do that (jobs.c), and the keeper holds
 * what containers need. All it knows is on disk (lib/container/store.h) or with the keeper: SIGKILL loses nothing.
 */
#include <stdbool.h>
#include <stdint.h>
#include "cgroup/cgroup.h"
#include "lib/base/error.h"
#include "lib/base/instance.h"
#include "lib/base/json.h"
#include "lib/base/loop.h"
#include "lib/base/proc.h"
#include "lib/base/version.h"
#include "lib/container/keeper.h"
#include "lib/container/lease.h"
#include "lib/container/lifecycle.h"
#include "lib/container/store.h"
#include "lib/plan/build.h"
#include "lib/plan/plan.h"
#include "lib/rpc/rpc.h"
#include "lib/spec/spec.h"


#define POOL_PREFIX 16 /* of an instance's addresses */
#define HASH_SIZE 1024 /* chains; names and ids */

struct daemon;
struct machine;

/* ---- jobs.c: work done by arnia-run through the keeper ---- */
typedef void (*job_fn)(struct daemon *d, const struct kp_result *r, const char *data, void *arg);
typedef void (*job_line_fn)(struct daemon *d, const char *text, void *arg);
struct job_request {
	enum plan_kind kind;
	struct plan *plan; /* encoded here; not kept */
	const void *bytes; /* or an encoded plan */
	size_t size;
	const char *id;
	uint32_t worker, flags;
	int session, stdio[3], target; /* -1 = none; stay the caller's */
	job_fn done; /* always called exactly once, never before job_submit returned 0 */
	job_line_fn line; /* may be NULL */
	void *arg;
};
#define JOB_NONE ((struct job_request){ .session = -1, .stdio = { -1, -1, -1 }, .target = -1 })
int job_submit(struct daemon *d, const struct job_request *q, uint64_t *ret_seq, struct error *err);
/* Before work that a client can ask for without end. */
int jobs_have_room(const struct daemon *d, struct error *err);
void job_cancel(struct daemon *d, uint64_t seq);
bool jobs_result(struct daemon *d, uint64_t seq, const struct kp_result *r, const char *data);
void jobs_progress(struct daemon *d, uint64_t seq, const char *text);
void jobs_fail_all(struct daemon *d, const struct error *why); /* the keeper is gone */
/* -ENOTCONN, kind UNREACHABLE, when there is no keeper. */
int jobs_need_keeper(const struct daemon *d, struct error *err);

/* ---- machines.c: the registry ---- */
typedef void (*op_done)(struct daemon *d, struct machine *m, const struct error *err, void *arg);
struct waiter { /* someone who wants to know when the machine is in one of `phases` (bit set), or gone */
	struct waiter *next;
	uint32_t phases;
	bool removed_only;
	bool acts;
	bool asked; /* somebody's request hangs on it: not longer than there is a keeper to carry it out */
	op_done fn; /* err set: it will not come (removed or failed) */
	void *arg;
};
struct machine {
	struct daemon *daemon;
	struct machine *next, *next_name, *next_id;
	struct machine_config config;
	struct machine_state state;
	struct lease lease;
	struct pidref init;
	int root; /* of one that is killed to be removed, -1 (hold_root) */
	int held[4]; /* duplicates of in, out, err, master for the next keeper; -1 */
	uint32_t held_bits; /* enum kp_fd */
	bool tty, stopping_asked, killed;
	bool told; /* the keeper we are connected to has it */
	bool exited; /* the exit came while starting */
	bool not_run; /* its start failed: what ends then was never its program */
	bool ended; /* the exit came while we got in step: `end` */
	struct kp_exit end;
	bool had_plan; /* when we came: something was begun */
	bool state_lost; /* its state file was not usable */
	uint64_t start_job; /* while it is starting: of this daemon */
	uint64_t orphan_job; /* an earlier arniad's, which is still at it; 0 = none */
	unsigned clean_tries;
	bool removing, cleaning; /* a job of this kind is on its way, which knows the machine by its address */
	bool publish_due; /* its elements may be gone; publish_go_on looks */
	bool publishing, clean_due; /* a job is at that; the clean-up waits for it */
	bool to_remove; /* when it is down: what cleans up takes the folder along */
	bool leaves, folder_gone; /* the clean-up takes the folder along; it has done so */
	struct loop_timer *stop_timer;
	uint64_t stop_due; /* of it, time_mono_ms() */
	struct waiter *waiters;
	int watch_memory, watch_cgroup; /* inotify watches, -1 */
};
#define MACHINE_NAME(m) ((m)->config.spec.name)
struct machine *machine_add(struct daemon *d, struct machine_config *c /* taken */);
void machine_forget(struct daemon *d, struct machine *m); /* from the registry and memory */
struct machine *machine_by_name(struct daemon *d, const char *name);
struct machine *machine_by_id(struct daemon *d, const char *id);
/* Name, id, or unambiguous beginning of the id. NULL with err (NOT_FOUND / USAGE). */
struct machine *machine_find(struct daemon *d, const char *ref, struct error *err);
int machine_rename(struct daemon *d, struct machine *m, const char *name, struct error *err);
void machine_save_state(struct daemon *d, struct machine *m);
/* Move by event; saves, tells waiters. */
int machine_event(struct daemon *d, struct machine *m, enum lifecycle_event e, struct error *err);
void machine_wait(struct machine *m, uint32_t phases, bool removed_only, op_done fn, void *arg);
/* The same for who asked for it: err is set, with -EPIPE, also when the keeper is lost. What was begun goes on with the next one. */
void machine_wait_asked(struct machine *m, uint32_t phases, bool removed_only, op_done fn, void *arg);
/* The same for who will start, stop or remove it then: told after those who only look. */
void machine_wait_to_act(struct machine *m, uint32_t phases, op_done fn, void *arg);
void machine_keeper_lost(struct daemon *d, struct machine *m, const struct error *why);
/* Those who wait for its removal need not any longer. */
void machine_not_removed(struct daemon *d, struct machine *m, const struct error *why);
void machine_unwait(struct machine *m, void *arg); /* drop waiters with this arg */
void machine_drop_fds(struct machine *m);
int machine_cgroup(struct daemon *d, const struct machine *m, struct error *err); /* O_PATH fd */

/* ---- start.c, stop.c, remove.c: what happens to a machine ---- */
struct start_request {
	int session; /* -1 */
	uint16_t rows, cols;
	op_done done;
	void *arg;
};
int machine_start(struct daemon *d, struct machine *m, const struct start_request *q, struct error *err);
/* The machine's part of a start that failed: the reason kept and told. */
void machine_note_failed_start(struct daemon *d, struct machine *m, const char *why);
int machine_stop(struct daemon *d, struct machine *m, uint64_t timeout_ms, int sig, struct error *err);
int machine_kill(struct daemon *d, struct machine *m, int sig, struct error *err);
void machine_exited(struct daemon *d, struct machine *m, const struct kp_exit *x);
/* Undo what the start made, by the kept plan; then STOPPED (and gone, when --rm). `why` NULL or the failure that led here. */
void machine_clean(struct daemon *d, struct machine *m);
/* Remove a stopped machine: its folder by a worker, then its records. done: m is NULL on success. */
int machine_remove(struct daemon *d, struct machine *m, op_done done, void *arg, struct error *err);
/* by_run: its start follows. */
int machine_create(struct daemon *d, const json *spec, bool by_run, struct machine **ret, struct error *err);
int machine_pause(struct daemon *d, struct machine *m, bool pause, struct error *err);

/* ---- publish.c: ports and addresses of those that run ---- */
/* The host ports that a worker tells of, if it does: its words. */
void machine_note_ports(struct machine *m, const char *text);
/* Put back what all that run have in the nft table, one machine after the other; what is there stays. */
void publish_all(struct daemon *d);
void publish_go_on(struct daemon *d); /* one of them may have become ready for it */
/* What it should have in the table, by the answer to PLAN_HOST_CHECK: how many elements are missing. */
size_t publish_missing(const struct machine *m, const char *net);
/* Of the spec's port i: while it runs, the one that was chosen. */
uint16_t machine_host_port(const struct machine *m, size_t i);

/* ---- cells.c: prepared workers ---- */
struct cell {
	uint32_t worker; /* keeper's number */
	uint64_t seq; /* of the job that prepared it */
	struct lease lease;
	bool routed; /* else with a network namespace that has no link */
	char ifname[16];
	uint32_t ifindex;
};
bool cell_take(struct daemon *d, bool routed, struct cell *ret);
void cell_put_back(struct daemon *d, const struct cell *c); /* taken, but not used */
void cells_refill(struct daemon *d);
void cells_forget(struct daemon *d); /* the keeper ended them */
void cells_died(struct daemon *d, uint64_t seq); /* the prepared worker of that job ended by itself */
void cell_names(const struct daemon *d, const struct lease *l, char ifname[16], uint32_t *ifindex);

/* ---- events.c ---- */
struct event_log;
struct event_log *events_open(struct loop *l, const struct instance *in, struct error *err);
void events_close(struct event_log *e);
size_t events_unreadable(const struct event_log *e); /* lines that were torn or garbled before we came */
/* data is consumed, may be NULL. */
void event_emit(struct daemon *d, const char *type, const struct machine *m, const struct rpc_call *by, json *data);

/* ---- profiles.c: compiled seccomp programs ---- */
struct profile {
	struct profile *next;
	char *name; /* or its text */
	uint64_t caps;
	void *program;
	size_t size;
};
int profile_get(struct daemon *d, const char *name_or_json, uint64_t caps, const void **ret, size_t *ret_size, struct error *err);
int profile_confine_self(struct daemon *d, struct error *err);

/* ---- images.c: descriptions of built images ---- */
struct template_desc;
/* Valid until the next call. Of one that is not built: -ENOENT, kind NOT_FOUND, with a hint. */
int image_get(struct daemon *d, const char *name, const struct template_desc **ret, struct error *err);

/* The machine's plan as one of another kind; when it is lost, by what is known without it. *ret_start owns parts of it, as
 * `a` does. -ENOENT: there is nothing. */
int machine_plan(struct daemon *d, struct machine *m, enum plan_kind kind, struct plan **ret_start, struct arena *a,
		 struct plan *ret, struct error *err);

/* ---- watch.c: inotify on cgroup files ---- */
int watch_init(struct daemon *d, struct error *err);
void watch_start(struct daemon *d, struct machine *m);
void watch_stop(struct daemon *d, struct machine *m);

/* Tell what has not been told. */
void watch_check(struct daemon *d, struct machine *m);
/* ---- load.c: what is on disk ---- */
int reconcile_load(struct daemon *d, struct error *err);

/* ---- reconcile.c ---- */
extern const struct keeper_ops reconcile_ops; /* what the keeper tells */

/* ---- output.c ---- */
/* Remember what its output goes through. */
void output_note(struct machine *m);
/* Nobody holds it any more: open it again by the process that writes to it. */
void output_reopen(struct machine *m);

/* ---- remains.c ---- */
/* What can be undone of a machine whose plan is lost: `ret` is a PLAN_DESTROY whose parts are of `a`, `m` and `d`. */
void remains_plan(struct daemon *d, struct machine *m, struct arena *a, struct plan *ret);
/* Undo and remove what nobody owns. */
void remains_sweep(struct daemon *d);
/* Of that only folders that belong to no machine, for when others are at work. */
void remains_sweep_folders(struct daemon *d);

/* ---- facts.c, doctor.c ---- */
/* For PLAN_HOST_*: strings are d's. The interface's name is the beginning of all. */
struct plan host_plan(const struct daemon *d, enum plan_kind kind);
void facts_from_setup(struct daemon *d, const char *text);
json *facts_json(struct daemon *d);
/* `net`: the answer to PLAN_HOST_CHECK; NULL = nobody could look. */
json *doctor_checks(struct daemon *d, const char *net);

/* ---- views.c: JSON of machines ---- */
json *view_machine(const struct machine *m);
json *view_exit(const struct exit_record *x);
void view_add_signal(json *j, int sig); /* as "signal": "KILL", or its number */
json *view_inspect(struct daemon *d, struct machine *m);
char *name_make(struct daemon *d); /* "calm-otter", unused */

struct facts {
	struct plan_facts plan;
	char branch[256];
	char why[512]; /* what keeps controllers away */
	char net_error[512]; /* why there is no network, or empty */
	bool ready;
};
struct stray { /* lent to a machine that is not known (any more): its plan says so */
	struct stray *next;
	char id[ID_LEN + 1];
	struct lease lease;
};
struct bad_file {
	struct bad_file *next;
	char name[64];
	char why[256];
};
struct daemon {
	struct loop *loop;
	struct instance in;
	struct instance_ids ids;
	struct store store;
	struct lease_pool *leases;
	struct keeper *keeper;
	struct rpc_server *rpc;
	int listen_fd, lock_fd, cgroup_root;
	char boot_id[37];
	char version_since[40];
	struct machine *machines;
	struct machine *by_name[HASH_SIZE], *by_id[HASH_SIZE];
	size_t n_machines;
	struct job *jobs;
	size_t n_jobs;
	size_t discarding; /* folders of removed machines that are still being deleted */
	uint64_t next_seq;
	struct facts facts;
	struct event_log *events;
	struct cell *cells;
	size_t n_cells, cells_pending;
	struct loop_timer *refill; /* of cells */
	bool wants_plain; /* somebody starts machines without a network */
	struct profile *profiles;
	struct image *images;
	struct bad_file *bad;
	struct stray *strays;
	bool publishing; /* publish_all is at one of the machines */
	unsigned setup_tries;
	int inotify;
	struct loop_io *inotify_io;
	bool synced_once, shutting_down, tearing_down, torn_again, keeper_told_to_end;
	struct rpc_call *shutdown_call;
};

/* ---- methods (api_*.c): the varlink table ---- */
extern const struct rpc_method api_methods[];
extern const size_t api_methods_n;
void api_version(struct rpc_call *c, void *arg);
void api_list(struct rpc_call *c, void *arg);
void api_inspect(struct rpc_call *c, void *arg);
void api_explain(struct rpc_call *c, void *arg);
void api_create(struct rpc_call *c, void *arg);
void api_start(struct rpc_call *c, void *arg);
void api_run(struct rpc_call *c, void *arg);
void api_stop(struct rpc_call *c, void *arg);
void api_restart(struct rpc_call *c, void *arg);
void api_kill(struct rpc_call *c, void *arg);
void api_pause(struct rpc_call *c, void *arg);
void api_resume(struct rpc_call *c, void *arg);
void api_remove(struct rpc_call *c, void *arg);
void api_wait(struct rpc_call *c, void *arg);
void api_rename(struct rpc_call *c, void *arg);
void api_exec(struct rpc_call *c, void *arg);
void api_attach(struct rpc_call *c, void *arg);
void api_logs(struct rpc_call *c, void *arg);
void api_events(struct rpc_call *c, void *arg);
void api_image_list(struct rpc_call *c, void *arg);
void api_image_info(struct rpc_call *c, void *arg);
void api_image_build(struct rpc_call *c, void *arg);
void api_image_remove(struct rpc_call *c, void *arg);
void api_host_info(struct rpc_call *c, void *arg);
void api_host_doctor(struct rpc_call *c, void *arg);
void api_host_shutdown(struct rpc_call *c, void *arg);
void shutdown_go_on(struct daemon *d); /* something it waited for is over */
/* As json_get_strv, of a list that has bounds. */
int api_names(const json *p, const char *key, struct arena *a, struct strv *ret, struct error *err);
/* Find the machine named by "name" in the parameters, or fail the call and return NULL. */
struct machine *api_machine(struct rpc_call *c, struct daemon *d);

#endif
