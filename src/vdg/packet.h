// SPDX-License-Identifier: BSD-3-Clause
/* What a tenant's packet itself says for its record. */
#ifndef VT_VDG_PACKET_H
#define VT_VDG_PACKET_H

#include <stdbool.h>
#include <string.h>

#include "core/record.h"
#include <vtrace/vdg.h>

static inline struct vt_flow flow_of(const struct vdg_flow *from)
{
	struct vt_flow flow = {
	    .sport = from->sport, .dport = from->dport, .proto = from->proto, .family = from->family};

	memcpy(flow.src, from->src, 16);
	memcpy(flow.dst, from->dst, 16);
	return flow;
}

/* Fills flow, packet_id, length, tcp_seq, payload, the flags of fragments, and what `packet` says of its place. */
bool packet_read(const struct vdg_packet *packet, struct vt_record *rec);

#endif
