/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef ARNIA_INIT_SYS_H
#define ARNIA_INIT_SYS_H
/*
 * System calls without a C library. One copy of this program lives as long as each container does, and a
 * static libc dirties about ten pages (TLS, heap, relocations) before main: this program dirties its stack.
 */
#include <sys/syscall.h>

/* Inlined without optimisation too: after a vfork-like clone two processes return from the call, on one stack. */
#define INLINE static inline __attribute__((always_inline))

#if defined(__x86_64__)
INLINE long sys(long n, long a, long b, long c, long d)
{
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = 0;
	long ret;

	__asm__ volatile("syscall"
			 : "=a"(ret)
			 : "a"(n), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8)
			 : "rcx", "r11", "memory");
	return ret;
}
#define INIT_ENTRY                                        \
	__asm__(".globl _start\n_start:\n"                \
		"\txor %ebp, %ebp\n\tmov %rsp, %rdi\n"      \
		"\tand $-16, %rsp\n\tcall init_main\n\thlt\n")
#elif defined(__aarch64__)
INLINE long sys(long n, long a, long b, long c, long d)
{
	register long x8 __asm__("x8") = n;
	register long x0 __asm__("x0") = a;
	register long x1 __asm__("x1") = b;
	register long x2 __asm__("x2") = c;
	register long x3 __asm__("x3") = d;
	register long x4 __asm__("x4") = 0;

	__asm__ volatile("svc #0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4) : "memory");
	return x0;
}
#define INIT_ENTRY                                        \
	__asm__(".globl _start\n_start:\n"                \
		"\tmov x29, #0\n\tmov x30, #0\n"            \
		"\tmov x0, sp\n\tbl init_main\n\tbrk #0\n")
#else
#error "arnia-init: no system call entry for this architecture"
#endif

#endif
