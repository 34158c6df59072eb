/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "lib/oci/oci_internal.h"

#define TIMEOUT_MAX (INT64_C(1) << 31) /* seconds */

const char *const oci_hook_names[OCI_HOOKS] = {
	[OCI_PRESTART] = "prestart",
	[OCI_CREATE_RUNTIME] = "createRuntime",
	[OCI_CREATE_CONTAINER] = "createContainer",
	[OCI_START_CONTAINER] = "startContainer",
	[OCI_POSTSTART] = "poststart",
	[OCI_POSTSTOP] = "poststop",
};

struct decode_hooks {
	struct oci_config *c;
	enum oci_hook kind;
};

static int decode_hook(const json *item, void *ctx, struct error *err)
{
	struct decode_hooks *d = ctx;
	struct arena *a = &d->c->arena;
	struct hook_item hook = { 0 };
	int64_t seconds = 0;
	int r = oci_get_abs(item, "path", a, &hook.path, err);

	if (r < 0)
		return r;
	if (!r)
		return oci_bad(err, "path: missing");
	if ((r = json_get_strv(item, "args", a, &hook.args, err)) < 0 ||
	    (r = json_get_strv(item, "env", a, &hook.env, err)) < 0 ||
	    (r = oci_get_range(item, "timeout", 1, TIMEOUT_MAX, &seconds, err)) < 0)
		return r;
	hook.timeout_ms = (uint64_t)seconds * 1000;
	*arena_push(a, &d->c->hooks[d->kind]) = hook;
	return 0;
}

int oci_hooks_decode(const json *j, struct oci_decode *d, struct error *err)
{
	const json *hooks = NULL;
	int r = json_get_obj(j, "hooks", &hooks, err);

	if (r <= 0)
		return r;
	for (enum oci_hook kind = OCI_PRESTART; kind < OCI_HOOKS; kind++) {
		struct decode_hooks h = { .c = d->c, .kind = kind };

		r = oci_each(hooks, oci_hook_names[kind], decode_hook, &h, err);
		if (r < 0)
			return oci_within(err, "hooks.");
	}
	return 0;
}
