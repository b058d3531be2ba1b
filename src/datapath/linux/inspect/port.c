// SPDX-License-Identifier: BSD-3-Clause
/* The state of devices and bridge ports. */
#include <linux/if_bridge.h>
#include <string.h>

#include "datapath/linux/inspect/inspectors.h"

#define CARRIER (1u << 16) /* IFF_LOWER_UP, which net/if.h lacks; IFF_RUNNING follows it late */

static const char *state_name(uint8_t state)
{
	switch (state) {
	case BR_STATE_DISABLED:
		return "disabled";
	case BR_STATE_LISTENING:
		return "listening";
	case BR_STATE_LEARNING:
		return "learning";
	case BR_STATE_FORWARDING:
		return "forwarding";
	case BR_STATE_BLOCKING:
		return "blocking";
	}
	return "unknown";
}

int port_blocked_inspect(struct rtnl *rt, const struct drop *drop, struct finding *finding)
{
	struct rtnl_link link = {0}, bridge;

	if (rtnl_link(rt, drop->rec->ifindex, &link) == 0 && rtnl_link(rt, link.master, &bridge) == 0 &&
	    !(bridge.flags & IFF_UP))
		return drop_found(finding, VT_CAUSE_PORT_BLOCKED,
		                  "bridge port %s takes no packets: the bridge %s is down", link.name, bridge.name);
	if (link.bridge_port && link.state != BR_STATE_FORWARDING)
		return drop_found(finding, VT_CAUSE_PORT_BLOCKED, "bridge port %s takes no packets: its state is %s",
		                  link.name, state_name(link.state));
	return drop_found(finding, VT_CAUSE_PORT_BLOCKED,
	                  "bridge port %s took no packets: its state was not forwarding", drop->device);
}

int port_down_inspect(struct rtnl *rt, const struct drop *drop, struct finding *finding)
{
	struct rtnl_link link;

	if (rtnl_link(rt, drop->rec->ifindex, &link) < 0)
		return 0;
	if (!(link.flags & IFF_UP))
		return drop_found(finding, VT_CAUSE_PORT_DOWN, "%s is down", link.name);
	if (!(link.flags & CARRIER))
		return drop_found(finding, VT_CAUSE_PORT_DOWN, "%s is up, but has no carrier", link.name);
	return 0;
}

/* A bridge sees the copies of what it floods, and drops those that are not for itself: no loss. */
int port_mac_inspect(struct rtnl *rt, const struct drop *drop, struct finding *finding)
{
	struct rtnl_link link;

	if (rtnl_link(rt, drop->rec->ifindex, &link) < 0 || !strcmp(link.kind, "bridge"))
		return drop_unsure(finding, "%s took a frame that was sent to another MAC address", drop->device);
	return drop_found(finding, VT_CAUSE_WRONG_MAC, "%s got frames that were sent to another MAC address",
	                  link.name);
}
