/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Attached clients: output, input, consoles, slow readers. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "tests/unit/keeper/harness.h"
#include "lib/base/fd.h"
#include "lib/base/sock.h"
#include "lib/base/str.h"
#include "lib/base/time.h"

#define BIG (4 << 20)

static void test_output_then_exit(void **state)
{
	struct rig *r = *state;
	int end, s = session_pair(&end);
	char text[4096], type;
	struct session_exit x;
	size_t n;

	rig_run(r, ID(1), "pipe 0\necho out; sleep 0.1; echo err >&2; sleep 0.1; exit 3", end, 0);
	type = session_next(s, text, sizeof(text), &n);
	assert_int_equal(type, SESSION_OUT);
	assert_string_equal(text, "out\n");
	type = session_next(s, text, sizeof(text), &n);
	assert_int_equal(type, SESSION_ERR);
	assert_string_equal(text, "err\n");
	type = session_next(s, text, sizeof(text), &n);
	assert_int_equal(type, SESSION_EXIT);
	memcpy(&x, text, sizeof(x));
	assert_int_equal(x.code, CLD_EXITED);
	assert_int_equal(x.status, 3);
	assert_int_equal(session_next(s, text, sizeof(text), &n), 0);
	close(s);
}

/* Nothing is lost, however much, and the exit comes behind all of it. */
static void test_much_output(void **state)
{
	struct rig *r = *state;
	int end, s = session_pair(&end);
	char *out = mem_alloc(BIG + 1);
	struct session_exit x;
	size_t n;

	rig_run(r, ID(1), "pipe 0\nhead -c 3000000 /dev/zero | tr '\\0' x", end, 0);
	x = session_collect(s, out, BIG, &n);
	assert_int_equal(x.status, 0);
	assert_int_equal(n, 3000000);
	for (size_t i = 0; i < n; i++)
		assert_true(out[i] == 'x');
	free(out);
	close(s);
}

static void test_stdin(void **state)
{
	struct rig *r = *state;
	int end, s = session_pair(&end);
	char text[4096];
	size_t n;

	rig_run(r, ID(1), "pipe 0\ncat; exit 4", end, KP_JOB_STDIN);
	session_say(s, SESSION_IN, "hello", 5);
	session_next(s, text, sizeof(text), &n);
	assert_string_equal(text, "hello");
	session_say(s, SESSION_IN_EOF, NULL, 0);
	assert_int_equal(session_collect(s, text, sizeof(text), &n).status, 4);
	close(s);
}

/* More than the pipe takes: the client is held up, and all arrives. */
static void test_stdin_backpressure(void **state)
{
	struct rig *r = *state;
	int end, s = session_pair(&end), count = 0;
	char text[SESSION_DATA], block[SESSION_DATA];
	size_t n;

	memset(block, 'y', sizeof(block));
	rig_run(r, ID(1), "pipe 0\nsleep 0.5; wc -c", end, KP_JOB_STDIN);
	fd_nonblock(s, true);
	for (; count < 64; count++) {
		struct pollfd pf = { .fd = s, .events = POLLOUT };
		char message[1 + SESSION_DATA] = { SESSION_IN };

		assert_int_equal(poll(&pf, 1, WAIT_MS), 1);
		memcpy(message + 1, block, sizeof(block));
		if (send(s, message, sizeof(message), MSG_NOSIGNAL) < 0) {
			assert_int_equal(errno, EAGAIN);
			count--;
		}
	}
	fd_nonblock(s, false);
	session_say(s, SESSION_IN_EOF, NULL, 0);
	assert_int_equal(session_collect(s, text, sizeof(text), &n).status, 0);
	assert_int_equal(strtol(text, NULL, 10), 64 * SESSION_DATA);
	close(s);
}

/* A program that closes its stdin: clients with input waiting for it go on, and are heard. */
static void test_stdin_closed_by_program(void **state)
{
	struct rig *r = *state;
	int end, s = session_pair(&end);
	struct session_size size = { 1, 1 };
	char text[SESSION_DATA], block[SESSION_DATA];
	size_t n;

	memset(block, 'y', sizeof(block));
	rig_run(r, ID(1), "pipe 0\nsleep 0.5; exec sh -c 'echo closed; sleep 1' </dev/null", end,
		KP_JOB_STDIN);
	for (int i = 0; i < 4; i++)
		session_say(s, SESSION_IN, block, sizeof(block));
	session_next(s, text, sizeof(text), &n);
	assert_string_equal(text, "closed\n");
	/* Its socket is read: many more messages than it holds. */
	for (int i = 0; i < 2000; i++)
		session_say(s, SESSION_SIZE, &size, sizeof(size));
	session_collect(s, text, sizeof(text), &n);
	close(s);
}

/* One client ends the input that another still waits for. */
static void test_stdin_closed_by_other(void **state)
{
	struct rig *r = *state;
	int end, s = session_pair(&end), end2, other = session_pair(&end2);
	struct session_size size = { 1, 1 };
	char text[SESSION_DATA], block[SESSION_DATA];
	uint64_t begin;
	size_t n;

	memset(block, 'y', sizeof(block));
	rig_run(r, ID(1), "pipe 0\nsleep 2", end, KP_JOB_STDIN);
	rig_attach(r, ID(1), end2, true);
	for (int i = 0; i < 4; i++)
		session_say(s, SESSION_IN, block, sizeof(block));
	usleep(200000);
	session_say(other, SESSION_IN_EOF, NULL, 0);
	begin = time_mono_ms();
	for (int i = 0; i < 2000; i++)
		session_say(s, SESSION_SIZE, &size, sizeof(size));
	/* Not only when the program ends. */
	assert_true(time_mono_ms() - begin < 1000);
	session_collect(s, text, sizeof(text), &n);
	close(s);
	close(other);
}

/* A program that does not read its stdin does not lose what is sent before the client goes. */
static void test_input_survives_client(void **state)
{
	struct rig *r = *state;
	int end, s = session_pair(&end), end2, watcher = session_pair(&end2);
	char text[SESSION_DATA], block[SESSION_DATA];
	unsigned long before;
	size_t n;

	memset(block, 'y', sizeof(block));
	rig_run(r, ID(1), "pipe 0\nsleep 1; wc -c", end, KP_JOB_STDIN);
	rig_attach(r, ID(1), end2, false);
	for (int i = 0; i < 4; i++)
		session_say(s, SESSION_IN, block, sizeof(block));
	close(s);
	usleep(100000);
	before = cpu_ticks(r->keeper);
	usleep(500000);
	assert_true(cpu_ticks(r->keeper) - before < 15); /* of 50 */
	assert_int_equal(session_collect(watcher, text, sizeof(text), &n).status, 0);
	assert_int_equal(strtol(text, NULL, 10), 4 * SESSION_DATA);
	close(watcher);
}

/* The last client with stdin goes: the program sees the end of its input. One without stdin does not count.
 */
static void test_stdin_ends_with_client(void **state)
{
	struct rig *r = *state;
	int end, s = session_pair(&end), end2, watcher = session_pair(&end2);
	char text[4096];
	size_t n;

	rig_run(r, ID(1), "pipe 0\ncat; echo end", end, KP_JOB_STDIN);
	rig_attach(r, ID(1), end2, false);
	close(s);
	session_collect(watcher, text, sizeof(text), &n);
	assert_string_equal(text, "end\n");
	close(watcher);
}

static void test_no_stdin(void **state)
{
	struct rig *r = *state;
	int end, s = session_pair(&end);
	char text[4096];
	size_t n;

	rig_run(r, ID(1), "pipe 0\ncat; echo end; sleep 0.2", end, 0);
	session_say(s, SESSION_IN, "ignored", 7);
	session_collect(s, text, sizeof(text), &n);
	assert_string_equal(text, "end\n");
	close(s);
}

static void test_many_attached(void **state)
{
	struct rig *r = *state;
	char text[4096];
	int end, s[5];
	size_t n;

	for (int i = 0; i < 5; i++) {
		s[i] = session_pair(&end);
		if (i == 0)
			rig_run(r, ID(1), "pipe 0\nread a; echo got $a", end, KP_JOB_STDIN);
		else
			rig_attach(r, ID(1), end, i == 4);
	}
	/* The connection is in order: once this is answered, all are attached. */
	assert_int_equal(
		rig_result(r,
			   rig_job(r, &(struct rig_job){ .id = ID(2), .plan = "prepare 0", .session = -1 }),
			   NULL),
		0);
	session_say(s[4], SESSION_IN, "it\n", 3);
	for (int i = 0; i < 5; i++) {
		session_collect(s[i], text, sizeof(text), &n);
		assert_string_equal(text, "got it\n");
		close(s[i]);
	}
}

static void test_attach_after_exit(void **state)
{
	struct rig *r = *state;
	int end, s = session_pair(&end);
	char text[4096];
	size_t n;

	rig_run(r, ID(1), "pipe 0\necho lost; exit 6", -1, 0);
	rig_exit(r, ID(1));
	rig_attach(r, ID(1), end, false);
	assert_int_equal(session_collect(s, text, sizeof(text), &n).status, 6);
	close(s);
	s = session_pair(&end);
	rig_attach(r, ID(9), end, false);
	assert_int_equal(session_next(s, text, sizeof(text), &n), SESSION_GONE);
	assert_string_equal(text, "no such process");
	close(s);
}

/* One who does not read holds the program up for ten seconds, then he is dropped and the others get all of
 * it. */
static void test_slow_reader(void **state)
{
	struct rig *r = *state;
	int end, slow = session_pair(&end), end2, s = session_pair(&end2);
	char *out = mem_alloc(BIG + 1), text[SESSION_DATA + 1], type;
	uint64_t begin = time_mono_ms();
	size_t n, total = 0;

	rig_run(r, ID(1), "pipe 0\nread a; head -c 2000000 /dev/zero | tr '\\0' x; exit 2", end,
		KP_JOB_STDIN);
	rig_attach(r, ID(1), end2, true);
	session_say(s, SESSION_IN, "go\n", 3);
	while (total < 2000000) {
		struct pollfd pf = { .fd = s, .events = POLLIN };

		assert_int_equal(poll(&pf, 1, 15000), 1);
		type = session_next(s, text, sizeof(text), &n);
		assert_int_equal(type, SESSION_OUT);
		total += n;
	}
	assert_true(time_mono_ms() - begin >= 9500);
	assert_int_equal(session_collect(s, out, BIG, &n).status, 2);
	assert_int_equal(total + n, 2000000);
	while ((type = session_next(slow, text, sizeof(text), &n)) == SESSION_OUT)
		;
	assert_int_equal(type, SESSION_GONE);
	assert_non_null(strstr(text, "ten seconds"));
	close(slow);
	close(s);
	free(out);
}

/* A reader slower than the program, but reading: nothing is lost. */
static void test_hesitant_reader(void **state)
{
	struct rig *r = *state;
	int end, s = session_pair(&end);
	char text[SESSION_DATA + 1], type;
	size_t n, total = 0;

	rig_run(r, ID(1), "pipe 0\nhead -c 1000000 /dev/zero", end, 0);
	usleep(700000);
	while ((type = session_next(s, text, sizeof(text), &n)) == SESSION_OUT) {
		total += n;
		usleep(10000);
	}
	assert_int_equal(type, SESSION_EXIT);
	assert_int_equal(total, 1000000);
	close(s);
}

/* A stranger that keeps the pipe open does not keep the client waiting. */
static void test_pipe_held_by_stranger(void **state)
{
	struct rig *r = *state;
	int end, s = session_pair(&end);
	char text[4096];
	size_t n;
	pid_t stranger;

	rig_run(r, ID(1), "pipe 0\nsetsid sleep 600 & echo $!; exit 8", end, 0);
	assert_int_equal(session_collect(s, text, sizeof(text), &n).status, 8);
	stranger = (pid_t)strtol(text, NULL, 10);
	assert_true(stranger > 1 && process_lives(stranger));
	kill(stranger, SIGKILL);
	close(s);
}

static void test_console(void **state)
{
	struct rig *r = *state;
	struct session_size size = { 33, 77 };
	int end, s = session_pair(&end);
	char text[4096];
	struct frame f;
	size_t n;

	rig_job(r, &(struct rig_job){
			   .id = ID(1),
			   .plan = "tty 0\nstty -echo; echo ready; read a; stty size; echo [$a]; exit 5",
			   .session = end,
			   .flags = KP_JOB_STDIN });
	rig_expect(r, KP_CONTAINER, &f);
	assert_int_equal(((struct kp_container *)f.body)->fds, KP_FD_PIDFD);
	frame_done(&f);
	rig_expect(r, KP_CONTAINER, &f);
	assert_int_equal(((struct kp_container *)f.body)->fds, KP_FD_PIDFD | KP_FD_MASTER);
	frame_done(&f);
	session_next(s, text, sizeof(text), &n);
	assert_string_equal(text, "ready\r\n");
	session_say(s, SESSION_SIZE, &size, sizeof(size));
	session_say(s, SESSION_IN, "typed\n", 6);
	assert_int_equal(session_collect(s, text, sizeof(text), &n).status, 5);
	assert_string_equal(text, "33 77\r\n[typed]\r\n");
	close(s);
}

/* A program may close its console and open it again: no end, and no busy waiting meanwhile. */
static void test_console_reopened(void **state)
{
	struct rig *r = *state;
	int end, s = session_pair(&end);
	unsigned long before;
	char text[4096];
	size_t n;

	rig_run(r, ID(1),
		"tty 0\nt=$(tty); echo one; exec sh -c 'sleep 1; echo two >$0; sleep 0.2; exit 5' $t "
		"</dev/null >/dev/null 2>&1",
		end, 0);
	session_next(s, text, sizeof(text), &n);
	assert_string_equal(text, "one\r\n");
	before = cpu_ticks(r->keeper);
	usleep(700000);
	assert_true(cpu_ticks(r->keeper) - before < 20); /* of 70 */
	assert_int_equal(session_collect(s, text, sizeof(text), &n).status, 5);
	assert_string_equal(text, "two\r\n");
	close(s);
}

static void test_exec_console(void **state)
{
	struct rig *r = *state;
	int end, s = session_pair(&end), fds[1] = { -1 };
	char type, text[256];
	size_t nfds = 1, n = 0, got;
	ssize_t len;

	rig_job(r, &(struct rig_job){
			   .id = "e-2", .plan = "exec-tty 0\necho on console; exit 12", .session = end });
	wait_readable(s);
	assert_int_equal(sock_recv_fds(s, &type, 1, fds, &nfds, 0), 1);
	assert_int_equal(type, SESSION_MASTER);
	assert_int_equal(nfds, 1);
	for (;;) {
		wait_readable(fds[0]);
		len = read(fds[0], text + n, sizeof(text) - 1 - n);
		if (len <= 0)
			break;
		n += (size_t)len;
	}
	assert_int_equal(errno, EIO);
	text[n] = '\0';
	assert_string_equal(text, "on console\r\n");
	assert_int_equal(session_collect(s, text, sizeof(text), &got).status, 12);
	close(fds[0]);
	close(s);
}

static void test_odd_clients(void **state)
{
	struct rig *r = *state;
	int end, s = session_pair(&end), pipe_fds[2];
	char big[SESSION_DATA + 2] = { SESSION_IN }, text[4096];
	size_t n;
	pid_t pid = rig_run(r, ID(1), "pipe 0\nexec sleep 600", end, KP_JOB_STDIN);

	session_say(s, '?', "of a newer client", 17);
	session_say(s, SESSION_SIZE, "x", 1);
	session_say(s, SESSION_IN, NULL, 0);
	assert_int_equal(send(s, big, sizeof(big), 0), sizeof(big));
	assert_int_equal(session_next(s, text, sizeof(text), &n), SESSION_GONE);
	assert_string_equal(text, "message too long");
	/* Not a socket at all. */
	assert_int_equal(pipe2(pipe_fds, O_CLOEXEC), 0);
	rig_attach(r, ID(1), pipe_fds[1], true);
	wait_readable(pipe_fds[0]);
	assert_int_equal(read(pipe_fds[0], text, 1), 0);
	close(pipe_fds[0]);
	close(s);
	kill(pid, SIGKILL);
	rig_exit(r, ID(1));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, rig_setup, rig_teardown)
		T(test_output_then_exit),
		T(test_much_output),
		T(test_stdin),
		T(test_stdin_backpressure),
		T(test_stdin_closed_by_program),
		T(test_stdin_closed_by_other),
		T(test_input_survives_client),
		T(test_stdin_ends_with_client),
		T(test_no_stdin),
		T(test_many_attached),
		T(test_attach_after_exit),
		T(test_slow_reader),
		T(test_hesitant_reader),
		T(test_pipe_held_by_stranger),
		T(test_console),
		T(test_console_reopened),
		T(test_exec_console),
		T(test_odd_clients),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
