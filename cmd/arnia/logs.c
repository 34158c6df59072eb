/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <string.h>
#include "cmd/arnia/logfile.h"
#include "lib/base/fd.h"
#include "lib/base/parse.h"
#include "lib/base/time.h"

void log_files_done(struct log_files *f)
{
	fd_close(&f->old);
	fd_close(&f->now);
}

int logs_open(struct cli *c, const char *name, struct log_files *ret, struct error *err)
{
	auto_json json *reply = NULL;
	const json *present = NULL;
	const char *state = NULL;
	int r = cli_call(c, "io.arnia.Logs", name_params(name), &reply, err);

	if (r < 0)
		return r;
	if (json_get_arr(reply, "present", &present, err) < 0 ||
	    json_get_str(reply, "state", &state, err) < 0)
		return -EPROTO;
	*ret = LOG_FILES_NONE;
	/* Oldest first; one may be missing. */
	for (size_t i = 0; i < json_len(present); i++) {
		int fd = rpc_client_take_fd(c->client, i);

		if (str_eq(json_str(json_at(present, i)), "log.1") && ret->old < 0)
			ret->old = fd;
		else if (ret->now < 0)
			ret->now = fd;
		else
			fd_close(&fd);
	}
	ret->stopped = state && word_in("stopped failed suspended", state, strlen(state));
	return 0;
}

static int time_option(const struct cli *c, enum opt_id id, const char *shown, uint64_t *ret,
		       struct error *err)
{
	const char *text = opt_text(&c->line, id);

	if (text && time_parse(text, time_real_ns(), ret) < 0)
		return err_set_kind(err, -EINVAL, ERR_USAGE,
				    "%s: \"%.100s\" is not a time (10m, @SECONDS, 2026-01-31T12:00:00Z)",
				    shown, text);
	return 0;
}

static int read_filter(const struct cli *c, struct log_filter *f, uint64_t *ret_tail, struct error *err)
{
	const char *tail = opt_text(&c->line, O_TAIL);

	f->timestamps = opt_flag(&c->line, O_TIMESTAMPS, false);
	*ret_tail = UINT64_MAX;
	if (tail && !str_eq(tail, "all") && parse_u64(tail, ret_tail) < 0)
		return err_set_kind(err, -EINVAL, ERR_USAGE, "--tail: \"%.100s\" is not a number of lines",
				    tail);
	if (time_option(c, O_SINCE, "--since", &f->since_ns, err) < 0)
		return err->code;
	return time_option(c, O_UNTIL, "--until", &f->until_ns, err);
}

static int show(struct cli *c, const char *name, struct log_printer *p, uint64_t tail, struct error *err)
{
	cleanup(log_files_done) struct log_files files = LOG_FILES_NONE;
	uint64_t offset = 0, old_offset = 0, lines;
	bool follow = opt_flag(&c->line, O_FOLLOW, false);
	int r = logs_open(c, name, &files, err);

	if (r < 0)
		return r;
	if (tail != UINT64_MAX) {
		lines = log_count_lines(&p->filter, files.old, files.now);
		p->filter.skip_lines = lines > tail ? lines - tail : 0;
	}
	if (files.old >= 0)
		r = log_print(p, files.old, &old_offset, err);
	/* What came after a damaged file is still good. */
	if (r == -EBADMSG)
		cli_note(c, name, "log.1: %s", err->text);
	if (r != -EPIPE && files.now >= 0)
		r = log_print(p, files.now, &offset, err);
	if (r == 0 && follow && !files.stopped)
		return logs_follow(c, name, p, fd_steal(&files.now), offset, err);
	return r;
}

int cmd_logs(struct cli *c)
{
	const char *name = c->line.args.v[0];
	struct log_printer p = { .c = c };
	uint64_t tail = 0;
	struct error err;
	int r = name_check(name, false, &err);

	if (r == 0)
		r = read_filter(c, &p.filter, &tail, &err);
	if (r == 0)
		r = show(c, name, &p, tail, &err);
	if (p.dropped)
		cli_note(c, name, "%llu bytes of output were lost before they could be kept",
			 (unsigned long long)p.dropped);
	log_printer_done(&p);
	return r < 0 ? cli_fail(c, name, &err) : 0;
}
