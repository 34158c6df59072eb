/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/unit/spec/unit.h"
#include <errno.h>
#include <stdlib.h>
#include "lib/base/str.h"

json *parse_text(const char *text)
{
	auto_free char *copy = str_dup(text);
	struct error err = { 0 };
	json *j;

	for (char *p = copy; *p; p++)
		*p = *p == '\'' ? '"' : *p;
	j = json_parse(copy, strlen(copy), &err);
	if (!j)
		fail_msg("%s: %s", text, err.text);
	return j;
}

struct spec decode_text(const char *text)
{
	auto_json json *j = parse_text(text);
	struct error err = { 0 };
	struct spec s;

	if (spec_decode(j, &s, &err) < 0)
		fail_msg("%s: %s", text, err.text);
	return s;
}

void decode_fails(const char *text, struct error *ret)
{
	auto_json json *j = parse_text(text);
	struct spec s, before;

	memset(&s, 0x5a, sizeof(s));
	memcpy(&before, &s, sizeof(s));
	*ret = (struct error){ 0 };
	if (spec_decode(j, &s, ret) == 0)
		fail_msg("taken: %s", text);
	assert_memory_equal(&s, &before, sizeof(s));
	assert_int_equal(ret->code, -EINVAL);
	assert_int_equal(ret->kind, ERR_USAGE);
	assert_int_equal(spec_decode(j, &s, NULL), -EINVAL);
}

static void same_text(const char *what, const char *a, const char *b)
{
	if (!str_eq(a, b))
		fail_msg("%s: \"%s\" and \"%s\"", what, a ? a : "(null)", b ? b : "(null)");
}

static void same_list(const char *what, const struct strv *a, const struct strv *b)
{
	if (a->n != b->n)
		fail_msg("%s: %zu and %zu", what, a->n, b->n);
	for (size_t i = 0; i < a->n; i++)
		same_text(what, a->v[i], b->v[i]);
}

static void same_texts(const struct spec *a, const struct spec *b)
{
	same_text("name", a->name, b->name);
	same_text("image", a->image, b->image);
	same_list("command", &a->command, &b->command);
	same_list("env", &a->env, &b->env);
	same_text("workdir", a->workdir, b->workdir);
	same_text("user", a->user, b->user);
	same_text("hostname", a->hostname, b->hostname);
	same_list("dns", &a->dns, &b->dns);
	same_text("seccomp", a->seccomp, b->seccomp);
	same_list("devices", &a->devices, &b->devices);
	same_text("stop_signal", a->stop_signal, b->stop_signal);
}

static void same_arrays(const struct spec *a, const struct spec *b)
{
	assert_int_equal(a->mounts.n, b->mounts.n);
	for (size_t i = 0; i < a->mounts.n; i++) {
		const struct spec_mount *x = &a->mounts.v[i], *y = &b->mounts.v[i];

		same_text("mount", x->type, y->type);
		same_text("mount", x->source, y->source);
		same_text("mount", x->target, y->target);
		assert_int_equal(x->readonly, y->readonly);
		assert_int_equal(x->idmap, y->idmap);
		assert_int_equal(x->size, y->size);
		assert_int_equal(x->mode, y->mode);
	}
	assert_int_equal(a->ports.n, b->ports.n);
	for (size_t i = 0; i < a->ports.n; i++) {
		const struct net_port *x = &a->ports.v[i], *y = &b->ports.v[i];

		assert_int_equal(x->proto, y->proto);
		assert_int_equal(x->host_addr.s_addr, y->host_addr.s_addr);
		assert_int_equal(x->host_port, y->host_port);
		assert_int_equal(x->port, y->port);
	}
	assert_int_equal(a->rlimits.n, b->rlimits.n);
	for (size_t i = 0; i < a->rlimits.n; i++) {
		assert_int_equal(a->rlimits.v[i].resource, b->rlimits.v[i].resource);
		assert_int_equal(a->rlimits.v[i].soft, b->rlimits.v[i].soft);
		assert_int_equal(a->rlimits.v[i].hard, b->rlimits.v[i].hard);
	}
	assert_int_equal(a->sysctls.n, b->sysctls.n);
	for (size_t i = 0; i < a->sysctls.n; i++) {
		same_text("sysctl", a->sysctls.v[i].name, b->sysctls.v[i].name);
		same_text("sysctl", a->sysctls.v[i].value, b->sysctls.v[i].value);
	}
	assert_int_equal(a->labels.n, b->labels.n);
	for (size_t i = 0; i < a->labels.n; i++) {
		same_text("label", a->labels.v[i].key, b->labels.v[i].key);
		same_text("label", a->labels.v[i].value, b->labels.v[i].value);
	}
}

void assert_spec_equal(const struct spec *a, const struct spec *b)
{
	same_texts(a, b);
	same_arrays(a, b);
	assert_int_equal(a->given, b->given);
	assert_int_equal(a->tty, b->tty);
	assert_int_equal(a->open_stdin, b->open_stdin);
	assert_int_equal(a->image_init, b->image_init);
	assert_int_equal(a->no_init, b->no_init);
	assert_int_equal(a->remove, b->remove);
	assert_int_equal(a->readonly, b->readonly);
	assert_int_equal(a->no_new_privs, b->no_new_privs);
	assert_int_equal(a->time_ns, b->time_ns);
	assert_int_equal(a->cpus_milli, b->cpus_milli);
	assert_int_equal(a->memory, b->memory);
	assert_int_equal(a->swap, b->swap);
	assert_int_equal(a->pids, b->pids);
	assert_int_equal(a->net, b->net);
	assert_int_equal(a->cap_add, b->cap_add);
	assert_int_equal(a->cap_drop, b->cap_drop);
	assert_int_equal(a->oom_score_adj, b->oom_score_adj);
	assert_int_equal(a->stop_timeout_ms, b->stop_timeout_ms);
	assert_int_equal(a->log_max, b->log_max);
}
