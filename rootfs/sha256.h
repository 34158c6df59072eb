/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef ARNIA_ROOTFS_SHA256_H
#define ARNIA_ROOTFS_SHA256_H
/* SHA-256 (FIPS 180-4). Names builds; nothing is verified with it against an attacker's timing. */
#include <stddef.h>
#include <stdint.h>

struct sha256 {
	uint32_t state[8];
	uint64_t length; /* bytes so far */
	uint8_t block[64];
};
void sha256_init(struct sha256 *s);
void sha256_add(struct sha256 *s, const void *p, size_t n);
void sha256_hex(struct sha256 *s, char out[65]); /* ends it */

#endif
