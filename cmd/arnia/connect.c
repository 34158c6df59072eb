/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <unistd.h>
#include "cmd/arnia/cli.h"
#include "lib/base/fd.h"
#include "lib/base/file.h"
#include "lib/base/time.h"

#define START_MS 10000
#define RETURN_MS 5000 /* how long a daemon that went away may take to be back */
#define READY_FD 3

extern char **environ;

static char *socket_path(const struct instance *in)
{
	return str_fmt("%s/arnia.sock", in->run);
}

/* The keeper gets the pipe as descriptor 3, no terminal, and a stderr that is ours to read. All of them
 * are above 2 here. */
static int spawn_keeper(const char *program, int ready, int null, int messages)
{
	char *const argv[] = { "arnia-keeper", "--ready-fd", "3", NULL };
	posix_spawn_file_actions_t fa;
	posix_spawnattr_t attr;
	sigset_t none;
	pid_t pid;
	int r;

	sigemptyset(&none);
	posix_spawn_file_actions_init(&fa);
	posix_spawn_file_actions_adddup2(&fa, null, STDIN_FILENO);
	posix_spawn_file_actions_adddup2(&fa, null, STDOUT_FILENO);
	posix_spawn_file_actions_adddup2(&fa, messages, STDERR_FILENO);
	posix_spawn_file_actions_adddup2(&fa, ready, READY_FD);
	posix_spawnattr_init(&attr);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK);
	posix_spawnattr_setsigmask(&attr, &none);
	r = posix_spawn(&pid, program, &fa, &attr, argv, environ);
	posix_spawnattr_destroy(&attr);
	posix_spawn_file_actions_destroy(&fa);
	return -r;
}

/* The last line the keeper said before it gave up. */
static void add_last_words(int messages, struct error *err)
{
	auto_free char *text = NULL;
	long n = file_read_fd(messages, 1 << 16, &text, NULL);
	char *line;

	while (n > 0 && text[n - 1] == '\n')
		text[--n] = '\0';
	if (n <= 0 || !err)
		return;
	line = strrchr(text, '\n');
	err_set_kind(err, err->code, err->kind, "%.200s: %s", err->text, line ? line + 1 : text);
}

/* One byte says that clients can connect; the end without it, that they never will. */
static int wait_ready(int fd, int messages, const struct instance *in, struct error *err)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	uint64_t until = time_mono_ms() + START_MS, now;
	char byte;
	int r;

	do {
		now = time_mono_ms();
		r = poll(&p, 1, until > now ? (int)(until - now) : 0);
	} while (r < 0 && errno == EINTR);
	if (r > 0 && read(fd, &byte, 1) == 1)
		return 0;
	if (r == 0)
		err_set_kind(err, -ETIMEDOUT, ERR_UNREACHABLE, "the daemon did not start within %d s",
			     START_MS / 1000);
	else
		err_set_kind(err, -ECONNREFUSED, ERR_UNREACHABLE, "the daemon did not start");
	add_last_words(messages, err);
	err_hint(err, "see %.180s/log/", in->run);
	return -ECONNREFUSED;
}

static int start_daemon(struct error *err)
{
	auto_fd int null = -1, messages = -1, ready = -1, ready_end = -1;
	auto_free char *program = NULL;
	struct instance in;
	int p[2], r = instance_load(&in, err);

	if (r < 0)
		return r;
	program = str_fmt("%s/arnia-keeper", in.lib);
	if (pipe2(p, O_CLOEXEC) < 0)
		return err_sys(err, -errno, "start the daemon");
	ready = p[0];
	ready_end = p[1];
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	messages = memfd_create("arnia-start", MFD_CLOEXEC);
	if (null < 0 || messages < 0)
		return err_sys(err, -errno, "start the daemon");
	r = spawn_keeper(program, ready_end, null, messages);
	if (r < 0) {
		err_sys(err, r, "start %s", program);
		if (err)
			err->kind = ERR_UNREACHABLE;
		return r;
	}
	fd_close(&ready_end);
	return wait_ready(ready, messages, &in, err);
}

/*
 * The daemon outlives a keeper that was killed, and answers, but can start nothing. The peer of a connection is
 * whoever made the listening socket (unix(7)): the keeper, or systemd, which looks after its service itself. Whether
 * that process is there says nothing: it may wait for its parent as a zombie. The locks are the keeper's: one range
 * while it starts, which would find ours in its way, and flock(2) for life.
 */
static bool keeper_is_gone(const struct instance *in, struct rpc_client *client)
{
	auto_free char *path = str_fmt("%s/keeper.lock", in->run);
	struct flock start = { .l_type = F_RDLCK, .l_whence = SEEK_SET, .l_len = 1 };
	auto_fd int lock = -1;
	struct sock_peer peer;

	if (sock_peer(rpc_client_fd(client), &peer) < 0 || peer.pid <= 1)
		return false;
	lock = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	return lock >= 0 && fcntl(lock, F_OFD_SETLK, &start) == 0 && flock(lock, LOCK_SH | LOCK_NB) == 0;
}

void cli_start_keeper(const struct cli *c)
{
	/* Where one runs already the new one sees that and ends. What goes wrong, the daemon's answers tell. */
	if (geteuid() == 0 && !c->no_start)
		(void)start_daemon(NULL);
}

static void explain_unreachable(const struct cli *c, const struct instance *in, int code, struct error *err)
{
	if (code == -EACCES || code == -EPERM)
		err->kind = ERR_PERM;
	if (geteuid() != 0 && in->root[0])
		err_hint(err, "this instance belongs to root");
	else if (geteuid() != 0 && err->kind == ERR_PERM)
		err_hint(err, "be root, or a member of the group arnia");
	else if (geteuid() != 0)
		err_hint(err, "root, or the group arnia while arniad runs, may use it");
	else if (c->no_start)
		err_hint(err, "--no-start: the daemon is not started");
	else
		err_hint(err, "see %.180s/log/", in->run);
}

int cli_connect(const struct cli *c, struct rpc_client **ret, struct error *err)
{
	struct instance in;
	auto_free char *path = NULL;
	int r = instance_locate(&in, err);

	if (r < 0)
		return r;
	path = socket_path(&in);
	r = rpc_client_open(path, ret, err);
	if (r == 0 && geteuid() == 0 && !c->no_start && keeper_is_gone(&in, *ret))
		cli_start_keeper(c);
	if ((r == -ENOENT || r == -ECONNREFUSED) && geteuid() == 0 && !c->no_start) {
		r = start_daemon(err);
		if (r == 0)
			r = rpc_client_open(path, ret, err);
	}
	if (r < 0)
		explain_unreachable(c, &in, r, err);
	return r;
}

int cli_client(struct cli *c, struct error *err)
{
	return c->client ? 0 : cli_connect(c, &c->client, err);
}

int cli_next(struct cli *c, json **ret, bool *more, struct error *err)
{
	struct instance in;
	int r = rpc_client_next(c->client, ret, more, c->timeout_ms, err);

	if (r == -ETIMEDOUT && err->kind == ERR_TIMEOUT)
		err_set_kind(err, r, ERR_TIMEOUT, "no answer within %d ms; the operation goes on",
			     c->timeout_ms);
	if (r == -ECONNREFUSED && err->kind == ERR_UNREACHABLE && instance_locate(&in, NULL) == 0)
		err_hint(err, "see %.180s/log/", in.run);
	return r < 0 ? r : 0;
}

int cli_call(struct cli *c, const char *method, json *params, json **ret, struct error *err)
{
	auto_json json *p = params;
	int r = cli_client(c, err);

	if (r == 0)
		r = rpc_client_send(c->client, method, ptr_steal(&p), false, NULL, 0, err);
	return r < 0 ? r : cli_next(c, ret, NULL, err);
}

/* Until something is made or renamed in the folder of the socket, or the time is over. */
static void wait_for_change(int notify, uint64_t until)
{
	char events[4096] __attribute__((aligned(8)));
	struct pollfd p = { .fd = notify, .events = POLLIN };
	uint64_t now = time_mono_ms();

	if (poll(&p, 1, until > now ? (int)(until - now) : 0) > 0)
		(void)!read(notify, events, sizeof(events));
}

int cli_reconnect(const struct cli *c, struct rpc_client **ret, struct error *err)
{
	struct cli quiet = *c;
	uint64_t until = time_mono_ms() + RETURN_MS;
	auto_fd int notify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	struct instance in;
	int r = instance_locate(&in, err);

	if (r < 0)
		return r;
	/* The keeper starts it again; were the keeper gone as well, another one would not know our process
	 * yet. */
	quiet.no_start = true;
	if (notify >= 0)
		inotify_add_watch(notify, in.run, IN_CREATE | IN_MOVED_TO);
	do {
		r = cli_connect(&quiet, ret, err);
		if (r < 0)
			wait_for_change(notify, until);
	} while (r < 0 && time_mono_ms() < until);
	return r;
}

int cli_await(const struct cli *c, const char *name, const char *condition, json **ret, struct error *err)
{
	struct rpc_client *again = NULL;
	json *p;
	int r = -ECONNRESET;

	/* It may be restarted more than once, yet not for ever. */
	for (int tries = 0; tries < 3 && r == -ECONNRESET; tries++) {
		r = cli_reconnect(c, &again, err);
		if (r < 0)
			return r;
		p = name_params(name);
		json_add_str(p, "condition", condition);
		r = rpc_client_call(again, "io.arnia.Wait", p, ret, err);
		rpc_client_free(again);
	}
	return r;
}
