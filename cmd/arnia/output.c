/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "cmd/arnia/cli.h"
#include "lib/base/parse.h"

/* What to print: the chosen fields, and the rows in order. */
struct view {
	struct cli *c;
	const struct listing *l;
	const struct field **fields;
	size_t n_fields;
	const json **rows;
	size_t n_rows;
};

static const struct field *find_field(const struct listing *l, const char *name, size_t n)
{
	for (size_t i = 0; i < l->n; i++)
		if (strlen(l->fields[i].name) == n && strncasecmp(l->fields[i].name, name, n) == 0)
			return &l->fields[i];
	return NULL;
}

static int no_field(const struct listing *l, const char *name, size_t n, struct error *err)
{
	struct strbuf b = { 0 };

	for (size_t i = 0; i < l->n; i++)
		strbuf_addf(&b, "%s%s", i ? " " : "", l->fields[i].name);
	err_set_kind(err, -EINVAL, ERR_USAGE, "no field \"%.*s\"", (int)MIN(n, (size_t)64), name);
	err_hint(err, "fields: %s", strbuf_cstr(&b));
	strbuf_done(&b);
	return -EINVAL;
}

static int choose_fields(struct view *v, struct error *err)
{
	const char *p = v->c->fields;
	size_t max = v->l->n + (p ? strlen(p) : 0);

	v->fields = arena_alloc_n(&v->c->arena, max + 1, sizeof(struct field *));
	if (!p) {
		for (size_t i = 0; i < v->l->n; i++)
			if (v->l->fields[i].title)
				v->fields[v->n_fields++] = &v->l->fields[i];
		return 0;
	}
	for (;;) {
		size_t n = strcspn(p, ",");
		const struct field *f = find_field(v->l, p, n);

		if (!f)
			return no_field(v->l, p, n, err);
		v->fields[v->n_fields++] = f;
		if (!p[n])
			return 0;
		p += n + 1;
	}
}

void out_value(struct strbuf *b, const json *v)
{
	auto_free char *text = NULL;
	const char *s = json_str(v);

	if (json_kind_of(v) == JSON_NULL)
		return;
	if (!s)
		s = text = json_text(v, false);
	strbuf_add_escaped(b, s, strlen(s));
}

const json *row_member(const json *row, const char *name)
{
	for (struct json_iter it = json_iter(row); json_next(&it);)
		if (str_eq(it.key, name))
			return it.value;
	return NULL;
}

/* What programs and the order go by: a number, time or word itself rather than how people read it. */
static void raw_cell(const struct field *f, const json *row, struct strbuf *out)
{
	const json *v = row_member(row, f->name);

	if (f->text && (!v || json_kind_of(v) == JSON_ARRAY || json_kind_of(v) == JSON_OBJECT))
		f->text(row, out);
	else
		out_value(out, v);
}

struct sorting {
	const struct field *f;
	const json **rows;
	bool down;
};

static int compare_text(const char *a, const char *b)
{
	uint64_t x, y;

	if (parse_u64(a, &x) == 0 && parse_u64(b, &y) == 0)
		return (x > y) - (x < y);
	return strcmp(a, b);
}

static int compare_rows(const void *a, const void *b, void *arg)
{
	const struct sorting *s = arg;
	size_t i = *(const size_t *)a, k = *(const size_t *)b;
	struct strbuf x = { 0 }, y = { 0 };
	int r;

	raw_cell(s->f, s->rows[i], &x);
	raw_cell(s->f, s->rows[k], &y);
	r = compare_text(strbuf_cstr(&x), strbuf_cstr(&y));
	strbuf_done(&x);
	strbuf_done(&y);
	if (!r)
		return (i > k) - (i < k);
	return s->down ? -r : r;
}

static int order_rows(struct view *v, const json *rows, struct error *err)
{
	const char *by = v->c->sort;
	struct sorting s = { .down = by && *by == '-' };
	size_t *index;

	v->n_rows = json_len(rows);
	v->rows = arena_alloc_n(&v->c->arena, v->n_rows + 1, sizeof(json *));
	for (size_t i = 0; i < v->n_rows; i++)
		v->rows[i] = json_at(rows, i);
	if (!by)
		return 0;
	by += s.down;
	s.f = find_field(v->l, by, strlen(by));
	if (!s.f)
		return no_field(v->l, by, strlen(by), err);
	s.rows = arena_dup(&v->c->arena, v->rows, v->n_rows * sizeof(*v->rows));
	index = arena_alloc_n(&v->c->arena, v->n_rows + 1, sizeof(*index));
	for (size_t i = 0; i < v->n_rows; i++)
		index[i] = i;
	qsort_r(index, v->n_rows, sizeof(*index), compare_rows, &s);
	for (size_t i = 0; i < v->n_rows; i++)
		v->rows[i] = s.rows[index[i]];
	return 0;
}

/* With -o only the chosen members. */
static json *json_row(const struct view *v, const json *row)
{
	json *o;

	if (!v->c->fields)
		return json_ref((json *)row);
	o = json_new_obj();
	for (size_t i = 0; i < v->n_fields; i++) {
		const char *name = v->fields[i]->name;
		const json *member = row_member(row, name);
		struct strbuf b = { 0 };

		if (member) {
			json_add(o, name, json_ref((json *)member));
			continue;
		}
		raw_cell(v->fields[i], row, &b);
		json_add_str(o, name, strbuf_cstr(&b));
		strbuf_done(&b);
	}
	return o;
}

static void add_json(const struct view *v, struct strbuf *b)
{
	auto_json json *all = json_new_obj();
	json *rows = json_new_arr();

	for (size_t i = 0; i < v->n_rows; i++)
		json_push(rows, json_row(v, v->rows[i]));
	json_add_i64(all, "schema", JSON_SCHEMA);
	json_add(all, v->l->member, rows);
	out_json_text(b, all, true);
}

static void add_jsonl(const struct view *v, struct strbuf *b)
{
	for (size_t i = 0; i < v->n_rows; i++) {
		auto_json json *row = json_row(v, v->rows[i]);

		out_json_text(b, row, false);
		strbuf_addc(b, '\n');
	}
}

/* RFC 4180, with \n at the end of the lines. */
static void add_csv_cell(struct strbuf *b, const char *s)
{
	if (!strpbrk(s, ",\"")) {
		strbuf_add(b, s);
		return;
	}
	strbuf_addc(b, '"');
	for (; *s; s++) {
		if (*s == '"')
			strbuf_addc(b, '"');
		strbuf_addc(b, *s);
	}
	strbuf_addc(b, '"');
}

static void add_csv(const struct view *v, struct strbuf *b)
{
	for (size_t k = 0; k < v->n_fields && !v->c->no_header; k++)
		strbuf_addf(b, "%s%s", v->fields[k]->name, k + 1 < v->n_fields ? "," : "\n");
	for (size_t i = 0; i < v->n_rows; i++)
		for (size_t k = 0; k < v->n_fields; k++) {
			struct strbuf text = { 0 };

			raw_cell(v->fields[k], v->rows[i], &text);
			add_csv_cell(b, strbuf_cstr(&text));
			strbuf_addc(b, k + 1 < v->n_fields ? ',' : '\n');
			strbuf_done(&text);
		}
}

static void add_plain(const struct view *v, struct strbuf *b)
{
	for (size_t i = 0; i < v->n_rows; i++)
		for (size_t k = 0; k < v->n_fields; k++) {
			raw_cell(v->fields[k], v->rows[i], b);
			strbuf_addc(b, k + 1 < v->n_fields ? '\t' : '\n');
		}
}

/* Columns on a terminal: one per character, continuation bytes take none. */
static size_t width(const char *s)
{
	size_t n = 0;

	for (; *s; s++)
		n += ((unsigned char)*s & 0xc0) != 0x80;
	return n;
}

static void pad(struct strbuf *b, size_t n)
{
	while (n--)
		strbuf_addc(b, ' ');
}

static const char *color_of(const char *s)
{
	static const struct {
		const char *words, *color;
	} colors[] = {
		{ "running ok", "\033[32m" },
		{ "failed problem", "\033[31m" },
		{ "starting stopping paused suspended warning", "\033[33m" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(colors); i++)
		if (word_in(colors[i].words, s, strlen(s)))
			return colors[i].color;
	return NULL;
}

static void add_cell(struct strbuf *b, const struct field *f, const char *s, size_t columns, bool last)
{
	size_t fill = columns > width(s) ? columns - width(s) : 0;
	const char *color = f->color ? color_of(s) : NULL;

	if (f->right)
		pad(b, fill);
	strbuf_add(b, color ?: "");
	strbuf_add(b, s);
	strbuf_add(b, color ? "\033[0m" : "");
	if (!f->right && !last)
		pad(b, fill);
	strbuf_add(b, last ? "\n" : "  ");
}

static char *title(const struct field *f)
{
	char *s = str_dup(f->title ?: f->name);

	for (char *p = s; *p; p++)
		if (*p >= 'a' && *p <= 'z')
			*p -= 'a' - 'A';
	return s;
}

static char *filled_cell(const struct field *f, const json *row)
{
	struct strbuf text = { 0 };

	if (f->text)
		f->text(row, &text);
	else
		out_value(&text, row_member(row, f->name));
	if (!text.len)
		strbuf_addc(&text, '-');
	return strbuf_steal(&text);
}

static bool use_color(const struct cli *c)
{
	const char *when = opt_text(&c->line, O_COLOR), *term = getenv("TERM");

	if (when && !str_eq(when, "auto"))
		return str_eq(when, "always");
	return isatty(STDOUT_FILENO) && !getenv("NO_COLOR") && term && !str_eq(term, "dumb");
}

static void add_table(const struct view *v, struct strbuf *b)
{
	size_t n = v->n_fields, total = (v->n_rows + 1) * n, first = v->c->no_header ? n : 0;
	char **cells = arena_alloc_n(&v->c->arena, total, sizeof(char *));
	size_t *columns = arena_alloc_n(&v->c->arena, n, sizeof(*columns));
	bool color = use_color(v->c);

	for (size_t i = 0; i < total; i++) {
		const struct field *f = v->fields[i % n];

		cells[i] = i < n ? title(f) : filled_cell(f, v->rows[i / n - 1]);
		if (i >= first)
			columns[i % n] = MAX(columns[i % n], width(cells[i]));
	}
	for (size_t i = first; i < total; i++) {
		struct field f = *v->fields[i % n];

		f.color = f.color && color && i >= n;
		add_cell(b, &f, cells[i], columns[i % n], i % n == n - 1);
	}
	for (size_t i = 0; i < total; i++)
		free(cells[i]);
}

static void add_ids(const struct view *v, struct strbuf *b)
{
	for (size_t i = 0; i < v->n_rows; i++) {
		out_value(b, row_member(v->rows[i], v->l->id));
		strbuf_addc(b, '\n');
	}
}

int out_rows(struct cli *c, const struct listing *l, const json *rows)
{
	static void (*const formats[])(const struct view *v, struct strbuf *b) = {
		[FORMAT_TABLE] = add_table, [FORMAT_JSON] = add_json,	[FORMAT_JSONL] = add_jsonl,
		[FORMAT_CSV] = add_csv,	    [FORMAT_PLAIN] = add_plain,
	};
	struct view v = { .c = c, .l = l };
	struct strbuf b = { 0 };
	struct error err;
	bool ok;

	if (choose_fields(&v, &err) < 0 || order_rows(&v, rows, &err) < 0)
		return cli_fail(c, NULL, &err);
	if (c->quiet && l->id)
		add_ids(&v, &b);
	else if (c->format == FORMAT_TABLE && !v.n_rows && l->empty)
		cli_note(c, NULL, "%s", l->empty);
	else
		formats[c->format](&v, &b);
	ok = cli_write(c, b.s, b.len);
	strbuf_done(&b);
	return ok ? 0 : ERR_FAILED;
}
