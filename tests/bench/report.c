/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * report METRICS ROWS BASELINE RESULT: METRICS has "NAME VALUE" lines, ROWS is rows.txt. Prints the table and
 * writes RESULT (JSON: all metrics, and the rows). BASELINE is an earlier RESULT to compare with; it may be
 * missing.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>
#include "lib/base/file.h"
#include "lib/base/json.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "lib/base/time.h"
#include "tests/bench/stat.h"

#define TEXT_MAX (4u << 20)
#define METRICS_MAX 512

struct metric {
	const char *name;
	double value;
};
struct metrics {
	struct metric v[METRICS_MAX];
	size_t n;
};
struct row {
	const char *what, *value, *target, *unit;
};

static _Noreturn void fail(const char *what, const char *why)
{
	fprintf(stderr, "report: %s: %s\n", what, why);
	exit(1);
}

static char *read_text(const char *path)
{
	struct error err = {0};
	char *text;

	if (file_read_at(AT_FDCWD, path, TEXT_MAX, &text, &err) < 0)
		fail(path, err.text);
	return text;
}

static void read_metrics(const char *path, struct metrics *ret)
{
	char *save = NULL;

	for (char *l = strtok_r(read_text(path), "\n", &save); l; l = strtok_r(NULL, "\n", &save)) {
		char *space = strchr(l, ' ');

		if (!space || ret->n == METRICS_MAX)
			fail(path, l);
		*space = '\0';
		ret->v[ret->n++] = (struct metric){l, strtod(space + 1, NULL)};
	}
}

static bool find(const struct metrics *m, const char *name, double *ret)
{
	for (size_t i = 0; i < m->n; i++)
		if (str_eq(m->v[i].name, name)) {
			*ret = m->v[i].value;
			return true;
		}
	return false;
}

/* "a + b / c + d": one sum by another. False when something of it was not measured. */
static bool evaluate(const struct metrics *m, const char *text, double *ret)
{
	auto_free char *copy = str_dup(text);
	double sums[2] = {0, 0}, v;
	char *save = NULL;
	int at = 0;

	for (char *w = strtok_r(copy, " ", &save); w; w = strtok_r(NULL, " ", &save)) {
		if (str_eq(w, "/"))
			at = 1;
		else if (!str_eq(w, "+")) {
			if (!find(m, w, &v))
				return false;
			sums[at] += v;
		}
	}
	*ret = at ? sums[0] / sums[1] : sums[0];
	return !at || sums[1] != 0;
}

/* Cuts the line in place; " | " parts the fields. */
static bool read_row(char *line, struct row *ret)
{
	char *part[4] = {line};

	if (!*line || *line == '#')
		return false;
	for (size_t i = 1; i < ARRAY_SIZE(part); i++) {
		char *bar = strstr(part[i - 1], " | ");

		if (!bar)
			fail("rows", line);
		*bar = '\0';
		part[i] = bar + 3;
	}
	*ret = (struct row){part[0], part[1], part[2], part[3]};
	return true;
}

static const char *show(double v, const char *unit, char buf[32])
{
	bool ratio = str_ends(unit, "x");

	snprintf(buf, 32,
		 v >= 1000 || (!ratio && v >= 100) ? "%.0f %s"
		 : ratio			   ? "%.2f %s"
						   : "%.1f %s",
		 v, *unit == '>' ? unit + 1 : unit);
	return buf;
}

static double before(const json *baseline, const char *what)
{
	const json *rows = NULL;

	if (!baseline || json_get_arr(baseline, "rows", &rows, NULL) < 0)
		return -1;
	for (size_t i = 0; i < json_len(rows); i++) {
		const char *name = NULL;
		double v = -1;

		if (json_get_str(json_at(rows, i), "what", &name, NULL) >= 0 && str_eq(name, what) &&
		    json_get_num(json_at(rows, i), "value", &v, NULL) >= 0)
			return v;
	}
	return -1;
}

static void add_number(json *o, const char *key, double v)
{
	auto_free char *text = str_fmt("%.4g", v);

	json_add(o, key, json_new_num(strtod(text, NULL)));
}

/* Prints one line; what is to be kept of it. */
static json *report_row(const struct metrics *m, const struct row *r, const json *baseline)
{
	bool more = *r->unit == '>', has_target = !str_eq(r->target, "-"), good = false;
	double v = 0, target = strtod(r->target, NULL), old = before(baseline, r->what);
	char shown[32] = "-", wanted[32] = "", was[32] = "";
	json *o = json_new_obj();

	json_add_str(o, "what", r->what);
	json_add_str(o, "unit", more ? r->unit + 1 : r->unit);
	if (has_target)
		json_add_str(o, "target", r->target);
	if (evaluate(m, r->value, &v)) {
		good = more ? v >= target : v <= target;
		show(v, r->unit, shown);
		add_number(o, "value", v);
		if (has_target)
			json_add_bool(o, "met", good);
	}
	if (has_target)
		show(target, r->unit, wanted);
	if (old >= 0)
		show(old, r->unit, was);
	printf("%-62s %12s  %s %-10s %-5s %12s\n", r->what, shown,
	       !has_target ? "  "
	       : more	   ? ">="
			   : "<=",
	       wanted,
	       !has_target || shown[0] == '-' ? ""
	       : good			      ? "ok"
					      : "over",
	       was);
	return o;
}

static json *describe(const struct metrics *m)
{
	json *o = json_new_obj(), *all = json_new_obj();
	struct utsname u;
	char now[40];

	uname(&u);
	json_add_u64(o, "schema", 1);
	json_add_str(o, "time", time_rfc3339(time_real_ns(), now));
	json_add_str(o, "kernel", u.release);
	json_add_str(o, "machine", u.machine);
	json_add_i64(o, "cpus", sysconf(_SC_NPROCESSORS_ONLN));
	for (size_t i = 0; i < m->n; i++)
		add_number(all, m->v[i].name, m->v[i].value);
	json_add(o, "metrics", all);
	return o;
}

int main(int argc, char **argv)
{
	static struct metrics m;
	auto_json json *baseline = NULL, *out = NULL;
	auto_free char *old = NULL, *text = NULL;
	struct error err = {0};
	json *rows = json_new_arr();
	struct row r;
	char *save = NULL;

	if (argc != 5)
		fail("usage", "report METRICS ROWS BASELINE RESULT");
	read_metrics(argv[1], &m);
	if (file_read_at(AT_FDCWD, argv[3], TEXT_MAX, &old, NULL) > 0)
		baseline = json_parse(old, strlen(old), NULL);
	out = describe(&m);
	printf("%-62s %12s  %-13s %-5s %12s\n", "", "measured", "target", "", "before");
	for (char *l = strtok_r(read_text(argv[2]), "\n", &save); l; l = strtok_r(NULL, "\n", &save))
		if (read_row(l, &r))
			json_push(rows, report_row(&m, &r, baseline));
	json_add(out, "rows", rows);
	text = json_text(out, true);
	if (file_write_atomic_at(AT_FDCWD, argv[4], text, strlen(text), 0644, false, &err) < 0)
		fail(argv[4], err.text);
	return 0;
}
