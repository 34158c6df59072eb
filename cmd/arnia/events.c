/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include "cmd/arnia/cli.h"
#include "lib/base/time.h"

static void add_member(struct strbuf *b, const json *event, const char *name)
{
	const json *v = row_member(event, name);

	if (!v)
		return;
	if (b->len)
		strbuf_addc(b, ' ');
	out_value(b, v);
}

/* To the millisecond: "2026-01-31T12:00:00.123Z". */
static void add_time(struct strbuf *b, const json *event)
{
	const char *s = json_str(row_member(event, "time"));
	size_t n = s ? strlen(s) : 0;

	if (n <= 24 || s[19] != '.') {
		add_member(b, event, "time");
		return;
	}
	strbuf_add_escaped(b, s, 23);
	strbuf_addc(b, 'Z');
}

/* "TIME TYPE NAME ID key=value..." */
static void add_line(struct strbuf *b, const json *event)
{
	static const char *const members[] = { "type", "name", "id" };
	struct json_iter it = json_iter(row_member(event, "data"));

	add_time(b, event);
	for (size_t i = 0; i < ARRAY_SIZE(members); i++)
		add_member(b, event, members[i]);
	while (json_next(&it)) {
		if (str_eq(it.key, "time")) /* of an exit: as good as the event's */
			continue;
		strbuf_addc(b, ' ');
		strbuf_add_escaped(b, it.key, strlen(it.key));
		strbuf_addc(b, '=');
		out_value(b, it.value);
	}
}

static bool print_event(struct cli *c, const json *event)
{
	struct strbuf b = { 0 };
	bool ok;

	if (out_is_json(c))
		out_json_text(&b, event, false);
	else
		add_line(&b, event);
	strbuf_addc(&b, '\n');
	ok = cli_write(c, b.s, b.len);
	strbuf_done(&b);
	return ok;
}

static int check_names(const struct cli *c, struct error *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < c->line.args.n; i++)
		r = name_check(c->line.args.v[i], true, err);
	return r;
}

struct stream {
	const char *since; /* NULL = only what is to come */
	bool follow;
	char last[32]; /* the number of the last one, or when we came */
};

static int ask(struct cli *c, const struct stream *s, struct error *err)
{
	json *p = json_new_obj(), *names = json_new_arr();

	for (size_t i = 0; i < c->line.args.n; i++)
		json_push(names, json_new_str(c->line.args.v[i]));
	if (json_len(names))
		json_add(p, "names", json_ref(names));
	json_unref(names);
	json_add_str(p, "since", s->since);
	json_add_bool(p, "follow", s->follow);
	return rpc_client_send(c->client, "io.arnia.Events", p, true, NULL, 0, err);
}

/* The next daemon knows all that the last one wrote. */
static int ask_again(struct cli *c, struct stream *s, struct error *err)
{
	int r;

	rpc_client_free(c->client);
	c->client = NULL;
	r = cli_reconnect(c, &c->client, err);
	s->since = s->last;
	return r < 0 ? r : ask(c, s, err);
}

static void note_last(struct stream *s, const json *event)
{
	uint64_t seq;

	if (json_get_u64(event, "sequence", &seq, NULL) > 0)
		snprintf(s->last, sizeof(s->last), "%" PRIu64, seq);
}

int cmd_events(struct cli *c)
{
	struct stream s = { .since = opt_text(&c->line, O_SINCE) };
	struct error err;
	bool more = true;
	int r = check_names(c, &err);

	/* Who asks for the past gets that; new ones need to be asked for then. */
	s.follow = opt_flag(&c->line, O_FOLLOW, !s.since);
	time_rfc3339(time_real_ns(), s.last);
	if (r == 0)
		r = cli_client(c, &err);
	if (r == 0)
		r = ask(c, &s, &err);
	while (r == 0 && more) {
		auto_json json *event = NULL;

		r = cli_next(c, &event, &more, &err);
		/* The last answer closes the stream and need not be an event. */
		if (r == 0 && row_member(event, "type") && !print_event(c, event))
			return ERR_FAILED;
		if (r == 0)
			note_last(&s, event);
		else if (r == -ECONNRESET && s.follow)
			r = ask_again(c, &s, &err);
	}
	return r < 0 ? cli_fail(c, NULL, &err) : 0;
}
