// SPDX-License-Identifier: BSD-3-Clause
/* The state of devices. */
#include <string.h>

#include "datapath/linux/inspect/inspectors.h"

#define CARRIER (1u << 16) /* IFF_LOWER_UP, which net/if.h lacks; IFF_RUNNING follows it late */

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
	static const uint8_t none[6];
	const uint8_t *mac = drop->context->dst_mac;
	struct rtnl_link link;

	if (rtnl_link(rt, drop->rec->ifindex, &link) < 0 || !strcmp(link.kind, "bridge"))
		return drop_unsure(finding, "%s took a frame that was sent to another MAC address", drop->device);
	if (!memcmp(mac, none, sizeof(none)))
		return drop_found(finding, VT_CAUSE_WRONG_MAC, "%s got frames that were sent to another MAC address",
		                  link.name);
	return drop_found(finding, VT_CAUSE_WRONG_MAC,
	                  "%s got frames that were sent to MAC " MAC_FORMAT ", which is not its own", link.name,
	                  MAC_ARGS(mac));
}
