/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * ICMP that the device itself sends to VMs: errors, and the gateway's echo replies.
 */
#ifndef VFD_ICMP_H
#define VFD_ICMP_H

#include "device.h"

enum icmp_kind {
	ICMP_NONE,
	ICMP_TTL_EXPIRED,
	ICMP_TOO_BIG,
	ICMP_NO_ROUTE,
	ICMP_PROHIBITED,
};

/* To the VM that sent the packet; not for what came by the tunnel, nor for ICMP errors. At most ICMP_PER_MS. */
void icmp_error(struct worker *w, const struct packet *p, enum icmp_kind kind, uint16_t mtu);

/* Whether the packet is an echo request; then it goes back as its reply, p->m is NULL. */
bool icmp_echo(struct worker *w, struct packet *p);

#endif
