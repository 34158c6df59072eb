/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "cgroup/cgroup.h"
#include "cmd/arnia-oci/cmd.h"
#include "lib/base/fd.h"
#include "lib/base/json.h"
#include "lib/base/str.h"

#define PIDS_MAX (1u << 22) /* of the kernel */

int record_cgroup(const struct record *r, struct error *err)
{
	auto_fd int root = r->cgroup ? cg_open_root(err) : -ENOENT;

	if (!r->cgroup)
		return err_set_kind(err, -ENOENT, ERR_STATE, "container %.64s has no cgroup", r->id);
	return root < 0 ? root : cg_open(root, r->cgroup, err);
}

static bool is_frozen(const struct record *r)
{
	struct cg_events ev = { 0 };
	auto_fd int cg = r->cgroup ? record_cgroup(r, NULL) : -1;

	return cg >= 0 && cg_read_events(cg, &ev) == 0 && ev.frozen;
}

static bool has_socket(const struct record *r, const char *name)
{
	struct stat st;

	return fstatat(r->dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

int record_status(const struct record *r, enum oci_status *ret, struct pidref *ret_init, struct error *err)
{
	struct pidref init = PIDREF_NONE;
	enum oci_status status = OCI_STOPPED;
	char boot[37];
	int code = proc_boot_id(boot);

	if (code < 0)
		return err_sys(err, code, "boot id");
	if (!r->pid && record_is_locked(r))
		status = OCI_CREATING;
	if (r->pid && str_eq(boot, r->boot))
		code = pidref_open(r->pid, r->start, &init);
	if (code < 0 && code != -ESRCH)
		return err_sys(err, code, "process %d of container %.64s", (int)r->pid, r->id);
	if (init.fd >= 0 && pidref_alive(&init))
		status = has_socket(r, STORE_CREATING) ? OCI_CREATING
			 : is_frozen(r)			       ? OCI_PAUSED
			 : has_socket(r, STORE_START)	       ? OCI_CREATED
							       : OCI_RUNNING;
	else
		pidref_done(&init);
	*ret = status;
	if (ret_init)
		*ret_init = init;
	else
		pidref_done(&init);
	return 0;
}

long record_pids(const struct record *r, const struct pidref *init, pid_t **ret, struct error *err)
{
	auto_fd int cg = r->cgroup ? record_cgroup(r, err) : -1;
	size_t room = 1024;
	pid_t *pids;
	long n;

	if (!r->cgroup) {
		*ret = pids = mem_alloc_n(1, sizeof(*pids));
		pids[0] = init->pid;
		return init->fd >= 0;
	}
	if (cg < 0)
		return cg;
	for (;; room *= 4) {
		pids = mem_alloc_n(room, sizeof(*pids));
		n = cg_read_pids(cg, pids, room);
		if (n < (long)room || room >= PIDS_MAX)
			break;
		free(pids);
	}
	if (n < 0) {
		free(pids);
		return err_sys(err, (int)n, "processes of container %.64s", r->id);
	}
	*ret = pids;
	return n;
}

void record_streams(pid_t pid, struct arena *a, struct strv *ret)
{
	for (int fd = 0; fd <= STDERR_FILENO; fd++) {
		char path[48], name[PATH_MAX];
		ssize_t n;

		snprintf(path, sizeof(path), "/proc/%d/fd/%d", pid, fd);
		n = readlink(path, name, sizeof(name) - 1);
		name[n < 0 ? 0 : n] = '\0';
		strv_push(a, ret, name);
	}
}

json *record_config(const struct record *r)
{
	return r->config ? json_parse_bounded(r->config, strlen(r->config), OCI_NESTED_MAX, NULL) : NULL;
}
