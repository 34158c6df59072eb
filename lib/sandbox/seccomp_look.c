/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a filter says of a call, without making it. */
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <string.h>
#include "lib/base/mem.h"
#include "lib/sandbox/sandbox.h"

#if defined(__x86_64__)
#define OUR_ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define OUR_ARCH AUDIT_ARCH_AARCH64
#else
#define OUR_ARCH 0
#endif

static bool jumps(uint16_t code, uint32_t a, uint32_t k)
{
	switch (BPF_OP(code)) {
	case BPF_JEQ:
		return a == k;
	case BPF_JGT:
		return a > k;
	case BPF_JGE:
		return a >= k;
	default:
		return a & k; /* BPF_JSET */
	}
}

/* Only what our compiler makes (seccomp_bpf.c); all else lets nothing through. */
static uint32_t judge(const struct sock_filter *f, size_t n, const struct seccomp_data *data)
{
	uint32_t a = 0;

	for (size_t i = 0; i < n; i++) {
		uint32_t k = f[i].k;

		if (f[i].code == (BPF_RET | BPF_K))
			return k;
		if (f[i].code == (BPF_LD | BPF_W | BPF_ABS) && k % 4 == 0 && k < sizeof(*data))
			memcpy(&a, (const char *)data + k, sizeof(a));
		else if (f[i].code == (BPF_ALU | BPF_AND | BPF_K))
			a &= k;
		else if (f[i].code == (BPF_JMP | BPF_JA))
			i += k;
		else if (BPF_CLASS(f[i].code) == BPF_JMP && BPF_SRC(f[i].code) == BPF_K)
			i += jumps(f[i].code, a, k) ? f[i].jt : f[i].jf;
		else
			break;
	}
	return SECCOMP_RET_KILL_PROCESS;
}

bool filter_lets(const struct sandbox_config *c, int nr, uint64_t arg0, uint64_t arg1)
{
	const struct seccomp_data data = { .nr = nr, .arch = OUR_ARCH, .args = { arg0, arg1 } };
	uint32_t said = judge(c->seccomp, c->seccomp_size / sizeof(struct sock_filter), &data) & SECCOMP_RET_ACTION_FULL;

	return OUR_ARCH && (said == SECCOMP_RET_ALLOW || said == SECCOMP_RET_LOG);
}
