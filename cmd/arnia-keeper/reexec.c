/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Replacing the program in place: pid, children and descriptors stay, what is known about them travels in a
 * sealed memfd of fixed records. The new program first says whether it can read them; if not, the old one
 * goes on.
 */
#include <errno.h>
#include <linux/close_range.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include "cmd/arnia-keeper/keeper.h"
#include "lib/base/fd.h"
#include "lib/base/log.h"
#include "lib/base/str.h"

#define STATE_MAGIC 0x7265706b6e726100ull
#define STATE_VERSION 3u
#define CHECK_SECONDS 5

struct head_rec {
	uint64_t magic;
	uint32_t version, size; /* of this record and all behind it */
	struct keeper_fds fd;
	struct daemon_rec daemon;
	uint64_t orphans;
	uint32_t spares, next_worker, foreground, inherited_sock, at_rest;
	uint32_t nheld, nworkers; /* a held_rec each with its session_recs; a worker_rec and the id of its
				     child each */
};
struct held_rec {
	struct kp_container c;
	int32_t pidfd, port[PORTS];
	int32_t code, status;
	uint64_t exit_ns;
	uint32_t dropped, nsessions;
	uint8_t foreign, starting, failed, exited, done, forgotten, new_log, unused_;
};
struct session_rec { /* and the bytes that wait: out, then in */
	int32_t fd;
	uint8_t input, last, unused_[2];
	uint32_t out, in;
};
struct child_rec {
	struct worker_rec r;
	char child[sizeof(((struct kp_ref *)0)->id)];
};

/* ---- saving ---- */

struct saver {
	struct strbuf bytes;
	struct strbuf fds; /* ints: what the new program gets */
};

static void save(struct saver *s, const void *p, size_t n)
{
	strbuf_add_n(&s->bytes, p, n);
}

static void save_fd(struct saver *s, int fd)
{
	if (fd >= 0)
		strbuf_add_n(&s->fds, &fd, sizeof(fd));
}

static void inherit_fds(const struct saver *s, bool on)
{
	for (size_t at = 0; at < s->fds.len; at += sizeof(int)) {
		int fd;

		memcpy(&fd, s->fds.s + at, sizeof(fd));
		fd_cloexec(fd, !on);
	}
}

static void save_session(struct saver *s, const struct session *ss)
{
	struct session_rec rec = {
		.fd = ss->fd,
		.input = ss->input,
		.last = ss->last,
		.out = ss->out.len,
		.in = ss->in.len - ss->in.at,
	};

	save(s, &rec, sizeof(rec));
	if (rec.out)
		save(s, ss->out.bytes, rec.out);
	if (rec.in)
		save(s, ss->in.bytes + ss->in.at, rec.in);
	save_fd(s, ss->fd);
}

static void save_held(struct saver *s, const struct held *h)
{
	struct held_rec rec = {
		.c = h->c,
		.pidfd = h->pidfd,
		.code = h->code,
		.status = h->status,
		.exit_ns = h->exit_ns,
		.dropped = h->dropped,
		.foreign = h->foreign,
		.starting = h->starting,
		.failed = h->failed,
		.exited = h->exited,
		.done = h->done,
		.forgotten = h->forgotten,
		.new_log = h->new_log,
	};

	save_fd(s, h->pidfd);
	for (int i = 0; i < PORTS; i++) {
		rec.port[i] = h->port[i].fd;
		save_fd(s, h->port[i].fd);
	}
	for (const struct session *ss = h->sessions; ss; ss = ss->next)
		rec.nsessions++;
	save(s, &rec, sizeof(rec));
	for (const struct session *ss = h->sessions; ss; ss = ss->next)
		save_session(s, ss);
}

static void save_worker(struct saver *s, const struct worker *w)
{
	struct child_rec rec = { .r = w->r };

	if (w->child)
		memcpy(rec.child, w->child->c.id, sizeof(rec.child));
	save(s, &rec, sizeof(rec));
	save_fd(s, w->r.fd);
	save_fd(s, w->r.pidfd);
	save_fd(s, w->r.session);
}

/* One at work or prepared goes along; the others see their socket close, and end. */
static bool worker_goes_along(const struct worker *w)
{
	return w->r.state == WORKER_BUSY || w->r.state == WORKER_KEPT;
}

static void save_all(struct keeper *k, struct saver *s)
{
	const int *fds = (const int *)&k->fd;
	struct head_rec head = {
		.magic = STATE_MAGIC,
		.version = STATE_VERSION,
		.fd = k->fd,
		.daemon = k->daemon.r,
		.orphans = k->orphans,
		.spares = k->spares,
		.next_worker = k->next_worker,
		.foreground = k->foreground,
		.inherited_sock = k->inherited_sock,
		.at_rest = k->at_rest,
		.nheld = (uint32_t)k->nslots,
	};

	for (const struct worker *w = k->workers; w; w = w->next)
		head.nworkers += worker_goes_along(w);
	save(s, &head, sizeof(head));
	for (size_t i = 0; i < sizeof(k->fd) / sizeof(int); i++)
		save_fd(s, fds[i]);
	save_fd(s, k->daemon.r.pidfd);
	save_fd(s, k->daemon.r.conn);
	for (size_t i = 0; i < k->nslots; i++)
		save_held(s, k->slots[i].held);
	for (const struct worker *w = k->workers; w; w = w->next)
		if (worker_goes_along(w))
			save_worker(s, w);
	((struct head_rec *)s->bytes.s)->size = (uint32_t)s->bytes.len;
}

static void run_new(const char *path, int fd, bool check, bool foreground)
{
	char number[16];
	char *argv[6] = { (char *)path, "--resume", number };
	size_t n = 3;

	snprintf(number, sizeof(number), "%d", fd);
	if (check)
		argv[n++] = "--check";
	if (foreground)
		argv[n++] = "--foreground";
	execv(path, argv);
}

/* Does the new program understand? It has its time bounded by SIGALRM, so we are not held up for long. */
static bool check_new(const char *path, int fd)
{
	int status = 0;
	pid_t pid = fork();

	if (pid == 0) {
		sigset_t none;

		sigemptyset(&none);
		sigprocmask(SIG_SETMASK, &none, NULL);
		alarm(CHECK_SECONDS);
		run_new(path, fd, true, true);
		_exit(EXIT_FAILURE);
	}
	return pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status) &&
	       WEXITSTATUS(status) == EXIT_SUCCESS;
}

static void reexec_now(void *arg)
{
	struct keeper *k = arg;
	auto_free char *path = str_fmt("%s/arnia-keeper", k->in.lib);
	struct saver s = { 0 };
	int fd;

	if (!k->reexec || k->closing || k->jobs || k->daemon.out)
		return;
	k->reexec = false;
	save_all(k, &s);
	fd = fd_memfd_sealed("arnia-keeper-state", s.bytes.s, s.bytes.len);
	if (fd >= 0) {
		save_fd(&s, fd);
		inherit_fds(&s, true);
		if (check_new(path, fd) && lseek(fd, 0, SEEK_SET) == 0)
			run_new(path, fd, false, k->foreground);
		inherit_fds(&s, false);
	}
	log_error("%s cannot take over; this one goes on", path);
	fd_close(&fd);
	strbuf_done(&s.bytes);
	strbuf_done(&s.fds);
}

/* After the round of callbacks: nothing is half done then. */
void reexec_try(struct keeper *k)
{
	if (k->reexec && !k->closing && !k->jobs && !k->daemon.out)
		loop_defer(k->loop, reexec_now, k);
}

/* ---- restoring ---- */

static void restore_held(struct keeper *k, const struct held_rec *rec)
{
	struct held *h = held_add(k, &rec->c);

	h->pidfd = rec->pidfd;
	for (int i = 0; i < PORTS; i++)
		h->port[i].fd = rec->port[i];
	h->code = rec->code;
	h->status = rec->status;
	h->exit_ns = rec->exit_ns;
	h->dropped = rec->dropped;
	h->foreign = rec->foreign;
	h->starting = rec->starting;
	h->failed = rec->failed;
	h->exited = rec->exited;
	h->done = rec->done;
	h->forgotten = rec->forgotten;
	h->new_log = rec->new_log;
	if (h->forgotten)
		k->slots[k->nslots - 1].hash = 0;
	if (!h->foreign && !h->exited)
		k->slots[k->nslots - 1].pid = h->c.pid;
}

/* [*at, end) as a record of n bytes, or NULL. */
static const void *next_rec(const char **at, const char *end, size_t n)
{
	const char *p = *at;

	if ((size_t)(end - p) < n)
		return NULL;
	*at += n;
	return p;
}

static int restore_session(struct held *h, const char **at, const char *end)
{
	struct session_rec rec;
	const void *p = next_rec(at, end, sizeof(rec)), *out, *in;

	if (!p)
		return -EPROTO;
	memcpy(&rec, p, sizeof(rec));
	out = next_rec(at, end, rec.out);
	in = out ? next_rec(at, end, rec.in) : NULL;
	if (!in)
		return -EPROTO;
	session_attach(h, rec.fd, rec.input);
	session_resume(h, rec.last, (struct chunk){ (uint8_t *)out, 0, rec.out }, (struct chunk){ (uint8_t *)in, 0, rec.in });
	return 0;
}

static int restore_all(struct keeper *k, const struct head_rec *head, const char *at, const char *end)
{
	for (uint32_t i = 0; i < head->nheld; i++) {
		struct held_rec rec;
		const void *p = next_rec(&at, end, sizeof(rec));

		if (!p)
			return -EPROTO;
		memcpy(&rec, p, sizeof(rec));
		restore_held(k, &rec);
		for (uint32_t j = 0; j < rec.nsessions; j++)
			if (restore_session(k->slots[k->nslots - 1].held, &at, end) < 0)
				return -EPROTO;
	}
	for (uint32_t i = 0; i < head->nworkers; i++) {
		struct child_rec rec;
		const void *p = next_rec(&at, end, sizeof(rec));

		if (!p)
			return -EPROTO;
		memcpy(&rec, p, sizeof(rec));
		worker_add(k, &rec.r)->child = rec.child[0] ? held_find(k, rec.child) : NULL;
	}
	return at == end ? 0 : -EPROTO;
}

static void resume(struct keeper *k)
{
	struct kp_hello own = { KEEPER_VERSION, getpid() };

	for (size_t i = k->nslots; i-- > 0;) {
		held_watch_pid(k->slots[i].held);
		stream_watch(k->slots[i].held);
	}
	daemon_watch(k);
	service_watch(k);
	daemon_tell(k, KP_HELLO, 0, &own, sizeof(own));
	keeper_reap(k);
	daemon_start(k);
	worker_refill(k);
}

int reexec_restore(struct keeper *k, int fd, bool check_only, struct error *err)
{
	auto_free char *bytes = NULL;
	struct head_rec head;
	long n = fd_read_full(fd, &head, sizeof(head));
	int r;

	if (n != sizeof(head) || head.magic != STATE_MAGIC || head.version != STATE_VERSION ||
	    head.size < sizeof(head))
		return err_set(err, -EPROTO, "state of the earlier program: not version %u", STATE_VERSION);
	if (check_only)
		return 0;
	n = head.size - (long)sizeof(head);
	bytes = mem_alloc((size_t)n + 1);
	if (fd_read_full(fd, bytes, (size_t)n) != n)
		return err_set(err, -EPROTO, "state of the earlier program: cut short");
	close(fd);
	close_range(3, ~0U, CLOSE_RANGE_CLOEXEC);
	k->fd = head.fd;
	k->daemon.r = head.daemon;
	k->orphans = head.orphans;
	k->spares = head.spares;
	k->next_worker = head.next_worker;
	k->foreground = head.foreground;
	k->inherited_sock = head.inherited_sock;
	k->at_rest = head.at_rest;
	r = restore_all(k, &head, bytes, bytes + n);
	if (r < 0)
		return err_set(err, r, "state of the earlier program: records do not add up");
	signal(SIGPIPE, SIG_IGN);
	resume(k);
	log_info("resumed: version %u.%u.%u", KEEPER_VERSION >> 16, KEEPER_VERSION >> 8 & 255,
		 KEEPER_VERSION & 255);
	return 0;
}
