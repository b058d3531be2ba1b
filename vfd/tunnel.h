/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * VXLAN: puts the tunnel's headers in front of a tenant's packet and sends it to the remote end of its flow entry.
 */
#ifndef VFD_TUNNEL_H
#define VFD_TUNNEL_H

#include "device.h"

/* Sends, parks or drops the packet: p->m is NULL then. `traced`: p->hop counts. */
void tunnel_send(struct worker *w, struct packet *p, bool traced);

#endif
