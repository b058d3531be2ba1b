// SPDX-License-Identifier: BSD-3-Clause
/*
 * See merge.h. The index holds groups of several segments only, keyed by flow and the 64 KiB block of their first byte,
 * once for each flow they were seen with (before and after translation). "Larger than it came" is what tells a merge
 * from a retransmission that happens to cover the same bytes: without growth nothing was merged. And since receive
 * offload holds packets for an instant only, both must have been near each other in time, by the clock of one node: a
 * segment sent again may be merged, and that says nothing about the one that was lost.
 */
#include "analysis/merge.h"

#include <stdlib.h>

#define MERGE_HEADS  65536       /* chains; an entry is 16 bytes, so a chain costs a quarter of one */
#define MERGE_NS     20000000ULL /* offload holds a packet for a few ms at most; a retransmission comes later than that */
#define MERGE_BLOCKS 9           /* blocks to look back: a merged packet has 512 KiB at most (BIG TCP) */

static uint32_t merge_head(uint32_t flow, uint32_t block)
{
	return (flow * 0x9e3779b1u ^ block * 0x85ebca6bu) >> 16;
}

static void merge_index(struct analysis *a, uint32_t number, uint32_t flow)
{
	struct group *group = group_at(a, number);
	uint32_t block = group->seq >> 16, head = merge_head(flow, block), e;
	struct merge_entry *entry;

	if (!a->merge_heads)
		a->merge_heads = calloc(MERGE_HEADS, sizeof(*a->merge_heads));
	if (!a->merge_heads)
		return;
	for (e = a->merge_heads[head]; e; e = entry->next) {
		entry = pool_at(&a->merges, e);
		if (entry->group == number && entry->flow == flow)
			return;
	}
	e = pool_take(&a->merges);
	if (!e)
		return;
	entry = pool_at(&a->merges, e);
	*entry = (struct merge_entry){a->merge_heads[head], number, flow, block};
	a->merge_heads[head] = e;
}

void merge_note(struct analysis *a, uint32_t number, const struct stored *rec)
{
	struct group *group = group_at(a, number);

	if (!rec->payload)
		return;
	if (!group->has_span) {
		group->has_span = true;
		group->seq = rec->tcp_seq;
		group->span = rec->payload;
	}
	if (!group->big && (rec->segments > 1 || rec->payload != group->span)) {
		group->big = true;
		for (uint32_t r = group->recs; r; r = stored_at(a, r)->next)
			merge_index(a, number, stored_at(a, r)->flow);
	}
	if (rec->payload > group->span)
		group->span = rec->payload;
	if (group->big)
		merge_index(a, number, rec->flow);
}

static void merge_unindex(struct analysis *a, uint32_t number, uint32_t flow)
{
	uint32_t *link = &a->merge_heads[merge_head(flow, group_at(a, number)->seq >> 16)];

	while (*link) {
		struct merge_entry *entry = pool_at(&a->merges, *link);
		uint32_t e = *link;

		if (entry->group == number && entry->flow == flow) {
			*link = entry->next;
			pool_give(&a->merges, e);
			return;
		}
		link = &entry->next;
	}
}

void merge_forget(struct analysis *a, uint32_t number)
{
	struct group *group = group_at(a, number);

	if (!group->big || !a->merge_heads)
		return;
	for (uint32_t r = group->recs; r; r = stored_at(a, r)->next)
		merge_unindex(a, number, stored_at(a, r)->flow);
}

/* Bytes [seq, seq + n) lie in [from, from + span), behind its first byte; sequence numbers wrap. */
static bool within(uint32_t seq, uint32_t n, uint32_t from, uint32_t span)
{
	uint32_t at = seq - from;

	return at > 0 && at < span && n <= span - at;
}

/* The other packet's record at the place of `like`; NULL if it was not seen there. */
static const struct stored *seen_at(const struct analysis *a, const struct group *group, const struct stored *like)
{
	for (uint32_t r = group->recs; r; r = stored_at(a, r)->next) {
		const struct stored *rec = stored_at(a, r);

		if (rec->loc == like->loc && rec->hop == like->hop && rec->node == like->node)
			return rec;
	}
	return NULL;
}

/* Same node, same clock: near enough to have met in one round of receive offload. */
static bool near_in_time(const struct stored *x, const struct stored *y)
{
	uint64_t apart = x->time_ns > y->time_ns ? x->time_ns - y->time_ns : y->time_ns - x->time_ns;

	return apart <= MERGE_NS;
}

static bool is_behind(const struct stored *taker, const struct stored *rec)
{
	if (rec->loc == VT_LOC_IN)
		return taker->loc != VT_LOC_IN && taker->hop == rec->hop && taker->node == rec->node;
	return taker->loc == VT_LOC_IN && taker->hop == rec->hop + 1 && taker->outer == rec->outer;
}

/* The other packet's record behind the place where `rec` is the last of its own. */
static const struct stored *merge_taker(const struct analysis *a, const struct group *other, const struct stored *rec)
{
	const struct stored *before = seen_at(a, other, rec);

	/* without it beside ours there is no growth to see, and no clock to compare by */
	if (!before || !near_in_time(before, rec))
		return NULL;
	for (uint32_t r = other->recs; r; r = stored_at(a, r)->next) {
		const struct stored *taker = stored_at(a, r);

		if (is_behind(taker, rec) && taker->payload > before->payload &&
		    within(rec->tcp_seq, rec->payload, taker->tcp_seq, taker->payload))
			return taker;
	}
	return NULL;
}

uint32_t merge_find(const struct analysis *a, uint32_t self, const struct stored *rec, const struct stored **ret_rec)
{
	uint32_t block = rec->tcp_seq >> 16;

	if (!rec->payload || !a->merge_heads)
		return 0;
	for (uint32_t back = 0; back < MERGE_BLOCKS; back++) {
		uint32_t b = (block - back) & 0xffff;
		const struct merge_entry *entry;

		for (uint32_t e = a->merge_heads[merge_head(rec->flow, b)]; e; e = entry->next) {
			entry = pool_at(&a->merges, e);
			if (entry->flow != rec->flow || entry->block != b || entry->group == self)
				continue;
			*ret_rec = merge_taker(a, group_at(a, entry->group), rec);
			if (*ret_rec)
				return entry->group;
		}
	}
	return 0;
}

static bool part_of_larger(const struct analysis *a, uint32_t self, const struct stored *rec)
{
	uint32_t block = rec->tcp_seq >> 16;

	for (uint32_t back = 0; back < MERGE_BLOCKS; back++) {
		uint32_t b = (block - back) & 0xffff;
		const struct merge_entry *entry;

		for (uint32_t e = a->merge_heads[merge_head(rec->flow, b)]; e; e = entry->next) {
			const struct group *other;

			entry = pool_at(&a->merges, e);
			other = group_at(a, entry->group);
			if (entry->flow == rec->flow && entry->group != self &&
			    within(rec->tcp_seq, rec->payload, other->seq, other->span))
				return true;
		}
	}
	return false;
}

bool merge_is_part(const struct analysis *a, uint32_t number)
{
	const struct group *group = group_at(a, number);

	if (!group->has_span || !a->merge_heads)
		return false;
	for (uint32_t r = group->recs; r; r = stored_at(a, r)->next) {
		if (part_of_larger(a, number, stored_at(a, r)))
			return true;
	}
	return false;
}
