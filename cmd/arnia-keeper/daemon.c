/* SPDX-License-Identifier: GPL-2.0-or-later */
/* arniad: started, started again, and served over run/keeper.sock. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <unistd.h>
#include "cmd/arnia-keeper/keeper.h"
#include "lib/base/failat.h"
#include "lib/base/fd.h"
#include "lib/base/log.h"
#include "lib/base/proc.h"
#include "lib/base/sock.h"
#include "lib/base/str.h"
#include "lib/base/time.h"

#define DELAY_MIN_MS 100
#define DELAY_MAX_MS 5000
#define STEADY_MS 1000 /* it did not fall over at once */
#define SURVIVOR_MS 500
#define FRAMES_PER_TURN 16
/* Frames it may leave unread before the connection is given up; it learns all at KP_HELLO. */
#define OUT_MAX 16384
#define PROGRESS_MAX 256
#define SPARES_MAX 32

struct out {
	struct out *next;
	uint32_t type;
	uint64_t seq;
	size_t len;
	uint8_t body[];
};

static void conn_close(struct keeper *k)
{
	struct daemon *d = &k->daemon;

	loop_del_io(d->conn_io);
	d->conn_io = NULL;
	fd_close(&d->r.conn);
	d->r.greeted = false;
	while (d->out) {
		struct out *o = d->out;

		d->out = o->next;
		free(o);
	}
	d->out_end = &d->out;
	d->waiting = 0;
	worker_orphan_all(k);
}

/* A KP_CONTAINER waits as an id only: its descriptors are looked up when it goes out. */
static int send_now(struct keeper *k, uint32_t type, uint64_t seq, const void *body, size_t n)
{
	struct kp_container c;
	const struct held *h;
	int fds[3];
	size_t nfds;

	if (type != KP_CONTAINER)
		return frame_send(k->daemon.r.conn, KP_MAGIC, type, seq, body, n, NULL, 0);
	h = held_find(k, ((const struct kp_ref *)body)->id);
	if (!h || h->exited)
		return 0;
	c = h->c;
	nfds = held_fds(h, fds, &c.fds);
	return frame_send(k->daemon.r.conn, KP_MAGIC, type, seq, &c, sizeof(c), fds, nfds);
}

static void pump(struct keeper *k)
{
	struct daemon *d = &k->daemon;

	while (d->out) {
		struct out *o = d->out;
		int r = send_now(k, o->type, o->seq, o->body, o->len);

		if (r == -EAGAIN)
			return;
		if (r < 0) {
			conn_close(k);
			return;
		}
		d->out = o->next;
		d->waiting--;
		free(o);
	}
	d->out_end = &d->out;
	loop_set_io(d->conn_io, EPOLLIN);
	reexec_try(k);
}

void daemon_tell(struct keeper *k, uint32_t type, uint64_t seq, const void *body, size_t n)
{
	struct daemon *d = &k->daemon;
	struct out *o;
	int r = -EAGAIN;

	if (d->r.conn < 0 || !d->r.greeted)
		return;
	if (!d->out)
		r = send_now(k, type, seq, body, n);
	if (r == 0 || (type == KP_PROGRESS && d->waiting > PROGRESS_MAX))
		return;
	if (r != -EAGAIN || d->waiting >= OUT_MAX + 2 * k->nslots) {
		log_warn("arniad: connection given up: %s", r == -EAGAIN ? "it does not read" : strerror(-r));
		/* The end is seen by the reader, where it is safe to tidy up. */
		shutdown(d->r.conn, SHUT_RDWR);
		d->r.greeted = false;
		return;
	}
	o = mem_alloc(sizeof(*o) + n);
	*o = (struct out){ .type = type, .seq = seq, .len = n };
	if (n)
		memcpy(o->body, body, n);
	*d->out_end = o;
	d->out_end = &o->next;
	d->waiting++;
	loop_set_io(d->conn_io, EPOLLIN | EPOLLOUT);
}

void daemon_tell_held(struct keeper *k, const struct held *h)
{
	struct kp_ref ref;

	memcpy(ref.id, h->c.id, sizeof(ref.id));
	daemon_tell(k, KP_CONTAINER, 0, &ref, sizeof(ref));
}

/* ---- what arniad says ---- */

/* Nobody else will ask for them. */
static void forget_exec_exits(struct keeper *k)
{
	for (size_t i = k->nslots; i-- > 0;)
		if (i < k->nslots && k->slots[i].held->c.role == KP_ROLE_EXEC && !k->slots[i].held->forgotten)
			held_forget(k->slots[i].held);
}

static void on_hello(struct keeper *k, struct frame *f)
{
	const struct kp_hello *hello = frame_body(f, sizeof(*hello));
	struct kp_hello own = { KEEPER_VERSION, getpid() };
	struct daemon_rec *r = &k->daemon.r;

	(void)fail_at("keeper-hello");
	if (hello->pid != r->hello_pid)
		forget_exec_exits(k);
	r->hello_pid = hello->pid;
	r->greeted = true;
	daemon_tell(k, KP_HELLO, f->head.seq, &own, sizeof(own));
	worker_tell_orphans(k);
	for (size_t i = 0; i < k->nslots; i++) {
		const struct held *h = k->slots[i].held;

		if (!h->exited)
			daemon_tell_held(k, h);
		else if (!h->starting && !h->forgotten)
			held_tell_exit(h);
	}
	daemon_tell(k, KP_SYNCED, f->head.seq, NULL, 0);
	keeper_tell_ready(k);
}

static void on_cancel(struct keeper *k, struct frame *f)
{
	worker_cancel(k, f->head.seq);
}

static struct held *find_ref(struct keeper *k, const char *id)
{
	char copy[sizeof(((struct kp_ref *)0)->id)];

	memcpy(copy, id, sizeof(copy));
	copy[sizeof(copy) - 1] = '\0';
	return held_find(k, copy);
}

static void on_attach(struct keeper *k, struct frame *f)
{
	const struct kp_attach *a = frame_body(f, sizeof(*a));
	struct held *h = find_ref(k, a->id);
	struct session_exit x;
	uint8_t text[1 + sizeof(x)] = { SESSION_EXIT };
	int fd = frame_take_fd(f, 0);

	if (!h) {
		session_refuse(fd, "no such process");
		return;
	}
	if (!h->done) {
		session_attach(h, fd, a->want_stdin != 0);
		stream_resize(h, a->rows, a->cols);
		return;
	}
	x = (struct session_exit){ h->code, h->status };
	memcpy(text + 1, &x, sizeof(x));
	if (fd >= 0)
		(void)send(fd, text, sizeof(text), MSG_DONTWAIT | MSG_NOSIGNAL);
	fd_close(&fd);
}

static void on_forget(struct keeper *k, struct frame *f)
{
	const struct kp_ref *ref = frame_body(f, sizeof(*ref));
	struct held *h = find_ref(k, ref->id);

	(void)fail_at("keeper-forget");
	if (h)
		held_forget(h);
}

static void on_give(struct keeper *k, struct frame *f)
{
	struct held *h = held_take(k, f, true);

	(void)fail_at("keeper-give");
	if (!h)
		return;
	log_info("%s: taken over, process %d", h->c.id, h->c.pid);
	h->new_log = true;
	stream_watch(h);
	held_watch_pid(h);
}

static void on_spares(struct keeper *k, struct frame *f)
{
	const struct kp_spares *s = frame_body(f, sizeof(*s));

	k->spares = MIN(s->n, SPARES_MAX);
	worker_refill(k);
}

static void on_shutdown(struct keeper *k, struct frame *f)
{
	(void)f;
	keeper_shutdown(k);
}

static void on_reexec(struct keeper *k, struct frame *f)
{
	(void)f;
	k->reexec = true;
	reexec_try(k);
}

static void handle(struct keeper *k, struct frame *f)
{
	static const struct {
		uint32_t type;
		size_t size;
		void (*fn)(struct keeper *k, struct frame *f);
	} table[] = {
		{ KP_HELLO, sizeof(struct kp_hello), on_hello },
		{ KP_JOB, sizeof(struct kp_job), worker_job },
		{ KP_CANCEL, 0, on_cancel },
		{ KP_ATTACH, sizeof(struct kp_attach), on_attach },
		{ KP_FORGET, sizeof(struct kp_ref), on_forget },
		{ KP_GIVE, sizeof(struct kp_container), on_give },
		{ KP_SPARES, sizeof(struct kp_spares), on_spares },
		{ KP_SHUTDOWN, 0, on_shutdown },
		{ KP_REEXEC, 0, on_reexec },
	};

	for (size_t i = 0; i < ARRAY_SIZE(table); i++)
		if (table[i].type == f->head.type) {
			if (f->len >= table[i].size)
				table[i].fn(k, f);
			return;
		}
	log_debug("arniad: frame of unknown type %u", f->head.type);
}

/* What it meant is known, what it gave is lost. */
static void handle_cut(struct keeper *k, const struct frame *f)
{
	(void)room_made(k, -EMFILE);
	if (f->head.type == KP_JOB && frame_body(f, sizeof(struct kp_job)))
		job_cut(k, f);
}

static void conn_ready(void *arg, uint32_t events)
{
	struct keeper *k = arg;
	struct daemon *d = &k->daemon;

	if (events & EPOLLOUT)
		pump(k);
	for (int i = 0; i < FRAMES_PER_TURN && d->r.conn >= 0; i++) {
		struct frame f;
		int r = frame_recv(d->r.conn, KP_MAGIC, &f, MSG_DONTWAIT);

		if (r == -EAGAIN)
			return;
		if (r == -EMFILE) {
			handle_cut(k, &f);
			continue;
		}
		if (r <= 0) {
			log_info("arniad: disconnected%s%s", r < 0 ? ": " : "", r < 0 ? strerror(-r) : "");
			conn_close(k);
			return;
		}
		handle(k, &f);
		frame_done(&f);
	}
}

/* ---- its life ---- */

static void survivor_ended(void *arg, uint32_t events)
{
	(void)events;
	daemon_ended(arg);
}

/* Who connected is arniad: our child, or one that an earlier keeper started. */
static int know_peer(struct keeper *k, pid_t pid)
{
	struct daemon_rec *r = &k->daemon.r;
	int pidfd;

	if (r->pid == pid)
		return 0;
	if (r->pid)
		return -EBUSY;
	pidfd = proc_pidfd_open(pid);
	if (pidfd < 0)
		return pidfd;
	r->pid = pid;
	r->pidfd = pidfd;
	r->child = false;
	daemon_watch(k);
	return 0;
}

static void accept_ready(void *arg, uint32_t events)
{
	struct keeper *k = arg;
	struct daemon *d = &k->daemon;
	auto_fd int fd = accept4(k->fd.keeper_sock, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct sock_peer peer;
	int r;

	(void)events;
	if (fd < 0 && room_made(k, -errno)) /* it is still there: the loop comes again */
		return;
	setup_rotate_log(k);
	if (fd < 0 || sock_peer(fd, &peer) < 0 || peer.uid != 0 || k->closing)
		return;
	r = know_peer(k, peer.pid);
	if (r < 0) {
		log_warn("arniad: process %d refused: %s", peer.pid, strerror(-r));
		return;
	}
	if (d->r.conn >= 0)
		conn_close(k);
	d->r.conn = fd_steal(&fd);
	daemon_watch(k);
}

void daemon_watch(struct keeper *k)
{
	struct daemon *d = &k->daemon;

	if (!d->accept_io)
		d->accept_io = loop_add_io(k->loop, k->fd.keeper_sock, EPOLLIN, accept_ready, k);
	if (d->r.conn >= 0 && !d->conn_io) {
		d->out_end = &d->out;
		d->conn_io = loop_add_io(k->loop, d->r.conn, EPOLLIN, conn_ready, k);
	}
	if (d->r.pid && !d->r.child && !d->pid_io)
		d->pid_io = loop_add_io(k->loop, d->r.pidfd, EPOLLIN, survivor_ended, k);
}

int daemon_listen(struct keeper *k, struct error *err)
{
	int r = setup_listen_keeper(k, err);

	if (r == 0)
		daemon_watch(k);
	return r;
}

static void start_again(void *arg)
{
	struct keeper *k = arg;

	k->daemon.restart = NULL;
	(void)daemon_start(k);
	/* Whether or not a survivor has found us meanwhile: longer is too long. */
	keeper_tell_ready(k);
}

static void start_later(struct keeper *k, uint32_t ms)
{
	if (!k->daemon.restart && !k->closing)
		k->daemon.restart = loop_add_timer(k->loop, ms, start_again, k);
}

/* arniad holds a lock for life, so one that outlived an earlier keeper shows before it has connected. */
static bool is_locked(const struct keeper *k)
{
	auto_free char *path = str_fmt("%s/arniad.lock", k->in.run);
	auto_fd int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);

	return fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) < 0 && errno == EWOULDBLOCK;
}

static pid_t spawn_daemon(struct keeper *k)
{
	auto_fd int leaf =
		k->fd.cgroup < 0 ? -1 : openat(k->fd.cgroup, "daemon", O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct spawn s = { .program = "arniad",
			   .fds = &k->fd.client_sock,
			   .nfds = 1,
			   .cgroup = leaf,
			   .listen = true,
			   .protect = true };

	return spawn(k, &s, &k->daemon.r.pidfd);
}

bool daemon_start(struct keeper *k)
{
	struct daemon *d = &k->daemon;
	struct error err = { 0 };
	pid_t pid = -EAGAIN;

	if (k->closing || k->at_rest || d->r.pid)
		return true;
	if (is_locked(k)) {
		/* Its connection is an event; that it died before it connected is none. */
		start_later(k, SURVIVOR_MS);
		return false;
	}
	if (k->fd.client_sock >= 0 || setup_listen_clients(k, &err) == 0)
		pid = spawn_daemon(k);
	else
		log_error("%s", err.text);
	if (pid < 0 && room_made(k, pid))
		pid = spawn_daemon(k);
	if (pid < 0) {
		log_error("start arniad: %s", strerror(-pid));
		start_later(k, DELAY_MAX_MS);
		return true;
	}
	log_info("arniad: process %d", pid);
	d->r.pid = pid;
	d->r.child = true;
	d->started_ms = time_mono_ms();
	return true;
}

void daemon_ended(struct keeper *k)
{
	struct daemon *d = &k->daemon;
	struct daemon_rec *r = &d->r;

	loop_del_io(d->pid_io);
	d->pid_io = NULL;
	fd_close(&r->pidfd);
	r->pid = 0;
	conn_close(k);
	if (k->closing) {
		keeper_check_closed(k);
		return;
	}
	if (k->at_rest) {
		service_daemon_ended(k);
		return;
	}
	if (time_mono_ms() - d->started_ms >= STEADY_MS)
		r->delay_ms = 0;
	r->delay_ms = MIN(MAX(DELAY_MIN_MS, r->delay_ms * 2), DELAY_MAX_MS);
	log_info("arniad: ended, next start in %u ms", r->delay_ms);
	start_later(k, r->delay_ms);
}

/* The end of arniad's connection is how it learns that we are gone. */
void daemon_close(struct keeper *k)
{
	conn_close(k);
	loop_del_io(k->daemon.accept_io);
	k->daemon.accept_io = NULL;
	loop_del_timer(k->daemon.restart);
	k->daemon.restart = NULL;
}
