// SPDX-License-Identifier: BSD-3-Clause
/*
 * Filter and task: which packets, how many at most, how long (paper section 3.1, addVTrace's arguments).
 */
#ifndef VT_CORE_TASK_H
#define VT_CORE_TASK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "core/record.h"

#define VT_FILTER_MAX      512 /* bytes of a filter's text with its NUL; the longest normal form is under 200 */
#define VT_COUNT_DEFAULT   100
#define VT_COUNT_MAX       100000
#define VT_TIME_DEFAULT_MS 10000
#define VT_TIME_MAX_MS     3600000
#define VT_VNI_MAX         0xffffff /* RFC 7348: 24 bits */

enum vt_filter_field {
	VT_FILTER_PROTO = 1 << 0,
	VT_FILTER_SRC = 1 << 1,
	VT_FILTER_DST = 1 << 2,
	VT_FILTER_SPORT = 1 << 3,
	VT_FILTER_DPORT = 1 << 4,
	VT_FILTER_VNI = 1 << 5,
};

struct vt_filter {
	uint32_t fields; /* enum vt_filter_field: which members below are set, the others are 0 */
	uint8_t family;  /* 4, 6, or 0 for both */
	uint8_t proto;
	uint8_t src_len; /* prefix length in bits of the 16-byte (IPv4-mapped) address: 96..128 for IPv4 */
	uint8_t dst_len;
	uint8_t src[16]; /* host bits are 0 */
	uint8_t dst[16];
	uint16_t sport;
	uint16_t dport;
	uint32_t vni;
};

struct vt_task {
	uint32_t id; /* > 0 */
	struct vt_filter filter;
	bool bidirectional;
	uint32_t packet_count;  /* per direction, 1..VT_COUNT_MAX */
	uint32_t trace_time_ms; /* 1..VT_TIME_MAX_MS */
};

/*
 * Parses the filter language of the contract (a subset of pcap-filter: primitives joined by `and`). On failure `err`
 * names the word and its position (1-based column). An empty or blank text is an error: it would match everything.
 */
int vt_filter_parse(const char *text, struct vt_filter *filter, struct vt_err *err);

/* Writes the one normal form; parsing it gives the same filter back. `buf` has VT_FILTER_MAX bytes. */
void vt_filter_format(const struct vt_filter *filter, char *buf);

/* The filter of the reverse flow: addresses and ports exchanged. ICMP has no ports and stays as it is. */
void vt_filter_reverse(const struct vt_filter *filter, struct vt_filter *reverse);

/*
 * What a filter means; every datapath's fast path must agree with it. As with tcpdump, a filter with ports and without
 * a protocol matches tcp, udp and sctp only: what vt_flow keeps as ports of an ICMP packet are not.
 */
bool vt_filter_match(const struct vt_filter *filter, const struct vt_flow *flow, uint32_t vni);

/* Checks count and time against the limits above; `err` names the option and its range. */
int vt_task_check(const struct vt_task *task, struct vt_err *err);

/* "10.0.0.1:4000 > 10.0.0.2:53 udp", "[2001:db8::1]:4000 > [2001:db8::2]:53 tcp", "10.0.0.1 > 10.0.0.2 icmp 8/0 id 7".
 */
#define VT_FLOW_TEXT_MAX 160
void vt_flow_format(const struct vt_flow *flow, char buf[VT_FLOW_TEXT_MAX]);
int vt_flow_parse(const char *text, struct vt_flow *flow);           /* reads what vt_flow_format() writes; -EINVAL */
void vt_addr_format(const uint8_t addr[16], char *buf, size_t size); /* INET6_ADDRSTRLEN is enough */
int vt_addr_parse(const char *text, uint8_t addr[16]);               /* IPv4 (mapped) or IPv6; -EINVAL */
bool vt_addr_is_ipv4(const uint8_t addr[16]);                        /* IPv4-mapped */
bool vt_proto_has_ports(uint8_t proto);                              /* tcp, udp, sctp */
const char *vt_proto_name(uint8_t proto);                            /* "udp", or NULL where it has no name here */

#endif
