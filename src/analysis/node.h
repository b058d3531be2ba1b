// SPDX-License-Identifier: BSD-3-Clause
/*
 * Nodes: batch numbering, own losses, addresses, and whether a node's records can be called complete. Incidents are
 * the moments up to which records of the node may be missing, in arrival time.
 */
#ifndef VT_ANALYSIS_NODE_H
#define VT_ANALYSIS_NODE_H

#include "analysis/model.h"

/* The node of this name, made if it is new; NULL at max_nodes or without memory. */
struct node *node_get(struct analysis *a, const char *name);
struct node *node_find(const struct analysis *a, const char *name);
void nodes_free(struct analysis *a);

/* Takes note of a batch: 1 if it is new, 0 if it came before. Skips and reboots become incidents. */
int node_take_batch(struct analysis *a, struct node *node, const struct vt_batch *batch);

/* A record's sequence number (0: not numbered). */
void node_take_seq(struct analysis *a, struct node *node, uint64_t seq);

/* A PROGRESS with the node's cumulative count of lost records. */
void node_take_progress(struct analysis *a, struct node *node, const struct vt_progress *progress);
void node_take_info(struct analysis *a, struct node *node, const struct vt_node_info *info);
void node_down(struct analysis *a, struct node *node);

/* It answered now what it was asked at `asked`. */
void node_take_answer(struct node *node, uint64_t asked, uint64_t now);

/* Records of the last while may be missing, or their node cannot be waited for: what was said of them is in doubt. */
void node_doubt(struct analysis *a, struct node *node);

/* `count` records of the node are lost; 0 where nobody knows how many. */
void node_lost(struct analysis *a, struct node *node, uint64_t count);

/* A record of the node found no room here; of which packets it is has been noted. */
void node_no_room(struct analysis *a, struct node *node);

/* A packet was dropped behind the egress hook of a device; and whether that happened since. */
void node_queue_dropped(struct node *node, uint32_t ifindex, uint64_t now);
bool node_queue_drops(const struct node *node, uint32_t ifindex, uint64_t since);

/* The node with this address; NULL if there is none, or more than one. */
struct node *node_by_addr(const struct analysis *a, const uint8_t addr[16]);

bool addr_is_known(const struct analysis *a, const uint8_t addr[16]); /* some node has it, or several */

/* No incident that reaches past `since`; when it began does not matter, a late record may be in it too. */
bool node_complete(const struct node *node, uint64_t since);

/* Records of the node that were made while others, which came from `from` to `to`, were made may be missing. */
bool node_lost_between(const struct node *node, uint64_t from, uint64_t to);

/* The node's part in a trace, made if new; NULL without memory. member_find() gives NULL where there is none. */
struct member *member_get(struct trace *trace, const struct node *node);
static inline struct member *member_find(const struct trace *trace, const struct node *node)
{
	return node->index < trace->n_members ? &trace->members[node->index] : NULL;
}

/* Armed before colouring began, same boot ever since, still there, nothing lost since `since`. */
bool member_complete(const struct trace *trace, const struct node *node, uint64_t since);

#endif
