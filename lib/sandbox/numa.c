/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "lib/sandbox/list.h"
#include "lib/sandbox/sandbox.h"

int mempolicy_apply(const struct sandbox_config *c, struct error *err)
{
	struct list l;
	const char *nodes = c->mempolicy_nodes;
	int r = nodes ? list_parse(nodes, &l) : 0;

	if (r < 0)
		return err_set_kind(err, r, ERR_USAGE, "memory nodes \"%.64s\": expected a list as 0-1", nodes);
	if (!c->mempolicy)
		return 0;
	/* The kernel takes one bit less than it is told (set_mempolicy(2), BUGS of get_mempolicy(2)). */
	if (syscall(SYS_set_mempolicy, (long)c->mempolicy, nodes ? l.bits : NULL, nodes ? LIST_BITS + 1ul : 0ul) == 0)
		return 0;
	if (errno == ENOSYS)
		return err_set_kind(err, -ENOSYS, ERR_UNSUPPORTED, "memory policy: this kernel has none");
	return err_sys(err, -errno, "memory policy %#x, nodes \"%.64s\"", c->mempolicy, nodes ? nodes : "");
}
