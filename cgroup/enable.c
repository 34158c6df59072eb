/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Controllers: which there are, and switching them on from the top down (cgroup-v2.rst, "Enabling and
 * Disabling"). */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "lib/base/fd.h"
#include "lib/base/file.h"
#include "lib/base/mem.h"
#include "lib/base/path.h"
#include "lib/base/str.h"
#include "cgroup/internal.h"

#define WHY_SIZE 256

static const struct {
	const char *name;
	const char *v1_name; /* in /proc/cgroups */
	uint32_t bit;
} controllers[] = {
	{ "cpu", "cpu", CG_CTL_CPU }, { "memory", "memory", CG_CTL_MEMORY }, { "pids", "pids", CG_CTL_PIDS },
	{ "io", "blkio", CG_CTL_IO }, { "cpuset", "cpuset", CG_CTL_CPUSET },
	{ "hugetlb", "hugetlb", CG_CTL_HUGETLB }, { "rdma", "rdma", CG_CTL_RDMA },
	{ "misc", "misc", CG_CTL_MISC },
};

char *cg_controller_names(uint32_t bits, char *buf, size_t size)
{
	size_t n = 0;

	buf[0] = '\0';
	for (size_t i = 0; i < ARRAY_SIZE(controllers); i++)
		if (bits & controllers[i].bit && n < size)
			n += (size_t)snprintf(buf + n, size - n, "%s%s", n ? ", " : "", controllers[i].name);
	return buf;
}

/* "cpuset cpu io": the words we know. */
static uint32_t parse_names(char *text)
{
	uint32_t bits = 0;
	char *save = NULL;

	for (char *w = strtok_r(text, " \n", &save); w; w = strtok_r(NULL, " \n", &save))
		for (size_t i = 0; i < ARRAY_SIZE(controllers); i++)
			if (str_eq(w, controllers[i].name))
				bits |= controllers[i].bit;
	return bits;
}

uint32_t cg_file_controller(const char *file)
{
	size_t n = strcspn(file, ".");

	for (size_t i = 0; i < ARRAY_SIZE(controllers); i++)
		if (strlen(controllers[i].name) == n && strncmp(file, controllers[i].name, n) == 0)
			return controllers[i].bit;
	return 0;
}

int cg_read_controllers(int cg, const char *file, uint32_t *ret)
{
	char text[512];
	long n = cg_read(cg, file, text, sizeof(text));

	if (n < 0)
		return (int)n;
	*ret = parse_names(text);
	return 0;
}

/* Those of `bits` that a cgroup v1 hierarchy holds: "NAME HIERARCHY COUNT ENABLED" with HIERARCHY not 0. */
static uint32_t bound_to_v1(uint32_t bits)
{
	auto_free char *text = NULL;
	uint32_t found = 0;

	if (file_read_at(AT_FDCWD, "/proc/cgroups", 1 << 16, &text, NULL) < 0)
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(controllers); i++) {
		char key[32];
		const char *line;

		snprintf(key, sizeof(key), "\n%s\t", controllers[i].v1_name);
		line = strstr(text, key);
		if (line && line[strlen(key)] != '0')
			found |= controllers[i].bit & bits;
	}
	return found;
}

__attribute__((format(printf, 2, 3))) static void explain(char *why, const char *fmt, ...)
{
	va_list ap;

	if (!why || why[0])
		return;
	va_start(ap, fmt);
	vsnprintf(why, WHY_SIZE, fmt, ap);
	va_end(ap);
}

static void explain_absent(char *why, const char *where, uint32_t bits)
{
	uint32_t v1 = bound_to_v1(bits);
	char names[64];

	if (v1)
		explain(why, "the host has the controllers %s in cgroup v1 (hybrid layout)",
			cg_controller_names(v1, names, sizeof(names)));
	else
		explain(why, "cgroup /%.150s does not have the controllers %s", where,
			cg_controller_names(bits, names, sizeof(names)));
}

static void explain_refused(char *why, const char *where, const char *controller, int code)
{
	if (code == -EBUSY)
		explain(why, "processes in cgroup /%.150s itself keep %s from being enabled below it", where,
			controller);
	else if (code == -EINVAL)
		explain(why, "%s: real-time processes are in the way (cgroup /%.150s)", controller, where);
	else
		explain(why, "enable %s in cgroup /%.150s: %s", controller, where, strerror(-code));
}

/* One level: take from *have what is not, or cannot be made, usable below `cg`. */
static int enable_at(int cg, const char *where, uint32_t *have, char *why)
{
	uint32_t present = 0, on = 0;
	int r = cg_read_controllers(cg, "cgroup.controllers", &present);

	if (r == 0)
		r = cg_read_controllers(cg, "cgroup.subtree_control", &on);
	if (r < 0)
		return r;
	if (*have & ~present)
		explain_absent(why, where, *have & ~present);
	*have &= present;
	/* One write each: one that fails would take the others with it. */
	for (size_t i = 0; i < ARRAY_SIZE(controllers); i++) {
		char text[16];

		if (!(*have & ~on & controllers[i].bit))
			continue;
		snprintf(text, sizeof(text), "+%s", controllers[i].name);
		r = cg_write(cg, "cgroup.subtree_control", text, NULL);
		if (r < 0) {
			explain_refused(why, where, controllers[i].name, r);
			*have &= ~controllers[i].bit;
		}
	}
	return 0;
}

int cg_enable(int root, const char *path, uint32_t want, uint32_t *ret_have, char *why)
{
	auto_free char *at = str_dup(path);
	size_t done = 0, len = strlen(path);
	uint32_t have = want;

	if (len && cg_check_path(path, NULL) < 0)
		return -EINVAL;
	if (why)
		why[0] = '\0';
	for (;;) {
		auto_fd int cg = -1;
		int r;

		at[done] = '\0';
		cg = openat(root, done ? at : ".", O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		r = cg < 0 ? -errno : enable_at(cg, at, &have, why);
		if (r < 0)
			return r;
		if (done == len || !have)
			break;
		at[done] = path[done];
		done += 1 + strcspn(path + done + 1, "/");
	}
	*ret_have = have;
	return 0;
}

void cg_enable_above(int cg, uint32_t want, unsigned depth)
{
	auto_fd int parent = openat(cg, "..", O_PATH | O_DIRECTORY | O_CLOEXEC);
	uint32_t present = 0;

	/* What is above the mount is another file system. */
	if (parent < 0 || depth == 0 || !path_fd_is_fs(parent, CGROUP2_SUPER_MAGIC) ||
	    cg_read_controllers(parent, "cgroup.controllers", &present) < 0)
		return;
	if (want & ~present)
		cg_enable_above(parent, want & ~present, depth - 1);
	enable_at(parent, "", &want, NULL);
}
