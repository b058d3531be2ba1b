// SPDX-License-Identifier: BSD-3-Clause
/* Packets too big for the device they were to leave through; the kernel's reason proves that, we find device and MTU.
 */
#include <string.h>

#include "datapath/linux/inspect/fib.h"
#include "datapath/linux/inspect/inspectors.h"

#define VLAN_SIZE 4 /* is_skb_forwardable() leaves room for one tag */

static enum vt_cause mtu_cause(const struct drop *drop)
{
	return drop_is_outer(drop) ? VT_CAUSE_UNDERLAY_MTU : VT_CAUSE_MTU_EXCEEDED;
}

int mtu_routed_inspect(struct rtnl *rt, const struct drop *drop, struct finding *finding)
{
	struct fib_key key = drop_fib_key(drop);
	struct fib_answer answer;
	struct rtnl_link link;
	uint32_t mtu;

	/* ip6_forward() has already set the outgoing device when it drops, ip_forward() has not */
	if (key.family == AF_INET6)
		key.iif = 0;
	if (fib_lookup(rt, &key, &answer) < 0 || rtnl_link(rt, answer.oif, &link) < 0)
		return drop_found(finding, mtu_cause(drop), "packets are larger than the MTU of the way out");
	mtu = answer.mtu ? answer.mtu : link.mtu;
	memcpy(finding->device, link.name, sizeof(finding->device));
	return drop_found(finding, mtu_cause(drop), "packets are larger than MTU %u of %s%s", mtu,
	                  answer.mtu ? "the route through " : "", link.name);
}

/* The bridge says nothing of why: certain only if the packet is too long for the port. */
int mtu_bridged_inspect(struct rtnl *rt, const struct drop *drop, struct finding *finding)
{
	struct rtnl_link link;

	if (rtnl_link(rt, drop->rec->ifindex, &link) < 0 || drop->rec->segments > 1 ||
	    drop->rec->length <= link.mtu + VLAN_SIZE)
		return 0;
	return drop_found(finding, mtu_cause(drop), "packets are larger than MTU %u of bridge port %s", link.mtu,
	                  link.name);
}

/*
 * The kernel cuts no IPv6 packet whose tenant's packet may not be cut, and mostly tells the sender instead. It cannot
 * where that MTU would be less than what IPv6 asks for: then the encapsulated packet comes here, and dies.
 */
int mtu_fragment6_inspect(struct rtnl *rt, const struct drop *drop, struct finding *finding)
{
	struct fib_key key = drop_fib_key(drop);
	struct fib_answer answer;
	struct rtnl_link link;
	uint32_t mtu;

	key.iif = 0; /* sent from here */
	if (key.family != AF_INET6 || fib_lookup(rt, &key, &answer) < 0 || rtnl_link(rt, answer.oif, &link) < 0)
		return 0;
	mtu = answer.mtu ? answer.mtu : link.mtu;
	memcpy(finding->device, link.name, sizeof(finding->device));
	return drop_found(finding, VT_CAUSE_UNDERLAY_MTU,
	                  "the tunnel's packets are larger than MTU %u of %s%s and may not be fragmented", mtu,
	                  answer.mtu ? "the route through " : "", link.name);
}
