/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>
#include "lib/base/fd.h"
#include "lib/base/loop.h"
#include "lib/base/mem.h"
#include "lib/base/time.h"

#define EVENTS_MAX 64

struct loop_io {
	struct loop *loop;
	struct loop_io *prev, *next; /* of loop->ios, or (next only) of loop->dead */
	int fd;
	uint32_t events; /* 0 = not in the epoll set */
	bool dead;
	loop_io_fn fn;
	void *arg;
};

struct loop_timer {
	struct loop *loop;
	uint64_t due, seq; /* microseconds; order of creation among equals */
	size_t at; /* index in the heap */
	bool firing;
	loop_fn fn;
	void *arg;
};

struct deferred {
	loop_fn fn;
	void *arg;
};

struct signals {
	struct signals *next;
	int fd;
	loop_signal_fn fn;
	void *arg;
};

struct loop {
	int epoll;
	struct loop_io *ios;
	struct loop_io *dead; /* freed between rounds: an event of this round may still name one */
	struct loop_timer **heap;
	size_t ntimers, heap_cap;
	uint64_t seq;
	struct deferred *deferred;
	size_t ndeferred, deferred_cap;
	struct signals *signals;
	bool stopped;
	int code;
};

struct loop *loop_new(void)
{
	struct loop *l;
	int fd = epoll_create1(EPOLL_CLOEXEC);

	if (fd < 0)
		return NULL;
	l = mem_alloc(sizeof(*l));
	l->epoll = fd;
	return l;
}

static void free_dead(struct loop *l)
{
	while (l->dead) {
		struct loop_io *io = l->dead;

		l->dead = io->next;
		free(io);
	}
}

void loop_free(struct loop *l)
{
	if (!l)
		return;
	while (l->ios)
		loop_del_io(l->ios);
	free_dead(l);
	while (l->signals) {
		struct signals *s = l->signals;

		l->signals = s->next;
		fd_close(&s->fd);
		free(s);
	}
	for (size_t i = 0; i < l->ntimers; i++)
		free(l->heap[i]);
	free(l->heap);
	free(l->deferred);
	fd_close(&l->epoll);
	free(l);
}

/* With events 0 the descriptor leaves the set: epoll reports EPOLLHUP and EPOLLERR unasked, for ever. */
static int update_set(struct loop_io *io, uint32_t events)
{
	struct epoll_event e = { .events = events, .data.ptr = io };
	int op = !events ? EPOLL_CTL_DEL : io->events ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;

	if (events != io->events && epoll_ctl(io->loop->epoll, op, io->fd, &e) < 0)
		return -errno;
	io->events = events;
	return 0;
}

struct loop_io *loop_add_io(struct loop *l, int fd, uint32_t events, loop_io_fn fn, void *arg)
{
	struct loop_io *io = mem_alloc(sizeof(*io));
	int r;

	*io = (struct loop_io){ .loop = l, .fd = fd, .fn = fn, .arg = arg };
	r = update_set(io, events);
	if (r < 0) {
		free(io);
		errno = -r;
		return NULL;
	}
	io->next = l->ios;
	if (l->ios)
		l->ios->prev = io;
	l->ios = io;
	return io;
}

int loop_set_io(struct loop_io *io, uint32_t events)
{
	return update_set(io, events);
}

void loop_del_io(struct loop_io *io)
{
	if (!io || io->dead)
		return;
	(void)update_set(io, 0);
	if (io->prev)
		io->prev->next = io->next;
	else
		io->loop->ios = io->next;
	if (io->next)
		io->next->prev = io->prev;
	io->dead = true;
	io->next = io->loop->dead;
	io->loop->dead = io;
}

static bool timer_before(const struct loop_timer *a, const struct loop_timer *b)
{
	return a->due != b->due ? a->due < b->due : a->seq < b->seq;
}

static void heap_put(struct loop *l, size_t at, struct loop_timer *t)
{
	l->heap[at] = t;
	t->at = at;
}

/* Put t where it belongs, starting from the free place `at`. */
static void heap_settle(struct loop *l, size_t at, struct loop_timer *t)
{
	while (at > 0 && timer_before(t, l->heap[(at - 1) / 2])) {
		heap_put(l, at, l->heap[(at - 1) / 2]);
		at = (at - 1) / 2;
	}
	for (size_t child = 2 * at + 1; child < l->ntimers; child = 2 * at + 1) {
		if (child + 1 < l->ntimers && timer_before(l->heap[child + 1], l->heap[child]))
			child++;
		if (!timer_before(l->heap[child], t))
			break;
		heap_put(l, at, l->heap[child]);
		at = child;
	}
	heap_put(l, at, t);
}

static void heap_remove(struct loop_timer *t)
{
	struct loop *l = t->loop;
	struct loop_timer *last = l->heap[--l->ntimers];

	if (last != t)
		heap_settle(l, t->at, last);
}

struct loop_timer *loop_add_timer(struct loop *l, uint64_t ms, loop_fn fn, void *arg)
{
	struct loop_timer *t = mem_alloc(sizeof(*t));
	uint64_t wait;

	if (__builtin_mul_overflow(ms, 1000, &wait))
		wait = UINT64_MAX;
	*t = (struct loop_timer){ .loop = l, .seq = l->seq++, .fn = fn, .arg = arg };
	if (__builtin_add_overflow(time_mono_us(), wait, &t->due))
		t->due = UINT64_MAX;
	if (l->ntimers == l->heap_cap) {
		l->heap_cap = l->heap_cap ? l->heap_cap * 2 : 16;
		l->heap = mem_realloc_n(l->heap, l->heap_cap, sizeof(struct loop_timer *));
	}
	l->ntimers++;
	heap_settle(l, l->ntimers - 1, t);
	return t;
}

void loop_del_timer(struct loop_timer *t)
{
	/* In its own callback it is already out of the heap, and freed after it. */
	if (!t || t->firing)
		return;
	heap_remove(t);
	free(t);
}

void loop_defer(struct loop *l, loop_fn fn, void *arg)
{
	if (l->ndeferred == l->deferred_cap) {
		l->deferred_cap = l->deferred_cap ? l->deferred_cap * 2 : 8;
		l->deferred = mem_realloc_n(l->deferred, l->deferred_cap, sizeof(*l->deferred));
	}
	l->deferred[l->ndeferred++] = (struct deferred){ fn, arg };
}

static void signals_ready(void *arg, uint32_t events)
{
	struct signals *s = arg;
	struct signalfd_siginfo info;

	(void)events;
	/* One per round: the callback may free what the next would use. The descriptor stays readable. */
	if (read(s->fd, &info, sizeof(info)) == (ssize_t)sizeof(info))
		s->fn(s->arg, (int)info.ssi_signo);
}

int loop_add_signals(struct loop *l, const int *signals, loop_signal_fn fn, void *arg)
{
	struct signals *s;
	auto_fd int fd = -1;
	sigset_t set;

	sigemptyset(&set);
	for (; *signals; signals++)
		sigaddset(&set, *signals);
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return -errno;
	fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (fd < 0)
		return -errno;
	s = mem_alloc(sizeof(*s));
	*s = (struct signals){ .next = l->signals, .fd = fd_steal(&fd), .fn = fn, .arg = arg };
	l->signals = s;
	return loop_add_io(l, s->fd, EPOLLIN, signals_ready, s) ? 0 : -errno;
}

/* Milliseconds for epoll_wait, rounded up so that no timer is early; -1 = for ever. */
static int next_wait(const struct loop *l)
{
	uint64_t now, ms;

	if (l->ndeferred)
		return 0;
	if (!l->ntimers)
		return -1;
	now = time_mono_us();
	if (l->heap[0]->due <= now)
		return 0;
	ms = (l->heap[0]->due - now - 1) / 1000 + 1;
	return ms > INT_MAX ? INT_MAX : (int)ms;
}

/* Those due now; one added by a callback waits for the next round. */
static void run_timers(struct loop *l)
{
	uint64_t now = time_mono_us(), seq = l->seq;

	while (!l->stopped && l->ntimers && l->heap[0]->due <= now && l->heap[0]->seq < seq) {
		struct loop_timer *t = l->heap[0];

		heap_remove(t);
		t->firing = true;
		t->fn(t->arg);
		free(t);
	}
}

static void run_deferred(struct loop *l)
{
	auto_free struct deferred *list = l->deferred;
	size_t n = l->ndeferred;

	l->deferred = NULL;
	l->ndeferred = l->deferred_cap = 0;
	for (size_t i = 0; i < n; i++)
		list[i].fn(list[i].arg);
}

static void run_events(struct loop *l, const struct epoll_event *events, int n)
{
	for (int i = 0; i < n && !l->stopped; i++) {
		struct loop_io *io = events[i].data.ptr;

		if (!io->dead && io->events)
			io->fn(io->arg, events[i].events);
	}
}

int loop_run(struct loop *l)
{
	struct epoll_event events[EVENTS_MAX];

	while (!l->stopped) {
		int n = epoll_wait(l->epoll, events, EVENTS_MAX, next_wait(l));

		if (n < 0 && errno != EINTR)
			return -errno;
		run_events(l, events, n);
		run_timers(l);
		run_deferred(l);
		free_dead(l);
	}
	l->stopped = false;
	return l->code;
}

void loop_stop(struct loop *l, int code)
{
	l->stopped = true;
	l->code = code;
}
