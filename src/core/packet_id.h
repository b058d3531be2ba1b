// SPDX-License-Identifier: BSD-3-Clause
/*
 * packet_id: identity of a packet that survives every hop, encapsulation and NAT (paper section 4.2).
 *
 * It is a 64-bit hash of the 48 bytes in struct vt_id_input, which no VFD changes. Shared by BPF and user space: both
 * fill the input from the packet and call vt_packet_id(). Unused members are 0.
 *
 * "Behind the header" below is behind the 8 bytes of UDP and ICMP, behind the 12 bytes of SCTP's common header (NAT
 * rewrites its ports and so its checksum), and behind the IP header for a protocol without a name here. IPv6
 * hop-by-hop, routing, destination and fragment headers, at most VT_ID_EXT_HEADERS of them, are passed over. A later
 * fragment has no such header: it has its offset and its first bytes, and its flow has no ports.
 */
#ifndef VT_CORE_PACKET_ID_H
#define VT_CORE_PACKET_ID_H

#include "core/record.h"

#define VT_ID_PAYLOAD     32
#define VT_ID_EXT_HEADERS 4 /* a packet has one or two of them; bounds the walk in BPF */

struct vt_id_input {
	__u8 proto;
	__u8 tcp_flags; /* TCP: SYN and RST bits only; receive offload changes PSH and FIN */
	__u16 ip_id;    /* IPv4 identification, network order; 0 for IPv6 */
	__u16
	    length; /* UDP: its header's length; a later fragment: its offset / 8; others: 0, as VFDs may reassemble */
	__u16 icmp_seq; /* ICMP echo: sequence, network order */
	union {
		__u8 payload[VT_ID_PAYLOAD]; /* UDP, ICMP, others: first bytes behind the header, then 0 */
		__u64 words[VT_ID_PAYLOAD / 8];
		__u32 tcp[4]; /* TCP, network order: seq, ack, timestamp value, timestamp echo */
	};
	__u64 pad;
};
_Static_assert(sizeof(struct vt_id_input) == 48, "struct vt_id_input has padding");

/* Never 0. The mixing is the 64-bit finaliser of MurmurHash3 over the six words, chained. */
static inline __attribute__((always_inline)) __u64 vt_packet_id(const struct vt_id_input *input)
{
	__u64 word[6], h = 0x9e3779b97f4a7c15ULL;

	__builtin_memcpy(word, input, sizeof(word)); /* not a cast: the compiler may assume that types do not alias */

#ifdef __clang__
#pragma unroll
#endif
	for (int i = 0; i < 6; i++) {
		h ^= word[i];
		h *= 0xff51afd7ed558ccdULL;
		h ^= h >> 33;
		h *= 0xc4ceb9fe1a85ec53ULL;
		h ^= h >> 29;
	}
	return h ? h : 1;
}

#ifndef __VMLINUX_H__
/*
 * The same in user space, for a packet from its IP header on: its flow and its id. -EBADMSG if it is not IP or is cut
 * short before its transport header. The BPF programs must come to the same flow and id.
 */
int vt_packet_id_of(const __u8 *ip, size_t len, struct vt_flow *flow, __u64 *ret_id);
#endif

#endif
