// SPDX-License-Identifier: BSD-3-Clause
/* What a tenant's packet itself says for its record. */
#ifndef VT_VDG_PACKET_H
#define VT_VDG_PACKET_H

#include <stdbool.h>

#include "core/record.h"
#include <vtrace/vdg.h>

/* Fills flow, packet_id, length, tcp_seq, payload, the flags of fragments, and what `packet` says of its place. */
bool packet_read(const struct vdg_packet *packet, struct vt_record *rec);

#endif
