// SPDX-License-Identifier: (GPL-2.0-only OR BSD-3-Clause)
/* The colour: its two carriers inside the host, and the outer header's DSCP on the wire. */
#ifndef VT_BPF_COLOUR_H
#define VT_BPF_COLOUR_H

#include "datapath/linux/bpf/packet.h"

#define TC_ACT_UNSPEC (-1) /* lets later programs and filters run */

/*
 * clang 14 narrows or merges accesses to context members, which the verifier refuses ("dereference of modified ctx
 * ptr"): read and write each once, through a volatile pointer.
 */
#define ctx_get(ctx, member) (*(volatile __u32 *)&(ctx)->member)
#define ctx_set(ctx, member, value)                          \
	do {                                                 \
		*(volatile __u32 *)&(ctx)->member = (value); \
		asm volatile("" ::: "memory");               \
	} while (0)

static __always_inline bool tci_coloured(__u32 tci)
{
	return (tci & COLOUR_TCI_MASK) == COLOUR_TCI_MAGIC;
}

static __always_inline bool mark_coloured(__u32 mark)
{
	return (mark & config.mark_mask) == config.mark_mask;
}

/* Inside the host: puts the colour on, for a packet at hop `hop`. */
static __always_inline void colour_set(struct __sk_buff *skb, __u32 hop)
{
	__u32 mark = ctx_get(skb, mark);

	ctx_set(skb, mark, mark | config.mark_mask);
	ctx_set(skb, tc_index, COLOUR_TCI_MAGIC | hop);
}

/*
 * The hop that a packet's tc_index says, or, where someone overwrote that and only the mark is left, what `seen` knows
 * of the packet; 0 if it is not ours.
 */
static __always_inline __u32 colour_hop(__u32 tci, __u64 id)
{
	struct seen *known;

	if (tci_coloured(tci))
		return tci & COLOUR_TCI_HOP;
	known = bpf_map_lookup_elem(&seen, &id);
	return known ? known->hop : 0;
}

/* Remembers a packet that was coloured or matched here. */
static __always_inline void seen_add(__u64 id, __u32 hop)
{
	struct seen known = {.hop = hop};

	bpf_map_update_elem(&seen, &id, &known, BPF_ANY);
}

/* Sets the outer DSCP, keeping ECN and the IPv4 header checksum right. `l3` is the offset of the IP header. */
static __always_inline void wire_colour(struct __sk_buff *skb, __u32 l3, const struct head *h, __u8 dscp)
{
	__u8 first = head_u8(h, 0);

	if (first >> 4 == 4) {
		__u8 tos = (dscp << 2) | (head_u8(h, 1) & 3);
		__u16 from = bpf_htons(head_be16(h, 0)), to = bpf_htons(((__u16)first << 8) | tos);

		bpf_l3_csum_replace(skb, l3 + 10, from, to, 2);
		bpf_skb_store_bytes(skb, l3 + 1, &tos, 1, 0);
	} else {
		__u8 class = (dscp << 2) | ((head_u8(h, 1) >> 4) & 3);
		__u8 bytes[2] = {0x60 | (class >> 4), (class << 4) | (head_u8(h, 1) & 15)};

		bpf_skb_store_bytes(skb, l3, bytes, 2, 0);
	}
}

#endif
