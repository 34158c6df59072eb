/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Rules for paths inside: mounts and devices. */
#include <limits.h>
#include <string.h>
#include "lib/spec/internal.h"

#define MOUNTS_MAX 256
#define DEVICES_MAX 64

bool spec_path_is_normal(const char *s)
{
	size_t n = strnlen(s, PATH_MAX);

	if (s[0] != '/' || n >= PATH_MAX || !spec_text_is_clean(s))
		return false;
	if (n == 1)
		return true;
	for (const char *p = s; *p;) {
		size_t len = strcspn(++p, "/");

		if (!len || (len == 1 && p[0] == '.') || (len == 2 && p[0] == '.' && p[1] == '.'))
			return false;
		p += len;
	}
	return true;
}

bool spec_path_is_in(const char *path, const char *root)
{
	const char *rest = str_after(path, root);

	return rest && (!*rest || *rest == '/');
}

/* What a view of /proc (lxcfs) may be put over, read-only. Anything else there lets the runtime's own writes
 * to procfs be led astray (CVE-2019-16884, CVE-2023-27561, CVE-2025-52881). */
static bool is_proc_view(const char *target)
{
	static const char *const files[] = {
		"/proc/cpuinfo", "/proc/diskstats", "/proc/meminfo",
		"/proc/stat",	 "/proc/swaps",	    "/proc/uptime",
		"/proc/loadavg", "/proc/slabinfo",  "/proc/sys/kernel/ns_last_pid",
	};

	for (size_t i = 0; i < ARRAY_SIZE(files); i++)
		if (str_eq(target, files[i]))
			return true;
	return false;
}

static void check_target(struct spec_check *c, size_t i, const struct spec_mount *m)
{
	static const char *const ours[] = { "/proc", "/sys", "/dev" };

	if (!m->target || !spec_path_is_normal(m->target)) {
		spec_violation(c, "mounts[%zu].target: \"%.60s\" is no absolute, normal path", i,
			       m->target ?: "");
		return;
	}
	if (str_eq(m->target, "/"))
		spec_violation(c, "mounts[%zu].target: the root is the image's", i);
	if (str_eq(m->target, "/dev/shm"))
		return;
	if (is_proc_view(m->target)) {
		if (!str_eq(m->type, "bind") || !m->readonly)
			spec_violation(c, "mounts[%zu]: %s takes only a read-only bind", i, m->target);
		return;
	}
	for (size_t k = 0; k < ARRAY_SIZE(ours); k++)
		if (spec_path_is_in(m->target, ours[k]))
			spec_violation(c, "mounts[%zu].target: nothing is mounted in %s but by arnia", i,
				       ours[k]);
}

static void check_bind(struct spec_check *c, size_t i, const struct spec_mount *m)
{
	if (!m->source || !spec_path_is_normal(m->source))
		spec_violation(c, "mounts[%zu].source: \"%.60s\" is no absolute, normal path", i,
			       m->source ?: "");
	if (m->size)
		spec_violation(c, "mounts[%zu].size: only a tmpfs has one", i);
	if (m->mode)
		spec_violation(c, "mounts[%zu].mode: only a tmpfs has one", i);
}

static void check_tmpfs(struct spec_check *c, size_t i, const struct spec_mount *m)
{
	if (m->source)
		spec_violation(c, "mounts[%zu].source: a tmpfs has none", i);
	if (m->size && m->size < 4096)
		spec_violation(c, "mounts[%zu].size: less than a page", i);
	if (m->mode & ~07777U)
		spec_violation(c, "mounts[%zu].mode: more than 07777", i);
}

void spec_check_mounts(struct spec_check *c, const struct spec *s)
{
	if (s->mounts.n > MOUNTS_MAX) {
		spec_violation(c, "mounts: more than %d", MOUNTS_MAX);
		return;
	}
	for (size_t i = 0; i < s->mounts.n; i++) {
		const struct spec_mount *m = &s->mounts.v[i];

		check_target(c, i, m);
		if (str_eq(m->type, "bind"))
			check_bind(c, i, m);
		else if (str_eq(m->type, "tmpfs"))
			check_tmpfs(c, i, m);
		else
			spec_violation(c, "mounts[%zu].type: expected bind or tmpfs", i);
		for (size_t k = 0; m->target && k < i; k++)
			if (str_eq(s->mounts.v[k].target, m->target))
				spec_violation(c, "mounts[%zu].target: %.60s is there twice", i, m->target);
	}
}

/* Places in /dev that every container has. */
static bool is_standard_device(const char *target)
{
	static const char *const places[] = {
		"/dev/null",   "/dev/zero",    "/dev/full",  "/dev/random", "/dev/urandom",
		"/dev/tty",    "/dev/console", "/dev/ptmx",  "/dev/pts",    "/dev/shm",
		"/dev/mqueue", "/dev/fd",      "/dev/stdin", "/dev/stdout", "/dev/stderr",
	};

	for (size_t i = 0; i < ARRAY_SIZE(places); i++)
		if (spec_path_is_in(target, places[i]))
			return true;
	return false;
}

void spec_check_devices(struct spec_check *c, const struct spec *s)
{
	struct arena a = { 0 };
	struct strv seen = { 0 };
	struct spec_device d;

	if (s->devices.n > DEVICES_MAX) {
		spec_violation(c, "devices: more than %d", DEVICES_MAX);
		return;
	}
	for (size_t i = 0; i < s->devices.n; i++) {
		if (spec_device_parse(&a, s->devices.v[i], &d) < 0) {
			spec_violation(c, "devices[%zu]: \"%.60s\" is not /dev/PATH[:/dev/TARGET][:rwm]", i,
				       s->devices.v[i]);
			continue;
		}
		if (is_standard_device(d.target))
			spec_violation(c, "devices[%zu]: every container has its own %s", i, d.target);
		for (size_t k = 0; k < seen.n; k++)
			if (str_eq(seen.v[k], d.target))
				spec_violation(c, "devices[%zu]: %.60s is there twice", i, d.target);
		strv_push(&a, &seen, d.target);
	}
	arena_done(&a);
}
