/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * arnia-keeper --service: the process that a service manager starts, stops and watches. It holds nothing. Were the
 * keeper that process, its end at a stop or restart would cut the pipes and consoles of all machines and orphan them;
 * so it is one beside it, and finds it again.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "cmd/arnia-keeper/keeper.h"
#include "lib/base/fd.h"
#include "lib/base/log.h"
#include "lib/base/notify.h"
#include "lib/base/proc.h"
#include "lib/base/str.h"

#define START_MS 60000
#define LISTEN_FD 3
#define READY_FD 4
#define CANNOT_RUN 127

struct supervisor {
	struct keeper *k; /* not one: its instance and loop */
	struct pidref keeper;
	int listen, notify;
};

static void run_keeper(const struct supervisor *s, int ready) __attribute__((noreturn));
static void run_keeper(const struct supervisor *s, int ready)
{
	auto_free char *path = str_fmt("%s/arnia-keeper", s->k->in.lib);
	/* Without a socket the place of one is taken by the other descriptor, and not looked at. */
	const int fds[] = { s->listen >= 0 ? s->listen : ready, ready };
	char *argv[] = { "arnia-keeper", "--foreground", "--ready-fd", "4", NULL };
	char pid[16];
	sigset_t none;

	snprintf(pid, sizeof(pid), "%d", (int)getpid());
	unsetenv("NOTIFY_SOCKET");
	unsetenv("LISTEN_FDS");
	if (s->listen >= 0) {
		setenv("LISTEN_FDS", "1", 1);
		setenv("LISTEN_PID", pid, 1);
	}
	setsid();
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGCHLD, SIG_DFL);
	if (fd_arrange(fds, 2, LISTEN_FD) == 0)
		execv(path, argv);
	_exit(CANNOT_RUN);
}

/* Where one runs, the new one sees that and ends; so it is said to be ready in both cases. */
static int start_keeper(const struct supervisor *s, struct error *err)
{
	struct pollfd p = { .events = POLLIN };
	auto_fd int ready = -1, ready_end = -1;
	int ends[2], r;
	char byte;
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return err_sys(err, -errno, "start the keeper");
	ready = p.fd = ends[0];
	ready_end = ends[1];
	pid = fork();
	if (pid < 0)
		return err_sys(err, -errno, "start the keeper");
	if (pid == 0)
		run_keeper(s, ready_end);
	fd_close(&ready_end);
	do
		r = poll(&p, 1, START_MS);
	while (r < 0 && errno == EINTR);
	if (r <= 0 || read(ready, &byte, 1) != 1)
		return err_set_kind(err, -ECONNREFUSED, ERR_UNREACHABLE, "the keeper did not start");
	return 0;
}

static void say(const struct supervisor *s, const char *text)
{
	int r = s->notify >= 0 ? notify_send(s->notify, text) : 0;

	if (r < 0)
		log_warn("the service manager was not told: %s", strerror(-r));
}

/* One that was told to end has taken its sockets away. */
static void keeper_ended(void *arg, uint32_t events)
{
	struct supervisor *s = arg;
	auto_free char *path = str_fmt("%s/service.sock", s->k->in.run);
	bool told = access(path, F_OK) < 0;

	(void)events;
	if (!told)
		log_error("the keeper, process %d, has ended unasked", s->keeper.pid);
	loop_stop(s->k->loop, told ? EXIT_SUCCESS : EXIT_FAILURE);
}

static void on_signal(void *arg, int sig)
{
	struct supervisor *s = arg;
	struct error err = { 0 };
	pid_t pid;

	if (sig == SIGHUP) {
		pidref_kill(&s->keeper, SIGHUP);
		return;
	}
	say(s, "STOPPING=1\n");
	if (service_ask(s->k, KP_REST, -1, &pid, &err) < 0)
		log_error("%s", err.text);
	loop_stop(s->k->loop, EXIT_SUCCESS);
}

static int find_keeper(struct supervisor *s, struct error *err)
{
	pid_t pid = 0;
	int r = start_keeper(s, err);

	if (r == 0)
		r = service_ask(s->k, KP_SERVE, s->listen, &pid, err);
	if (r < 0)
		return r;
	s->keeper.pid = pid;
	s->keeper.fd = proc_pidfd_open(pid);
	if (s->keeper.fd < 0)
		return err_sys(err, s->keeper.fd, "watch the keeper, process %d", pid);
	return 0;
}

/*
 * arnia-keeper --hold: the process of the unit whose cgroup machines live below. systemd takes an empty cgroup away, and
 * where controllers are handed on no process may be; so it sits in a leaf.
 */
int supervise_hold(struct error *err)
{
	struct supervisor s = { .notify = notify_connect() };
	sigset_t set;
	int sig, r = setup_hold_cgroup();

	if (r < 0)
		return err_sys(err, r, "make a control group within the unit's");
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_BLOCK, &set, NULL);
	say(&s, "READY=1\n");
	fd_close(&s.notify);
	return sigwait(&set, &sig) == 0 ? EXIT_SUCCESS : -EINVAL;
}

int supervise(struct keeper *k, struct error *err)
{
	static const int signals[] = { SIGTERM, SIGINT, SIGHUP, 0 };
	struct supervisor s = { .k = k, .keeper = PIDREF_NONE, .listen = keeper_inherited_socket(), .notify = -1 };
	auto_free char *status = NULL;
	int r;

	if (geteuid() != 0)
		return err_set_kind(err, -EPERM, ERR_PERM, "only root can keep containers");
	keeper_close_others(s.listen, -1);
	s.notify = notify_connect();
	signal(SIGPIPE, SIG_IGN);
	signal(SIGCHLD, SIG_IGN); /* nobody asks how the one that came too late ended */
	k->loop = loop_new();
	r = k->loop ? loop_add_signals(k->loop, signals, on_signal, &s) : -errno;
	if (r < 0)
		return err_sys(err, r, "make the event loop");
	r = find_keeper(&s, err);
	if (r < 0)
		return r;
	if (!loop_add_io(k->loop, s.keeper.fd, EPOLLIN, keeper_ended, &s))
		return err_set(err, -ENOMEM, "watch the keeper");
	status = str_fmt("READY=1\nSTATUS=The keeper is process %d\n", s.keeper.pid);
	say(&s, status);
	return loop_run(k->loop);
}
