/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef ARNIA_BASE_SHA256_H
#define ARNIA_BASE_SHA256_H
/* SHA-256 (FIPS 180-4), for names and checks of cached files. */
#include <stddef.h>
#include <stdint.h>

#define SHA256_SIZE 32
struct sha256 {
	uint32_t h[8];
	uint64_t len;
	uint8_t block[64];
};
void sha256_init(struct sha256 *s);
void sha256_add(struct sha256 *s, const void *p, size_t n);
void sha256_final(struct sha256 *s, uint8_t out[SHA256_SIZE]);
void sha256_hex(struct sha256 *s, char out[2 * SHA256_SIZE + 1]); /* final, as text */

#endif
