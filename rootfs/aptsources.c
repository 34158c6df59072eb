/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "lib/base/fd.h"
#include "lib/base/file.h"
#include "lib/base/str.h"
#include "rootfs/aptsources.h"

#define ENTRIES_MAX 1000
#define FILE_MAX (1 << 20)
#define WORDS_MAX 64

/* ---- words ---- */

static bool is_plain(const char *s, size_t n)
{
	if (n == 0 || n > 1024)
		return false;
	for (size_t i = 0; i < n; i++)
		if ((unsigned char)s[i] <= 0x20 || s[i] == 0x7f || strchr("[]\"'\\", s[i]))
			return false;
	return true;
}

/* Split by blanks; a word that is not plain makes the whole bad. */
static int split_words(struct arena *a, const char *s, size_t n, struct strv *out)
{
	const char *end = s + n;

	while (s < end) {
		const char *p = s;

		while (p < end && *p != ' ' && *p != '\t' && *p != '\n' && *p != '\r')
			p++;
		if (p > s) {
			if (!is_plain(s, (size_t)(p - s)) || out->n == WORDS_MAX)
				return -EINVAL;
			strv_push(a, out, arena_str_n(a, s, (size_t)(p - s)));
		}
		s = p + 1;
	}
	return 0;
}

static bool is_usable_uri(const char *uri)
{
	static const char *const schemes[] = { "http://", "https://", "ftp://",
					       "file:/",  "copy:/",   "mirror+http" };

	for (size_t i = 0; i < ARRAY_SIZE(schemes); i++)
		if (str_starts(uri, schemes[i]))
			return true;
	return false;
}

static void add_entry(struct apt_sources *s, const struct apt_entry *e)
{
	size_t n = strlen(e->suite);

	/* A flat archive (its suite is a path) has no components and is no release. */
	if (s->entries.n >= ENTRIES_MAX || !is_usable_uri(e->uri) || e->suite[n - 1] == '/' ||
	    e->components.n == 0)
		return;
	*arena_push(&s->arena, &s->entries) = *e;
}

static bool is_yes(const char *v)
{
	return strcasecmp(v, "yes") == 0 || strcasecmp(v, "true") == 0 || str_eq(v, "1");
}

static bool is_no(const char *v)
{
	return strcasecmp(v, "no") == 0 || strcasecmp(v, "false") == 0 || str_eq(v, "0");
}

/* Both styles name options alike, but for capitals. */
static void set_option(struct apt_entry *e, const char *key, const char *value)
{
	if (strcasecmp(key, "signed-by") == 0)
		e->signed_by = value;
	else if (strcasecmp(key, "trusted") == 0)
		e->trusted = is_yes(value);
	else if (strcasecmp(key, "check-valid-until") == 0)
		e->no_valid_until = is_no(value);
}

/* ---- one line ---- */

static int parse_options(struct apt_sources *s, const char *p, size_t n, struct apt_entry *e)
{
	struct strv words = { 0 };
	int r = split_words(&s->arena, p, n, &words);

	for (size_t i = 0; r == 0 && i < words.n; i++) {
		const char *eq = strchr(words.v[i], '=');

		if (eq)
			set_option(e, arena_str_n(&s->arena, words.v[i], (size_t)(eq - words.v[i])), eq + 1);
	}
	return r;
}

static const char *skip_blanks(const char *p, const char *end)
{
	while (p < end && (*p == ' ' || *p == '\t'))
		p++;
	return p;
}

static void parse_line(struct apt_sources *s, const char *p, const char *end)
{
	const char *hash = memchr(p, '#', (size_t)(end - p)), *close;
	struct apt_entry e = { 0 };
	struct strv words = { 0 };

	end = hash ? hash : end;
	p = skip_blanks(p, end);
	if (end - p < 4 || memcmp(p, "deb", 3) != 0 || (p[3] != ' ' && p[3] != '\t'))
		return;
	p = skip_blanks(p + 3, end);
	if (p < end && *p == '[') {
		close = memchr(p, ']', (size_t)(end - p));
		if (!close || parse_options(s, p + 1, (size_t)(close - p - 1), &e) < 0)
			return;
		p = close + 1;
	}
	if (split_words(&s->arena, p, (size_t)(end - p), &words) < 0 || words.n < 3)
		return;
	e.uri = words.v[0];
	e.suite = words.v[1];
	e.components = (struct strv){ words.v + 2, words.n - 2 };
	add_entry(s, &e);
}

void apt_parse_list(struct apt_sources *s, const char *text, size_t n)
{
	const char *end = text + n;

	while (text < end) {
		const char *nl = memchr(text, '\n', (size_t)(end - text));

		parse_line(s, text, nl ? nl : end);
		text = nl ? nl + 1 : end;
	}
}

/* ---- deb822 ---- */

struct stanza {
	struct strv types, uris, suites, components;
	struct apt_entry options;
	bool disabled, bad;
};

static void set_field(struct apt_sources *s, struct stanza *st, const char *key, const char *value, size_t n)
{
	const struct {
		const char *key;
		struct strv *to;
	} lists[] = {
		{ "types", &st->types },
		{ "uris", &st->uris },
		{ "suites", &st->suites },
		{ "components", &st->components },
	};
	struct strv words = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(lists); i++) {
		if (strcasecmp(key, lists[i].key) != 0)
			continue;
		*lists[i].to = (struct strv){ 0 };
		if (split_words(&s->arena, value, n, lists[i].to) < 0)
			st->bad = true;
		return;
	}
	/* A key block in place of a path has many words: the archive is then found without it. */
	if (split_words(&s->arena, value, n, &words) < 0 || words.n != 1)
		return;
	if (strcasecmp(key, "enabled") == 0)
		st->disabled = is_no(words.v[0]);
	else
		set_option(&st->options, key, words.v[0]);
}

static void end_stanza(struct apt_sources *s, struct stanza *st)
{
	bool deb = false;

	for (size_t i = 0; i < st->types.n; i++)
		deb |= str_eq(st->types.v[i], "deb");
	for (size_t u = 0; deb && !st->bad && !st->disabled && u < st->uris.n; u++) {
		for (size_t i = 0; i < st->suites.n; i++) {
			struct apt_entry e = st->options;

			e.uri = st->uris.v[u];
			e.suite = st->suites.v[i];
			e.components = st->components;
			add_entry(s, &e);
		}
	}
	*st = (struct stanza){ 0 };
}

/* A field and its continuation lines as one value, comment lines left out. Returns where the next field
 * begins. */
static const char *take_field(struct apt_sources *s, struct stanza *st, const char *p, const char *end)
{
	const char *colon = memchr(p, ':', (size_t)(end - p)), *nl = memchr(p, '\n', (size_t)(end - p));
	struct strbuf value = { 0 };
	char key[64];

	nl = nl ? nl : end;
	if (!colon || colon > nl || (size_t)(colon - p) >= sizeof(key)) {
		st->bad = true;
		return nl < end ? nl + 1 : end;
	}
	memcpy(key, p, (size_t)(colon - p));
	key[colon - p] = '\0';
	strbuf_add_n(&value, colon + 1, (size_t)(nl - colon - 1));
	for (p = nl < end ? nl + 1 : end; p < end && (*p == ' ' || *p == '\t' || *p == '#');
	     p = nl < end ? nl + 1 : end) {
		nl = memchr(p, '\n', (size_t)(end - p));
		nl = nl ? nl : end;
		if (*p != '#')
			strbuf_add_n(&value, p, (size_t)(nl - p));
	}
	set_field(s, st, key, strbuf_cstr(&value), value.len);
	strbuf_done(&value);
	return p;
}

static bool is_blank_line(const char *p, const char *end)
{
	p = skip_blanks(p, end);
	return p == end || *p == '\n' || *p == '\r';
}

void apt_parse_deb822(struct apt_sources *s, const char *text, size_t n)
{
	const char *end = text + n, *p = text;
	struct stanza st = { 0 };

	while (p < end) {
		const char *nl = memchr(p, '\n', (size_t)(end - p));

		if (is_blank_line(p, end)) {
			end_stanza(s, &st);
			p = nl ? nl + 1 : end;
		} else if (*p == '#') {
			p = nl ? nl + 1 : end;
		} else {
			p = take_field(s, &st, p, end);
		}
	}
	end_stanza(s, &st);
}

/* ---- files ---- */

typedef void (*apt_parser)(struct apt_sources *s, const char *text, size_t n);

static apt_parser parser_of(const char *name)
{
	/* As apt: other names (".list.save", ".dpkg-old") are not read. */
	if (strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-") != strlen(name))
		return NULL;
	if (str_ends(name, ".list"))
		return apt_parse_list;
	return str_ends(name, ".sources") ? apt_parse_deb822 : NULL;
}

static int read_one(struct apt_sources *s, int dir, const char *name, struct error *err)
{
	auto_fd int fd = openat(dir, name, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	auto_free char *text = NULL;
	long n;

	if (fd < 0)
		return errno == ENOENT ? 0 : err_sys(err, -errno, "read %s", name);
	n = file_read_fd(fd, FILE_MAX, &text, err);
	if (n < 0)
		return err_prefix(err, "%s", name);
	parser_of(name)(s, text, (size_t)n);
	return 0;
}

static int select_known(const struct dirent *e)
{
	return parser_of(e->d_name) != NULL;
}

static int by_bytes(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static int read_parts(struct apt_sources *s, int etc, struct error *err)
{
	auto_fd int dir = openat(etc, "sources.list.d", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct dirent **list = NULL;
	int n, r = 0;

	if (dir < 0)
		return errno == ENOENT ? 0 : err_sys(err, -errno, "read sources.list.d");
	n = scandirat(dir, ".", &list, select_known, by_bytes);
	if (n < 0)
		return err_sys(err, -errno, "read sources.list.d");
	for (int i = 0; i < n; i++) {
		if (r == 0)
			r = read_one(s, dir, list[i]->d_name, err);
		free(list[i]);
	}
	free(list);
	return r;
}

int apt_read(struct apt_sources *s, const char *etc_apt, struct error *err)
{
	auto_fd int etc = open(etc_apt, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int r;

	if (etc < 0)
		return errno == ENOENT ? 0 : err_sys(err, -errno, "open %s", etc_apt);
	r = read_one(s, etc, "sources.list", err);
	if (r == 0)
		r = read_parts(s, etc, err);
	return r < 0 ? err_prefix(err, "%s", etc_apt) : 0;
}

/* ---- choice ---- */

static bool has_main(const struct apt_entry *e)
{
	for (size_t i = 0; i < e->components.n; i++)
		if (str_eq(e->components.v[i], "main"))
			return true;
	return false;
}

static const struct apt_entry *find_entry(const struct apt_sources *s, const char *suite, const char *pocket)
{
	for (size_t i = 0; i < s->entries.n; i++) {
		const struct apt_entry *e = &s->entries.v[i];
		const char *rest = str_after(e->suite, suite);

		if (rest && str_eq(rest, pocket) && has_main(e))
			return e;
	}
	return NULL;
}

static const char *format_line(struct arena *a, const struct apt_entry *e, const char *suite,
			       const char *pocket)
{
	struct strbuf b = { 0 }, options = { 0 };
	const char *line;

	strbuf_add(&b, "deb ");
	if (e->signed_by)
		strbuf_addf(&options, " signed-by=%s", e->signed_by);
	strbuf_addf(&options, "%s%s", e->trusted ? " trusted=yes" : "",
		    e->no_valid_until ? " check-valid-until=no" : "");
	if (options.len)
		strbuf_addf(&b, "[%s] ", options.s + 1);
	strbuf_done(&options);
	strbuf_addf(&b, "%s %s%s", e->uri, suite, pocket);
	for (size_t i = 0; i < e->components.n; i++)
		strbuf_addf(&b, " %s", e->components.v[i]);
	line = arena_str(a, strbuf_cstr(&b));
	strbuf_done(&b);
	return line;
}

int apt_select(struct apt_sources *s, const char *suite, const char *host_suite, struct strv *out)
{
	static const char *const pockets[] = { "", "-updates", "-security" };
	const char *from = suite;

	if (!find_entry(s, suite, ""))
		from = host_suite;
	if (!from || !find_entry(s, from, ""))
		return -ENOENT;
	for (size_t i = 0; i < ARRAY_SIZE(pockets); i++) {
		const struct apt_entry *e = find_entry(s, from, pockets[i]);

		if (e)
			strv_push(&s->arena, out, format_line(&s->arena, e, suite, pockets[i]));
	}
	return 0;
}

void apt_done(struct apt_sources *s)
{
	arena_done(&s->arena);
	*s = (struct apt_sources){ 0 };
}
