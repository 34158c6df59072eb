/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Firewalls beside ours. A packet passes only if every chain at the hook accepts it: our own rules cannot help. */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <string.h>
#include "netns/net.h"
#include "netns/nft.h"

#define DUMP_TRIES 8
#define WALLS_MAX 16

struct wall {
	struct net_wall is;
	bool mentions_us;
};
struct walls {
	const struct net_host_config *c;
	const char *ifprefix;
	struct wall v[WALLS_MAX];
	size_t n;
};

static const struct {
	const char *chain;
	enum net_wall_owner owner;
} owners[] = {
	{"ufw-user-forward", NET_WALL_UFW},
	{"DOCKER-USER", NET_WALL_DOCKER},
};

static const char *text_of(const struct nlattr *a)
{
	return a && mnl_attr_validate(a, MNL_TYPE_NUL_STRING) >= 0 ? mnl_attr_get_str(a) : "";
}

static uint8_t family_of(const struct nlmsghdr *nlh)
{
	return ((const struct nfgenmsg *)mnl_nlmsg_get_payload(nlh))->nfgen_family;
}

static const struct nlattr *nested(const struct nlattr *nest, uint16_t type)
{
	const struct nlattr *a;

	if (nest)
		mnl_attr_for_each_nested(a, nest) if (mnl_attr_get_type(a) == type) return a;
	return NULL;
}

static const struct nlattr *member(const struct nlmsghdr *nlh, uint16_t type)
{
	const struct nlattr *a;

	mnl_attr_for_each(a, nlh, sizeof(struct nfgenmsg)) if (mnl_attr_get_type(a) == type) return a;
	return NULL;
}

static bool drops_forwarded(const struct nlmsghdr *nlh)
{
	const struct nlattr *hook = nested(member(nlh, NFTA_CHAIN_HOOK), NFTA_HOOK_HOOKNUM),
			    *policy = member(nlh, NFTA_CHAIN_POLICY);
	uint8_t family = family_of(nlh);

	return hook && policy && (family == NFPROTO_INET || family == NFPROTO_IPV4) &&
	       ntohl(mnl_attr_get_u32(hook)) == NF_INET_FORWARD && ntohl(mnl_attr_get_u32(policy)) == NF_DROP;
}

static int see_wall(const struct nlmsghdr *nlh, size_t index unused, void *data)
{
	const char *table = text_of(member(nlh, NFTA_CHAIN_TABLE)), *chain = text_of(member(nlh, NFTA_CHAIN_NAME));
	struct walls *w = data;
	struct net_wall is = {.inet = family_of(nlh) == NFPROTO_INET};

	if (w->n == WALLS_MAX || !drops_forwarded(nlh) || str_copy(is.table, sizeof(is.table), table) < 0 ||
	    str_copy(is.chain, sizeof(is.chain), chain) < 0)
		return 0;
	/* As iptables-nft(8) names them: nft(8) had better not be used on its tables. */
	is.owner = !is.inet && !strcmp(table, "filter") && !strcmp(chain, "FORWARD") ? NET_WALL_IPTABLES : NET_WALL_NFT;
	w->v[w->n++].is = is;
	return 0;
}

static bool is_in(const struct nlmsghdr *nlh, const struct wall *w, uint16_t table_attr)
{
	return (family_of(nlh) == NFPROTO_INET) == w->is.inet && !strcmp(text_of(member(nlh, table_attr)), w->is.table);
}

/* Whose is it: by the chains that these programs keep for rules of the user's. */
static int see_owner(const struct nlmsghdr *nlh, size_t index unused, void *data)
{
	const char *chain = text_of(member(nlh, NFTA_CHAIN_NAME));
	struct walls *w = data;

	for (size_t i = 0; i < w->n; i++)
		for (size_t k = 0; k < ARRAY_SIZE(owners); k++)
			if (w->v[i].is.owner != NET_WALL_NFT && w->v[i].is.owner < owners[k].owner &&
			    !strcmp(chain, owners[k].chain) && is_in(nlh, &w->v[i], NFTA_CHAIN_TABLE))
				w->v[i].is.owner = owners[k].owner;
	return 0;
}

/* The group, the beginning of the links' names, or the pool: what rules for our packets compare with. */
static bool is_ours(const struct walls *w, const void *value, size_t n)
{
	size_t prefix = strlen(w->ifprefix), pool = w->c->pool_prefix / 8;

	return (n == sizeof(w->c->ifgroup) && !memcmp(value, &w->c->ifgroup, n)) ||
	       (n >= 2 && !memcmp(value, w->ifprefix, MIN(n, prefix))) ||
	       ((n == pool || n == sizeof(w->c->pool)) && !memcmp(value, &w->c->pool, pool));
}

static bool mentions(const struct walls *w, const struct nlmsghdr *nlh)
{
	const struct nlattr *list = member(nlh, NFTA_RULE_EXPRESSIONS), *e;

	if (!list)
		return false;
	mnl_attr_for_each_nested(e, list)
	{
		const struct nlattr *value = nested(nested(nested(e, NFTA_EXPR_DATA), NFTA_CMP_DATA), NFTA_DATA_VALUE);

		if (!strcmp(text_of(nested(e, NFTA_EXPR_NAME)), "cmp") && value &&
		    is_ours(w, mnl_attr_get_payload(value), mnl_attr_get_payload_len(value)))
			return true;
	}
	return false;
}

static int see_foreign_rule(const struct nlmsghdr *nlh, size_t index unused, void *data)
{
	struct walls *w = data;

	for (size_t i = 0; i < w->n; i++)
		if (is_in(nlh, &w->v[i], NFTA_RULE_TABLE) && mentions(w, nlh))
			w->v[i].mentions_us = true;
	return 0;
}

static int dump(int fd, uint16_t type, uint8_t family, nl_answer *see, struct walls *w, struct error *err)
{
	int r = -EAGAIN;

	for (int tries = 0; r == -EAGAIN && tries < DUMP_TRIES; tries++) {
		auto_batch b = NL_BATCH_NONE;

		if (see == see_wall)
			w->n = 0;
		nl_message_nfnl(&b, (uint16_t)(NFNL_SUBSYS_NFTABLES << 8 | type), NLM_F_DUMP, family, 0, "nftables");
		b.dump = true;
		b.ignore = -ENOENT;
		r = nl_run(fd, &b, see, w, err);
	}
	return r;
}

int net_each_wall(const struct net_sockets *s, const struct net_host_config *c, const char *ifprefix,
		  net_wall_fn *fn, void *data, struct error *err)
{
	struct walls w = {.c = c, .ifprefix = ifprefix};
	int r = dump(s->nft, NFT_MSG_GETCHAIN, NFPROTO_UNSPEC, see_wall, &w, err);

	if (r == 0 && w.n)
		r = dump(s->nft, NFT_MSG_GETCHAIN, NFPROTO_UNSPEC, see_owner, &w, err);
	if (r == 0 && w.n)
		r = dump(s->nft, NFT_MSG_GETRULE, NFPROTO_UNSPEC, see_foreign_rule, &w, err);
	for (size_t i = 0; r == 0 && i < w.n; i++)
		if (!w.v[i].mentions_us)
			fn(&w.v[i].is, data);
	return r;
}
