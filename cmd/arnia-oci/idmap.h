/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef ARNIA_OCI_IDMAP_H
#define ARNIA_OCI_IDMAP_H
/* Maps of a user namespace that a plain user makes (user_namespaces(7)): one id of one's own by oneself, more by newuidmap(1) and
 * newgidmap(1), which look at /etc/subuid and /etc/subgid. */
#include <sys/types.h>
#include "lib/base/error.h"
#include "lib/sandbox/sandbox_config.h"

int idmap_write_for(pid_t pid, const struct sandbox_config *c, struct error *err);

#endif
