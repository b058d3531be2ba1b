// SPDX-License-Identifier: BSD-3-Clause
/*
 * The record: one coloured packet seen at one point of one VFD (paper, section 4 and Table 2).
 *
 * This is the one header that BPF programs and user space share, so it uses fixed-width types, explicit padding, and
 * static asserts on size and offsets. All numbers are in host byte order except addresses, which are as on the wire.
 * The format on the network between agent and server is another one: core/wire.h.
 */
#ifndef VT_CORE_RECORD_H
#define VT_CORE_RECORD_H

#ifndef __VMLINUX_H__
#include <linux/types.h>
#include <stddef.h>
#endif

#define VT_RECORD_VERSION 1
#define VT_HOP_MAX        15 /* four bits of the outer DSCP carry the hop */

/*
 * The colour on the wire: the outer header's DSCP from pool 2 "xxxx11", which RFC 2474 section 6 leaves for local use.
 * Hop n = 1..15 is code point (n << 2) | 3.
 */
#define VT_COLOUR_DSCP(hop)     ((__u8)(((hop) << 2) | 3))
#define VT_DSCP_IS_COLOUR(dscp) (((dscp)&3) == 3 && (dscp) > 3)
#define VT_DSCP_HOP(dscp)       ((__u8)((dscp) >> 2))

enum vt_loc {
	VT_LOC_IN = 1,    /* entered the VFD */
	VT_LOC_OUT = 2,   /* left the VFD */
	VT_LOC_ERROR = 3, /* was dropped in the VFD */
};

enum vt_record_flag {
	VT_REC_COLOURED = 1 << 0, /* `in`: this VFD coloured the packet here, for rec.task; hop is 1 */
	VT_REC_REVERSE = 1 << 1,  /* with COLOURED: the reverse direction of a bidirectional task */
	VT_REC_ENCAP = 1 << 2,    /* seen encapsulated: outer_src, outer_dst, vni are from the wire */
	VT_REC_AFTER_OUT =
	    1 << 3,              /* `error`: the packet had already been logged `out` (dropped by a qdisc or driver) */
	VT_REC_OUTER = 1 << 4,   /* `error`: what was dropped is the encapsulated packet, not the tenant's */
	VT_REC_LOCAL = 1 << 5,   /* `out`: taken by the node's own network stack, an end of the path */
	VT_REC_FRAG = 1 << 6,    /* fragment of a tenant packet */
	VT_REC_NO_MARK = 1 << 7, /* someone erased the colour's skb->mark; the second carrier was used */
	VT_REC_HOP_LIMIT = 1 << 8,  /* `out`: hop 15, the colour was not passed on */
	VT_REC_LATER_FRAG = 1 << 9, /* not the first fragment: it has no ports, and may vanish by reassembly */
	VT_REC_OTHERHOST = 1 << 10, /* `in`: in a frame for another host; the underlay may have flooded it */
};

/*
 * A five-tuple. IPv4 addresses are IPv4-mapped IPv6 (::ffff:a.b.c.d). For ICMP and ICMPv6 sport is the echo id (0 where
 * there is none) and dport is type << 8 | code. For protocols without ports both are 0.
 */
struct vt_flow {
	__u8 src[16];
	__u8 dst[16];
	__u16 sport;
	__u16 dport;
	__u8 proto;  /* IP protocol number */
	__u8 family; /* 4 or 6 */
	__u8 pad[2]; /* 0 */
};

struct vt_record {
	__u16 version;   /* VT_RECORD_VERSION */
	__u8 loc;        /* enum vt_loc */
	__u8 hop;        /* 1..15 */
	__u32 task;      /* task id with COLOURED, else 0: later VFDs cannot know it */
	__u64 packet_id; /* core/packet_id.h */
	__u64 time_ns;   /* CLOCK_MONOTONIC of the node */
	__u64 seq;       /* number of this record since the node's boot id began; set by the agent, gaps are losses */
	__u64 site;      /* `error`: address of the code that dropped it; 0 in user space once it has a name */
	__u32 vni;       /* 0: none or unknown */
	__u32 ifindex;   /* device the packet was seen at */
	__u32 length;    /* tenant packet from its IP header, bytes */
	__u32 tcp_seq;   /* TCP: sequence number of the first payload byte, else 0 */
	__u32 payload;   /* TCP: payload bytes (of all segments), else 0 */
	__u32 reason;    /* `error`: raw reason number of the VFD */
	__s32 dst_error; /* `error`: error of the route the packet had, 0 or positive errno */
	__u16 segments;  /* 1, or how many a GSO packet stands for */
	__u16 flags;     /* enum vt_record_flag */
	struct vt_flow flow; /* five-tuple of the tenant packet as seen here */
	__u8 outer_src[16];  /* with ENCAP or OUTER: the tunnel's end points */
	__u8 outer_dst[16];
};

#define VT_ASSERT_OFFSET(member, at) \
	_Static_assert(__builtin_offsetof(struct vt_record, member) == (at), "struct vt_record: " #member " moved")
_Static_assert(sizeof(struct vt_flow) == 40, "struct vt_flow has padding");
_Static_assert(sizeof(struct vt_record) == 144, "struct vt_record has padding");
VT_ASSERT_OFFSET(packet_id, 8);
VT_ASSERT_OFFSET(vni, 40);
VT_ASSERT_OFFSET(flow, 72);
VT_ASSERT_OFFSET(outer_src, 112);
#undef VT_ASSERT_OFFSET

#endif
