/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <getopt.h>
#include <linux/close_range.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include "cmd/arnia-keeper/keeper.h"
#include "lib/base/fd.h"
#include "lib/base/log.h"
#include "lib/base/notify.h"
#include "lib/base/parse.h"
#include "lib/base/proc.h"
#include "lib/base/str.h"

#define SPARES 2
#define END_MS 3000
#define FIRST_LISTEN_FD 3 /* sd_listen_fds(3) */

struct options {
	bool foreground, check, service, hold;
	int ready_fd, resume;
};

static int usage(FILE *to, int status)
{
	fprintf(to, "usage: arnia-keeper [--foreground | --service | --hold] [--ready-fd N]\n");
	return status;
}

static int take_fd(const char *text, int *ret)
{
	uint32_t fd;

	if (parse_u32(text, &fd) < 0 || fd > INT32_MAX)
		return -EINVAL;
	*ret = (int)fd;
	return 0;
}

/* 0 = go on, else the exit status + 1. */
static int parse_options(int argc, char **argv, struct options *o)
{
	static const struct option table[] = {
		{ "foreground", no_argument, NULL, 'f' },   { "ready-fd", required_argument, NULL, 'r' },
		{ "resume", required_argument, NULL, 'R' }, { "check", no_argument, NULL, 'c' },
		{ "help", no_argument, NULL, 'h' },	    { "service", no_argument, NULL, 's' },
		{ "hold", no_argument, NULL, 'H' },	    { 0 },
	};
	int c, r = 0;

	while (r == 0 && (c = getopt_long(argc, argv, "", table, NULL)) >= 0) {
		if (c == 'f')
			o->foreground = true;
		else if (c == 'c')
			o->check = true;
		else if (c == 's')
			o->service = true;
		else if (c == 'H')
			o->hold = true;
		else if (c == 'r')
			r = take_fd(optarg, &o->ready_fd);
		else if (c == 'R')
			r = take_fd(optarg, &o->resume);
		else if (c == 'h')
			return usage(stdout, EXIT_SUCCESS + 1);
		else
			r = -EINVAL;
	}
	return r < 0 || optind < argc ? usage(stderr, ERR_USAGE + 1) : 0;
}

void keeper_close_others(int a, int b)
{
	unsigned low = (unsigned)(MIN(a, b) < 0 ? MAX(a, b) : MIN(a, b)), high = (unsigned)MAX(a, b);

	if ((int)high < 0) {
		close_range(3, ~0U, 0);
		return;
	}
	if (low > 3)
		close_range(3, low - 1, 0);
	if (high > low + 1)
		close_range(low + 1, high - 1, 0);
	close_range(high + 1, ~0U, 0);
	close_range(3, ~0U, CLOSE_RANGE_CLOEXEC);
}

int keeper_inherited_socket(void)
{
	const char *pid = getenv("LISTEN_PID"), *fds = getenv("LISTEN_FDS");
	uint32_t value;

	if (!pid || parse_u32(pid, &value) < 0 || value != (uint32_t)getpid() || !str_eq(fds, "1"))
		return -1;
	return FIRST_LISTEN_FD;
}

static void tell_ready(int ready_fd, int notify)
{
	int r;

	if (ready_fd >= 0)
		(void)fd_write_all(ready_fd, "1", 1);
	r = notify >= 0 ? notify_send(notify, "READY=1\n") : 0;
	if (r < 0)
		log_warn("the service manager was not told that all is ready: %s", strerror(-r));
}

static void child_ended(struct keeper *k, const siginfo_t *si)
{
	struct worker *w = worker_by_pid(k, si->si_pid);
	struct held *h;

	if (w) {
		worker_ended(w, si);
		return;
	}
	if (k->daemon.r.child && si->si_pid == k->daemon.r.pid) {
		daemon_ended(k);
		return;
	}
	h = held_by_pid(k, si->si_pid);
	if (h) {
		held_exited(h, si->si_code, si->si_status);
		return;
	}
	k->strangers[k->next_stranger].pid = si->si_pid;
	k->strangers[k->next_stranger].code = si->si_code;
	k->strangers[k->next_stranger].status = si->si_status;
	k->next_stranger = (k->next_stranger + 1) % STRANGERS;
	/* Its adoption may be on its way, and then ask for it. */
	worker_drain_all(k);
}

void keeper_ended_early(struct held *h)
{
	struct keeper *k = h->k;
	siginfo_t si;

	for (size_t i = 0; i < STRANGERS; i++)
		if (k->strangers[i].pid == h->c.pid) {
			k->strangers[i].pid = 0;
			held_exited(h, k->strangers[i].code, k->strangers[i].status);
			return;
		}
	if (waitid(P_PID, (id_t)h->c.pid, &si, WEXITED | WNOHANG | WNOWAIT | __WALL) < 0)
		held_exited(h, 0, 0);
}

void keeper_reap(struct keeper *k)
{
	siginfo_t si = { 0 };

	while (waitid(P_ALL, 0, &si, WEXITED | WNOHANG | __WALL) == 0 && si.si_pid) {
		child_ended(k, &si);
		si.si_pid = 0;
	}
	setup_rotate_log(k);
	service_check_idle(k);
}

static void on_signal(void *arg, int sig)
{
	struct keeper *k = arg;

	if (sig == SIGCHLD) {
		keeper_reap(k);
	} else if (sig == SIGHUP) {
		k->reexec = true;
		reexec_try(k);
	} else {
		log_info("ending: signal %d", sig);
		keeper_shutdown(k);
	}
}

void keeper_check_closed(struct keeper *k)
{
	if (k->closing && !k->workers && !k->daemon.r.pid)
		loop_stop(k->loop, 0);
}

static void end_now(void *arg)
{
	struct keeper *k = arg;

	loop_stop(k->loop, 0);
}

/* Containers are left alone. Their pipes end here: who only wants a new program asks for KP_REEXEC. */
void keeper_shutdown(struct keeper *k)
{
	const struct pidref arniad = { .pid = k->daemon.r.pid, .fd = k->daemon.r.pidfd };

	if (k->closing)
		return;
	k->closing = true;
	service_close(k);
	worker_kill_all(k);
	pidref_kill(&arniad, SIGTERM);
	daemon_close(k);
	loop_add_timer(k->loop, END_MS, end_now, k);
	keeper_check_closed(k);
}

static void remove_sockets(const struct keeper *k)
{
	auto_free char *keeper = str_fmt("%s/keeper.sock", k->in.run);
	auto_free char *clients = str_fmt("%s/arnia.sock", k->in.run);

	unlink(keeper);
	/* Bound by us, or by the keeper that started the arniad we have just ended. */
	if ((k->fd.client_sock >= 0 || k->daemon.r.hello_pid) && !k->inherited_sock)
		unlink(clients);
}

static int make_loop(struct keeper *k, struct error *err)
{
	static const int signals[] = { SIGCHLD, SIGTERM, SIGINT, SIGHUP, 0 };
	int r;

	k->loop = loop_new();
	r = k->loop ? loop_add_signals(k->loop, signals, on_signal, k) : -errno;
	return r < 0 ? err_sys(err, r, "make the event loop") : 0;
}

/* At a fresh start clients wait for this, and so do keepers that came too late. */
void keeper_tell_ready(struct keeper *k)
{
	if (!k->starting)
		return;
	k->starting = false;
	tell_ready(k->ready_fd, k->notify_fd);
	fd_close(&k->ready_fd);
	fd_close(&k->notify_fd);
	setup_unlock_start(k);
}

/* Another one holds what runs. It may have been told to rest, or to serve by a socket that is gone. */
static int come_too_late(const struct keeper *k, const struct options *o, struct error *err)
{
	pid_t pid = 0;
	int r = service_ask(k, KP_SERVE, k->fd.client_sock, &pid, err);

	if (r == 0)
		tell_ready(o->ready_fd, notify_connect());
	return r;
}

/* 1 = serve, 0 = another one does. */
static int start_fresh(struct keeper *k, struct options *o, struct error *err)
{
	int r;

	if (geteuid() != 0)
		return err_set_kind(err, -EPERM, ERR_PERM, "only root can keep containers");
	k->fd.client_sock = keeper_inherited_socket();
	k->inherited_sock = k->fd.client_sock >= 0;
	keeper_close_others(k->fd.client_sock, o->ready_fd);
	inherit_reset_limits();
	r = instance_prepare(&k->in, err);
	if (r < 0)
		return r;
	r = setup_lock(k, err);
	if (r <= 0)
		return r < 0 ? r : come_too_late(k, o, err);
	if (!o->foreground)
		r = o->ready_fd = setup_daemonise(k, o->ready_fd, err);
	if (r < 0)
		return r;
	k->ready_fd = o->ready_fd;
	/* Before the mounts around its path may go. */
	k->notify_fd = notify_connect();
	setup_process(k);
	r = mounts_leave_host(k, err);
	if (r == 0)
		r = setup_descriptors(k, err);
	if (r == 0)
		r = make_loop(k, err);
	if (r == 0)
		r = daemon_listen(k, err);
	if (r == 0)
		r = service_listen(k, err);
	if (r < 0)
		return r;
	held_load_exits(k);
	k->starting = true;
	/* An arniad that survived is of use only once it has found us. */
	if (daemon_start(k))
		keeper_tell_ready(k);
	worker_refill(k);
	return 1;
}

static int start(struct keeper *k, struct options *o, struct error *err)
{
	int r = instance_load(&k->in, err);

	if (r == 0 && o->resume >= 0)
		r = instance_find_slot(&k->in);
	if (r < 0)
		return r;
	if (o->resume < 0)
		return start_fresh(k, o, err);
	if (o->check)
		return reexec_restore(k, o->resume, true, err);
	r = make_loop(k, err);
	if (r == 0)
		r = reexec_restore(k, o->resume, false, err);
	return r < 0 ? r : 1;
}

static struct keeper *keeper_new(const struct options *o)
{
	struct keeper *k = mem_alloc(sizeof(*k));

	k->foreground = o->foreground;
	k->spares = SPARES;
	k->jobs_end = &k->jobs;
	k->daemon.out_end = &k->daemon.out;
	k->daemon.r.pidfd = k->daemon.r.conn = k->ready_fd = k->notify_fd = -1;
	k->fd = (struct keeper_fds){ -1, -1, -1, -1, -1, -1, -1, -1, -1 };
	return k;
}

static void keeper_free(struct keeper *k)
{
	held_free_all(k);
	room_free(k);
	worker_free_all(k);
	service_free(k);
	loop_free(k->loop);
	free(k);
}

static int run_service(struct keeper *k, bool hold)
{
	struct error err = { 0 };
	int r = instance_load(&k->in, &err);

	if (r == 0)
		r = hold ? supervise_hold(&err) : supervise(k, &err);
	if (r < 0)
		log_error("%s", err.text[0] ? err.text : strerror(-r));
	loop_free(k->loop);
	free(k);
	return r >= 0 ? r : err.kind == ERR_NONE ? EXIT_FAILURE : (int)err.kind;
}

int main(int argc, char **argv)
{
	struct options o = { .ready_fd = -1, .resume = -1 };
	struct error err = { 0 };
	struct keeper *k;
	int r = parse_options(argc, argv, &o);

	if (r)
		return r - 1;
	log_init("arnia-keeper", getenv("ARNIA_DEBUG") ? LOG_DEBUG_ : LOG_INFO_);
	k = keeper_new(&o);
	if (o.service || o.hold)
		return run_service(k, o.hold);
	r = start(k, &o, &err);
	if (r > 0) {
		r = loop_run(k->loop);
		remove_sockets(k);
		setup_leave_cgroup(k);
	} else if (r < 0) {
		log_error("%s", err.text[0] ? err.text : strerror(-r));
	}
	keeper_free(k);
	return r >= 0 ? EXIT_SUCCESS : err.kind == ERR_NONE ? EXIT_FAILURE : (int)err.kind;
}
