/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef ARNIA_KEEPER_H
#define ARNIA_KEEPER_H
/*
 * The keeper: parent of every container's first process, of arniad and of the workers. One thread, one loop.
 * It parses nothing but fixed frames (lib/base/kproto.h) and files of fixed records that it wrote itself.
 */
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include "lib/base/error.h"
#include "lib/base/frame.h"
#include "lib/base/instance.h"
#include "lib/base/kproto.h"
#include "lib/base/loop.h"
#include "lib/base/mem.h"
#include "lib/base/session.h"

#define KEEPER_VERSION (0u << 16 | 1u << 8 | 0u)
#define ROOM_FDS 16 /* in reserve */
#define STRANGERS 16 /* remembered ends of children nobody had told of */

struct keeper;
struct held;

/* Bytes that could not be passed on at once. */
struct chunk {
	uint8_t *bytes;
	uint32_t at, len; /* [at, len) is still to go; len 0 = nothing waits */
};

/* One attached client. While `out` waits, its process's output is not read; while `in` waits, the client is
 * not. */
struct session {
	struct session *next;
	struct held *held;
	struct loop_io *io;
	struct loop_timer *late; /* set while `out` waits */
	int fd;
	bool input; /* what it sends goes to stdin or the console */
	bool last; /* nothing follows `out` */
	bool left; /* its client is gone, and `in` is still to be delivered */
	struct chunk out, in;
};

enum { PORT_OUT, PORT_ERR, PORT_IN, PORTS };
/* Our end of a pipe; PORT_OUT is the console's master on a tty, then also for input. */
struct port {
	struct held *held;
	struct loop_io *io; /* NULL until something was waited for */
	int fd;
};

/* A process that was adopted: a container's first, or an exec's. About 400 bytes with its two loop entries.
 */
struct held {
	struct keeper *k;
	struct kp_container c; /* c.fds is filled in when it is sent */
	int pidfd;
	uint32_t blocked; /* sessions whose socket is full */
	struct port port[PORTS];
	struct session *sessions;
	struct loop_io *pid_io; /* only when it is not our child */
	struct loop_timer *timer; /* of `resting`, or of an exit whose status is not known yet */
	uint64_t window_ms; /* start of the rate window */
	uint32_t window_bytes;
	uint32_t dropped; /* bytes the log lost since its last record */
	int32_t code, status; /* as kp_exit */
	uint64_t exit_ns;
	bool foreign : 1; /* given back by arniad after a keeper died: another is its parent */
	bool starting : 1; /* its job has not ended: the exit is not told before the job's result */
	bool failed : 1; /* its job failed: no exit record */
	bool exited : 1;
	bool settling : 1; /* what is left in its pipes is being read */
	bool done : 1; /* exited, and all output was passed on */
	bool forgotten : 1;
	bool resting : 1; /* over its rate: not read until the window ends */
	bool new_log : 1; /* a dead keeper may have left half a record: begin another file */
};

/* Small and dense, so that looking through a thousand costs a few cache lines. */
struct slot {
	uint64_t hash; /* of the id */
	pid_t pid; /* 0 when it is no living child of ours */
	struct held *held;
};

enum worker_state {
	WORKER_STARTING, /* until KW_READY */
	WORKER_IDLE,
	WORKER_BUSY,
	WORKER_KEPT, /* prepared: waits for the job that names it */
	WORKER_ENDING, /* gave its result and takes no other, unless it says KW_READY */
};
struct worker_rec { /* plain: travels through a re-exec */
	pid_t pid;
	int fd, pidfd;
	uint32_t number, state, kind, flags; /* kind and flags of its job */
	uint64_t seq;
	int session; /* of its job, until a child is adopted */
	bool cancelled;
	bool dying; /* killed by us: takes no job */
	char id[sizeof(((struct kp_job *)0)->id)];
};
struct worker {
	struct worker_rec r;
	struct worker *next;
	struct keeper *k;
	struct loop_io *io;
	struct held *child; /* adopted by the job it is at */
	bool no_room; /* what it sent could not be received */
};

struct job {
	struct job *next;
	uint64_t seq;
	struct kp_job body;
	int fds[6];
	size_t nfds;
	int session;
};

struct out; /* a frame that waits for arniad to read */

struct daemon_rec { /* plain: travels through a re-exec */
	pid_t pid; /* of arniad, 0 = none known */
	int pidfd;
	bool child; /* ours; else one that survived an earlier keeper */
	int conn; /* -1 = not connected */
	bool greeted; /* KP_HELLO came over this connection */
	pid_t hello_pid; /* who said it last */
	uint32_t delay_ms; /* before the next start */
};
struct daemon {
	struct daemon_rec r;
	uint64_t started_ms;
	struct loop_io *pid_io, *conn_io, *accept_io;
	struct loop_timer *restart;
	struct out *out, **out_end;
	uint32_t waiting;
};

struct keeper_fds { /* for life; plain: travels through a re-exec */
	int lock, hostns, init, containers, exits, cgroup, keeper_sock, client_sock, service_sock;
};

struct keeper {
	struct loop *loop;
	struct instance in;
	struct keeper_fds fd;
	struct daemon daemon;
	struct slot *slots;
	size_t nslots, slots_cap;
	struct worker *workers;
	struct job *jobs, **jobs_end;
	struct loop_timer *refill, *trim;
	uint32_t njobs, spares, next_worker, worker_failures;
	int room[ROOM_FDS];
	size_t nroom;
	uint64_t orphans; /* jobs renumbered so far */
	struct {
		pid_t pid;
		int code, status;
	} strangers[STRANGERS];
	uint32_t next_stranger;
	struct loop_io *service_io;
	struct visitor *visitors; /* who asked by run/service.sock */
	bool closing, reexec, foreground, inherited_sock;
	bool at_rest; /* its service was stopped: only what runs is held */
	bool starting; /* nobody was told of readiness yet */
	int ready_fd, notify_fd; /* who is to be told; -1 */
	uint8_t buf[1 + SESSION_DATA]; /* one message on its way; never kept between callbacks */
};

/* setup.c: becoming the keeper */
/* One keeper per instance. 1 = it is us, 0 = another one serves (and has finished starting), or -errno. */
int setup_lock(struct keeper *k, struct error *err);
/* Starting is over: let those in who wait in setup_lock. */
void setup_unlock_start(struct keeper *k);
/* Fork away from the caller, log to run/log/keeper.log. The parent exits: at once when ready_fd is given,
 * else when the child is ready. Returns the descriptor to be told of readiness. */
int setup_daemonise(struct keeper *k, int ready_fd, struct error *err);
void setup_rotate_log(const struct keeper *k);
/* Subreaper, OOM score, descriptors; leave the caller's cgroup. What the host refuses is left as it is. */
void setup_process(struct keeper *k);
/* Out of the service's own cgroup, into the leaf hold/ below it. */
int setup_hold_cgroup(void);
/* Go back to the cgroup above and remove ours, as far as nobody is in them. */
void setup_leave_cgroup(struct keeper *k);
int setup_descriptors(struct keeper *k, struct error *err);
/* Bind run/NAME; the client socket is given to the group arnia when there is one. */
int setup_listen_keeper(struct keeper *k, struct error *err);
int setup_listen_clients(struct keeper *k, struct error *err);

/* inherit.c: what the caller had is not what all we start shall have. What the host refuses is left and logged. */
void inherit_reset_limits(void); /* and the user */
void inherit_reset_scheduling(void);

/* mounts.c: a mount namespace of its own, with only the mounts needed, and a descriptor of the host's in
 * k->fd.hostns. */
int mounts_leave_host(struct keeper *k, struct error *err);

/* spawn.c */
struct spawn {
	const char *program; /* in instance.lib */
	const int *fds; /* become 3, 4, ... */
	size_t nfds;
	int cgroup; /* -1 = stay in ours */
	bool listen; /* LISTEN_FDS for descriptor 3 */
	bool protect; /* keep our OOM score */
	bool follow; /* die with us: what it did not finish is undone by its plan, and not while it goes on */
};
/* fork + execve with a clean environment and signal state. pid or -errno. */
pid_t spawn(const struct keeper *k, const struct spawn *s, int *ret_pidfd);

/* daemon.c: arniad and the connection to it */
int daemon_listen(struct keeper *k, struct error *err);
/* Make sure that one runs. False when one survived an earlier keeper and has not been heard of yet. */
bool daemon_start(struct keeper *k);
void daemon_ended(struct keeper *k);
/* Queue a frame; lost when arniad is not connected (it learns of everything at KP_HELLO). */
void daemon_tell(struct keeper *k, uint32_t type, uint64_t seq, const void *body, size_t n);
void daemon_tell_held(struct keeper *k, const struct held *h);
void daemon_watch(struct keeper *k); /* after a re-exec */
void daemon_close(struct keeper *k);

/* job.c: jobs that wait */
void job_tell(struct keeper *k, uint64_t seq, const char *id, uint32_t worker, const struct error *err);
void job_free(struct job *j);
/* Tell that it failed, and free it. */
void job_fail(struct keeper *k, struct job *j, int code, const char *text);
void job_fail_all(struct keeper *k, int code);
struct job *job_pop(struct keeper *k); /* the first */
/* One whose descriptors could not be received. */
void job_cut(struct keeper *k, const struct frame *f);

/* worker.c: workers and the jobs for them */
void worker_job(struct keeper *k, struct frame *f);
void worker_cancel(struct keeper *k, uint64_t seq);
/* arniad is gone: what it queued is dropped, what it prepared ended, what runs renumbered. */
void worker_orphan_all(struct keeper *k);
void worker_tell_orphans(struct keeper *k);
void worker_refill(struct keeper *k);
void worker_kill_all(struct keeper *k);
void worker_free_all(struct keeper *k); /* at the end of the program: they go on, if they live */
struct worker *worker_by_pid(struct keeper *k, pid_t pid);
void worker_ended(struct worker *w, const siginfo_t *si);
/* Read what workers have sent and we have not looked at. */
void worker_drain_all(struct keeper *k);
struct worker *worker_add(struct keeper *k, const struct worker_rec *r);

/* held.c: adopted processes */
struct held *held_find(const struct keeper *k, const char *id);
struct held *held_by_pid(const struct keeper *k, pid_t pid);
struct held *held_add(struct keeper *k, const struct kp_container *c);
/* Descriptors of a kp_container frame go to a new entry. NULL when the frame makes no sense. */
struct held *held_take(struct keeper *k, struct frame *f, bool foreign);
void held_exited(struct held *h, int code, int status);
/* The job that made it is over. */
void held_started(struct held *h, bool ok);
void held_forget(struct held *h);
/* Free it when nobody needs it any more; then it is gone. */
void held_try_free(struct held *h);
void held_watch_pid(struct held *h);
/* What of it others may hold too, in the order of the bits of enum kp_fd. */
size_t held_fds(const struct held *h, int fds[3], uint32_t *bits);
void held_tell_exit(const struct held *h);
void held_load_exits(struct keeper *k);
void held_free_all(struct keeper *k); /* at the end of the program */

/* room.c: descriptors in reserve */
/* Something failed with this code: true when it may be tried again. */
bool room_made(struct keeper *k, int code);
/* The reserve is whole: something new may be begun. */
bool room_for_more(struct keeper *k);
void room_free(struct keeper *k);
void room_explain(struct error *err);

/* stream.c: output, log, attached clients */
void stream_open(struct held *h, int port, int fd);
void stream_close(struct held *h, int port);
void stream_watch(struct held *h);
/* The process has ended: pass on what is left, then tell the sessions. */
void stream_settle(struct held *h);
void stream_input(struct held *h);
void stream_resize(struct held *h, uint16_t rows, uint16_t cols);

/* session.c */
/* Takes fd. A descriptor that is no SEQPACKET socket is closed. */
void session_attach(struct held *h, int fd, bool input);
/* After a re-exec: what waited in the session attached last; copied. */
void session_resume(struct held *h, bool last, struct chunk out, struct chunk in);
void session_send(struct session *s, const void *p, size_t n);
void session_drop(struct session *s);
void session_gone(struct session *s, const char *why);
void session_refuse(int fd, const char *why); /* takes fd */
void session_watch(struct session *s);
/* Write what waits in s->in. False while some is left. */
bool session_flush_input(struct session *s);

/* log.c: one record to state/containers/ID/log */
void log_append(struct held *h, uint8_t stream, const void *p, size_t n);

/* reexec.c */
void reexec_try(struct keeper *k); /* when one was asked for and nothing is in the way */
int reexec_restore(struct keeper *k, int fd, bool check_only, struct error *err);

/* service.c: requests of the service manager's process */
int service_listen(struct keeper *k, struct error *err);
void service_watch(struct keeper *k); /* after a re-exec */
/* No more requests; those that wait see the end of the program. */
void service_close(struct keeper *k);
void service_free(struct keeper *k);
void service_daemon_ended(struct keeper *k); /* while at rest */
/* At rest the keeper ends with what it holds. */
void service_check_idle(struct keeper *k);
/* The other end: ask the keeper that runs for KP_SERVE, by this socket (-1 = by its own), or for KP_REST. */
int service_ask(const struct keeper *k, uint32_t type, int fd, pid_t *ret_pid, struct error *err);

/* supervise.c: be the process of a service until told to end. The exit status, or -errno. */
int supervise(struct keeper *k, struct error *err);
/* Hold the cgroup of the unit that machines live below, until told to end. */
int supervise_hold(struct error *err);

/* main.c */
/* Socket activation: the client socket, or -1. */
int keeper_inherited_socket(void);
/* Whatever else the caller had open would stay open as long as we live. */
void keeper_close_others(int a, int b);
void keeper_tell_ready(struct keeper *k);
void keeper_shutdown(struct keeper *k);
void keeper_check_closed(struct keeper *k);
void keeper_reap(struct keeper *k);
/* It had ended when it was adopted: if it is reaped already, take the status that was kept. */
void keeper_ended_early(struct held *h);

#endif
