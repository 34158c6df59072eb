/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include "cmd/arniad/daemon.h"
#include "lib/base/fd.h"
#include "lib/base/file.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/base/parse.h"
#include "lib/base/sock.h"
#include "lib/base/str.h"
#include "lib/base/time.h"
#include "lib/sandbox/sandbox.h"

#define SUBID_MAX (1u << 20)

static void on_signal(void *arg, int sig)
{
	struct daemon *d = arg;

	log_info("signal %d: ending; machines go on", sig);
	loop_stop(d->loop, 0);
}

/* The keeper (or systemd through it) hands the listening socket over, sd_listen_fds(3). */
static int take_listen_fd(const struct instance *in, struct error *err)
{
	const char *fds = getenv("LISTEN_FDS"), *pid = getenv("LISTEN_PID");
	uint32_t n = 0, p = 0;
	struct stat st;

	if (fds && pid && parse_u32(fds, &n) == 0 && parse_u32(pid, &p) == 0 && n >= 1 && (pid_t)p == getpid() &&
	    fstat(3, &st) == 0 && S_ISSOCK(st.st_mode)) {
		fd_cloexec(3, true);
		fd_nonblock(3, true);
		return 3;
	}
	{
		auto_free char *path = str_fmt("%s/arnia.sock", in->run);

		return sock_listen(path, SOCK_STREAM, 0660, err);
	}
}

static int take_lock(struct daemon *d, struct error *err)
{
	auto_free char *path = str_fmt("%s/arniad.lock", d->in.run);

	d->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (d->lock_fd < 0)
		return err_sys(err, -errno, "open %s", path);
	if (flock(d->lock_fd, LOCK_EX | LOCK_NB))
		return err_set_kind(err, -errno, ERR_STATE, "another arniad serves %s", d->in.run);
	return 0;
}

/* Where machines go: the keeper chose it, and left a link. Started by hand: the instance's own branch at the top. */
static int find_branch(struct daemon *d, struct error *err)
{
	auto_free char *link = str_fmt("%s/cgroup", d->in.run);
	char branch[256];
	ssize_t n = readlink(link, branch, sizeof(branch));

	if (n == (ssize_t)sizeof(branch))
		return err_set(err, -ENAMETOOLONG, "%s: the path is too long", link);
	branch[n > 0 ? n : 0] = '\0';
	d->cgroup_root = cg_open_root(err);
	if (d->cgroup_root < 0)
		return d->cgroup_root;
	return str_copy(d->facts.branch, sizeof(d->facts.branch), n > 0 ? branch : d->ids.cgroup);
}

static void exclude_subids(struct daemon *d)
{
	static const char *const files[] = { "/etc/subuid", "/etc/subgid" };

	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		auto_free char *text = NULL;

		if (file_read_at(AT_FDCWD, files[i], SUBID_MAX, &text, NULL) > 0)
			lease_pool_exclude(d->leases, text);
	}
}

static int set_up(struct daemon *d, struct error *err)
{
	static const int signals[] = { SIGTERM, SIGINT, 0 };
	auto_free char *sock = NULL;
	int r;

	if ((r = rpc_interface_check(rpc_interface_text, api_methods, api_methods_n, err)) < 0)
		return r;
	if ((r = instance_load(&d->in, err)) < 0 || (r = instance_prepare(&d->in, err)) < 0)
		return r;
	instance_ids(&d->in, &d->ids);
	if ((r = take_lock(d, err)) < 0 || (r = find_branch(d, err)) < 0 || (r = store_open(&d->in, &d->store, err)) < 0)
		return r;
	if ((d->listen_fd = take_listen_fd(&d->in, err)) < 0)
		return d->listen_fd;
	proc_raise_nofile();
	d->loop = loop_new();
	if ((r = loop_add_signals(d->loop, signals, on_signal, d)) < 0)
		return err_sys(err, r, "receive signals");
	d->facts.plan.caps = caps_kernel_all(); /* by prctl(2), which is closed to us later */
	d->leases = lease_pool_new(d->ids.id_base, d->ids.id_end, d->ids.pool);
	exclude_subids(d);
	if (!(d->events = events_open(d->loop, &d->in, err)) || (r = watch_init(d, err)) < 0 || (r = reconcile_load(d, err)) < 0)
		return r < 0 ? r : -EIO;
	sock = str_fmt("%s/keeper.sock", d->in.run);
	d->keeper = keeper_new(d->loop, sock, &reconcile_ops, d);
	keeper_connect(d->keeper);
	return profile_confine_self(d, err);
}

static void usage(FILE *f)
{
	fputs("usage: arniad [--version] [--help]\n"
	      "The daemon of arnia. It is started by arnia-keeper; see arniad(8).\n",
	      f);
}

int main(int argc, char **argv)
{
	struct daemon d = { .listen_fd = -1, .lock_fd = -1, .cgroup_root = -1, .inotify = -1 };
	struct error err = { 0 };
	char now[40];
	int r;

	if (argc > 1) {
		if (str_eq(argv[1], "--version"))
			puts("arniad " ARNIA_VERSION);
		else
			usage(str_eq(argv[1], "--help") ? stdout : stderr);
		return str_eq(argv[1], "--version") || str_eq(argv[1], "--help") ? 0 : 2;
	}
	log_init("arniad", getenv("ARNIA_DEBUG") ? LOG_DEBUG_ : LOG_INFO_);
	signal(SIGPIPE, SIG_IGN);
	umask(0077);
	(void)str_copy(d.version_since, sizeof(d.version_since), time_rfc3339(time_real_ns(), now));
	r = set_up(&d, &err);
	if (r < 0) {
		log_error("%s%s%s%s", err.text, err.hint[0] ? " (hint: " : "", err.hint, err.hint[0] ? ")" : "");
		return err.kind == ERR_STATE ? 4 : 1;
	}
	r = loop_run(d.loop);
	if (r < 0)
		log_error("event loop: %s", strerror(-r));
	return r < 0 ? 1 : r;
}
