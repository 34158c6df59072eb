/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef ARNIA_BASE_RLIMITS_H
#define ARNIA_BASE_RLIMITS_H
/* Names of resource limits (setrlimit(2)). */
#include <stdint.h>

/* "nofile", "NOFILE", "RLIMIT_NOFILE" -> RLIMIT_*. 0 or -ENOENT. */
int rlimit_number(const char *name, uint32_t *ret);
/* "nofile" for its number; NULL when unknown. */
const char *rlimit_name(uint32_t resource);

#endif
