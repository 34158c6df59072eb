/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef ARNIA_OCI_CMD_H
#define ARNIA_OCI_CMD_H
/*
 * arnia-oci: the command line of an OCI runtime, as runc and crun have it. One process per act; what is known of a container lies
 * in a folder below --root, what is true of it is asked of the kernel.
 */
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include "lib/base/error.h"
#include "lib/base/mem.h"
#include "lib/base/proc.h"
#include "lib/oci/oci.h"

/* ---- options.c: a table for each verb; options before or behind the container's id, "--x=v", "--x v", "-x v", "-xy"; "--" ends them. Behind the
 * id of `exec` and `ps` everything is the command's, unless --. */
enum opt_kind { OPT_FLAG, OPT_VALUE, OPT_LIST };
struct opt {
	const char *name; /* "bundle" */
	char letter; /* 'b', or 0 */
	enum opt_kind kind;
	const char *arg, *help; /* for --help */
};
enum report_to { REPORT_TO_STDERR, REPORT_TO_FILE, REPORT_TO_JOURNAL, REPORT_TO_SYSLOG };
enum cgroup_manager { CGROUP_FS, CGROUP_SYSTEMD, CGROUP_DISABLED };
struct globals {
	const char *root; /* absolute: --root, else /run/arnia-oci, else $XDG_RUNTIME_DIR/arnia-oci of a plain user */
	enum report_to log; /* by --log, and standard error for errors besides */
	const char *log_ident; /* of the entries in the journal and in syslog */
	bool log_json, debug;
	enum cgroup_manager manager;
	int rootless; /* 1, 0, -1 = decided by who calls */
	const char *criu; /* program of checkpoint and restore */
	int log_fd; /* of the file, to the journal or to syslog; else -1 */
};
struct call {
	struct arena arena;
	struct globals g;
	const struct verb *verb;
	const char *id; /* first operand of verbs that take one, else NULL */
	struct strv args; /* further operands */
	ARRAY_OF(struct opt_value { const struct opt *opt; const char *value; /* NULL: a flag without one */ }) values;
	uint32_t inherited; /* descriptors from 3 on that the caller had open, up to the first that was not: none of ours */
	int exit_code; /* of the program, by run and exec; the process ends with it when the verb returns 0 */
};
/* One reader for what stands before the verb and for what stands behind it. */
struct opt_syntax {
	const struct opt *opts;
	size_t n_opts;
	bool stop; /* the first operand ends the options */
};
/* Options go to c->values, operands to c->args (borrowed from argv). -EINVAL kind USAGE, and nothing is said of the rest. */
int opts_parse(const struct opt_syntax *s, char *const *argv, size_t n, struct call *c, struct error *err);
/* A whole number from an option, in [0, max]; `otherwise` when it is not given. -EINVAL kind USAGE. */
int opt_get_num(const struct call *c, const char *name, uint64_t max, uint64_t otherwise, uint64_t *ret, struct error *err);
bool opt_has(const struct call *c, const char *name); /* a flag is given (and not "=false") */
const char *opt_get(const struct call *c, const char *name); /* the last value, or NULL */
struct strv opt_list(struct call *c, const char *name); /* all values in order; lives in the arena */
struct verb {
	const char *name;
	const char *operands; /* "ID", "ID COMMAND [ARG...]" */
	const char *summary;
	const struct opt *opts;
	size_t n_opts;
	int (*run)(struct call *c, struct error *err); /* 0, or -errno; a program's exit code is in *ret of the verbs that have one */
	bool passes; /* operands behind the id are taken as they are */
	unsigned min, max; /* operands, the id among them */
};
bool caller_is_root(void); /* load.c: root of the initial user namespace */
extern const struct verb verbs[];
extern const size_t n_verbs;
extern const struct opt global_opts[];
extern const size_t n_global_opts;
const struct verb *verb_find(const char *name); /* or NULL */

int list_steps(void); /* list_steps.c: names for ARNIA_FAIL_AT, by --list-steps alone */

/* ---- help.c, complete.c: from the tables ---- */
int help_all(void);
int help_verb(const struct verb *v);
int cmd_completion(struct call *c, struct error *err);

/* ---- report.c. A line for standard error ("arnia-oci: TEXT", or JSON when --log-format json and no --log), and with --log one for
 * the log: {"level":"error","msg":"TEXT","time":"RFC 3339"}, or the same words as text; TEXT alone in the journal and in syslog, which have the
 * rest themselves. TEXT is escaped: no name forges a line. ---- */
enum report_level { REPORT_ERROR, REPORT_WARN, REPORT_INFO, REPORT_DEBUG };
void report(const struct globals *g, enum report_level level, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* "file:PATH" and PATH; a link at its end is refused, /dev/stderr is standard error. "journald:IDENT", "syslog:IDENT"; without IDENT
 * it is arnia-oci. Sets log, log_ident (in `a`) and log_fd. */
int report_open(struct globals *g, const char *log, struct arena *a, struct error *err);

/* ---- store.c: ROOT/ID/state.json and what lies beside it. Every id was checked by oci_id_check. ---- */
struct record {
	struct arena arena;
	const char *id;
	int dir; /* O_PATH of ROOT/ID */
	int lock; /* held while the record may change; -1. By this process alone: what it forks does not hold it */
	/* kept: */
	const char *bundle;
	const char *config; /* text of config.json as it was at creation; NULL when that is lost */
	pid_t pid;
	uint64_t start; /* proc_pid_stat(5) field 22 */
	const char *boot; /* boot id: another one = stopped */
	const char *created; /* RFC 3339, UTC, ns */
	const char *cgroup; /* below the cgroup2 mount, or NULL */
	const char *scope; /* systemd unit, or NULL */
	const char *owner; /* user name who made it */
	const char *rootfs;
	bool rootless, own_cgroup; /* the cgroup was made by us and goes with delete */
	uint64_t root_id; /* mount id of the root that is attached over `rootfs` in our own mount namespace; 0 = none (rootfs_clone_root) */
	bool rdt_made; /* so was the class of linux.intelRdt */
	uint32_t uid; /* who made it */
	struct strv streams; /* what its standard streams were at first ("pipe:[123]"); none of a terminal */
	bool config_kept; /* ROOT/ID/config.json is written (store.c's) */
};
#define RECORD_NONE ((struct record){ .dir = -1, .lock = -1 })
/* A new folder, locked; -EEXIST kind STATE ("container with given ID already exists"). */
int store_create(const char *root, const char *id, struct record *ret, struct error *err);
int store_save(struct record *r, struct error *err); /* atomic */
/* -ENOENT kind NOT_FOUND: "container does not exist", also of one whose creation is not done. -EBADMSG: what is kept is damaged. `lock`: wait until nobody else changes it (bounded: 30 s). */
int store_load(const char *root, const char *id, bool lock, struct record *ret, struct error *err);
/* The folder alone, locked, whatever is in it: for `delete --force` of what cannot be loaded. Errors as store_load. */
int store_open(const char *root, const char *id, struct record *ret, struct error *err);
int store_remove(const char *root, struct record *r, struct error *err);
/* Names of all that look like containers, sorted; a missing root is empty. */
int store_list(const char *root, struct arena *a, struct strv *ret, struct error *err);
void record_done(struct record *r);
bool record_is_locked(const struct record *r); /* by another process */
/* Process as it is now, by pid and start time and boot; status. A created container's init waits at its start socket: it is
 * created while ROOT/ID/start is there, and creating while that has its first name. PIDREF_NONE when stopped. */
#define STORE_CREATING "starting"
#define STORE_START "start"
#define STORE_NOTIFY "notify" /* a folder that the container sees, and nothing else of the record */
int record_status(const struct record *r, enum oci_status *ret, struct pidref *ret_init, struct error *err);

/* ---- record.c: what the kernel has of a container ---- */
/* Its cgroup; -ENOENT kind STATE when it has none. An O_PATH descriptor. */
int record_cgroup(const struct record *r, struct error *err);
/* Pids in the cgroup and below, else the init's alone; malloc'ed. Returns the count. */
long record_pids(const struct record *r, const struct pidref *init, pid_t **ret, struct error *err);
/* What the standard streams of a process are, by name; "" of those that are closed. */
void record_streams(pid_t pid, struct arena *a, struct strv *ret);
/* The bundle's annotations and version out of r->config; NULL of a config that cannot be read. The caller unrefs it. */
json *record_config(const struct record *r);
/* To all processes of its own cgroup; nothing without one. */
int record_signal_all(const struct record *r, int sig, struct error *err);
struct cg_events;
/* Wait until cgroup.events says so, at most `ms`: -ETIMEDOUT. A cgroup that is gone is as good. */
int cgroup_wait(int cg, bool (*done)(const struct cg_events *ev), int ms, struct error *err);
/* arnia-oci-scope ACT UNIT [--user] [ARG...], from the folder of this program. "stop"; "set" with --property NAME=TYPE:VALUE. */
int scope_run(const struct record *r, const char *act, const struct strv *args, struct error *err);
/* What `state` shows of it, and `list` a row of; the caller unrefs it. */
int record_show(const struct record *r, json **ret, struct error *err);
int print_json(const json *j, bool pretty, struct error *err);
/* For --regex: `act` on each container that matches the id. */
int each_match(struct call *c, int (*act)(struct call *c, const char *id, void *arg, struct error *err), void *arg,
	       struct error *err);

/* features.c: as execvp(3) will find it, or NULL. */
const char *program_find(struct arena *a, const char *name);

/* ---- verbs; each in the file of its name ---- */
int cmd_create(struct call *c, struct error *err);
int cmd_start(struct call *c, struct error *err);
int cmd_run(struct call *c, struct error *err);
int cmd_exec(struct call *c, struct error *err);
int cmd_restore(struct call *c, struct error *err);
int cmd_checkpoint(struct call *c, struct error *err);
int cmd_state(struct call *c, struct error *err);
int cmd_kill(struct call *c, struct error *err);
int cmd_delete(struct call *c, struct error *err);
int cmd_list(struct call *c, struct error *err);
int cmd_ps(struct call *c, struct error *err);
int cmd_pause(struct call *c, struct error *err);
int cmd_resume(struct call *c, struct error *err);
int cmd_update(struct call *c, struct error *err);
int cmd_events(struct call *c, struct error *err);
int cmd_features(struct call *c, struct error *err);
int cmd_spec(struct call *c, struct error *err);

/* Kill all of it and take away what it had: cgroup, scope, folder. Also for what create left half done. */
int container_destroy(struct call *c, struct record *r, struct error *err);
/* The same, and then the poststop hooks. */
int container_delete(struct call *c, struct record *r, struct error *err);

#endif
