/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cmd/arnia-oci/idmap.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include "lib/base/fd.h"
#include "lib/base/file.h"
#include "lib/base/proc.h"
#include "lib/base/str.h"
#include "lib/worker/hooks.h"

static bool is_mine(const struct id_map *m, size_t n, uint32_t own)
{
	return n == 1 && m[0].count == 1 && m[0].outside == own;
}

static int write_file(pid_t pid, const char *name, const char *text, struct error *err)
{
	char path[48];

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	return file_write_ctl_at(AT_FDCWD, path, PROC_SUPER_MAGIC, text, err);
}

static int write_own(pid_t pid, const char *name, const struct id_map *m, struct error *err)
{
	char text[48];

	snprintf(text, sizeof(text), "%u %u 1\n", m->inside, m->outside);
	return write_file(pid, name, text, err);
}

static int find_program(const char *name, struct arena *a, const char **ret, struct error *err)
{
	static const char *const dirs[] = { "/usr/bin", "/usr/local/bin", "/bin", "/usr/sbin" };

	for (size_t i = 0; i < ARRAY_SIZE(dirs); i++) {
		*ret = arena_fmt(a, "%s/%s", dirs[i], name);
		if (access(*ret, X_OK) == 0)
			return 0;
	}
	err_set_kind(err, -ENOENT, ERR_UNSUPPORTED, "%s: not on this host", name);
	err_hint(err, "install uidmap, or map one id, your own");
	return -ENOENT;
}

/* newuidmap PID INSIDE OUTSIDE COUNT [...]: its own words are the error. */
static int run_mapper(const char *name, pid_t pid, const struct id_map *m, size_t n, struct error *err)
{
	struct arena a = { 0 };
	struct hook_item h = { .timeout_ms = 30000 };
	int r = find_program(name, &a, &h.path, err);

	if (r == 0) {
		strv_push(&a, &h.args, name);
		strv_push(&a, &h.args, arena_fmt(&a, "%d", pid));
		for (size_t i = 0; i < n; i++) {
			strv_push(&a, &h.args, arena_fmt(&a, "%u", m[i].inside));
			strv_push(&a, &h.args, arena_fmt(&a, "%u", m[i].outside));
			strv_push(&a, &h.args, arena_fmt(&a, "%u", m[i].count));
		}
		r = hook_run(&h, "", err);
	}
	arena_done(&a);
	return r < 0 ? err_prefix(err, "user namespace"), r : 0;
}

int idmap_write_for(pid_t pid, const struct sandbox_config *c, struct error *err)
{
	int r;

	if (is_mine(c->uid_maps.v, c->uid_maps.n, geteuid()))
		r = write_own(pid, "uid_map", c->uid_maps.v, err);
	else
		r = run_mapper("newuidmap", pid, c->uid_maps.v, c->uid_maps.n, err);
	if (r < 0)
		return r;
	if (!is_mine(c->gid_maps.v, c->gid_maps.n, getegid()))
		return run_mapper("newgidmap", pid, c->gid_maps.v, c->gid_maps.n, err);
	r = write_file(pid, "setgroups", "deny", err);
	return r < 0 ? r : write_own(pid, "gid_map", c->gid_maps.v, err);
}
