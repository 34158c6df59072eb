/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include "lib/base/parse.h"
#include "lib/base/time.h"

#define NS 1000000000ULL

static uint64_t clock_ns(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return (uint64_t)ts.tv_sec * NS + (uint64_t)ts.tv_nsec;
}

uint64_t time_mono_ms(void)
{
	return clock_ns(CLOCK_MONOTONIC) / 1000000;
}

uint64_t time_mono_us(void)
{
	return clock_ns(CLOCK_MONOTONIC) / 1000;
}

uint64_t time_real_ns(void)
{
	return clock_ns(CLOCK_REALTIME);
}

char *time_rfc3339(uint64_t real_ns, char *buf)
{
	time_t sec = (time_t)(real_ns / NS);
	struct tm tm;
	size_t n;

	gmtime_r(&sec, &tm);
	n = strftime(buf, 40, "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(buf + n, 40 - n, ".%09uZ", (unsigned)(real_ns % NS));
	return buf;
}

static int read_digits(const char **s, int n, int *ret)
{
	int v = 0;

	for (int i = 0; i < n; i++, (*s)++) {
		if (!isdigit((unsigned char)**s))
			return -EINVAL;
		v = v * 10 + (**s - '0');
	}
	*ret = v;
	return 0;
}

/* Optional ".123456789"; digits beyond nanoseconds are dropped. */
static int read_fraction(const char **s, uint64_t *ret_ns)
{
	uint64_t unit = NS / 10;

	*ret_ns = 0;
	if (**s != '.')
		return 0;
	if (!isdigit((unsigned char)*++*s))
		return -EINVAL;
	for (; isdigit((unsigned char)**s); (*s)++, unit /= 10)
		*ret_ns += unit * (uint64_t)(**s - '0');
	return 0;
}

/* "Z" or "+hh:mm" at the end of the string. */
static int read_offset(const char *s, int64_t *ret_seconds)
{
	int sign = *s == '-' ? -1 : 1, hours, minutes;

	*ret_seconds = 0;
	if (*s == 'Z' || *s == 'z')
		return s[1] ? -EINVAL : 0;
	if (*s != '+' && *s != '-')
		return -EINVAL;
	s++;
	if (read_digits(&s, 2, &hours) < 0 || *s++ != ':' || read_digits(&s, 2, &minutes) < 0 || *s)
		return -EINVAL;
	if (hours > 23 || minutes > 59)
		return -EINVAL;
	*ret_seconds = sign * (hours * 3600 + minutes * 60);
	return 0;
}

static int parse_rfc3339(const char *s, uint64_t *ret_ns)
{
	static const char seps[] = "--T::";
	int field[6];
	struct tm tm = { 0 }, check;
	int64_t offset, sec;
	uint64_t fraction;

	for (size_t i = 0; i < 6; i++) {
		if (read_digits(&s, i ? 2 : 4, &field[i]) < 0)
			return -EINVAL;
		if (i < 5 && *s++ != seps[i] && !(i == 2 && (s[-1] == 't' || s[-1] == ' ')))
			return -EINVAL;
	}
	if (read_fraction(&s, &fraction) < 0 || read_offset(s, &offset) < 0)
		return -EINVAL;
	if (field[3] > 23 || field[4] > 59 || field[5] > 60)
		return -EINVAL;
	tm.tm_year = field[0] - 1900;
	tm.tm_mon = field[1] - 1;
	tm.tm_mday = field[2];
	check = tm;
	sec = timegm(&check);
	/* timegm accepts 31 February; the same date must come back. */
	if (check.tm_mon != tm.tm_mon || check.tm_mday != tm.tm_mday)
		return -EINVAL;
	sec += field[3] * 3600 + field[4] * 60 + field[5] - offset;
	if (sec < 0 || (uint64_t)sec > UINT64_MAX / NS - 1)
		return -EINVAL;
	*ret_ns = (uint64_t)sec * NS + fraction;
	return 0;
}

int time_parse(const char *s, uint64_t now_ns, uint64_t *ret_ns)
{
	uint64_t v;

	if (*s == '@') {
		if (parse_u64(s + 1, &v) < 0 || v > UINT64_MAX / NS)
			return -EINVAL;
		*ret_ns = v * NS;
		return 0;
	}
	if (strchr(s, '-') || strchr(s, ':'))
		return parse_rfc3339(s, ret_ns);
	if (parse_duration(s, &v) < 0)
		return -EINVAL;
	/* Longer ago than the epoch is the epoch. */
	*ret_ns = v > now_ns / 1000000 ? 0 : now_ns - v * 1000000;
	return 0;
}
