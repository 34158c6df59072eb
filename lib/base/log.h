/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef ARNIA_BASE_LOG_H
#define ARNIA_BASE_LOG_H
/* Log lines to stderr (with "<N>" priorities when it is the journal: JOURNAL_STREAM set). Programs only; libraries
 * at most log_debug. Control bytes are escaped: a name or an argument cannot forge a line. */
enum log_level { LOG_ERR_, LOG_WARN_, LOG_INFO_, LOG_DEBUG_ };
void log_init(const char *program, enum log_level max); /* the one mutable global: the sink */
void log_line(enum log_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
#define log_error(...) log_line(LOG_ERR_, __VA_ARGS__)
#define log_warn(...) log_line(LOG_WARN_, __VA_ARGS__)
#define log_info(...) log_line(LOG_INFO_, __VA_ARGS__)
#define log_debug(...) log_line(LOG_DEBUG_, __VA_ARGS__)
#endif
