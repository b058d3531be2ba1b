/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Headers of packets: the tenant's into a flow's key, the tunnel's away.
 */
#ifndef VFD_PARSE_H
#define VFD_PARSE_H

#include "device.h"

/* p->m begins with the tenant's Ethernet header. 0, or the enum drop_fixed to drop it with; key.port and .vni are set.
 */
uint32_t parse_tenant(struct packet *p);

enum outer {
	OUTER_TUNNEL, /* the tunnel's headers are gone, p->m begins with the tenant's Ethernet header */
	OUTER_OTHER,  /* not for this device */
	OUTER_ARP,    /* ARP, or an ICMPv6 packet */
	OUTER_ECN,    /* congestion met by a flow that does not do ECN: to be dropped */
};

enum outer parse_outer(struct packet *p, const struct vtep_config *vtep);

#endif
