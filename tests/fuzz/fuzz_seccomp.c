/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A seccomp profile. What comes out of one that is taken must be a program: every way through it ends in an
 * answer. */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "lib/sandbox/sandbox.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int jumps(uint16_t code)
{
	return BPF_CLASS(code) == BPF_JMP && BPF_OP(code) != BPF_JA;
}

static void check_code(const struct sock_filter *p, size_t n)
{
	if (n == 0 || n > BPF_MAXINSNS)
		abort();
	for (size_t i = 0; i < n; i++) {
		size_t next = i + 1;

		if (p[i].code == (BPF_RET | BPF_K))
			continue;
		if (p[i].code == (BPF_JMP | BPF_JA))
			next += p[i].k;
		else if (jumps(p[i].code))
			next += p[i].jt > p[i].jf ? p[i].jt : p[i].jf;
		else if (p[i].code == (BPF_LD | BPF_W | BPF_ABS) &&
			 (p[i].k % 4 || p[i].k + 4 > sizeof(struct seccomp_data)))
			abort();
		else if (p[i].code != (BPF_LD | BPF_W | BPF_ABS) && p[i].code != (BPF_ALU | BPF_AND | BPF_K))
			abort();
		if (next >= n)
			abort();
	}
}

/* The same text as linux.seccomp of a configuration. */
static void try_oci(const uint8_t *data, size_t size)
{
	struct seccomp_input in = { .json = (const char *)data, .json_len = size, .oci = true };
	struct error err = { 0 };
	void *code = NULL;
	size_t n = 0;
	int r = seccomp_compile(&in, &code, &n, &err);

	if (r == 0)
		check_code(code, n / sizeof(struct sock_filter));
	else if (r > 0 || code || !err.text[0])
		abort();
	free(code);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint64_t caps[] = { 0, UINT64_MAX };
	struct seccomp_input in = { .json = (const char *)data, .json_len = size };
	uint32_t flags;
	int first = 0;

	for (int i = 0; i < 2; i++) {
		struct error err = { 0 };
		void *code = NULL;
		size_t n = 0;
		int r;

		in.caps = caps[i];
		r = seccomp_compile(&in, &code, &n, &err);
		if (r == 0)
			check_code(code, n / sizeof(struct sock_filter));
		else if (r > 0 || code || !err.text[0])
			abort();
		free(code);
		/* A profile is well formed or not, whatever the capabilities; only its size depends on them.
		 */
		if (i == 0)
			first = r;
		else if ((first == -EINVAL) != (r == -EINVAL))
			abort();
	}
	seccomp_flags(&in, &flags, NULL);
	try_oci(data, size);
	return 0;
}
