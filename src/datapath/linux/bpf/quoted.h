// SPDX-License-Identifier: (GPL-2.0-only OR BSD-3-Clause)
/*
 * ICMP errors that quote a traced packet tell of its end where no drop event does: the VXLAN device turns a packet that
 * is too big for the underlay into "fragmentation needed" in place (iptunnel_pmtud_build_icmp(), kernel 5.8), and a
 * virtual machine refuses a packet by "port unreachable" (RFC 792, RFC 4443). An error quotes enough for the packet_id.
 */
#ifndef VT_BPF_QUOTED_H
#define VT_BPF_QUOTED_H

#include "datapath/linux/bpf/skb.h"

#define ICMP_UNREACHABLE   3
#define ICMPV6_UNREACHABLE 1
#define ICMPV6_TOO_BIG     2
#define ICMP_HEADER        8

static __always_inline bool icmp_is_error(__u8 proto, __u8 type)
{
	return proto == PROTO_ICMP ? type == ICMP_UNREACHABLE
	                           : proto == PROTO_ICMPV6 && (type == ICMPV6_UNREACHABLE || type == ICMPV6_TOO_BIG);
}

/* Takes type, code and MTU of the ICMP error, then parses what it quotes into p. -1 if it quotes too little. */
static __always_inline int quoted_parse(const struct head *h, struct packet *p, struct sighting *s)
{
	bool v6 = p->flow.family == 6;
	__u32 l4 = v6 ? 40 : (head_u8(h, 0) & 15) * 4;

	s->loc = VT_LOC_ERROR;
	s->context.place = DROP_TOLD;
	s->context.icmp_type = p->flow.dport >> 8;
	s->context.icmp_code = p->flow.dport & 255;
	s->context.mtu = v6 ? head_be32(h, l4 + 4) : head_be16(h, l4 + 6);
	p->flow.sport = p->flow.dport = 0;
	p->tcp_seq = p->payload = 0;
	return packet_parse_quoted(h, l4 + ICMP_HEADER, p);
}

/*
 * At egress, a packet with our colour: true if it is an ICMP error that a traced packet was turned into. What it quotes
 * is then in p, and that packet's end has been written.
 */
static __always_inline bool quoted_in_place(struct __sk_buff *skb, const struct head *h, struct packet *p,
                                            struct sighting *s, __u32 hop)
{
	if (p->encap || p->frag || !icmp_is_error(p->flow.proto, p->flow.dport >> 8) ||
	    bpf_map_lookup_elem(&seen, &p->id)) /* it is itself a packet that some task wants */
		return false;
	if (quoted_parse(h, p, s) || !bpf_map_lookup_elem(&seen, &p->id)) {
		s->loc = VT_LOC_OUT;
		return false;
	}
	s->hop = hop;
	place(skb, s);
	s->vni = device_vni(s->ifindex);
	emit(p, s);
	ctx_set(skb, tc_index, 0);
	return true;
}

/* At ingress, any ICMP error: if it quotes a packet that left by this node, whoever sent it has refused that packet. */
__noinline int quoted_from_outside(struct __sk_buff *skb, __u32 l3)
{
	struct sighting s = {.flags = VT_REC_AFTER_OUT};
	struct packet p = {};
	struct seen *known;
	struct head *h = head_of_skb(skb, l3);

	if (!h || packet_parse(h, 0, &p) || p.frag || quoted_parse(h, &p, &s))
		return 0;
	known = bpf_map_lookup_elem(&seen, &p.id);
	if (!known || known->ended)
		return 0;
	s.hop = known->hop;
	place(skb, &s);
	s.segments = 0;
	s.vni = device_vni(s.ifindex);
	emit(&p, &s);
	return 0;
}

#endif
