/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <string.h>
#include "lib/base/str.h"
#include "lib/oci/oci.h"

#define ID_MAX 1024

int oci_id_check(const char *id, struct error *err)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_+,-.";
	size_t n = strspn(id, letters);

	if (!n || id[n] || n > ID_MAX || str_eq(id, ".") || str_eq(id, ".."))
		return err_set_kind(err, -EINVAL, ERR_USAGE, "invalid container ID format: \"%.64s\"", id);
	return 0;
}
