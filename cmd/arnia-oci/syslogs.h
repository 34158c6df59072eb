/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef ARNIA_OCI_SYSLOGS_H
#define ARNIA_OCI_SYSLOGS_H
/* --log=journald:IDENT and --log=syslog:IDENT. */
#include "lib/base/error.h"
#include "lib/base/str.h"

struct syslog_line {
	const char *ident, *text;
	int priority; /* LOG_ERR to LOG_DEBUG of syslog(3) */
};

/* A socket to journald; what is sent there waits two seconds at most. An error names the socket. */
int journal_open(struct error *err);
/* Appends the fields of one entry: https://systemd.io/JOURNAL_NATIVE_PROTOCOL/, without libsystemd, which has no static form. */
void journal_entry(struct strbuf *b, const struct syslog_line *l);
void journal_send(int s, const struct syslog_line *l);

/* syslog(3) for the whole process, which keeps `ident`. An error when nobody listens, of which syslog(3) itself says nothing. */
int syslog_open(const char *ident, struct error *err);
void syslog_send(const struct syslog_line *l);

#endif
