/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "lib/rpc/rpc.h"

/* The first name of a kind is the one that is sent; those of varlink itself are only understood. */
static const struct {
	enum err_kind kind;
	const char *name;
} names[] = {
	{ ERR_FAILED, "io.arnia.Failed" },
	{ ERR_USAGE, "io.arnia.Usage" },
	{ ERR_NOT_FOUND, "io.arnia.NotFound" },
	{ ERR_STATE, "io.arnia.WrongState" },
	{ ERR_PERM, "io.arnia.NotPermitted" },
	{ ERR_TIMEOUT, "io.arnia.TimedOut" },
	{ ERR_REFUSED, "io.arnia.Refused" },
	{ ERR_UNSUPPORTED, "io.arnia.Unsupported" },
	{ ERR_CANNOT_RUN, "io.arnia.CannotRun" },
	{ ERR_NO_COMMAND, "io.arnia.NoCommand" },
	{ ERR_UNSUPPORTED, "org.varlink.service.InterfaceNotFound" },
	{ ERR_UNSUPPORTED, "org.varlink.service.MethodNotFound" },
	{ ERR_UNSUPPORTED, "org.varlink.service.MethodNotImplemented" },
	{ ERR_USAGE, "org.varlink.service.InvalidParameter" },
	{ ERR_PERM, "org.varlink.service.PermissionDenied" },
	{ ERR_USAGE, "org.varlink.service.ExpectedMore" },
};

const char *rpc_error_name(enum err_kind kind)
{
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (names[i].kind == kind)
			return names[i].name;
	return names[0].name;
}

enum err_kind rpc_error_kind(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (str_eq(names[i].name, name))
			return names[i].kind;
	return ERR_FAILED;
}
