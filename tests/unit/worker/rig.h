/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef TEST_WORKER_RIG_H
#define TEST_WORKER_RIG_H
/* A worker without a keeper, a container or any right: the test is its keeper, and a forked process its guest. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "lib/worker/worker.h"

struct rig {
	struct plan plan;
	struct worker w;
	struct job job;
	struct child child;
	int keeper; /* the keeper's end */
	struct error err; /* of the last act */
};
void rig_up(struct rig *r);
void rig_down(struct rig *r);
/* A guest: `act` runs in a process of its own, with the guest's end of the report socket, and its result is the exit status. */
void rig_guest(struct rig *r, int (*act)(struct rig *r, int report));
/* The frame that has come to the keeper; fails the test when there is none, or of another type. */
void rig_told(struct rig *r, enum kp_type type, struct frame *ret);
void rig_answer(struct rig *r, enum kp_type type);
void rig_tell(int s, uint32_t type, const void *body, size_t n); /* a frame of a guest */
/* first, second, third: names for child_go_and_wait and child_last_words. */
extern const struct steps rig_steps;

#endif
