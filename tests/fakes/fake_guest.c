/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>
#include "lib/base/session.h"
#include "lib/base/str.h"
#include "tests/fakes/fake_guest.h"

static void say(int s, char type, const void *p, size_t n)
{
	char buf[1 + SESSION_DATA];

	buf[0] = type;
	memcpy(buf + 1, p, n);
	(void)send(s, buf, n + 1, MSG_NOSIGNAL);
}

void guest_say(int s, char type, const char *text)
{
	say(s, type, text, strlen(text));
}

/* What came in, back out, to the end. */
static void cat(int s)
{
	char buf[1 + SESSION_DATA];
	ssize_t n;

	while ((n = recv(s, buf, sizeof(buf), 0)) > 0 && buf[0] != SESSION_IN_EOF)
		if (buf[0] == SESSION_IN)
			say(s, SESSION_OUT, buf + 1, (size_t)n - 1);
}

/* A guest that knows a few commands: echo WORD, fail CODE, die SIGNAL, cat, size, gone, hang. Returns a
 * wait-like status: code, or -signal. */
static int play(int s, const json *params, const json *command)
{
	const char *word = json_str(json_at(command, 0)), *more = json_str(json_at(command, 1));
	uint64_t rows = 0, columns = 0;
	char text[64];

	json_get_u64(params, "rows", &rows, NULL);
	json_get_u64(params, "columns", &columns, NULL);
	if (str_eq(word, "echo"))
		guest_say(s, SESSION_OUT, more ?: "");
	if (str_eq(word, "fail"))
		guest_say(s, SESSION_ERR, "failing\n");
	if (str_eq(word, "cat"))
		cat(s);
	if (str_eq(word, "size")) {
		snprintf(text, sizeof(text), "%llu %llu\n", (unsigned long long)rows,
			 (unsigned long long)columns);
		guest_say(s, SESSION_OUT, text);
	}
	if (str_eq(word, "die"))
		return -atoi(more ?: "9");
	return str_eq(word, "fail") ? atoi(more ?: "1") : 0;
}

void guest_say_exit(int s, int status)
{
	struct session_exit x = { status >= 0 ? CLD_EXITED : CLD_KILLED, abs(status) };

	say(s, SESSION_EXIT, &x, sizeof(x));
}

/* For ever, yet not longer than the stand-in itself. */
static void hang(void)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	pause();
}

void guest_start(int session, const json *params, const json *command)
{
	int status;

	if (session < 0 || fork() != 0)
		return;
	status = play(session, params, command);
	if (str_eq(json_str(json_at(command, 0)), "gone"))
		guest_say(session, SESSION_GONE, "the keeper was replaced");
	else if (!str_eq(json_str(json_at(command, 0)), "hang"))
		guest_say_exit(session, status);
	else
		hang();
	_exit(0);
}

void guest_echo_keys(int s)
{
	char buf[1 + SESSION_DATA];
	ssize_t n;

	guest_say(s, SESSION_OUT, "login: ");
	while ((n = recv(s, buf, sizeof(buf), 0)) > 0) {
		if (buf[0] == SESSION_IN)
			say(s, SESSION_OUT, buf + 1, (size_t)n - 1);
		if (buf[0] == SESSION_IN && memchr(buf + 1, 'q', (size_t)n - 1))
			return;
	}
	_exit(0);
}

static void record(int fd, uint8_t stream, uint64_t second, const char *text)
{
	struct log_record r = { LOG_RECORD_MAGIC, stream, (uint16_t)strlen(text), 0, second * 1000000000ULL };

	(void)!write(fd, &r, sizeof(r));
	(void)!write(fd, text, strlen(text));
}

/* Unnamed files: a log keeps its inode from one answer to the next. */
void guest_make_logs(int logs[3])
{
	for (size_t i = 0; i < 3; i++)
		logs[i] = memfd_create("log", MFD_CLOEXEC);
	record(logs[0], 1, 1000, "one\ntw");
	record(logs[0], 1, 1001, "o\n");
	for (size_t i = 1; i <= 2; i++) {
		record(logs[i], 2, 1002, "bad\n");
		record(logs[i], 1, 1003, "three\nfour");
	}
	(void)!write(logs[2], "not a log record at all", 23);
}
