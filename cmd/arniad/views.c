/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <arpa/inet.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include "cmd/arniad/daemon.h"
#include "lib/base/fd.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "lib/base/time.h"

static void add_time(json *o, const char *key, uint64_t ns)
{
	char buf[40];

	if (ns)
		json_add_str(o, key, time_rfc3339(ns, buf));
}

void view_add_signal(json *j, int sig)
{
	const char *name = sigabbrev_np(sig);
	char number[16];

	snprintf(number, sizeof(number), "%d", sig);
	json_add_str(j, "signal", name ? name : number);
}

json *view_exit(const struct exit_record *x)
{
	json *j = json_new_obj();

	if (x->code == CLD_EXITED) {
		json_add_i64(j, "code", x->status);
	} else if (x->code == CLD_KILLED || x->code == CLD_DUMPED) {
		view_add_signal(j, x->status);
		json_add_i64(j, "code", 128 + x->status);
	}
	json_add_str(j, "cause", x->cause);
	add_time(j, "time", x->time_ns);
	return j;
}

static json *view_ports(const struct machine *m)
{
	const struct spec *s = &m->config.spec;
	json *a = json_new_arr();

	for (size_t i = 0; i < s->ports.n; i++) {
		const struct net_port *p = &s->ports.v[i];
		json *j = json_new_obj();
		char addr[INET_ADDRSTRLEN];

		json_add_str(j, "protocol", p->proto == IPPROTO_UDP ? "udp" : "tcp");
		json_add_str(j, "hostAddress", inet_ntop(AF_INET, &p->host_addr, addr, sizeof(addr)));
		json_add_u64(j, "hostPort", machine_host_port(m, i));
		json_add_u64(j, "port", p->port);
		json_push(a, j);
	}
	return a;
}

static json *view_labels(const struct spec *s)
{
	json *j = json_new_obj();

	for (size_t i = 0; i < s->labels.n; i++)
		json_add_str(j, s->labels.v[i].key, s->labels.v[i].value);
	return j;
}

json *view_machine(const struct machine *m)
{
	const struct spec *s = &m->config.spec;
	json *j = json_new_obj(), *addrs = json_new_arr();
	char addr[INET_ADDRSTRLEN];

	json_add_str(j, "id", m->config.id);
	json_add_str(j, "name", s->name);
	json_add_str(j, "image", s->image);
	json_add_str(j, "state", phase_name(m->state.phase));
	if (m->state.pid)
		json_add_i64(j, "pid", m->state.pid);
	add_time(j, "created", m->config.created_ns);
	add_time(j, "started", m->state.started_ns);
	if (m->state.exit.known)
		json_add(j, "exit", view_exit(&m->state.exit));
	if (m->lease.addr.s_addr)
		json_push(addrs, json_new_str(inet_ntop(AF_INET, &m->lease.addr, addr, sizeof(addr))));
	json_add(j, "addresses", addrs);
	json_add(j, "ports", view_ports(m));
	json_add_strv(j, "command", &s->command);
	json_add(j, "labels", view_labels(s));
	json_add_bool(j, "remove", s->remove);
	if (m->state.error[0])
		json_add_str(j, "error", m->state.error);
	return j;
}

static void add_known(json *j, const char *key, uint64_t v)
{
	if (v != CG_UNSET)
		json_add_u64(j, key, v);
}

static json *view_usage(int cg)
{
	struct cg_stat st;
	json *j = json_new_obj();

	if (cg_read_stat(cg, &st) < 0)
		return j;
	add_known(j, "cpuUsec", st.cpu_usec);
	add_known(j, "memory", st.mem_bytes);
	add_known(j, "memoryPeak", st.mem_peak);
	add_known(j, "swap", st.swap_bytes);
	add_known(j, "pids", st.pids);
	add_known(j, "pidsPeak", st.pids_peak);
	add_known(j, "oomKills", st.oom_kill);
	add_known(j, "memoryLimitHits", st.mem_max_hit);
	add_known(j, "pidsLimitHits", st.pids_max_hit);
	return j;
}

/* "memory.max 1048576" lines as members. */
static json *view_limits(int cg)
{
	json *j = json_new_obj();
	struct strbuf text = { 0 };
	char *save = NULL;

	cg_print(cg, &text);
	for (char *l = text.len ? strtok_r(text.s, "\n", &save) : NULL; l; l = strtok_r(NULL, "\n", &save)) {
		char *value = strchr(l, ' ');

		if (!value)
			continue;
		*value++ = '\0';
		json_add_str(j, l, value);
	}
	strbuf_done(&text);
	return j;
}

json *view_inspect(struct daemon *d, struct machine *m)
{
	json *j = view_machine(m), *ids = json_new_obj();
	auto_fd int cg = m->state.pid ? machine_cgroup(d, m, NULL) : -1;

	json_add(j, "spec", spec_encode(&m->config.spec));
	if (m->lease.id_base) {
		json_add_u64(ids, "base", m->lease.id_base);
		json_add_u64(ids, "count", LEASE_IDS);
		json_add(j, "ids", ids);
	} else {
		json_unref(ids);
	}
	if (cg >= 0) {
		auto_free char *path = str_fmt("%s/c-%s", d->facts.branch, m->config.id);

		json_add_str(j, "cgroup", path);
		json_add(j, "usage", view_usage(cg));
		json_add(j, "limits", view_limits(cg));
	}
	{
		auto_free char *folder = str_fmt("%s/containers/%s", d->in.state, m->config.id);

		json_add_str(j, "folder", folder);
	}
	return j;
}

char *name_make(struct daemon *d)
{
	static const char *const adjectives[] = { "amber", "bold", "brisk", "calm", "clear", "crisp", "early", "fair",
						  "fleet", "gentle", "golden", "keen", "light", "lively", "lucid", "mellow",
						  "merry", "mild", "noble", "patient", "plain", "proud", "quick", "quiet",
						  "rapid", "sharp", "sober", "steady", "sunny", "swift", "tidy", "warm" };
	static const char *const nouns[] = { "aster", "bee", "birch", "brook", "clover", "comb", "daisy", "drone",
					     "elm", "fern", "forest", "hazel", "heath", "hive", "honey", "iris",
					     "ivy", "lark", "lime", "maple", "meadow", "nectar", "oak", "orchard",
					     "otter", "pine", "queen", "river", "robin", "rose", "thyme", "willow" };
	for (unsigned tries = 0;; tries++) {
		uint8_t r[4];
		char *name;

		if (getrandom(r, sizeof(r), 0) != sizeof(r))
			abort();
		name = tries < 8 ? str_fmt("%s-%s", adjectives[r[0] % ARRAY_SIZE(adjectives)], nouns[r[1] % ARRAY_SIZE(nouns)])
				 : str_fmt("%s-%s-%02x%02x", adjectives[r[0] % ARRAY_SIZE(adjectives)],
					   nouns[r[1] % ARRAY_SIZE(nouns)], r[2], r[3]);
		if (!machine_by_name(d, name))
			return name;
		free(name);
	}
}
