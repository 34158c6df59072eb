/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef ARNIA_RUN_H
#define ARNIA_RUN_H
/*
 * arnia-run: takes sealed plans from the keeper and carries them out, one after the other. It decides
 * nothing: what is done stands in the plan, and in which order in the step tables at the end of start.c,
 * prepare.c and destroy.c, and of lib/worker.
 */
#include "lib/base/instance.h"
#include "lib/worker/worker.h"
#include "netns/net.h"

extern const struct steps start_steps, start_cell_steps; /* a start's host side, without and with a cell */
extern const struct steps prepare_steps, destroy_steps;

/* A worker that can also do what concerns the network. */
struct run_worker {
	struct worker w;
	struct net_sockets net;
	char run[INSTANCE_PATH]; /* folder of the instance */
};
static inline struct net_sockets *worker_net(struct worker *w)
{
	return &container_of(w, struct run_worker, w)->net;
}
/* ---- begin.c: everything that can be done before the first job is known ---- */
int run_worker_prestart(struct run_worker *w, struct error *err);
void run_worker_done(struct run_worker *w);

/* ---- serve.c: jobs ---- */
/* Serve until the keeper goes away or the worker is spent. Returns the exit status. */
int worker_serve(struct worker *w);
void job_progress(void *job, const char *line); /* a template_progress */

/* net_attach, with a left-over link of the same name out of the way. */
int network_attach(struct worker *w, const struct plan *p, int netns, struct error *err);
/* ---- publish.c ---- */
bool ports_are_open(const struct net_config *c); /* a number is still to be chosen */
/* For the answer: a line "host_ports=49153,8080", in the order of the plan's ports. */
void ports_tell(struct job *j);
/* net_publish. When the table is gone, it is made again first, and PLAN_TABLE_MADE is in the answer. */
int publish_or_make_table(struct job *j, struct error *err);
struct net_host_config net_config_of(const struct plan *p); /* host.c */
int start_run(struct job *j, struct error *err);	   /* PLAN_START */
int destroy_run(struct job *j, struct error *err);	   /* PLAN_DESTROY */
int prepare_run(struct job *j, struct error *err);	   /* PLAN_PREPARE */
int explain_run(struct job *j, struct error *err);	   /* PLAN_EXPLAIN */
int host_setup_run(struct job *j, struct error *err);	   /* PLAN_HOST_SETUP */
int host_teardown_run(struct job *j, struct error *err);   /* PLAN_HOST_TEARDOWN */
int host_check_run(struct job *j, struct error *err);	   /* PLAN_HOST_CHECK */
int publish_run(struct job *j, struct error *err);	   /* PLAN_PUBLISH */
int template_build_run(struct job *j, struct error *err);  /* PLAN_TEMPLATE_BUILD */
int template_remove_run(struct job *j, struct error *err); /* PLAN_TEMPLATE_REMOVE */
int remove_run(struct job *j, struct error *err);	   /* PLAN_REMOVE */
/* The container's folder with all that is in it; a missing one is fine. It is out of the way, and the daemon told
 * (PLAN_DISCARDED), before its files are deleted. The last act of a job. */
int folder_discard(struct job *j, struct error *err);

#endif
