/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "cgroup/cgroup.h"
#include "cmd/arnia-oci/engine.h"
#include "lib/base/fd.h"
#include "lib/base/str.h"
#include "lib/base/time.h"
#include "rootfs/rootfs.h"

#define END_WAIT_MS 10000 /* for what was killed: a process in the kernel may take its time */
#define REFUSED_WAIT_MS 500
#define EVENTS_MAX 4096

/* ---- waiting ---- */

static int left_of(uint64_t end)
{
	uint64_t now = time_mono_ms();

	return now >= end ? 0 : (int)(end - now);
}

int cgroup_wait(int cg, bool (*done)(const struct cg_events *ev), int ms, struct error *err)
{
	uint64_t end = time_mono_ms() + (uint64_t)ms;
	auto_fd int watch = -1;
	char events[EVENTS_MAX];
	struct cg_events ev;

	for (;;) {
		struct pollfd pf = { .events = POLLIN };
		int left = left_of(end), code = cg_read_events(cg, &ev);

		if (code < 0)
			return code == -ENODEV || code == -ENOENT ? 0 : err_sys(err, code, "cgroup.events");
		if (done(&ev))
			return 0;
		if (!left)
			return err_set(err, -ETIMEDOUT, "no answer of the kernel after %d s", ms / 1000);
		/* Not before there is something to wait for: closing it waits for a grace period. What changed meanwhile is
		 * read once more. */
		if (watch < 0) {
			watch = cg_watch(cg, err);
			if (watch < 0)
				return watch;
			continue;
		}
		pf.fd = watch;
		if (poll(&pf, 1, left) > 0)
			(void)!read(watch, events, sizeof(events));
	}
}

static bool is_empty(const struct cg_events *ev)
{
	return !ev->populated;
}

static int kill_init(const struct record *r, const struct pidref *init, struct error *err)
{
	struct pollfd pf = { .fd = init->fd, .events = POLLIN };
	int code = init->fd < 0 ? -ESRCH : pidref_kill(init, SIGKILL);

	if (code == -ESRCH)
		return 0;
	if (code < 0)
		return err_sys(err, code, "kill container %.64s", r->id);
	while ((code = poll(&pf, 1, END_WAIT_MS)) < 0 && errno == EINTR)
		;
	return code > 0 ? 0 : err_set(err, -ETIMEDOUT, "container init still running");
}

/* ---- destroy ---- */

static int empty_cgroup(const struct record *r, struct error *err)
{
	auto_fd int cg = record_cgroup(r, err);
	struct error why = { 0 };
	int code, kill;

	if (cg == -ENOENT)
		return 0;
	if (cg < 0)
		return cg;
	/* They may end, and systemd remove it, while we do this: what counts is whether it is empty. */
	kill = record_signal_all(r, SIGKILL, &why);
	code = cgroup_wait(cg, is_empty, kill < 0 ? REFUSED_WAIT_MS : END_WAIT_MS, err);
	if (code < 0 && kill < 0 && err)
		*err = why;
	return code < 0 ? err_prefix(err, "kill container %.64s", r->id) : 0;
}

/* What is ending anyway, as a process that has lost the create it was made by, is given the time to. */
static void let_end(const struct record *r)
{
	auto_fd int cg = record_cgroup(r, NULL);

	if (cg >= 0)
		cgroup_wait(cg, is_empty, REFUSED_WAIT_MS, NULL);
}

static int drop_cgroup(const struct record *r, struct error *err)
{
	auto_fd int root = cg_open_root(err);

	return root < 0 ? root : cg_remove(root, r->cgroup, err);
}

/* All of a pid namespace ends with its first process. */
static bool has_own_pidns(const struct record *r)
{
	auto_json json *config = record_config(r);
	const json *at = NULL, *list = NULL;

	if (!config || json_kind_of(config) != JSON_OBJECT || json_get_obj(config, "linux", &at, NULL) <= 0 ||
	    json_get_arr(at, "namespaces", &list, NULL) <= 0)
		return false;
	for (size_t i = 0; i < json_len(list); i++) {
		const char *type = NULL, *path = NULL;

		if (json_get_str(json_at(list, i), "type", &type, NULL) > 0 && str_eq(type, "pid"))
			return json_get_str(json_at(list, i), "path", &path, NULL) == 0 || str_is_empty(path);
	}
	return false;
}

static bool is_of_this_boot(const struct record *r)
{
	char boot[37];

	return proc_boot_id(boot) == 0 && str_eq(boot, r->boot);
}

int container_destroy(struct call *c, struct record *r, struct error *err)
{
	struct pidref init = PIDREF_NONE;
	struct error late = { 0 };
	enum oci_status status = OCI_STOPPED;
	/* Of another boot, it is not ours any more. */
	bool own = r->cgroup && r->own_cgroup && is_of_this_boot(r);
	auto_fd int root = -1;
	int code = record_status(r, &status, &init, err);
	/* When its first process was over before, and all of its pid namespace with it, what is there now are strangers. */
	bool kills = code == 0 && own && (init.fd >= 0 || !has_own_pidns(r));

	if (code == 0)
		code = kill_init(r, &init, err);
	pidref_done(&init);
	/* One that is held up (traced, say) goes with the others. */
	if ((code == 0 || code == -ETIMEDOUT) && kills) {
		err_clear(err);
		code = empty_cgroup(r, err);
	}
	if (code == 0 && own && !kills)
		let_end(r);
	if (code == 0 && own)
		code = drop_cgroup(r, err);
	/* With all that was mounted below it in what is no namespace of its own. */
	if (code == 0 && r->root_id && r->rootfs && is_of_this_boot(r))
		code = rootfs_detach_root(r->rootfs, r->root_id, err);
	if (code < 0)
		return code;
	/* A create that was killed before it knew whose it is. */
	if (r->cgroup && !own && (root = cg_open_root(NULL)) >= 0)
		cg_remove(root, r->cgroup, NULL);
	/* Its cgroup is gone and it ends by itself: a folder that stays would be worse than a unit that may.
	 */
	if (r->scope && scope_run(r, "stop", NULL, &late) < 0)
		report(&c->g, REPORT_WARN, "%s", late.text);
	code = notify_remove(c, r, err);
	return code == 0 ? store_remove(c->g.root, r, err) : code;
}
