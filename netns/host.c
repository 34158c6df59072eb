/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <unistd.h>
#include "lib/base/failat.h"
#include "lib/base/fd.h"
#include "lib/base/file.h"
#include "lib/base/path.h"
#include "netns/net.h"
#include "netns/nft.h"
#include "netns/rtnl.h"

#define SETUP_TRIES 64 /* others may change the ruleset at the same time */
#define CHAINS_MAX 32
#define IP_FORWARD "/proc/sys/net/ipv4/ip_forward"

/* What is there now. */
struct table_state {
	const char *name;    /* of the table looked at */
	const char *version; /* wanted */
	uint32_t genid;
	bool exists, ours, version_ok;
	uint32_t counters; /* bits of nft_counter_index */
	size_t n_rules, n_chains;
	char chains[CHAINS_MAX][NFT_CHAIN_MAXNAMELEN];
	size_t ours_elsewhere; /* tables of other instances */
};

static struct nlmsghdr *nft_request(struct nl_batch *b, uint16_t type, uint16_t flags, uint8_t family)
{
	b->dump = flags == NLM_F_DUMP;
	return nl_message_nfnl(b, (uint16_t)(NFNL_SUBSYS_NFTABLES << 8 | type), flags, family, 0, "nftables");
}

/* Is the comment in this user data (bytes type, length, value) `text`? Its type is 0 for tables and for
 * chains. */
static bool comment_is(const struct nlattr *userdata, const char *text)
{
	const uint8_t *p = mnl_attr_get_payload(userdata);
	size_t left = mnl_attr_get_payload_len(userdata);

	while (left >= 2 && (size_t)p[1] + 2 <= left) {
		if (p[0] == 0)
			return p[1] == strlen(text) + 1 && memcmp(p + 2, text, p[1]) == 0;
		left -= (size_t)p[1] + 2;
		p += p[1] + 2;
	}
	return false;
}

/* Attribute `type` of an answer, or NULL. */
static const struct nlattr *find_attr(const struct nlmsghdr *nlh, uint16_t type)
{
	const struct nlattr *a;

	mnl_attr_for_each(a, nlh, sizeof(struct nfgenmsg)) if (mnl_attr_get_type(a) == type) return a;
	return NULL;
}

static bool attr_is_str(const struct nlmsghdr *nlh, uint16_t type, const char *s)
{
	const struct nlattr *a = find_attr(nlh, type);

	return a && mnl_attr_validate(a, MNL_TYPE_NUL_STRING) >= 0 && strcmp(mnl_attr_get_str(a), s) == 0;
}

static int see_genid(const struct nlmsghdr *nlh, size_t index unused, void *data)
{
	const struct nlattr *a = find_attr(nlh, NFTA_GEN_ID);
	struct table_state *st = data;

	if (a)
		st->genid = ntohl(mnl_attr_get_u32(a));
	return 0;
}

static int see_table(const struct nlmsghdr *nlh, size_t index unused, void *data)
{
	const struct nlattr *userdata = find_attr(nlh, NFTA_TABLE_USERDATA);
	bool ours = userdata && comment_is(userdata, NFT_TABLE_COMMENT);
	struct table_state *st = data;

	if (attr_is_str(nlh, NFTA_TABLE_NAME, st->name)) {
		st->exists = true;
		st->ours = ours;
	} else if (ours) {
		st->ours_elsewhere++;
	}
	return 0;
}

static int see_chain(const struct nlmsghdr *nlh, size_t index unused, void *data)
{
	const struct nlattr *name = find_attr(nlh, NFTA_CHAIN_NAME),
			    *userdata = find_attr(nlh, NFTA_CHAIN_USERDATA);
	struct table_state *st = data;

	if (!attr_is_str(nlh, NFTA_CHAIN_TABLE, st->name) || !name)
		return 0;
	if (st->n_chains == CHAINS_MAX)
		return -E2BIG;
	strncpy(st->chains[st->n_chains++], mnl_attr_get_str(name), NFT_CHAIN_MAXNAMELEN - 1);
	if (strcmp(mnl_attr_get_str(name), NFT_VERSION_CHAIN) == 0)
		st->version_ok = userdata && comment_is(userdata, st->version);
	return 0;
}

static int see_rule(const struct nlmsghdr *nlh, size_t index unused, void *data)
{
	struct table_state *st = data;

	st->n_rules += attr_is_str(nlh, NFTA_RULE_TABLE, st->name);
	return 0;
}

static int see_counter(const struct nlmsghdr *nlh, size_t index unused, void *data)
{
	const struct nlattr *name = find_attr(nlh, NFTA_OBJ_NAME);
	struct table_state *st = data;
	int i = name && attr_is_str(nlh, NFTA_OBJ_TABLE, st->name) ? nft_counter_index(mnl_attr_get_str(name))
								   : -1;

	if (i >= 0)
		st->counters |= 1U << i;
	return 0;
}

static const struct look {
	uint16_t type, flags;
	uint8_t family;
	uint16_t table_attr; /* filter, where the kernel has one */
	nl_answer *see;
} looks[] = {
	{NFT_MSG_GETGEN, 0, AF_UNSPEC, 0, see_genid},
	{NFT_MSG_GETTABLE, NLM_F_DUMP, NFPROTO_INET, 0, see_table},
	{NFT_MSG_GETCHAIN, NLM_F_DUMP, NFPROTO_INET, 0, see_chain},
	{NFT_MSG_GETRULE, NLM_F_DUMP, NFPROTO_INET, NFTA_RULE_TABLE, see_rule},
	{NFT_MSG_GETOBJ, NLM_F_DUMP, NFPROTO_INET, NFTA_OBJ_TABLE, see_counter},
};

/* All looks; a table that is not there needs the first two only. */
static int look_once(int fd, struct table_state *st, struct error *err)
{
	for (size_t i = 0; i < ARRAY_SIZE(looks) && (i < 2 || st->exists); i++) {
		auto_batch b = NL_BATCH_NONE;
		struct nlmsghdr *nlh = nft_request(&b, looks[i].type, looks[i].flags, looks[i].family);
		int r;

		if (looks[i].table_attr)
			mnl_attr_put_strz(nlh, looks[i].table_attr, st->name);
		b.ignore = -ENOENT;
		r = nl_run(fd, &b, looks[i].see, st, err);
		if (r == -EINVAL && i == 0) {
			err_set_kind(err, -EOPNOTSUPP, ERR_UNSUPPORTED, "the kernel lacks nftables");
			err_hint(err, "load the module: modprobe nf_tables");
			return -EOPNOTSUPP;
		}
		if (r < 0)
			return r;
	}
	return 0;
}

static int look_at(int fd, const char *table, const char *version, struct table_state *ret, struct error *err)
{
	int r = -EAGAIN;

	for (int tries = 0; r == -EAGAIN && tries < SETUP_TRIES; tries++) {
		*ret = (struct table_state){.name = table, .version = version};
		r = look_once(fd, ret, err);
	}
	return r;
}

static int make_failure(const struct net_host_config *c, const struct nl_batch *b, int r, struct error *err)
{
	const char *module = b->failed >= 0 ? nft_module_of(b->msg[b->failed].what) : NULL;

	if (module && (r == -ENOENT || r == -EOPNOTSUPP)) {
		err_set_kind(err, -EOPNOTSUPP, ERR_UNSUPPORTED, "nft table %s: the kernel lacks %s", c->table,
			     module);
		err_hint(err, "install the kernel's netfilter modules and load %s", module);
		return -EOPNOTSUPP;
	}
	return err_prefix(err, "nft table %s", c->table);
}

/* Make the table, or new rules in it; sets and their elements stay. */
static int make_table(int fd, const struct net_host_config *c, const struct table_state *st,
		      struct error *err)
{
	auto_batch b = NL_BATCH_NONE;
	int r;

	nl_nft_begin(&b, st->genid);
	for (size_t i = 0; i < st->n_chains; i++) {
		struct nlmsghdr *nlh = nl_message_nfnl(&b, NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_DELCHAIN, 0,
						       NFPROTO_INET, 0, "delete chain");

		mnl_attr_put_strz(nlh, NFTA_CHAIN_TABLE, c->table);
		mnl_attr_put_strz(nlh, NFTA_CHAIN_NAME, st->chains[i]);
	}
	nft_put_table(&b, c, st->counters);
	nft_put_chains(&b, c);
	nl_nft_end(&b);
	r = nl_run(fd, &b, NULL, NULL, err);
	return r < 0 && r != -ERESTART ? make_failure(c, &b, r, err) : r;
}

int net_host_look(const struct net_sockets *s, const struct net_host_config *c, enum net_table_is *ret,
		  struct error *err)
{
	char version[128];
	struct table_state st;
	int r;

	nft_version_text(c, version);
	r = look_at(s->nft, c->table, version, &st, err);
	if (r < 0)
		return r;
	if (!st.exists)
		*ret = NET_TABLE_MISSING;
	else if (!st.ours)
		*ret = NET_TABLE_FOREIGN;
	else
		*ret = st.version_ok && st.n_rules == nft_rule_count() ? NET_TABLE_OK : NET_TABLE_DAMAGED;
	return 0;
}

static int setup_table(int fd, const struct net_host_config *c, struct error *err)
{
	char version[128];
	int r = -ERESTART;

	nft_version_text(c, version);
	/* The generation makes look and change one step: two setups at once do not add the rules twice. */
	for (int tries = 0; r == -ERESTART && tries < SETUP_TRIES; tries++) {
		struct table_state st;

		r = look_at(fd, c->table, version, &st, err);
		if (r < 0)
			return r;
		if (st.exists && !st.ours) {
			err_set_kind(err, -EEXIST, ERR_STATE,
				     "the nft table inet %s exists and is not arnia's", c->table);
			err_hint(err, "see it with: nft list table inet %s", c->table);
			return -EEXIST;
		}
		if (st.version_ok && st.n_rules == nft_rule_count())
			r = 0;
		else
			r = make_table(fd, c, &st, err);
	}
	if (r == 0)
		err_clear(err);
	return r;
}

/* Unpublishing needs it; better to miss it now than then. */
static int check_conntrack(int fd, struct error *err)
{
	auto_batch b = NL_BATCH_NONE;
	int r;

	nl_message_nfnl(&b, NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_GET_STATS, 0, AF_UNSPEC, 0,
			"conntrack");
	r = nl_run(fd, &b, NULL, NULL, err);
	if (r == -EINVAL || r == -EOPNOTSUPP) {
		err_set_kind(err, -EOPNOTSUPP, ERR_UNSUPPORTED, "the kernel lacks nf_conntrack_netlink");
		err_hint(err, "load the module: modprobe nf_conntrack_netlink");
		return -EOPNOTSUPP;
	}
	return r;
}

/* 1 = it was off and is on now. */
static int forward_on(struct error *err)
{
	auto_fd int fd = open(IP_FORWARD, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	char now = 0;

	if (fd < 0)
		return err_sys(err, -errno, "open " IP_FORWARD);
	if (!path_fd_is_fs(fd, PROC_SUPER_MAGIC))
		return err_set(err, -EXDEV, IP_FORWARD " is not on procfs");
	if (read(fd, &now, 1) != 1)
		return err_sys(err, -errno, "read " IP_FORWARD);
	if (now != '0')
		return 0;
	int r = file_write_ctl_at(AT_FDCWD, IP_FORWARD, PROC_SUPER_MAGIC, "1", err);

	return r < 0 ? r : 1;
}

static int check_config(const struct net_host_config *c, struct error *err)
{
	if (!c->table || !*c->table || strlen(c->table) >= NFT_TABLE_MAXNAMELEN)
		return err_set(err, -EINVAL, "bad nft table name");
	if (c->pool_prefix < 1 || c->pool_prefix > 32 || c->ifgroup == 0)
		return err_set(err, -EINVAL, "bad network configuration of the host");
	return 0;
}

int net_host_setup(const struct net_sockets *s, const struct net_host_config *c, struct error *err)
{
	auto_batch b = NL_BATCH_NONE;
	int r = check_config(c, err);

	if (r == 0 && (r = fail_at("net-host")) < 0)
		return err_sys(err, r, "set up the host's network");
	if (r < 0)
		return r;
	b.ignore = -EEXIST;
	addr_add(&b, NET_LO_IFINDEX, c->gateway, RT_SCOPE_LINK);
	r = nl_run(s->route, &b, NULL, NULL, err);
	if (r < 0)
		return err_prefix(err, "gateway on lo");
	r = setup_table(s->nft, c, err);
	if (r == 0)
		r = check_conntrack(s->nft, err);
	return r < 0 ? r : forward_on(err);
}

static int delete_table(int fd, const char *table, struct error *err)
{
	auto_batch b = NL_BATCH_NONE;
	struct nlmsghdr *nlh;
	int r;

	b.ignore = -ENOENT;
	nl_nft_begin(&b, 0);
	nlh = nl_message_nfnl(&b, NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_DELTABLE, 0, NFPROTO_INET, 0,
			      "delete table");
	mnl_attr_put_strz(nlh, NFTA_TABLE_NAME, table);
	nl_nft_end(&b);
	r = nl_run(fd, &b, NULL, NULL, err);
	return r < 0 ? err_prefix(err, "nft table %s", table) : 0;
}

int net_host_teardown(const struct net_sockets *s, const struct net_host_config *c, struct error *err)
{
	struct table_state st = {0};
	auto_batch b = NL_BATCH_NONE;
	int r = check_config(c, err);

	if (r == 0)
		r = look_at(s->nft, c->table, "", &st, err);
	if (r == 0 && st.exists && st.ours)
		r = delete_table(s->nft, c->table, err);
	if (r < 0 || st.ours_elsewhere)
		return r;
	b.ignore = -EADDRNOTAVAIL;
	addr_del(&b, NET_LO_IFINDEX, c->gateway);
	return nl_run(s->route, &b, NULL, NULL, err);
}
