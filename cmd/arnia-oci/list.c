/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "cmd/arnia-oci/cmd.h"
#include "lib/base/json.h"
#include "lib/base/str.h"

#define CELL_MIN 12 /* with the gap, as runc sets them */
#define CELL_GAP 3

static const struct column {
	const char *title, *key;
} columns[] = {
	{ "ID", "id" },		{ "PID", "pid" },	  { "STATUS", "status" },
	{ "BUNDLE", "bundle" }, { "CREATED", "created" }, { "OWNER", "owner" },
};
#define N_COLUMNS ARRAY_SIZE(columns)

static char *cell(struct arena *a, const json *row, const struct column *col)
{
	struct strbuf b = { 0 };
	const char *text = NULL;
	int64_t n = 0;
	char *copy;

	if (str_eq(col->key, "pid")) {
		(void)json_get_i64(row, col->key, &n, NULL);
		return arena_fmt(a, "%lld", (long long)n);
	}
	(void)json_get_str(row, col->key, &text, NULL);
	strbuf_add_escaped(&b, text ?: "", text ? strlen(text) : 0);
	copy = arena_str(a, strbuf_cstr(&b));
	strbuf_done(&b);
	return copy;
}

static void print_row(const char *const *cells, const size_t *widths)
{
	for (size_t i = 0; i < N_COLUMNS; i++)
		printf("%-*s", i + 1 < N_COLUMNS ? (int)widths[i] : 0, cells[i]);
	putchar('\n');
}

static void print_table(struct arena *a, const json *rows)
{
	const char *titles[N_COLUMNS];
	const char **cells = arena_alloc_n(a, json_len(rows) + 1, sizeof(titles));
	size_t widths[N_COLUMNS];

	for (size_t k = 0; k < N_COLUMNS; k++) {
		titles[k] = columns[k].title;
		widths[k] = MAX((size_t)CELL_MIN, strlen(titles[k]) + CELL_GAP);
	}
	for (size_t i = 0; i < json_len(rows); i++)
		for (size_t k = 0; k < N_COLUMNS; k++) {
			const char *text = cell(a, json_at(rows, i), &columns[k]);

			cells[i * N_COLUMNS + k] = text;
			widths[k] = MAX(widths[k], strlen(text) + CELL_GAP);
		}
	print_row(titles, widths);
	for (size_t i = 0; i < json_len(rows); i++)
		print_row(cells + i * N_COLUMNS, widths);
}

/* One that cannot be read, or is removed meanwhile, does not keep the others from being shown. */
static void add_row(struct call *c, const char *id, json *rows)
{
	struct record r = RECORD_NONE;
	struct error err = { 0 };
	json *row = NULL;

	if (store_load(c->g.root, id, false, &r, &err) == 0 && record_show(&r, &row, &err) == 0)
		json_push(rows, row);
	else
		report(&c->g, REPORT_WARN, "load container %s: %s", id, err.text);
	record_done(&r);
}

int cmd_list(struct call *c, struct error *err)
{
	const char *format = opt_get(c, "format") ?: "table";
	auto_json json *rows = json_new_arr();
	struct strv ids = { 0 };
	int code;

	if (!str_eq(format, "table") && !str_eq(format, "json"))
		return err_set_kind(err, -EINVAL, ERR_USAGE, "invalid format option");
	code = store_list(c->g.root, &c->arena, &ids, err);
	if (code < 0)
		return code;
	for (size_t i = 0; i < ids.n; i++)
		add_row(c, ids.v[i], rows);
	if (opt_has(c, "quiet"))
		for (size_t i = 0; i < json_len(rows); i++)
			puts(cell(&c->arena, json_at(rows, i), &columns[0]));
	else if (str_eq(format, "json"))
		/* runc's word for none */
		return print_json(json_len(rows) ? rows : NULL, false, err);
	else
		print_table(&c->arena, rows);
	return fflush(stdout) ? err_sys(err, -errno, "write the output") : 0;
}
