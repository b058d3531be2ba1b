// SPDX-License-Identifier: BSD-3-Clause
/*
 * Inspectors: they turn a witnessed drop (a raw reason at a kernel address) into a cause with evidence, on the spot and
 * for coloured packets only. One file per inspector; the order in which they are asked is the table in inspect.c. None
 * of them guesses: what no inspector is certain of ends as VT_CAUSE_UNEXPLAINED with reason and site.
 *
 * Works in the network namespace that the calling thread is in at inspect_open().
 */
#ifndef VT_DATAPATH_LINUX_INSPECT_INSPECT_H
#define VT_DATAPATH_LINUX_INSPECT_INSPECT_H

#include <stdint.h>

#include "base/err.h"
#include "core/log.h"
#include "datapath/datapath.h"
#include "datapath/linux/bpf/shared.h"

struct inspect;

/* mark: the skb->mark bits that coloured packets carry (mark & mark_mask == mark_mask). */
int inspect_open(struct inspect **ret, uint32_t mark_mask, struct vt_err *err);
void inspect_close(struct inspect *in);

/*
 * Coloured packets may come from now on: gets ready to watch nftables. The trace table (owned by our netlink socket, so
 * that the kernel removes it when we die) is installed only while this network namespace has a ruleset of someone
 * else's, because a rule that always runs would cost every packet; it follows the ruleset as tables come and go.
 */
int inspect_arm(struct inspect *in, struct vt_err *err);
void inspect_disarm(struct inspect *in); /* nothing of ours stays installed */

bool inspect_tc_filters(struct inspect *in); /* the namespace has, or may have, tc filters */

/* Tells the BPF programs what only the running kernel knows: numbers of reasons, addresses of code. */
void inspect_tell(const struct inspect *in, struct bpf_config *config);

/*
 * Takes an `error` record and its context (NULL: a drop inside, its frame unknown). What is no loss in truth, such as a
 * VM's kernel discarding a duplicate, is left out and nothing is handed over for it. log->rec and log->device (name of
 * rec.ifindex, may be empty) are set, the rest is filled here. The finished log goes to the sink from within
 * inspect_poll(), in the order of the drops, at the latest 50 ms after now_ns.
 */
void inspect_drop(struct inspect *in, const struct vt_log *log, const struct drop_context *context, uint64_t now_ns);

int inspect_fd(struct inspect *in); /* an epoll descriptor: readable when inspect_poll() has something to do */
int inspect_poll(struct inspect *in, datapath_sink sink, void *arg, uint64_t now_ns); /* number of logs handed over */
int inspect_busy(const struct inspect *in);      /* drops taken and not yet handed over */
uint64_t inspect_lost(const struct inspect *in); /* drops that found no place at all and are not handed over */

#endif
