/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * many -n COUNT [-j AT_ONCE] [-c CGROUP] CMD...: run a command COUNT times, "{}" in a word being the number
 * of the run. Prints, in microseconds: total wall time, time of half of them, mean of the first tenth, mean
 * of the last tenth, the same of the processor time (own children, and the cgroup's). With -j the tenths'
 * times overlap.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include "lib/base/file.h"
#include "lib/base/mem.h"
#include "lib/base/parse.h"
#include "lib/base/str.h"
#include "tests/bench/stat.h"

#define WORDS_MAX 64
#define AT_ONCE_MAX 64

extern char **environ;

struct many {
	char **words;
	uint32_t count, at_once;
	const char *cgroup;
	int null;
	struct {
		pid_t pid;
		double begun;
		uint32_t number;
	} running[AT_ONCE_MAX];
	double *wall;
	double marks[4]; /* processor time: begin, end of the first tenth, begin of the last, end */
};

static _Noreturn void fail(const char *what, const char *text)
{
	fprintf(stderr, "many: %s: %s\n", what, text);
	exit(1);
}

static double used(const struct many *m)
{
	auto_free char *path = m->cgroup ? str_fmt("%s/cpu.stat", m->cgroup) : NULL, *text = NULL;
	double us = 0;

	if (path && (file_read_at(AT_FDCWD, path, 4096, &text, NULL) <= 0 ||
		     sscanf(text, "usage_usec %lf", &us) != 1))
		fail(path, "no processor time in it");
	return us + rusage_us(RUSAGE_CHILDREN);
}

static char *numbered(const char *word, uint32_t number)
{
	const char *at = strstr(word, "{}");

	return at ? str_fmt("%.*s%u%s", (int)(at - word), word, number, at + 2) : str_dup(word);
}

static pid_t start(const struct many *m, uint32_t number)
{
	posix_spawn_file_actions_t fa;
	char *argv[WORDS_MAX + 1] = {0};
	pid_t pid;
	int r;

	for (size_t i = 0; m->words[i]; i++) {
		if (i == WORDS_MAX)
			fail(m->words[0], "too many words");
		argv[i] = numbered(m->words[i], number);
	}
	posix_spawn_file_actions_init(&fa);
	posix_spawn_file_actions_adddup2(&fa, m->null, STDIN_FILENO);
	posix_spawn_file_actions_adddup2(&fa, m->null, STDOUT_FILENO);
	r = posix_spawnp(&pid, argv[0], &fa, NULL, argv, environ);
	posix_spawn_file_actions_destroy(&fa);
	if (r)
		fail(argv[0], strerror(r));
	for (size_t i = 0; argv[i]; i++)
		free(argv[i]);
	return pid;
}

static void mark(struct many *m, uint32_t done)
{
	uint32_t tenth = MAX(m->count / 10, 1);

	if (done == tenth)
		m->marks[1] = used(m);
	if (done == m->count - tenth)
		m->marks[2] = used(m);
	if (done == m->count)
		m->marks[3] = used(m);
}

/* One of ours; whatever else was left to us is reaped along the way. */
static size_t wait_one(struct many *m)
{
	for (;;) {
		int status;
		pid_t pid = waitpid(-1, &status, 0);

		if (pid < 0)
			fail("wait", strerror(errno));
		for (size_t i = 0; i < m->at_once; i++) {
			if (m->running[i].pid != pid)
				continue;
			if (status)
				fail(m->words[0], "failed");
			m->wall[m->running[i].number] = now_us() - m->running[i].begun;
			m->running[i].pid = 0;
			return i;
		}
	}
}

static double mean(const double *v, uint32_t n)
{
	double sum = 0;

	for (uint32_t i = 0; i < n; i++)
		sum += v[i] / n;
	return sum;
}

static void run(struct many *m)
{
	uint32_t next = 0, done = 0, tenth = MAX(m->count / 10, 1);
	double begin = now_us(), half = 0;

	m->marks[0] = used(m);
	while (done < m->count) {
		size_t slot = 0;

		while (next < m->count && slot < m->at_once) {
			if (!m->running[slot].pid) {
				m->running[slot].begun = now_us();
				m->running[slot].number = next;
				m->running[slot].pid = start(m, next++);
			}
			slot++;
		}
		wait_one(m);
		mark(m, ++done);
		if (done == (m->count + 1) / 2)
			half = now_us() - begin;
	}
	printf("%.0f %.0f %.1f %.1f %.1f %.1f\n", now_us() - begin, half, mean(m->wall, tenth),
	       mean(m->wall + m->count - tenth, tenth), (m->marks[1] - m->marks[0]) / tenth,
	       (m->marks[3] - m->marks[2]) / tenth);
}

int main(int argc, char **argv)
{
	struct many m = {.at_once = 1};
	int c;

	while ((c = getopt(argc, argv, "+j:c:n:")) != -1) {
		if (c == 'c')
			m.cgroup = optarg;
		else if ((c != 'j' || parse_u32(optarg, &m.at_once) < 0) &&
			 (c != 'n' || parse_u32(optarg, &m.count) < 0))
			fail("usage", "many -n COUNT [-j AT_ONCE] [-c CGROUP] CMD...");
	}
	m.words = argv + optind;
	if (!m.words[0] || !m.count || !m.at_once || m.at_once > AT_ONCE_MAX)
		fail("usage", "many -n COUNT [-j AT_ONCE] [-c CGROUP] CMD...");
	m.null = open("/dev/null", O_RDWR | O_CLOEXEC);
	m.wall = mem_alloc_n(m.count, sizeof(double));
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	run(&m);
	free(m.wall);
	return 0;
}
