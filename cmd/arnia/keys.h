/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef ARNIA_CLI_KEYS_H
#define ARNIA_CLI_KEYS_H
/*
 * The keys that leave a machine running. No key is held back: all but the last of the sequence go through, so
 * nothing the guest needs is stolen, and nothing is late. The whole sequence must come within a second.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define KEYS_MAX 16
#define KEYS_WINDOW_MS 1000
#define KEYS_DEFAULT "ctrl-],ctrl-],ctrl-]"

struct keys {
	unsigned char sequence[KEYS_MAX];
	size_t n;		 /* 0: never */
	uint64_t came[KEYS_MAX]; /* times of the part that matches now */
	size_t have;
};
/* docker's syntax: "ctrl-p,ctrl-q", single characters; "" = none. -EINVAL. */
int keys_parse(const char *text, struct keys *ret);
/* Bytes typed at now_ms. True: left. *ret_pass: how many of them go to the guest. */
bool keys_typed(struct keys *k, const void *bytes, size_t n, uint64_t now_ms, size_t *ret_pass);

#endif
