/* SPDX-License-Identifier: BSD-3-Clause */
/* Headers of a frame: the tenant's, and the tunnel's around them (VXLAN, RFC 7348). Reads bytes only, knows no DPDK. */
#ifndef VFD_PACKET_H
#define VFD_PACKET_H

#include <stdbool.h>
#include <stdint.h>

#include "vtrace/vdg.h"

#define ETHER_SIZE  14
#define IPV4_SIZE   20
#define UDP_SIZE    8
#define VXLAN_SIZE  8
#define TUNNEL_SIZE (ETHER_SIZE + IPV4_SIZE + UDP_SIZE + VXLAN_SIZE) /* over IPv4 */
#define VXLAN_PORT  4789

enum packet_type { PACKET_OTHER = 0, PACKET_ARP, PACKET_IP };

struct packet {
	enum packet_type type;
	uint8_t *frame;    /* the tenant's Ethernet header */
	uint32_t captured; /* bytes from `frame` on */
	uint8_t *ip;
	uint32_t ip_length;   /* of the whole IP packet, by its header */
	struct vdg_flow flow; /* vni: of the tunnel, 0 where it is in none */
	bool encapsulated;
	uint8_t dscp, outer_src[16], outer_dst[16];
};

/* A frame of a tenant. */
void packet_parse(uint8_t *frame, uint32_t length, struct packet *packet);

/* A frame of the underlay: the tenant's packet if it is a tunnel packet, else what it is itself. */
void packet_parse_underlay(uint8_t *frame, uint32_t length, struct packet *packet);

uint16_t ip_checksum(const uint8_t *header, uint32_t length); /* as it goes into the header */

static inline uint16_t get16(const uint8_t *at)
{
	return (uint16_t)(at[0] << 8 | at[1]);
}
static inline void put16(uint8_t *at, uint32_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

#endif
