// SPDX-License-Identifier: BSD-3-Clause
/*
 * Attaching BPF programs, one call a hook. A link is a file descriptor: the kernel detaches when it is closed, however
 * the process ends. Only the clsact fallback leaves a filter behind on a kill; unlink_clsact() removes such remains.
 */
#ifndef VT_DATAPATH_LINUX_LINKS_H
#define VT_DATAPATH_LINUX_LINKS_H

#include <stdbool.h>

#include "base/err.h"

enum link_direction { LINK_INGRESS = 0, LINK_EGRESS = 1 };

/*
 * tcx (kernel 6.6), in front of all other programs: one that accepts a packet ends the chain, and those behind it would
 * not see the packet leave. What others then drop is witnessed as a drop behind our `out`. Returns the link's
 * descriptor or -errno: -EINVAL where the kernel has no tcx, -ENODEV where the device is gone.
 */
int link_tcx(int prog_fd, int ifindex, enum link_direction direction);

/* clsact (older kernels): adds the qdisc if it is not there and our filter. 0 or -errno. The qdisc is never removed:
 * others may use it. */
int link_clsact(int prog_fd, int ifindex, enum link_direction direction);
void unlink_clsact(int ifindex, enum link_direction direction);

/* netfilter LOCAL_IN behind every filter (kernel 6.4), family NFPROTO_IPV4 or NFPROTO_IPV6. Descriptor or -errno. */
int link_local_in(int prog_fd, int family);

#endif
