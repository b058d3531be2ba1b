// SPDX-License-Identifier: BSD-3-Clause
/*
 * The analysis: batches in, verdicts out (paper section 5: collection, path reconstruction, diagnosis).
 *
 * Pure: time is an argument, there is no I/O, no global, and memory is bounded. One instance serves all tasks, because
 * records behind the first VFD carry no task; they are joined to the coloured packet by packet_id. Rules that hold for
 * every verdict are in the first comment of diagnose.c. All times are nanoseconds of one monotonic clock, the caller's.
 */
#ifndef VT_ANALYSIS_ANALYSIS_H
#define VT_ANALYSIS_ANALYSIS_H

#include <stdbool.h>
#include <stdint.h>

#include "core/batch.h"
#include "core/result.h"

struct analysis;

struct analysis_config {
	uint64_t settle_ns;       /* quiet time after a witnessed end, for copies of a flooded packet; default 30 ms */
	uint64_t short_buffer_ns; /* wait for the next VFD's records; default 1 s */
	uint64_t long_buffer_ns;  /* wait where the kernel reports late (a neighbour that never answers); default 4 s */
	uint32_t max_packets;     /* coloured packets in memory over all tasks; default 1 000 000 */
	uint32_t max_records; /* records in memory; default 8 000 000. Past a limit records are counted as missing. */
	uint32_t max_nodes;   /* default 4096 */
};

struct analysis *analysis_new(const struct analysis_config *config); /* NULL config, and 0 members, mean the defaults */
void analysis_free(struct analysis *a);

/* A task is known from begin to end. -EEXIST, -ENOSPC. */
int analysis_begin(struct analysis *a, const struct vt_task *task, uint64_t now);
/* Colouring starts now: nodes that answered ARMED by now are complete for this task, later ones are not. */
void analysis_start(struct analysis *a, uint32_t task, uint64_t now);
/* Colouring has been told to end everywhere. */
void analysis_stop(struct analysis *a, uint32_t task, uint64_t now);
/* Nodes that have not answered STOP by now are treated as gone: they are not waited for, and not complete any more. */
void analysis_give_up(struct analysis *a, uint32_t task, uint64_t now);
void analysis_end(struct analysis *a, uint32_t task);

/*
 * Takes a batch. Returns 1 if it is new, 0 if it came before (same node, boot and number; nothing changes). A skipped
 * number or a new boot id while a task runs makes the node incomplete from its last batch on.
 */
int analysis_batch(struct analysis *a, const struct vt_batch *batch, uint64_t now);

/* The node is gone (its connection broke); its next batch brings it back. */
void analysis_node_down(struct analysis *a, const char *node, uint64_t now);

/* Does what is due by `now`; returns the time of the next thing to do, UINT64_MAX for none. */
uint64_t analysis_advance(struct analysis *a, uint64_t now);

struct analysis_progress {
	uint64_t coloured[2]; /* forward, reverse, over all nodes */
	uint64_t settled;     /* packets whose end is certain or whose waiting time is over */
	uint64_t unsettled;
	unsigned int armed, failed, stopped; /* nodes */
	bool settled_all; /* stop() was called and nothing that could change the result can still come in time */
};
int analysis_progress(const struct analysis *a, uint32_t task, struct analysis_progress *progress); /* -ENOENT */

/* Fills the analysis' part of the result at any time; packets not yet settled count as unfinished. -ENOENT. */
int analysis_result(const struct analysis *a, uint32_t task, bool with_list, struct vt_result *result);

struct analysis_stats {
	uint64_t batches, duplicate_batches, records, missing, orphans; /* orphans: records no task's packet claimed */
	uint64_t packets, nodes;                                        /* in memory now */
};
void analysis_stats(const struct analysis *a, struct analysis_stats *stats);

#endif
