/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>
#include "cmd/arnia-oci/cmd.h"
#include "cmd/arnia-oci/syslogs.h"
#include "lib/base/fd.h"
#include "lib/base/json.h"
#include "lib/base/str.h"
#include "lib/base/time.h"

#define IDENT_MAX 200

static const char *const names[] = {
	[REPORT_ERROR] = "error", [REPORT_WARN] = "warning", [REPORT_INFO] = "info", [REPORT_DEBUG] = "debug"
};

static const char *const shown_as[] = {
	[REPORT_ERROR] = "", [REPORT_WARN] = "warning: ", [REPORT_INFO] = "", [REPORT_DEBUG] = "debug: "
};

/* The clock in whole seconds, as runc writes it. */
static const char *now(char buf[40])
{
	time_rfc3339(time_real_ns() / 1000000000 * 1000000000, buf);
	memcpy(buf + strlen("2026-01-31T12:00:00"), "Z", 2);
	return buf;
}

static char *log_text(bool as_json, enum report_level level, const char *text)
{
	auto_json json *j = as_json ? json_new_obj() : json_new_str(text);
	auto_free char *line = NULL;
	char time[40];

	if (as_json) {
		json_add_str(j, "level", names[level]);
		json_add_str(j, "msg", text);
		json_add_str(j, "time", now(time));
	}
	line = json_text(j, false);
	if (as_json)
		return str_fmt("%s\n", line);
	return str_fmt("time=\"%s\" level=%s msg=%s\n", now(time), names[level], line);
}

static void put(int fd, const char *line)
{
	(void)fd_write_wait(fd, line, strlen(line));
}

/* The journal and syslog have time and level of their own: of text they get the message alone. */
static void put_log(const struct globals *g, enum report_level level, const char *text)
{
	static const int priorities[] = {
		[REPORT_ERROR] = LOG_ERR, [REPORT_WARN] = LOG_WARNING, [REPORT_INFO] = LOG_INFO, [REPORT_DEBUG] = LOG_DEBUG
	};
	auto_free char *line = log_text(g->log_json, level, text);
	struct syslog_line l = { g->log_ident, g->log_json ? line : text, priorities[level] };

	if (g->log == REPORT_TO_FILE) {
		put(g->log_fd, line);
		return;
	}
	line[strcspn(line, "\n")] = '\0';
	if (g->log == REPORT_TO_JOURNAL)
		journal_send(g->log_fd, &l);
	else
		syslog_send(g->log_fd, &l);
}

static void put_stderr(const struct globals *g, enum report_level level, const char *text)
{
	auto_free char *line = g->log == REPORT_TO_STDERR && g->log_json ?
				       log_text(true, level, text) :
				       str_fmt("arnia-oci: %s%s\n", shown_as[level], text);

	put(STDERR_FILENO, line);
}

void report(const struct globals *g, enum report_level level, const char *fmt, ...)
{
	struct strbuf text = { 0 };
	va_list ap;
	char buf[1024];

	if (level == REPORT_DEBUG && !g->debug)
		return;
	va_start(ap, fmt);
	vsnprintf(buf, sizeof(buf), fmt, ap);
	va_end(ap);
	strbuf_add_escaped(&text, buf, strlen(buf));
	if (g->log != REPORT_TO_STDERR)
		put_log(g, level, strbuf_cstr(&text));
	if (g->log == REPORT_TO_STDERR || level == REPORT_ERROR)
		put_stderr(g, level, strbuf_cstr(&text));
	strbuf_done(&text);
}

static int open_file(struct globals *g, const char *path, struct error *err)
{
	int fd;

	if (str_is_empty(path) || str_eq(path, "/dev/stderr"))
		return 0;
	fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY, 0644);
	if (fd < 0)
		return err_sys(err, -errno, "--log: open %.300s", path);
	g->log_fd = fd;
	g->log = REPORT_TO_FILE;
	return 0;
}

/* Bounded, as what is sent has to fit into one message. */
static const char *take_ident(const char *given, struct arena *a)
{
	struct strbuf b = { 0 };
	const char *ident;

	strbuf_add_escaped(&b, given, strnlen(given, IDENT_MAX));
	ident = b.len ? arena_str(a, b.s) : "arnia-oci";
	strbuf_done(&b);
	return ident;
}

int report_open(struct globals *g, const char *log, struct arena *a, struct error *err)
{
	const char *journal = str_after(log, "journald:"), *syslogd = str_after(log, "syslog:");
	const char *ident = journal || syslogd ? take_ident(journal ?: syslogd, a) : NULL;
	int r;

	if (!ident)
		return open_file(g, str_after(log, "file:") ?: log, err);
	r = journal ? journal_open(err) : syslog_open(err);
	if (r < 0)
		return r;
	g->log_fd = r;
	g->log_ident = ident;
	g->log = journal ? REPORT_TO_JOURNAL : REPORT_TO_SYSLOG;
	return 0;
}
