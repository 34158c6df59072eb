/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>
#include "cmd/arnia-oci/engine.h"

#define TRIES 5

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
	/* It is locked, so whoever was creating it is gone. */
	if (!opt_has(c, "force") && status != OCI_STOPPED && status != OCI_CREATED && status != OCI_CREATING)
		return err_set_kind(err, -EBUSY, ERR_STATE,
				    "cannot delete container %.64s that is not stopped: %s", r->id,
				    oci_status_name(status));
	return container_delete(c, r, err);
}

/* What an interrupted creation or a damaged disk left. While its lock was waited for, the id may have become another container's:
 * -EAGAIN, and nothing is done. */
static int delete_rest(struct call *c, const char *id, bool damaged, struct error *err)
{
	struct record r = RECORD_NONE;
	int code = store_open(c->g.root, id, &r, err);

	if (code == 0 && !damaged && faccessat(r.dir, "state.json", F_OK, AT_SYMLINK_NOFOLLOW) == 0)
		code = -EAGAIN;
	if (code == 0)
		code = store_remove(c->g.root, &r, err);
	record_done(&r);
	return code;
}

static int delete_once(struct call *c, const char *id, struct error *err)
{
	struct record r = RECORD_NONE;
	struct error why = { 0 };
	bool force = opt_has(c, "force");
	int code = store_load(c->g.root, id, true, &r, &why), rest = 0;

	if (code == 0)
		code = delete_record(c, &r, &why);
	else if (code == -ENOENT || (code == -EBADMSG && force))
		rest = delete_rest(c, id, code == -EBADMSG, err);
	record_done(&r);
	if (rest < 0 && rest != -ENOENT)
		return rest;
	if (code == 0 || (force && (code == -ENOENT || code == -EBADMSG)))
		return 0;
	*err = why;
	return code;
}

static int delete_one(struct call *c, const char *id, void *arg, struct error *err)
{
	int code;

	(void)arg;
	for (int i = 0; i < TRIES; i++)
		if ((code = delete_once(c, id, err)) != -EAGAIN)
			return code;
	return err_set(err, -EAGAIN, "container %.64s is made anew faster than it can be deleted", id);
}

int cmd_delete(struct call *c, struct error *err)
{
	return opt_has(c, "regex") ? each_match(c, delete_one, NULL, err) : delete_one(c, c->id, NULL, err);
}
