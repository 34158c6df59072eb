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
#define REPLAY_US 2000 /* of one turn of the loop */

struct follower {
	struct follower *next;
	struct event_log *log;
	struct rpc_call *call;
	struct strv names;
	struct arena arena;
	bool follow; /* beyond what there is */
	uint64_t seq, time_ns; /* wants those later than these */
	json *held;
};
struct event_log {
	int dir, fd;
	uint64_t seq; /* last used */
	size_t unreadable; /* lines that were there when we came */
	off_t size;
	struct loop *loop;
	struct follower *followers; /* hear of each as it happens */
	struct {
		struct follower *first; /* whose turn it is; then those who wait */
		struct strbuf text; /* for the first: both files, and what happens meanwhile */
		size_t at;
		bool loaded, scheduled;
	} replay;
};

static uint64_t line_seq(const json *j)
{
	uint64_t seq = 0;

	return json_get_u64(j, "sequence", &seq, NULL) < 0 ? 0 : seq;
}

typedef bool (*line_fn)(void *arg, json *j);

/* Returns how many lines are no events: torn or garbled ones are passed over. */
static size_t each_line(int dir, const char *name, line_fn fn, void *arg)
{
	auto_free char *text = NULL;
	char *save = NULL;
	size_t bad = 0;
	long n = file_read_at(dir, name, 2 * FILE_MAX, &text, NULL);

	if (n < 0)
		return n != -ENOENT;
	for (long i = 0; i < n; i++)
		if (!text[i])
			text[i] = ' ';
	for (char *l = strtok_r(text, "\n", &save); l; l = strtok_r(NULL, "\n", &save)) {
		auto_json json *j = json_parse(l, strlen(l), NULL);

		if (!j || !line_seq(j))
			bad++;
		else if (!fn(arg, j))
			break;
	}
	return bad;
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

/* Half a line would spoil the one that is written behind it. */
static int end_last_line(struct event_log *e)
{
	auto_fd int fd = openat(e->dir, FILE_NAME, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	char last = '\n';

	if (fd < 0 || (e->size && pread(fd, &last, 1, e->size - 1) != 1))
		return -errno;
	if (last == '\n')
		return 0;
	e->size++;
	return fd_write_all(e->fd, "\n", 1);
}

struct event_log *events_open(struct loop *l, const struct instance *in, struct error *err)
{
	struct event_log *e = mem_alloc(sizeof(*e));
	int r = 0;

	e->loop = l;
	e->fd = -1;
	e->dir = open(in->run, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (e->dir < 0 || (r = open_file(e)) < 0) {
		err_sys(err, r < 0 ? r : -errno, "open %s/" FILE_NAME, in->run);
		events_close(e);
		return NULL;
	}
	if ((r = end_last_line(e)) < 0)
		log_warn("events: %s", strerror(-r));
	e->unreadable = each_line(e->dir, OLD_NAME, note_seq, &e->seq);
	e->unreadable += each_line(e->dir, FILE_NAME, note_seq, &e->seq);
	return e;
}

size_t events_unreadable(const struct event_log *e)
{
	return e->unreadable;
}

static void unlink_from(struct follower **pp, const struct follower *f)
{
	while (*pp && *pp != f)
		pp = &(*pp)->next;
	if (*pp)
		*pp = f->next;
}

static void follower_free(struct follower *f)
{
	json_unref(f->held);
	arena_done(&f->arena);
	free(f);
}

void events_close(struct event_log *e)
{
	if (!e)
		return;
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

	if (e->replay.loaded)
		strbuf_add_n(&e->replay.text, line, n);
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

static bool replay_line(struct follower *f, json *j)
{
	const char *t = NULL;
	uint64_t ns = 0;

	if (line_seq(j) <= f->seq || !wanted(f, j))
		return false;
	return !f->time_ns ||
	       (json_get_str(j, "time", &t, NULL) >= 0 && time_parse(t, 0, &ns) >= 0 && ns >= f->time_ns);
}

/* The last match is not sent before the next, so that the final reply can be it. */
static void replay_send(struct follower *f, json *j)
{
	if (f->held)
		rpc_reply_more(f->call, f->held);
	f->held = json_ref(j);
}

static void replay_load(struct event_log *e)
{
	static const char *const names[] = { OLD_NAME, FILE_NAME };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		auto_free char *text = NULL;

		if (file_read_at(e->dir, names[i], 2 * FILE_MAX, &text, NULL) > 0)
			strbuf_add(&e->replay.text, text);
	}
	e->replay.loaded = true;
}

static void replay_done(struct event_log *e)
{
	strbuf_done(&e->replay.text);
	e->replay.loaded = false;
	e->replay.at = 0;
}

static void replay_finish(struct event_log *e)
{
	struct follower *f = e->replay.first;

	replay_done(e);
	unlink_from(&e->replay.first, f);
	if (!f->follow) {
		rpc_reply(f->call, f->held ? ptr_steal(&f->held) : json_new_obj());
		follower_free(f);
		return;
	}
	if (f->held)
		rpc_reply_more(f->call, ptr_steal(&f->held));
	f->next = e->followers;
	e->followers = f;
}

static void replay_schedule(struct event_log *e);

/* One after another, and each a little at a time: all that is asked for may take seconds. */
static void replay_step(void *arg)
{
	struct event_log *e = arg;
	uint64_t end = time_mono_us() + REPLAY_US;

	e->replay.scheduled = false;
	if (!e->replay.first)
		return;
	if (!e->replay.loaded)
		replay_load(e);
	while (e->replay.at < e->replay.text.len && time_mono_us() < end) {
		const char *line = strbuf_cstr(&e->replay.text) + e->replay.at;
		size_t n = strcspn(line, "\n");
		auto_json json *j = json_parse(line, n, NULL); /* a torn line is passed over */

		if (j && replay_line(e->replay.first, j))
			replay_send(e->replay.first, j);
		e->replay.at += n + 1;
	}
	if (e->replay.at >= e->replay.text.len)
		replay_finish(e);
	replay_schedule(e);
}

static void replay_schedule(struct event_log *e)
{
	if (e->replay.scheduled || !e->replay.first)
		return;
	e->replay.scheduled = true;
	loop_defer(e->loop, replay_step, e);
}

static void on_gone(struct rpc_call *c, void *arg)
{
	struct follower *f = arg;
	struct event_log *e = f->log;

	(void)c;
	if (e->replay.first == f)
		replay_done(e);
	unlink_from(&e->replay.first, f);
	unlink_from(&e->followers, f);
	follower_free(f);
}

static int parse_since(const char *since, struct follower *f, struct error *err)
{
	if (!since || parse_u64(since, &f->seq) == 0 || time_parse(since, time_real_ns(), &f->time_ns) == 0)
		return 0;
	return err_set_kind(err, -EINVAL, ERR_USAGE, "since: expected a sequence number, a time or a duration");
}

void api_events(struct rpc_call *c, void *arg)
{
	struct daemon *d = arg;
	struct event_log *e = d->events;
	struct follower *f = mem_alloc(sizeof(*f)), **end = &e->replay.first;
	const char *since = NULL;
	struct error err = { 0 };
	int r;

	f->log = e;
	f->call = c;
	r = json_get_bool(rpc_params(c), "follow", &f->follow, &err);
	if (r >= 0)
		r = api_names(rpc_params(c), "names", &f->arena, &f->names, &err);
	if (r >= 0)
		r = json_get_str(rpc_params(c), "since", &since, &err);
	if (r >= 0)
		r = parse_since(since, f, &err);
	if (r >= 0 && !rpc_wants_more(c))
		r = err_set_kind(&err, -EINVAL, ERR_USAGE, "Events: call it with \"more\"");
	if (r < 0) {
		rpc_fail(c, &err);
		follower_free(f);
		return;
	}
	rpc_on_gone(c, on_gone, f);
	if (f->follow && !since) { /* only what is to come */
		f->next = e->followers;
		e->followers = f;
		return;
	}
	while (*end)
		end = &(*end)->next;
	*end = f;
	replay_schedule(e);
}
