/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <syslog.h>
#include "cmd/arnia-oci/syslogs.h"
#include "lib/base/fd.h"
#include "lib/base/sock.h"

#define JOURNAL_SOCKET "/run/systemd/journal/socket"
#define SYSLOG_SOCKET "/dev/log"
#define SEND_TIMEOUT_S 2

/* One that does not read must not keep a container from being stopped. */
static int bounded(int s, const char *name, struct error *err)
{
	const struct timeval timeout = { .tv_sec = SEND_TIMEOUT_S };

	return setsockopt(s, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout)) < 0
		       ? err_sys(err, -errno, "--log: %s: SO_SNDTIMEO", name)
		       : 0;
}

int journal_open(struct error *err)
{
	auto_fd int s = sock_connect(JOURNAL_SOCKET, SOCK_DGRAM, err);
	int r;

	if (s < 0)
		return err_prefix(err, "--log: the journal"), s;
	r = bounded(s, "the journal", err);
	return r < 0 ? r : fd_steal(&s);
}

/* NAME=VALUE and a newline; a value that has newlines itself comes behind its length instead. */
static void add_field(struct strbuf *b, const char *name, const char *value)
{
	size_t n = strlen(value);

	strbuf_add(b, name);
	strbuf_addc(b, strchr(value, '\n') ? '\n' : '=');
	if (strchr(value, '\n'))
		for (unsigned shift = 0; shift < 64; shift += 8)
			strbuf_addc(b, (char)(uint8_t)((uint64_t)n >> shift));
	strbuf_add_n(b, value, n);
	strbuf_addc(b, '\n');
}

void journal_entry(struct strbuf *b, const struct syslog_line *l)
{
	char priority[16];

	snprintf(priority, sizeof(priority), "%d", l->priority);
	add_field(b, "MESSAGE", l->text);
	add_field(b, "PRIORITY", priority);
	add_field(b, "SYSLOG_IDENTIFIER", l->ident);
}

void journal_send(int s, const struct syslog_line *l)
{
	struct strbuf b = { 0 };

	journal_entry(&b, l);
	/* Nobody can be told that the log is gone. */
	(void)sock_send_fds(s, b.s, b.len, NULL, 0);
	strbuf_done(&b);
}

int syslog_open(struct error *err)
{
	auto_fd int s = sock_connect(SYSLOG_SOCKET, SOCK_DGRAM, err);
	int r;

	if (s == -EPROTOTYPE) {
		err_clear(err);
		s = sock_connect(SYSLOG_SOCKET, SOCK_STREAM, err);
	}
	if (s < 0)
		return err_prefix(err, "--log: syslog"), s;
	r = bounded(s, "syslog", err);
	return r < 0 ? r : fd_steal(&s);
}

void syslog_message(struct strbuf *b, const struct syslog_line *l, const struct tm *now)
{
	char when[32];

	/* English names of months, as no locale is set. */
	strftime(when, sizeof(when), "%b %e %T", now);
	strbuf_addf(b, "<%d>%s %s: %s", LOG_USER | l->priority, when, l->ident, l->text);
	strbuf_addc(b, '\0');
}

void syslog_send(int s, const struct syslog_line *l)
{
	struct strbuf b = { 0 };
	time_t now = time(NULL);
	struct tm tm = { 0 };

	localtime_r(&now, &tm);
	syslog_message(&b, l, &tm);
	(void)sock_send_fds(s, b.s, b.len, NULL, 0);
	strbuf_done(&b);
}
