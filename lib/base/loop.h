/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef ARNIA_BASE_LOOP_H
#define ARNIA_BASE_LOOP_H
/* Event loop: one thread, epoll(7), timerfd-free timers on CLOCK_MONOTONIC, signals by signalfd(2). */
#include <stdbool.h>
#include <stdint.h>
#include <sys/epoll.h>
#include "lib/base/error.h"

struct loop;
struct loop_io;
struct loop_timer;
typedef void (*loop_io_fn)(void *arg, uint32_t events); /* EPOLL* bits */
typedef void (*loop_fn)(void *arg);
typedef void (*loop_signal_fn)(void *arg, int sig);

struct loop *loop_new(void);
void loop_free(struct loop *l);
/* Watch fd (not owned). Removing a source inside any callback is safe. */
struct loop_io *loop_add_io(struct loop *l, int fd, uint32_t events, loop_io_fn fn, void *arg);
int loop_set_io(struct loop_io *io, uint32_t events);
void loop_del_io(struct loop_io *io); /* NULL is fine; must be called before the fd is closed */
/* One-shot timer after ms milliseconds; frees itself after firing. */
struct loop_timer *loop_add_timer(struct loop *l, uint64_t ms, loop_fn fn, void *arg);
void loop_del_timer(struct loop_timer *t); /* NULL is fine */
/* Run fn once after the current round of callbacks (used to free objects safely). */
void loop_defer(struct loop *l, loop_fn fn, void *arg);
/* Block and receive these signals (0-terminated list). */
int loop_add_signals(struct loop *l, const int *signals, loop_signal_fn fn, void *arg);
int loop_run(struct loop *l); /* until loop_stop; returns its code or -errno */
void loop_stop(struct loop *l, int code);

#endif
