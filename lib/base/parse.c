/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include "lib/base/mem.h"
#include "lib/base/parse.h"
#include "lib/base/str.h"

#define FRACTION_DIGITS 9
#define FRACTION_ONE 1000000000ULL

struct unit {
	const char *name;
	uint64_t factor;
};

/* Digits at *s; stops at the first other byte. */
static int read_u64(const char **s, uint64_t *ret)
{
	const char *p = *s;
	uint64_t v = 0;

	if (!isdigit((unsigned char)*p))
		return -EINVAL;
	for (; isdigit((unsigned char)*p); p++)
		if (__builtin_mul_overflow(v, 10, &v) || __builtin_add_overflow(v, (uint64_t)(*p - '0'), &v))
			return -ERANGE;
	*s = p;
	*ret = v;
	return 0;
}

int parse_u64(const char *s, uint64_t *ret)
{
	uint64_t v;
	int r = read_u64(&s, &v);

	if (r < 0)
		return r;
	if (*s)
		return -EINVAL;
	*ret = v;
	return 0;
}

static int parse_bounded(const char *s, uint64_t max, uint64_t *ret)
{
	uint64_t v;
	int r = parse_u64(s, &v);

	if (r < 0)
		return r;
	if (v > max)
		return -ERANGE;
	*ret = v;
	return 0;
}

int parse_u32(const char *s, uint32_t *ret)
{
	uint64_t v;
	int r = parse_bounded(s, UINT32_MAX, &v);

	if (r == 0)
		*ret = (uint32_t)v;
	return r;
}

int parse_u16(const char *s, uint16_t *ret)
{
	uint64_t v;
	int r = parse_bounded(s, UINT16_MAX, &v);

	if (r == 0)
		*ret = (uint16_t)v;
	return r;
}

/* "12.5": whole part and billionths. */
static int read_decimal(const char **s, uint64_t *ret_whole, uint64_t *ret_fraction)
{
	uint64_t unit = FRACTION_ONE / 10, fraction = 0;
	int r = read_u64(s, ret_whole), digits = 0;

	if (r < 0)
		return r;
	if (**s == '.') {
		if (!isdigit((unsigned char)*++*s))
			return -EINVAL;
		for (; isdigit((unsigned char)**s); (*s)++, unit /= 10) {
			if (++digits > FRACTION_DIGITS)
				return -EINVAL;
			fraction += unit * (uint64_t)(**s - '0');
		}
	}
	*ret_fraction = fraction;
	return 0;
}

/* (whole + fraction/10^9) * factor, rounded down. */
static int scale(uint64_t whole, uint64_t fraction, uint64_t factor, uint64_t *ret)
{
	unsigned __int128 v = (unsigned __int128)whole * factor;

	v += (unsigned __int128)fraction * factor / FRACTION_ONE;
	if (v > UINT64_MAX)
		return -ERANGE;
	*ret = (uint64_t)v;
	return 0;
}

int parse_size(const char *s, uint64_t *ret_bytes)
{
	static const char letters[] = "KMGTP";
	uint64_t whole, fraction, factor = 1;
	int r = read_decimal(&s, &whole, &fraction);
	const char *letter;

	if (r < 0)
		return r;
	letter = *s ? strchr(letters, toupper((unsigned char)*s)) : NULL;
	if (letter) {
		factor = 1ULL << (10 * (letter - letters + 1));
		s++;
		if (*s == 'i' && s[1] == 'B')
			s++;
	}
	if (*s == 'B')
		s++;
	if (*s || (fraction && factor == 1))
		return -EINVAL;
	return scale(whole, fraction, factor, ret_bytes);
}

int parse_duration(const char *s, uint64_t *ret_ms)
{
	static const struct unit units[] = {
		{ "", 1000 }, { "s", 1000 }, { "ms", 1 }, { "m", 60000 }, { "h", 3600000 }, { "d", 86400000 },
	};
	uint64_t whole, fraction;
	int r = read_decimal(&s, &whole, &fraction);

	if (r < 0)
		return r;
	for (size_t i = 0; i < ARRAY_SIZE(units); i++)
		if (str_eq(s, units[i].name))
			return scale(whole, fraction, units[i].factor, ret_ms);
	return -EINVAL;
}

int parse_cpus(const char *s, uint32_t *ret_milli)
{
	uint64_t whole, fraction, v, factor = 1000;
	int r = read_decimal(&s, &whole, &fraction);

	if (r < 0)
		return r;
	if (*s == '%') {
		factor = 10;
		s++;
	}
	if (*s)
		return -EINVAL;
	r = scale(whole, fraction, factor, &v);
	if (r < 0)
		return r;
	if (!v || v > UINT32_MAX)
		return -ERANGE;
	*ret_milli = (uint32_t)v;
	return 0;
}

int parse_bool(const char *s, bool *ret)
{
	static const char *const yes[] = { "yes", "true", "1", "on" };
	static const char *const no[] = { "no", "false", "0", "off" };

	for (size_t i = 0; i < ARRAY_SIZE(yes); i++) {
		bool is_yes = str_eq(s, yes[i]);

		if (is_yes || str_eq(s, no[i])) {
			*ret = is_yes;
			return 0;
		}
	}
	return -EINVAL;
}

int parse_ipv4(const char *s, struct in_addr *ret)
{
	struct in_addr a;

	/* inet_pton(3) takes exactly four decimal numbers, no leading zeros. */
	if (inet_pton(AF_INET, s, &a) != 1)
		return -EINVAL;
	*ret = a;
	return 0;
}

/* "RTMIN+3", "RTMAX-1": the names of the C library's range. */
static int parse_rt_signal(const char *s, int *ret)
{
	const char *offset = str_after(s, "RTMIN");
	bool up = offset != NULL;
	uint64_t n = 0;

	if (!offset)
		offset = str_after(s, "RTMAX");
	if (!offset)
		return -EINVAL;
	if (*offset && (*offset != (up ? '+' : '-') || parse_u64(offset + 1, &n) < 0))
		return -EINVAL;
	if (n > (uint64_t)(SIGRTMAX - SIGRTMIN))
		return -ERANGE;
	*ret = up ? SIGRTMIN + (int)n : SIGRTMAX - (int)n;
	return 0;
}

int parse_signal(const char *s, int *ret)
{
	static const struct {
		const char *name;
		int sig;
	} aliases[] = { { "CLD", SIGCHLD }, { "IOT", SIGABRT }, { "IO", SIGIO }, { "POLL", SIGPOLL } };
	const char *name = str_after(s, "SIG");
	uint64_t n;

	if (isdigit((unsigned char)*s)) {
		if (parse_u64(s, &n) < 0)
			return -EINVAL;
		if (!n || n > 64)
			return -ERANGE;
		*ret = (int)n;
		return 0;
	}
	name = name ? name : s;
	for (int sig = 1; sig < 32; sig++)
		if (str_eq(sigabbrev_np(sig), name)) {
			*ret = sig;
			return 0;
		}
	for (size_t i = 0; i < ARRAY_SIZE(aliases); i++)
		if (str_eq(aliases[i].name, name)) {
			*ret = aliases[i].sig;
			return 0;
		}
	return parse_rt_signal(name, ret);
}

bool name_is_valid(const char *s)
{
	static const char edge[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
	size_t n = s ? strnlen(s, 64) : 0;

	if (!n || n > 63)
		return false;
	/* As a host name: dot-separated labels, none empty, none with '-' at an end (RFC 1123, 2.1). */
	for (size_t i = 0; i < n; i++) {
		bool at_edge = i == 0 || i == n - 1 || s[i - 1] == '.' || s[i + 1] == '.';

		if (!strchr(edge, s[i]) && (at_edge || !strchr("_.-", s[i])))
			return false;
	}
	return true;
}

bool id_is_valid(const char *s)
{
	return s && strnlen(s, ID_LEN + 1) == ID_LEN && strspn(s, "0123456789abcdef") == ID_LEN;
}

void id_make(char out[ID_LEN + 1])
{
	unsigned char raw[ID_LEN / 2];

	do {
		/* Up to 256 bytes are never cut short once the pool is ready (getrandom(2)). */
		if (getrandom(raw, sizeof(raw), 0) != (ssize_t)sizeof(raw))
			abort();
		for (size_t i = 0; i < sizeof(raw); i++)
			snprintf(out + 2 * i, 3, "%02x", raw[i]);
	} while (strspn(out, "0123456789") == ID_LEN);
}
