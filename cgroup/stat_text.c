/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The files that say how much is used, as they are. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <string.h>
#include "lib/base/fd.h"
#include "lib/base/file.h"
#include "lib/base/mem.h"
#include "lib/base/path.h"
#include "lib/base/str.h"
#include "cgroup/internal.h"

#define TEXT_MAX (256u << 10)

static const char *const files[] = {
	"cpu.stat",	     "cpu.pressure",	   "memory.stat",     "memory.current", "memory.max",	  "memory.peak",
	"memory.events",     "memory.swap.current", "memory.swap.max", "memory.swap.events", "memory.pressure", "pids.current",
	"pids.max",	     "io.stat",		   "io.pressure",
};

/* Not every kernel and controller has every file, and those of pressure can be there and off: whoever wants all goes on. */
static int add(int cg, const char *name, struct arena *a, struct cg_stat_text *st)
{
	auto_free char *text = NULL;
	long n = file_read_at(cg, name, TEXT_MAX, &text, NULL);

	if (n >= 0)
		*arena_push(a, &st->files) = (struct cg_file_text){ .name = arena_str(a, name), .text = arena_str(a, text) };
	return n < 0 ? (int)n : 0;
}

/* hugetlb.SIZE.current and .events, for the sizes there are; not those of reservations. */
static bool is_hugetlb(const char *name)
{
	const char *size = str_after(name, "hugetlb.");
	const char *dot = size ? strchr(size, '.') : NULL;

	return dot && (str_eq(dot, ".current") || str_eq(dot, ".events"));
}

static int add_hugetlb(int cg, struct arena *a, struct cg_stat_text *st)
{
	int fd = openat(cg, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);

	if (!dir) {
		fd_close(&fd);
		return -ENODEV;
	}
	for (struct dirent *e = readdir(dir); e; e = readdir(dir))
		if (is_hugetlb(e->d_name))
			add(cg, e->d_name, a, st);
	closedir(dir);
	return 0;
}

int cg_read_stat_text(int cg, struct arena *a, struct cg_stat_text *ret)
{
	struct cg_stat_text st = { 0 };
	int r;

	if (!path_fd_is_fs(cg, CGROUP2_SUPER_MAGIC))
		return -EXDEV;
	/* The first, cpu.stat, is there in every cgroup but a removed one. */
	if (add(cg, files[0], a, &st) < 0)
		return -ENODEV;
	for (size_t i = 1; i < ARRAY_SIZE(files); i++)
		add(cg, files[i], a, &st);
	r = add_hugetlb(cg, a, &st);
	if (r == 0)
		*ret = st;
	return r;
}
