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

/* Takes note of a TCP record: keeps the group's byte range, and indexes groups of several segments. */
void merge_note(struct analysis *a, uint32_t group, const struct stored *rec);
void merge_forget(struct analysis *a, uint32_t group);

/*
 * The group whose packet took in the bytes of `rec`, 0 if none is known. For an `in`: it left (or was dropped in) the
 * same node at the same hop, larger than it came. For an `out`: it entered the next VFD larger than it had left.
 * *ret_rec is that record of the other packet.
 */
uint32_t merge_find(const struct analysis *a, uint32_t self, const struct stored *rec, const struct stored **ret_rec);

/* Whether all that is known of this group lies within a larger packet of the same flow. */
bool merge_is_part(const struct analysis *a, uint32_t group);

#endif
