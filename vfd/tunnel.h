/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * VXLAN: puts the tunnel's headers in front of a tenant's packet and sends it to the remote end of its flow entry.
 */
#ifndef VFD_TUNNEL_H
#define VFD_TUNNEL_H

#include "device.h"

/* Sends, parks or drops the packet: p->m is NULL then. `traced`: p->hop counts. */
void tunnel_send(struct worker *w, struct packet *p, bool traced);

/* Sends a frame of the device's own to the tunnel end that `to` came from, in the same network. Takes the mbuf. */
void tunnel_answer(struct worker *w, const struct packet *to, struct rte_mbuf *m);

#endif
