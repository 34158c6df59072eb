/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef ARNIA_SCOPE_H
#define ARNIA_SCOPE_H
/*
 * A scope of systemd for a container: made, changed and stopped over D-Bus (org.freedesktop.systemd1). A program of its own, so that
 * arnia-oci needs no libsystemd.
 */
#include <systemd/sd-bus.h>
#include "lib/base/error.h"
#include "lib/base/mem.h"

#define SCOPE_TIMEOUT_US (30ull * 1000 * 1000)

/* One property; consecutive arguments "NAME=as:..." are one. */
struct prop {
	const char *name, *type;
	const char *value; /* "" for an empty "as" */
	struct strv list; /* "as" */
};
struct request {
	const char *verb, *unit, *slice;
	uint32_t pid;
	bool user;
	ARRAY_OF(struct prop) props;
};

/* props.c */
/* "NAME=TYPE:VALUE", checked but for numbers. Appends to r->props. */
int prop_parse(struct arena *a, const char *text, struct request *r, struct error *err);
/* Those that this version of systemd does not know are left out; what they stand for is in the control files anyway. */
bool prop_is_known(const struct prop *p, unsigned version, bool starting);
/* Append as (sv). Negative errno; -EINVAL for a value that is not of its type. */
int prop_append(sd_bus_message *m, const struct prop *p);

/* bus.c */
struct manager {
	sd_bus *bus;
	const char *name; /* of the service on the bus; NULL on a connection to systemd itself */
	unsigned version; /* of systemd, 0 when it does not say */
};
int manager_open(bool user, struct manager *ret, struct error *err);
void manager_done(struct manager *m);
/* A method of org.freedesktop.systemd1.Manager, its message to be filled in. */
int manager_method(struct manager *m, const char *method, sd_bus_message **ret);
/* Send it. The error is that of systemd; -EEXIST and -ENOENT where the unit is there or is not. */
int manager_call(struct manager *m, sd_bus_message *msg, sd_bus_message **ret_reply, struct error *err);
/* The same for StartTransientUnit and StopUnit: returns when the job is done. */
int manager_run_job(struct manager *m, sd_bus_message *msg, struct error *err);
/* Property of the unit as text; the caller frees it. */
int manager_unit_string(struct manager *m, const char *unit, const char *interface, const char *name, char **ret, struct error *err);

#endif
