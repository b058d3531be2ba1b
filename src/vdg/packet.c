// SPDX-License-Identifier: BSD-3-Clause
/* From a packet to its record; the rules are those of the BPF programs (datapath/linux/bpf/packet.h). */
#include "vdg/packet.h"

#include <netinet/in.h>
#include <string.h>

#include "core/packet_id.h"

static uint16_t be16(const uint8_t *at)
{
	return (uint16_t)(at[0] << 8 | at[1]);
}

static uint32_t be32(const uint8_t *at)
{
	return (uint32_t)be16(at) << 16 | be16(at + 2);
}

static uint16_t fragment_flags(bool more, bool later)
{
	return (uint16_t)((more || later ? VT_REC_FRAG : 0) | (later ? VT_REC_LATER_FRAG : 0));
}

/* Where the transport header is. vt_packet_id_of() has taken the packet, so it is IP, and its headers are there. */
static size_t read_ipv4(const uint8_t *ip, struct vt_record *rec)
{
	uint16_t fragment = be16(ip + 6);

	rec->length = be16(ip + 2);
	rec->flags |= fragment_flags(fragment & 0x2000, fragment & 0x1fff);
	return (ip[0] & 15) * 4u;
}

static size_t read_ipv6(const uint8_t *ip, size_t len, struct vt_record *rec)
{
	uint8_t proto = ip[6];
	size_t at = 40;

	rec->length = 40u + be16(ip + 4);
	for (int i = 0; i < VT_ID_EXT_HEADERS && at + 8 <= len; i++) {
		const uint8_t *header = ip + at;

		if (proto == IPPROTO_FRAGMENT)
			rec->flags |= fragment_flags(header[3] & 1, be16(header + 2) & 0xfff8);
		else if (proto != IPPROTO_HOPOPTS && proto != IPPROTO_ROUTING && proto != IPPROTO_DSTOPTS)
			break;
		at += proto == IPPROTO_FRAGMENT ? 8 : (header[1] + 1u) * 8;
		proto = header[0];
	}
	return at;
}

bool packet_read(const struct vdg_packet *packet, struct vt_record *rec)
{
	const uint8_t *ip = packet->ip;
	__u64 id;
	size_t l4;

	if (vt_packet_id_of(ip, packet->captured, &rec->flow, &id) < 0)
		return false;
	rec->version = VT_RECORD_VERSION;
	rec->packet_id = id;
	l4 = rec->flow.family == 4 ? read_ipv4(ip, rec) : read_ipv6(ip, packet->captured, rec);
	if (rec->flow.proto == IPPROTO_TCP && !(rec->flags & VT_REC_LATER_FRAG)) {
		rec->tcp_seq = be32(ip + l4 + 4);
		rec->payload = rec->length - (uint32_t)(l4 + (ip[l4 + 12] >> 4) * 4u);
	}
	rec->ifindex = packet->port;
	rec->vni = packet->vni;
	rec->segments = packet->segments ? packet->segments : 1;
	if (packet->encapsulated) {
		rec->flags |= VT_REC_ENCAP;
		memcpy(rec->outer_src, packet->outer_src, 16);
		memcpy(rec->outer_dst, packet->outer_dst, 16);
	}
	return true;
}
