// SPDX-License-Identifier: BSD-3-Clause
/*
 * Drop verdicts that the nftables trace reported, waiting for the drop records they belong to.
 *
 * A trace and a drop record share no number. They are joined by what the trace shows of the packet (addresses,
 * protocol, ports, length, TCP sequence number) and by order: both come in the order of the drops, so of several equal
 * packets the oldest verdict that is not taken belongs to the oldest drop.
 */
#ifndef VT_DATAPATH_LINUX_INSPECT_VERDICTS_H
#define VT_DATAPATH_LINUX_INSPECT_VERDICTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/record.h"

#define VERDICTS_MAX 4096 /* more than a burst of coloured packets between two polls */
#define VERDICTS_AGE_NS                                                                               \
	100000000 /* of a verdict when its packet was dropped; older ones belong to no record of ours \
	           */

/* What a trace message shows of its packet. */
struct verdict_packet {
	struct vt_flow flow;
	uint32_t length;  /* from the IP header, bytes */
	uint32_t tcp_seq; /* TCP, else 0 */
	bool has_ports;   /* false for a later fragment: no transport header */
	bool has_proto;   /* false behind an IPv6 extension header */
};

struct verdict {
	uint64_t time_ns; /* when it was read, by the clock of records */
	struct verdict_packet packet;
	uint64_t handle;     /* of the rule, 0 for a default policy */
	uint64_t generation; /* of the ruleset, nft_trace_generation() */
	uint32_t iif, oif;   /* 0: none */
	uint8_t family;      /* NFPROTO_* of the table */
	bool taken;
	char *table, *chain; /* owned */
};

struct verdicts;

struct verdicts *verdicts_new(void); /* NULL: out of memory */
void verdicts_free(struct verdicts *verdicts);
void verdicts_clear(struct verdicts *verdicts);

/* Copies the names. The oldest verdict makes room for it. */
void verdicts_add(struct verdicts *verdicts, const struct verdict *verdict);

/*
 * The verdict for a drop record, which is then taken, or NULL. Both may lie here for long, where the agent had to wait
 * for a CPU: what counts is when the packet was dropped, not when we look. *ret_outer says that the trace showed the
 * encapsulated packet. Valid until the next call.
 */
const struct verdict *verdicts_take(struct verdicts *verdicts, const struct vt_record *rec, bool *ret_outer);

/* Reads IP and transport header as a trace message has them; false if they are not IP or too short. */
bool verdict_packet_parse(const uint8_t *net, size_t net_len, const uint8_t *transport, size_t transport_len,
                          struct verdict_packet *packet);

#endif
