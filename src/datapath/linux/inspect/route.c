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

#define ROUTE_TEXT 200

static enum vt_cause route_cause(uint8_t type)
{
	if (type == RTN_BLACKHOLE)
		return VT_CAUSE_ROUTE_BLACKHOLE;
	return type == RTN_PROHIBIT ? VT_CAUSE_ROUTE_PROHIBIT : VT_CAUSE_ROUTE_UNREACHABLE;
}

/* Does the kernel, asked now, still give that error? Not if somebody mended it, or if mark or ports decided. */
static bool route_still(struct rtnl *rt, const struct fib_key *key, int error)
{
	struct fib_answer answer;

	return fib_lookup(rt, key, &answer) == -error;
}

/* No table had a route. A rule "unreachable" gives the same error; if one certainly matches, it was it. */
static int route_missing(struct rtnl *rt, const struct drop *drop, struct finding *finding)
{
	struct fib_key key = drop_fib_key(drop);
	char rules[ROUTE_TEXT], rule[ROUTE_TEXT], thrown[ROUTE_TEXT], dst[INET6_ADDRSTRLEN];
	enum fib_match match = fib_rule(rt, &key, FR_ACT_UNREACHABLE, rule, sizeof(rule));

	if (match == FIB_MATCH)
		return drop_found(finding, VT_CAUSE_ROUTE_UNREACHABLE, "%s", rule);
	drop_address(drop_destination(drop), dst);
	if (match == FIB_MAY_MATCH)
		return drop_unsure(finding, "no route to %s, or %s", dst, rule);
	fib_rules_text(rt, key.family, rules, sizeof(rules));
	if (!route_still(rt, &key, ENETUNREACH))
		return drop_found(finding, VT_CAUSE_ROUTE_MISSING,
		                  "no route to %s was found (a lookup now says otherwise; rules: %s)", dst, rules);
	fib_thrown_text(rt, &key, thrown, sizeof(thrown));
	return drop_found(finding, VT_CAUSE_ROUTE_MISSING, "no route to %s in any table consulted%s (rules: %s)", dst,
	                  thrown, rules);
}

static int route_denied(struct rtnl *rt, const struct drop *drop, int error, uint8_t type, uint8_t action,
                        struct finding *finding)
{
	struct fib_key key = drop_fib_key(drop);
	bool still = route_still(rt, &key, error);
	char dst[INET6_ADDRSTRLEN], text[FIB_DECISION_TEXT];
	struct fib_decision decision;

	fib_decide(rt, &key, type, action, &decision);
	drop_address(drop_destination(drop), dst);
	if (!decision.count)
		return drop_found(finding, route_cause(type), "route to %s: %s (it is not there any more)", dst,
		                  strerror(error));
	if (decision.certain && !still)
		return drop_found(finding, route_cause(type), "route to %s: %s (now the routing decides otherwise)",
		                  dst, strerror(error));
	fib_decision_text(&decision, text, sizeof(text));
	return drop_found(finding, route_cause(type), "%s", text);
}

int route_inspect(struct rtnl *rt, const struct drop *drop, struct finding *finding)
{
	int error = abs(drop->rec->dst_error);
	uint8_t type, action;

	if (error == ENETUNREACH)
		return route_missing(rt, drop, finding);
	if (!fib_error_cause(error, &type, &action))
		return 0;
	return route_denied(rt, drop, error, type, action, finding);
}

/* The source address itself; the kernel's reason, or for IPv6 the place, says that it was found wrong. */
static const char *martian_v4(const __u8 *src)
{
	static const __u8 broadcast[4] = {255, 255, 255, 255};

	if (!memcmp(src, broadcast, sizeof(broadcast)))
		return "the broadcast address";
	if (src[0] == 127)
		return "a loopback address";
	if (src[0] >= 224 && src[0] < 240)
		return "a multicast address";
	return !src[0] && !src[1] && !src[2] && !src[3] ? "of no host" : NULL;
}

static const char *martian_v6(const __u8 *src)
{
	const struct in6_addr *address = (const struct in6_addr *)src;

	if (IN6_IS_ADDR_MULTICAST(address))
		return "a multicast address";
	if (IN6_IS_ADDR_LOOPBACK(address))
		return "a loopback address";
	return IN6_IS_ADDR_UNSPECIFIED(address) ? "of no host" : NULL;
}

int route_forwarding_inspect(struct rtnl *rt, const struct drop *drop, struct finding *finding)
{
	bool ipv4 = drop_fib_key(drop).family == AF_INET;

	if (ipv4 && rtnl_netconf(rt, AF_INET, drop->rec->ifindex, NETCONFA_FORWARDING) == 0)
		return drop_found(finding, VT_CAUSE_FORWARDING_OFF, "net.ipv4.conf.%s.forwarding is 0", drop->device);
	/* IPv6 forwards or not as a whole: ip6_forward() looks at "all" only */
	if (!ipv4 && rtnl_netconf(rt, AF_INET6, (uint32_t)NETCONFA_IFINDEX_ALL, NETCONFA_FORWARDING) == 0)
		return drop_found(finding, VT_CAUSE_FORWARDING_OFF, "net.ipv6.conf.all.forwarding is 0");
	/* what it also refuses there is a source that cannot be forwarded */
	return ipv4 ? 0 : route_martian_inspect(rt, drop, finding);
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

int route_martian_inspect(struct rtnl *rt, const struct drop *drop, struct finding *finding)
{
	struct fib_key key = drop_fib_key(drop);
	const char *kind = key.family == AF_INET ? martian_v4(key.src) : martian_v6(key.src);
	char src[INET6_ADDRSTRLEN];

	(void)rt;
	if (!kind)
		return 0;
	drop_address(drop_source(drop), src);
	return drop_found(finding, VT_CAUSE_MARTIAN_SOURCE, "source address %s is %s, but came in through %s", src,
	                  kind, drop->device);
}
