// SPDX-License-Identifier: BSD-3-Clause
/* Neighbour and bridge forwarding entries by rtnetlink, for the inspectors that name them. */
#ifndef VT_DATAPATH_LINUX_INSPECT_NEIGH_H
#define VT_DATAPATH_LINUX_INSPECT_NEIGH_H

#include "datapath/linux/inspect/rtnl.h"

struct neigh {
	uint8_t family; /* AF_INET, AF_INET6, AF_BRIDGE */
	uint32_t ifindex;
	uint16_t state; /* NUD_* */
	uint8_t flags;  /* NTF_* */
	uint32_t probes;
	bool has_mac;
	uint8_t mac[6];
	uint8_t address_size; /* 0, 4 or 16: the neighbour's, or of the tunnel end point in a vxlan device's entry */
	uint8_t address[16];
};

/* Calls fn for every entry of the family on the device (0: on all). */
int neigh_dump(struct rtnl *rt, uint8_t family, uint32_t ifindex, void (*fn)(void *arg, const struct neigh *neigh),
               void *arg);

#endif
