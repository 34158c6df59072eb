/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef ARNIA_TEST_SANDBOX_FILTER_H
#define ARNIA_TEST_SANDBOX_FILTER_H
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdint.h>

/* What a program answers: SECCOMP_RET_*. Fails the test on anything the kernel would not take. */
uint32_t filter_run(const struct sock_filter *p, size_t n, const struct seccomp_data *d);

#endif
