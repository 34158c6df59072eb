/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef ARNIA_TESTS_FAKE_ARNIAD_H
#define ARNIA_TESTS_FAKE_ARNIAD_H
#include <stdbool.h>
#include "lib/base/loop.h"
#include "lib/rpc/rpc.h"

struct fake {
	struct loop *loop;
	int requests;
	int logs[3]; /* log.1, log, and a log with damage at its end */
	bool built;  /* the image "unbuilt" */
};
/* Write the request down. */
void fake_note(struct rpc_call *c, const char *method);
const char *fake_name_of(struct rpc_call *c);
/* What a verb meets by the name it was given: errors of each kind, no answer, a crash. True: answered. */
bool fake_answered(struct rpc_call *c);

/* fake_host.c: methods about images, the host, and some others */
void fake_events(struct rpc_call *c, void *arg);
void fake_explain(struct rpc_call *c, void *arg);
void fake_version(struct rpc_call *c, void *arg);
void fake_image_list(struct rpc_call *c, void *arg);
void fake_image_info(struct rpc_call *c, void *arg);
void fake_image_build(struct rpc_call *c, void *arg);
void fake_host_info(struct rpc_call *c, void *arg);
void fake_host_doctor(struct rpc_call *c, void *arg);

#endif
