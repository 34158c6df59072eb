/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include "cmd/arnia-oci/engine.h"

int container_delete(struct call *c, struct record *r, struct error *err)
{
	struct error hooks = { 0 };
	int code = container_destroy(c, r, err);

	if (code == 0 && hooks_run_poststop(c, r, &hooks) < 0)
		report(&c->g, REPORT_WARN, "%s", hooks.text);
	return code;
}

static int delete_record(struct call *c, struct record *r, struct error *err)
{
	enum oci_status status = OCI_STOPPED;
	int code = record_status(r, &status, NULL, err);

	if (code < 0)
		return code;
	if (!opt_has(c, "force") && status != OCI_STOPPED && status != OCI_CREATED)
		return err_set_kind(err, -EBUSY, ERR_STATE,
				    "cannot delete container %.64s that is not stopped: %s", r->id,
				    oci_status_name(status));
	return container_delete(c, r, err);
}

/* What an interrupted creation or a damaged disk left. */
static int delete_rest(struct call *c, const char *id, struct error *err)
{
	struct record r = RECORD_NONE;
	int code = store_open(c->g.root, id, &r, err);

	if (code == 0)
		code = store_remove(c->g.root, &r, err);
	record_done(&r);
	return code;
}

static int delete_one(struct call *c, const char *id, void *arg, struct error *err)
{
	struct record r = RECORD_NONE;
	struct error why = { 0 };
	bool force = opt_has(c, "force");
	int code = store_load(c->g.root, id, true, &r, &why), rest = 0;

	(void)arg;
	if (code == 0)
		code = delete_record(c, &r, &why);
	else if (code == -ENOENT || (code == -EBADMSG && force))
		rest = delete_rest(c, id, err);
	record_done(&r);
	if (rest < 0 && rest != -ENOENT)
		return rest;
	if (code == 0 || (force && (code == -ENOENT || code == -EBADMSG)))
		return 0;
	*err = why;
	return code;
}

int cmd_delete(struct call *c, struct error *err)
{
	return opt_has(c, "regex") ? each_match(c, delete_one, NULL, err) : delete_one(c, c->id, NULL, err);
}
