/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef ARNIA_BASE_ERROR_H
#define ARNIA_BASE_ERROR_H
/*
 * One error: set once at its source, prefixed while unwinding, shown once at the top.
 * Fixed size, no allocation, so that it crosses a socket as part of one frame.
 * Every function that can fail returns 0 (or a count) or a negative errno and takes a
 * `struct error *` last, which may be NULL. Outputs are untouched on failure.
 */
#include <stdint.h>

/* What the failure means to the user; the value is the CLI's exit code. */
enum err_kind {
	ERR_NONE = 0,
	ERR_FAILED = 1,
	ERR_USAGE = 2,
	ERR_NOT_FOUND = 3,
	ERR_STATE = 4, /* wrong state, or already exists */
	ERR_PERM = 5,
	ERR_UNREACHABLE = 6,
	ERR_TIMEOUT = 7,
	ERR_REFUSED = 8, /* quota or admission */
	ERR_UNSUPPORTED = 9, /* the host lacks a feature */
	ERR_CANNOT_RUN = 126,
	ERR_NO_COMMAND = 127,
};

struct error {
	int32_t code; /* negative errno; 0 = no error */
	uint32_t kind; /* enum err_kind */
	char text[512]; /* no trailing newline, no control bytes */
	char hint[256]; /* what to do about it, or empty */
};

/* Set a failure. `code` is a negative errno and is returned. The kind follows from the code
 * (ENOENT is not made NOT_FOUND: a missing file is a FAILED, say NOT_FOUND with err_set_kind).
 * EACCES/EPERM stay FAILED too: a kernel refusal is not the caller's lack of permission.
 * The text is "fmt" alone; err_sys adds ": strerror(code)". */
int err_set(struct error *err, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
int err_sys(struct error *err, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
int err_set_kind(struct error *err, int code, enum err_kind kind, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

/* Put "fmt: " before the text. Returns err->code (or -EIO when err is NULL). */
int err_prefix(struct error *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Set the hint, unless one is there. */
void err_hint(struct error *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void err_clear(struct error *err);

/* Stable name of a kind ("not-found", "wrong-state", ...), used in --json-errors. Never NULL. */
const char *err_kind_name(enum err_kind kind);
/* Make an error received from another process safe to use: terminates strings, replaces control
 * bytes, clamps kind and code. */
void err_sanitize(struct error *err);

#endif
