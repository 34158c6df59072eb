/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include "cgroup/cgroup.h"
#include "cmd/arnia-oci/cmd.h"
#include "lib/base/fd.h"
#include "lib/base/file.h"
#include "lib/base/json.h"
#include "lib/base/str.h"

#define RESOURCES "resources.json" /* beside state.json: what an update has left */
#define RESOURCES_MAX (1u << 20)

static const char *flag_text(void *call, const char *flag)
{
	return opt_get(call, flag);
}

static json *parse_resources(const char *text, long n, struct error *err)
{
	json *j = json_parse(text, (size_t)n, err);

	if (j && json_kind_of(j) != JSON_OBJECT) {
		err_set_kind(err, -EINVAL, ERR_USAGE, "expected an object");
		json_unref(j);
		return NULL;
	}
	return j;
}

static json *read_new(struct call *c, struct error *err)
{
	static const char *const ignored[] = { "kernel-memory", "kernel-memory-tcp" };
	const char *path = opt_get(c, "resources");
	auto_free char *text = NULL;
	json *j = NULL;
	long n;

	if (!path) {
		for (size_t i = 0; i < ARRAY_SIZE(ignored); i++)
			if (opt_get(c, ignored[i]))
				report(&c->g, REPORT_WARN, "--%s has no effect", ignored[i]);
		return oci_update_resources(flag_text, c, err);
	}
	n = file_read_named(str_eq(path, "-") ? "/dev/stdin" : path, RESOURCES_MAX, &text, err);
	if (n >= 0)
		j = parse_resources(text, n, err);
	if (!j)
		err_prefix(err, "--resources %.200s", path);
	return j;
}

/* Of the last update, else of the configuration; NULL when there are none. */
static json *read_old(const struct record *r)
{
	auto_json json *config = NULL;
	auto_free char *text = NULL;
	const json *linux_ = NULL, *resources = NULL;
	long n = file_read_at(r->dir, RESOURCES, RESOURCES_MAX, &text, NULL);

	if (n >= 0)
		return parse_resources(text, n, NULL);
	config = record_config(r);
	if (config && json_kind_of(config) == JSON_OBJECT && json_get_obj(config, "linux", &linux_, NULL) > 0)
		(void)json_get_obj(linux_, "resources", &resources, NULL);
	return json_ref((json *)resources);
}

/* systemd must know, or it sets its own values again. */
static int tell_systemd(struct call *c, const struct record *r, const struct cg_config *cg, struct error *err)
{
	struct strv props = { 0 }, argv = { 0 };
	int code = r->scope ? oci_scope_props(cg, &c->arena, &props, err) : 0;

	if (code < 0 || !props.n)
		return code;
	for (size_t i = 0; i < props.n; i++) {
		strv_push(&c->arena, &argv, "--property");
		strv_push(&c->arena, &argv, props.v[i]);
	}
	return scope_run(r, "set", &argv, err);
}

static int apply(struct call *c, const struct record *r, const json *new, const json *all, struct error *err)
{
	struct cg_config cfg = { .limits = CG_LIMITS_NONE };
	auto_fd int cg = record_cgroup(r, err);
	struct cg_stat st;
	const json *devices = NULL;
	int code = cg < 0 ? cg : oci_resources_decode(all, &c->arena, &cfg, err);

	if (code == 0 && cg_read_stat(cg, &st) == 0 && st.mem_bytes != CG_UNSET)
		code = oci_memory_check(all, st.mem_bytes, err);
	if (code == 0)
		code = tell_systemd(c, r, &cfg, err);
	if (code == 0)
		code = cg_write_list(cg, cfg.writes.v, cfg.writes.n, err);
	if (code == 0 && json_get_arr(new, "devices", &devices, NULL) > 0)
		code = cg_set_devices(cg, cfg.devices.v, cfg.devices.n, err);
	return code;
}

static int keep(const struct record *r, const json *all, struct error *err)
{
	auto_free char *text = json_text(all, false);

	return file_write_atomic_at(r->dir, RESOURCES, text, strlen(text), 0600, false, err);
}

static int refuse_rdt(const struct call *c, struct error *err)
{
	const char *given = opt_get(c, "l3-cache-schema") ? "l3-cache-schema"
			    : opt_get(c, "mem-bw-schema") ? "mem-bw-schema"
							  : NULL;

	if (!given)
		return 0;
	return err_set_kind(err, -EOPNOTSUPP, ERR_UNSUPPORTED,
			    "--%s: Intel RDT is not changed in a live container", given);
}

int cmd_update(struct call *c, struct error *err)
{
	struct record r = RECORD_NONE;
	auto_json json *new = NULL, *old = NULL, *all = NULL;
	enum oci_status status = OCI_STOPPED;
	int code = refuse_rdt(c, err);

	if (code == 0)
		code = store_load(c->g.root, c->id, true, &r, err);
	if (code == 0)
		code = record_status(&r, &status, NULL, err);
	if (code == 0 && status == OCI_STOPPED)
		code = err_set_kind(err, -ESRCH, ERR_STATE, "container not running");
	if (code == 0 && !(new = read_new(c, err)))
		code = -EINVAL;
	if (code == 0) {
		old = read_old(&r);
		all = oci_resources_merge(old, new);
		code = apply(c, &r, new, all, err);
	}
	if (code == 0)
		code = keep(&r, all, err);
	record_done(&r);
	return code;
}
