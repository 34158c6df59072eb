/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef ARNIA_RPC_IDL_H
#define ARNIA_RPC_IDL_H
/* The varlink interface language (varlink.org/Interface-Definition), as far as checking goes. */
#include "lib/base/error.h"
#include "lib/base/mem.h"

struct idl {
	struct arena arena;
	const char *name;		    /* "io.arnia" */
	struct strv types, methods, errors; /* without the interface's name */
};
/* 0, or -EINVAL with "line N: ..." (syntax, a name given twice, a type that is not defined). */
int idl_parse(const char *text, struct idl *ret, struct error *err);
void idl_done(struct idl *i);

#endif
