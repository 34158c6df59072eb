/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>
#include "cmd/arnia-oci/engine.h"
#include "lib/base/fd.h"
#include "lib/base/file.h"
#include "lib/base/str.h"

/* Of the initial user namespace: all ids are mapped to themselves (user_namespaces(7)). */
static bool in_initial_userns(void)
{
	auto_free char *text = NULL;
	unsigned inside, outside, count;

	if (file_read_at(AT_FDCWD, "/proc/self/uid_map", 4096, &text, NULL) < 0)
		return true;
	return sscanf(text, "%u %u %u", &inside, &outside, &count) == 3 && inside == 0 && outside == 0 &&
	       count == UINT32_MAX;
}

bool caller_is_root(void)
{
	return geteuid() == 0 && in_initial_userns();
}

bool caller_is_plain(const struct call *c)
{
	if (c->g.rootless >= 0)
		return c->g.rootless || geteuid() != 0;
	return !caller_is_root();
}

static bool is_unified(void)
{
	struct statfs fs;

	return statfs("/sys/fs/cgroup", &fs) == 0 && fs.f_type == CGROUP2_SUPER_MAGIC;
}

static int decode(const struct call *c, json *j, const char *bundle, struct oci_config *ret, struct error *err)
{
	const struct oci_input in = { .bundle = bundle,
				      .rootless = caller_is_plain(c),
				      .cgroup_v2_only = is_unified() };
	int r = j ? oci_config_decode(j, &in, ret, err) : -EINVAL;

	return r < 0 ? (err_prefix(err, "config.json"), r) : 0;
}

/* A regular file, so that nothing waits for a fifo's other end. */
static long read_of_bundle(const char *path, char **ret, struct error *err)
{
	auto_fd int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	long n = fd < 0 ? -errno : file_read_fd(fd, OCI_CONFIG_MAX, ret, NULL);

	return n < 0 ? err_sys(err, (int)n, "read %s", path) : n;
}

int config_load(struct call *c, const char *bundle, struct oci_config *ret, char **ret_text, struct error *err)
{
	const char *given = opt_get(c, "config");
	auto_free char *path = given ? str_dup(given) : str_fmt("%s/config.json", bundle), *text = NULL;
	long n = given ? file_read_named(path, OCI_CONFIG_MAX, &text, err) : read_of_bundle(path, &text, err);
	auto_json json *j = n < 0 ? NULL : json_parse_bounded(text, (size_t)n, OCI_NESTED_MAX, err);
	bool more;
	int r;

	if (n < 0)
		return (int)n;
	more = notify_add(c, j);
	r = decode(c, j, bundle, ret, err);
	if (r == 0)
		*ret_text = more ? json_text(j, false) : ptr_steal(&text);
	return r;
}

int config_of_record(const struct call *c, const struct record *r, struct oci_config *ret, struct error *err)
{
	auto_json json *j = NULL;

	if (!r->config)
		return err_set(err, -EBADMSG, "the container's configuration is lost");
	j = json_parse_bounded(r->config, strlen(r->config), OCI_NESTED_MAX, err);
	return decode(c, j, r->bundle, ret, err);
}
