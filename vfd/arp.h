/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * ARP and neighbour discovery: VMs are answered for each address that the VPC knows, others who ask by the tunnel
 * (Linux bridges flood there) for the VMs and gateways that are here, the underlay for the VTEP's own; remote ends are
 * asked for.
 */
#ifndef VFD_ARP_H
#define VFD_ARP_H

#include "device.h"

/* Whether the packet of a VM's port, or of the tunnel, was ARP or discovery: then it is dealt with, p->m is NULL. */
bool arp_from_tenant(struct worker *w, struct packet *p);

/* ARP, or ICMPv6, of the underlay: learns from it, answers it, frees it. */
void arp_from_underlay(struct worker *w, struct packet *p);

void arp_ask(struct worker *w, const struct vtep_config *vtep, const struct addr *hop);

#endif
