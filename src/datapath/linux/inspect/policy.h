// SPDX-License-Identifier: BSD-3-Clause
/* From a drop verdict of the nftables trace to a cause: which rule, or whose default policy. */
#ifndef VT_DATAPATH_LINUX_INSPECT_POLICY_H
#define VT_DATAPATH_LINUX_INSPECT_POLICY_H

#include "datapath/linux/inspect/drop.h"
#include "datapath/linux/inspect/nft_rule.h"
#include "datapath/linux/inspect/nft_trace.h"

/*
 * 1 and a finding if the trace has the verdict for this drop, which is taken with that; 0 if it has none (yet). Call
 * nft_trace_read() before, so that what has come is known.
 */
int policy_inspect(struct rtnl *rt, struct nft_trace *trace, struct nft_rules *rules, const struct drop *drop,
                   struct finding *finding);

#endif
