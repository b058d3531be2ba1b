// SPDX-License-Identifier: BSD-3-Clause
/*
 * The Linux kernel as a VFD: tc programs on every leaf device of the network namespace the agent runs in, the kfree_skb
 * tracepoint, inspectors (design, section 7). Needs root (CAP_BPF, CAP_NET_ADMIN, CAP_PERFMON, and CAP_SYSLOG for
 * symbols), BTF, kernel 5.17.
 */
#ifndef VT_DATAPATH_LINUX_LINUX_H
#define VT_DATAPATH_LINUX_LINUX_H

#include "datapath/datapath.h"

/* config->arg: NULL, or "clsact" to use clsact where tcx is there too. */
extern const struct datapath_driver datapath_linux_driver;

#endif
