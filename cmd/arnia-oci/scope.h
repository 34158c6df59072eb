/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef ARNIA_OCI_SCOPE_H
#define ARNIA_OCI_SCOPE_H
#include "lib/base/error.h"
#include "lib/base/mem.h"

/* arnia-oci-scope, beside ourselves or where it is installed. */
int scope_program(struct arena *m, const char **ret, struct error *err);
/* Run it; *ret_output (malloc'ed, may be NULL) is its line. What it says when it fails is the error. */
int scope_exec(const struct strv *argv, char **ret_output, struct error *err);

#endif
