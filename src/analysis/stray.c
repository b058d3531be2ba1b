// SPDX-License-Identifier: BSD-3-Clause
/* See stray.h. */
#include "analysis/stray.h"

#include "analysis/node.h"

/*
 * Came in a frame for another host, around a tunnel packet for an address that is not this node's alone, and did not go
 * on. (A host whose underlay device is a bridge's port can see its own packets so, at that port.)
 */
static bool is_stray(const struct analysis *a, const struct stored **recs, uint32_t i, uint32_t n)
{
	const struct stored *in = recs[i];
	const struct outer *outer = intern_get(&a->outers, in->outer);

	if (in->loc != VT_LOC_IN || !(in->flags & VT_REC_OTHERHOST) || !outer ||
	    node_by_addr(a, outer->dst) == a->nodes[in->node])
		return false;
	while (++i < n && recs[i]->hop == in->hop && recs[i]->node == in->node) {
		if (recs[i]->loc != VT_LOC_IN && recs[i]->outer == in->outer)
			return false;
	}
	return true;
}

uint32_t strays_drop(const struct analysis *a, const struct stored **recs, uint32_t n)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < n; i++) {
		if (!is_stray(a, recs, i, n))
			recs[kept++] = recs[i];
	}
	return kept;
}
