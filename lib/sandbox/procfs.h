/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef ARNIA_SANDBOX_PROCFS_H
#define ARNIA_SANDBOX_PROCFS_H
/* Writes below /proc that cannot be led elsewhere: not by a mount over /proc, not by one over a file in it,
 * not by a link (CVE-2019-16884, CVE-2019-19921, CVE-2025-52881). */
#include <stddef.h>
#include "lib/base/error.h"

/* /proc, checked to be the root of a procfs. Descriptor (O_PATH) or -errno. */
int procfs_open(struct error *err);
/* One write to a file below it ("self/oom_score_adj", "sys/net/ipv4/ip_forward"); no mount and no magic link
 * is crossed. */
int procfs_write(int proc, const char *path, const char *text, struct error *err);
/* The start of a file below it, as a string of less than `size` bytes; opened in the same way. Its length or -errno. */
int procfs_read(int proc, const char *path, char *buf, size_t size);

#endif
