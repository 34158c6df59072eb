/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <ctype.h>
#include <string.h>
#include "lib/oci/oci_internal.h"

#define ID_LENGTH_MAX 1024

int oci_id_check(const char *id, struct error *err)
{
	if (str_is_empty(id))
		return oci_bad(err, "the container id must not be empty");
	if (strlen(id) > ID_LENGTH_MAX)
		return oci_bad(err, "the container id is longer than %d bytes", ID_LENGTH_MAX);
	if (!isascii((unsigned char)*id) || !isalnum((unsigned char)*id))
		return oci_bad(err, "the container id \"%.64s\" does not start with a letter or a digit", id);
	for (const char *p = id; *p; p++)
		if (!isascii((unsigned char)*p) || (!isalnum((unsigned char)*p) && !strchr("_+.-", *p)))
			return oci_bad(err, "the container id \"%.64s\" is not of letters, digits and _+-.",
				       id);
	return 0;
}
