/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef ARNIA_BENCH_STAT_H
#define ARNIA_BENCH_STAT_H
/* Times, memory, and what is told of many of them. */
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
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

static inline double rusage_us(int who)
{
	struct rusage r;

	getrusage(who, &r);
	return (double)(r.ru_utime.tv_sec + r.ru_stime.tv_sec) * 1e6 +
	       (double)(r.ru_utime.tv_usec + r.ru_stime.tv_usec);
}

/* Of this process and of the children it has waited for. */
static inline double cpu_us(void)
{
	return rusage_us(RUSAGE_SELF) + rusage_us(RUSAGE_CHILDREN);
}

static inline int compare_doubles(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* Sorts v. n > 0. */
static inline struct summary summarize(double *v, size_t n)
{
	struct summary s = {0};

	qsort(v, n, sizeof(*v), compare_doubles);
	for (size_t i = 0; i < n; i++)
		s.mean += v[i] / (double)n;
	s.least = v[0];
	s.p10 = v[n / 10];
	s.median = v[n / 2];
	s.p90 = v[n * 9 / 10];
	return s;
}

/* What the kernel holds for processes and namespaces (proc_meminfo(5)). */
static inline double kernel_kib(void)
{
	static const char *const keys[] = {"Slab:", "Percpu:", "KernelStack:", "PageTables:"};
	FILE *f = fopen("/proc/meminfo", "re");
	char line[128];
	double sum = 0;

	while (f && fgets(line, sizeof(line), f))
		for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++)
			if (strncmp(line, keys[i], strlen(keys[i])) == 0)
				sum += strtod(line + strlen(keys[i]), NULL);
	if (f)
		fclose(f);
	return sum;
}

#endif
