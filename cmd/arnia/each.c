/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include "cmd/arnia/cli.h"
#include "lib/base/time.h"

#define JOBS_MAX 64
#define AGAIN_MAX 100

struct job {
	const char *name;
	json *reply;
	struct error err;
	int code; /* negative errno of the request */
	int asked_again;
	bool done;
};
/* One connection and what it is busy with: the daemon answers one request of a connection at a time. */
struct slot {
	struct rpc_client *client;
	struct job *job;
	uint64_t until; /* 0 = no end */
};
struct batch {
	struct cli *c;
	const struct each *each;
	struct job *jobs;
	size_t n_jobs, next, printed;
	struct slot slots[JOBS_MAX];
	size_t n_slots;
	json *results; /* -f json */
	int worst;
};

static bool state_is_wanted(const struct batch *b, const json *machine)
{
	const char *state = NULL;

	return json_get_str(machine, "state", &state, NULL) > 0 &&
	       word_in(b->each->wanted, state, strlen(state));
}

/* --idempotent: the refusal means that nothing was left to do. The request's own connection may be busy
 * with the next. */
static bool already_so(struct batch *b, const struct job *j)
{
	auto_json json *reply = NULL, *p = json_new_obj();
	const json *machines = NULL;
	struct rpc_client *client = NULL;
	json *names = json_new_arr();
	bool so = false;

	json_push(names, json_new_str(j->name));
	json_add(p, "names", names);
	if (!b->c->idempotent || !b->each->wanted)
		return false;
	if (j->err.kind == ERR_NOT_FOUND)
		return word_in(b->each->wanted, "gone", 4);
	if (j->err.kind != ERR_STATE || cli_connect(b->c, &client, NULL) < 0)
		return false;
	if (rpc_client_call(client, "io.arnia.List", ptr_steal(&p), &reply, NULL) == 0 &&
	    json_get_arr(reply, "machines", &machines, NULL) > 0)
		so = state_is_wanted(b, json_at(machines, 0));
	rpc_client_free(client);
	return so;
}

static void add_result(struct batch *b, const struct job *j, bool ok)
{
	json *row = ok && j->reply ? json_ref(j->reply) : json_new_obj();

	json_add_str(row, "name", j->name);
	json_add_bool(row, "ok", ok);
	if (!ok)
		json_add(row, "error", cli_error_json(b->c, j->name, &j->err));
	json_push(b->results, row);
}

static void print_job(struct batch *b, const struct job *j)
{
	bool ok = j->code == 0 || already_so(b, j);
	int code = 0;

	if (b->results)
		add_result(b, j, ok);
	if (!ok)
		code = cli_fail(b->c, j->name, &j->err);
	else if (j->code == 0 && b->each->done && !b->results)
		code = b->each->done(b->c, j->name, j->reply);
	b->worst = MAX(b->worst, code);
}

/* In the order of the names, as soon as all before are known. */
static void print_ready(struct batch *b)
{
	for (; b->printed < b->n_jobs && b->jobs[b->printed].done; b->printed++)
		print_job(b, &b->jobs[b->printed]);
}

static void finish(struct batch *b, struct slot *s, int code)
{
	struct job *j = s->job;

	j->code = MIN(code, 0);
	j->done = true;
	s->job = NULL;
	/* An answer may still come on it: not for the next request. */
	if (j->err.kind == ERR_TIMEOUT || j->err.kind == ERR_UNREACHABLE) {
		rpc_client_free(s->client);
		s->client = NULL;
	}
	print_ready(b);
}

static int send_request(struct batch *b, const struct slot *s)
{
	auto_json json *p = name_params(s->job->name);

	if (b->each->params)
		b->each->params(b->c, p);
	return rpc_client_send(s->client, b->each->method, ptr_steal(&p), false, NULL, 0, &s->job->err);
}

static int send_job(struct batch *b, struct slot *s)
{
	int r = s->client ? 0 : cli_connect(b->c, &s->client, &s->job->err);

	s->until = b->c->timeout_ms < 0 ? 0 : time_mono_ms() + (uint64_t)b->c->timeout_ms;
	return r < 0 ? r : send_request(b, s);
}

/* A daemon may be restarted, more than once, yet not for ever. */
static int ask_again(struct batch *b, struct slot *s)
{
	int r;

	s->job->asked_again++;
	rpc_client_free(s->client);
	s->client = NULL;
	r = cli_reconnect(b->c, &s->client, &s->job->err);
	return r < 0 ? r : send_request(b, s);
}

static void start_jobs(struct batch *b)
{
	for (size_t i = 0; i < b->n_slots && b->next < b->n_jobs;) {
		struct slot *s = &b->slots[i];
		int r;

		if (s->job) {
			i++;
			continue;
		}
		s->job = &b->jobs[b->next++];
		r = send_job(b, s);
		if (r < 0)
			finish(b, s, r);
	}
}

static void receive(struct batch *b, struct slot *s, int timeout_ms)
{
	struct job *j = s->job;
	int r = rpc_client_next(s->client, &j->reply, NULL, timeout_ms, &j->err);

	if (r == -ETIMEDOUT && j->err.kind == ERR_TIMEOUT)
		err_set_kind(&j->err, r, ERR_TIMEOUT, "no answer within %d ms; the operation goes on",
			     b->c->timeout_ms);
	if (r == -ECONNRESET && b->each->asks && j->asked_again < AGAIN_MAX) {
		r = ask_again(b, s);
		if (r == 0)
			return;
	}
	finish(b, s, r);
}

/* Wait for any of the connections, or the first deadline. */
static void turn(struct batch *b)
{
	struct pollfd p[JOBS_MAX];
	uint64_t now = time_mono_ms(), first = 0;
	struct slot *only = NULL;
	size_t active = 0;

	for (size_t i = 0; i < b->n_slots; i++) {
		struct slot *s = &b->slots[i];

		p[i] = (struct pollfd){ .fd = s->job ? rpc_client_fd(s->client) : -1, .events = POLLIN };
		if (!s->job)
			continue;
		active++;
		only = s;
		if (s->until && (!first || s->until < first))
			first = s->until;
	}
	if (active == 1) {
		receive(b, only, b->c->timeout_ms);
		return;
	}
	poll(p, b->n_slots, !first ? -1 : first > now ? (int)(first - now) : 0);
	now = time_mono_ms();
	for (size_t i = 0; i < b->n_slots; i++) {
		struct slot *s = &b->slots[i];

		if (s->job && (p[i].revents || (s->until && s->until <= now)))
			receive(b, s, p[i].revents ? -1 : 0);
	}
}

static int print_results(struct batch *b)
{
	int r = 0;

	if (!b->results)
		return 0;
	for (size_t i = 0; b->c->format == FORMAT_JSONL && i < json_len(b->results); i++)
		r = MAX(r, out_json(b->c, json_at(b->results, i), false));
	if (b->c->format == FORMAT_JSON)
		return out_object(b->c, "results", ptr_steal(&b->results));
	return r;
}

int each_names(struct cli *c, const struct each *e, const struct strv *names)
{
	struct batch b = { .c = c, .each = e, .n_jobs = names->n };

	b.n_slots = MIN(MIN((size_t)c->jobs, names->n), (size_t)JOBS_MAX);
	b.jobs = arena_alloc_n(&c->arena, names->n, sizeof(*b.jobs));
	for (size_t i = 0; i < names->n; i++)
		b.jobs[i].name = names->v[i];
	if (out_is_json(c))
		b.results = json_new_arr();
	b.slots[0].client = ptr_steal(&c->client);
	start_jobs(&b);
	while (b.printed < b.n_jobs) {
		turn(&b);
		start_jobs(&b);
	}
	b.worst = MAX(b.worst, print_results(&b));
	for (size_t i = 0; i < b.n_slots; i++)
		rpc_client_free(b.slots[i].client);
	for (size_t i = 0; i < b.n_jobs; i++)
		json_unref(b.jobs[i].reply);
	json_unref(b.results);
	return b.worst;
}

int each_run(struct cli *c, const struct each *e)
{
	struct strv names = { 0 };
	struct error err;

	if (names_expand(c, 0, &names, &err) < 0)
		return cli_fail(c, NULL, &err);
	return each_names(c, e, &names);
}
