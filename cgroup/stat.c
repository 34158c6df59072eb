/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a cgroup uses now, and what went wrong in it. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <stddef.h>
#include <unistd.h>
#include "lib/base/fd.h"
#include "lib/base/file.h"
#include "lib/base/mem.h"
#include "lib/base/parse.h"
#include "lib/base/str.h"
#include "cgroup/internal.h"

#define PROCS_MAX (8u << 20)
#define DEPTH_MAX 64

/* Single values, and keys of flat keyed files. */
static const struct {
	const char *file, *key; /* key NULL: the file is one number */
	size_t field;
} sources[] = {
	{ "cpu.stat", "usage_usec", offsetof(struct cg_stat, cpu_usec) },
	{ "memory.current", NULL, offsetof(struct cg_stat, mem_bytes) },
	{ "memory.peak", NULL, offsetof(struct cg_stat, mem_peak) },
	{ "memory.swap.current", NULL, offsetof(struct cg_stat, swap_bytes) },
	{ "pids.current", NULL, offsetof(struct cg_stat, pids) },
	{ "pids.peak", NULL, offsetof(struct cg_stat, pids_peak) },
	{ "memory.events", "oom_kill", offsetof(struct cg_stat, oom_kill) },
	{ "memory.events", "oom_group_kill", offsetof(struct cg_stat, oom_group_kill) },
	{ "memory.events", "max", offsetof(struct cg_stat, mem_max_hit) },
	{ "pids.events", "max", offsetof(struct cg_stat, pids_max_hit) },
};

static int parse_number(const char *text, uint64_t *ret)
{
	char digits[24];
	size_t n = strcspn(text, "\n");

	if (n == 0 || n >= sizeof(digits))
		return -EINVAL;
	memcpy(digits, text, n);
	digits[n] = '\0';
	return parse_u64(digits, ret);
}

int cg_find_key(const char *text, const char *key, uint64_t *ret)
{
	size_t n = strlen(key);

	for (const char *line = text; *line;) {
		const char *end = strchrnul(line, '\n');

		if (strncmp(line, key, n) == 0 && line[n] == ' ')
			return parse_number(line + n + 1, ret);
		line = *end ? end + 1 : end;
	}
	return -ENOENT;
}

int cg_read_events(int cg, struct cg_events *ret)
{
	uint64_t populated, frozen = 0;
	char text[256];
	long n = cg_read(cg, "cgroup.events", text, sizeof(text));
	int r = n < 0 ? (int)n : cg_find_key(text, "populated", &populated);

	if (r < 0)
		return r;
	cg_find_key(text, "frozen", &frozen);
	*ret = (struct cg_events){ .populated = populated != 0, .frozen = frozen != 0 };
	return 0;
}

int cg_read_stat(int cg, struct cg_stat *ret)
{
	struct cg_stat st;
	const char *loaded = NULL;
	char text[4096] = "";

	memset(&st, 0xff, sizeof(st)); /* CG_UNSET in every field */
	for (size_t i = 0; i < ARRAY_SIZE(sources); i++) {
		uint64_t *field = (uint64_t *)((char *)&st + sources[i].field);

		if (!str_eq(loaded, sources[i].file)) {
			loaded = sources[i].file;
			if (cg_read(cg, loaded, text, sizeof(text)) < 0)
				text[0] = '\0';
		}
		if (sources[i].key)
			cg_find_key(text, sources[i].key, field);
		else
			parse_number(text, field);
	}
	/* cpu.stat is there in every cgroup but a removed one. */
	if (st.cpu_usec == CG_UNSET)
		return -ENODEV;
	*ret = st;
	return 0;
}

struct pid_list {
	pid_t *pids;
	size_t n, max;
};

static int add_own(int cg, struct pid_list *l)
{
	auto_free char *text = NULL;
	long n = file_read_at(cg, "cgroup.procs", PROCS_MAX, &text, NULL);
	char *at = text, *end;

	/* A threaded cgroup's processes are listed by its domain. */
	if (n < 0)
		return n == -EOPNOTSUPP ? 0 : (int)n;
	while (l->n < l->max && *at) {
		long pid = strtol(at, &end, 10);

		if (end == at)
			break;
		/* 0: a process outside our pid namespace. */
		if (pid > 0)
			l->pids[l->n++] = (pid_t)pid;
		at = *end ? end + 1 : end;
	}
	return 0;
}

static int add_below(int cg, struct pid_list *l, unsigned depth)
{
	int fd = openat(cg, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), r = add_own(cg, l);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;

	if (!d)
		return fd < 0 ? -errno : (close(fd), -ENOMEM);
	while (r == 0 && depth < DEPTH_MAX && l->n < l->max && (e = readdir(d)) != NULL) {
		auto_fd int child = -1;

		if (e->d_type != DT_DIR || str_eq(e->d_name, ".") || str_eq(e->d_name, ".."))
			continue;
		child = openat(cg, e->d_name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (child >= 0)
			r = add_below(child, l, depth + 1);
	}
	closedir(d);
	/* Removed while we were in it. */
	return r == -ENODEV || r == -ENOENT ? 0 : r;
}

long cg_read_pids(int cg, pid_t *pids, size_t max)
{
	struct pid_list l = { .pids = pids, .max = max };
	int r = add_below(cg, &l, 0);

	return r < 0 ? r : (long)l.n;
}
