/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include "lib/base/error.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"

static const struct {
	enum err_kind kind;
	const char *name;
} kinds[] = {
	{ ERR_NONE, "none" },
	{ ERR_FAILED, "failed" },
	{ ERR_USAGE, "usage" },
	{ ERR_NOT_FOUND, "not-found" },
	{ ERR_STATE, "wrong-state" },
	{ ERR_PERM, "permission-denied" },
	{ ERR_UNREACHABLE, "unreachable" },
	{ ERR_TIMEOUT, "timeout" },
	{ ERR_REFUSED, "refused" },
	{ ERR_UNSUPPORTED, "unsupported" },
	{ ERR_CANNOT_RUN, "cannot-run" },
	{ ERR_NO_COMMAND, "no-command" },
};

static enum err_kind kind_of_code(int code)
{
	switch (code) {
	case 0:
		return ERR_NONE;
	case -ETIMEDOUT:
		return ERR_TIMEOUT;
	case -EOPNOTSUPP:
	case -ENOSYS:
		return ERR_UNSUPPORTED;
	default:
		return ERR_FAILED;
	}
}

/* No control bytes, and no half of a character where the text was cut. */
static void clean_text(char *s, size_t size)
{
	size_t n = strnlen(s, size - 1);

	s[n] = '\0';
	for (size_t i = 0; i < n; i++)
		if ((unsigned char)s[i] < 0x20 || s[i] == 0x7f)
			s[i] = s[i] == '\n' || s[i] == '\t' ? ' ' : '?';
	for (size_t back = 0; back < 4 && back < n && !utf8_valid(s, n - back); back++)
		if (utf8_valid(s, n - back - 1)) {
			s[n - back - 1] = '\0';
			break;
		}
}

/* The arguments may point into the old text, so the new one is made beside it. */
static void set_text(char *dst, size_t size, const char *head, const char *tail)
{
	char text[sizeof(((struct error *)0)->text)];

	str_copy(text, sizeof(text), head);
	if (tail) {
		str_copy(text + strlen(text), sizeof(text) - strlen(text), ": ");
		str_copy(text + strlen(text), sizeof(text) - strlen(text), tail);
	}
	clean_text(text, sizeof(text));
	str_copy(dst, size, text);
}

static int err_fill(struct error *err, int code, enum err_kind kind, const char *text, const char *tail)
{
	if (code >= 0)
		code = -EIO;
	if (err) {
		err->code = code;
		err->kind = kind == ERR_NONE ? kind_of_code(code) : kind;
		err->hint[0] = '\0';
		set_text(err->text, sizeof(err->text), text, tail);
	}
	return code;
}

#define FORMAT(text, fmt)                                  \
	do {                                               \
		va_list ap_;                               \
		va_start(ap_, fmt);                        \
		vsnprintf((text), sizeof(text), fmt, ap_); \
		va_end(ap_);                               \
	} while (0)

int err_set(struct error *err, int code, const char *fmt, ...)
{
	char text[sizeof(err->text)];

	FORMAT(text, fmt);
	return err_fill(err, code, ERR_NONE, text, NULL);
}

int err_sys(struct error *err, int code, const char *fmt, ...)
{
	char text[sizeof(err->text)];
	const char *why = strerrordesc_np(code < 0 ? -code : EIO);

	FORMAT(text, fmt);
	return err_fill(err, code, ERR_NONE, text, why ? why : "unknown error");
}

int err_set_kind(struct error *err, int code, enum err_kind kind, const char *fmt, ...)
{
	char text[sizeof(err->text)];

	FORMAT(text, fmt);
	return err_fill(err, code, kind, text, NULL);
}

int err_prefix(struct error *err, const char *fmt, ...)
{
	char text[sizeof(err->text)];

	if (!err)
		return -EIO;
	FORMAT(text, fmt);
	set_text(err->text, sizeof(err->text), text, err->text);
	return err->code < 0 ? err->code : -EIO;
}

void err_hint(struct error *err, const char *fmt, ...)
{
	char text[sizeof(err->text)];

	if (!err || err->hint[0])
		return;
	FORMAT(text, fmt);
	text[sizeof(err->hint) - 1] = '\0';
	clean_text(text, sizeof(text));
	str_copy(err->hint, sizeof(err->hint), text);
}

void err_clear(struct error *err)
{
	if (err)
		*err = (struct error){ 0 };
}

const char *err_kind_name(enum err_kind kind)
{
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (kinds[i].kind == kind)
			return kinds[i].name;
	return "failed";
}

void err_sanitize(struct error *err)
{
	bool known = false;

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		known = known || kinds[i].kind == err->kind;
	if (err->code > 0 || err->code < -4095)
		err->code = -EIO;
	if (err->code == 0)
		err->kind = ERR_NONE;
	else if (!known || err->kind == ERR_NONE)
		err->kind = ERR_FAILED;
	clean_text(err->text, sizeof(err->text));
	clean_text(err->hint, sizeof(err->hint));
}
