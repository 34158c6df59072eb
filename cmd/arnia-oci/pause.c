/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include "cgroup/cgroup.h"
#include "cmd/arnia-oci/cmd.h"
#include "lib/base/fd.h"

#define FREEZE_WAIT_MS 10000

static bool is_frozen(const struct cg_events *ev)
{
	return ev->frozen;
}

static bool is_thawed(const struct cg_events *ev)
{
	return !ev->frozen;
}

static int set_frozen(const struct record *r, bool frozen, struct error *err)
{
	auto_fd int cg = record_cgroup(r, err);
	int code;

	if (cg < 0)
		return cg;
	code = cg_freeze(cg, frozen, err);
	if (code == 0)
		code = cgroup_wait(cg, frozen ? is_frozen : is_thawed, FREEZE_WAIT_MS, err);
	if (code < 0 && frozen)
		(void)cg_freeze(cg, false, NULL);
	return code < 0 ? err_prefix(err, "%s container %.64s", frozen ? "freeze" : "thaw", r->id) : 0;
}

static int change(struct call *c, bool frozen, struct error *err)
{
	struct record r = RECORD_NONE;
	enum oci_status status = OCI_STOPPED;
	int code = store_load(c->g.root, c->id, true, &r, err);

	if (code == 0)
		code = record_status(&r, &status, NULL, err);
	if (code == 0 && frozen && status != OCI_RUNNING && status != OCI_CREATED)
		code = err_set_kind(err, -EBUSY, ERR_STATE,
				    status == OCI_PAUSED ? "container not running, but paused"
							 : "container not running");
	if (code == 0 && !frozen && status != OCI_PAUSED)
		code = err_set_kind(err, -EBUSY, ERR_STATE, "container not paused");
	if (code == 0)
		code = set_frozen(&r, frozen, err);
	record_done(&r);
	return code;
}

int cmd_pause(struct call *c, struct error *err)
{
	return change(c, true, err);
}

int cmd_resume(struct call *c, struct error *err)
{
	return change(c, false, err);
}
