/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Everything that can be done before the first job is known, so that it is off the path of a start. */
#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "cgroup/cgroup.h"
#include "cmd/arnia-run/run.h"
#include "lib/base/fd.h"
#include "lib/base/instance.h"
#include "lib/plan/build.h"

/* What a template build may need, and what test builds look at; nothing else of the caller's environment
 * stays. */
static const char *const env_kept[] = { "ARNIA_FAIL_AT", "ARNIA_ROOT", "http_proxy", "https_proxy",
					"no_proxy" };

static void clean_environment(void)
{
	char *values[ARRAY_SIZE(env_kept)];

	for (size_t i = 0; i < ARRAY_SIZE(env_kept); i++)
		values[i] = str_dup(getenv(env_kept[i]));
	clearenv();
	for (size_t i = 0; i < ARRAY_SIZE(env_kept); i++) {
		if (values[i])
			setenv(env_kept[i], values[i], 1);
		free(values[i]);
	}
	setenv("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", 1);
	setenv("LC_ALL", "C.UTF-8", 1);
}

static int own_descriptors(struct worker *w, struct error *err)
{
	if (close_range(KW_FD_INIT + 1, ~0U, 0) < 0 ||
	    close_range(KW_FD_KEEPER, KW_FD_INIT, CLOSE_RANGE_CLOEXEC) < 0)
		return err_sys(err, -errno, "close inherited descriptors");
	w->keeper = KW_FD_KEEPER;
	if (fcntl(KW_FD_HOSTNS, F_GETFD) < 0)
		return err_sys(err, -errno, "descriptor %d, the host's mount namespace", KW_FD_HOSTNS);
	w->hostns = KW_FD_HOSTNS;
	w->init = fd_is_sealed(KW_FD_INIT) ? KW_FD_INIT : -1;
	return 0;
}

static int open_kernel(struct run_worker *w, struct error *err)
{
	w->w.cgroup = cg_open_root(err);
	if (w->w.cgroup < 0)
		return w->w.cgroup;
	/* A kernel without it is told by the start that needs it. */
	(void)cg_program_open(plan_device_rules, plan_n_device_rules, &w->w.devices, NULL);
	return net_open(&w->net, err);
}

int run_worker_prestart(struct run_worker *w, struct error *err)
{
	struct instance in;
	int r;

	*w = (struct run_worker){ .w = WORKER_NONE, .net = NET_SOCKETS_NONE };
	r = worker_harden(err);
	if (r < 0)
		return r;
	worker_reset_oom_score();
	r = instance_load(&in, err);
	if (r < 0)
		return r;
	memcpy(w->run, in.run, sizeof(w->run));
	w->w.run = w->run;
	clean_environment();
	r = own_descriptors(&w->w, err);
	if (r == 0)
		r = worker_open(&w->w, err);
	return r == 0 ? open_kernel(w, err) : r;
}

void run_worker_done(struct run_worker *w)
{
	worker_done(&w->w);
	net_close(&w->net);
}
