// SPDX-License-Identifier: (GPL-2.0-only OR BSD-3-Clause)
/* The frame that the forwarding benchmark sends, shared by its generator and its BPF programs. Little-endian machines.
 */
#ifndef VT_BENCH_PATH_H
#define VT_BENCH_PATH_H

#ifndef __VMLINUX_H__
#include <linux/types.h>
#endif

#define PATH_FLOWS      10 /* one a task, where there are ten tasks */
#define PATH_PORT_FIRST 5000
#define PATH_PORT(i)    ((__u16)(((PATH_PORT_FIRST + (i)) & 0xff) << 8 | (PATH_PORT_FIRST + (i)) >> 8))
#define PATH_IPV4       0x0008 /* 0x0800 as it is on the wire */
#define PATH_MAGIC      0x48435645544e4542ULL

/* UDP over IPv4 over Ethernet, without UDP checksum, 92 bytes of payload: what a small request has. */
struct path_frame {
	__u8 dst[6];
	__u8 src[6];
	__u16 ethertype;
	__u8 ip[20];
	__u16 sport;
	__u16 dport;
	__u16 length;
	__u16 checksum;
	__u64 number;
	__u64 magic;
	__u8 rest[76];
} __attribute__((packed));

#endif
