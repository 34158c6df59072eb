/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sd_notify(3) of a container: NOTIFY_SOCKET names a socket of the host, which is not to be seen inside. The program gets one of ours, and of what
 * it says there READY=1 alone is passed on, with the process that it comes from, as runc does.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include "cmd/arnia-oci/engine.h"
#include "lib/base/fd.h"
#include "lib/base/notify.h"
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

	if (!is_asked_for() || json_kind_of(config) != JSON_OBJECT || json_get_obj(config, "process", &process, NULL) <= 0)
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

/* ---- what it says ---- */

/* By the folder's descriptor: the id may be another container's by now. */
static void close_own(struct notify *n)
{
	if (n->from >= 0)
		unlinkat(n->dir, STORE_NOTIFY "/" NAME, 0);
	fd_close(&n->from);
}

void notify_done(struct notify *n)
{
	close_own(n);
	fd_close(&n->to);
}

void notify_begin(const struct call *c, const struct record *r, struct notify *n)
{
	auto_free char *path = NULL;
	struct error e = { 0 };
	struct stat st;

	if (!is_asked_for())
		return;
	if (fstatat(r->dir, STORE_NOTIFY, &st, AT_SYMLINK_NOFOLLOW) < 0) {
		report(&c->g, REPORT_WARN, "NOTIFY_SOCKET: it was not set when container %.64s was created: that it is ready will not be told", r->id);
		return;
	}
	n->to = notify_connect();
	if (n->to < 0) {
		report(&c->g, REPORT_WARN, "NOTIFY_SOCKET %.200s: %s: that container %.64s is ready will not be told", getenv("NOTIFY_SOCKET"),
		       strerror(-n->to), r->id);
		return;
	}
	path = str_fmt("%s/%s/" STORE_NOTIFY "/" NAME, c->g.root, r->id);
	n->pid = r->pid;
	n->dir = r->dir;
	n->from = sock_listen(path, SOCK_DGRAM, 0666, &e);
	if (n->from < 0)
		report(&c->g, REPORT_WARN, "%s: that container %.64s is ready will not be told", e.text, r->id);
}

static bool has_line(const char *text, const char *line)
{
	size_t n = strlen(line);

	for (const char *at = text; at; at = strchr(at, '\n')) {
		at += *at == '\n';
		if (str_starts(at, line) && (!at[n] || at[n] == '\n'))
			return true;
	}
	return false;
}

static void pass_on(struct notify *n)
{
	char text[48];

	/* One message: who it is that is ready comes with it. */
	snprintf(text, sizeof(text), "MAINPID=%d\nREADY=1", (int)n->pid);
	n->told = notify_send(n->to, text) == 0;
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
		if (has_line(text, "READY=1"))
			pass_on(n);
	}
}

void notify_wait(struct notify *n, const struct pidref *init)
{
	while (n->from >= 0) {
		struct pollfd p[] = { { .fd = n->from, .events = POLLIN }, { .fd = init->fd, .events = POLLIN } };

		if (poll(p, 2, -1) < 0 && errno != EINTR)
			return;
		if (p[0].revents)
			notify_take(n);
		/* What it said before its end was taken. */
		else if (p[1].revents)
			return;
	}
	/* Who has sent it is looked up when it arrives, and we end now. */
	if (n->told)
		(void)notify_barrier(n->to);
}
