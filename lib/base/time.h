/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef ARNIA_BASE_TIME_H
#define ARNIA_BASE_TIME_H
#include <stdint.h>
uint64_t time_mono_ms(void);
uint64_t time_mono_us(void);
uint64_t time_real_ns(void);
/* "2026-01-31T12:00:00.123456789Z" (RFC 3339, UTC); buf >= 40 bytes; returns buf. */
char *time_rfc3339(uint64_t real_ns, char *buf);
/* RFC 3339, "@SECONDS", or a duration back from now ("10m"); 0 or -EINVAL. */
int time_parse(const char *s, uint64_t now_ns, uint64_t *ret_ns);
#endif
