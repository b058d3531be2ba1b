// SPDX-License-Identifier: BSD-3-Clause
/* Routes by rtnetlink; see fib.h. The rules are in fib_rule.c. */
#include "datapath/linux/inspect/fib.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <string.h>

size_t fib_address_size(uint8_t family)
{
	return family == AF_INET ? 4 : 16;
}

bool fib_prefix_covers(const uint8_t *prefix, unsigned int len, const uint8_t *address)
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
		memcpy(route.prefix, mnl_attr_get_payload(tb[RTA_DST]), fib_address_size(rtm->rtm_family));
	if (tb[RTA_SRC] && search->key->src &&
	    !fib_prefix_covers(mnl_attr_get_payload(tb[RTA_SRC]), rtm->rtm_src_len, search->key->src))
		return MNL_CB_OK;
	if (fib_prefix_covers(route.prefix, route.prefix_len, search->key->dst))
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

void fib_table_text(uint32_t table, char *buf, size_t size)
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
	case RTN_THROW:
		return "throw";
	}
	return "route";
}

void fib_route_text(const struct fib_key *key, uint8_t type, const struct fib_route *route, char *buf, size_t size)
{
	char prefix[INET6_ADDRSTRLEN], table[16];

	fib_table_text(route->table, table, sizeof(table));
	inet_ntop(key->family, route->prefix, prefix, sizeof(prefix));
	if (route->prefix_len)
		snprintf(buf, size, "%s %s/%u in table %s", type_name(type), prefix, route->prefix_len, table);
	else
		snprintf(buf, size, "%s default in table %s", type_name(type), table);
}

static void answer_gateway(const struct nlattr *const *tb, uint8_t family, struct fib_answer *answer)
{
	if (tb[RTA_GATEWAY]) {
		answer->has_gateway = true;
		answer->gateway_family = family;
		memcpy(answer->gateway, mnl_attr_get_payload(tb[RTA_GATEWAY]), fib_address_size(family));
	} else if (tb[RTA_VIA]) {
		const struct rtvia *via = mnl_attr_get_payload(tb[RTA_VIA]);

		answer->has_gateway = true;
		answer->gateway_family = (uint8_t)via->rtvia_family;
		memcpy(answer->gateway, via->rtvia_addr, fib_address_size(answer->gateway_family));
	}
}

static int answer_seen(const struct nlmsghdr *nlh, void *arg)
{
	const struct rtmsg *rtm = mnl_nlmsg_get_payload(nlh);
	const struct nlattr *tb[RTA_VIA + 1], *metrics[RTAX_MTU + 1];
	struct fib_answer *answer = arg;

	rtnl_attributes(nlh, sizeof(*rtm), tb, RTA_VIA);
	answer->local = rtm->rtm_type == RTN_LOCAL;
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
	size_t size = fib_address_size(key->family);

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
