// SPDX-License-Identifier: BSD-3-Clause
/* Routing rules and routes by rtnetlink; see fib.h. */
#include "datapath/linux/inspect/fib.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/fib_rules.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <string.h>

static size_t address_size(uint8_t family)
{
	return family == AF_INET ? 4 : 16;
}

static bool prefix_covers(const uint8_t *prefix, unsigned int len, const uint8_t *address)
{
	unsigned int bytes = len / 8, bits = len % 8;

	if (memcmp(prefix, address, bytes))
		return false;
	return !bits || !((prefix[bytes] ^ address[bytes]) >> (8 - bits));
}

struct route_search {
	const struct fib_key *key;
	uint8_t type;
	unsigned int count;
	struct fib_route *routes;
};

static void route_keep(struct route_search *search, const struct fib_route *route)
{
	for (unsigned int i = 0; i < search->count; i++) {
		if (search->routes[i].table == route->table) {
			if (route->prefix_len > search->routes[i].prefix_len)
				search->routes[i] = *route;
			return;
		}
	}
	if (search->count < FIB_TABLES_MAX)
		search->routes[search->count++] = *route;
}

static int route_seen(const struct nlmsghdr *nlh, void *arg)
{
	struct route_search *search = arg;
	const struct rtmsg *rtm = mnl_nlmsg_get_payload(nlh);
	const struct nlattr *tb[RTA_TABLE + 1];
	struct fib_route route = {.prefix_len = rtm->rtm_dst_len, .table = rtm->rtm_table};

	if (rtm->rtm_family != search->key->family || rtm->rtm_type != search->type || rtm->rtm_flags & RTM_F_CLONED)
		return MNL_CB_OK;
	rtnl_attributes(nlh, sizeof(*rtm), tb, RTA_TABLE);
	if (tb[RTA_TABLE])
		route.table = mnl_attr_get_u32(tb[RTA_TABLE]);
	if (tb[RTA_DST])
		memcpy(route.prefix, mnl_attr_get_payload(tb[RTA_DST]), address_size(rtm->rtm_family));
	if (prefix_covers(route.prefix, route.prefix_len, search->key->dst))
		route_keep(search, &route);
	return MNL_CB_OK;
}

int fib_routes(struct rtnl *rt, const struct fib_key *key, uint8_t type, struct fib_route routes[FIB_TABLES_MAX])
{
	uint64_t buf[RTNL_REQUEST_MAX / 8];
	struct nlmsghdr *nlh = rtnl_request(buf, RTM_GETROUTE, NLM_F_DUMP);
	struct rtmsg *rtm = mnl_nlmsg_put_extra_header(nlh, sizeof(*rtm));
	struct route_search search = {.key = key, .type = type, .routes = routes};
	int ret;

	rtm->rtm_family = key->family;
	rtm->rtm_type = type; /* the kernel leaves out all others: full internet tables cost nothing here */
	ret = rtnl_ask(rt, nlh, route_seen, &search);
	return ret < 0 ? ret : (int)search.count;
}

static void table_text(uint32_t table, char *buf, size_t size)
{
	if (table == RT_TABLE_MAIN)
		snprintf(buf, size, "main");
	else if (table == RT_TABLE_LOCAL)
		snprintf(buf, size, "local");
	else if (table == RT_TABLE_DEFAULT)
		snprintf(buf, size, "default");
	else
		snprintf(buf, size, "%u", table);
}

static const char *type_name(uint8_t type)
{
	switch (type) {
	case RTN_BLACKHOLE:
		return "blackhole";
	case RTN_UNREACHABLE:
		return "unreachable";
	case RTN_PROHIBIT:
		return "prohibit";
	}
	return "route";
}

void fib_route_text(const struct fib_key *key, uint8_t type, const struct fib_route *route, char *buf, size_t size)
{
	char prefix[INET6_ADDRSTRLEN], table[16];

	table_text(route->table, table, sizeof(table));
	inet_ntop(key->family, route->prefix, prefix, sizeof(prefix));
	if (route->prefix_len)
		snprintf(buf, size, "%s %s/%u in table %s", type_name(type), prefix, route->prefix_len, table);
	else
		snprintf(buf, size, "%s default in table %s", type_name(type), table);
}

struct rule {
	const struct fib_rule_hdr *hdr;
	const struct nlattr *tb[FRA_MAX + 1];
	uint32_t priority;
};

static void rule_parse(const struct nlmsghdr *nlh, struct rule *rule)
{
	rule->hdr = mnl_nlmsg_get_payload(nlh);
	rtnl_attributes(nlh, sizeof(*rule->hdr), rule->tb, FRA_MAX);
	rule->priority = rule->tb[FRA_PRIORITY] ? mnl_attr_get_u32(rule->tb[FRA_PRIORITY]) : 0;
}

/* Selectors that say nothing of the packet we can be sure of. */
static bool rule_is_obscure(const struct rule *rule)
{
	static const uint16_t obscure[] = {FRA_FWMARK,    FRA_OIFNAME,  FRA_TUN_ID,      FRA_L3MDEV,
	                                   FRA_UID_RANGE, FRA_IP_PROTO, FRA_SPORT_RANGE, FRA_DPORT_RANGE};

	for (size_t i = 0; i < sizeof(obscure) / sizeof(obscure[0]); i++) {
		if (rule->tb[obscure[i]])
			return true;
	}
	return rule->hdr->tos != 0;
}

static enum fib_match rule_match(const struct rule *rule, const struct fib_key *key)
{
	bool match = true, obscure = rule_is_obscure(rule);

	if (rule->tb[FRA_SRC] && key->src)
		match = match && prefix_covers(mnl_attr_get_payload(rule->tb[FRA_SRC]), rule->hdr->src_len, key->src);
	else if (rule->tb[FRA_SRC])
		obscure = true;
	if (rule->tb[FRA_DST])
		match = match && prefix_covers(mnl_attr_get_payload(rule->tb[FRA_DST]), rule->hdr->dst_len, key->dst);
	if (rule->tb[FRA_IIFNAME])
		match = match && !strcmp(mnl_attr_get_str(rule->tb[FRA_IIFNAME]), key->iif_name);
	if (rule->hdr->flags & FIB_RULE_INVERT)
		return obscure ? FIB_MAY_MATCH : match ? FIB_NO_MATCH : FIB_MATCH;
	return !match ? FIB_NO_MATCH : obscure ? FIB_MAY_MATCH : FIB_MATCH;
}

static void selector_text(const struct nlattr *attr, unsigned int len, uint8_t family, const char *word, char *buf,
                          size_t size)
{
	char address[INET6_ADDRSTRLEN];
	size_t used = strlen(buf);

	if (!attr)
		return;
	inet_ntop(family, mnl_attr_get_payload(attr), address, sizeof(address));
	if (len == address_size(family) * 8)
		snprintf(buf + used, size - used, "%s %s ", word, address);
	else
		snprintf(buf + used, size - used, "%s %s/%u ", word, address, len);
}

static const char *action_name(uint8_t action)
{
	switch (action) {
	case FR_ACT_BLACKHOLE:
		return "blackhole";
	case FR_ACT_UNREACHABLE:
		return "unreachable";
	case FR_ACT_PROHIBIT:
		return "prohibit";
	}
	return "";
}

static void rule_text(const struct rule *rule, char *buf, size_t size)
{
	uint8_t family = rule->hdr->family;
	size_t used;

	snprintf(buf, size, "rule %u: %s", rule->priority, rule->hdr->flags & FIB_RULE_INVERT ? "not " : "");
	selector_text(rule->tb[FRA_SRC], rule->hdr->src_len, family, "from", buf, size);
	selector_text(rule->tb[FRA_DST], rule->hdr->dst_len, family, "to", buf, size);
	used = strlen(buf);
	if (rule->tb[FRA_IIFNAME])
		snprintf(buf + used, size - used, "iif %s ", mnl_attr_get_str(rule->tb[FRA_IIFNAME]));
	used = strlen(buf);
	snprintf(buf + used, size - used, "%s", action_name(rule->hdr->action));
}

struct rule_search {
	const struct fib_key *key;
	uint8_t action;
	enum fib_match match;
	char *buf;
	size_t size;
};

static int rule_seen(const struct nlmsghdr *nlh, void *arg)
{
	struct rule_search *search = arg;
	struct rule rule;
	enum fib_match match;

	rule_parse(nlh, &rule);
	if (rule.hdr->action != search->action || rule.hdr->family != search->key->family || search->match == FIB_MATCH)
		return MNL_CB_OK;
	match = rule_match(&rule, search->key);
	if (match == FIB_NO_MATCH || search->match == FIB_MAY_MATCH)
		return MNL_CB_OK;
	search->match = match;
	rule_text(&rule, search->buf, search->size);
	return MNL_CB_OK;
}

static int rules_dump(struct rtnl *rt, uint8_t family, mnl_cb_t cb, void *arg)
{
	uint64_t buf[RTNL_REQUEST_MAX / 8];
	struct nlmsghdr *nlh = rtnl_request(buf, RTM_GETRULE, NLM_F_DUMP);
	struct fib_rule_hdr *hdr = mnl_nlmsg_put_extra_header(nlh, sizeof(*hdr));

	hdr->family = family;
	return rtnl_ask(rt, nlh, cb, arg);
}

enum fib_match fib_rule(struct rtnl *rt, const struct fib_key *key, uint8_t action, char *buf, size_t size)
{
	struct rule_search search = {.key = key, .action = action, .buf = buf, .size = size};

	rules_dump(rt, key->family, rule_seen, &search);
	return search.match;
}

struct rule_list {
	char *buf;
	size_t size;
};

static int rule_listed(const struct nlmsghdr *nlh, void *arg)
{
	struct rule_list *list = arg;
	size_t used = strlen(list->buf);
	char table[16];
	struct rule rule;

	rule_parse(nlh, &rule);
	if (rule.hdr->action != FR_ACT_TO_TBL)
		return MNL_CB_OK;
	table_text(rule.tb[FRA_TABLE] ? mnl_attr_get_u32(rule.tb[FRA_TABLE]) : rule.hdr->table, table, sizeof(table));
	snprintf(list->buf + used, list->size - used, "%s%u: %s", used ? ", " : "", rule.priority, table);
	return MNL_CB_OK;
}

void fib_rules_text(struct rtnl *rt, uint8_t family, char *buf, size_t size)
{
	struct rule_list list = {.buf = buf, .size = size};

	buf[0] = '\0';
	rules_dump(rt, family, rule_listed, &list);
}

static void answer_gateway(const struct nlattr *const *tb, uint8_t family, struct fib_answer *answer)
{
	if (tb[RTA_GATEWAY]) {
		answer->has_gateway = true;
		answer->gateway_family = family;
		memcpy(answer->gateway, mnl_attr_get_payload(tb[RTA_GATEWAY]), address_size(family));
	} else if (tb[RTA_VIA]) {
		const struct rtvia *via = mnl_attr_get_payload(tb[RTA_VIA]);

		answer->has_gateway = true;
		answer->gateway_family = (uint8_t)via->rtvia_family;
		memcpy(answer->gateway, via->rtvia_addr, address_size(answer->gateway_family));
	}
}

static int answer_seen(const struct nlmsghdr *nlh, void *arg)
{
	const struct rtmsg *rtm = mnl_nlmsg_get_payload(nlh);
	const struct nlattr *tb[RTA_VIA + 1], *metrics[RTAX_MTU + 1];
	struct fib_answer *answer = arg;

	rtnl_attributes(nlh, sizeof(*rtm), tb, RTA_VIA);
	if (tb[RTA_OIF])
		answer->oif = mnl_attr_get_u32(tb[RTA_OIF]);
	answer_gateway(tb, rtm->rtm_family, answer);
	rtnl_nested(tb[RTA_METRICS], metrics, RTAX_MTU);
	if (metrics[RTAX_MTU])
		answer->mtu = mnl_attr_get_u32(metrics[RTAX_MTU]);
	return MNL_CB_OK;
}

int fib_lookup(struct rtnl *rt, const struct fib_key *key, struct fib_answer *answer)
{
	uint64_t buf[RTNL_REQUEST_MAX / 8];
	struct nlmsghdr *nlh = rtnl_request(buf, RTM_GETROUTE, 0);
	struct rtmsg *rtm = mnl_nlmsg_put_extra_header(nlh, sizeof(*rtm));
	size_t size = address_size(key->family);

	memset(answer, 0, sizeof(*answer));
	rtm->rtm_family = key->family;
	rtm->rtm_dst_len = (uint8_t)(size * 8);
	mnl_attr_put(nlh, RTA_DST, size, key->dst);
	if (key->src) {
		rtm->rtm_src_len = (uint8_t)(size * 8);
		mnl_attr_put(nlh, RTA_SRC, size, key->src);
	}
	if (key->iif)
		mnl_attr_put_u32(nlh, RTA_IIF, key->iif);
	if (key->oif)
		mnl_attr_put_u32(nlh, RTA_OIF, key->oif);
	if (key->mark)
		mnl_attr_put_u32(nlh, RTA_MARK, key->mark);
	return rtnl_ask(rt, nlh, answer_seen, answer);
}
