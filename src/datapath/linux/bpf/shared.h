// SPDX-License-Identifier: (GPL-2.0-only OR BSD-3-Clause)
/*
 * What the BPF programs and their loader share: the colour inside a host, the tuple space that tasks are looked up in,
 * and the configuration in mmaped memory. (core/record.h is what comes out.)
 */
#ifndef VT_LINUX_SHARED_H
#define VT_LINUX_SHARED_H

#include "core/record.h"

/*
 * Inside a host the colour is carried twice, because rules of others may overwrite either: skb->tc_index holds all of
 * it; one or more bits of skb->mark say "coloured" (nftables can see those). tc_index = magic | HANDED | OUT | hop.
 */
#define COLOUR_TCI_MAGIC 0xa540
#define COLOUR_TCI_MASK  0xffc0
#define COLOUR_TCI_HANDED \
	0x0020                /* with OUT: it left to a VM. In a container's namespace the kernel may still drop it. */
#define COLOUR_TCI_OUT 0x0010 /* the packet has been logged `out`; what drops it now is a queue or a driver */
#define COLOUR_TCI_HOP 0x000f

/*
 * Free of what is commonly taken: kube-proxy 0x4000 and 0x8000, Cilium 0x0f00 and the upper half, Calico the upper
 * half, Weave 0x60000, Tailscale 0xff0000, Istio 0x539, AWS VPC CNI 0x80.
 */
#define COLOUR_MARK_DEFAULT 0x2000

/*
 * Tuple space (Srinivasan et al., SIGCOMM 1999): one hash table, and a list of the masks in use. A packet costs one
 * look-up a mask, however many tasks share it.
 */
#define RULE_MASKS_MAX 64   /* different filter shapes at once; bounds what an unmatched packet can cost */
#define RULE_SLOTS_MAX 512  /* 256 tasks, two directions each: slot = 2 * task's place + reverse */
#define RULE_KEYS_MAX  4096 /* a task has at most 2 keys; more come from translated flows */

struct rule_key {
	__u64 src[2];
	__u64 dst[2];
	__u16 sport;
	__u16 dport;
	__u32 vni;
	__u8 proto;
	__u8 family;
	__u8 mask; /* index into masks: equal values under different masks are different keys */
	__u8 pad[5];
};

struct rule_slots {
	__u64 bits[RULE_SLOTS_MAX / 64]; /* tasks' slots that want this key */
};

/* Colouring budget of one direction of a task. Coloured so far: min(used, packet_count). */
struct slot {
	__u64 used;
	__u32 limit; /* packet_count from start to stop, else 0 */
	__u32 task;
};

struct device {
	__u32 vni;  /* of the network that the port is in, 0: none or unknown */
	__u32 leaf; /* 1: our hooks are there */
};

/* Where a drop was seen, from our hooks' point of view. */
enum drop_place {
	DROP_INSIDE = 0, /* between our hooks, or behind `out` in a queue of ours */
	DROP_BEFORE,     /* in front of our ingress hook: an XDP program, a tc filter that runs before us */
	DROP_IN_VM,      /* in the network namespace of the container behind a veth port of ours */
	DROP_TOLD,       /* an ICMP error that quotes the packet tells of it */
	DROP_TAKEN,      /* no drop: a tc filter or its action kept the packet */
};

/* What only the inspectors want to know of a dropped packet. */
struct drop_context {
	__u8 dst_mac[6]; /* of the frame as it was when dropped; zeroes where there is none */
	__u8 src_mac[6];
	__u8 place;     /* enum drop_place */
	__u8 icmp_type; /* with DROP_TOLD; ICMP or ICMPv6 by the family of the record's flow */
	__u8 icmp_code;
	__u8 pad;
	__u32 mtu; /* with DROP_TOLD: that the ICMP error asks for, 0: none */
	__u32 pad2;
};

/* What the ring holds for `error`; for `in` and `out` it holds the record alone. */
struct drop_event {
	struct vt_record rec;
	struct drop_context context;
};
_Static_assert(sizeof(struct drop_context) == 24, "struct drop_context has padding");

/* Code that frees packets in front of our ingress hook: a function's first address and its size. */
struct code_range {
	__u64 start;
	__u64 size;
};
#define XDP_CODE_MAX 8 /* functions that free what an XDP program dropped; the kernel has four */
#define TC_CODE_MAX  2 /* functions that run tc's hooks, and consume what a filter took */

enum want { WANT_TASK = 1, WANT_ERRORS = 2 }; /* of a protocol: some task may want it; ICMP errors are looked into */

struct bpf_config {
	__u32 netns; /* inode number of the host's network namespace */
	__u32 mark_mask;
	__u32 n_masks;       /* 0: nothing to colour */
	__u32 want_vni;      /* some mask looks at the VNI */
	__u32 reader_asleep; /* user space waits for a wakeup, not for its timer */
	__u32 reason_xdp;    /* numbers of drop reasons in this kernel, 0: it has no such reason */
	__u32 reason_tc_ingress;
	__u32 reason_none; /* NOT_SPECIFIED */
	struct code_range xdp_code[XDP_CODE_MAX];
	struct code_range tc_code[TC_CODE_MAX];
	struct rule_key masks[RULE_MASKS_MAX];
	__u8 want_proto[256];        /* enum want, by IP protocol */
	__u8 vxlan_ports[65536 / 8]; /* bitmap by UDP port, host order */
};

struct bpf_counters {
	__u64 lost_ring; /* records that found the ring full */
	__u64 unparsed;  /* coloured packets whose headers could not be read, so no record could be made */
};

_Static_assert(sizeof(struct rule_key) == 48, "struct rule_key has padding");
_Static_assert(sizeof(struct slot) == 16, "struct slot has padding");

#endif
