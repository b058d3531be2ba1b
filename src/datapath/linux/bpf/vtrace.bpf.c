// SPDX-License-Identifier: (GPL-2.0-only OR BSD-3-Clause)
/*
 * The Linux VFD's data generation: colour at the first VFD, match and log on the way in, on the way out, and where the
 * kernel drops (paper, section 4). One packet's way through this file:
 *
 *   ingress_*   a packet enters by a leaf device. With a coloured outer header: matched, `in`, hop n. An uncoloured
 * tunnel packet is none of our business (its first VFD did not want it). Anything else is held against the tasks and,
 *               if wanted and within packet_count, coloured: `in`, hop 1.
 *   egress_*    a coloured packet leaves by a leaf device: `out`; a tunnel's outer header gets the colour of hop n + 1.
 *   on_kfree_skb, on_local_in   a coloured packet ends inside: dropped, or taken by the node's own stack (ends.h).
 *
 * There is a pair of programs for each kind of device, but for VXLAN devices with groups, which only take our mark off:
 * `tenant` is the port of a network with a VNI (what it sends is never our tunnel), `outside` is everything else; `l3`
 * devices have no Ethernet header.
 */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>
#include "datapath/linux/bpf/shared.h"
#include "datapath/linux/bpf/maps.h"
#include "datapath/linux/bpf/packet.h"
#include "datapath/linux/bpf/colour.h"
#include "datapath/linux/bpf/emit.h"
#include "datapath/linux/bpf/match.h"
#include "datapath/linux/bpf/skb.h"
#include "datapath/linux/bpf/spend.h"
#include "datapath/linux/bpf/quoted.h"
#include "datapath/linux/bpf/ends.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* A packet that some task wants: takes one from the budget of each, and colours it if there was any left. */
__noinline int colour_packet(struct __sk_buff *skb, __u32 l3, struct rule_slots *want)
{
	struct packet p = {};
	struct sighting s = {.loc = VT_LOC_IN, .hop = 1};
	struct head *h;

	if (!want)
		return 0;
	pull_head(skb, l3);
	h = head_of_skb(skb, l3);
	if (!h || packet_parse(h, 0, &p))
		return 0;
	place(skb, &s);
	s.vni = device_vni(s.ifindex);
	s.time_ns = bpf_ktime_get_ns();
	if (!spend(&p, &s, want))
		return 0;
	seen_add(p.id, 1);
	colour_set(skb, 1);
	return 1;
}

/* The key of an IPv6 packet with extension headers. 0 if it has one. */
__noinline int key_behind_extensions(struct __sk_buff *skb, __u32 l3, struct rule_key *key)
{
	struct packet p = {};
	struct head *h = head_of_skb(skb, l3);

	if (!key || !h || packet_parse(h, 0, &p))
		return -1;
	key_of_flow(&p.flow, key);
	return 0;
}

/* Holds an uncoloured packet against the tasks. */
static __always_inline void ingress_uncoloured(struct __sk_buff *skb, __u32 l3, bool tunnels)
{
	void *data = (void *)(long)ctx_get(skb, data), *end = (void *)(long)ctx_get(skb, data_end);
	__u32 protocol = ctx_get(skb, protocol);
	struct rule_slots want = {};
	struct rule_key key = {};
	__u8 *ip, *l4;
	bool later = false; /* a later fragment has no ports */
	__u32 wanted;

	if (data + l3 + 28 > end && ctx_get(skb, len) >= l3 + 28) { /* as wire_hop(): headers that are not linear */
		pull_head(skb, l3);
		data = (void *)(long)ctx_get(skb, data);
		end = (void *)(long)ctx_get(skb, data_end);
	}
	ip = data + l3;
	if (protocol == ETH_IPV4) {
		if (ip + 28 > (__u8 *)end)
			return;
		wanted = config.want_proto[ip[9]];
		if (!wanted)
			return;
		key.proto = ip[9];
		key.family = 4;
		later = (ip[6] & 0x1f) || ip[7];
		key.src[1] = 0xffff0000ULL | (__u64) * (__u32 *)(ip + 12) << 32;
		key.dst[1] = 0xffff0000ULL | (__u64) * (__u32 *)(ip + 16) << 32;
		l4 = ip + (ip[0] & 15) * 4;
	} else if (protocol == ETH_IPV6) {
		if (ip + 48 > (__u8 *)end)
			return;
		key.proto = ip[6];
		key.family = 6;
		__builtin_memcpy(key.src, ip + 8, 16);
		__builtin_memcpy(key.dst, ip + 24, 16);
		l4 = ip + 40;
		if (key.proto == NEXTHDR_HOP || key.proto == NEXTHDR_ROUTING || key.proto == NEXTHDR_FRAGMENT ||
		    key.proto == NEXTHDR_DEST) {
			if (key_behind_extensions(skb, l3, &key))
				return;
			goto lookup;
		}
		wanted = config.want_proto[key.proto];
		if (!wanted)
			return;
	} else {
		return;
	}
	if (wanted & WANT_ERRORS && !later && l4 + 8 <= (__u8 *)end && icmp_is_error(key.proto, l4[0]))
		quoted_from_outside(skb, l3);
	if (!(wanted & WANT_TASK))
		return;
	if (!later && (key.proto == PROTO_TCP || key.proto == PROTO_UDP || key.proto == PROTO_SCTP)) {
		if (l4 + 4 > (__u8 *)end)
			return;
		key.sport = (__u16)l4[0] << 8 | l4[1];
		key.dport = (__u16)l4[2] << 8 | l4[3];
		if (tunnels && key.proto == PROTO_UDP && is_vxlan_port(key.dport))
			return;
	}
lookup:
	if (config.want_vni)
		key.vni = device_vni(ctx_get(skb, ifindex));
	if (rules_lookup(&key, &want))
		colour_packet(skb, l3, &want);
}

/*
 * A packet with a coloured outer header, from another VFD. 0 if it turns out to be none.
 *
 * Receive offload behind us (VXLAN's GRO cells) would merge a coloured TCP packet into an uncoloured one, which hides
 * it: the coloured packets of a flow get a hash of their own, so they are merged among themselves only, in their order.
 */
__noinline int match_packet(struct __sk_buff *skb, __u32 l3, __u32 hop)
{
	struct packet p = {};
	struct sighting s = {.loc = VT_LOC_IN};
	struct head *h;

	pull_head(skb, l3);
	h = head_of_skb(skb, l3);
	if (!h || packet_parse(h, 1, &p) || !p.encap)
		return p.outer_later_frag; /* carries no headers; its first fragment speaks for it */
	s.hop = hop;
	place(skb, &s);
	if (ctx_get(skb, pkt_type) == PACKET_OTHERHOST)
		s.flags |= VT_REC_OTHERHOST;
	emit(&p, &s);
	seen_add(p.id, hop);
	colour_set(skb, hop);
	if (p.flow.proto == PROTO_TCP)
		bpf_set_hash(skb, (p.flow.sport << 16 | p.flow.dport) ^ *(__u32 *)(p.flow.src + 12) ^ 0x56547261);
	return 1;
}

/* The outer DSCP if it is one of ours, else 0. */
static __always_inline __u32 wire_hop(struct __sk_buff *skb, __u32 l3)
{
	void *data = (void *)(long)ctx_get(skb, data), *end = (void *)(long)ctx_get(skb, data_end);
	__u32 protocol = ctx_get(skb, protocol);
	__u8 *ip = data + l3, first[2], dscp;

	if (protocol != ETH_IPV4 && protocol != ETH_IPV6)
		return 0;
	if (ip + 2 <= (__u8 *)end) {
		first[0] = ip[0];
		first[1] = ip[1];
	} else if (bpf_skb_load_bytes(skb, l3, first, 2)) { /* not linear: sent from a packet socket's ring */
		return 0;
	}
	dscp = protocol == ETH_IPV4 ? first[1] >> 2 : (first[0] & 15) << 2 | first[1] >> 6;
	return VT_DSCP_IS_COLOUR(dscp) ? VT_DSCP_HOP(dscp) : 0;
}

static __always_inline int ingress(struct __sk_buff *skb, __u32 l3, bool tunnels)
{
	__u32 hop;

	/* What a wire would not carry: on one machine tc_index crosses from "host" to "host". */
	if (tci_coloured(ctx_get(skb, tc_index)))
		ctx_set(skb, tc_index, 0);
	if (tunnels) {
		hop = wire_hop(skb, l3);
		if (hop && match_packet(skb, l3, hop))
			return TC_ACT_UNSPEC;
	}
	if (config.n_masks)
		ingress_uncoloured(skb, l3, tunnels);
	return TC_ACT_UNSPEC;
}

__noinline int leave(struct __sk_buff *skb, __u32 l3, __u32 tunnels)
{
	struct packet p = {};
	struct sighting s = {.loc = VT_LOC_OUT};
	__u32 hop, tci = ctx_get(skb, tc_index);
	struct head *h = head_of_skb(skb, l3);

	if (!h || packet_parse(h, tunnels, &p)) {
		if (!p.outer_later_frag && tci_coloured(tci))
			__sync_fetch_and_add(&counters.unparsed, 1);
		return 0;
	}
	hop = colour_hop(tci, p.id);
	if (!hop || quoted_in_place(skb, h, &p, &s, hop))
		return 0;
	s.hop = hop;
	place(skb, &s);
	s.vni = device_vni(s.ifindex);
	if (!mark_coloured(ctx_get(skb, mark)))
		s.flags |= VT_REC_NO_MARK;
	if (p.encap) {
		wire_colour(skb, l3, h, hop < VT_HOP_MAX ? VT_COLOUR_DSCP(hop + 1) : 0);
		if (hop == VT_HOP_MAX)
			s.flags |= VT_REC_HOP_LIMIT;
	}
	emit(&p, &s);
	ctx_set(skb, tc_index, COLOUR_TCI_MAGIC | COLOUR_TCI_OUT | (tunnels ? 0 : COLOUR_TCI_HANDED) | hop);
	return 0;
}

static __always_inline int egress(struct __sk_buff *skb, __u32 l3, __u32 tunnels)
{
	if (tci_coloured(ctx_get(skb, tc_index)) || mark_coloured(ctx_get(skb, mark)))
		leave(skb, l3, tunnels);
	return TC_ACT_UNSPEC;
}

SEC("tc")
int ingress_tenant(struct __sk_buff *skb)
{
	return ingress(skb, ETH_LEN, false);
}

SEC("tc")
int egress_tenant(struct __sk_buff *skb)
{
	return egress(skb, ETH_LEN, false);
}

SEC("tc")
int ingress_outside(struct __sk_buff *skb)
{
	return ingress(skb, ETH_LEN, true);
}

SEC("tc")
int egress_outside(struct __sk_buff *skb)
{
	return egress(skb, ETH_LEN, true);
}

SEC("tc")
int ingress_l3(struct __sk_buff *skb)
{
	return ingress(skb, 0, true);
}

SEC("tc")
int egress_l3(struct __sk_buff *skb)
{
	return egress(skb, 0, true);
}

/* The device is about to send the mark to another host, as the packet's group: without our bits. tc_index stays. */
SEC("tc")
int egress_grouped(struct __sk_buff *skb)
{
	__u32 mark = ctx_get(skb, mark);

	if (tci_coloured(ctx_get(skb, tc_index)) && mark_coloured(mark))
		ctx_set(skb, mark, mark & ~config.mark_mask);
	return TC_ACT_UNSPEC;
}
