/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/unit/sandbox/filter.h"
#include "tests/unit/sandbox/fixture.h"

static bool is_true(const struct sock_filter *f, uint32_t a)
{
	switch (f->code) {
	case BPF_JMP | BPF_JEQ | BPF_K:
		return a == f->k;
	case BPF_JMP | BPF_JGT | BPF_K:
		return a > f->k;
	case BPF_JMP | BPF_JGE | BPF_K:
		return a >= f->k;
	default:
		fail_msg("instruction %#x", f->code);
	}
	return false;
}

uint32_t filter_run(const struct sock_filter *p, size_t n, const struct seccomp_data *d)
{
	uint32_t a = 0;

	for (size_t i = 0; i < n; i++) {
		const struct sock_filter *f = &p[i];

		switch (f->code) {
		case BPF_LD | BPF_W | BPF_ABS:
			assert_true(f->k % 4 == 0 && f->k + 4 <= sizeof(*d));
			memcpy(&a, (const char *)d + f->k, 4);
			break;
		case BPF_ALU | BPF_AND | BPF_K:
			a &= f->k;
			break;
		case BPF_JMP | BPF_JA:
			i += f->k;
			break;
		case BPF_RET | BPF_K:
			return f->k;
		default:
			i += is_true(f, a) ? f->jt : f->jf;
		}
	}
	fail_msg("ran off the end");
	return 0;
}
