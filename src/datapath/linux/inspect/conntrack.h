// SPDX-License-Identifier: BSD-3-Clause
/* The connection tracking table of this network namespace, by netlink (ctnetlink). */
#ifndef VT_DATAPATH_LINUX_INSPECT_CONNTRACK_H
#define VT_DATAPATH_LINUX_INSPECT_CONNTRACK_H

#include <stdint.h>

struct conntrack_state {
	uint32_t count, max; /* connections in the table, and its limit */
	uint64_t drops;      /* packets dropped because the table was full, over all CPUs, since the namespace began */
	uint64_t failures;   /* connections that could not be put into it, whose packets are dropped as well */
};

/* 0, or -errno where the kernel tracks no connections or does not tell. */
int conntrack_read(struct conntrack_state *ret);

#endif
