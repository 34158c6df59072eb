/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Memory events of running machines by one inotify instance (per-user instances are few: inotify(7)). */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <sys/inotify.h>
#include <unistd.h>
#include "cmd/arniad/daemon.h"
#include "lib/base/fd.h"
#include "lib/base/path.h"

/* Of an application all is killed at once (memory.oom.group): that is told once, not for each process. */
static uint64_t count_ooms(const struct machine *m, const struct cg_stat *st)
{
	if (!m->config.spec.image_init && st->oom_group_kill != CG_UNSET)
		return st->oom_group_kill;
	return st->oom_kill;
}

/* How many were told is in the state, so that a daemon that comes later neither repeats nor omits one. */
void watch_check(struct daemon *d, struct machine *m)
{
	struct cg_stat st;
	auto_fd int cg = -1;
	uint64_t n;
	json *j;

	if (!(d->facts.plan.controllers & CG_CTL_MEMORY) || (cg = machine_cgroup(d, m, NULL)) < 0 ||
	    cg_read_stat(cg, &st) < 0)
		return;
	n = count_ooms(m, &st);
	if (n == CG_UNSET || n <= m->state.ooms)
		return;
	j = json_new_obj();
	json_add_u64(j, "times", n - m->state.ooms);
	m->state.ooms = n;
	machine_save_state(d, m);
	event_emit(d, "oom", m, NULL, j);
}

static struct machine *by_watch(struct daemon *d, int wd)
{
	for (struct machine *m = d->machines; m; m = m->next) {
		if (m->watch_memory == wd)
			return m;
	}
	return NULL;
}

static void on_inotify(void *arg, uint32_t events)
{
	struct daemon *d = arg;
	char buf[4096] __attribute__((aligned(__alignof__(struct inotify_event))));
	ssize_t n;

	(void)events;
	while ((n = read(d->inotify, buf, sizeof(buf))) > 0) {
		for (char *p = buf; p < buf + n;) {
			struct inotify_event *e = (void *)p;
			struct machine *m = by_watch(d, e->wd);

			if (m && e->mask & IN_IGNORED)
				m->watch_memory = -1;
			else if (m)
				watch_check(d, m);
			p += sizeof(*e) + e->len;
		}
	}
}

int watch_init(struct daemon *d, struct error *err)
{
	d->inotify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (d->inotify < 0)
		return err_sys(err, -errno, "inotify");
	d->inotify_io = NULL;
	return loop_add_io(d->loop, d->inotify, EPOLLIN, on_inotify, d) ? 0 : err_set(err, -ENOMEM, "watch inotify");
}

void watch_start(struct daemon *d, struct machine *m)
{
	auto_fd int cg = -1;
	char dir[32], path[64];

	if (!(d->facts.plan.controllers & CG_CTL_MEMORY) || (cg = machine_cgroup(d, m, NULL)) < 0)
		return;
	snprintf(path, sizeof(path), "%s/memory.events", path_proc_fd(cg, dir));
	m->watch_memory = inotify_add_watch(d->inotify, path, IN_MODIFY);
	watch_check(d, m); /* what came before */
}

void watch_stop(struct daemon *d, struct machine *m)
{
	if (m->watch_memory >= 0)
		inotify_rm_watch(d->inotify, m->watch_memory);
	m->watch_memory = -1;
}
