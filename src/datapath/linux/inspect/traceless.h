// SPDX-License-Identifier: BSD-3-Clause
/*
 * Netfilter drops that leave no nftables trace: by a full connection tracking table, by a rule of iptables-legacy, or
 * by a BPF program at one of its hooks. None says which packet it dropped; what tells is whose counter has moved since
 * it was last looked at, and programs, which have none, are left where none has. Asked only where the trace has no
 * verdict for a packet that netfilter dropped.
 */
#ifndef VT_DATAPATH_LINUX_INSPECT_TRACELESS_H
#define VT_DATAPATH_LINUX_INSPECT_TRACELESS_H

#include "datapath/linux/inspect/drop.h"

struct traceless;

struct traceless *traceless_new(void); /* NULL: out of memory */
void traceless_free(struct traceless *t);

/* Coloured packets may come from now on: notes where the counters are. */
void traceless_arm(struct traceless *t);

/* 1 and a finding if it is certain who dropped the packet; else 0, and words in finding->evidence, which may be none.
 */
int traceless_inspect(struct traceless *t, struct rtnl *rt, const struct drop *drop, uint64_t now_ns,
                      struct finding *finding);

#endif
