/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <string.h>
#include <unistd.h>
#include "cmd/arnia/logfile.h"
#include "lib/base/fd.h"
#include "lib/base/session.h"
#include "lib/base/time.h"

#define FLUSH_BYTES 65536

/* 1 = a record, 0 = the end (or one not written whole), -EBADMSG. */
static int read_record(int fd, uint64_t offset, struct log_record *ret, char data[SESSION_DATA])
{
	ssize_t n = pread(fd, ret, sizeof(*ret), (off_t)offset);

	if (n < 0)
		return -errno;
	if ((size_t)n < sizeof(*ret))
		return 0;
	if (ret->magic != LOG_RECORD_MAGIC || (ret->stream != 1 && ret->stream != 2) || !ret->len ||
	    ret->len > SESSION_DATA)
		return -EBADMSG;
	n = pread(fd, data, ret->len, (off_t)(offset + sizeof(*ret)));
	if (n < 0)
		return -errno;
	return (size_t)n == ret->len;
}

static bool in_time(const struct log_filter *f, const struct log_record *rec)
{
	return rec->time_ns >= f->since_ns && (!f->until_ns || rec->time_ns <= f->until_ns);
}

static void flush(struct log_printer *p, unsigned stream)
{
	struct strbuf *b = &p->out[stream];

	int r = b->len ? fd_write_wait(stream ? STDERR_FILENO : STDOUT_FILENO, b->s, b->len) : 0;

	if (r < 0)
		p->failed = r;
	b->len = 0;
}

/* n bytes: a line, or a part of one. */
static void print_piece(struct log_printer *p, const struct log_record *rec, const char *s, size_t n)
{
	unsigned stream = rec->stream - 1u;
	char time[40];

	if (p->filter.skip_lines) {
		p->filter.skip_lines -= s[n - 1] == '\n';
		return;
	}
	if (p->filter.timestamps && !p->mid_line[stream])
		strbuf_addf(&p->out[stream], "%s ", time_rfc3339(rec->time_ns, time));
	strbuf_add_n(&p->out[stream], s, n);
	p->mid_line[stream] = s[n - 1] != '\n';
}

static void print_record(struct log_printer *p, const struct log_record *rec, const char *data)
{
	p->dropped += rec->dropped;
	if (!in_time(&p->filter, rec))
		return;
	for (size_t at = 0; at < rec->len;) {
		const char *nl = memchr(data + at, '\n', rec->len - at);
		size_t n = nl ? (size_t)(nl - data) + 1 - at : rec->len - at;

		print_piece(p, rec, data + at, n);
		at += n;
	}
	/* The streams keep their order on a terminal that shows both. */
	flush(p, 2u - rec->stream);
	if (p->out[rec->stream - 1].len > FLUSH_BYTES)
		flush(p, rec->stream - 1u);
}

int log_print(struct log_printer *p, int fd, uint64_t *offset, struct error *err)
{
	char data[SESSION_DATA];
	struct log_record rec;
	int r = 0;

	while (!p->failed && (r = read_record(fd, *offset, &rec, data)) > 0) {
		print_record(p, &rec, data);
		*offset += sizeof(rec) + rec.len;
	}
	flush(p, 0);
	flush(p, 1);
	if (p->failed)
		return err_sys(err, p->failed, "write to standard output");
	if (r == -EBADMSG)
		return err_set(err, r, "the log is damaged at byte %llu", (unsigned long long)*offset);
	return r < 0 ? err_sys(err, r, "read the log") : 0;
}

static uint64_t count_ends(const struct log_filter *filter, int fd, bool open[2])
{
	char data[SESSION_DATA];
	struct log_record rec;
	uint64_t offset = 0, lines = 0;

	while (fd >= 0 && read_record(fd, offset, &rec, data) > 0) {
		offset += sizeof(rec) + rec.len;
		if (!in_time(filter, &rec))
			continue;
		for (const char *p = data; (p = memchr(p, '\n', rec.len - (size_t)(p - data))); p++)
			lines++;
		open[rec.stream - 1] = data[rec.len - 1] != '\n';
	}
	return lines;
}

uint64_t log_count_lines(const struct log_filter *filter, int older, int newer)
{
	bool open[2] = { false, false };
	uint64_t lines = count_ends(filter, older, open);

	lines += count_ends(filter, newer, open);
	return lines + open[0] + open[1];
}

void log_printer_done(struct log_printer *p)
{
	strbuf_done(&p->out[0]);
	strbuf_done(&p->out[1]);
}
