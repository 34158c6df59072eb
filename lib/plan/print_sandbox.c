/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <linux/sched.h>
#include <sys/resource.h>
#include "lib/base/rlimits.h"
#include "lib/plan/print.h"
#include "lib/spec/names.h"

#define SECCOMP_INSN_SIZE 8 /* struct sock_filter */

static const struct print_flag namespaces[] = {
	{ CLONE_NEWUSER, "user" },     { CLONE_NEWNS, "mount" },  { CLONE_NEWPID, "pid" },
	{ CLONE_NEWNET, "net" },       { CLONE_NEWUTS, "uts" },	  { CLONE_NEWIPC, "ipc" },
	{ CLONE_NEWCGROUP, "cgroup" }, { CLONE_NEWTIME, "time" },
};

static void print_caps(struct strbuf *out, const char *key, uint64_t bits)
{
	strbuf_addf(out, "caps %s ", key);
	if (!bits)
		strbuf_addc(out, '-');
	for (unsigned i = 0, n = 0; i < 64; i++) {
		if (!(bits & UINT64_C(1) << i))
			continue;
		strbuf_add(out, n++ ? "," : "");
		if (spec_cap_name(i))
			strbuf_add(out, spec_cap_name(i));
		else
			strbuf_addf(out, "%u", i);
	}
	strbuf_addc(out, '\n');
}

static void print_rlim(struct strbuf *out, uint64_t v)
{
	if (v == RLIM_INFINITY)
		strbuf_add(out, " unlimited");
	else
		strbuf_addf(out, " %llu", (unsigned long long)v);
}

static void print_limits(const struct sandbox_config *s, struct strbuf *out)
{
	for (size_t i = 0; i < s->rlimits.n; i++) {
		const struct sandbox_rlimit *r = &s->rlimits.v[i];
		const char *name = rlimit_name(r->resource);

		if (name)
			strbuf_addf(out, "rlimit %s", name);
		else
			strbuf_addf(out, "rlimit %u", r->resource);
		print_rlim(out, r->soft);
		print_rlim(out, r->hard);
		strbuf_add(out, r->best_effort ? " best-effort\n" : "\n");
	}
	if (s->oom_score_adj != INT32_MIN)
		strbuf_addf(out, "oom-score-adj %d\n", s->oom_score_adj);
}

static void print_maps(const struct sandbox_config *s, struct strbuf *out)
{
	for (size_t i = 0; i < s->uid_maps.n; i++)
		strbuf_addf(out, "uid-map %u %u %u\n", s->uid_maps.v[i].inside, s->uid_maps.v[i].outside,
			    s->uid_maps.v[i].count);
	for (size_t i = 0; i < s->gid_maps.n; i++)
		strbuf_addf(out, "gid-map %u %u %u\n", s->gid_maps.v[i].inside, s->gid_maps.v[i].outside,
			    s->gid_maps.v[i].count);
}

static void print_rights(const struct sandbox_config *s, struct strbuf *out)
{
	print_caps(out, "bounding", s->cap_bounding);
	print_caps(out, "permitted", s->cap_permitted);
	print_caps(out, "effective", s->cap_effective);
	print_caps(out, "inheritable", s->cap_inheritable);
	print_caps(out, "ambient", s->cap_ambient);
	print_fact(out, "no-new-privs", s->no_new_privs ? "yes" : "no");
	if (s->seccomp_size)
		strbuf_addf(out, "seccomp %zu instructions\n", s->seccomp_size / SECCOMP_INSN_SIZE);
	else
		print_fact(out, "seccomp", "unconfined");
	print_fact(out, "keyring", s->new_keyring ? "new" : "inherited");
}

void plan_print_sandbox(const struct plan *p, struct strbuf *out)
{
	const struct sandbox_config *s = &p->sandbox;

	if (!s->namespaces)
		return;
	strbuf_add(out, "namespaces ");
	print_flags(out, s->namespaces, namespaces, ARRAY_SIZE(namespaces));
	strbuf_addc(out, '\n');
	if (s->time_boot_ns || s->time_mono_ns)
		print_fact(out, "clocks", "shifted");
	print_maps(s, out);
	print_fact(out, "hostname", s->hostname);
	for (size_t i = 0; i < s->sysctls.n; i++) {
		strbuf_add(out, "sysctl ");
		print_text(out, s->sysctls.v[i].name);
		strbuf_addc(out, ' ');
		print_text(out, s->sysctls.v[i].value);
		strbuf_addc(out, '\n');
	}
	if (!p->process.argv.n)
		return;
	print_rights(s, out);
	print_limits(s, out);
}

void plan_print_process(const struct plan *p, struct strbuf *out)
{
	static const char *const stdio[] = {
		[PLAN_STDIO_NULL] = "null",
		[PLAN_STDIO_LOG] = "log",
		[PLAN_STDIO_TTY] = "tty",
		[PLAN_STDIO_FDS] = "fds",
	};
	const struct process_config *c = &p->process;

	if (!c->argv.n)
		return;
	print_list(out, "arg", &c->argv);
	print_list(out, "env", &c->env);
	print_fact(out, "cwd", c->cwd);
	print_fact(out, "user", c->user);
	print_list(out, "group", &c->groups);
	strbuf_addf(out, "umask %04o\n", c->umask);
	print_fact(out, "init", c->init ? "arnia-init" : "none");
	print_fact(out, "stdio", p->stdio < ARRAY_SIZE(stdio) ? stdio[p->stdio] : "unknown");
	if (c->tty && c->rows && c->cols)
		strbuf_addf(out, "size %u rows %u columns\n", c->rows, c->cols);
	if (p->open_stdin)
		print_fact(out, "stdin", "open");
	strbuf_addf(out, "log-max %llu\n", (unsigned long long)p->log_max);
}
