/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include "cmd/arnia-oci/engine.h"
int rdt_place(struct act *a, struct error *err)
{
	return a->config.rdt.set ? err_set(err, -EOPNOTSUPP, "linux.intelRdt") : 0;
}
void rdt_remove(const char *id, const struct oci_config *config)
{
	(void)id;
	(void)config;
}
