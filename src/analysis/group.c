// SPDX-License-Identifier: BSD-3-Clause
/* See group.h. */
#include "analysis/group.h"

#include <stdlib.h>

#include "analysis/diagnose.h"
#include "analysis/merge.h"
#include "analysis/node.h"
#include "analysis/owner.h"
#include "analysis/tally.h"

#define IDS_MIN 1024

/* packet_id is a hash already; folding it guards against a datapath that fills the high half only. */
static uint32_t id_home(const struct analysis *a, uint64_t id)
{
	return (uint32_t)(id ^ id >> 32) & a->id_mask;
}

static int ids_grow(struct analysis *a)
{
	uint32_t n = a->ids ? (a->id_mask + 1) * 2 : IDS_MIN, old = a->ids ? a->id_mask + 1 : 0;
	struct id_slot *before = a->ids, *slots = calloc(n, sizeof(*slots));

	if (!slots)
		return -1;
	a->ids = slots;
	a->id_mask = n - 1;
	for (uint32_t i = 0; i < old; i++) {
		uint32_t at = id_home(a, before[i].id);

		if (!before[i].group)
			continue;
		while (slots[at].group)
			at = (at + 1) & a->id_mask;
		slots[at] = before[i];
	}
	free(before);
	return 0;
}

uint32_t group_find(const struct analysis *a, uint64_t id)
{
	for (uint32_t at = id_home(a, id); a->ids && a->ids[at].group; at = (at + 1) & a->id_mask) {
		if (a->ids[at].id == id)
			return a->ids[at].group;
	}
	return 0;
}

uint32_t group_get(struct analysis *a, uint64_t id)
{
	uint32_t at, number;

	if ((!a->ids || a->n_ids * 2 > a->id_mask) && ids_grow(a) < 0)
		return 0;
	for (at = id_home(a, id); a->ids[at].group; at = (at + 1) & a->id_mask) {
		if (a->ids[at].id == id)
			return a->ids[at].group;
	}
	number = pool_take(&a->groups);
	if (!number)
		return 0;
	group_at(a, number)->id = id;
	group_at(a, number)->first_at = a->now;
	a->ids[at] = (struct id_slot){.id = id, .group = number};
	a->n_ids++;
	return number;
}

static void id_remove(struct analysis *a, uint64_t id)
{
	uint32_t at = id_home(a, id);

	while (a->ids[at].id != id || !a->ids[at].group)
		at = (at + 1) & a->id_mask;
	for (uint32_t next = (at + 1) & a->id_mask; a->ids[next].group; next = (next + 1) & a->id_mask) {
		uint32_t home = id_home(a, a->ids[next].id);

		if (((next - home) & a->id_mask) >= ((next - at) & a->id_mask)) {
			a->ids[at] = a->ids[next];
			at = next;
		}
	}
	a->ids[at].group = 0;
	a->n_ids--;
}

static void list_leave(struct analysis *a, uint32_t number)
{
	struct group *group = group_at(a, number);
	struct deadline_list *list = &a->lists[group->list];

	if (group->list == LIST_NONE)
		return;
	if (group->prev)
		group_at(a, group->prev)->next = group->next;
	else
		list->head = group->next;
	if (group->next)
		group_at(a, group->next)->prev = group->prev;
	else
		list->tail = group->prev;
	group->prev = group->next = 0;
	group->list = LIST_NONE;
}

static void list_enter(struct analysis *a, uint32_t number, enum list_id id, uint64_t due)
{
	struct group *group = group_at(a, number);
	struct deadline_list *list = &a->lists[id];

	list_leave(a, number);
	group->list = (uint8_t)id;
	group->due = due;
	group->prev = list->tail;
	if (list->tail)
		group_at(a, list->tail)->next = number;
	else
		list->head = number;
	list->tail = number;
}

static void group_unsettle(struct analysis *a, struct group *group)
{
	if (!group->settled)
		return;
	for (uint32_t c = group->claims; c; c = claim_at(a, c)->next)
		tally_remove(a, claim_at(a, c));
	group->settled = group->fragile = group->rides = false;
}

/*
 * A group that no packet claims waits for its COLOURED record, and may be what others were merged into: it stays for as
 * long as the longest decision about one of them can take.
 */
static void group_orphan(struct analysis *a, uint32_t number)
{
	list_enter(a, number, LIST_ORPHAN, a->now + 2 * a->config.long_buffer_ns + a->config.short_buffer_ns);
}

void group_touch(struct analysis *a, uint32_t number)
{
	struct group *group = group_at(a, number);

	group->last_at = a->now;
	group_unsettle(a, group);
	if (group->claims)
		list_enter(a, number, LIST_SETTLE, a->now + a->config.settle_ns);
	else
		group_orphan(a, number);
}

void group_free(struct analysis *a, uint32_t number)
{
	struct group *group = group_at(a, number);

	list_leave(a, number);
	merge_forget(a, number);
	id_remove(a, group->id);
	for (uint32_t next, r = group->recs; r; r = next) {
		struct stored *rec = stored_at(a, r);

		next = rec->next;
		intern_put(&a->flows, rec->flow);
		intern_put(&a->outers, rec->outer);
		intern_put(&a->devices, rec->device);
		intern_put(&a->details, rec->detail);
		pool_give(&a->recs, r);
	}
	pool_give(&a->groups, number);
}

uint32_t group_claim(struct analysis *a, uint32_t number, uint32_t rec, struct trace *trace, bool reverse)
{
	uint32_t c = pool_take(&a->claims);
	struct group *group = group_at(a, number);
	struct claim *claim;

	if (!c)
		return 0;
	claim = claim_at(a, c);
	group_unsettle(a, group);
	claim->group = number;
	claim->rec = rec;
	claim->trace = trace;
	claim->reverse = reverse;
	claim->cause = -1;
	claim->next = group->claims;
	group->claims = c;
	group->claimed = true;
	group->n_claims++;
	stored_at(a, rec)->claim = c;
	return c;
}

void group_unclaim(struct analysis *a, uint32_t number)
{
	struct claim *claim = claim_at(a, number);
	struct group *group = group_at(a, claim->group);
	uint32_t *link = &group->claims;

	while (*link != number)
		link = &claim_at(a, *link)->next;
	*link = claim->next;
	group->n_claims--;
	stored_at(a, claim->rec)->claim = 0;
	if (!group->claims && group->has_span && a->traces)
		group_orphan(a, claim->group); /* another task's packets may have been merged into it */
	else if (!group->claims)
		group_free(a, claim->group);
	pool_give(&a->claims, number);
}

static void group_orphaned(struct analysis *a, uint32_t number)
{
	if (!group_at(a, number)->claimed && !merge_is_part(a, number))
		a->stats.orphans += group_at(a, number)->n_recs;
	group_free(a, number);
}

/* Tries to say how all packets of the group ended; what cannot be said yet makes the group wait on. */
static void group_consider(struct analysis *a, uint32_t number)
{
	struct group *group = group_at(a, number);
	enum wait wait = diagnose_group(a, group);

	switch (wait) {
	case WAIT_NONE:
		group->settled = true;
		list_enter(a, number, LIST_WATCH, a->now);
		break;
	case WAIT_SHORT:
		list_enter(a, number, LIST_SHORT, group->last_at + a->config.short_buffer_ns);
		break;
	case WAIT_LONG:
		list_enter(a, number, LIST_LONG, group->last_at + a->config.long_buffer_ns);
		break;
	case WAIT_PROOF:
		list_enter(a, number, LIST_RETRY, a->now + a->config.settle_ns);
		break;
	}
}

/* Whether records of this node could change what is said of the group. */
static bool group_involves(const struct analysis *a, const struct group *group, const struct node *node)
{
	if (group->rides) /* on records of another group */
		return true;
	for (uint32_t r = group->recs; r; r = stored_at(a, r)->next) {
		const struct stored *rec = stored_at(a, r);
		const struct outer *outer = rec->loc == VT_LOC_OUT ? intern_get(&a->outers, rec->outer) : NULL;

		if (rec->node == node->index || (outer && node_by_addr(a, outer->dst) == node))
			return true;
	}
	return false;
}

/* A node lost records: what rested on their absence, and settled since, is thought over. */
static void doubt_node(struct analysis *a, struct node *node)
{
	uint32_t number = a->lists[LIST_WATCH].tail, prev;

	for (; number && group_at(a, number)->due + a->config.long_buffer_ns >= node->doubt_since; number = prev) {
		struct group *group = group_at(a, number);

		prev = group->prev;
		if ((!group->fragile && group->last_at < node->doubt_since) || !group_involves(a, group, node))
			continue;
		group_unsettle(a, group);
		list_enter(a, number, LIST_SETTLE, a->now + a->config.settle_ns);
	}
	node->doubted = false;
}

void groups_doubt(struct analysis *a)
{
	for (uint32_t i = 0; a->doubt && i < a->n_nodes; i++) {
		if (a->nodes[i]->doubted)
			doubt_node(a, a->nodes[i]);
	}
	a->doubt = false;
}

uint64_t groups_advance(struct analysis *a)
{
	uint64_t next = UINT64_MAX;

	for (int id = LIST_SETTLE; id < LIST_WATCH; id++) {
		struct deadline_list *list = &a->lists[id];

		while (list->head && group_at(a, list->head)->due <= a->now) {
			uint32_t number = list->head;

			list_leave(a, number);
			if (id == LIST_ORPHAN)
				group_orphaned(a, number);
			else
				group_consider(a, number);
		}
	}
	for (int id = LIST_SETTLE; id < LIST_WATCH; id++) {
		if (a->lists[id].head && group_at(a, a->lists[id].head)->due < next)
			next = group_at(a, a->lists[id].head)->due;
	}
	return next;
}
