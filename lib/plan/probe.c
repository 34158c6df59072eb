/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include "lib/plan/build.h"

static int probe(const char *path, struct plan_node *ret, struct error *err)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return err_set_kind(err, -errno, errno == ENOENT ? ERR_NOT_FOUND : ERR_FAILED,
				    "device %s: %m", path);
	if (!S_ISCHR(st.st_mode) && !S_ISBLK(st.st_mode))
		return err_set_kind(err, -ENODEV, ERR_USAGE, "device %s: is no device", path);
	*ret = (struct plan_node){
		.path = path,
		.type = S_ISCHR(st.st_mode) ? 'c' : 'b',
		.major = major(st.st_rdev),
		.minor = minor(st.st_rdev),
	};
	return 0;
}

int plan_probe_nodes(const struct spec *s, struct arena *a, struct plan_node **ret, size_t *ret_n,
		     struct error *err)
{
	struct plan_node *nodes = arena_alloc_n(a, s->devices.n, sizeof(*nodes));

	for (size_t i = 0; i < s->devices.n; i++) {
		struct spec_device d;
		int r;

		if (spec_device_parse(a, s->devices.v[i], &d) < 0)
			return err_set_kind(err, -EINVAL, ERR_USAGE, "device \"%.80s\": not understood",
					    s->devices.v[i]);
		r = probe(d.path, &nodes[i], err);
		if (r < 0)
			return r;
	}
	*ret = nodes;
	*ret_n = s->devices.n;
	return 0;
}
