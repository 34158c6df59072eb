/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The processes that were adopted, and how they ended. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include "cmd/arnia-keeper/keeper.h"
#include "lib/base/failat.h"
#include "lib/base/fd.h"
#include "lib/base/file.h"
#include "lib/base/log.h"
#include "lib/base/proc.h"
#include "lib/base/str.h"
#include "lib/base/time.h"

#define REAP_WAIT_MS 5000
#define FNV_START 0xcbf29ce484222325u /* FNV-1a, 64 bits */
#define FNV_PRIME 0x100000001b3u

/* In the order of the bits of enum kp_fd, after the pidfd. */
static const struct {
	uint32_t bit;
	int port;
} port_of_bit[] = {
	{ KP_FD_IN, PORT_IN },
	{ KP_FD_OUT, PORT_OUT },
	{ KP_FD_ERR, PORT_ERR },
	{ KP_FD_MASTER, PORT_OUT },
};

/* exit/ID */
struct exit_file {
	struct kp_exit x;
	uint64_t sum; /* of x: a file that was torn or garbled is not believed */
};

static uint64_t hash_id(const char *id)
{
	uint64_t h = FNV_START;

	for (; *id; id++)
		h = (h ^ (uint8_t)*id) * FNV_PRIME;
	return h;
}

struct held *held_find(const struct keeper *k, const char *id)
{
	uint64_t hash = hash_id(id);

	for (size_t i = 0; i < k->nslots; i++)
		if (k->slots[i].hash == hash && str_eq(k->slots[i].held->c.id, id))
			return k->slots[i].held;
	return NULL;
}

static struct slot *slot_of(const struct held *h)
{
	struct slot *s = h->k->slots;

	while (s->held != h)
		s++;
	return s;
}

struct held *held_by_pid(const struct keeper *k, pid_t pid)
{
	for (size_t i = 0; i < k->nslots; i++)
		if (k->slots[i].pid == pid)
			return k->slots[i].held;
	return NULL;
}

struct held *held_add(struct keeper *k, const struct kp_container *c)
{
	struct held *h = mem_alloc(sizeof(*h));

	*h = (struct held){ .k = k, .c = *c, .pidfd = -1 };
	for (int i = 0; i < PORTS; i++)
		h->port[i] = (struct port){ .held = h, .fd = -1 };
	if (k->nslots == k->slots_cap) {
		k->slots_cap = k->slots_cap ? k->slots_cap * 2 : 16;
		k->slots = mem_realloc_n(k->slots, k->slots_cap, sizeof(*k->slots));
	}
	k->slots[k->nslots++] = (struct slot){ hash_id(h->c.id), 0, h };
	return h;
}

void held_try_free(struct held *h)
{
	struct keeper *k = h->k;

	if (!h->done || !h->forgotten || h->sessions)
		return;
	*slot_of(h) = k->slots[k->nslots - 1];
	k->nslots--;
	free(h);
}

void held_free_all(struct keeper *k)
{
	while (k->nslots) {
		struct held *h = k->slots[k->nslots - 1].held;
		struct session *next = h->sessions;

		h->settling = h->done = h->forgotten = true;
		loop_del_timer(h->timer);
		loop_del_io(h->pid_io);
		fd_close(&h->pidfd);
		for (int i = 0; i < PORTS; i++)
			stream_close(h, i);
		if (!next)
			held_try_free(h);
		/* With its last session it goes too. */
		for (struct session *s = next; s; s = next) {
			next = s->next;
			session_drop(s);
		}
	}
	free(k->slots);
	k->slots = NULL;
}

static bool id_is_safe(const char *id)
{
	return id[0] && id[0] != '.' &&
	       !id[strspn(id, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_")];
}

static bool make_sense(struct kp_container *c, size_t nfds)
{
	const uint32_t pipes = KP_FD_IN | KP_FD_OUT | KP_FD_ERR;

	c->id[sizeof(c->id) - 1] = c->container[sizeof(c->container) - 1] = '\0';
	if (c->role == KP_ROLE_CONTAINER ? !id_is_valid(c->id)
					 : c->role != KP_ROLE_EXEC || !id_is_safe(c->id))
		return false;
	return c->pid > 0 && c->fds & KP_FD_PIDFD && !(c->fds & ~(KP_FD_PIDFD | pipes | KP_FD_MASTER)) &&
	       !(c->fds & KP_FD_MASTER && c->fds & pipes) && (size_t)__builtin_popcount(c->fds) == nfds;
}

struct held *held_take(struct keeper *k, struct frame *f, bool foreign)
{
	const struct kp_container *body = frame_body(f, sizeof(*body));
	struct kp_container c;
	struct held *h;
	size_t i = 0;

	if (!body)
		return NULL;
	c = *body;
	if (!make_sense(&c, f->nfds))
		return NULL;
	h = held_find(k, c.id);
	if (h && (foreign || !h->exited || h->starting))
		return NULL;
	if (h)
		held_forget(h);
	h = held_add(k, &c);
	h->foreign = foreign;
	h->pidfd = frame_take_fd(f, i++);
	for (size_t b = 0; b < ARRAY_SIZE(port_of_bit); b++)
		if (c.fds & port_of_bit[b].bit)
			stream_open(h, port_of_bit[b].port, frame_take_fd(f, i++));
	if (!foreign)
		slot_of(h)->pid = c.pid;
	return h;
}

/* Not PORT_IN: a second holder would keep the program from seeing the end of its input. */
size_t held_fds(const struct held *h, int fds[3], uint32_t *bits)
{
	static const uint32_t bit[] = { [PORT_OUT] = KP_FD_OUT, [PORT_ERR] = KP_FD_ERR };
	size_t n = 0;

	*bits = KP_FD_PIDFD;
	fds[n++] = h->pidfd;
	for (int port = PORT_OUT; port <= PORT_ERR; port++) {
		if (h->port[port].fd < 0)
			continue;
		*bits |= port == PORT_OUT && h->c.tty ? KP_FD_MASTER : bit[port];
		fds[n++] = h->port[port].fd;
	}
	return n;
}

static void fill_exit(const struct held *h, struct kp_exit *x)
{
	*x = (struct kp_exit){
		.role = h->c.role,
		.pid = h->c.pid,
		.code = h->code,
		.status = h->status,
		.time_ns = h->exit_ns,
	};
	memcpy(x->id, h->c.id, sizeof(x->id));
	memcpy(x->container, h->c.container, sizeof(x->container));
}

void held_tell_exit(const struct held *h)
{
	struct kp_exit x;

	fill_exit(h, &x);
	daemon_tell(h->k, KP_EXIT, 0, &x, sizeof(x));
}

static uint64_t exit_sum(const struct kp_exit *x)
{
	const uint8_t *p = (const uint8_t *)x;
	uint64_t h = FNV_START;

	for (size_t i = 0; i < sizeof(*x); i++)
		h = (h ^ p[i]) * FNV_PRIME;
	return h;
}

static void record_exit(const struct held *h)
{
	struct exit_file file = { 0 };
	struct error err = { 0 };
	int r = fail_at("keeper-exit");

	fill_exit(h, &file.x);
	file.sum = exit_sum(&file.x);
	if (r == 0)
		r = file_write_atomic_at(h->k->fd.exits, h->c.id, &file, sizeof(file), 0600, false, &err);
	if (r < 0 && room_made(h->k, r))
		r = file_write_atomic_at(h->k->fd.exits, h->c.id, &file, sizeof(file), 0600, false, &err);
	if (r < 0)
		log_error("exit of %s is only in memory: %s", h->c.id, err.text);
}

/* No longer found by its id; freed when its last output and session are gone. */
static void hide(struct held *h)
{
	h->forgotten = true;
	slot_of(h)->hash = 0;
}

static void settle_exit(struct held *h)
{
	/* Of a job that failed the result says it all. */
	if (!h->failed && h->c.role == KP_ROLE_CONTAINER)
		record_exit(h);
	held_tell_exit(h);
	if (h->failed)
		hide(h);
	stream_settle(h);
}

void held_exited(struct held *h, int code, int status)
{
	h->exited = true;
	h->code = code;
	h->status = status;
	h->exit_ns = time_real_ns();
	slot_of(h)->pid = 0;
	loop_del_io(h->pid_io);
	h->pid_io = NULL;
	loop_del_timer(h->timer);
	h->timer = NULL;
	fd_close(&h->pidfd);
	log_debug("%s: process %d ended (%d, %d)", h->c.id, h->c.pid, code, status);
	if (!h->starting)
		settle_exit(h);
}

void held_started(struct held *h, bool ok)
{
	h->starting = false;
	if (!ok) {
		h->failed = true;
		while (h->sessions)
			session_drop(h->sessions);
	}
	if (h->exited)
		settle_exit(h);
}

void held_forget(struct held *h)
{
	if (!h->exited || h->starting)
		return;
	if (h->c.role == KP_ROLE_CONTAINER)
		unlinkat(h->k->fd.exits, h->c.id, 0);
	hide(h);
	held_try_free(h);
}

/* Of a process whose parent is another. */
static bool foreign_status(const struct held *h, int *code, int *status)
{
	const struct pidref p = { .pid = h->c.pid, .fd = h->pidfd, .start = h->c.start };
	int wstatus;

	if (pidref_wait_status(&p, &wstatus) < 0)
		return false;
	*code = WIFEXITED(wstatus) ? CLD_EXITED : WCOREDUMP(wstatus) ? CLD_DUMPED : CLD_KILLED;
	*status = WIFEXITED(wstatus) ? WEXITSTATUS(wstatus) : WTERMSIG(wstatus);
	return true;
}

static void foreign_unknown(void *arg)
{
	struct held *h = arg;

	h->timer = NULL;
	held_exited(h, 0, 0);
}

/* Readable: it has ended. Hung up: its parent has reaped it. If it was not to be known before, then it may be (6.15). */
static void foreign_ready(void *arg, uint32_t events)
{
	struct held *h = arg;
	int code = 0, status = 0;

	if (foreign_status(h, &code, &status) || events & EPOLLHUP) {
		held_exited(h, code, status);
		return;
	}
	loop_set_io(h->pid_io, EPOLLHUP);
	loop_del_timer(h->timer);
	h->resting = false;
	h->timer = loop_add_timer(h->k->loop, REAP_WAIT_MS, foreign_unknown, h);
}

void held_watch_pid(struct held *h)
{
	if (!h->foreign || h->exited)
		return;
	h->pid_io = loop_add_io(h->k->loop, h->pidfd, EPOLLIN, foreign_ready, h);
	if (!h->pid_io)
		held_exited(h, 0, 0);
}

static void put_aside(struct keeper *k, const char *id)
{
	auto_free char *name = str_fmt("bad-%s", id);

	log_error("exit/%s is not usable and was put aside: how it ended is unknown", id);
	renameat(k->fd.exits, id, k->fd.exits, name);
}

static void load_exit(struct keeper *k, const char *id)
{
	auto_free char *bytes = NULL;
	struct kp_container c = { .role = KP_ROLE_CONTAINER };
	struct exit_file file = { 0 };
	struct held *h;

	/* Half written when its writer died. */
	if (id[0] == '.' && str_ends(id, ".tmp"))
		unlinkat(k->fd.exits, id, 0);
	if (!id_is_valid(id))
		return;
	if (file_read_at(k->fd.exits, id, sizeof(file), &bytes, NULL) == sizeof(file))
		memcpy(&file, bytes, sizeof(file));
	if (file.sum != exit_sum(&file.x) || !str_eq(file.x.id, id)) {
		put_aside(k, id);
		return;
	}
	memcpy(c.id, id, ID_LEN);
	c.pid = file.x.pid;
	h = held_add(k, &c);
	h->exited = h->done = true;
	h->code = file.x.code;
	h->status = file.x.status;
	h->exit_ns = file.x.time_ns;
}

/* What an earlier keeper recorded and arniad has not taken over yet. */
void held_load_exits(struct keeper *k)
{
	int fd = fd_dup(k->fd.exits);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);

	if (!d) {
		fd_close(&fd);
		return;
	}
	for (struct dirent *e = readdir(d); e; e = readdir(d))
		load_exit(k, e->d_name);
	closedir(d);
}
