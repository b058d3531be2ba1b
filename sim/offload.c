// SPDX-License-Identifier: BSD-3-Clause
/*
 * Receive offload: segments that follow each other become one larger packet, the first one's. Before our ingress hook
 * (a NIC), or behind it (VXLAN's GRO cells). Where offload does not know of the colour, coloured segments disappear in
 * packets that have none. A held packet goes on after an instant, or when one comes that does not fit.
 */
#include "sim/world.h"

#include <string.h>

#define HELD_MAX     (200 * US)
#define SEGMENTS_MAX 17

static bool follows(const struct node *node, const struct copy *head, const struct copy *copy, bool behind)
{
	if (memcmp(&head->tuple, &copy->tuple, sizeof(head->tuple)) || head->vni != copy->vni ||
	    memcmp(head->outer_src, copy->outer_src, 32) || head->segments + copy->segments > SEGMENTS_MAX)
		return false;
	/* the colour is in the outer header, and offload before the hook compares that */
	if (head->colour != copy->colour && !(behind && node->gro_any))
		return false;
	return copy->seq == head->seq + head->payload;
}

static void release(struct world *w, struct gro_slot *slot, bool behind)
{
	struct copy *head = slot->head;

	slot->head = NULL;
	slot->serial++;
	if (!head)
		return;
	if (behind)
		copy_process(w, head);
	else
		copy_enter(w, head);
}

static void time_out(struct world *w, void *what, uint64_t number)
{
	struct gro_slot *slot = what;

	if (slot->head && slot->serial == number >> 1)
		release(w, slot, number & 1);
}

static void merge(struct world *w, const struct node *node, struct copy *head, struct copy *copy)
{
	struct copy **link = &copy->riders;

	if (!head->colour)
		truth_blind(w, copy, BLIND_MERGED, node->index, node->index);
	else if (copy->packet->coloured)
		story(w, "packet %u: merged into packet %u at %s", copy->packet->number, head->packet->number,
		      node->name);
	head->payload += copy->payload;
	head->length += copy->payload;
	head->segments = (uint16_t)(head->segments + copy->segments);
	while (*link)
		link = &(*link)->next;
	*link = head->riders;
	head->riders = copy->riders;
	copy->riders = NULL;
	copy->next = head->riders;
	head->riders = copy;
}

bool offload_hold(struct world *w, struct copy *copy, bool behind)
{
	struct node *node = &w->nodes[copy->route->nodes[copy->at]];
	struct gro_slot *slot = &node->gro[behind][copy->packet->flow->hash % 8];

	if (!(behind ? node->gro_behind : node->gro_before) || !copy->payload || copy->frag_flags)
		return false;
	if (slot->head && follows(node, slot->head, copy, behind)) {
		merge(w, node, slot->head, copy);
		return true;
	}
	release(w, slot, behind);
	if (slot->head) /* releasing it let another in; seldom enough */
		return false;
	slot->head = copy;
	slot->serial++;
	events_add(&w->events, w->now + random_between(&w->rnd, 10 * US, HELD_MAX), time_out, slot,
	           slot->serial << 1 | behind);
	return true;
}
