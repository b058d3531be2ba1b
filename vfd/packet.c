// SPDX-License-Identifier: BSD-3-Clause
/* See packet.h. */
#include "vfd/packet.h"

#include <netinet/in.h>
#include <string.h>

#define TYPE_IPV4 0x0800
#define TYPE_IPV6 0x86dd
#define TYPE_ARP  0x0806

static void map_ipv4(uint8_t to[16], const uint8_t *from)
{
	memset(to, 0, 10);
	to[10] = to[11] = 0xff;
	memcpy(to + 12, from, 4);
}

/* What VTrace's flows have as ports; see struct vdg_flow. */
static void read_ports(struct vdg_flow *flow, const uint8_t *l4, uint32_t left)
{
	bool echo;

	switch (flow->proto) {
	case IPPROTO_TCP:
	case IPPROTO_UDP:
	case IPPROTO_SCTP:
		if (left >= 4) {
			flow->sport = get16(l4);
			flow->dport = get16(l4 + 2);
		}
		break;
	case IPPROTO_ICMP:
	case IPPROTO_ICMPV6:
		if (left < 8)
			break;
		echo = flow->proto == IPPROTO_ICMP ? l4[0] == 0 || l4[0] == 8 : l4[0] == 128 || l4[0] == 129;
		flow->dport = get16(l4);
		flow->sport = echo ? get16(l4 + 4) : 0;
		break;
	}
}

/* Returns how long the header is, 0 if it is no IP packet, or cut short. */
static uint32_t read_ip(const uint8_t *ip, uint32_t left, uint16_t type, struct packet *packet)
{
	struct vdg_flow *flow = &packet->flow;
	uint32_t size;

	if (type == TYPE_IPV4 && left >= IPV4_SIZE && ip[0] >> 4 == 4) {
		size = (ip[0] & 15) * 4U;
		packet->ip_length = get16(ip + 2);
		packet->dscp = ip[1] >> 2;
		flow->family = 4;
		flow->proto = ip[9];
		map_ipv4(flow->src, ip + 12);
		map_ipv4(flow->dst, ip + 16);
		if (size < IPV4_SIZE || size > left || packet->ip_length < size || packet->ip_length > left)
			return 0;
		if (!(get16(ip + 6) & 0x1fff)) /* a later fragment has no ports */
			read_ports(flow, ip + size, packet->ip_length - size);
		return size;
	}
	if (type == TYPE_IPV6 && left >= 40 && ip[0] >> 4 == 6) {
		packet->ip_length = get16(ip + 4) + 40U;
		packet->dscp = (uint8_t)((ip[0] & 15) << 2 | ip[1] >> 6);
		flow->family = 6;
		flow->proto = ip[6];
		memcpy(flow->src, ip + 8, 16);
		memcpy(flow->dst, ip + 24, 16);
		if (packet->ip_length > left)
			return 0;
		read_ports(flow, ip + 40, packet->ip_length - 40);
		return 40;
	}
	return 0;
}

void packet_parse(uint8_t *frame, uint32_t length, struct packet *packet)
{
	uint16_t type;

	packet->type = PACKET_OTHER;
	packet->frame = frame;
	packet->captured = length;
	memset(&packet->flow, 0, sizeof(packet->flow));
	if (length < ETHER_SIZE)
		return;
	type = get16(frame + 12);
	packet->ip = frame + ETHER_SIZE;
	if (type == TYPE_ARP && length >= ETHER_SIZE + 28)
		packet->type = PACKET_ARP;
	else if (read_ip(packet->ip, length - ETHER_SIZE, type, packet))
		packet->type = PACKET_IP;
}

void packet_parse_underlay(uint8_t *frame, uint32_t length, struct packet *packet)
{
	struct packet outer;
	uint32_t size, at;
	const uint8_t *vxlan;

	packet_parse(frame, length, packet);
	packet->encapsulated = false;
	if (packet->type != PACKET_IP || packet->flow.proto != IPPROTO_UDP || packet->flow.dport != VXLAN_PORT)
		return;
	size = packet->flow.family == 4 ? (packet->ip[0] & 15) * 4U : 40;
	at = ETHER_SIZE + size + UDP_SIZE;
	if (length < at + VXLAN_SIZE + ETHER_SIZE || !(frame[at] & 8)) /* the VNI is valid */
		return;
	outer = *packet;
	vxlan = frame + at;
	packet_parse(frame + at + VXLAN_SIZE, length - at - VXLAN_SIZE, packet);
	packet->encapsulated = true;
	packet->flow.vni = (uint32_t)vxlan[4] << 16 | (uint32_t)vxlan[5] << 8 | vxlan[6];
	packet->dscp = outer.dscp;
	memcpy(packet->outer_src, outer.flow.src, 16);
	memcpy(packet->outer_dst, outer.flow.dst, 16);
}

uint16_t ip_checksum(const uint8_t *header, uint32_t length)
{
	uint32_t sum = 0;

	for (uint32_t i = 0; i + 1 < length; i += 2)
		sum += get16(header + i);
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t) ~((sum & 0xffff) + (sum >> 16));
}
