/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include "cgroup/cgroup.h"
#include "cmd/arnia-oci/cmd.h"
#include "lib/base/fd.h"
#include "lib/base/str.h"
#include "lib/base/time.h"

#define END_WAIT_MS 10000 /* for what was killed: a process in the kernel may take its time */
#define EVENTS_MAX 4096

extern char **environ;

/* ---- the scope's program, which lies beside this one ---- */

static char **scope_argv(const struct record *r, const char *act, const struct strv *args)
{
	char **argv = mem_alloc_n(5 + (args ? args->n : 0), sizeof(*argv)), **at = argv;

	*at++ = (char *)"arnia-oci-scope";
	*at++ = (char *)act;
	*at++ = (char *)r->scope;
	if (r->rootless)
		*at++ = (char *)"--user";
	for (size_t i = 0; args && i < args->n; i++)
		*at++ = (char *)args->v[i];
	return argv;
}

int scope_run(const struct record *r, const char *act, const struct strv *args, struct error *err)
{
	auto_free char **argv = scope_argv(r, act, args);
	auto_free char *path = NULL;
	char dir[PATH_MAX];
	pid_t pid;
	int code = proc_self_dir(dir, sizeof(dir)), status;

	if (code < 0)
		return err_sys(err, code, "folder of this program");
	path = str_fmt("%s/arnia-oci-scope", dir);
	code = posix_spawn(&pid, path, NULL, NULL, argv, environ);
	if (code)
		return err_sys(err, -code, "run %s", path);
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return err_sys(err, -errno, "wait for %s", path);
	if (!WIFEXITED(status) || WEXITSTATUS(status))
		return err_set(err, -EIO, "systemd: %s %.100s failed", act, r->scope);
	return 0;
}

/* ---- waiting ---- */

static int left_of(uint64_t end)
{
	uint64_t now = time_mono_ms();

	return now >= end ? 0 : (int)(end - now);
}

int cgroup_wait(int cg, bool (*done)(const struct cg_events *ev), int ms, struct error *err)
{
	auto_fd int watch = cg_watch(cg, err);
	uint64_t end = time_mono_ms() + (uint64_t)ms;
	char events[EVENTS_MAX];
	struct cg_events ev;

	if (watch < 0)
		return watch;
	for (;;) {
		struct pollfd pf = {.fd = watch, .events = POLLIN};
		int left = left_of(end), code = cg_read_events(cg, &ev);

		if (code < 0)
			return code == -ENODEV || code == -ENOENT ? 0 : err_sys(err, code, "cgroup.events");
		if (done(&ev))
			return 0;
		if (!left)
			return err_set(err, -ETIMEDOUT, "no answer of the kernel after %d s", ms / 1000);
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
	struct pollfd pf = {.fd = init->fd, .events = POLLIN};
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
	int code;

	if (cg == -ENOENT)
		return 0;
	if (cg < 0)
		return cg;
	code = record_signal_all(r, SIGKILL, err);
	if (code == 0)
		code = cgroup_wait(cg, is_empty, END_WAIT_MS, err);
	return code < 0 ? err_prefix(err, "kill container %.64s", r->id) : 0;
}

static int drop_cgroup(const struct record *r, struct error *err)
{
	auto_fd int root = cg_open_root(err);

	return root < 0 ? root : cg_remove(root, r->cgroup, err);
}

int container_destroy(struct call *c, struct record *r, struct error *err)
{
	struct pidref init = PIDREF_NONE;
	struct error late = {0};
	enum oci_status status;
	bool own = r->cgroup && r->own_cgroup;
	int code = record_status(r, &status, &init, err);

	if (code == 0)
		code = kill_init(r, &init, err);
	pidref_done(&init);
	if (code == 0 && own)
		code = empty_cgroup(r, err);
	if (code == 0 && own)
		code = drop_cgroup(r, err);
	if (code < 0)
		return code;
	/* Its cgroup is gone and it ends by itself: a folder that stays would be worse than a unit that may.
	 */
	if (r->scope && scope_run(r, "stop", NULL, &late) < 0)
		report(&c->g, REPORT_WARN, "%s", late.text);
	return store_remove(c->g.root, r, err);
}
