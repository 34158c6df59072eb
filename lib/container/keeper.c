/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "lib/base/fd.h"
#include "lib/base/mem.h"
#include "lib/base/sock.h"
#include "lib/base/str.h"
#include "lib/container/keeper.h"

#define RECONNECT_MS 100
#define FRAMES_PER_TURN 64 /* then others get their turn */

struct queued { /* a frame the socket had no room for */
	struct queued *next;
	enum kp_type type;
	uint64_t seq;
	size_t n, nfds;
	int fds[16];
	uint8_t body[];
};
struct keeper {
	struct loop *loop;
	char *path;
	const struct keeper_ops *ops;
	void *arg;
	int fd;
	struct loop_io *io;
	struct loop_timer *timer;
	struct queued *head, **tail;
	pid_t pid;
};

struct keeper *keeper_new(struct loop *l, const char *sock_path, const struct keeper_ops *ops, void *arg)
{
	struct keeper *k = mem_alloc(sizeof(*k));

	k->loop = l;
	k->path = str_dup(sock_path);
	k->ops = ops;
	k->arg = arg;
	k->fd = -1;
	k->tail = &k->head;
	return k;
}

static void queued_free(struct queued *q)
{
	for (size_t i = 0; i < q->nfds; i++)
		fd_close(&q->fds[i]);
	free(q);
}

static void disconnect(struct keeper *k)
{
	struct queued *q;

	loop_del_io(k->io);
	k->io = NULL;
	fd_close(&k->fd);
	k->pid = 0;
	while ((q = k->head)) {
		k->head = q->next;
		queued_free(q);
	}
	k->tail = &k->head;
}

void keeper_free(struct keeper *k)
{
	if (!k)
		return;
	disconnect(k);
	loop_del_timer(k->timer);
	free(k->path);
	free(k);
}

static void on_timer(void *arg)
{
	struct keeper *k = arg;

	k->timer = NULL;
	keeper_connect(k);
}

static void lost(struct keeper *k)
{
	disconnect(k);
	if (!k->timer)
		k->timer = loop_add_timer(k->loop, RECONNECT_MS, on_timer, k);
	k->ops->lost(k->arg);
}

/* The text behind a kp_result, or "" ; -1 when the frame lies about it. */
static const char *result_data(const struct frame *f, const struct kp_result *r)
{
	const char *text = (const char *)f->body + sizeof(*r);

	if (!r->data_len)
		return "";
	if (r->data_len > f->len - sizeof(*r) || text[r->data_len - 1])
		return NULL;
	return text;
}

static void dispatch_result(struct keeper *k, struct frame *f)
{
	const struct kp_result *body = frame_body(f, sizeof(*body));
	struct kp_result r;
	const char *data;

	if (!body || !(data = result_data(f, body)))
		return;
	r = *body;
	err_sanitize(&r.error);
	r.id[sizeof(r.id) - 1] = '\0';
	k->ops->result(k->arg, f->head.seq, &r, data);
}

static void dispatch_job(struct keeper *k, const struct frame *f)
{
	const struct kp_job *body = frame_body(f, sizeof(*body));
	struct kp_job j;

	if (!body)
		return;
	j = *body;
	j.id[sizeof(j.id) - 1] = '\0';
	k->ops->job(k->arg, f->head.seq, &j);
}

static void dispatch(struct keeper *k, struct frame *f)
{
	const void *body;

	switch (f->head.type) {
	case KP_HELLO:
		if ((body = frame_body(f, sizeof(struct kp_hello)))) {
			k->pid = ((const struct kp_hello *)body)->pid;
			k->ops->hello(k->arg, body);
		}
		break;
	case KP_CONTAINER:
		if ((body = frame_body(f, sizeof(struct kp_container))))
			k->ops->container(k->arg, body, f);
		break;
	case KP_EXIT:
		if ((body = frame_body(f, sizeof(struct kp_exit))))
			k->ops->exited(k->arg, body);
		break;
	case KP_RESULT:
		dispatch_result(k, f);
		break;
	case KP_PROGRESS:
		f->body[sizeof(f->body) - 1] = '\0';
		if (f->len)
			k->ops->progress(k->arg, f->head.seq, (const char *)f->body);
		break;
	case KP_JOB:
		dispatch_job(k, f);
		break;
	case KP_SYNCED:
		k->ops->synced(k->arg);
		break;
	default: /* of a newer keeper */
		break;
	}
}

static int flush(struct keeper *k)
{
	struct queued *q;
	int r;

	while ((q = k->head)) {
		r = frame_send(k->fd, KP_MAGIC, q->type, q->seq, q->body, q->n, q->fds, q->nfds);
		if (r == -EAGAIN)
			break;
		if (r < 0)
			return r;
		k->head = q->next;
		queued_free(q);
	}
	if (!k->head)
		k->tail = &k->head;
	loop_set_io(k->io, EPOLLIN | (k->head ? EPOLLOUT : 0));
	return 0;
}

static void on_io(void *arg, uint32_t events)
{
	struct keeper *k = arg;
	static const int enough = FRAMES_PER_TURN;

	if ((events & EPOLLOUT) && flush(k) < 0) {
		lost(k);
		return;
	}
	for (int i = 0; i < enough && k->fd >= 0; i++) {
		struct frame f;
		int r = frame_recv(k->fd, KP_MAGIC, &f, MSG_DONTWAIT);

		if (r == -EAGAIN)
			return;
		if (r <= 0) {
			lost(k);
			return;
		}
		dispatch(k, &f);
		frame_done(&f);
	}
}

void keeper_connect(struct keeper *k)
{
	struct kp_hello hello = { .version = 1, .pid = getpid() };
	int fd = sock_connect(k->path, SOCK_SEQPACKET, NULL);

	if (fd < 0) {
		if (!k->timer)
			k->timer = loop_add_timer(k->loop, RECONNECT_MS, on_timer, k);
		return;
	}
	fd_nonblock(fd, true);
	k->fd = fd;
	k->io = loop_add_io(k->loop, fd, EPOLLIN, on_io, k);
	keeper_send(k, KP_HELLO, 0, &hello, sizeof(hello), NULL, 0);
}

bool keeper_connected(const struct keeper *k)
{
	return k->fd >= 0;
}

pid_t keeper_pid(const struct keeper *k)
{
	return k->pid;
}

static int enqueue(struct keeper *k, enum kp_type type, uint64_t seq, const void *body, size_t n, const int *fds,
		   size_t nfds)
{
	struct queued *q = mem_alloc(sizeof(*q) + n);

	q->type = type;
	q->seq = seq;
	q->n = n;
	if (n)
		memcpy(q->body, body, n);
	for (size_t i = 0; i < nfds; i++) {
		int fd = fd_dup(fds[i]);

		if (fd < 0) {
			queued_free(q);
			return fd;
		}
		q->fds[q->nfds++] = fd;
	}
	*k->tail = q;
	k->tail = &q->next;
	loop_set_io(k->io, EPOLLIN | EPOLLOUT);
	return 0;
}

int keeper_send(struct keeper *k, enum kp_type type, uint64_t seq, const void *body, size_t n, const int *fds,
		size_t nfds)
{
	int r;

	if (k->fd < 0)
		return -ENOTCONN;
	if (k->head)
		return enqueue(k, type, seq, body, n, fds, nfds);
	r = frame_send(k->fd, KP_MAGIC, type, seq, body, n, fds, nfds);
	return r == -EAGAIN ? enqueue(k, type, seq, body, n, fds, nfds) : r;
}

int keeper_send_job(struct keeper *k, const struct keeper_job *j, struct error *err)
{
	const struct {
		int fd;
		uint32_t bit;
	} all[] = { { j->plan, KP_FD_PLAN },	   { j->session, KP_FD_SESSION }, { j->stdio[0], KP_FD_STDIN },
		    { j->stdio[1], KP_FD_STDOUT }, { j->stdio[2], KP_FD_STDERR }, { j->target, KP_FD_TARGET } };
	struct kp_job body = { .kind = j->kind, .worker = j->worker, .flags = j->flags };
	int fds[ARRAY_SIZE(all)], r;
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		if (all[i].fd < 0)
			continue;
		body.fds |= all[i].bit;
		fds[n++] = all[i].fd;
	}
	(void)str_copy(body.id, sizeof(body.id), j->id);
	r = keeper_send(k, KP_JOB, j->seq, &body, sizeof(body), fds, n);
	if (r == -ENOTCONN) {
		err_set_kind(err, r, ERR_UNREACHABLE, "the keeper is not running");
		err_hint(err, "any arnia command as root starts it");
	} else if (r < 0) {
		err_sys(err, r, "send a job to the keeper");
	}
	return r;
}
