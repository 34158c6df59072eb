/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/unit/base/unit.h"
#include <signal.h>
#include <stdlib.h>
#include "lib/base/fd.h"
#include "lib/base/loop.h"
#include "lib/base/mem.h"
#include "lib/base/time.h"

/* What the callbacks of a test work on. */
struct stage {
	struct loop *loop;
	int pipe[2], pipe2[2];
	struct loop_io *io, *io2;
	struct loop_timer *timers[8];
	char seen[64];
	size_t n;
	int left;
};

static struct stage st;

static int setup(void **state)
{
	(void)state;
	st = (struct stage){ .loop = loop_new() };
	assert_non_null(st.loop);
	assert_int_equal(pipe2(st.pipe, O_CLOEXEC | O_NONBLOCK), 0);
	assert_int_equal(pipe2(st.pipe2, O_CLOEXEC | O_NONBLOCK), 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	loop_free(st.loop);
	for (int i = 0; i < 2; i++) {
		fd_close(&st.pipe[i]);
		fd_close(&st.pipe2[i]);
	}
	return 0;
}

static void see(char c)
{
	assert_true(st.n + 1 < sizeof(st.seen));
	st.seen[st.n++] = c;
	st.seen[st.n] = '\0';
}

static void on_letter(void *arg)
{
	see(*(const char *)arg);
	if (*(const char *)arg == '!')
		loop_stop(st.loop, 42);
}

static void test_timer_order(void **state)
{
	uint64_t start = time_mono_us();

	(void)state;
	loop_add_timer(st.loop, 30, on_letter, "!");
	loop_add_timer(st.loop, 20, on_letter, "d");
	loop_add_timer(st.loop, 10, on_letter, "b");
	loop_add_timer(st.loop, 10, on_letter, "c");
	loop_add_timer(st.loop, 0, on_letter, "a");
	assert_int_equal(loop_run(st.loop), 42);
	assert_string_equal(st.seen, "abcd!");
	assert_true(time_mono_us() - start >= 30000);
}

static void on_due(void *arg)
{
	uint64_t *due = arg;

	assert_true(time_mono_us() >= *due);
	*due = 0;
	if (--st.left == 0)
		loop_stop(st.loop, 0);
}

/* Many, in no order, some deleted again: each of the others fires once and never early. */
static void test_many_timers(void **state)
{
	static uint64_t due[300];
	static struct loop_timer *timers[300];
	unsigned seed = 1;

	(void)state;
	for (int i = 0; i < 300; i++) {
		uint64_t ms = (uint64_t)(rand_r(&seed) % 40);

		due[i] = time_mono_us() + ms * 1000;
		timers[i] = loop_add_timer(st.loop, ms, on_due, &due[i]);
	}
	for (int i = 0; i < 300; i++) {
		if (i % 3 == 0)
			loop_del_timer(timers[i]);
		else
			st.left++;
	}
	assert_int_equal(loop_run(st.loop), 0);
	for (int i = 0; i < 300; i++)
		assert_true(i % 3 == 0 ? due[i] != 0 : due[i] == 0);
}

static void on_delete_others(void *arg)
{
	see('x');
	/* Itself, one due in this round, one later. */
	for (int i = 0; i < 3; i++)
		loop_del_timer(st.timers[i]);
	loop_add_timer(st.loop, 0, on_letter, arg);
}

static void test_timer_deletes(void **state)
{
	(void)state;
	st.timers[0] = loop_add_timer(st.loop, 0, on_delete_others, "!");
	st.timers[1] = loop_add_timer(st.loop, 0, on_letter, "n");
	st.timers[2] = loop_add_timer(st.loop, 5, on_letter, "n");
	loop_del_timer(NULL);
	assert_int_equal(loop_run(st.loop), 42);
	assert_string_equal(st.seen, "x!");
}

/* A timer that starts itself again must not keep others from their turn. */
static void on_again(void *arg)
{
	if (++st.left < 10000)
		loop_add_timer(st.loop, 0, on_again, arg);
}

static void on_readable(void *arg, uint32_t events)
{
	char c;

	(void)arg;
	assert_true(events & EPOLLIN);
	assert_int_equal(read(st.pipe[0], &c, 1), 1);
	see(c);
	if (c == '!')
		loop_stop(st.loop, 7);
}

static void test_no_starving(void **state)
{
	(void)state;
	loop_add_timer(st.loop, 0, on_again, NULL);
	assert_non_null(loop_add_io(st.loop, st.pipe[0], EPOLLIN, on_readable, NULL));
	assert_int_equal(write(st.pipe[1], "!", 1), 1);
	assert_int_equal(loop_run(st.loop), 7);
	assert_true(st.left < 10);
}

static void test_io(void **state)
{
	(void)state;
	st.io = loop_add_io(st.loop, st.pipe[0], EPOLLIN, on_readable, NULL);
	assert_non_null(st.io);
	assert_int_equal(write(st.pipe[1], "ab!", 3), 3);
	assert_int_equal(loop_run(st.loop), 7);
	assert_string_equal(st.seen, "ab!");
	loop_del_io(st.io);
	loop_del_io(NULL);
	assert_null(loop_add_io(st.loop, 9999, EPOLLIN, on_readable, NULL));
	assert_int_equal(errno, EBADF);
}

/* Two are ready in one round; the first to run removes both. */
static void on_remove_both(void *arg, uint32_t events)
{
	(void)arg;
	(void)events;
	see('r');
	loop_del_io(st.io);
	loop_del_io(st.io2);
	loop_add_timer(st.loop, 5, on_letter, "!");
}

static void test_io_deletes(void **state)
{
	(void)state;
	assert_int_equal(write(st.pipe[1], "x", 1), 1);
	assert_int_equal(write(st.pipe2[1], "x", 1), 1);
	st.io = loop_add_io(st.loop, st.pipe[0], EPOLLIN, on_remove_both, NULL);
	st.io2 = loop_add_io(st.loop, st.pipe2[0], EPOLLIN, on_remove_both, NULL);
	assert_int_equal(loop_run(st.loop), 42);
	assert_string_equal(st.seen, "r!");
}

static void on_hangup(void *arg, uint32_t events)
{
	(void)arg;
	assert_true(events & EPOLLHUP);
	see('h');
	assert_int_equal(loop_set_io(st.io, 0), 0);
}

/* epoll reports a hangup whatever was asked; a source with no events must be quiet all the same. */
static void test_quiet(void **state)
{
	(void)state;
	st.io = loop_add_io(st.loop, st.pipe[0], EPOLLIN, on_hangup, NULL);
	fd_close(&st.pipe[1]);
	loop_add_timer(st.loop, 20, on_letter, "!");
	assert_int_equal(loop_run(st.loop), 42);
	assert_string_equal(st.seen, "h!");
	st.n = 0;
	assert_int_equal(loop_set_io(st.io, EPOLLIN), 0);
	loop_add_timer(st.loop, 5, on_letter, "!");
	assert_int_equal(loop_run(st.loop), 42);
	assert_string_equal(st.seen, "h!");
	loop_del_io(st.io);
}

static void on_defer(void *arg)
{
	loop_defer(st.loop, on_letter, arg);
	see('t');
}

static void test_defer(void **state)
{
	(void)state;
	loop_defer(st.loop, on_letter, "1");
	loop_add_timer(st.loop, 5, on_defer, "2");
	loop_add_timer(st.loop, 10, on_letter, "3");
	loop_add_timer(st.loop, 15, on_letter, "!");
	assert_int_equal(loop_run(st.loop), 42);
	assert_string_equal(st.seen, "1t23!");
}

static void on_signal(void *arg, int sig)
{
	(void)arg;
	see(sig == SIGUSR1 ? '1' : sig == SIGUSR2 ? '2' : '?');
	if (st.n == 2)
		loop_stop(st.loop, 0);
}

static void test_signals(void **state)
{
	static const int signals[] = { SIGUSR1, SIGUSR2, 0 };

	(void)state;
	assert_int_equal(loop_add_signals(st.loop, signals, on_signal, NULL), 0);
	kill(getpid(), SIGUSR1);
	kill(getpid(), SIGUSR2);
	assert_int_equal(loop_run(st.loop), 0);
	assert_string_equal(st.seen, "12");
}

static void test_stop_before_run(void **state)
{
	(void)state;
	loop_stop(st.loop, 5);
	assert_int_equal(loop_run(st.loop), 5);
	loop_add_timer(st.loop, 0, on_letter, "!");
	assert_int_equal(loop_run(st.loop), 42);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_timer_order), T(test_many_timers), T(test_timer_deletes), T(test_no_starving), T(test_io),
		T(test_io_deletes),  T(test_quiet),	  T(test_defer),	 T(test_signals),     T(test_stop_before_run),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
