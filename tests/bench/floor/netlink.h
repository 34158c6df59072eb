/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef ARNIA_BENCH_FLOOR_NETLINK_H
#define ARNIA_BENCH_FLOOR_NETLINK_H
/* One netlink request at a time, in a buffer of net.c. */
#include <linux/netlink.h>
#include <stddef.h>
#include <stdint.h>

void nl_begin(void);
void nl_message(uint16_t type, uint16_t flags, const void *body, size_t n);
void nl_end(void);						  /* of a message */
struct nlmsghdr *nl_head(void);					  /* of the last message */
struct nlattr *nl_put(uint16_t type, const void *data, size_t n); /* n = 0: a nest begins */
void nl_nest_end(struct nlattr *a);
void nl_put_text(uint16_t type, const char *s);
void nl_put_u32(uint16_t type, uint32_t v);
void nl_put_be32(uint16_t type, uint32_t v);
void nl_raw(const void *p, size_t n);
void nl_send(int fd, const char *what); /* and read the answer; an error ends the program */

#endif
