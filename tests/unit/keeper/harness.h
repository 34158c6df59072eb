/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef ARNIA_TEST_KEEPER_HARNESS_H
#define ARNIA_TEST_KEEPER_HARNESS_H
/*
 * A real keeper in a folder and slot of its own, with fake workers. The test is its arniad: it holds
 * arniad.lock, so the keeper takes it for one that survived an earlier keeper, and waits for its connection.
 * Every wait is bounded, and a failed expectation ends the test.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdbool.h>
#include <sys/types.h>
#include "lib/base/frame.h"
#include "lib/base/instance.h"
#include "lib/base/kproto.h"
#include "lib/base/session.h"

#define WAIT_MS 10000

struct rig {
	char root[64]; /* ARNIA_ROOT; programs in root/bin */
	struct instance in;
	int lock; /* arniad.lock, -1 = not held */
	pid_t keeper;
	int s; /* connection to it, -1 = none */
	uint64_t seq;
};

/* cmocka fixtures: folder, keeper, connection, KP_HELLO done. */
int rig_setup(void **state);
int rig_setup_bare(void **state); /* no keeper, arniad.lock not held */
int rig_teardown(void **state);

struct rig *rig_new(void);
void rig_free(struct rig *r); /* kills the keeper and all it left, and removes all */
void rig_lock(struct rig *r);
/* Start in the foreground and wait until it is ready. */
void rig_start(struct rig *r);
/* Connect and say hello; what comes before KP_SYNCED is counted (may be NULL). */
struct rig_sync {
	unsigned containers, exits, jobs;
	struct kp_container last_container;
	int last_fds[5];
	struct kp_exit last_exit;
	uint64_t last_job;
};
void rig_connect(struct rig *r, struct rig_sync *ret);
void rig_disconnect(struct rig *r);
/* SIGKILL it and reap it. */
void rig_kill_keeper(struct rig *r);

/* Send to the keeper. */
void rig_send(struct rig *r, uint32_t type, uint64_t seq, const void *body, size_t n, const int *fds,
	      size_t nfds);
/* A job with this plan text; session may be -1; stdio NULL. Returns its seq. */
struct rig_job {
	const char *id, *plan;
	uint32_t flags, worker;
	int session; /* our copy of the keeper's end: closed by rig_job */
	const int *stdio;
};
uint64_t rig_job(struct rig *r, const struct rig_job *j);
void rig_attach(struct rig *r, const char *id, int session, bool input);
void rig_forget(struct rig *r, const char *id);

/* The next frame of this type; others are passed over. rig_next takes any. */
void rig_next(struct rig *r, struct frame *f);
void rig_expect(struct rig *r, uint32_t type, struct frame *f);
/* KP_RESULT of this job: its code. */
int rig_result(struct rig *r, uint64_t seq, struct kp_result *ret);
/* KP_EXIT of this id. */
struct kp_exit rig_exit(struct rig *r, const char *id);
/* Start with pipes and wait for adoption and result; the pid. */
pid_t rig_run(struct rig *r, const char *id, const char *plan, int session, uint32_t flags);

/* A session pair: ours (blocking) is returned. */
int session_pair(int *ret_keeper_end);
/* Next message: its type, its length in *len; text NUL-terminated. 0 = end. */
char session_next(int s, char *text, size_t size, size_t *len);
/* Collect output up to SESSION_EXIT, which is returned. */
struct session_exit session_collect(int s, char *out, size_t size, size_t *len);
void session_say(int s, char type, const void *p, size_t n);

/* Path of its cgroup branch + below; malloc'ed. */
char *rig_cgroup(const struct rig *r, const char *below);

/* Wait for readability, or fail the test. */
void wait_readable(int fd);
bool process_lives(pid_t pid);
/* Processor time it used so far, in hundredths of a second: who waits for an event uses none. */
unsigned long cpu_ticks(pid_t pid);
/* Wait until it is gone (or a zombie of ours, which is reaped). */
void wait_gone(pid_t pid);
/* Wait for the end of our child: its wait status. */
int wait_status(pid_t pid);
/* Text of a file, or of /proc/PID/NAME; malloc'ed. */
char *read_text(const char *path);
char *proc_text(pid_t pid, const char *name);
void copy_file(const char *from, const char *to);
/* Folder with the built programs. */
void built_dir(char *buf, size_t size);

#define ID(n) "00000000000000a" #n

#endif
