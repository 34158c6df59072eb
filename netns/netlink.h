/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef ARNIA_NET_NETLINK_H
#define ARNIA_NET_NETLINK_H
/*
 * Netlink sockets and batches (internal to netns/). A batch is many messages in one send(2); the kernel works
 * through all of them before the send returns, so every answer is waiting then and nothing ever blocks. Only
 * the last message asks for an acknowledgement: a message that fails is always answered (netlink(7)), so
 * silence before the last ack means success.
 */
#include <libmnl/libmnl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "lib/base/error.h"
#include "lib/base/mem.h"

#define NL_MESSAGE_ROOM 4096 /* every message of ours is far smaller */

struct nl_message {
	size_t at;	  /* offset in buf */
	const char *what; /* for errors, not owned */
};
struct nl_batch {
	char *buf;
	size_t len, cap;
	struct nl_message *msg;
	size_t n, msg_cap;
	uint32_t seq; /* of msg[0] */
	int ignore;   /* an answer with this -errno is no failure; 0 = none */
	uint8_t nft;  /* BATCH_BEGIN and BATCH_END surround the messages */
	uint8_t dump; /* the one message is a dump */
	int failed;   /* after nl_run: index of the first message that failed, -1 */
};
#define NL_BATCH_NONE ((struct nl_batch){.failed = -1})
void nl_batch_done(struct nl_batch *b);
#define auto_batch cleanup(nl_batch_done) struct nl_batch

/* Socket of NETLINK_ROUTE or NETLINK_NETFILTER in the caller's network namespace, CLOEXEC, extended acks on.
 * fd or -errno. */
int nl_socket(int protocol, struct error *err);

/* Begin a message; the one before is complete then. The pointer is valid until the next nl_message. */
struct nlmsghdr *nl_message(struct nl_batch *b, uint16_t type, uint16_t flags, const char *what);
/* The same with the header of nfnetlink: family, and res_id in host order. */
struct nlmsghdr *nl_message_nfnl(struct nl_batch *b, uint16_t type, uint16_t flags, uint8_t family,
				 uint16_t res_id, const char *what);
/* Surround what follows, up to nl_nft_end, by BATCH_BEGIN and BATCH_END: one transaction. genid 0 = none,
 * else the batch fails with -ERESTART when the ruleset is no longer of this generation. */
void nl_nft_begin(struct nl_batch *b, uint32_t genid);
void nl_nft_end(struct nl_batch *b);

/* Called for every data message; `index` is the message of the batch it answers. Negative stops nothing but
 * is returned. */
typedef int nl_answer(const struct nlmsghdr *nlh, size_t index, void *data);
/* Send and read all answers. -errno of the first message that failed; err says "WHAT: reason (the kernel's
 * own words)". A dump that was disturbed by a change is -EAGAIN. */
int nl_run(int fd, struct nl_batch *b, nl_answer *cb, void *data, struct error *err);

#endif
