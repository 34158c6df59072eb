/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef ARNIA_CLI_LOGFILE_H
#define ARNIA_CLI_LOGFILE_H
/* Log files (struct log_record, lib/base/session.h): reading them, and what of them is printed. */
#include <stdbool.h>
#include <stdint.h>
#include "cmd/arnia/cli.h"

struct log_filter {
	uint64_t since_ns, until_ns; /* real time; 0 = none */
	bool timestamps;
	uint64_t skip_lines; /* of those that pass the times */
};
struct log_printer {
	const struct cli *c;
	struct log_filter filter;
	bool mid_line[2]; /* the last byte of stdout, stderr was no newline */
	uint64_t dropped;
	int failed; /* negative errno: our own output is gone */
	struct strbuf out[2];
};
/* Print what whole records there are in fd from *offset on, and move it. -EBADMSG where something is no
 * record, what write(2) has when our own output is gone. */
int log_print(struct log_printer *p, int fd, uint64_t *offset, struct error *err);
/* Lines that would be printed of both files together (-1 = none): one may begin in the older and end in the newer. A last one without
 * newline counts. */
uint64_t log_count_lines(const struct log_filter *filter, int older, int newer);
void log_printer_done(struct log_printer *p);

/* logs_follow.c: go on from `offset` of fd (-1: no file yet) until the machine has stopped. */
int logs_follow(struct cli *c, const char *name, struct log_printer *p, int fd, uint64_t offset,
		struct error *err);
/* Logs: the descriptors, -1 when missing. */
struct log_files {
	int old, now; /* log.1, log */
	bool stopped;
};
#define LOG_FILES_NONE ((struct log_files){ -1, -1, false })
int logs_open(struct cli *c, const char *name, struct log_files *ret, struct error *err);
void log_files_done(struct log_files *f);

#endif
