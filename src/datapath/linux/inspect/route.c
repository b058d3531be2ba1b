// SPDX-License-Identifier: BSD-3-Clause
/*
 * Routing drops. The kernel's drop itself proves the cause: the packet's route carried an error, and each error has one
 * meaning (net/ipv4/fib_semantics.c fib_props, net/ipv6/route.c). What is looked up here is only which route it was. In
 * one table the longest prefix decides, and a longer route of another kind would have decided otherwise, so the longest
 * covering route of the error's kind is the one.
 */
#include <errno.h>
#include <linux/fib_rules.h>
#include <linux/netconf.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "datapath/linux/inspect/fib.h"
#include "datapath/linux/inspect/inspectors.h"

#define ROUTE_TEXT 160

struct route_error {
	int error;
	uint8_t type, action; /* route and rule that give it */
	enum vt_cause cause;
};

static const struct route_error route_errors[] = {
    {EINVAL, RTN_BLACKHOLE, FR_ACT_BLACKHOLE, VT_CAUSE_ROUTE_BLACKHOLE},
    {EHOSTUNREACH, RTN_UNREACHABLE, FR_ACT_UNREACHABLE, VT_CAUSE_ROUTE_UNREACHABLE},
    {EACCES, RTN_PROHIBIT, FR_ACT_PROHIBIT, VT_CAUSE_ROUTE_PROHIBIT},
};

/* No table had a route. A rule "unreachable" gives the same error; if one certainly matches, it was it. */
static int route_missing(struct rtnl *rt, const struct drop *drop, struct finding *finding)
{
	struct fib_key key = drop_fib_key(drop);
	char rules[ROUTE_TEXT * 2], rule[ROUTE_TEXT], dst[INET6_ADDRSTRLEN];
	enum fib_match match = fib_rule(rt, &key, FR_ACT_UNREACHABLE, rule, sizeof(rule));

	if (match == FIB_MATCH)
		return drop_found(finding, VT_CAUSE_ROUTE_UNREACHABLE, "%s", rule);
	drop_address(drop_destination(drop), dst);
	if (match == FIB_MAY_MATCH)
		return drop_unsure(finding, "no route to %s, or %s", dst, rule);
	fib_rules_text(rt, key.family, rules, sizeof(rules));
	return drop_found(finding, VT_CAUSE_ROUTE_MISSING, "no route to %s in any table consulted (rules: %s)", dst,
	                  rules);
}

static int route_denied(struct rtnl *rt, const struct drop *drop, const struct route_error *error,
                        struct finding *finding)
{
	struct fib_key key = drop_fib_key(drop);
	struct fib_route routes[FIB_TABLES_MAX];
	char text[ROUTE_TEXT], rule[ROUTE_TEXT], dst[INET6_ADDRSTRLEN];
	int n = fib_routes(rt, &key, error->type, routes);
	enum fib_match match = FIB_NO_MATCH;

	/* rules with an error of their own; "unreachable" among them gives ENETUNREACH instead */
	if (error->action != FR_ACT_UNREACHABLE)
		match = fib_rule(rt, &key, error->action, rule, sizeof(rule));
	if (n <= 0 && match != FIB_NO_MATCH)
		return drop_found(finding, error->cause, "%s", rule);
	drop_address(drop_destination(drop), dst);
	if (n <= 0)
		return drop_found(finding, error->cause, "route to %s: %s (it is not there any more)", dst,
		                  strerror(error->error));
	fib_route_text(&key, error->type, &routes[0], text, sizeof(text));
	/* which of several decided depends on rules that we do not follow: name the first and say that there are others
	 */
	if (match != FIB_NO_MATCH)
		return drop_found(finding, error->cause, "%s, or %s", text, rule);
	if (n > 1)
		return drop_found(finding, error->cause, "%s, or such a route in %d other tables", text, n - 1);
	return drop_found(finding, error->cause, "%s", text);
}

int route_inspect(struct rtnl *rt, const struct drop *drop, struct finding *finding)
{
	int error = abs(drop->rec->dst_error);

	if (error == ENETUNREACH)
		return route_missing(rt, drop, finding);
	for (size_t i = 0; i < sizeof(route_errors) / sizeof(route_errors[0]); i++) {
		if (route_errors[i].error == error)
			return route_denied(rt, drop, &route_errors[i], finding);
	}
	return 0;
}

int route_forwarding_inspect(struct rtnl *rt, const struct drop *drop, struct finding *finding)
{
	bool ipv4 = drop_fib_key(drop).family == AF_INET;

	if (ipv4 && rtnl_netconf(rt, AF_INET, drop->rec->ifindex, NETCONFA_FORWARDING) == 0)
		return drop_found(finding, VT_CAUSE_FORWARDING_OFF, "net.ipv4.conf.%s.forwarding is 0", drop->device);
	/* IPv6 forwards or not as a whole: ip6_forward() looks at "all" only */
	if (!ipv4 && rtnl_netconf(rt, AF_INET6, (uint32_t)NETCONFA_IFINDEX_ALL, NETCONFA_FORWARDING) == 0)
		return drop_found(finding, VT_CAUSE_FORWARDING_OFF, "net.ipv6.conf.all.forwarding is 0");
	return 0;
}

int route_rpfilter_inspect(struct rtnl *rt, const struct drop *drop, struct finding *finding)
{
	struct fib_key key = drop_fib_key(drop), back = {.family = key.family, .src = NULL, .dst = key.src};
	struct fib_answer answer;
	struct rtnl_link link;
	char src[INET6_ADDRSTRLEN];

	drop_address(drop_source(drop), src);
	back.iif_name = "";
	if (fib_lookup(rt, &back, &answer) == 0 && rtnl_link(rt, answer.oif, &link) == 0 &&
	    answer.oif != drop->rec->ifindex)
		return drop_found(finding, VT_CAUSE_RP_FILTER,
		                  "reverse path filter of %s: the route back to %s leaves through %s", drop->device,
		                  src, link.name);
	return drop_found(finding, VT_CAUSE_RP_FILTER,
	                  "reverse path filter of %s: there is no route back to %s through it", drop->device, src);
}
