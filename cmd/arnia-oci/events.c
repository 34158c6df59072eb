/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <unistd.h>
#include "cgroup/cgroup.h"
#include "cmd/arnia-oci/cmd.h"
#include "lib/base/fd.h"
#include "lib/base/json.h"
#include "lib/base/parse.h"
#include "lib/base/str.h"
#include "lib/base/time.h"

#define INTERVAL_MS 5000
#define EVENTS_MAX 4096

static int print_oom(const struct call *c, struct error *err)
{
	auto_json json *j = json_new_obj();

	json_add_str(j, "type", "oom");
	json_add_str(j, "id", c->id);
	return print_json(j, false, err);
}

static int print_stats(const struct call *c, int cg, struct error *err)
{
	struct cg_stat_text texts;
	struct arena a = { 0 };
	auto_json json *j = NULL;
	int code = cg_read_stat_text(cg, &a, &texts);

	if (code < 0)
		err_sys(err, code, "read the statistics of container %.64s", c->id);
	else
		j = oci_stats(c->id, &texts);
	arena_done(&a);
	return code < 0 ? code : print_json(j, false, err);
}

static uint64_t oom_kills(int cg)
{
	struct cg_stat st;

	return cg_read_stat(cg, &st) == 0 && st.oom_kill != CG_UNSET ? st.oom_kill : 0;
}

/* Up to the end of the last process. */
static int watch(const struct call *c, int cg, uint64_t interval, struct error *err)
{
	auto_fd int in = cg_watch(cg, err);
	uint64_t next = time_mono_ms() + interval, seen = oom_kills(cg);
	struct cg_events ev;
	char events[EVENTS_MAX];
	int code = in < 0 ? in : 0;

	while (code == 0 && cg_read_events(cg, &ev) == 0 && ev.populated) {
		uint64_t now = time_mono_ms(), kills;
		struct pollfd pf = { .fd = in, .events = POLLIN };

		if (now >= next) {
			code = print_stats(c, cg, err);
			next = now + interval;
			continue;
		}
		if (poll(&pf, 1, (int)MIN(next - now, (uint64_t)INT_MAX)) > 0)
			(void)!read(in, events, sizeof(events));
		kills = oom_kills(cg);
		if (kills > seen)
			code = print_oom(c, err);
		seen = MAX(seen, kills);
	}
	return code;
}

int cmd_events(struct call *c, struct error *err)
{
	const char *text = opt_get(c, "interval");
	struct record r = RECORD_NONE;
	enum oci_status status = OCI_STOPPED;
	uint64_t interval = INTERVAL_MS;
	auto_fd int cg = -1;
	int code;

	if (text && parse_duration(text, &interval) < 0)
		return err_set_kind(err, -EINVAL, ERR_USAGE,
				    "--interval: \"%.64s\" is not a duration like 5s", text);
	if (!interval)
		return err_set_kind(err, -EINVAL, ERR_USAGE, "duration interval must be greater than 0");
	code = store_load(c->g.root, c->id, false, &r, err);
	if (code == 0)
		code = record_status(&r, &status, NULL, err);
	if (code == 0 && status == OCI_STOPPED)
		code = err_set_kind(err, -ESRCH, ERR_STATE, "container with id %.64s is not running", r.id);
	if (code == 0)
		code = (int)MIN(cg = record_cgroup(&r, err), 0);
	if (code == 0)
		code = opt_has(c, "stats") ? print_stats(c, cg, err)
					   : watch(c, cg, interval, err);
	record_done(&r);
	return code;
}
