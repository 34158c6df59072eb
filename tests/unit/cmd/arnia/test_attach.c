/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The client's end of a session, on a terminal of its own; the test plays keeper and user. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include "cmd/arnia/attach.h"
#include "lib/base/fd.h"
#include "lib/base/sock.h"

#define WAIT_MS 5000

struct stage {
	pid_t pid;
	int terminal; /* master of the client's terminal */
	int keeper;   /* far end of the session */
	struct termios before;
	struct strbuf shown; /* read from the terminal so far */
};

/* 100 + how it ended, unless by the guest's exit code. */
static int play(struct attach *a)
{
	struct error err;

	if (attach_run(a, &err) < 0)
		return 99;
	return a->end == ATTACH_EXITED	    ? attach_code(a)
	       : a->end == ATTACH_SIGNALLED ? a->signal
					    : 100 + (int)a->end;
}

static struct stage begin(bool tty, bool pass_master)
{
	struct stage g = { .pid = -1 };
	int s[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, s), 0);
	g.pid = forkpty(&g.terminal, NULL, NULL, &(struct winsize){ .ws_row = 24, .ws_col = 80 });
	assert_true(g.pid >= 0);
	if (g.pid == 0) {
		struct cli c = { .quiet = true, .timeout_ms = -1 };
		struct attach a = ATTACH_NONE;

		close(s[1]);
		a.c = &c;
		a.session = s[0];
		a.name = "web";
		a.tty = tty;
		a.input = true;
		a.pass_master = pass_master;
		keys_parse(KEYS_DEFAULT, &a.keys);
		_exit(play(&a));
	}
	close(s[0]);
	g.keeper = s[1];
	assert_int_equal(tcgetattr(g.terminal, &g.before), 0);
	return g;
}

static bool readable(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return poll(&p, 1, WAIT_MS) == 1;
}

static int ended(struct stage *g)
{
	int status = -1;
	struct termios after;
	char byte;

	/* Whatever the end was, the terminal is as it was. */
	while (waitpid(g->pid, &status, WNOHANG) == 0)
		if (readable(g->terminal) && read(g->terminal, &byte, 1) < 0)
			break;
	if (status == -1)
		waitpid(g->pid, &status, 0);
	if (tcgetattr(g->terminal, &after) == 0) {
		assert_int_equal(after.c_lflag, g->before.c_lflag);
		assert_int_equal(after.c_iflag, g->before.c_iflag);
		assert_int_equal(after.c_oflag, g->before.c_oflag);
	}
	close(g->terminal);
	close(g->keeper);
	strbuf_done(&g->shown);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static void keeper_says(struct stage *g, char type, const void *p, size_t n)
{
	char buf[1 + SESSION_DATA];

	buf[0] = type;
	memcpy(buf + 1, p, n);
	assert_int_equal(send(g->keeper, buf, n + 1, MSG_NOSIGNAL), n + 1);
}

static void keeper_exits(struct stage *g, int code, int status)
{
	struct session_exit x = { code, status };

	keeper_says(g, SESSION_EXIT, &x, sizeof(x));
}

/* What is typed at once may be read in pieces. */
static void keeper_hears(struct stage *g, char type, const char *text)
{
	char buf[1 + SESSION_DATA];
	size_t at = 0, n = strlen(text);

	do {
		ssize_t got;

		assert_true(readable(g->keeper));
		got = recv(g->keeper, buf, sizeof(buf), 0);
		assert_true(got > 0 && (size_t)got - 1 <= n - at);
		assert_int_equal(buf[0], type);
		assert_memory_equal(buf + 1, text + at, (size_t)got - 1);
		at += (size_t)got - 1;
	} while (at < n);
}

static void user_sees(struct stage *g, const char *text)
{
	char buf[4096];

	while (!strstr(strbuf_cstr(&g->shown), text)) {
		ssize_t n = readable(g->terminal) ? read(g->terminal, buf, sizeof(buf)) : -1;

		if (n <= 0)
			fail_msg("no \"%s\" in \"%s\"", text, strbuf_cstr(&g->shown));
		strbuf_add_n(&g->shown, buf, (size_t)n);
	}
}

static void user_types(struct stage *g, const char *text)
{
	assert_int_equal(write(g->terminal, text, strlen(text)), strlen(text));
}

/* Output is shown only after raw mode has begun: the client is there. */
static void up(struct stage *g)
{
	struct termios now;

	keeper_says(g, SESSION_OUT, "login: ", 7);
	user_sees(g, "login: ");
	assert_int_equal(tcgetattr(g->terminal, &now), 0);
	assert_false(now.c_lflag & (ICANON | ECHO | ISIG));
}

static void keys_pass_and_the_exit_code_comes(void **state)
{
	struct stage g = begin(true, false);

	(void)state;
	up(&g);
	user_types(&g, "\x03ls\r\x1d");
	keeper_hears(&g, SESSION_IN, "\x03ls\r\x1d");
	/* Nothing that the guest writes is changed. */
	keeper_says(&g, SESSION_OUT, "a\nb", 3);
	user_sees(&g, "a\nb");
	keeper_exits(&g, CLD_EXITED, 42);
	assert_int_equal(ended(&g), 42);
}

/* unix(7): a socket closed with something unread is an error to the other side, before what it was still sent. */
static void the_exit_code_comes_although_keys_were_not_read(void **state)
{
	struct stage g = begin(true, false);

	(void)state;
	up(&g);
	user_types(&g, "x");
	assert_true(readable(g.keeper));
	kill(g.pid, SIGSTOP);
	keeper_says(&g, SESSION_OUT, "bye\n", 4);
	keeper_exits(&g, CLD_EXITED, 7);
	close(g.keeper);
	g.keeper = -1;
	kill(g.pid, SIGCONT);
	user_sees(&g, "bye");
	assert_int_equal(ended(&g), 7);
}

static void a_signal_of_the_guest(void **state)
{
	struct stage g = begin(true, false);

	(void)state;
	up(&g);
	keeper_exits(&g, CLD_KILLED, SIGSEGV);
	assert_int_equal(ended(&g), 128 + SIGSEGV);
}

static void the_keys_leave(void **state)
{
	struct stage g = begin(true, false);

	(void)state;
	up(&g);
	user_types(&g, "x\x1d\x1d\x1dy");
	keeper_hears(&g, SESSION_IN, "x\x1d\x1d");
	assert_int_equal(ended(&g), 100 + ATTACH_LEFT);
}

static void a_signal_to_us(void **state)
{
	static const int signals[] = { SIGTERM, SIGHUP, SIGINT, SIGQUIT };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(signals); i++) {
		struct stage g = begin(true, false);

		up(&g);
		assert_int_equal(kill(g.pid, signals[i]), 0);
		assert_int_equal(ended(&g), signals[i]);
	}
}

static void the_window_changes(void **state)
{
	struct stage g = begin(true, false);
	struct winsize w = { .ws_row = 50, .ws_col = 132 };
	char buf[64];
	struct session_size size;

	(void)state;
	up(&g);
	assert_int_equal(ioctl(g.terminal, TIOCSWINSZ, &w), 0);
	assert_true(readable(g.keeper));
	assert_int_equal(recv(g.keeper, buf, sizeof(buf), 0), 1 + sizeof(size));
	assert_int_equal(buf[0], SESSION_SIZE);
	memcpy(&size, buf + 1, sizeof(size));
	assert_int_equal(size.rows, 50);
	assert_int_equal(size.cols, 132);
	keeper_exits(&g, CLD_EXITED, 0);
	assert_int_equal(ended(&g), 0);
}

static void the_session_ends_otherwise(void **state)
{
	struct stage g = begin(true, false);

	(void)state;
	up(&g);
	keeper_says(&g, SESSION_GONE, "replaced", 8);
	assert_int_equal(ended(&g), 100 + ATTACH_GONE);
	g = begin(true, false);
	up(&g);
	shutdown(g.keeper, SHUT_RDWR);
	assert_int_equal(ended(&g), 100 + ATTACH_GONE);
	/* An exit message that is none. */
	g = begin(true, false);
	up(&g);
	keeper_says(&g, SESSION_EXIT, "x", 1);
	assert_int_equal(ended(&g), 100 + ATTACH_GONE);
	/* Messages of a newer keeper are passed over. */
	g = begin(true, false);
	up(&g);
	keeper_says(&g, '?', "hm", 2);
	keeper_exits(&g, CLD_EXITED, 1);
	assert_int_equal(ended(&g), 1);
}

/* Without a terminal on the other side ours stays as it is: lines, echo, Ctrl-C. */
static void no_raw_mode_without_a_terminal_there(void **state)
{
	struct stage g = begin(false, false);
	struct termios now;

	(void)state;
	keeper_says(&g, SESSION_OUT, "out\n", 4);
	user_sees(&g, "out\r\n");
	assert_int_equal(tcgetattr(g.terminal, &now), 0);
	assert_true((now.c_lflag & (ICANON | ECHO | ISIG)) == (ICANON | ECHO | ISIG));
	user_types(&g, "line\n");
	keeper_hears(&g, SESSION_IN, "line\n");
	user_types(&g, "\x04");
	keeper_hears(&g, SESSION_IN_EOF, "");
	keeper_says(&g, SESSION_ERR, "late", 4);
	keeper_exits(&g, CLD_EXITED, 3);
	assert_int_equal(ended(&g), 3);
}

/* An exec's terminal: we pump its master, and nothing of its output is lost at the end. */
static void a_master_comes_along(void **state)
{
	struct stage g = begin(true, true);
	int master, slave;
	char type = SESSION_MASTER, buf[64];
	struct winsize w = { .ws_row = 10, .ws_col = 20 };
	struct termios mode;

	(void)state;
	assert_int_equal(openpty(&master, &slave, NULL, NULL, NULL), 0);
	assert_int_equal(tcgetattr(slave, &mode), 0);
	cfmakeraw(&mode);
	assert_int_equal(tcsetattr(slave, TCSANOW, &mode), 0);
	assert_int_equal(sock_send_fds(g.keeper, &type, 1, &master, 1), 1);
	close(master);
	assert_int_equal(write(slave, "$ ", 2), 2);
	user_sees(&g, "$ ");
	user_types(&g, "pwd\r");
	assert_true(readable(slave));
	assert_int_equal(read(slave, buf, sizeof(buf)), 4);
	assert_memory_equal(buf, "pwd\r", 4);
	assert_int_equal(ioctl(g.terminal, TIOCSWINSZ, &w), 0);
	for (int i = 0; i < 500 && w.ws_row != 11; i++) {
		struct pollfd none = { .fd = -1 };

		/* The size has no event on this side. */
		poll(&none, 1, 10);
		assert_int_equal(ioctl(slave, TIOCGWINSZ, &w), 0);
		if (w.ws_row == 10)
			w.ws_row = 11;
	}
	assert_int_equal(w.ws_col, 20);
	assert_int_equal(write(slave, "last words", 10), 10);
	/* Something in the guest keeps the terminal open: that does not hold us. */
	keeper_exits(&g, CLD_EXITED, 5);
	user_sees(&g, "last words");
	assert_int_equal(ended(&g), 5);
	close(slave);
}

/* Standard streams that are no terminals, more data than any buffer holds, a keeper that takes it slowly. */
static void a_lot_of_input(void **state)
{
	enum { SIZE = 3 << 20 };
	int s[2], in[2];
	size_t got = 0;
	pid_t writer, client;
	int status;
	char buf[1 + SESSION_DATA];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, s), 0);
	assert_int_equal(pipe2(in, O_CLOEXEC), 0);
	writer = fork();
	if (writer == 0) {
		memset(buf, 'i', sizeof(buf));
		for (size_t i = 0; i < SIZE / 4096; i++)
			if (fd_write_all(in[1], buf, 4096) < 0)
				_exit(1);
		_exit(0);
	}
	close(in[1]);
	client = fork();
	if (client == 0) {
		struct cli c = { .quiet = true, .timeout_ms = -1 };
		struct attach a = ATTACH_NONE;

		dup2(in[0], STDIN_FILENO);
		close(s[1]);
		a.c = &c;
		a.session = s[0];
		a.input = true;
		_exit(play(&a));
	}
	close(in[0]);
	close(s[0]);
	for (;;) {
		ssize_t n = readable(s[1]) ? recv(s[1], buf, sizeof(buf), 0) : -1;

		assert_true(n > 0);
		if (buf[0] == SESSION_IN_EOF)
			break;
		assert_int_equal(buf[0], SESSION_IN);
		got += (size_t)n - 1;
	}
	assert_int_equal(got, SIZE);
	buf[0] = SESSION_EXIT;
	memcpy(buf + 1, &(struct session_exit){ CLD_EXITED, 0 }, sizeof(struct session_exit));
	assert_int_equal(send(s[1], buf, 1 + sizeof(struct session_exit), 0),
			 1 + sizeof(struct session_exit));
	assert_int_equal(waitpid(client, &status, 0), client);
	assert_int_equal(status, 0);
	assert_int_equal(waitpid(writer, &status, 0), writer);
	assert_int_equal(status, 0);
	close(s[1]);
}

static void exit_records(void **state)
{
	static const struct {
		const char *text;
		int code;
	} cases[] = {
		{ "{\"code\":0}", 0 },
		{ "{\"code\":255}", 255 },
		{ "{\"code\":256}", -1 },
		{ "{\"signal\":\"KILL\"}", 137 },
		{ "{\"signal\":\"SIGTERM\"}", 143 },
		{ "{\"signal\":\"X\"}", -1 },
		{ "{\"cause\":\"unknown\"}", -1 },
		{ "{}", -1 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		auto_json json *x = json_parse(cases[i].text, strlen(cases[i].text), NULL);

		assert_int_equal(exit_code_of(x), cases[i].code);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keys_pass_and_the_exit_code_comes),
		cmocka_unit_test(the_exit_code_comes_although_keys_were_not_read),
		cmocka_unit_test(a_signal_of_the_guest),
		cmocka_unit_test(the_keys_leave),
		cmocka_unit_test(a_signal_to_us),
		cmocka_unit_test(the_window_changes),
		cmocka_unit_test(the_session_ends_otherwise),
		cmocka_unit_test(no_raw_mode_without_a_terminal_there),
		cmocka_unit_test(a_master_comes_along),
		cmocka_unit_test(a_lot_of_input),
		cmocka_unit_test(exit_records),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
