// SPDX-License-Identifier: BSD-3-Clause
/*
 * Routing rules by rtnetlink, and which of them may have chosen the route that stopped a packet; see fib.h. The kernel
 * walks them by priority and so does its dump.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/fib_rules.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <string.h>

#include "datapath/linux/inspect/fib.h"

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
		match =
		    match && fib_prefix_covers(mnl_attr_get_payload(rule->tb[FRA_SRC]), rule->hdr->src_len, key->src);
	else if (rule->tb[FRA_SRC])
		obscure = true;
	if (rule->tb[FRA_DST])
		match =
		    match && fib_prefix_covers(mnl_attr_get_payload(rule->tb[FRA_DST]), rule->hdr->dst_len, key->dst);
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
	if (len == fib_address_size(family) * 8)
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

static uint32_t rule_table(const struct rule *rule)
{
	return rule->tb[FRA_TABLE] ? mnl_attr_get_u32(rule->tb[FRA_TABLE]) : rule->hdr->table;
}

static void rule_mark_text(const struct rule *rule, char *buf, size_t size)
{
	size_t used = strlen(buf);

	if (!rule->tb[FRA_FWMARK])
		return;
	snprintf(buf + used, size - used, "fwmark 0x%x", mnl_attr_get_u32(rule->tb[FRA_FWMARK]));
	used = strlen(buf);
	if (rule->tb[FRA_FWMASK] && mnl_attr_get_u32(rule->tb[FRA_FWMASK]) != UINT32_MAX)
		snprintf(buf + used, size - used, "/0x%x", mnl_attr_get_u32(rule->tb[FRA_FWMASK]));
	used = strlen(buf);
	snprintf(buf + used, size - used, " ");
}

static void rule_text(const struct rule *rule, char *buf, size_t size)
{
	uint8_t family = rule->hdr->family;
	char table[16];
	size_t used;

	snprintf(buf, size, "rule %u: %s", rule->priority, rule->hdr->flags & FIB_RULE_INVERT ? "not " : "");
	selector_text(rule->tb[FRA_SRC], rule->hdr->src_len, family, "from", buf, size);
	selector_text(rule->tb[FRA_DST], rule->hdr->dst_len, family, "to", buf, size);
	used = strlen(buf);
	if (rule->tb[FRA_IIFNAME])
		snprintf(buf + used, size - used, "iif %s ", mnl_attr_get_str(rule->tb[FRA_IIFNAME]));
	rule_mark_text(rule, buf, size);
	used = strlen(buf);
	if (rule->hdr->action != FR_ACT_TO_TBL) {
		snprintf(buf + used, size - used, "%s", action_name(rule->hdr->action));
		return;
	}
	fib_table_text(rule_table(rule), table, sizeof(table));
	snprintf(buf + used, size - used, "lookup %s", table);
}

/* Such a rule finds a route and may still send the search on. */
static bool rule_suppresses(const struct rule *rule)
{
	return rule->tb[FRA_SUPPRESS_IFGROUP] ||
	       (rule->tb[FRA_SUPPRESS_PREFIXLEN] && mnl_attr_get_u32(rule->tb[FRA_SUPPRESS_PREFIXLEN]) != UINT32_MAX);
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
	fib_table_text(rule_table(&rule), table, sizeof(table));
	snprintf(list->buf + used, list->size - used, "%s%u: %s", used ? ", " : "", rule.priority, table);
	return MNL_CB_OK;
}

void fib_rules_text(struct rtnl *rt, uint8_t family, char *buf, size_t size)
{
	struct rule_list list = {.buf = buf, .size = size};

	buf[0] = '\0';
	rules_dump(rt, family, rule_listed, &list);
}

struct decision_walk {
	const struct fib_key *key;
	uint8_t type, action;
	struct fib_route routes[FIB_TABLES_MAX], throws[FIB_TABLES_MAX];
	int route_count, throw_count;
	bool jumps;        /* a "goto" was seen: what follows may have been skipped */
	bool other_tables; /* a rule chooses its table in a way we do not follow (VRF) */
	struct fib_decision *decision;
};

static const struct fib_route *route_in(const struct fib_route *routes, int count, uint32_t table)
{
	for (int i = 0; i < count; i++) {
		if (routes[i].table == table)
			return &routes[i];
	}
	return NULL;
}

static void candidate_add(struct decision_walk *walk, const struct rule *rule, const struct fib_route *route,
                          bool matches)
{
	struct fib_decision *decision = walk->decision;
	char rule_buf[FIB_RULE_TEXT];
	size_t used;

	decision->certain = matches && !walk->jumps && !walk->other_tables;
	if (decision->count++ >= FIB_CANDIDATES)
		return;
	if (!route) {
		rule_text(rule, decision->text[decision->count - 1], FIB_CANDIDATE_TEXT);
		return;
	}
	fib_route_text(walk->key, walk->type, route, decision->text[decision->count - 1], FIB_CANDIDATE_TEXT);
	/* the rules that every host has say nothing */
	if (!rule || route->table == RT_TABLE_MAIN || route->table == RT_TABLE_LOCAL ||
	    route->table == RT_TABLE_DEFAULT)
		return;
	rule_text(rule, rule_buf, sizeof(rule_buf));
	used = strlen(decision->text[decision->count - 1]);
	snprintf(decision->text[decision->count - 1] + used, FIB_CANDIDATE_TEXT - used, ", chosen by %s", rule_buf);
}

static int decision_rule_seen(const struct nlmsghdr *nlh, void *arg)
{
	struct decision_walk *walk = arg;
	const struct fib_route *route, *thrown;
	enum fib_match match;
	struct rule rule;

	rule_parse(nlh, &rule);
	if (rule.hdr->family != walk->key->family || walk->decision->certain)
		return MNL_CB_OK;
	match = rule_match(&rule, walk->key);
	if (match == FIB_NO_MATCH)
		return MNL_CB_OK;
	walk->jumps |= rule.hdr->action == FR_ACT_GOTO;
	walk->other_tables |= rule.tb[FRA_L3MDEV] != NULL;
	if (rule.hdr->action == walk->action && walk->action != FR_ACT_UNSPEC)
		candidate_add(walk, &rule, NULL, match == FIB_MATCH);
	if (rule.hdr->action != FR_ACT_TO_TBL || rule.tb[FRA_L3MDEV])
		return MNL_CB_OK;
	route = route_in(walk->routes, walk->route_count, rule_table(&rule));
	if (!route)
		return MNL_CB_OK;
	thrown = route_in(walk->throws, walk->throw_count, route->table);
	if (thrown && thrown->prefix_len > route->prefix_len)
		return MNL_CB_OK; /* this table sent the search on */
	candidate_add(walk, &rule, route, match == FIB_MATCH && !rule_suppresses(&rule));
	return MNL_CB_OK;
}

void fib_decide(struct rtnl *rt, const struct fib_key *key, uint8_t type, uint8_t action, struct fib_decision *decision)
{
	struct decision_walk walk = {.key = key, .type = type, .action = action, .decision = decision};

	memset(decision, 0, sizeof(*decision));
	walk.route_count = fib_routes(rt, key, type, walk.routes);
	walk.throw_count = fib_routes(rt, key, RTN_THROW, walk.throws);
	if (rules_dump(rt, key->family, decision_rule_seen, &walk) < 0)
		walk.other_tables = true; /* a kernel without rules: only one table */
	if (!walk.other_tables)
		return;
	memset(decision, 0, sizeof(*decision));
	for (int i = 0; i < walk.route_count; i++)
		candidate_add(&walk, NULL, &walk.routes[i], false);
}

void fib_decision_text(const struct fib_decision *decision, char *buf, size_t size)
{
	buf[0] = '\0';
	if (decision->count == 1)
		snprintf(buf, size, "%s%s", decision->text[0],
		         decision->certain ? "" : " (the only one that may have decided)");
	else if (decision->count == FIB_CANDIDATES)
		snprintf(buf, size, "one of these: %s; %s", decision->text[0], decision->text[1]);
	else if (decision->count)
		snprintf(buf, size, "one of these: %s; %s; %u more", decision->text[0], decision->text[1],
		         decision->count - FIB_CANDIDATES);
}

/* net/ipv4/fib_semantics.c fib_props, net/ipv6/route.c. A rule "unreachable" gives ENETUNREACH, as no route does. */
bool fib_error_cause(int error, uint8_t *ret_type, uint8_t *ret_action)
{
	static const struct {
		int error;
		uint8_t type, action;
	} errors[] = {
	    {EINVAL, RTN_BLACKHOLE, FR_ACT_BLACKHOLE},
	    {EHOSTUNREACH, RTN_UNREACHABLE, FR_ACT_UNSPEC},
	    {EACCES, RTN_PROHIBIT, FR_ACT_PROHIBIT},
	};

	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		if (errors[i].error == error) {
			*ret_type = errors[i].type;
			*ret_action = errors[i].action;
			return true;
		}
	}
	return false;
}

void fib_thrown_text(struct rtnl *rt, const struct fib_key *key, char *buf, size_t size)
{
	struct fib_route throws[FIB_TABLES_MAX];
	int count = fib_routes(rt, key, RTN_THROW, throws);
	char text[FIB_RULE_TEXT];

	buf[0] = '\0';
	for (int i = 0; i < count; i++) {
		size_t used = strlen(buf);

		fib_route_text(key, RTN_THROW, &throws[i], text, sizeof(text));
		snprintf(buf + used, size - used, "%s%s", used ? ", " : ": ", text);
	}
}
