/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sd_notify(3) of a container: NOTIFY_SOCKET names a socket of the host, which is not to be seen inside. The
 * program gets one of ours, and of what it says there READY=1 alone is passed on, with a process to watch.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "cmd/arnia-oci/engine.h"
#include "cmd/arnia-oci/idmap.h"
#include "lib/base/fd.h"
#include "lib/base/notify.h"
#include "lib/base/path.h"
#include "lib/base/proc.h"
#include "lib/base/sock.h"
#include "lib/base/str.h"

#define NAME "notify.sock"
#define TEXT_MAX 4096
#define AT_ONCE 64 /* messages: others want to be served, too */

static bool is_asked_for(void)
{
	return !str_is_empty(getenv("NOTIFY_SOCKET"));
}

/* ---- what the container is made of ---- */

char *notify_folder(const struct call *c)
{
	return str_fmt("%s/%s/" STORE_NOTIFY, c->g.root, c->id);
}

static json *array_of(json *o, const char *key)
{
	const json *found = NULL;
	json *made;

	if (json_get_arr(o, key, &found, NULL) != 0)
		return (json *)found;
	made = json_new_arr();
	json_add(o, key, made);
	return made;
}

static json *mount_of(const struct call *c)
{
	static const char *const options[] = { "bind", "nosuid", "nodev", "noexec", "ro" };
	auto_free char *source = notify_folder(c);
	json *m = json_new_obj(), *list = json_new_arr();

	json_add_str(m, "destination", NOTIFY_INSIDE);
	json_add_str(m, "type", "bind");
	json_add_str(m, "source", source);
	for (size_t i = 0; i < ARRAY_SIZE(options); i++)
		json_push(list, json_new_str(options[i]));
	json_add(m, "options", list);
	return m;
}

/* What has another type than it should have is for the decoder to tell. */
bool notify_add(const struct call *c, json *config)
{
	const json *process = NULL;
	json *mounts, *env;

	if (!is_asked_for() || json_kind_of(config) != JSON_OBJECT ||
	    json_get_obj(config, "process", &process, NULL) <= 0)
		return false;
	mounts = array_of(config, "mounts");
	env = array_of((json *)process, "env");
	if (!mounts || !env)
		return false;
	json_push(mounts, mount_of(c));
	json_push(env, json_new_str("NOTIFY_SOCKET=" NOTIFY_INSIDE "/" NAME));
	return true;
}

int notify_make(const struct record *r, bool always, struct error *err)
{
	mode_t mask;
	int x;

	if (!always && !is_asked_for())
		return 0;
	/* Root of a user namespace is somebody else, and has to find the socket. */
	mask = umask(0);
	x = mkdirat(r->dir, STORE_NOTIFY, 0755);
	umask(mask);
	return x < 0 && errno != EEXIST ? err_sys(err, -errno, "make the folder of the container's NOTIFY_SOCKET") : 0;
}

/* ---- and what is left of it ---- */

/* As root of the container's user namespace, with the ids that it could give things to. */
static int rmtree_inside(int dir, int go)
{
	char byte;

	if (read(go, &byte, 1) != 1 || setresgid(0, 0, 0) < 0 || setresuid(0, 0, 0) < 0)
		return 1;
	return path_rmtree_at(dir, STORE_NOTIFY) < 0;
}

static int remove_by_maps(int dir, const struct sandbox_config *maps, struct error *err)
{
	const struct proc_clone clone = { .flags = CLONE_NEWUSER, .exit_signal = SIGCHLD, .cgroup_fd = -1 };
	int go[2], status = 1, r;
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, go) < 0)
		return err_sys(err, -errno, "make a socket pair");
	pid = proc_clone3(&clone);
	if (pid == 0) {
		close(go[1]);
		_exit(rmtree_inside(dir, go[0]));
	}
	close(go[0]);
	r = pid < 0 ? err_sys(err, pid, "make a user namespace") : idmap_write_for(pid, maps, err);
	/* Did it not get that, it ends with a status that says so. */
	if (r == 0)
		(void)sock_send_fds(go[1], "", 1, NULL, 0);
	close(go[1]);
	while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return r < 0 ? r : status ? err_set(err, -EACCES, "what the container has put into its folder stays") : 0;
}

int notify_remove(struct call *c, const struct record *r, struct error *err)
{
	struct oci_config config = { 0 };
	int x = path_rmtree_at(r->dir, STORE_NOTIFY);

	if (x == -ENOENT)
		return 0;
	if (x < 0 && (geteuid() == 0 || (x != -EACCES && x != -EPERM)))
		return err_sys(err, x, "remove the folder of the container's NOTIFY_SOCKET");
	if (x < 0) {
		x = config_of_record(c, r, &config, err);
		if (x == 0)
			x = remove_by_maps(r->dir, &config.sandbox, err);
		oci_config_done(&config);
		if (x < 0)
			err_prefix(err, "remove the folder of the container's NOTIFY_SOCKET");
	}
	return x;
}

/* ---- what it says ---- */

/* By the folder's descriptor: the id may be another container's by now. */
static void close_own(struct notify *n)
{
	if (n->from >= 0 && n->of)
		unlinkat(n->of->dir, STORE_NOTIFY "/" NAME, 0);
	fd_close(&n->from);
}

void notify_done(struct notify *n)
{
	close_own(n);
	fd_close(&n->to);
}

static void warn(const struct globals *g, const struct record *r, const char *why)
{
	report(g, REPORT_WARN, "NOTIFY_SOCKET %.200s: %s: that container %.64s is ready is not told", getenv("NOTIFY_SOCKET"), why,
	       r->id);
}

void notify_begin(const struct call *c, const struct record *r, struct notify *n)
{
	auto_free char *folder = NULL, *path = NULL;
	struct error e = { 0 };
	struct stat st;

	if (!is_asked_for())
		return;
	*n = (struct notify){ .from = -1, .g = &c->g, .of = r, .pid = r->pid };
	n->to = notify_connect();
	if (n->to < 0) {
		warn(n->g, r, strerror(-n->to));
		return;
	}
	if (fstatat(r->dir, STORE_NOTIFY, &st, AT_SYMLINK_NOFOLLOW) < 0) {
		warn(n->g, r, "it was not set when the container was created");
		return;
	}
	folder = notify_folder(c);
	path = str_fmt("%s/" NAME, folder);
	n->from = sock_listen(path, SOCK_DGRAM, 0666, &e);
	if (n->from < 0)
		warn(n->g, r, e.text);
}

static void pass_on(struct notify *n)
{
	char text[48];
	int r;

	/* One message: who it is that is ready comes with it. */
	snprintf(text, sizeof(text), "MAINPID=%d\nREADY=1", (int)n->pid);
	r = notify_send(n->to, text);
	n->told = r == 0;
	if (r < 0)
		warn(n->g, n->of, strerror(-r));
	close_own(n);
}

/* Descriptors that come along (FDSTORE=1, BARRIER=1) are dropped by the kernel, for there is no room for them. */
void notify_take(struct notify *n)
{
	for (int i = 0; i < AT_ONCE && n->from >= 0; i++) {
		char text[TEXT_MAX + 1];
		ssize_t got = recv(n->from, text, TEXT_MAX, MSG_DONTWAIT);

		if (got < 0)
			return;
		text[got] = '\0';
		if (notify_has(text, "READY=1"))
			pass_on(n);
	}
}

void notify_wait(struct notify *n, const struct pidref *init)
{
	int r;

	while (n->from >= 0) {
		struct pollfd p[] = { { .fd = n->from, .events = POLLIN }, { .fd = init->fd, .events = POLLIN } };

		if (poll(p, ARRAY_SIZE(p), -1) < 0 && errno != EINTR)
			return;
		if (p[0].revents)
			notify_take(n);
		/* What it said before its end was taken. */
		else if (p[1].revents)
			return;
	}
	/* Who has sent it is looked up when it arrives, and we end now. */
	r = n->told ? notify_barrier(n->to) : 0;
	if (r < 0)
		warn(n->g, n->of, strerror(-r));
}
