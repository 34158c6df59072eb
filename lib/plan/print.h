/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef ARNIA_PLAN_PRINT_H
#define ARNIA_PLAN_PRINT_H
/* Pieces of plan_print. Strings of strangers never end a line early or steer a terminal. */
#include "lib/plan/internal.h"

/* One word: as it is, or in double quotes when it has blanks, quotes or nothing in it; escaped. */
void print_text(struct strbuf *out, const char *s);
/* "KEY value" and the end of the line; nothing for NULL. */
void print_fact(struct strbuf *out, const char *key, const char *value);
void print_list(struct strbuf *out, const char *key, const struct strv *values); /* one line each */
void print_addr(struct strbuf *out, struct in_addr addr);

struct print_flag {
	uint64_t bit;
	const char *name;
};
/* "nosuid,nodev", unnamed bits in hex, "-" when there is none. */
void print_flags(struct strbuf *out, uint64_t bits, const struct print_flag *names, size_t n);

void plan_print_rootfs(const struct plan *p, struct strbuf *out); /* print_rootfs.c */
void plan_print_sandbox(const struct plan *p, struct strbuf *out); /* print_sandbox.c */
void plan_print_process(const struct plan *p, struct strbuf *out);

#endif
