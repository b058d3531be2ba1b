// SPDX-License-Identifier: BSD-3-Clause
/*
 * The nftables trace of coloured packets: has our trace tables installed while someone's rules are there (nft_table.h),
 * reads the trace messages, follows each packet to its verdict, and keeps the verdicts that drop (verdicts.h).
 */
#ifndef VT_DATAPATH_LINUX_INSPECT_NFT_TRACE_H
#define VT_DATAPATH_LINUX_INSPECT_NFT_TRACE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "datapath/linux/inspect/verdicts.h"

struct nft_trace;

/* Subscribes and installs; from here on drops by rules are traced. Adds its descriptors to `epoll_fd`. */
int nft_trace_open(struct nft_trace **ret, uint32_t mark_mask, int epoll_fd, struct vt_err *err);

/* Removes our tables, closes; NULL is allowed. */
void nft_trace_close(struct nft_trace *trace);

/* Reads everything that has come, and lets our tables follow the ruleset. */
void nft_trace_read(struct nft_trace *trace, uint64_t now_ns);

/* Grows with every change of the ruleset that was read: texts of rules are right for one generation only. */
uint64_t nft_trace_generation(const struct nft_trace *trace);

/* True if the ruleset has changed and that was not read yet. */
bool nft_trace_changing(const struct nft_trace *trace);

struct verdicts *nft_trace_verdicts(struct nft_trace *trace);

/* True if a verdict can come at all: our tables are installed. */
bool nft_trace_active(const struct nft_trace *trace);

/* How often the kernel had to throw trace messages away because we read too late. */
uint64_t nft_trace_overruns(const struct nft_trace *trace);

/* Why following the ruleset failed last, empty if it did not. */
const char *nft_trace_problem(const struct nft_trace *trace);

#endif
