/* SPDX-License-Identifier: GPL-2.0-or-later */
/* PLAN_EXPLAIN: what the kernel really has for a running container, read back from it. One fact a line, as
 * plan_print writes what was wanted. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "cgroup/cgroup.h"
#include "cmd/arnia-run/run.h"
#include "lib/base/fd.h"
#include "lib/base/file.h"
#include "lib/base/mem.h"
#include "lib/base/proc.h"

#define FILE_MAX (1u << 20)

static const char *const ns_names[] = { "user", "mnt", "pid", "net", "uts", "ipc", "cgroup", "time" };
static const char *const status_keys[] = { "CapInh", "CapPrm",	   "CapEff",  "CapBnd",
					   "CapAmb", "NoNewPrivs", "Seccomp", "Seccomp_filters" };

static void add_namespaces(int proc, struct strbuf *out)
{
	for (size_t i = 0; i < ARRAY_SIZE(ns_names); i++) {
		char name[32], link[64];
		ssize_t n;

		snprintf(name, sizeof(name), "ns/%s", ns_names[i]);
		n = readlinkat(proc, name, link, sizeof(link));
		if (n > 0)
			strbuf_addf(out, "namespace %.*s\n", (int)n, link);
	}
}

/* "KEY rest" per line of a file, runs of blanks made one. */
static void add_lines(int proc, const char *file, const char *key, struct strbuf *out)
{
	auto_free char *text = NULL;

	if (file_read_at(proc, file, FILE_MAX, &text, NULL) < 0)
		return;
	for (char *save, *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		strbuf_add(out, key);
		for (char *inner, *w = strtok_r(line, " \t", &inner); w; w = strtok_r(NULL, " \t", &inner)) {
			strbuf_addc(out, ' ');
			/* Mount points and options are chosen inside the container. */
			strbuf_add_escaped(out, w, strlen(w));
		}
		strbuf_addc(out, '\n');
	}
}

static void add_status(int proc, struct strbuf *out)
{
	auto_free char *text = NULL;

	if (file_read_at(proc, "status", FILE_MAX, &text, NULL) < 0)
		return;
	for (size_t i = 0; i < ARRAY_SIZE(status_keys); i++) {
		auto_free char *key = str_fmt("\n%s:", status_keys[i]);
		const char *at = strstr(text, key);

		if (!at)
			continue;
		at += strlen(key);
		at += strspn(at, " \t");
		strbuf_addf(out, "%s %.*s\n", status_keys[i], (int)strcspn(at, "\n"), at);
	}
}

static void add_cgroup(const struct job *j, struct strbuf *out)
{
	auto_fd int cg = cg_open(j->w->cgroup, j->plan->cgroup.path, NULL);

	if (cg < 0)
		return;
	strbuf_addf(out, "cgroup %s\n", j->plan->cgroup.path);
	cg_print(cg, out);
}

static pid_t pid_of_target(int target)
{
	auto_free char *info = NULL;
	char path[48];
	const char *at;
	int pid;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", target);
	if (file_read_at(AT_FDCWD, path, 4096, &info, NULL) < 0)
		return -1;
	at = strstr(info, "\nPid:");
	return at && sscanf(at, "\nPid: %d", &pid) == 1 ? pid : -1;
}

/* Without its pidfd: the first of those in its cgroup. */
static pid_t pid_of_cgroup(const struct job *j)
{
	auto_fd int cg = cg_open(j->w->cgroup, j->plan->cgroup.path, NULL);
	pid_t pid;

	return cg >= 0 && cg_read_pids(cg, &pid, 1) > 0 ? pid : -1;
}

int explain_run(struct job *j, struct error *err)
{
	cleanup(pidref_done) struct pidref init = PIDREF_NONE;
	cleanup(strbuf_done) struct strbuf out = { 0 };
	auto_fd int proc = -1;
	pid_t pid = j->target >= 0 ? pid_of_target(j->target) : pid_of_cgroup(j);
	char path[32];
	int r = pid > 0 ? pidref_open(pid, 0, &init) : -ESRCH;

	if (r < 0)
		return err_set_kind(err, r, ERR_STATE, "the container is not running");
	snprintf(path, sizeof(path), "/proc/%d", pid);
	proc = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	strbuf_addf(&out, "process %d\n", pid);
	add_namespaces(proc, &out);
	add_lines(proc, "uid_map", "uid_map", &out);
	add_lines(proc, "gid_map", "gid_map", &out);
	add_lines(proc, "oom_score_adj", "oom_score_adj", &out);
	add_status(proc, &out);
	add_cgroup(j, &out);
	add_lines(proc, "mountinfo", "mount", &out);
	if (!pidref_alive(&init))
		return err_set_kind(err, -ESRCH, ERR_STATE, "the container ended meanwhile");
	if (j->plan->net.mode == NET_ROUTED && net_print(worker_net(j->w), &j->plan->net, &out, err) < 0)
		return err_prefix(err, "network");
	strbuf_add_n(&j->text, out.s, out.len);
	return 0;
}
