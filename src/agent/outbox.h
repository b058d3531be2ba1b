// SPDX-License-Identifier: BSD-3-Clause
/*
 * The agent's outbox: items become batches, batches get numbers and go to the uplink. It decides when: answers at once,
 * full batches at once, records after a short wait for others. Every record gets its number here, and what finds no
 * place leaves a gap in the numbers.
 */
#ifndef VT_AGENT_OUTBOX_H
#define VT_AGENT_OUTBOX_H

#include "agent/item_queue.h"
#include "agent/uplink.h"

#define OUTBOX_INFLIGHT \
	4 /* with so many batches unacknowledged, further records wait for a full batch: fewer, larger ones */
#define OUTBOX_RETRY_NS \
	20000000ULL /* an uplink that takes nothing is asked again after this, should it not say so itself */

struct outbox {
	struct uplink *up;
	struct vt_batch batch; /* node, kind, boot of every batch; number: of the last one sent */
	struct item_queue queue;
	uint64_t flush_ns;   /* how long the first record of a batch waits */
	uint64_t flush_at;   /* when what is queued goes out; UINT64_MAX: nothing is queued */
	bool urgent;         /* an answer is queued: go now, whatever is in flight */
	bool blocked;        /* the uplink said -EAGAIN */
	uint64_t seq;        /* number of the last record */
	uint64_t lost;       /* of those with a number: found no place, or the uplink gave them up */
	uint64_t node_batch; /* number of the last batch with a NODE item, 0: none was sent */
};

/* Numbers the record and queues a copy. */
void outbox_record(struct outbox *outbox, const struct vt_log *log, uint64_t now);

/* An item for the caller to fill that goes out with the next flush; NULL without memory (counted as lost). */
struct vt_item *outbox_answer(struct outbox *outbox, enum vt_item_type type, uint32_t task);

/* PROGRESS; `lost` are those that never came here. Replaces one that still waits as the last item. */
void outbox_progress(struct outbox *outbox, uint64_t lost, uint64_t time_ns, uint64_t now);

/* What is queued goes out with the next flush, whatever is in flight. */
void outbox_hurry(struct outbox *outbox);

/* Sends what is due. */
void outbox_flush(struct outbox *outbox, uint64_t now);

/* When to flush next, UINT64_MAX for not before something comes or is acknowledged. */
uint64_t outbox_due(const struct outbox *outbox, uint64_t now);

/* True once the last NODE item is acknowledged. */
bool outbox_node_known(const struct outbox *outbox);

void outbox_done(struct outbox *outbox);

#endif
