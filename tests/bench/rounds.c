/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * rounds SCRIPT: run cases in turn, round after round, so that whatever else the machine does meets all of
 * them alike. One line of tab-separated results per case: name, runs, median, least, p10, p90, mean,
 * processor time a run (microseconds).
 *
 *   rounds N             how often (default 20), after one round that does not count
 *   settle MS            pause after each case: work that is put off belongs to the case's processor time
 * (default 0) case NAME            begins a case; the lines below belong to it cgroup DIR           processor
 * time of this cgroup counts too (daemons do not run as our children) before CMD...        not measured,
 * before each run exec CMD...          measured floor KIND           measured by the floor program (line
 * "floor-command CMD..."), which makes one container floor-start KIND     the same, only until the program is
 * run call METHOD JSON     measured: a varlink call over a connection that stays open (socket: line "socket
 * PATH") after CMD...         not measured, after each run
 *
 * Words are separated by single spaces; there is no quoting. Output of the commands is thrown away.
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
#include "lib/base/json.h"
#include "lib/base/mem.h"
#include "lib/base/parse.h"
#include "lib/base/str.h"
#include "lib/rpc/rpc.h"
#include "tests/bench/stat.h"

#define SCRIPT_MAX (1u << 20)
#define WORDS_MAX 128
#define STEPS_MAX 8
#define CASES_MAX 64

extern char **environ;

enum step_kind { STEP_BEFORE, STEP_EXEC, STEP_FLOOR, STEP_FLOOR_START, STEP_CALL, STEP_AFTER };
struct step {
	enum step_kind kind;
	char *text;		/* as written */
	char *words[WORDS_MAX]; /* of a command */
	char *params;		/* of a call */
};
struct bench_case {
	const char *name, *cgroup;
	struct step steps[STEPS_MAX];
	size_t n_steps, runs;
	double *wall, cpu; /* microseconds */
};
struct bench {
	struct bench_case cases[CASES_MAX];
	size_t n;
	uint32_t rounds, settle_ms;
	const char *socket;
	struct rpc_client *client;
	FILE *to_floor, *from_floor;
	const char *floor_command;
	int null;
};

static _Noreturn void fail(const char *what, const char *text)
{
	fprintf(stderr, "rounds: %s: %s\n", what, text);
	exit(1);
}

/* ---- the script ---- */

static void split(char *text, char **words)
{
	size_t n = 0;

	for (char *w = strtok(text, " "); w; w = strtok(NULL, " ")) {
		if (n == WORDS_MAX - 1)
			fail("too many words", text);
		words[n++] = w;
	}
}

static void add_step(struct bench *b, enum step_kind kind, const char *rest)
{
	struct bench_case *c = &b->cases[b->n - 1];
	struct step *s;

	if (!b->n || c->n_steps == STEPS_MAX)
		fail("no place for a step", rest);
	s = &c->steps[c->n_steps++];
	s->kind = kind;
	s->text = str_dup(rest);
	if (kind == STEP_CALL) {
		s->words[0] = str_dup_n(rest, strcspn(rest, " "));
		s->params = str_dup(rest[strcspn(rest, " ")] ? rest + strcspn(rest, " ") + 1 : "{}");
	} else {
		split(str_dup(rest), s->words);
	}
}

static void add_case(struct bench *b, const char *name)
{
	if (b->n == CASES_MAX)
		fail("too many cases", name);
	b->cases[b->n++] = (struct bench_case){.name = str_dup(name)};
}

static void read_line(struct bench *b, char *line)
{
	static const char *const steps[] = {
		[STEP_BEFORE] = "before",	    [STEP_EXEC] = "exec", [STEP_FLOOR] = "floor",
		[STEP_FLOOR_START] = "floor-start", [STEP_CALL] = "call", [STEP_AFTER] = "after"};
	size_t n = strcspn(line, " ");
	const char *rest = line[n] ? line + n + 1 : "";

	line[n] = '\0';
	if (!*line || *line == '#')
		return;
	for (size_t i = 0; i < ARRAY_SIZE(steps); i++)
		if (str_eq(line, steps[i])) {
			add_step(b, (enum step_kind)i, rest);
			return;
		}
	if (str_eq(line, "case"))
		add_case(b, rest);
	else if (str_eq(line, "cgroup") && b->n)
		b->cases[b->n - 1].cgroup = str_fmt("%s/cpu.stat", rest);
	else if (str_eq(line, "socket"))
		b->socket = str_dup(rest);
	else if (str_eq(line, "floor-command"))
		b->floor_command = str_dup(rest);
	else if (!(str_eq(line, "rounds") && parse_u32(rest, &b->rounds) == 0) &&
		 !(str_eq(line, "settle") && parse_u32(rest, &b->settle_ms) == 0))
		fail("not understood", line);
}

/* ---- one step ---- */

static void run_command(const struct bench *b, const struct step *s)
{
	posix_spawn_file_actions_t fa;
	int status = -1, r;
	pid_t pid;

	posix_spawn_file_actions_init(&fa);
	posix_spawn_file_actions_adddup2(&fa, b->null, STDIN_FILENO);
	posix_spawn_file_actions_adddup2(&fa, b->null, STDOUT_FILENO);
	r = posix_spawnp(&pid, s->words[0], &fa, NULL, s->words, environ);
	posix_spawn_file_actions_destroy(&fa);
	if (r)
		fail(s->text, strerror(r));
	if (waitpid(pid, &status, 0) != pid || status)
		fail(s->text, "failed");
}

static void floor_start(struct bench *b)
{
	struct step s = {.text = (char *)b->floor_command};
	posix_spawn_file_actions_t fa;
	int to[2], from[2];
	pid_t pid;

	if (!b->floor_command || pipe2(to, O_CLOEXEC) || pipe2(from, O_CLOEXEC))
		fail("floor", "no floor-command, or no pipe");
	split(str_dup(b->floor_command), s.words);
	posix_spawn_file_actions_init(&fa);
	posix_spawn_file_actions_adddup2(&fa, to[0], STDIN_FILENO);
	posix_spawn_file_actions_adddup2(&fa, from[1], STDOUT_FILENO);
	if (posix_spawnp(&pid, s.words[0], &fa, NULL, s.words, environ))
		fail(s.text, strerror(errno));
	posix_spawn_file_actions_destroy(&fa);
	close(to[0]);
	close(from[1]);
	b->to_floor = fdopen(to[1], "we");
	b->from_floor = fdopen(from[0], "re");
}

/* The floor's own clock: asking and answering over a pipe is no part of it. */
static double run_floor(struct bench *b, const struct step *s, double *cpu)
{
	double wall, start;

	if (!b->to_floor)
		floor_start(b);
	fprintf(b->to_floor, "%s\n", s->text);
	fflush(b->to_floor);
	if (fscanf(b->from_floor, "%lf %lf %lf", &wall, cpu, &start) != 3)
		fail(s->text, "the floor program gave no answer");
	return s->kind == STEP_FLOOR ? wall : start;
}

static void run_call(struct bench *b, const struct step *s)
{
	struct error err = {0};
	json *params = json_parse(s->params, strlen(s->params), &err), *reply = NULL;

	if (!b->client && rpc_client_open(b->socket, &b->client, &err) < 0)
		fail(b->socket, err.text);
	if (!params || rpc_client_call(b->client, s->words[0], params, &reply, &err) < 0)
		fail(s->text, err.text);
	json_unref(reply);
}

/* ---- rounds ---- */

static double cgroup_us(const struct bench_case *c)
{
	auto_free char *text = NULL;
	double us = 0;

	if (!c->cgroup)
		return 0;
	if (file_read_at(AT_FDCWD, c->cgroup, 4096, &text, NULL) <= 0 ||
	    sscanf(text, "usage_usec %lf", &us) != 1)
		fail(c->cgroup, "no processor time in it");
	return us;
}

/* What peers leave behind: we are its parent now. */
static void reap_others(void)
{
	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
}

static double run_step(struct bench *b, const struct step *s, double *cpu)
{
	double t = now_us();

	if (s->kind == STEP_FLOOR || s->kind == STEP_FLOOR_START)
		return run_floor(b, s, cpu);
	if (s->kind == STEP_CALL)
		run_call(b, s);
	else
		run_command(b, s);
	return s->kind == STEP_EXEC || s->kind == STEP_CALL ? now_us() - t : 0;
}

static void pause_ms(uint32_t ms)
{
	struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};

	while (nanosleep(&t, &t) < 0 && errno == EINTR)
		;
}

static void run_kind(struct bench *b, struct bench_case *c, enum step_kind from, enum step_kind to,
		     double *wall, double *cpu)
{
	for (size_t i = 0; i < c->n_steps; i++)
		if (c->steps[i].kind >= from && c->steps[i].kind <= to)
			*wall += run_step(b, &c->steps[i], cpu);
}

static void run_case(struct bench *b, struct bench_case *c, bool counts)
{
	double cpu = 0, wall = 0, none = 0, c0, g0;

	run_kind(b, c, STEP_BEFORE, STEP_BEFORE, &none, &none);
	pause_ms(b->settle_ms);
	c0 = rusage_us(RUSAGE_CHILDREN);
	g0 = cgroup_us(c);
	run_kind(b, c, STEP_EXEC, STEP_CALL, &wall, &cpu);
	pause_ms(b->settle_ms);
	reap_others();
	cpu += rusage_us(RUSAGE_CHILDREN) - c0 + cgroup_us(c) - g0;
	run_kind(b, c, STEP_AFTER, STEP_AFTER, &none, &none);
	reap_others();
	if (counts) {
		c->wall[c->runs++] = wall;
		c->cpu += cpu;
	}
}

static void report(struct bench_case *c)
{
	struct summary s = summarize(c->wall, c->runs);

	printf("%s\t%zu\t%.1f\t%.1f\t%.1f\t%.1f\t%.1f\t%.1f\n", c->name, c->runs, s.median, s.least, s.p10,
	       s.p90, s.mean, c->cpu / (double)c->runs);
}

int main(int argc, char **argv)
{
	static struct bench b = {.rounds = 20};
	struct error err = {0};
	char *text, *save = NULL;

	if (argc != 2 || file_read_at(AT_FDCWD, argv[1], SCRIPT_MAX, &text, &err) < 0)
		fail("script", argc == 2 ? err.text : "usage: rounds SCRIPT");
	for (char *l = strtok_r(text, "\n", &save); l; l = strtok_r(NULL, "\n", &save))
		read_line(&b, l);
	signal(SIGPIPE, SIG_IGN);
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	b.null = open("/dev/null", O_RDWR | O_CLOEXEC);
	for (size_t i = 0; i < b.n; i++)
		b.cases[i].wall = mem_alloc_n(b.rounds, sizeof(double));
	for (uint32_t r = 0; r <= b.rounds; r++)
		for (size_t i = 0; i < b.n; i++)
			run_case(&b, &b.cases[(i + r) % b.n], r > 0);
	for (size_t i = 0; i < b.n; i++)
		report(&b.cases[i]);
	return 0;
}
