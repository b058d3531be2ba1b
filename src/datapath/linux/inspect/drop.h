// SPDX-License-Identifier: BSD-3-Clause
/*
 * What an inspector is given (struct drop) and what it may answer (struct finding).
 *
 * An inspector returns 1 only when it is certain: then `cause` is set, `evidence` is one line of fact, and `device` is
 * set if the cause is about another device than the one the packet was seen at; or `no_loss` is set and nothing else.
 * It returns 0 when it cannot be certain; it may then leave words in `evidence` that say what is known. The same fault
 * must give the same words for every packet (no counters, no lengths, no times), so that a verdict can sum packets up.
 */
#ifndef VT_DATAPATH_LINUX_INSPECT_DROP_H
#define VT_DATAPATH_LINUX_INSPECT_DROP_H

#include <netinet/in.h>
#include <stdbool.h>

#include "core/log.h"
#include "datapath/linux/bpf/shared.h"
#include "datapath/linux/inspect/fib.h"
#include "datapath/linux/inspect/rtnl.h"

#define DROP_FUNCTION_MAX 64 /* the longest function that frees skbs has 40 characters */

#define MAC_FORMAT  "%02x:%02x:%02x:%02x:%02x:%02x"
#define MAC_ARGS(m) (m)[0], (m)[1], (m)[2], (m)[3], (m)[4], (m)[5]

struct queues;

struct drop {
	const struct vt_record *rec;
	const struct drop_context *context;
	const char *device;    /* name of rec->ifindex, may be empty */
	const char *reason;    /* without SKB_DROP_REASON_ */
	const char *function;  /* that dropped it, without offset and compiler suffix */
	struct queues *queues; /* what queues dropped before (queues.h); table.c adds it */
};

struct finding {
	enum vt_cause cause;
	char device[VT_DEVICE_MAX]; /* empty: the drop's own */
	char evidence[VT_EVIDENCE_MAX];
	bool once;    /* holds for this packet only: equal drops are to be looked at again */
	bool no_loss; /* nothing that was meant for here was dropped: the drop is left out of the records */
};

typedef int (*inspector)(struct rtnl *rt, const struct drop *drop, struct finding *finding);

/* Sets cause and evidence; returns 1, so that an inspector ends with it. */
int drop_found(struct finding *finding, enum vt_cause cause, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Sets evidence only; returns 0. */
int drop_unsure(struct finding *finding, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* The address as text; a static-free helper for evidence: `buf` has INET6_ADDRSTRLEN bytes and is returned. */
const char *drop_address(const __u8 addr[16], char *buf);

/* The addresses that routing saw: the tunnel's if the encapsulated packet was dropped, else the tenant's. */
const __u8 *drop_source(const struct drop *drop);
const __u8 *drop_destination(const struct drop *drop);

/* The key of a route lookup for the packet as it came in through the device it was seen at. */
struct fib_key drop_fib_key(const struct drop *drop);

static inline bool drop_is_outer(const struct drop *drop)
{
	return drop->rec->flags & VT_REC_OUTER;
}

#endif
