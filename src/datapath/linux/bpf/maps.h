// SPDX-License-Identifier: (GPL-2.0-only OR BSD-3-Clause)
/* The maps, and memory shared with the loader. */
#ifndef VT_BPF_MAPS_H
#define VT_BPF_MAPS_H

#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include "datapath/linux/bpf/shared.h"

#define RING_BYTES (8 * 1024 * 1024) /* 55 000 records: 100 ms of 500 000 records a second */
#define HEAD_MAX   256               /* outer IPv6 + UDP + VXLAN + Ethernet + inner IPv6 + TCP with options: 214 */
#define HEAD_MASK  (HEAD_MAX - 1)

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, RING_BYTES);
} records SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, RULE_KEYS_MAX);
	__type(key, struct rule_key);
	__type(value, struct rule_slots);
} rules SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, RULE_SLOTS_MAX);
	__type(key, __u32);
	__type(value, struct slot);
} slots SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384); /* devices of one host */
	__type(key, __u32);
	__type(value, struct device);
} devices SEC(".maps");

/*
 * Packets coloured or matched here, by packet_id: tells our colour from a foreign use of the mark bits, and a traced
 * packet that an ICMP error quotes from any other.
 */
struct seen {
	__u32 hop;
	__u32 ended; /* its drop behind our hooks was seen: what an ICMP error says of it is known already */
};
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 65536); /* coloured packets inside one host at a time */
	__type(key, __u64);
	__type(value, struct seen);
} seen SEC(".maps");

/* A packet's headers, copied once, so that tc programs and tracepoints share one parser. */
struct head {
	__u8 bytes[2 * HEAD_MAX]; /* reads are masked to HEAD_MAX and may reach past it by a header */
	__u32 len;                /* bytes copied */
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 2); /* 0: softirq and task context, 1: tracepoint that may interrupt it */
	__type(key, __u32);
	__type(value, struct head);
} heads SEC(".maps");

struct bpf_config config;
struct bpf_counters counters;

#endif
