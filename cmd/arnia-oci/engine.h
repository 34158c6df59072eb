/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef ARNIA_OCI_ENGINE_H
#define ARNIA_OCI_ENGINE_H
/* What create, run, exec and start have in common: one act, from the configuration to a process that runs or waits. */
#include "cgroup/cgroup.h"
#include "cmd/arnia-oci/cmd.h"
#include "cmd/arnia-oci/work.h"
#include "lib/base/frame.h"
#include "lib/plan/plan.h"
#include "lib/worker/worker.h"

struct act {
	struct call *call;
	struct oci_config config;
	struct plan plan;
	struct record record;
	struct work work;
	struct pidref init; /* the process that was made */
	int cgroup; /* descriptor; -1 = none */
	int start; /* listening socket of the created state */
	int master; /* of the terminal, when no --console-socket took it */
	const char *slice; /* of a scope to be made */
	struct netdevs *netdevs; /* what was moved (netdevs.c); NULL */
	const char *pid_file; /* absolute, or NULL */
	bool plain_user; /* no right on the host: the user namespace comes first */
	bool hooked; /* the first hooks ran: a failure runs those of poststop */
};
#define ACT_NONE                                                                                                \
	((struct act){ .record = RECORD_NONE, .work = WORK_NONE, .init = PIDREF_NONE, .cgroup = -1, .start = -1, .master = -1 })
void act_done(struct act *a);

/* load.c: config.json of a bundle (--bundle, --config), read, decoded and checked; *ret_text (malloc'ed) is what the record keeps. */
int config_load(struct call *c, const char *bundle, struct oci_config *ret, char **ret_text, struct error *err);
/* The same from a record's copy. */
int config_of_record(const struct call *c, const struct record *r, struct oci_config *ret, struct error *err);
bool caller_is_plain(const struct call *c); /* not root, or root of a user namespace of a plain user */

/* plan.c */
/* Everything of the configuration that is not yet decided: the compiled filter, joined and made namespaces, the folders. */
int plan_create(struct act *a, struct error *err);
/* A process in the container of a->record, whose init is `init`. */
int plan_exec(struct act *a, const struct pidref *init, struct error *err);
int has_stopped(struct error *err); /* -ESRCH, with what an exec says to that */
int preserved_fds(struct call *c, struct process_config *p, struct error *err);

/* cgroups.c: where the container's processes are to be. Made before the process (cgroupfs) or with it (systemd). */
int cgroup_prepare(struct act *a, struct error *err); /* its name goes on record first */
int cgroup_place(struct act *a, struct error *err); /* when the process is there: the scope, limits of a scope */
void cgroup_undo(struct act *a);

/* scope.c: systemd, by the program arnia-oci-scope beside ours. *ret_path (malloc'ed): the scope's cgroup. */
int scope_start(struct act *a, char **ret_path, struct error *err);

/* notify.c: NOTIFY_SOCKET (sd_notify(3)). What cannot be told is a warning, no failure. */
struct notify {
	int from, to;		   /* our socket for the container, the one of NOTIFY_SOCKET; -1: nothing (more) to pass on */
	const struct globals *g;   /* these two are the caller's */
	const struct record *of;
	pid_t pid;		   /* who is to be watched */
	bool told;
};
#define NOTIFY_NONE ((struct notify){ .from = -1, .to = -1 })
#define NOTIFY_INSIDE "/run/notify" /* runc has made it known */
char *notify_folder(const struct call *c); /* what is mounted there; malloc'ed */
bool notify_add(const struct call *c, json *config); /* a mount and a variable, if it is set: true */
int notify_make(const struct record *r, bool always, struct error *err); /* what is to be mounted */
/* A container with CAP_SYS_ADMIN may have written to it. */
int notify_remove(struct call *c, const struct record *r, struct error *err);
/* With a locked record, before the program runs. */
void notify_begin(const struct call *c, const struct record *r, struct notify *n);
void notify_take(struct notify *n); /* n->from is readable */
/* Until it is ready, or `init` at its end. */
void notify_wait(struct notify *n, const struct pidref *init);
void notify_done(struct notify *n); /* before the record is */

/* console.c */
/* Send a master to --console-socket: its descriptor, and its name as data (runc's docs/terminals.md). */
int console_send(const char *path, int master, struct error *err);
/* Send a process's pidfd to --pidfd-socket; the data tells the container's first process from others, in runc's words. */
int pidfd_send(const char *path, bool first, int pidfd, struct error *err);
/* The size of our own terminal, if we have one. */
void console_fit(int master);
/* Foreground: copy between our terminal and the master until the process ends, pass signals on, and what it notifies (n; NULL), and give
 * its status. */
int console_relay(int master, const struct pidref *p, struct notify *n, int *ret_status, struct error *err);
/* The same without a terminal. */
int foreground_wait(const struct pidref *p, struct notify *n, int *ret_status, struct error *err);

/* netdevs.c: linux.netDevices go into the container's network namespace, with their addresses */
int netdevs_move(struct act *a, struct error *err);
void netdevs_return(struct act *a); /* of a create that failed: back, as far as possible. And done. */
void netdevs_done(struct act *a); /* they stay where they are */
/* rdt.c: linux.intelRdt (Documentation/arch/x86/resctrl.rst) */
int rdt_place(struct act *a, struct error *err);
void rdt_remove(const struct record *r, const struct oci_config *config);

/* Steps of arnia-oci itself, for fault injection: of a create (life.c), of the new process (talk.c). */
extern const struct steps create_steps, adopt_steps;

/* talk.c: frames of the worker, up to its result. */
int act_talk(struct act *a, struct error *err);

/* life.c */
/* The bundle is read and entered, the record made and locked. On failure there is nothing to undo; later, container_undo takes away
 * all that was made, in whatever state that is. */
int container_begin(struct call *c, struct act *a, struct error *err);
void container_undo(struct act *a);
int container_create(struct call *c, struct act *a, struct error *err);
/* Let a created container run: start hooks, program, poststart hooks; one that fails stops it. The record is locked by the caller. */
int container_start(struct call *c, struct record *r, const struct oci_config *config, struct error *err);
int pid_file_write(const char *path, pid_t pid, struct error *err);
int exit_code_of(int wait_status);
/* Hooks of the runtime's namespaces. For poststop a failure is a warning. */
int hooks_run_of(struct call *c, const struct record *r, const struct oci_config *config, enum oci_hook kind, enum oci_status status, pid_t pid,
		 struct error *err);
/* create.c: wait for its end, which is the exit code of the call; then it goes, unless --keep. */
int container_foreground(struct act *a, struct notify *n, struct error *err);
int hooks_run_poststop(struct call *c, struct record *r, struct error *err);

#endif
