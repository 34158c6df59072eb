/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The event log: JSON lines in run/events.jsonl and one older file, numbered without gaps over restarts; followers get each line as it is written. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "cmd/arniad/daemon.h"
#include "lib/base/fd.h"
#include "lib/base/file.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/base/parse.h"
#include "lib/base/str.h"
#include "lib/base/time.h"

#define FILE_NAME "events.jsonl"
#define OLD_NAME "events.jsonl.1"
#define FILE_MAX (1u << 20) /* bytes, then it becomes the older file */

struct follower {
	struct follower *next;
	struct event_log *log;
	struct rpc_call *call;
	struct strv names;
	struct arena arena;
};
struct event_log {
	int dir, fd;
	uint64_t seq; /* last used */
	off_t size;
	struct follower *followers;
};

static uint64_t line_seq(const json *j)
{
	uint64_t seq = 0;

	return json_get_u64(j, "sequence", &seq, NULL) < 0 ? 0 : seq;
}

typedef bool (*line_fn)(void *arg, json *j);

static void each_line(int dir, const char *name, line_fn fn, void *arg)
{
	auto_free char *text = NULL;
	char *save = NULL;

	if (file_read_at(dir, name, 2 * FILE_MAX, &text, NULL) < 0)
		return;
	for (char *l = strtok_r(text, "\n", &save); l; l = strtok_r(NULL, "\n", &save)) {
		auto_json json *j = json_parse(l, strlen(l), NULL); /* a torn last line is passed over */

		if (j && !fn(arg, j))
			return;
	}
}

static bool note_seq(void *arg, json *j)
{
	uint64_t *seq = arg;

	*seq = MAX(*seq, line_seq(j));
	return true;
}

static int open_file(struct event_log *e)
{
	struct stat st;

	e->fd = openat(e->dir, FILE_NAME, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (e->fd < 0 || fstat(e->fd, &st))
		return -errno;
	e->size = st.st_size;
	return 0;
}

struct event_log *events_open(const struct instance *in, struct error *err)
{
	struct event_log *e = mem_alloc(sizeof(*e));
	int r = 0;

	e->fd = -1;
	e->dir = open(in->run, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (e->dir < 0 || (r = open_file(e)) < 0) {
		err_sys(err, r < 0 ? r : -errno, "open %s/" FILE_NAME, in->run);
		events_close(e);
		return NULL;
	}
	each_line(e->dir, OLD_NAME, note_seq, &e->seq);
	each_line(e->dir, FILE_NAME, note_seq, &e->seq);
	return e;
}

static void follower_free(struct follower *f)
{
	struct follower **pp = &f->log->followers;

	while (*pp && *pp != f)
		pp = &(*pp)->next;
	if (*pp)
		*pp = f->next;
	arena_done(&f->arena);
	free(f);
}

void events_close(struct event_log *e)
{
	if (!e)
		return;
	while (e->followers)
		follower_free(e->followers);
	fd_close(&e->fd);
	fd_close(&e->dir);
	free(e);
}

static bool wanted(const struct follower *f, const json *j)
{
	const char *name = NULL, *id = NULL;

	if (!f->names.n)
		return true;
	if (json_get_str(j, "name", &name, NULL) < 0 || json_get_str(j, "id", &id, NULL) < 0)
		return false;
	for (size_t i = 0; i < f->names.n; i++) {
		if ((name && str_glob(f->names.v[i], name)) || (id && str_glob(f->names.v[i], id)))
			return true;
	}
	return false;
}

static void rotate(struct event_log *e)
{
	(void)renameat(e->dir, FILE_NAME, e->dir, OLD_NAME);
	fd_close(&e->fd);
	if (open_file(e) < 0)
		log_error("events: cannot begin a new file");
}

static void append(struct event_log *e, const json *j)
{
	auto_free char *text = json_text(j, false);
	auto_free char *line = str_fmt("%s\n", text);
	size_t n = strlen(line);

	if (e->size + (off_t)n > (off_t)FILE_MAX)
		rotate(e);
	if (fd_write_all(e->fd, line, n) == 0) {
		e->size += (off_t)n;
		return;
	}
	log_error("events: cannot write");
	/* half a line would spoil the next one */
	if (ftruncate(e->fd, e->size) < 0)
		rotate(e);
}

void event_emit(struct daemon *d, const char *type, const struct machine *m, const struct rpc_call *by, json *data)
{
	struct event_log *e = d->events;
	auto_json json *j = json_new_obj();
	char now[40];

	json_add_u64(j, "sequence", ++e->seq);
	json_add_str(j, "time", time_rfc3339(time_real_ns(), now));
	json_add_str(j, "type", type);
	if (m) {
		json_add_str(j, "id", m->config.id);
		json_add_str(j, "name", MACHINE_NAME(m));
	}
	if (by)
		json_add_u64(j, "uid", rpc_peer(by)->uid);
	json_add(j, "data", data ? data : json_new_obj());
	append(e, j);
	for (struct follower *f = e->followers, *next; f; f = next) {
		next = f->next;
		if (wanted(f, j))
			rpc_reply_more(f->call, json_ref(j));
	}
}

struct replay {
	struct follower *f;
	uint64_t seq, time_ns; /* later than these */
	json *held; /* the last match is not sent before the next, so that the final reply can be it */
	bool follow;
};

static bool replay_line(void *arg, json *j)
{
	struct replay *r = arg;
	const char *t = NULL;
	uint64_t ns = 0;

	if (line_seq(j) <= r->seq || !wanted(r->f, j))
		return true;
	if (r->time_ns && (json_get_str(j, "time", &t, NULL) < 0 || time_parse(t, 0, &ns) < 0 || ns < r->time_ns))
		return true;
	if (r->held)
		rpc_reply_more(r->f->call, r->held);
	r->held = json_ref(j);
	return true;
}

static void on_gone(struct rpc_call *c, void *arg)
{
	(void)c;
	follower_free(arg);
}

static int parse_since(const json *p, struct replay *r, struct error *err)
{
	const char *since = NULL;

	if (json_get_str(p, "since", &since, err) < 0)
		return -EINVAL;
	if (!since) {
		r->seq = r->follow ? UINT64_MAX : 0;
		return 0;
	}
	if (parse_u64(since, &r->seq) == 0)
		return 0;
	if (time_parse(since, time_real_ns(), &r->time_ns) == 0)
		return 0;
	return err_set_kind(err, -EINVAL, ERR_USAGE, "since: expected a sequence number, a time or a duration");
}

void api_events(struct rpc_call *c, void *arg)
{
	struct daemon *d = arg;
	struct follower *f = mem_alloc(sizeof(*f));
	struct replay r = { .f = f };
	struct error err = { 0 };

	f->log = d->events;
	f->call = c;
	if (json_get_bool(rpc_params(c), "follow", &r.follow, &err) < 0 ||
	    api_names(rpc_params(c), "names", &f->arena, &f->names, &err) < 0 ||
	    parse_since(rpc_params(c), &r, &err) < 0) {
		rpc_fail(c, &err);
		follower_free(f);
		return;
	}
	if (!rpc_wants_more(c)) {
		err_set_kind(&err, -EINVAL, ERR_USAGE, "Events: call it with \"more\"");
		rpc_fail(c, &err);
		follower_free(f);
		return;
	}
	each_line(d->events->dir, OLD_NAME, replay_line, &r);
	each_line(d->events->dir, FILE_NAME, replay_line, &r);
	if (!r.follow) {
		rpc_reply(c, r.held ? r.held : json_new_obj());
		follower_free(f);
		return;
	}
	if (r.held)
		rpc_reply_more(c, r.held);
	f->next = d->events->followers;
	d->events->followers = f;
	rpc_on_gone(c, on_gone, f);
}
