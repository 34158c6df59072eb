/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "cmd/arnia/cli.h"
#include "lib/base/fd.h"

#define EXIT_OURS 125 /* chroot(1): the failure is not the guest's */

int cli_exit_code(const struct cli *c, const struct error *err)
{
	bool command = err->kind == ERR_CANNOT_RUN || err->kind == ERR_NO_COMMAND;

	if (c->verb && c->verb->guest)
		return command ? (int)err->kind : EXIT_OURS;
	if (command || err->kind == ERR_NONE)
		return ERR_FAILED;
	return (int)err->kind;
}

static void say(struct strbuf *b)
{
	strbuf_addc(b, '\n');
	(void)fd_write_wait(STDERR_FILENO, b->s, b->len);
	strbuf_done(b);
}

static void add_escaped(struct strbuf *b, const char *s)
{
	strbuf_add_escaped(b, s, strlen(s));
}

/* "arnia: NAME: ", unless the text begins with the name anyway. */
static void add_head(struct strbuf *b, const char *name, const char *text)
{
	const char *rest = name ? str_after(text, name) : NULL;

	strbuf_add(b, "arnia: ");
	if (!name || (rest && *rest == ':'))
		return;
	add_escaped(b, name);
	strbuf_add(b, ": ");
}

/* The daemon's hints name the machine NAME; here it is known which one that is. */
static char *hint_for(const struct error *err, const char *name)
{
	struct strbuf b = { 0 };
	const char *from = err->hint, *p;

	while (name && (p = strstr(from, " NAME"))) {
		strbuf_add_n(&b, from, (size_t)(p + 1 - from));
		strbuf_add(&b, name);
		from = p + strlen(" NAME");
	}
	strbuf_add(&b, from);
	return strbuf_steal(&b);
}

json *cli_error_json(const struct cli *c, const char *name, const struct error *err)
{
	auto_free char *hint = hint_for(err, name);
	json *e = json_new_obj();

	json_add_i64(e, "code", cli_exit_code(c, err));
	json_add_str(e, "kind", err_kind_name(err->kind));
	json_add_str(e, "text", err->text);
	json_add_str(e, "hint", *hint ? hint : NULL);
	json_add_str(e, "name", name);
	return e;
}

int cli_fail(const struct cli *c, const char *name, const struct error *err)
{
	struct strbuf b = { 0 };

	if (c->json_errors) {
		auto_json json *j = json_new_obj();

		json_add(j, "error", cli_error_json(c, name, err));
		out_json_text(&b, j, false);
	} else {
		auto_free char *hint = hint_for(err, name);

		add_head(&b, name, err->text);
		add_escaped(&b, err->text);
		if (*hint) {
			strbuf_add(&b, " (hint: ");
			add_escaped(&b, hint);
			strbuf_addc(&b, ')');
		}
		if (c->verbose)
			strbuf_addf(&b, " [%s, errno %d]", err_kind_name(err->kind), -err->code);
	}
	say(&b);
	return cli_exit_code(c, err);
}

void cli_note(const struct cli *c, const char *name, const char *fmt, ...)
{
	struct strbuf b = { 0 };
	char text[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (c->json_errors) {
		auto_json json *j = json_new_obj();
		json *note = json_new_obj();

		json_add_str(note, "text", text);
		json_add_str(note, "name", name);
		json_add(j, "note", note);
		out_json_text(&b, j, false);
	} else {
		add_head(&b, name, text);
		add_escaped(&b, text);
	}
	say(&b);
}

int cli_usage(const struct cli *c, const char *fmt, ...)
{
	struct arena a = { 0 };
	struct error err;
	char text[400];
	va_list ap;
	int code;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	err_set_kind(&err, -EINVAL, ERR_USAGE, "%s", text);
	if (c->verb) {
		err_prefix(&err, "%s", verb_path(c->verb, &a));
		err_hint(&err, "arnia %s --help", verb_path(c->verb, &a));
	} else {
		err_hint(&err, "arnia help");
	}
	code = cli_fail(c, NULL, &err);
	arena_done(&a);
	return code;
}

bool cli_confirm(const struct cli *c, const char *fmt, ...)
{
	struct strbuf b = { 0 };
	char text[512], answer[64];
	va_list ap;
	ssize_t n;

	if (c->yes || !isatty(STDIN_FILENO) || !isatty(STDERR_FILENO))
		return true;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	strbuf_add(&b, "arnia: ");
	add_escaped(&b, text);
	strbuf_add(&b, " [y/N] ");
	(void)fd_write_wait(STDERR_FILENO, b.s, b.len);
	strbuf_done(&b);
	n = read(STDIN_FILENO, answer, sizeof(answer));
	return n > 0 && (answer[0] == 'y' || answer[0] == 'Y');
}

bool cli_write(const struct cli *c, const char *text, size_t n)
{
	struct error err;
	int r = n ? fd_write_wait(STDOUT_FILENO, text, n) : 0;

	if (r == 0)
		return true;
	err_sys(&err, r, "write to standard output");
	cli_fail(c, NULL, &err);
	return false;
}
