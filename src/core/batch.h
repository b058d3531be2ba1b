// SPDX-License-Identifier: BSD-3-Clause
/*
 * The batch: what an agent tells the analysis, in the order in which it happened. `vtrace run` hands it over in memory,
 * `vtrace agent` sends it through core/wire.h; the analysis cannot tell the difference.
 *
 * A batch is named by node + boot + number. Numbers start at 1 for each boot id and have no gaps: a batch that comes
 * twice is ignored, a number that is skipped is a loss that the analysis counts.
 */
#ifndef VT_CORE_BATCH_H
#define VT_CORE_BATCH_H

#include <stdint.h>

#include "core/log.h"

#define VT_BATCH_ITEMS_MAX 1024 /* keeps a batch under 1 MiB on the wire */
#define VT_NODE_ADDRS_MAX  64   /* addresses of one node that can be tunnel ends */
#define VT_NAME_MAX        32   /* datapath and version strings */

enum vt_item_type {
	VT_ITEM_RECORD = 1,  /* log */
	VT_ITEM_ARMED = 2,   /* task: the node sees coloured packets of this task from now on */
	VT_ITEM_FAILED = 3,  /* task: the node could not install it; text says why */
	VT_ITEM_STOPPED = 4, /* task: the node colours no more for it; coloured[] is final */
	VT_ITEM_PROGRESS =
	    5, /* progress: all records made before its time are in earlier batches or before it in this one, or lost */
	VT_ITEM_NODE = 6,    /* node: what the node is */
	VT_ITEM_STARTED = 7, /* task: the node colours from now on */
};

struct vt_node_info {
	char datapath[VT_NAME_MAX];
	char version[VT_NAME_MAX];
	uint32_t devices; /* attachable devices */
	uint32_t n_addrs;
	uint8_t addrs[VT_NODE_ADDRS_MAX][16]; /* the node's own addresses in its network namespace */
};

struct vt_progress {
	uint64_t lost; /* records lost before they had a number, since the boot id began (cumulative) */
	uint64_t seq;  /* number of the last record that got one; those up to it that did not come are lost as well */
	uint64_t time_ns; /* CLOCK_MONOTONIC of the node, 0: not known */
};

struct vt_item {
	enum vt_item_type type;
	uint32_t task; /* ARMED, FAILED, STOPPED */
	union {
		struct vt_log log;           /* RECORD */
		char text[VT_EVIDENCE_MAX];  /* FAILED */
		uint64_t coloured[2];        /* STOPPED: packets coloured here, forward and reverse */
		struct vt_progress progress; /* PROGRESS */
		struct vt_node_info node;    /* NODE */
	};
};

struct vt_batch {
	char node[VT_NODE_MAX];
	enum vt_kind kind;
	uint64_t boot;   /* random, new at each start of the agent */
	uint64_t number; /* 1, 2, 3, ... */
	uint32_t n_items;
	struct vt_item *items;
};

#endif
