/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef ARNIA_CONTAINER_STORE_H
#define ARNIA_CONTAINER_STORE_H
/*
 * Machines on disk. config/ID.json: what must survive a power cut (under the state folder, written durably; for --rm machines under run). state/ID.json:
 * what only a running one needs (under run, a tmpfs, no fsync). plan/ID: the start's plan, for teardown. Every JSON file is {"sum": ..., "record": {...}}, a plan
 * ends with a checksum: a torn or garbled one is renamed to "bad-NAME", named, and the rest is served.
 */
#include <stdbool.h>
#include <stdint.h>
#include "lib/base/error.h"
#include "lib/base/instance.h"
#include "lib/base/parse.h"
#include "lib/container/lifecycle.h"
#include "lib/plan/plan.h"
#include "lib/spec/spec.h"

struct exit_record {
	bool known; /* there is one */
	int code; /* CLD_EXITED, CLD_KILLED, CLD_DUMPED, 0 = unknown */
	int status; /* exit status or signal */
	uint64_t time_ns; /* real time */
	char cause[16]; /* exited, signal, oom, stopped, unknown */
};
struct machine_config {
	char id[ID_LEN + 1];
	uint64_t created_ns;
	bool by_run; /* made by Run: one that goes when it stops goes too when it never came to a start */
	struct spec spec; /* spec.name is the machine's name */
};
struct machine_state {
	enum phase phase;
	bool removing; /* its removal has begun, and is to be finished */
	char boot_id[37];
	pid_t pid;
	uint64_t pid_start;
	uint64_t pipes[2]; /* inodes of its output, to be found again when nobody holds it any more; 0 = none */
	uint64_t started_ns;
	uint64_t id_base; /* what it was lent, in case its plan is lost; 0 = nothing */
	struct in_addr addr;
	char *host_ports; /* the numbers in the order of the spec's ports, "49153,8080"; NULL: as in the spec */
	uint64_t ooms; /* told as events since its start */
	struct exit_record exit;
	char error[512]; /* why it failed, or empty */
};

struct store {
	int config, run_config, state, plan, exits; /* folders */
	int containers; /* state/containers */
};
/* Makes the folders. What a crash left half written in them is removed (not in exits, which is the keeper's). */
int store_open(const struct instance *in, struct store *ret, struct error *err);
void store_close(struct store *s);

/* spec.remove decides where. Durable unless spec.remove. */
int store_save_config(const struct store *s, const struct machine_config *c, struct error *err);
int store_save_state(const struct store *s, const char *id, const struct machine_state *st, struct error *err);
/* What was in *ret is not freed. Missing is fine: *ret becomes "stopped, never run". A state of another boot likewise. Bad: isolated, -EBADMSG. */
int store_load_state(const struct store *s, const char *id, const char *boot_id, struct machine_state *ret, struct error *err);
int store_save_plan(const struct store *s, const char *id, const void *bytes, size_t n, struct error *err);
/* -ENOENT without a message. -EBADMSG: it is not what was saved, or of another version. */
int store_load_plan(const struct store *s, const char *id, struct plan **ret, struct error *err);
void store_isolate_plan(const struct store *s, const char *id);
void store_drop_plan(const struct store *s, const char *id);
void store_drop_exit(const struct store *s, const char *id); /* the keeper's exit record */
/* Config, state, plan and exit record; not the container's folder (a worker's job). Config last, durably. */
int store_remove(const struct store *s, const char *id, bool ephemeral, struct error *err);

/* Calls fn for every good config; a bad file is isolated and given to bad_fn by name ("config/ID.json") with the reason. */
typedef void (*store_config_fn)(void *arg, struct machine_config *c /* taken over */);
typedef void (*store_bad_fn)(void *arg, const char *file, const struct error *why);
void store_load_configs(const struct store *s, store_config_fn fn, store_bad_fn bad_fn, void *arg);
/* What was put aside before and still lies there ("plan/bad-ID"). */
void store_each_bad(const struct store *s, store_bad_fn fn, void *arg);
/* Ids that have a file in run/plan or run/state, a folder in state/containers: for sweeping what nobody owns. fn gets each id. */
typedef void (*store_id_fn)(void *arg, const char *id);
void store_each_plan(const struct store *s, store_id_fn fn, void *arg);
void store_each_state(const struct store *s, store_id_fn fn, void *arg);
void store_drop_state(const struct store *s, const char *id);
void store_each_folder(const struct store *s, store_id_fn fn, void *arg);
/* A configuration of this id lies there, whether it could be loaded or not: what belongs to it is not to be swept. */
bool store_has_unread(const struct store *s, const char *id);
void machine_config_done(struct machine_config *c);
void machine_state_done(struct machine_state *st);

/* {"sum","record"} text of a record (consumed), malloc'ed; and back. */
char *store_seal(json *record);
int store_unseal(const char *text, size_t n, json **ret, struct error *err);

#endif
