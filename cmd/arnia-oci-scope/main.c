/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * arnia-oci-scope start UNIT SLICE PID [--user] [--property NAME=TYPE:VALUE ...]	prints the unit's cgroup
 * arnia-oci-scope stop UNIT [--user]							a missing unit is stopped
 * arnia-oci-scope set UNIT [--user] --property NAME=TYPE:VALUE ...
 *
 * One line on stderr and 1 when it fails.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "lib/base/parse.h"
#include "lib/base/str.h"
#include "cmd/arnia-oci-scope/scope.h"

static int append_props(sd_bus_message *msg, const struct manager *m, const struct request *r, bool starting, struct error *err)
{
	int code = 0;

	for (size_t i = 0; code >= 0 && i < r->props.n; i++) {
		const struct prop *p = &r->props.v[i];

		if (!prop_is_known(p, m->version, starting))
			continue;
		code = prop_append(msg, p);
		if (code < 0)
			err_set_kind(err, code, ERR_USAGE, "--property %s: \"%.64s\" is not of type %s", p->name,
				     p->value ? p->value : "", p->type);
	}
	return code < 0 ? code : 0;
}

/* What every container's scope is; a property of the caller's with the same name comes later and counts. */
static int append_scope(sd_bus_message *msg, const struct request *r)
{
	auto_free char *text = str_fmt("arnia container %s", r->unit);
	int code = sd_bus_message_append(msg, "(sv)(sv)(sv)(sv)(sv)", "Description", "s", text, "Slice", "s", r->slice, "Delegate", "b", 1,
					 "DefaultDependencies", "b", 0, "CollectMode", "s", "inactive-or-failed");

	if (code >= 0)
		code = sd_bus_message_append(msg, "(sv)(sv)(sv)(sv)", "MemoryAccounting", "b", 1, "CPUAccounting", "b", 1, "IOAccounting",
					     "b", 1, "TasksAccounting", "b", 1);
	return code < 0 ? code : sd_bus_message_append(msg, "(sv)", "PIDs", "au", 1, r->pid);
}

static int start_once(struct manager *m, const struct request *r, struct error *err)
{
	sd_bus_message *msg = NULL;
	int code = manager_method(m, "StartTransientUnit", &msg);

	if (code >= 0)
		code = sd_bus_message_append(msg, "ss", r->unit, "replace");
	if (code >= 0)
		code = sd_bus_message_open_container(msg, 'a', "(sv)");
	if (code >= 0)
		code = append_scope(msg, r);
	if (code < 0)
		err_sys(err, code, "make a message");
	else
		code = append_props(msg, m, r, true, err);
	if (code == 0) {
		code = sd_bus_message_close_container(msg);
		if (code >= 0)
			code = sd_bus_message_append(msg, "a(sa(sv))", 0);
		code = code < 0 ? err_sys(err, code, "make a message") : manager_run_job(m, msg, err);
	}
	sd_bus_message_unref(msg);
	return code;
}

/* Makes systemd forget a unit that failed; nothing where there is none. */
static void reset_failed(struct manager *m, const char *unit)
{
	sd_bus_message *msg = NULL, *reply = NULL;

	if (manager_method(m, "ResetFailedUnit", &msg) >= 0 && sd_bus_message_append(msg, "s", unit) >= 0)
		manager_call(m, msg, &reply, NULL);
	sd_bus_message_unref(reply);
	sd_bus_message_unref(msg);
}

static int run_start(struct manager *m, const struct request *r, struct error *err)
{
	char *cgroup = NULL;
	int code = start_once(m, r, err);

	/* A unit of that name may be left over from one that failed. */
	if (code == -EEXIST) {
		reset_failed(m, r->unit);
		code = start_once(m, r, err);
	}
	if (code < 0) {
		if (code != -EEXIST)
			reset_failed(m, r->unit);
		return code;
	}
	code = manager_unit_string(m, r->unit, "org.freedesktop.systemd1.Scope", "ControlGroup", &cgroup, err);
	if (code == 0 && cgroup[0] != '/')
		code = err_set(err, -ENOENT, "it has no cgroup: its process is gone");
	if (code == 0 && (printf("%s\n", cgroup) < 0 || fflush(stdout) != 0))
		code = err_sys(err, -errno, "write to stdout");
	free(cgroup);
	return code;
}

static int run_stop(struct manager *m, const struct request *r, struct error *err)
{
	sd_bus_message *msg = NULL;
	int code = manager_method(m, "StopUnit", &msg);

	if (code >= 0)
		code = sd_bus_message_append(msg, "ss", r->unit, "replace");
	code = code < 0 ? err_sys(err, code, "make a message") : manager_run_job(m, msg, err);
	sd_bus_message_unref(msg);
	reset_failed(m, r->unit);
	return code == -ENOENT ? 0 : code;
}

static int run_set(struct manager *m, const struct request *r, struct error *err)
{
	sd_bus_message *msg = NULL, *reply = NULL;
	int code = manager_method(m, "SetUnitProperties", &msg);

	if (code >= 0)
		code = sd_bus_message_append(msg, "sb", r->unit, 1);
	if (code >= 0)
		code = sd_bus_message_open_container(msg, 'a', "(sv)");
	code = code < 0 ? err_sys(err, code, "make a message") : append_props(msg, m, r, false, err);
	if (code == 0) {
		code = sd_bus_message_close_container(msg);
		code = code < 0 ? err_sys(err, code, "make a message") : manager_call(m, msg, &reply, err);
	}
	sd_bus_message_unref(reply);
	sd_bus_message_unref(msg);
	return code;
}

static const struct verb {
	const char *name;
	int args; /* behind it */
	int (*run)(struct manager *m, const struct request *r, struct error *err);
} verbs[] = {
	{ "start", 3, run_start },
	{ "stop", 1, run_stop },
	{ "set", 1, run_set },
};

static const struct verb *find_verb(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++)
		if (str_eq(verbs[i].name, name))
			return &verbs[i];
	return NULL;
}

static int parse(int argc, char **argv, struct arena *a, struct request *r, struct error *err)
{
	const struct verb *v = argc > 1 ? find_verb(argv[1]) : NULL;
	int code = 0;

	if (!v || argc < 2 + v->args)
		return err_set_kind(err, -EINVAL, ERR_USAGE, "usage: start UNIT SLICE PID | stop UNIT | set UNIT"
							     " [--user] [--property NAME=TYPE:VALUE ...]");
	r->verb = v->name;
	r->unit = argv[2];
	if (v->args == 3) {
		r->slice = argv[3];
		if (parse_u32(argv[4], &r->pid) < 0 || r->pid == 0)
			return err_set_kind(err, -EINVAL, ERR_USAGE, "\"%.32s\" is not a process number", argv[4]);
	}
	for (int i = 2 + v->args; code == 0 && i < argc; i++) {
		if (str_eq(argv[i], "--user"))
			r->user = true;
		else if (str_eq(argv[i], "--property") && i + 1 < argc)
			code = prop_parse(a, argv[++i], r, err);
		else
			code = err_set_kind(err, -EINVAL, ERR_USAGE, "unknown argument \"%.64s\"", argv[i]);
	}
	return code;
}

int main(int argc, char **argv)
{
	struct request r = { 0 };
	struct manager m = { 0 };
	struct arena a = { 0 };
	struct error err = { 0 };
	int code = parse(argc, argv, &a, &r, &err);

	if (code == 0) {
		code = manager_open(r.user, &m, &err);
		if (code == 0)
			code = find_verb(r.verb)->run(&m, &r, &err);
		if (code < 0)
			err_prefix(&err, "%s %s", r.verb, r.unit);
		manager_done(&m);
	}
	arena_done(&a);
	if (code == 0)
		return 0;
	err_sanitize(&err);
	fprintf(stderr, "arnia-oci-scope: %s\n", err.text);
	return 1;
}
