/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef ARNIA_CONTAINER_KEEPER_H
#define ARNIA_CONTAINER_KEEPER_H
/* arniad's end of run/keeper.sock (lib/base/kproto.h): never blocks; reconnects by itself when the keeper was replaced. */
#include <stdbool.h>
#include <stdint.h>
#include "lib/base/error.h"
#include "lib/base/frame.h"
#include "lib/base/kproto.h"
#include "lib/base/loop.h"

struct keeper;
struct keeper_ops { /* all required; frames are valid during the call, descriptors not taken are closed after it */
	void (*hello)(void *arg, const struct kp_hello *h);
	void (*container)(void *arg, const struct kp_container *c, struct frame *f);
	void (*exited)(void *arg, const struct kp_exit *x);
	void (*result)(void *arg, uint64_t seq, const struct kp_result *r, const char *data);
	void (*progress)(void *arg, uint64_t seq, const char *text);
	void (*job)(void *arg, uint64_t seq, const struct kp_job *j); /* of an arniad before this one, and not over yet */
	void (*synced)(void *arg);
	void (*lost)(void *arg); /* connection gone; connecting again goes on in the background */
};
struct keeper *keeper_new(struct loop *l, const char *sock_path, const struct keeper_ops *ops, void *arg);
void keeper_free(struct keeper *k);
/* First connection attempt now, later ones by timer. */
void keeper_connect(struct keeper *k);
bool keeper_connected(const struct keeper *k);
pid_t keeper_pid(const struct keeper *k);

struct keeper_job {
	uint64_t seq;
	uint32_t kind, worker, flags;
	const char *id;
	int plan; /* required */
	int session, stdio[3], target; /* -1 = none; all stay the caller's */
};
#define KEEPER_JOB_NONE ((struct keeper_job){ .plan = -1, .session = -1, .stdio = { -1, -1, -1 }, .target = -1 })
/* -ENOTCONN (kind UNREACHABLE) when there is no keeper now. */
int keeper_send_job(struct keeper *k, const struct keeper_job *j, struct error *err);
int keeper_send(struct keeper *k, enum kp_type type, uint64_t seq, const void *body, size_t n, const int *fds, size_t nfds);

#endif
