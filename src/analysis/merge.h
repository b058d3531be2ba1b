// SPDX-License-Identifier: BSD-3-Clause
/*
 * Merging: receive offload makes one packet of several TCP segments behind our ingress hook, and keeps the colour of
 * the first only. A segment that vanishes so shares the path and the end of the packet it went into; it is found by its
 * byte range in the same flow. The other way round, segments of a packet that was one at its first VFD are nobody's
 * packets.
 */
#ifndef VT_ANALYSIS_MERGE_H
#define VT_ANALYSIS_MERGE_H

#include "analysis/model.h"

/* Takes note of a TCP record: keeps the group's byte range, and indexes the group under each flow it is seen with. */
void merge_note(struct analysis *a, uint32_t group, const struct stored *rec);
void merge_forget(struct analysis *a, uint32_t group);

enum merge {
	MERGE_NO,
	MERGE_MAYBE, /* it may have been, or another packet with the same bytes was */
	MERGE_YES,
};

/*
 * Whether a packet took in the bytes of `rec`, the last record of its own. For an `in`: one that left (or was dropped
 * in) the same node at the same hop, larger than it came. For an `out`: one that entered the next VFD larger than it
 * had left. YES: *ret_group is its group and *ret_rec its record there.
 */
enum merge merge_find(const struct analysis *a, uint32_t self, const struct stored *rec, uint32_t *ret_group,
                      const struct stored **ret_rec);

/* Whether all that is known of this group lies within a larger packet of the same flow. */
bool merge_is_part(const struct analysis *a, uint32_t group);

#endif
