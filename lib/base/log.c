/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "lib/base/fd.h"
#include "lib/base/log.h"
#include "lib/base/str.h"

static struct {
	const char *program;
	enum log_level max;
	bool journal;
} sink = { .program = "arnia", .max = LOG_INFO_ };

/* JOURNAL_STREAM is inherited by children whose stderr went elsewhere: compare it (systemd.exec(5)). */
static bool stderr_is_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	unsigned long long dev, ino;
	struct stat st;

	return stream && sscanf(stream, "%llu:%llu", &dev, &ino) == 2 && fstat(STDERR_FILENO, &st) == 0 &&
	       st.st_dev == dev && st.st_ino == ino;
}

void log_init(const char *program, enum log_level max)
{
	sink.program = program;
	sink.max = max;
	sink.journal = stderr_is_journal();
}

void log_line(enum log_level level, const char *fmt, ...)
{
	static const int priority[] = { 3, 4, 6, 7 };
	struct strbuf line = { 0 };
	char text[2048];
	int keep = errno;
	va_list ap;

	if (level > sink.max)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (sink.journal)
		strbuf_addf(&line, "<%d>", priority[level]);
	else
		strbuf_addf(&line, "%s: ", sink.program);
	strbuf_add_escaped(&line, text, strnlen(text, sizeof(text)));
	strbuf_addc(&line, '\n');
	/* Nobody can be told that the log is gone. */
	(void)fd_write_all(STDERR_FILENO, line.s, line.len);
	strbuf_done(&line);
	errno = keep;
}
