/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <poll.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>
#include "cmd/arnia/logfile.h"
#include "lib/base/fd.h"
#include "lib/base/path.h"
#include "lib/base/time.h"

/* Between looks at a file that cannot be watched: inotify(7) wants read permission on it, which members of
 * the group need not have. */
#define UNWATCHED_MS 250
/* The keeper renames the full log, then makes the new one. */
#define ROTATION_MS 50

struct follow {
	struct cli *c;
	const char *name;
	struct log_printer *p;
	int fd, notify, watch;
	uint64_t offset;
	struct rpc_client *end; /* its answer: the machine has stopped */
	bool stopped;
	bool missed; /* a whole file may have come and gone between two looks */
	struct error *err;
};

/* Ask on a connection of its own to be told of the end. */
static int ask_end(struct follow *f)
{
	json *p = name_params(f->name);

	json_add_str(p, "condition", "stopped");
	return rpc_client_send(f->end, "io.arnia.Wait", p, false, NULL, 0, f->err);
}

static void watch_file(struct follow *f)
{
	char path[32];

	if (f->watch >= 0)
		inotify_rm_watch(f->notify, f->watch);
	f->watch =
		f->fd < 0 ? -1
			  : inotify_add_watch(f->notify, path_proc_fd(f->fd, path), IN_MODIFY | IN_MOVE_SELF);
}

static int print_new(struct follow *f)
{
	return f->fd < 0 ? 0 : log_print(f->p, f->fd, &f->offset, f->err);
}

static bool is_over(const struct follow *f)
{
	return f->p->filter.until_ns && time_real_ns() > f->p->filter.until_ns;
}

static bool same_file(int a, int b)
{
	struct stat x, y;

	return a >= 0 && b >= 0 && fstat(a, &x) == 0 && fstat(b, &y) == 0 && x.st_ino == y.st_ino &&
	       x.st_dev == y.st_dev;
}

/* Go on with what is the log now. 1 = it is another file, 0 = the one we have, or none. */
static int take_newest(struct follow *f)
{
	cleanup(log_files_done) struct log_files files = LOG_FILES_NONE;
	uint64_t old_offset = 0;
	int r = logs_open(f->c, f->name, &files, f->err);

	if (r < 0)
		return r;
	if (files.now < 0 || same_file(files.now, f->fd))
		return 0;
	r = print_new(f);
	/* Two renames or more while we were not looking: the last one between is log.1 now. */
	if (r == 0 && files.old >= 0 && !same_file(files.old, f->fd)) {
		f->missed = true;
		r = log_print(f->p, files.old, &old_offset, f->err);
	}
	fd_close(&f->fd);
	f->fd = fd_steal(&files.now);
	f->offset = 0;
	watch_file(f);
	if (r == 0)
		r = print_new(f);
	return r < 0 ? r : 1;
}

/* Until it stays the same: a rename that came before the watch is not told. */
static int look_again(struct follow *f, bool *ret_changed)
{
	int r = take_newest(f);

	*ret_changed = r > 0;
	while (r > 0 && !is_over(f))
		r = take_newest(f);
	return MIN(r, 0);
}

/* True when the file we have is not the log any more. */
static bool read_events(struct follow *f)
{
	char buf[4096] __attribute__((aligned(8)));
	ssize_t n = read(f->notify, buf, sizeof(buf));
	bool moved = false;

	for (ssize_t at = 0; at < n;) {
		const struct inotify_event *e = (const struct inotify_event *)(buf + at);

		moved = moved || (e->wd == f->watch && e->mask & IN_MOVE_SELF);
		at += (ssize_t)(sizeof(*e) + e->len);
	}
	return moved;
}

/* The daemon's answer, or its end: then another one is asked, as far as there is one. */
static int take_end(struct follow *f)
{
	auto_json json *reply = NULL;
	int r = rpc_client_next(f->end, &reply, NULL, -1, f->err);

	if (r > 0 || f->err->kind == ERR_NOT_FOUND) {
		f->stopped = true;
		return 0;
	}
	if (r != -ECONNRESET)
		return r;
	rpc_client_free(f->end);
	f->end = NULL;
	rpc_client_free(f->c->client);
	f->c->client = NULL;
	r = cli_reconnect(f->c, &f->end, f->err);
	return r < 0 ? r : ask_end(f);
}

static int turn(struct follow *f, bool *moved)
{
	struct pollfd p[2] = { { rpc_client_fd(f->end), POLLIN, 0 }, { f->notify, POLLIN, 0 } };
	int timeout = *moved || f->fd < 0 ? ROTATION_MS : f->watch < 0 ? UNWATCHED_MS : -1, r = 0;
	bool changed;

	if (poll(p, 2, timeout) < 0 && errno != EINTR)
		return err_sys(f->err, -errno, "wait for output");
	if (p[1].revents && read_events(f))
		*moved = true;
	if (p[0].revents)
		r = take_end(f);
	if (r == 0)
		r = print_new(f);
	if (r == 0 && (*moved || f->watch < 0) && !f->stopped) {
		r = look_again(f, &changed);
		*moved = *moved && !changed;
	}
	return r;
}

/* The end may have come together with the last output, and with renames. A machine with --rm may be gone by now. */
static int print_rest(struct follow *f)
{
	int r = print_new(f);
	bool changed;

	if (r == 0)
		r = look_again(f, &changed);
	if (r < 0 && f->err->kind == ERR_NOT_FOUND)
		r = 0;
	return r;
}

int logs_follow(struct cli *c, const char *name, struct log_printer *p, int fd, uint64_t offset,
		struct error *err)
{
	struct follow f = {
		.c = c, .name = name, .p = p, .fd = fd, .watch = -1, .offset = offset, .err = err
	};
	bool moved = false;
	int r;

	f.notify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	r = f.notify < 0 ? err_sys(err, -errno, "watch the log") : cli_connect(c, &f.end, err);
	if (r == 0)
		r = ask_end(&f);
	if (r == 0) {
		watch_file(&f);
		/* What came before the watch was there, and a rename then. */
		r = look_again(&f, &moved);
		moved = false;
	}
	while (r == 0 && !f.stopped && !is_over(&f))
		r = turn(&f, &moved);
	if (r == 0 && f.stopped)
		r = print_rest(&f);
	if (f.missed)
		cli_note(c, name, "the log was replaced faster than it was read: some output may be missing");
	rpc_client_free(f.end);
	fd_close(&f.fd);
	fd_close(&f.notify);
	return r;
}
