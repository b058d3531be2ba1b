/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Headers of packets, see parse.h. Nothing is read that is not in the first segment: headers lie there.
 */
#include "parse.h"
#include "drop.h"
#include "trace.h"

#include <netinet/in.h>
#include <rte_ether.h>
#include <rte_ip.h>
#include <rte_udp.h>
#include <rte_vxlan.h>

#define CUT_MIN    1500 /* bytes of a packet that says it had more: the driver may have cut it */
#define VXLAN_HEAD (sizeof(struct rte_udp_hdr) + sizeof(struct rte_vxlan_hdr))

static uint16_t be16(const uint8_t *at)
{
	return (uint16_t)(at[0] << 8 | at[1]);
}

/* Ports or ICMP fields from `len` bytes of transport header; false if it is cut short. */
static bool parse_l4(struct flow_key *key, const uint8_t *l4, uint32_t len)
{
	bool echo;

	switch (key->proto) {
	case IPPROTO_TCP:
		if (len < 20)
			return false;
		break;
	case IPPROTO_UDP:
	case IPPROTO_SCTP:
	case IPPROTO_ICMP:
	case IPPROTO_ICMPV6:
		if (len < 8)
			return false;
		break;
	default:
		return true;
	}
	key->sport = be16(l4);
	key->dport = be16(l4 + 2);
	if (key->proto != IPPROTO_ICMP && key->proto != IPPROTO_ICMPV6)
		return true;
	echo = key->proto == IPPROTO_ICMP ? l4[0] == 0 || l4[0] == 8 : l4[0] == 128 || l4[0] == 129;
	key->dport = be16(l4);
	key->sport = echo ? be16(l4 + 4) : 0;
	return true;
}

static uint32_t parse4(struct packet *p, const uint8_t *ip, uint32_t len)
{
	uint32_t ihl = (ip[0] & 15u) * 4;
	uint16_t fragment = be16(ip + 6);

	p->l3_len = be16(ip + 2);
	if (ip[0] >> 4 != 4 || ihl < 20 || ihl > len || p->l3_len < ihl)
		return DROP_HEADER;
	if (p->l3_len > len)
		return len > CUT_MIN ? DROP_CUT : DROP_HEADER;
	p->key.family = 4;
	p->key.proto = ip[9];
	p->ttl = ip[8];
	p->df = fragment & 0x4000;
	p->key.src = addr_of4(ip + 12);
	p->key.dst = addr_of4(ip + 16);
	p->l4_off = (uint16_t)ihl;
	p->fragment = fragment & 0x3fff;
	p->frag_off = (uint16_t)(fragment << 3);
	p->frag_id = be16(ip + 4);
	p->later = p->frag_off;
	if (ip[16] >= 224)
		return DROP_MULTICAST;
	if (p->later)
		return 0;
	return parse_l4(&p->key, ip + ihl, p->l3_len - ihl) ? 0 : DROP_HEADER;
}

/* An IPv6 fragment header; one that is offset 0 and the last is no fragment (RFC 6946). */
static void parse_fragment(struct packet *p, const uint8_t *header)
{
	p->fragment = be16(header + 2) & 0xfff9;
	p->frag_off = be16(header + 2) & 0xfff8;
	p->frag_id = (uint32_t)be16(header + 4) << 16 | be16(header + 6);
	p->later = p->frag_off;
}

/* Extension headers are gone through up to the transport header or a fragment that is not the first. */
static uint32_t parse6(struct packet *p, const uint8_t *ip, uint32_t len)
{
	uint32_t at = 40, ext;
	uint8_t next;

	if (len < 40 || ip[0] >> 4 != 6 || be16(ip + 4) + 40u > len)
		return DROP_HEADER;
	p->l3_len = (uint16_t)(be16(ip + 4) + 40);
	p->key.family = 6;
	p->ttl = ip[7];
	p->df = true;
	memcpy(p->key.src.b, ip + 8, 16);
	memcpy(p->key.dst.b, ip + 24, 16);
	if (p->key.dst.b[0] == 0xff)
		return DROP_MULTICAST;
	next = ip[6];
	while (next == IPPROTO_HOPOPTS || next == IPPROTO_ROUTING || next == IPPROTO_DSTOPTS ||
	       next == IPPROTO_FRAGMENT) {
		if (at + 8 > p->l3_len)
			return DROP_HEADER;
		ext = next == IPPROTO_FRAGMENT ? 8 : (ip[at + 1] + 1u) * 8;
		p->key.proto = ip[at];
		if (next == IPPROTO_FRAGMENT)
			parse_fragment(p, ip + at);
		if (p->later)
			return 0;
		next = ip[at];
		at += ext;
	}
	if (at > p->l3_len)
		return DROP_HEADER;
	p->key.proto = next;
	p->l4_off = (uint16_t)at;
	return parse_l4(&p->key, ip + at, p->l3_len - at) ? 0 : DROP_HEADER;
}

uint32_t parse_tenant(struct packet *p)
{
	const uint8_t *eth = rte_pktmbuf_mtod(p->m, const uint8_t *);
	uint32_t len = rte_pktmbuf_data_len(p->m), bad = DROP_HEADER;

	p->ip_bad = true;
	if (len < 14 + 20)
		return DROP_HEADER;
	memcpy(p->key.dst_mac.b, eth, 6);
	memcpy(p->key.src_mac.b, eth + 6, 6);
	switch (be16(eth + 12)) {
	case RTE_ETHER_TYPE_IPV4:
		bad = parse4(p, eth + 14, len - 14);
		break;
	case RTE_ETHER_TYPE_IPV6:
		bad = parse6(p, eth + 14, len - 14);
		break;
	default:
		return DROP_ETHERTYPE;
	}
	p->ip_bad = bad == DROP_HEADER || bad == DROP_CUT;
	return bad;
}

/* The outer IP header's length where the packet is UDP for this VTEP and not a fragment, else 0. */
static uint32_t outer_ip(struct packet *p, const uint8_t *ip, uint32_t len, uint16_t type, uint8_t *ret_tos)
{
	if (type == RTE_ETHER_TYPE_IPV4 && len >= 20 && ip[0] == 0x45 && ip[9] == IPPROTO_UDP &&
	    !(be16(ip + 6) & 0x3fff)) {
		p->outer_src = addr_of4(ip + 12);
		p->outer_dst = addr_of4(ip + 16);
		*ret_tos = ip[1];
		return 20;
	}
	if (type == RTE_ETHER_TYPE_IPV6 && len >= 40 && ip[6] == IPPROTO_UDP) {
		memcpy(p->outer_src.b, ip + 8, 16);
		memcpy(p->outer_dst.b, ip + 24, 16);
		*ret_tos = (uint8_t)(be16(ip) >> 4);
		return 40;
	}
	return 0;
}

/* RFC 6040: what the underlay said about congestion is passed on to flows that do ECN. */
static enum outer take_ecn(const struct packet *p)
{
	uint8_t *eth = rte_pktmbuf_mtod(p->m, uint8_t *), *ip = eth + 14;
	uint16_t word;
	uint32_t sum;

	if (p->ecn != 3 || rte_pktmbuf_data_len(p->m) < 34)
		return OUTER_TUNNEL;
	if (be16(eth + 12) == RTE_ETHER_TYPE_IPV6) {
		if (!(ip[1] & 0x30))
			return OUTER_ECN;
		ip[1] |= 0x30;
	} else if (be16(eth + 12) == RTE_ETHER_TYPE_IPV4) {
		if (!(ip[1] & 3))
			return OUTER_ECN;
		word = be16(ip);
		ip[1] |= 3;
		sum = (uint16_t)~be16(ip + 10) + (uint16_t)~word + (uint32_t)be16(ip); /* RFC 1624 */
		sum = (sum & 0xffff) + (sum >> 16);
		sum = ~((sum & 0xffff) + (sum >> 16));
		ip[10] = (uint8_t)(sum >> 8);
		ip[11] = (uint8_t)sum;
	}
	return OUTER_TUNNEL;
}

enum outer parse_outer(struct packet *p, const struct vtep_config *vtep)
{
	const uint8_t *eth = rte_pktmbuf_mtod(p->m, const uint8_t *), *udp;
	uint32_t len = rte_pktmbuf_data_len(p->m), head;
	uint8_t tos = 0;
	uint16_t type;

	if (len < 14)
		return OUTER_OTHER;
	type = be16(eth + 12);
	if (type == RTE_ETHER_TYPE_ARP || (type == RTE_ETHER_TYPE_IPV6 && len >= 54 && eth[14 + 6] == IPPROTO_ICMPV6))
		return OUTER_ARP;
	head = outer_ip(p, eth + 14, len - 14, type, &tos);
	udp = eth + 14 + head;
	if (!head || len < 14 + head + VXLAN_HEAD + 14 || be16(udp + 2) != vtep->udp_port || !(udp[8] & 8))
		return OUTER_OTHER;
	head = addr_is4(&p->outer_dst) ? 0 : 1;
	if (!vtep->has[head] || !addr_equal(&p->outer_dst, &vtep->addr[head]))
		return OUTER_OTHER;
	p->outer = true;
	p->hop = trace_hop(tos);
	p->ecn = tos & 3;
	p->key.vni = (uint32_t)(udp[12] << 16 | udp[13] << 8 | udp[14]);
	p->key.port = PORT_OUTER;
	rte_pktmbuf_adj(p->m, (uint16_t)(udp + VXLAN_HEAD - eth));
	return take_ecn(p);
}
