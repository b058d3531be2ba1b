// SPDX-License-Identifier: BSD-3-Clause
/*
 * The layout of a batch on the wire, for wire_encode.c and wire_decode.c. All numbers are unsigned and little-endian.
 *
 *   header   magic "VTB1" | version u16 | kind u8 | node length u8 | boot u64 | number u64 | items u32 | body u32 |
 * node item     type u8 | 0 u8 | length u16 | `length` bytes
 *
 * `body` is the number of bytes behind the node's name: all items, to the last byte of the message. A decoder skips
 * types that it does not know; the length is what makes that possible.
 *
 *   ARMED, STARTED  task u32
 *   FAILED   task u32 | text string
 *   STOPPED  task u32 | coloured forward u64 | coloured reverse u64
 *   PROGRESS lost u64 | seq u64 | time u64      (in version 1: lost alone)
 *   NODE     datapath string | version string | devices u32 | addresses u8 | 16 bytes each
 *   RECORD   parts u16 | flags u16 | loc u8 | hop u8 | family u8 | proto u8 | packet_id u64 | time u64 | seq u64 |
 *            ifindex u32 | length u32 | segments u16 | sport u16 | dport u16 |
 *            src, dst (4 bytes each, 16 with FLOW6) | device string | then, as `parts` says and in this order:
 *            TASK   task u32
 *            VNI    vni u32
 *            TCP    sequence u32 | payload u32
 *            OUTER  outer_src, outer_dst (4 bytes each, 16 with OUTER6)
 *            RAW    reason u32 | dst_error i32 | site u64
 *            WORDS  cause code string | reason string | site string | evidence string
 *
 *   string   length u16 | bytes, no NUL among them
 *
 * A part is left out where all its members are 0. The cause travels as its code, since numbers are not the same in all
 * versions. A typical `in` or `out` record in a tunnel over IPv4 takes 76 bytes. What is behind the last member of an
 * item that a decoder knows is an error: a change of an item is a new version.
 */
#ifndef VT_CORE_WIRE_FORMAT_H
#define VT_CORE_WIRE_FORMAT_H

#define WIRE_MAGIC       "VTB1"
#define WIRE_VERSION     2
#define WIRE_HEADER_SIZE 32 /* up to the node's name */
#define WIRE_ITEM_HEADER 4

enum wire_part {
	WIRE_TASK = 1 << 0,
	WIRE_VNI = 1 << 1,
	WIRE_TCP = 1 << 2,
	WIRE_FLOW6 = 1 << 3,
	WIRE_OUTER = 1 << 4,
	WIRE_OUTER6 = 1 << 5,
	WIRE_RAW = 1 << 6,
	WIRE_WORDS = 1 << 7,
	WIRE_PARTS_ALL = (1 << 8) - 1,
};

#endif
