// SPDX-License-Identifier: (GPL-2.0-only OR BSD-3-Clause)
/*
 * The Linux VFD's data generation: colour at the first VFD, match and log on the way in, on the way out, and where the
 * kernel drops (paper, section 4). One packet's way through this file:
 *
 *   ingress_*   a packet enters by a leaf device. With a coloured outer header: matched, `in`, hop n. An uncoloured
 * tunnel packet is none of our business (its first VFD did not want it). Anything else is held against the tasks and,
 *               if wanted and within packet_count, coloured: `in`, hop 1.
 *   egress_*    a coloured packet leaves by a leaf device: `out`; a tunnel's outer header gets the colour of hop n + 1.
 *   on_kfree_skb, on_local_in   a coloured packet ends inside: dropped, or taken by the node's own stack.
 *
 * There is a pair of programs for each kind of device: `tenant` is the port of a network with a VNI (what it sends is
 * never our tunnel), `outside` is everything else; `l3` devices have no Ethernet header.
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

char LICENSE[] SEC("license") = "Dual BSD/GPL";

#define ETH_IPV4 bpf_htons(0x0800)
#define ETH_IPV6 bpf_htons(0x86dd)
#define ETH_LEN  14

/* Copies the packet's first bytes from its IP header at `l3`. NULL if it is shorter than an IP header. */
static __always_inline struct head *head_of_skb(struct __sk_buff *skb, __u32 l3)
{
	__u32 zero = 0, len = ctx_get(skb, len);
	struct head *h = bpf_map_lookup_elem(&heads, &zero);

	if (!h || len < l3 + 20)
		return NULL;
	len -= l3;
	if (len > HEAD_MAX)
		len = HEAD_MAX;
	asm volatile("" : "+r"(len)); /* keeps the bound in the register that the verifier looks at */
	if (len < 20 || len > HEAD_MAX)
		return NULL;
	if (bpf_skb_load_bytes(skb, l3, h->bytes, len))
		return NULL;
	h->len = len;
	return h;
}

/* Makes the headers linear, so that a tracepoint can read them where the packet is dropped. Content stays as it is. */
static __always_inline void pull_head(struct __sk_buff *skb, __u32 l3)
{
	__u32 len = ctx_get(skb, len), want = l3 + HEAD_MAX;

	bpf_skb_pull_data(skb, len < want ? len : want);
}

static __always_inline __u32 device_vni(__u32 ifindex)
{
	struct device *dev = bpf_map_lookup_elem(&devices, &ifindex);

	return dev ? dev->vni : 0;
}

static __always_inline void place(struct __sk_buff *skb, struct sighting *s)
{
	s->ifindex = ctx_get(skb, ifindex);
	s->segments = ctx_get(skb, gso_segs);
}

struct spending {
	struct packet *packet;
	struct sighting *sighting;
	const struct rule_slots *want;
	__u64 bits; /* of the present word that are still to be looked at */
	__u32 word;
	__u32 coloured;
};

/* Takes one packet from the budget of a slot. False if there is none left. */
static __always_inline bool slot_take(struct slot *slot)
{
	__u32 limit = *(volatile __u32 *)&slot->limit;

	return *(volatile __u64 *)&slot->used < limit && __sync_fetch_and_add(&slot->used, 1) < limit;
}

/* Position of the lowest bit. clang 14 does not come to an end over __builtin_ctzll() for BPF. */
__noinline __u32 lowest_bit(__u64 bits)
{
	__u32 at = 0;

	for (__u32 step = 32; step; step >>= 1) {
		__u64 low = (1ULL << step) - 1;

		if (!(bits & low)) {
			at += step;
			bits >>= step;
		}
	}
	return at;
}

/* Body of a bpf_loop(): the next slot that wants the packet; 1 ends the loop. */
static long spend_next(__u32 i, void *arg)
{
	struct spending *sp = arg;
	struct slot *slot;
	__u32 index;

	if (!sp->bits) {
		if (++sp->word >= RULE_SLOTS_MAX / 64)
			return 1;
		sp->bits = sp->want->bits[sp->word & (RULE_SLOTS_MAX / 64 - 1)];
		return 0;
	}
	index = sp->word * 64 + lowest_bit(sp->bits);
	sp->bits &= sp->bits - 1;
	slot = bpf_map_lookup_elem(&slots, &index);
	if (!slot || !slot_take(slot))
		return 0;
	sp->sighting->task = slot->task;
	sp->sighting->flags = VT_REC_COLOURED | (index & 1 ? VT_REC_REVERSE : 0);
	emit(sp->packet, sp->sighting);
	sp->coloured = 1;
	return 0;
}

/* A packet that some task wants: takes one from the budget of each, and colours it if there was any left. */
__noinline int colour_packet(struct __sk_buff *skb, __u32 l3, struct rule_slots *want)
{
	struct packet p = {};
	struct sighting s = {.loc = VT_LOC_IN, .hop = 1};
	struct spending sp = {.packet = &p, .sighting = &s, .want = want};
	struct head *h;
	__u32 hop = 1;

	if (!want)
		return 0;
	pull_head(skb, l3);
	h = head_of_skb(skb, l3);
	if (!h || packet_parse(h, 0, &p))
		return 0;
	place(skb, &s);
	s.vni = device_vni(s.ifindex);
	s.time_ns = bpf_ktime_get_ns();
	sp.bits = want->bits[0];
	bpf_loop(RULE_SLOTS_MAX + RULE_SLOTS_MAX / 64, spend_next, &sp, 0);
	if (!sp.coloured)
		return 0;
	bpf_map_update_elem(&seen, &p.id, &hop, BPF_ANY);
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
	__u8 *ip = data + l3, *l4;
	bool later = false; /* a later fragment has no ports */

	if (protocol == ETH_IPV4) {
		if (ip + 28 > (__u8 *)end || !config.want_proto[ip[9]])
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
		if (!config.want_proto[key.proto])
			return;
	} else {
		return;
	}
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
	emit(&p, &s);
	bpf_map_update_elem(&seen, &p.id, &hop, BPF_ANY);
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
	__u8 *ip = data + l3, dscp;

	if (ip + 2 > (__u8 *)end)
		return 0;
	if (protocol == ETH_IPV4)
		dscp = ip[1] >> 2;
	else if (protocol == ETH_IPV6)
		dscp = (ip[0] & 15) << 2 | ip[1] >> 6;
	else
		return 0;
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
	if (!hop)
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
	ctx_set(skb, tc_index, COLOUR_TCI_MAGIC | COLOUR_TCI_OUT | hop);
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

/* Copies a packet's first bytes from its network header, outside of tc. */
static __always_inline struct head *head_of_kernel_skb(struct sk_buff *skb, __u32 which)
{
	unsigned char *base = BPF_CORE_READ(skb, head);
	__u32 from = BPF_CORE_READ(skb, network_header), to = BPF_CORE_READ(skb, tail);
	struct head *h = bpf_map_lookup_elem(&heads, &which);
	__u32 len;

	if (!h || to < from + 20)
		return NULL;
	len = to - from;
	if (len > HEAD_MAX)
		len = HEAD_MAX;
	asm volatile("" : "+r"(len));
	if (len < 20 || len > HEAD_MAX)
		return NULL;
	if (bpf_probe_read_kernel(h->bytes, len, base + from))
		return NULL;
	h->len = len;
	return h;
}

static __always_inline __u16 kernel_skb_segments(struct sk_buff *skb)
{
	struct skb_shared_info *info = (void *)(BPF_CORE_READ(skb, head) + BPF_CORE_READ(skb, end));

	return BPF_CORE_READ(info, gso_segs);
}

/* A coloured packet ended inside the kernel, at `loc`. */
static __always_inline void end_inside(struct sk_buff *skb, struct sighting *s, __u32 which)
{
	__u32 tci = BPF_CORE_READ(skb, tc_index), mark = BPF_CORE_READ(skb, mark);
	unsigned long dst = BPF_CORE_READ(skb, _skb_refdst) & ~1UL;
	struct net_device *dev = BPF_CORE_READ(skb, dev);
	struct packet p = {};
	struct head *h;

	h = head_of_kernel_skb(skb, which);
	if (!h || packet_parse(h, 1, &p)) {
		if (!p.outer_later_frag && tci_coloured(tci))
			__sync_fetch_and_add(&counters.unparsed, 1);
		return;
	}
	s->hop = colour_hop(tci, p.id);
	if (!s->hop)
		return;
	if (s->loc == VT_LOC_OUT && p.encap)
		return; /* the tunnel's end point is not the tenant packet's */
	s->ifindex = BPF_CORE_READ(dev, ifindex);
	s->vni = device_vni(s->ifindex);
	s->segments = kernel_skb_segments(skb);
	if (tci_coloured(tci) && (tci & COLOUR_TCI_OUT))
		s->flags |= VT_REC_AFTER_OUT;
	if (p.encap)
		s->flags |= VT_REC_OUTER;
	if (!mark_coloured(mark))
		s->flags |= VT_REC_NO_MARK;
	if (dst && s->loc == VT_LOC_ERROR)
		s->dst_error = BPF_CORE_READ((struct dst_entry *)dst, error);
	emit(&p, s);
}

/* The kernel drops a packet. Machine-wide and hot: foreign packets leave after two loads and a compare. */
SEC("tp_btf/kfree_skb")
int BPF_PROG(on_kfree_skb, struct sk_buff *skb, void *location, int reason)
{
	struct sighting s = {.loc = VT_LOC_ERROR};
	struct net_device *dev;

	if (!tci_coloured(skb->tc_index) && !mark_coloured(skb->mark))
		return 0;
	dev = skb->dev;
	if (!dev || dev->nd_net.net->ns.inum != config.netns)
		return 0;
	s.site = (__u64)location;
	s.reason = reason;
	end_inside(skb, &s, 1);
	return 0;
}

/* The node's own stack takes a packet (netfilter LOCAL_IN, after every filter): an end of the path, and no loss. */
SEC("netfilter")
int on_local_in(struct bpf_nf_ctx *ctx)
{
	struct sk_buff *skb = ctx->skb;
	struct sighting s = {.loc = VT_LOC_OUT, .flags = VT_REC_LOCAL};

	if (tci_coloured(skb->tc_index) || mark_coloured(skb->mark))
		end_inside(skb, &s, 0);
	return 1; /* NF_ACCEPT */
}
