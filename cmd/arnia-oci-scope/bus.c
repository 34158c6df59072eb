/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The connection to systemd, and its jobs. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "lib/base/str.h"
#include "cmd/arnia-oci-scope/scope.h"

#define SERVICE "org.freedesktop.systemd1"
#define OBJECT "/org/freedesktop/systemd1"
#define MANAGER SERVICE ".Manager"

struct job {
	const char *path; /* NULL: not known yet */
	bool done;
	char result[32]; /* "done", "failed", "timeout" ... */
};

/* systemd listens itself, for root (for the user's instance: the user), where no message bus runs. */
static int open_direct(bool user, sd_bus **ret)
{
	const char *dir = user ? secure_getenv("XDG_RUNTIME_DIR") : "/run";
	auto_free char *address = dir ? str_fmt("unix:path=%s/systemd/private", dir) : NULL;
	sd_bus *bus = NULL;
	int r = address && !strpbrk(dir, ",;%") ? sd_bus_new(&bus) : -ENOENT;

	if (r >= 0)
		r = sd_bus_set_address(bus, address);
	if (r >= 0)
		r = sd_bus_start(bus);
	if (r < 0) {
		sd_bus_unref(bus);
		return r;
	}
	*ret = bus;
	return 0;
}

static int read_version(struct manager *m, struct error *err)
{
	sd_bus_error e = SD_BUS_ERROR_NULL;
	char *text = NULL;
	const char *at;
	int r = sd_bus_get_property_string(m->bus, m->name, OBJECT, MANAGER, "Version", &e, &text);

	if (r < 0) {
		err_set(err, r, "systemd does not answer: %s", e.message ? e.message : strerror(-r));
		sd_bus_error_free(&e);
		return r;
	}
	at = text + strcspn(text, "0123456789");
	m->version = (unsigned)strtoul(at, NULL, 10);
	free(text);
	return 0;
}

/* Signals are sent to who asked for them, and it may be asked once. */
static int subscribe(struct manager *m, struct error *err)
{
	sd_bus_message *msg = NULL, *reply = NULL;
	int r = manager_method(m, "Subscribe", &msg);

	r = r < 0 ? err_sys(err, r, "make a message") : manager_call(m, msg, &reply, err);
	sd_bus_message_unref(reply);
	sd_bus_message_unref(msg);
	return r;
}

int manager_open(bool user, struct manager *ret, struct error *err)
{
	struct manager m = { .name = SERVICE };
	int r = user ? sd_bus_open_user(&m.bus) : sd_bus_open_system(&m.bus);

	if (r < 0 && open_direct(user, &m.bus) == 0) {
		m.name = NULL;
		r = 0;
	}
	if (r < 0) {
		err_sys(err, r, "connect to systemd of the %s", user ? "user" : "system");
		err_hint(err, "the systemd cgroup driver needs a running systemd; leave out --systemd-cgroup");
		return r;
	}
	r = sd_bus_set_method_call_timeout(m.bus, SCOPE_TIMEOUT_US);
	r = r < 0 ? err_sys(err, r, "set the time limit of calls") : read_version(&m, err);
	if (r == 0)
		r = subscribe(&m, err);
	if (r < 0) {
		manager_done(&m);
		return r;
	}
	*ret = m;
	return 0;
}

void manager_done(struct manager *m)
{
	m->bus = sd_bus_flush_close_unref(m->bus);
}

int manager_method(struct manager *m, const char *method, sd_bus_message **ret)
{
	return sd_bus_message_new_method_call(m->bus, ret, m->name, OBJECT, MANAGER, method);
}

static int code_of(const sd_bus_error *e, int r)
{
	if (sd_bus_error_has_name(e, SERVICE ".UnitExists"))
		return -EEXIST;
	if (sd_bus_error_has_name(e, SERVICE ".NoSuchUnit") || sd_bus_error_has_name(e, SERVICE ".UnitNotLoaded"))
		return -ENOENT;
	return r;
}

int manager_call(struct manager *m, sd_bus_message *msg, sd_bus_message **ret_reply, struct error *err)
{
	sd_bus_error e = SD_BUS_ERROR_NULL;
	int r = sd_bus_call(m->bus, msg, SCOPE_TIMEOUT_US, &e, ret_reply);

	if (r < 0) {
		r = code_of(&e, r);
		err_set(err, r, "%s", e.message ? e.message : strerror(-r));
	}
	sd_bus_error_free(&e);
	return r < 0 ? r : 0;
}

static int on_job_removed(sd_bus_message *msg, void *userdata, unused sd_bus_error *e)
{
	const char *path, *unit, *result;
	struct job *job = userdata;
	uint32_t id;

	if (sd_bus_message_read(msg, "uoss", &id, &path, &unit, &result) < 0 || !str_eq(path, job->path))
		return 0;
	job->done = true;
	str_copy(job->result, sizeof(job->result), result);
	return 0;
}

static uint64_t now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static int wait_for(struct manager *m, const struct job *job, struct error *err)
{
	uint64_t end = now_us() + SCOPE_TIMEOUT_US;

	while (!job->done) {
		uint64_t now = now_us();
		int r = sd_bus_process(m->bus, NULL);

		if (r == 0 && now >= end)
			return err_set(err, -ETIMEDOUT, "systemd did not finish within %llu s", SCOPE_TIMEOUT_US / 1000000);
		if (r == 0)
			r = sd_bus_wait(m->bus, end - now);
		if (r < 0 && r != -EINTR)
			return err_sys(err, r, "wait for systemd");
	}
	return 0;
}

int manager_run_job(struct manager *m, sd_bus_message *msg, struct error *err)
{
	sd_bus_message *reply = NULL;
	sd_bus_slot *slot = NULL;
	struct job job = { 0 };
	int r = sd_bus_match_signal(m->bus, &slot, m->name, OBJECT, MANAGER, "JobRemoved", on_job_removed, &job);

	if (r < 0)
		return err_sys(err, r, "listen to systemd");
	r = manager_call(m, msg, &reply, err);
	if (r == 0) {
		/* What came meanwhile waits in the queue: it is not looked at before sd_bus_process. */
		r = sd_bus_message_read(reply, "o", &job.path);
		r = r < 0 ? err_sys(err, r, "read the answer of systemd") : wait_for(m, &job, err);
	}
	if (r == 0 && !str_eq(job.result, "done"))
		r = err_set(err, -EIO, "the job of systemd ended with \"%s\"", job.result);
	sd_bus_slot_unref(slot);
	sd_bus_message_unref(reply);
	return r;
}

int manager_unit_string(struct manager *m, const char *unit, const char *interface, const char *name, char **ret, struct error *err)
{
	sd_bus_error e = SD_BUS_ERROR_NULL;
	sd_bus_message *msg = NULL, *reply = NULL;
	const char *path;
	int r = manager_method(m, "GetUnit", &msg);

	if (r >= 0)
		r = sd_bus_message_append(msg, "s", unit);
	r = r < 0 ? err_sys(err, r, "make a message") : manager_call(m, msg, &reply, err);
	if (r == 0) {
		r = sd_bus_message_read(reply, "o", &path);
		if (r >= 0)
			r = sd_bus_get_property_string(m->bus, m->name, path, interface, name, &e, ret);
		if (r < 0)
			err_set(err, r, "%s: %s", name, e.message ? e.message : strerror(-r));
	}
	sd_bus_error_free(&e);
	sd_bus_message_unref(reply);
	sd_bus_message_unref(msg);
	return r < 0 ? r : 0;
}
