/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <stdio.h>
#include <unistd.h>
#include "cmd/arnia-oci/cmd.h"
#include "lib/base/json.h"
#include "lib/base/str.h"

/* Of its config.json, which is the bundle's and may be anything. */
static void add_config(json *j, const struct record *r)
{
	auto_json json *config = record_config(r);
	const json *annotations = NULL;
	const char *version = NULL;

	if (config && json_kind_of(config) == JSON_OBJECT) {
		(void)json_get_str(config, "ociVersion", &version, NULL);
		(void)json_get_obj(config, "annotations", &annotations, NULL);
	}
	json_add_str(j, "ociVersion", version ?: OCI_VERSION);
	if (annotations)
		json_add(j, "annotations", json_ref((json *)annotations));
}

int record_show(const struct record *r, json **ret, struct error *err)
{
	struct pidref init;
	enum oci_status status = OCI_STOPPED;
	int code = record_status(r, &status, &init, err);
	json *j;

	if (code < 0)
		return code;
	j = json_new_obj();
	add_config(j, r);
	json_add_str(j, "id", r->id);
	json_add_i64(j, "pid", init.pid);
	json_add_str(j, "status", oci_status_name(status));
	json_add_str(j, "bundle", r->bundle);
	json_add_str(j, "rootfs", r->rootfs ?: "");
	json_add_str(j, "created", r->created);
	json_add_str(j, "owner", r->owner ?: "");
	pidref_done(&init);
	*ret = j;
	return 0;
}

int print_json(const json *j, bool pretty, struct error *err)
{
	auto_free char *text = json_text(j, pretty);

	if (fputs(text, stdout) < 0 || (!pretty && putchar('\n') < 0) || fflush(stdout))
		return err_sys(err, -errno, "write the output");
	return 0;
}

int cmd_state(struct call *c, struct error *err)
{
	struct record r = RECORD_NONE;
	auto_json json *j = NULL;
	int code = store_load(c->g.root, c->id, false, &r, err);

	if (code == 0)
		code = record_show(&r, &j, err);
	if (code == 0)
		code = print_json(j, true, err);
	record_done(&r);
	return code;
}
