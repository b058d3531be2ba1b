// SPDX-License-Identifier: BSD-3-Clause
/*
 * The record log: the seam between the collector, which appends what agents report, and the analysis, which takes it in
 * order. Here it is a bounded queue in memory. A partitioned log on other machines can take its place, because nothing
 * else connects the two sides: who appends never waits for who takes, and a full log is an answer, not a failure.
 */
#ifndef VT_SERVER_RECORDLOG_H
#define VT_SERVER_RECORDLOG_H

#include <stdbool.h>
#include <stdint.h>

#include "core/batch.h"

struct recordlog;

struct recordlog_config {
	unsigned int max_batches; /* default 4096: a small batch from each of 1000 agents, four times over */
	uint64_t max_bytes;       /* default 128 MiB: about 150 000 records, a third of a second of analysis */
};

struct recordlog_stats {
	uint64_t batches, bytes;         /* waiting now */
	uint64_t max_batches, max_bytes; /* the limits */
	uint64_t appended, refused;      /* batches since it was opened; refused: it was full, the agent sends again */
};

/* NULL config, and 0 members, mean the defaults. NULL without memory. */
struct recordlog *recordlog_new(const struct recordlog_config *config);
void recordlog_free(struct recordlog *log); /* with what still waits in it */

/*
 * Appends a batch, which the log owns from here on; never blocks. -EAGAIN: full, the batch stays the caller's. One
 * batch is always taken by an empty log, however large it is.
 */
int recordlog_append(struct recordlog *log, struct vt_batch *batch);

/*
 * Takes the oldest batch, the caller's from here on (vt_batch_free()). Waits until there is one, until recordlog_wake()
 * is called, or until deadline_ns (CLOCK_MONOTONIC; 0: do not wait, UINT64_MAX: no deadline); NULL in the last two
 * cases.
 */
struct vt_batch *recordlog_take(struct recordlog *log, uint64_t deadline_ns);

/* Makes the present, or else the next, waiting recordlog_take() return. */
void recordlog_wake(struct recordlog *log);

void recordlog_stats(struct recordlog *log, struct recordlog_stats *stats);

#endif
