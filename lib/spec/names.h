/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef ARNIA_SPEC_NAMES_H
#define ARNIA_SPEC_NAMES_H
/* Names of capabilities and network modes. The tables are our own: a spec is decoded where
 * libcap is not linked. */
#include <stdint.h>
#include "netns/net_config.h"

/* Every capability we know by name (linux/capability.h), and the value of "ALL". */
#define SPEC_CAPS_ALL ((UINT64_C(1) << 41) - 1)

/* "CAP_NET_RAW", "net_raw", "ALL"; letter case does not matter. 0 or -ENOENT. */
int spec_cap_parse(const char *name, uint64_t *ret_bits);
/* "NET_RAW" for its number; NULL when unknown. */
const char *spec_cap_name(unsigned cap);

/* "none", "host", "routed". */
const char *spec_net_name(enum net_mode mode);

#endif
