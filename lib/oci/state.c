/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "lib/oci/oci_internal.h"

const char *oci_status_name(enum oci_status s)
{
	static const char *const names[] = {
		[OCI_CREATING] = "creating", [OCI_CREATED] = "created", [OCI_RUNNING] = "running",
		[OCI_PAUSED] = "paused",     [OCI_STOPPED] = "stopped",
	};

	return (size_t)s < ARRAY_SIZE(names) ? names[s] : "unknown";
}

json *oci_state(const char *id, enum oci_status status, int pid, const struct oci_config *c)
{
	json *j = json_new_obj(), *annotations;

	json_add_str(j, "ociVersion", OCI_VERSION);
	json_add_str(j, "id", id);
	json_add_str(j, "status", oci_status_name(status));
	/* Of a container that runs no more there is none. */
	if (pid > 0)
		json_add_i64(j, "pid", pid);
	json_add_str(j, "bundle", c->bundle);
	if (!c->annotations.n)
		return j;
	annotations = json_new_obj();
	for (size_t i = 0; i < c->annotations.n; i++)
		json_add_str(annotations, c->annotations.v[i].key, c->annotations.v[i].value);
	json_add(j, "annotations", annotations);
	return j;
}
