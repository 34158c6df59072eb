/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <string.h>
#include "cmd/arniad/daemon.h"
#include "lib/base/failat.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "lib/base/time.h"

/* Rules that need the host: the image is there, asked limits can be given, a published port is not another machine's. */
static int check_host(struct daemon *d, const struct spec *s, struct error *err)
{
	const struct template_desc *t;
	int r = image_get(d, s->image, &t, err);

	return r < 0 ? r : plan_check_limits(s, &d->facts.plan, err);
}

int machine_create(struct daemon *d, const json *spec, bool by_run, struct machine **ret, struct error *err)
{
	struct machine_config c = { .created_ns = time_real_ns(), .by_run = by_run };
	int r;

	if (d->shutting_down)
		return err_set_kind(err, -ESHUTDOWN, ERR_STATE, "the host is being shut down");
	if ((r = spec_decode(spec, &c.spec, err)) < 0)
		return r;
	if (!c.spec.name) {
		auto_free char *name = name_make(d);

		c.spec.name = arena_str(&c.spec.arena, name);
	}
	r = spec_check(&c.spec, err);
	if (r == 0 && machine_by_name(d, c.spec.name)) {
		r = err_set_kind(err, -EEXIST, ERR_STATE, "%s: there is a machine of this name", c.spec.name);
		err_hint(err, "choose another --name, or arnia rm %s", c.spec.name);
	}
	if (r == 0)
		r = check_host(d, &c.spec, err);
	do
		id_make(c.id);
	while (machine_by_id(d, c.id));
	if (r == 0)
		r = store_save_config(&d->store, &c, err);
	if (r < 0) {
		machine_config_done(&c);
		return r;
	}
	(void)fail_at("arniad:after-config");
	*ret = machine_add(d, &c);
	return 0;
}
