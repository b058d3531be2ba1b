// SPDX-License-Identifier: (GPL-2.0-only OR BSD-3-Clause)
/*
 * Where packets end: the kernel's drop tracepoint, filters that keep packets, and the node's own stack. A drop is seen
 * at one of three places (enum drop_place): inside, of a coloured packet; before our ingress hook, of a packet that
 * tasks want or that comes coloured from another VFD; and in the network namespace of a container behind a port of
 * ours.
 */
#ifndef VT_BPF_ENDS_H
#define VT_BPF_ENDS_H

#include "datapath/linux/bpf/match.h"
#include "datapath/linux/bpf/skb.h"
#include "datapath/linux/bpf/spend.h"

#define MAC_UNSET    0xffff /* skb->mac_header where there is no link-layer header */
#define ARPHRD_ETHER 1

/* Copies a packet's first bytes from an offset in its buffer, outside of tc. */
static __always_inline struct head *head_of_kernel_skb(struct sk_buff *skb, __u32 from, __u32 which)
{
	unsigned char *base = BPF_CORE_READ(skb, head);
	__u32 to = BPF_CORE_READ(skb, tail);
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

static __always_inline void kernel_skb_macs(struct sk_buff *skb, struct sighting *s)
{
	__u32 at = BPF_CORE_READ(skb, mac_header);

	if (at != MAC_UNSET)
		bpf_probe_read_kernel(s->context.dst_mac, 12, BPF_CORE_READ(skb, head) + at); /* and src_mac */
}

/* A coloured packet ended inside the kernel, at `loc`. */
static __always_inline void end_inside(struct sk_buff *skb, struct sighting *s, __u32 which)
{
	__u32 tci = BPF_CORE_READ(skb, tc_index), mark = BPF_CORE_READ(skb, mark);
	unsigned long dst = BPF_CORE_READ(skb, _skb_refdst) & ~1UL;
	struct net_device *dev = BPF_CORE_READ(skb, dev);
	struct packet p = {};
	struct head *h;

	h = head_of_kernel_skb(skb, BPF_CORE_READ(skb, network_header), which);
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
	if (s->loc == VT_LOC_ERROR) {
		kernel_skb_macs(skb, s);
		if (dst)
			s->dst_error = BPF_CORE_READ((struct dst_entry *)dst, error);
	}
	emit(&p, s);
}

/* The port of ours that a container's veth device hangs on: its ifindex, 0 if it is none of ours. */
static __always_inline __u32 veth_port(struct net_device *dev)
{
	const char *kind = BPF_CORE_READ(dev, rtnl_link_ops, kind);
	struct net_device *peer = NULL;
	char text[5] = {};

	if (!kind || bpf_probe_read_kernel_str(text, sizeof(text), kind) != sizeof(text) || text[0] != 'v' ||
	    text[1] != 'e' || text[2] != 't' || text[3] != 'h')
		return 0;
	/* netdev_priv(): right behind the device; `peer` is the first member of struct veth_priv, in a module's BTF */
	bpf_probe_read_kernel(&peer, sizeof(peer),
	                      (char *)dev + ((bpf_core_type_size(struct net_device) + 31) & ~31ULL));
	if (!peer || BPF_CORE_READ(peer, nd_net.net, ns.inum) != config.netns)
		return 0;
	return BPF_CORE_READ(peer, ifindex);
}

/* A packet that we handed over to a VM is dropped in another namespace: our business if that is a container of ours. */
static __always_inline void end_in_vm(struct sk_buff *skb, struct net_device *dev, struct sighting *s)
{
	struct packet p = {};
	struct seen *known;
	struct head *h;

	s->ifindex = veth_port(dev);
	if (!s->ifindex)
		return;
	h = head_of_kernel_skb(skb, BPF_CORE_READ(skb, network_header), 1);
	if (!h || packet_parse(h, 0, &p))
		return; /* it counts as delivered */
	known = bpf_map_lookup_elem(&seen, &p.id);
	s->hop = skb->tc_index & COLOUR_TCI_HOP;
	if (!known || known->hop != s->hop)
		return;
	known->ended = 1;
	s->flags = VT_REC_AFTER_OUT;
	s->context.place = DROP_IN_VM;
	s->vni = device_vni(s->ifindex);
	s->segments = kernel_skb_segments(skb);
	emit(&p, s);
}

/* Does this code, with this reason, drop packets that our ingress hook has not seen yet? */
static __always_inline bool drops_before_us(__u64 location, __u32 reason)
{
	if (reason == config.reason_tc_ingress)
		return true;
	if (reason != config.reason_xdp && reason != config.reason_none)
		return false;
	for (int i = 0; i < XDP_CODE_MAX; i++)
		if (location - config.xdp_code[i].start < config.xdp_code[i].size)
			return true;
	return false;
}

static __always_inline bool is_leaf(struct net_device *dev)
{
	__u32 ifindex = BPF_CORE_READ(dev, ifindex);
	struct device *known = bpf_map_lookup_elem(&devices, &ifindex);

	return known && known->leaf;
}

/* Where the IP header of a packet is that was dropped in front of our hook: XDP may run before the kernel has set it.
 */
static __always_inline __u32 l3_before_us(struct sk_buff *skb, struct net_device *dev, __u32 reason)
{
	if (reason == config.reason_tc_ingress || BPF_CORE_READ(dev, type) != ARPHRD_ETHER)
		return BPF_CORE_READ(skb, network_header);
	return BPF_CORE_READ(skb, mac_header) + ETH_LEN;
}

/* An uncoloured packet dropped in front of our hook: entered and ended here, if it comes coloured or tasks want it. */
static __always_inline void end_before_us(struct sk_buff *skb, struct net_device *dev, struct sighting *s)
{
	struct rule_slots want = {};
	struct rule_key key = {};
	__u16 protocol = BPF_CORE_READ(skb, protocol);
	struct packet p = {};
	struct head *h;
	__u32 dscp;

	s->ifindex = BPF_CORE_READ(dev, ifindex);
	if (protocol != ETH_IPV4 && protocol != ETH_IPV6)
		return;
	h = head_of_kernel_skb(skb, l3_before_us(skb, dev, s->reason), 1);
	if (!h || packet_parse(h, 1, &p))
		return;
	s->loc = VT_LOC_IN;
	s->segments = kernel_skb_segments(skb);
	s->time_ns = bpf_ktime_get_ns();
	if (p.encap) {
		dscp = head_u8(h, 0) >> 4 == 4 ? head_u8(h, 1) >> 2 : (head_be16(h, 0) >> 6) & 63;
		if (!VT_DSCP_IS_COLOUR(dscp))
			return;
		s->hop = VT_DSCP_HOP(dscp);
		emit(&p, s);
		s->flags = VT_REC_OUTER;
	} else {
		s->hop = 1;
		s->vni = device_vni(s->ifindex);
		key_of_flow(&p.flow, &key);
		key.vni = s->vni;
		if (!rules_lookup(&key, &want) || !spend(&p, s, &want))
			return;
		s->flags = 0;
		s->task = 0;
	}
	s->loc = VT_LOC_ERROR;
	s->context.place = DROP_BEFORE;
	s->time_ns = 0;
	emit(&p, s);
}

/*
 * Is a drop by code in front of our hook one of a packet that the hook has not seen? XDP always runs first; a filter of
 * others may run behind us, then the packet has our colour. On one machine a colour can leak in from another "host",
 * and then says that the packet had left there.
 */
static __always_inline bool unseen_by_us(__u32 tci, bool coloured, __u32 reason)
{
	return reason != config.reason_tc_ingress || !coloured || (tci_coloured(tci) && (tci & COLOUR_TCI_OUT));
}

/* The kernel drops a packet. Machine-wide and hot: foreign packets leave after a few loads and compares. */
SEC("tp_btf/kfree_skb")
int BPF_PROG(on_kfree_skb, struct sk_buff *skb, void *location, int reason)
{
	struct sighting s = {.loc = VT_LOC_ERROR};
	struct net_device *dev;
	__u32 tci = skb->tc_index;
	bool coloured = tci_coloured(tci) || mark_coloured(skb->mark);
	bool before = drops_before_us((__u64)location, reason);

	if (!coloured && !before)
		return 0;
	dev = skb->dev;
	if (!dev)
		return 0;
	s.site = (__u64)location;
	s.reason = reason;
	if (dev->nd_net.net->ns.inum != config.netns) {
		if (tci_coloured(tci) && (tci & COLOUR_TCI_HANDED))
			end_in_vm(skb, dev, &s);
	} else if (before && unseen_by_us(tci, coloured, reason) && is_leaf(dev)) {
		end_before_us(skb, dev, &s);
	} else if (coloured) {
		end_inside(skb, &s, 1);
	}
	return 0;
}

/*
 * A filter's verdict at tc's hooks was "stolen", "queued" or "trap": the packet is consumed there, without a drop.
 * (What segmentation consumes goes on as its segments.) Attached only where there are filters; needs the kernel's
 * `location`.
 */
SEC("tp_btf/consume_skb")
int BPF_PROG(on_consume_skb, struct sk_buff *skb, void *location)
{
	struct sighting s = {.loc = VT_LOC_ERROR, .site = (__u64)location};
	bool at_tc = false;

	if (!tci_coloured(skb->tc_index) && !mark_coloured(skb->mark))
		return 0;
	for (int i = 0; i < TC_CODE_MAX; i++)
		at_tc |= (__u64)location - config.tc_code[i].start < config.tc_code[i].size;
	if (!at_tc || !skb->dev || skb->dev->nd_net.net->ns.inum != config.netns || kernel_skb_segments(skb) > 1)
		return 0;
	s.context.place = DROP_TAKEN;
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

#endif
