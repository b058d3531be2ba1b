// SPDX-License-Identifier: (GPL-2.0-only OR BSD-3-Clause)
/* What a tc program reads of the packet in its hands, before anything is parsed. */
#ifndef VT_BPF_SKB_H
#define VT_BPF_SKB_H

#include "datapath/linux/bpf/colour.h"
#include "datapath/linux/bpf/emit.h"

#define PACKET_OTHERHOST 3 /* pkt_type: the frame is for another MAC address, see packet(7) */
#define ETH_IPV4         bpf_htons(0x0800)
#define ETH_IPV6         bpf_htons(0x86dd)
#define ETH_LEN          14

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

#endif
