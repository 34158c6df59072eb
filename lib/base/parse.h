/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef ARNIA_BASE_PARSE_H
#define ARNIA_BASE_PARSE_H
/* Strict text -> value. Whole string must match, no sign, no space, no overflow. 0 or -EINVAL/-ERANGE. */
#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

int parse_u64(const char *s, uint64_t *ret); /* decimal */
int parse_u32(const char *s, uint32_t *ret);
int parse_u16(const char *s, uint16_t *ret);
int parse_size(const char *s, uint64_t *ret_bytes); /* 512M, 10G, 1.5G, 4096; K M G T (P) binary, optional "iB"/"B" */
int parse_duration(const char *s, uint64_t *ret_ms); /* 10s 5m 1.5h 300ms; a bare number is seconds */
int parse_cpus(const char *s, uint32_t *ret_milli); /* "1.5" or "150%" -> 1500; > 0 */
int parse_bool(const char *s, bool *ret); /* yes/no true/false 1/0 on/off */
int parse_ipv4(const char *s, struct in_addr *ret);
int parse_signal(const char *s, int *ret); /* "TERM", "SIGTERM", "15", "RTMIN+3" */
/* Machine name: [a-zA-Z0-9][a-zA-Z0-9_.-]{0,62}, also a valid host name once '_' is mapped to '-'. */
bool name_is_valid(const char *s);
/* Machine id: exactly 16 lower-case hex digits. */
#define ID_LEN 16
bool id_is_valid(const char *s);
/* A fresh id from getrandom(2). Never all digits (so that an id cannot be taken for a numeric name). */
void id_make(char out[ID_LEN + 1]);

#endif
