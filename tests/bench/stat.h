/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef ARNIA_BENCH_STAT_H
#define ARNIA_BENCH_STAT_H
/* Times and what is told of many of them. */
#include <stddef.h>
#include <stdlib.h>
#include <time.h>

struct summary {
	double median, least, p10, p90, mean;
};

static inline double now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static inline int compare_doubles(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* Sorts v. n > 0. */
static inline struct summary summarize(double *v, size_t n)
{
	struct summary s = { 0 };

	qsort(v, n, sizeof(*v), compare_doubles);
	for (size_t i = 0; i < n; i++)
		s.mean += v[i] / (double)n;
	s.least = v[0];
	s.p10 = v[n / 10];
	s.median = v[n / 2];
	s.p90 = v[n * 9 / 10];
	return s;
}

#endif
