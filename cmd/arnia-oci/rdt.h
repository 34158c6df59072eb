/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef ARNIA_OCI_RDT_H
#define ARNIA_OCI_RDT_H
/* A group of resctrl (Documentation/arch/x86/resctrl.rst) for a container. */
#include <stdbool.h>
#include <sys/types.h>
#include "lib/base/error.h"
#include "lib/oci/oci.h"

struct rdt {
	int root;	/* where resctrl is mounted */
	long magic;	/* of its filesystem: nothing else is written to */
	const char *id; /* of the container */
	const struct oci_rdt *config;
};
/* Put a process into the group of its class, which is made unless one is to be there already: *ret_made.
 * Nothing that was made stays on failure. */
int rdt_enter(const struct rdt *r, pid_t pid, bool *ret_made, struct error *err);
/* Take away what was made for the container alone. */
void rdt_leave(const struct rdt *r, bool made);

#endif
