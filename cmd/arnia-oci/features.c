/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <limits.h>
#include <string.h>
#include <unistd.h>
#include "cmd/arnia-oci/cmd.h"
#include "lib/base/json.h"
#include "lib/base/path.h"
#include "lib/base/str.h"
#include "lib/base/version.h"
#include "lib/sandbox/sandbox.h"
#include "lib/spec/names.h"

static struct strv cap_names(struct arena *a)
{
	struct strv names = { 0 };
	const char *name;

	for (unsigned cap = 0; (name = spec_cap_name(cap)); cap++)
		*arena_push(a, &names) = arena_fmt(a, "CAP_%s", name);
	return names;
}

static bool has_scope_program(void)
{
	char dir[PATH_MAX];
	auto_free char *path = NULL;

	if (proc_self_dir(dir, sizeof(dir)) < 0)
		return false;
	path = str_fmt("%s/arnia-oci-scope", dir);
	return access(path, X_OK) == 0;
}

const char *program_find(struct arena *a, const char *name)
{
	auto_free char *list = str_dup(getenv("PATH") ?: "/usr/sbin:/usr/bin:/sbin:/bin");
	char *rest = list, *dir;

	if (strchr(name, '/'))
		return access(name, X_OK) == 0 ? name : NULL;
	while ((dir = strsep(&rest, ":"))) {
		const char *path = arena_fmt(a, "%s/%s", *dir ? dir : ".", name);

		if (access(path, X_OK) == 0)
			return path;
	}
	return NULL;
}

int cmd_features(struct call *c, struct error *err)
{
	struct strv caps = cap_names(&c->arena), actions = { 0 }, archs = { 0 };
	char seccomp[SECCOMP_VERSION_SIZE];
	struct oci_features_input in = {
		.runtime_version = ARNIA_VERSION,
		.caps = &caps,
		.seccomp_actions = &actions,
		.seccomp_archs = &archs,
		.seccomp_version = seccomp,
		.systemd = has_scope_program(),
		.criu = program_find(&c->arena, c->g.criu),
	};
	auto_json json *j = NULL;

	seccomp_known(&c->arena, &actions, &archs, seccomp);
	j = oci_features(&in);
	return print_json(j, true, err);
}
