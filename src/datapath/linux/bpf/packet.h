// SPDX-License-Identifier: (GPL-2.0-only OR BSD-3-Clause)
/*
 * From the first bytes of a coloured packet to what a record says of it. Runs for coloured packets only; works on a
 * copy of the headers, so tc programs, tracepoints and netfilter programs share it.
 *
 * Functions that are not static are verified once each, by themselves, not along every path that calls them: that keeps
 * loading fast. The verifier makes them check their pointers for NULL.
 */
#ifndef VT_BPF_PACKET_H
#define VT_BPF_PACKET_H

#include "datapath/linux/bpf/maps.h"
#include <bpf/bpf_endian.h>
#include "core/packet_id.h"

#define NEXTHDR_HOP      0
#define NEXTHDR_ROUTING  43
#define NEXTHDR_FRAGMENT 44
#define NEXTHDR_DEST     60
#define EXT_HEADERS_MAX  4

#define PROTO_ICMP    1
#define PROTO_TCP     6
#define PROTO_UDP     17
#define PROTO_ICMPV6  58
#define PROTO_SCTP    132
#define VXLAN_HEADERS (8 + 8 + 14) /* UDP, VXLAN, inner Ethernet without VLAN */

struct packet {
	struct vt_flow flow;
	__u64 id;
	__u32 length; /* IP header on */
	__u32 tcp_seq;
	__u32 payload; /* TCP: payload bytes, of all segments */
	__u32 vni;
	__u16 frag; /* 0: whole, 1: first fragment, 2: later fragment */
	__u8 encap; /* a VXLAN header was passed; outer_* and vni hold */
	__u8 outer_later_frag;
	__u8 outer_src[16];
	__u8 outer_dst[16];
};

static __always_inline __u8 head_u8(const struct head *h, __u32 at)
{
	return h->bytes[at & HEAD_MASK];
}

static __always_inline __u16 head_be16(const struct head *h, __u32 at)
{
	at &= HEAD_MASK;
	return ((__u16)h->bytes[at] << 8) | h->bytes[at + 1];
}

static __always_inline __u32 head_raw32(const struct head *h, __u32 at)
{
	__u32 v;

	at &= HEAD_MASK;
	__builtin_memcpy(&v, &h->bytes[at], 4);
	return v;
}

static __always_inline __u32 head_be32(const struct head *h, __u32 at)
{
	return bpf_ntohl(head_raw32(h, at));
}

static __always_inline bool is_vxlan_port(__u16 port)
{
	return config.vxlan_ports[(port >> 3) & 8191] & (1 << (port & 7));
}

static __always_inline void copy_addr(const struct head *h, __u32 at, bool v6, __u8 *addr)
{
	at &= HEAD_MASK;
	if (v6) {
		__builtin_memcpy(addr, &h->bytes[at], 16);
		return;
	}
	__builtin_memset(addr, 0, 10);
	addr[10] = addr[11] = 0xff;
	__builtin_memcpy(addr + 12, &h->bytes[at], 4);
}

struct ip_layer {
	__u32 l4;
	__u32 length;
	__u16 ip_id;  /* network order */
	__u16 frag;   /* 0: whole, 1: first fragment, 2: later fragment */
	__u16 offset; /* of a later fragment, in units of 8 bytes */
	__u8 proto;
	__u8 v6;
};

/* Reads the IP header at `at`. 0, or -1 if it is not IP or not all there. */
__noinline int ip_parse(const struct head *h, __u32 at, struct ip_layer *ip)
{
	__u8 first;

	if (!h || !ip || at + 20 > h->len)
		return -1;
	first = head_u8(h, at);
	ip->ip_id = 0;
	ip->frag = 0;
	ip->offset = 0;
	if (first >> 4 == 4) {
		__u16 off = head_be16(h, at + 6) & 0x3fff;

		ip->v6 = 0;
		ip->proto = head_u8(h, at + 9);
		ip->l4 = at + (first & 15) * 4;
		ip->length = head_be16(h, at + 2);
		ip->ip_id = bpf_htons(head_be16(h, at + 4));
		if (off)
			ip->frag = off & 0x1fff ? 2 : 1;
		ip->offset = off & 0x1fff;
		return 0;
	}
	if (first >> 4 != 6 || at + 40 > h->len)
		return -1;
	ip->v6 = 1;
	ip->proto = head_u8(h, at + 6);
	ip->l4 = at + 40;
	ip->length = head_be16(h, at + 4) + 40;
	for (int i = 0; i < EXT_HEADERS_MAX; i++) {
		if (ip->l4 + 8 > h->len)
			break;
		if (ip->proto == NEXTHDR_FRAGMENT) {
			__u16 off = head_be16(h, ip->l4 + 2);

			if (off & 0xfff9)
				ip->frag = off & 0xfff8 ? 2 : 1;
			ip->offset = off >> 3;
			ip->proto = head_u8(h, ip->l4);
			ip->l4 += 8;
		} else if (ip->proto == NEXTHDR_HOP || ip->proto == NEXTHDR_ROUTING || ip->proto == NEXTHDR_DEST) {
			ip->proto = head_u8(h, ip->l4);
			ip->l4 += (head_u8(h, ip->l4 + 1) + 1) * 8;
		} else {
			break;
		}
	}
	return 0;
}

struct option_walk {
	const struct head *head;
	struct vt_id_input *input;
	__u32 at, end;
};

/* Body of a bpf_loop(): one TCP option; 1 ends the loop. */
static long next_option(__u32 i, void *arg)
{
	struct option_walk *w = arg;
	__u8 kind, length;

	if (w->at + 1 >= w->end)
		return 1;
	kind = head_u8(w->head, w->at);
	length = head_u8(w->head, w->at + 1);
	if (kind == 1) {
		w->at++;
		return 0;
	}
	if (kind == 8 && w->at + 10 <= w->end) {
		w->input->tcp[2] = head_raw32(w->head, w->at + 2);
		w->input->tcp[3] = head_raw32(w->head, w->at + 6);
		return 1;
	}
	if (kind == 0 || length < 2)
		return 1;
	w->at += length;
	return 0;
}

/* Timestamp option (RFC 7323) of the TCP header at l4, into tcp[2], tcp[3]; zeroes where there is none. */
static __always_inline void tcp_timestamps(const struct head *h, __u32 l4, struct vt_id_input *input)
{
	struct option_walk walk = {.head = h, .input = input, .at = l4 + 20};

	walk.end = l4 + (head_u8(h, l4 + 12) >> 4) * 4;
	if (walk.end > h->len)
		walk.end = h->len;
	bpf_loop(40, next_option, &walk, 0);
}

/* Copies up to 32 bytes from `at`, stopping at `end`; the rest of input->payload stays 0. */
__noinline int id_payload(const struct head *h, __u32 at, __u32 end, struct vt_id_input *input)
{
	if (!h || !input)
		return 0;
	if (end > h->len)
		end = h->len;
	if (at >= end)
		return 0;
	__builtin_memcpy(input->payload, &h->bytes[at & HEAD_MASK], VT_ID_PAYLOAD);
	for (int i = 0; i < VT_ID_PAYLOAD / 8; i++) {
		__u32 valid = end - at - 8 * i; /* bytes of word i that are payload, if positive */

		if ((__s32)valid <= 0)
			input->words[i] = 0;
		else if (valid < 8)
			input->words[i] &= (1ULL << (8 * valid)) - 1;
	}
	return 0;
}

/* Ports and packet_id of the tenant packet whose IP layer is `ip`. -1 where the transport header is not there. */
__noinline int transport_parse(const struct head *h, const struct ip_layer *ip, __u32 at, struct packet *p)
{
	struct vt_id_input input = {};
	__u32 l4;

	if (!h || !ip || !p)
		return -1;
	l4 = ip->l4;
	input.proto = ip->proto;
	input.ip_id = ip->ip_id;
	if (ip->frag == 2) {
		input.length = ip->offset;
		id_payload(h, l4, at + ip->length, &input);
	} else if (ip->proto == PROTO_TCP && l4 + 20 <= h->len) {
		__u8 flags = head_u8(h, l4 + 13);

		p->flow.sport = head_be16(h, l4);
		p->flow.dport = head_be16(h, l4 + 2);
		p->tcp_seq = head_be32(h, l4 + 4);
		p->payload = ip->length - (l4 + (head_u8(h, l4 + 12) >> 4) * 4 - at);
		input.tcp_flags = flags & 0x06; /* SYN, RST */
		input.tcp[0] = head_raw32(h, l4 + 4);
		input.tcp[1] = head_raw32(h, l4 + 8);
		tcp_timestamps(h, l4, &input);
	} else if (ip->proto == PROTO_UDP && l4 + 8 <= h->len) {
		p->flow.sport = head_be16(h, l4);
		p->flow.dport = head_be16(h, l4 + 2);
		input.length = head_be16(h, l4 + 4);
		id_payload(h, l4 + 8, at + ip->length, &input);
	} else if (ip->proto == PROTO_SCTP && l4 + 12 <= h->len) {
		p->flow.sport = head_be16(h, l4);
		p->flow.dport = head_be16(h, l4 + 2);
		id_payload(h, l4 + 12, at + ip->length, &input);
	} else if ((ip->proto == PROTO_ICMP || ip->proto == PROTO_ICMPV6) && l4 + 8 <= h->len) {
		__u8 type = head_u8(h, l4);
		bool echo = ip->proto == PROTO_ICMP ? type == 0 || type == 8 : type == 128 || type == 129;

		p->flow.dport = head_be16(h, l4);
		if (echo) {
			p->flow.sport = head_be16(h, l4 + 4);
			input.icmp_seq = bpf_htons(head_be16(h, l4 + 6));
		}
		id_payload(h, l4 + 8, at + ip->length, &input);
	} else if (ip->proto == PROTO_TCP || ip->proto == PROTO_UDP || ip->proto == PROTO_SCTP ||
	           ip->proto == PROTO_ICMP || ip->proto == PROTO_ICMPV6) {
		return -1;
	} else {
		id_payload(h, l4, at + ip->length, &input);
	}
	p->id = vt_packet_id(&input);
	return 0;
}

/* Fills p from the tenant packet at `at`, whose IP layer is `ip`. */
static __always_inline int tenant_parse(const struct head *h, const struct ip_layer *ip, __u32 at, struct packet *p)
{
	p->frag = ip->frag;
	p->length = ip->length;
	p->flow.proto = ip->proto;
	p->flow.family = ip->v6 ? 6 : 4;
	copy_addr(h, at + (ip->v6 ? 8 : 12), ip->v6, p->flow.src);
	copy_addr(h, at + (ip->v6 ? 24 : 16), ip->v6, p->flow.dst);
	return transport_parse(h, ip, at, p);
}

/*
 * Parses a packet from its outermost IP header. With `tunnel`, UDP to a VXLAN port is a tunnel and the tenant packet
 * inside is what p describes. 0, or -1 if there is no tenant packet to be seen.
 */
__noinline int packet_parse(const struct head *h, __u32 tunnel, struct packet *p)
{
	struct ip_layer ip = {};
	__u32 at = 0;

	if (!h || !p || ip_parse(h, 0, &ip))
		return -1;
	if (tunnel && ip.proto == PROTO_UDP) {
		if (ip.frag == 2) {
			p->outer_later_frag = 1;
			return -1;
		}
		if (ip.l4 + VXLAN_HEADERS + 20 <= h->len && is_vxlan_port(head_be16(h, ip.l4 + 2))) {
			p->encap = 1;
			copy_addr(h, ip.v6 ? 8 : 12, ip.v6, p->outer_src);
			copy_addr(h, ip.v6 ? 24 : 16, ip.v6, p->outer_dst);
			p->vni = head_be32(h, ip.l4 + 12) >> 8;
			at = ip.l4 + VXLAN_HEADERS;
			if (ip_parse(h, at, &ip))
				return -1;
		}
	}
	return tenant_parse(h, &ip, at, p);
}

/* Parses the packet that an ICMP error quotes, from its IP header at `at`. 0, or -1 where too little of it is quoted.
 */
__noinline int packet_parse_quoted(const struct head *h, __u32 at, struct packet *p)
{
	struct ip_layer ip = {};

	if (!h || !p || ip_parse(h, at, &ip))
		return -1;
	return tenant_parse(h, &ip, at, p);
}

#endif
