/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "lib/base/str.h"
#include "rootfs/internal.h"

/* The kernel labels what is in them itself, or takes no context. */
static bool takes_no_label(const char *fstype)
{
	static const char *const types[] = { "proc", "sysfs", "mqueue", "cgroup2", "cgroup" };

	for (size_t i = 0; i < ARRAY_SIZE(types); i++)
		if (str_eq(fstype, types[i]))
			return true;
	return false;
}

char *label_options(const struct rootfs_config *c, const char *fstype, const char *data)
{
	struct strbuf s = { 0 };

	if (!c->mount_label || !*c->mount_label || takes_no_label(fstype))
		return data ? str_dup(data) : NULL;
	/* Quoted, because categories are separated by commas (mount(8), "context"). */
	strbuf_addf(&s, "%s%scontext=\"%s\"", data ? data : "", data && *data ? "," : "", c->mount_label);
	return strbuf_steal(&s);
}
