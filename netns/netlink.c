/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include "lib/base/fd.h"
#include "netns/netlink.h"

#define ANSWER_ROOM (4 << 20)
#define ANSWER_SIZE 32768 /* the kernel fills dumps up to this much at a time */

void nl_batch_done(struct nl_batch *b)
{
	free(b->buf);
	free(b->msg);
	*b = NL_BATCH_NONE;
}

int nl_socket(int protocol, struct error *err)
{
	auto_fd int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol);
	int one = 1, room = ANSWER_ROOM;

	if (fd < 0 && errno == EPROTONOSUPPORT)
		return err_set_kind(err, -EPROTONOSUPPORT, ERR_UNSUPPORTED, "the kernel lacks %s",
				    protocol == NETLINK_NETFILTER ? "nfnetlink" : "rtnetlink");
	if (fd < 0)
		return err_sys(err, -errno, "netlink socket");
	/* Without CAP_ACK an error would carry the whole request back. */
	if (setsockopt(fd, SOL_NETLINK, NETLINK_EXT_ACK, &one, sizeof(one)) < 0 ||
	    setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, &one, sizeof(one)) < 0)
		return err_sys(err, -errno, "netlink socket options");
	/* A limit, not an allocation; the default holds some 50 answers. */
	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room));
	return fd_steal(&fd);
}

/* Take the open message into account. A message beyond its room has overwritten the heap. */
static void batch_close_message(struct nl_batch *b)
{
	struct nlmsghdr *nlh;

	if (b->n == 0)
		return;
	nlh = (struct nlmsghdr *)(b->buf + b->msg[b->n - 1].at);
	if (nlh->nlmsg_len > NL_MESSAGE_ROOM)
		abort();
	b->len = b->msg[b->n - 1].at + MNL_ALIGN(nlh->nlmsg_len);
}

static uint32_t fresh_seq(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	/* Answers to an earlier batch that were left unread must not be taken for ours. */
	return (uint32_t)now.tv_sec * 1000000000U + (uint32_t)now.tv_nsec;
}

struct nlmsghdr *nl_message(struct nl_batch *b, uint16_t type, uint16_t flags, const char *what)
{
	struct nlmsghdr *nlh;

	batch_close_message(b);
	if (b->n == 0)
		b->seq = fresh_seq();
	if (b->cap - b->len < NL_MESSAGE_ROOM) {
		b->cap = MAX(b->cap * 2, (size_t)2 * NL_MESSAGE_ROOM);
		b->buf = mem_realloc_n(b->buf, b->cap, 1);
	}
	if (b->n == b->msg_cap) {
		b->msg_cap = MAX(b->msg_cap * 2, (size_t)16);
		b->msg = mem_realloc_n(b->msg, b->msg_cap, sizeof(*b->msg));
	}
	b->msg[b->n] = (struct nl_message){.at = b->len, .what = what};
	nlh = mnl_nlmsg_put_header(b->buf + b->len);
	nlh->nlmsg_type = type;
	nlh->nlmsg_flags = NLM_F_REQUEST | flags;
	nlh->nlmsg_seq = b->seq + (uint32_t)b->n++;
	return nlh;
}

struct nlmsghdr *nl_message_nfnl(struct nl_batch *b, uint16_t type, uint16_t flags, uint8_t family,
				 uint16_t res_id, const char *what)
{
	struct nlmsghdr *nlh = nl_message(b, type, flags, what);
	struct nfgenmsg *nfg = mnl_nlmsg_put_extra_header(nlh, sizeof(*nfg));

	nfg->nfgen_family = family;
	nfg->version = NFNETLINK_V0;
	nfg->res_id = htons(res_id);
	return nlh;
}

void nl_nft_begin(struct nl_batch *b, uint32_t genid)
{
	struct nlmsghdr *nlh =
		nl_message_nfnl(b, NFNL_MSG_BATCH_BEGIN, 0, AF_UNSPEC, NFNL_SUBSYS_NFTABLES, "nftables");

	if (genid)
		mnl_attr_put_u32(nlh, NFNL_BATCH_GENID, htonl(genid));
}

void nl_nft_end(struct nl_batch *b)
{
	nl_message_nfnl(b, NFNL_MSG_BATCH_END, 0, AF_UNSPEC, NFNL_SUBSYS_NFTABLES, "nftables");
	b->nft = true;
}

/* One send and its answers. */
struct run {
	struct nl_batch *b;
	nl_answer *cb;
	void *data;
	struct error *err;
	size_t last; /* the message whose acknowledgement is the end */
	int result;  /* first failure */
	bool ended;
};

/* The kernel's explanation (NLMSGERR_ATTR_MSG), or NULL. `payload` begins with the int error code. */
static const char *extack_text(const struct nlmsghdr *nlh)
{
	const struct nlmsgerr *e = mnl_nlmsg_get_payload(nlh);
	size_t skip = sizeof(*e);
	const struct nlattr *a;

	if (!(nlh->nlmsg_flags & NLM_F_ACK_TLVS))
		return NULL;
	if (!(nlh->nlmsg_flags & NLM_F_CAPPED))
		skip += MNL_ALIGN(e->msg.nlmsg_len) - sizeof(e->msg);
	mnl_attr_for_each(a, nlh, skip) if (mnl_attr_get_type(a) == NLMSGERR_ATTR_MSG &&
					    mnl_attr_validate(a, MNL_TYPE_NUL_STRING) >=
						    0) return mnl_attr_get_str(a);
	return NULL;
}

static void run_fail(struct run *run, size_t index, int code, const char *why)
{
	const char *what = run->b->msg[index].what;

	if (run->result < 0)
		return;
	run->result = code;
	run->b->failed = (int)index;
	if (why)
		err_set(run->err, code, "%s: %s (%s)", what, strerrordesc_np(-code) ?: "error", why);
	else
		err_sys(run->err, code, "%s", what);
}

static void run_message(struct run *run, const struct nlmsghdr *nlh)
{
	size_t index = nlh->nlmsg_seq - run->b->seq;
	int r = 0;

	if (nlh->nlmsg_seq - run->b->seq >= run->b->n)
		return;
	if (nlh->nlmsg_flags & NLM_F_DUMP_INTR)
		run_fail(run, index, -EAGAIN, NULL);
	if (nlh->nlmsg_type == NLMSG_ERROR || nlh->nlmsg_type == NLMSG_DONE) {
		if (mnl_nlmsg_get_payload_len(nlh) >= sizeof(int))
			r = *(int *)mnl_nlmsg_get_payload(nlh);
		if (r < 0 && r != run->b->ignore)
			run_fail(run, index, r, nlh->nlmsg_type == NLMSG_ERROR ? extack_text(nlh) : NULL);
		run->ended = index == run->last;
		return;
	}
	if (run->cb && nlh->nlmsg_type >= NLMSG_MIN_TYPE)
		r = run->cb(nlh, index, run->data);
	if (r < 0)
		run_fail(run, index, r, NULL);
}

/* One datagram of answers. */
static int run_receive(struct run *run, int fd)
{
	char buf[ANSWER_SIZE] __attribute__((aligned(8)));
	struct sockaddr_nl from = {0};
	struct iovec iov = {buf, sizeof(buf)};
	struct msghdr m = {.msg_name = &from, .msg_namelen = sizeof(from), .msg_iov = &iov, .msg_iovlen = 1};
	const struct nlmsghdr *nlh = (struct nlmsghdr *)buf;
	ssize_t n;
	int left;

	do
		n = recvmsg(fd, &m, MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	if (m.msg_flags & MSG_TRUNC)
		return -EMSGSIZE;
	/* Only the kernel has port 0. */
	if (from.nl_pid != 0)
		return 0;
	for (left = (int)n; mnl_nlmsg_ok(nlh, left) && !run->ended; nlh = mnl_nlmsg_next(nlh, &left))
		run_message(run, nlh);
	return 0;
}

int nl_run(int fd, struct nl_batch *b, nl_answer *cb, void *data, struct error *err)
{
	struct run run = {.b = b, .cb = cb, .data = data, .err = err};
	struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
	int r = 0;

	if (b->n == 0)
		return 0;
	batch_close_message(b);
	b->failed = -1;
	run.last = b->nft ? b->n - 2 : b->n - 1;
	if (!b->dump)
		((struct nlmsghdr *)(b->buf + b->msg[run.last].at))->nlmsg_flags |= NLM_F_ACK;
	if (sendto(fd, b->buf, b->len, 0, (struct sockaddr *)&kernel, sizeof(kernel)) < 0)
		return err_sys(err, -errno, "%s: send to the kernel", b->msg[b->nft ? 1 : 0].what);
	while (!run.ended && r == 0)
		r = run_receive(&run, fd);
	/* A transaction refused as a whole is answered at its BATCH_BEGIN only. */
	if (r == -EAGAIN && run.result < 0)
		r = 0;
	if (r < 0)
		return err_sys(err, r == -EAGAIN ? -EIO : r, "%s: no answer from the kernel",
			       b->msg[b->nft ? 1 : 0].what);
	return run.result;
}
