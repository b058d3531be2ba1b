// SPDX-License-Identifier: BSD-3-Clause
/*
 * Groups: the table of packet_ids, and who waits for what. Each list waits a constant time, so a group is put at the
 * end and what is due is at the head: arming and expiring a deadline are constant time.
 */
#ifndef VT_ANALYSIS_GROUP_H
#define VT_ANALYSIS_GROUP_H

#include "analysis/model.h"

/* The group of a packet_id, made if it is new; 0 without memory. */
uint32_t group_get(struct analysis *a, uint64_t id);

/* The group of a packet_id; 0 if there is none. */
uint32_t group_find(const struct analysis *a, uint64_t id);

/* A record of the group has come: takes the group's packets out of the tally if they had settled and waits anew. */
void group_touch(struct analysis *a, uint32_t number);

/* Frees a group with its records and its place in all indexes. It must have no claims left. */
void group_free(struct analysis *a, uint32_t number);

/* Makes a claim for a COLOURED record of the group; 0 at max_packets. */
uint32_t group_claim(struct analysis *a, uint32_t number, uint32_t rec, struct trace *trace, bool reverse);

/* Takes a claim out of its group and frees it; the group goes with its last claim. */
void group_unclaim(struct analysis *a, uint32_t claim);

/*
 * Takes back what rested on the records of nodes that are doubted (node_doubt()). Whatever may doubt one calls this at
 * its end, so that nobody takes a result in between.
 */
void groups_doubt(struct analysis *a);

/* Decides what is due by a->now; returns the time of the next deadline, UINT64_MAX for none. */
uint64_t groups_advance(struct analysis *a);

#endif
