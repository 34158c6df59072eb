/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef ARNIA_OCI_SYSLOGS_H
#define ARNIA_OCI_SYSLOGS_H
/* --log=journald:IDENT and --log=syslog:IDENT. */
#include <time.h>
#include "lib/base/error.h"
#include "lib/base/str.h"

struct syslog_line {
	const char *ident, *text;
	int priority; /* LOG_ERR to LOG_DEBUG of syslog(3) */
};

/* A socket to journald, or to the syslog daemon; what is sent there waits two seconds at most. An error names the socket. */
int journal_open(struct error *err);
int syslog_open(struct error *err);
/* Appends the fields of one entry: https://systemd.io/JOURNAL_NATIVE_PROTOCOL/, without libsystemd, which has no static form. */
void journal_entry(struct strbuf *b, const struct syslog_line *l);
void journal_send(int s, const struct syslog_line *l);

/* Appends one message, with the NUL that ends it on a stream: RFC 3164, the form of syslog(3), which itself would wait without end
 * for a daemon that does not read. `now` is the local time. */
void syslog_message(struct strbuf *b, const struct syslog_line *l, const struct tm *now);
void syslog_send(int s, const struct syslog_line *l);

#endif
