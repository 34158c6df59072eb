/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "cmd/arnia-oci/cmd.h"
#include "lib/base/fd.h"
#include "lib/base/json.h"
#include "lib/base/str.h"
#include "lib/base/time.h"

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

void report(const struct globals *g, enum report_level level, const char *fmt, ...)
{
	struct strbuf text = { 0 }, shown = { 0 };
	auto_free char *line = NULL;
	va_list ap;
	char buf[1024];

	if (level == REPORT_DEBUG && !g->debug)
		return;
	va_start(ap, fmt);
	vsnprintf(buf, sizeof(buf), fmt, ap);
	va_end(ap);
	strbuf_add_escaped(&text, buf, strlen(buf));
	line = log_text(g->log_json, level, strbuf_cstr(&text));
	if (g->log_fd >= 0)
		put(g->log_fd, line);
	if (g->log_fd < 0 && g->log_json)
		put(STDERR_FILENO, line);
	else if (level == REPORT_ERROR || g->log_fd < 0)
		strbuf_addf(&shown, "arnia-oci: %s%s\n", shown_as[level], strbuf_cstr(&text));
	if (shown.len)
		put(STDERR_FILENO, shown.s);
	strbuf_done(&shown);
	strbuf_done(&text);
}

int report_open(struct globals *g, const char *log, struct error *err)
{
	const char *path = str_after(log, "file:") ?: log;
	int fd;

	if (str_is_empty(path) || str_eq(path, "/dev/stderr"))
		return 0;
	if (str_starts(log, "journald:") || str_starts(log, "syslog:"))
		return err_set_kind(err, -EOPNOTSUPP, ERR_UNSUPPORTED,
				    "--log: %.100s is not supported, only a file", log);
	fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY, 0644);
	if (fd < 0)
		return err_sys(err, -errno, "--log: open %.300s", path);
	g->log = path;
	g->log_fd = fd;
	return 0;
}
