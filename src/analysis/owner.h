// SPDX-License-Identifier: BSD-3-Clause
/*
 * Owners: which records of a group belong to which packet. One packet is the rule. Several with the same id (replies of
 * IPv6 pings, repeated datagrams, retransmissions) are kept apart by flow and VNI along the path, and equal ones by
 * their order at each point. Where even that is not certain the packets are `mixed`, and nothing is claimed about them.
 */
#ifndef VT_ANALYSIS_OWNER_H
#define VT_ANALYSIS_OWNER_H

#include "analysis/model.h"

/* One physical packet: a slice of owned.recs, ordered by hop, node, in before out and error, time. */
struct phys {
	uint32_t first, n;
	const struct stored *colour; /* its COLOURED record; NULL for a group that no task claims */
	bool ambiguous;              /* told from an equal one by order alone */
	bool mixed;                  /* some record could be its own or another's */
	bool uneven;                 /* ambiguous, and its equals are not all of the same tasks */
	uint64_t tasks;              /* scratch: a sum over the tasks (and directions) that it was coloured for */
};

struct owned {
	const struct stored **recs;
	const struct phys *phys;
	uint32_t n_phys;
};

/*
 * Sorts the group's records; claim.phys of its claims is set. `owned` points into scratch memory of this depth (0 for
 * the packet itself, more for those it was merged into) and holds until the next call for the depth. -ENOMEM.
 */
int owner_sort(struct analysis *a, const struct group *group, unsigned int depth, struct owned *owned);
void owner_free(struct analysis *a);

#endif
