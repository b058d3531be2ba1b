// SPDX-License-Identifier: BSD-3-Clause
/*
 * The walk: from one packet's records to its path and the place where it was last seen. It says nothing about nodes
 * being complete and nothing about blame; diagnose.c does.
 */
#ifndef VT_ANALYSIS_WALK_H
#define VT_ANALYSIS_WALK_H

#include "analysis/owner.h"

/* One VFD of a path; NULL where there is no such record. */
struct visit {
	uint8_t hop;
	uint16_t node;
	bool merged; /* out or error are of the packet that this one was merged into */
	const struct stored *in, *out, *error;
};

/* How the branch that decides ends. */
enum leaf {
	LEAF_DELIVERED, /* left for a VM, the world, or the node itself */
	LEAF_BEYOND,    /* left for a place that we do not see: nothing can be claimed */
	LEAF_DROP,      /* a drop was witnessed */
	LEAF_GAP,       /* left for a node that we see, and was not seen there */
	LEAF_SILENT,    /* came in, and neither left nor was dropped */
	LEAF_NONE,      /* no records to tell from */
};

struct trail {
	enum leaf leaf;
	bool gap, silent, beyond; /* some branch, not only the deciding one, ends like this */
	bool queued;              /* a gap behind a queue that drops: it may still wait there */
	bool loose;          /* something was seen further on to which nothing leads: records are missing somewhere */
	bool foreign;        /* some record must be of another packet with this id, whose first one is missing */
	bool merge_possible; /* the one that was not seen any more may have been merged into another */
	bool rides;          /* it was: the end is that of the packet it went into */
	const struct stored *last; /* the deciding record: out, error, or in */
	uint16_t next_node;        /* GAP: where it should have been seen */
	uint64_t last_at;          /* arrival of the last record that matters */
	unsigned int n_visits;
	struct visit visits[TRAIL_VISITS];
	unsigned int n_nodes; /* nodes whose records decide; more than TRAIL_NODES: too many to tell */
	uint16_t nodes[TRAIL_NODES];
};

/* Walks packet p of the group. -ENOMEM. */
int walk(struct analysis *a, uint32_t group, const struct owned *owned, uint32_t p, unsigned int depth,
         struct trail *trail);
void walk_free(struct analysis *a);

/* From when on, by arrival, the nodes of a group's packets must have lost nothing. */
uint64_t group_window(const struct analysis *a, const struct group *group);

#endif
