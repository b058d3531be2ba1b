// SPDX-License-Identifier: BSD-3-Clause
/*
 * See merge.h. The index holds all groups of TCP segments, keyed by flow and the 64 KiB block of their first byte, once
 * for each flow they were seen with (before and after translation). "Larger than it came" is what tells a merge from a
 * retransmission that happens to cover the same bytes: without growth nothing was merged. And since receive offload
 * holds packets for an instant only, both must have been near each other in time, by the clock of one node: a segment
 * sent again may be merged, and that says nothing about the one that was lost. Where it was sent again at once, a twin
 * with the same bytes is near, and which of the two went on inside the larger packet cannot be told.
 */
#include "analysis/merge.h"

#include <stdlib.h>

#include "analysis/group.h"

#define MERGE_HEADS  262144      /* chains, 1 MiB: a chain has the segments of 64 KiB of one flow, 45 full ones */
#define MERGE_NS     20000000ULL /* offload holds a packet for a few ms at most; a retransmission comes later than that */
#define MERGE_BLOCKS 9           /* blocks to look back: a merged packet has 512 KiB at most (BIG TCP) */
#define TWIN_BLOCKS  2           /* blocks to look back for a twin: a packet as it is sent has 64 KiB at most */
#define MERGE_SCAN   2048 /* entries looked at: a flow of tiny segments has more, and of those nothing is claimed */

static uint32_t merge_head(uint32_t flow, uint32_t block)
{
	return (flow * 0x9e3779b1u ^ block * 0x85ebca6bu) >> 14;
}

/* Whether the group is in the index under this flow. */
static bool is_indexed(const struct analysis *a, const struct group *group, uint32_t flow)
{
	const struct merge_entry *entry;

	for (uint32_t e = group->merge; e; e = entry->beside) {
		entry = pool_at(&a->merges, e);
		if (entry->flow == flow)
			return true;
	}
	return false;
}

static void merge_index(struct analysis *a, uint32_t number, uint32_t flow)
{
	struct group *group = group_at(a, number);
	uint32_t block = group->seq >> 16, *head, e;

	if (!a->merge_heads)
		a->merge_heads = calloc(MERGE_HEADS, sizeof(*a->merge_heads));
	e = a->merge_heads ? pool_take(&a->merges) : 0;
	if (!e)
		return;
	head = &a->merge_heads[merge_head(flow, block)];
	*(struct merge_entry *)pool_at(&a->merges, e) =
	    (struct merge_entry){.next = *head, .beside = group->merge, .group = number, .flow = flow, .block = block};
	if (*head)
		((struct merge_entry *)pool_at(&a->merges, *head))->prev = e;
	*head = group->merge = e;
}

/* Two ranges of sequence numbers, which wrap, have bytes in common. */
static bool overlap(uint32_t seq, uint32_t n, uint32_t from, uint32_t span)
{
	return seq - from < span || from - seq < n;
}

/*
 * Bytes come by that a settled group has too, as a segment that was sent again or in a packet that grew: what was said
 * of that group's merge, or of its loss, is in doubt.
 */
static void merge_doubt(struct analysis *a, uint32_t self, const struct stored *rec)
{
	uint32_t block = (rec->tcp_seq >> 16) - (TWIN_BLOCKS - 1), last = (rec->tcp_seq + rec->payload) >> 16;
	unsigned int scanned = 0;

	for (uint32_t n = (last - block) & 0xffff; a->merge_heads; block++, n--) {
		uint32_t b = block & 0xffff, next;

		for (uint32_t e = a->merge_heads[merge_head(rec->flow, b)]; e && scanned++ < MERGE_SCAN; e = next) {
			const struct merge_entry *entry = pool_at(&a->merges, e);
			const struct group *group = group_at(a, entry->group);

			next = entry->next;
			if (entry->flow == rec->flow && entry->block == b && entry->group != self && group->fragile &&
			    overlap(rec->tcp_seq, rec->payload, group->seq, group->span))
				group_touch(a, entry->group);
		}
		if (!n)
			break;
	}
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
		merge_doubt(a, number, rec);
	} else if (rec->payload > stored_at(a, group->recs)->payload) {
		merge_doubt(a, number, rec);
	}
	group->big |= rec->segments > 1 || rec->payload != group->span;
	if (rec->payload > group->span)
		group->span = rec->payload;
	if (!is_indexed(a, group, rec->flow))
		merge_index(a, number, rec->flow);
}

void merge_forget(struct analysis *a, uint32_t number)
{
	for (uint32_t e = group_at(a, number)->merge, beside; e; e = beside) {
		struct merge_entry *entry = pool_at(&a->merges, e);

		beside = entry->beside;
		if (entry->prev)
			((struct merge_entry *)pool_at(&a->merges, entry->prev))->next = entry->next;
		else
			a->merge_heads[merge_head(entry->flow, entry->block)] = entry->next;
		if (entry->next)
			((struct merge_entry *)pool_at(&a->merges, entry->next))->prev = entry->prev;
		pool_give(&a->merges, e);
	}
}

/* Bytes [seq, seq + n) lie in [from, from + span), behind its first byte; sequence numbers wrap. */
static bool within(uint32_t seq, uint32_t n, uint32_t from, uint32_t span)
{
	uint32_t at = seq - from;

	return at > 0 && at < span && n <= span - at;
}

static uint64_t apart(const struct stored *x, const struct stored *y)
{
	return x->time_ns > y->time_ns ? x->time_ns - y->time_ns : y->time_ns - x->time_ns;
}

/* Same node, same clock: near enough to have met in one round of receive offload. */
static bool near_in_time(const struct stored *x, const struct stored *y)
{
	return apart(x, y) <= MERGE_NS;
}

/* The other packet's record at the place of `like`, of equal ones the nearest; NULL if it was not seen there. */
static const struct stored *seen_at(const struct analysis *a, const struct group *group, const struct stored *like)
{
	const struct stored *nearest = NULL;

	for (uint32_t r = group->recs; r; r = stored_at(a, r)->next) {
		const struct stored *rec = stored_at(a, r);

		if (rec->loc == like->loc && rec->hop == like->hop && rec->node == like->node &&
		    (!nearest || apart(rec, like) < apart(nearest, like)))
			nearest = rec;
	}
	return nearest;
}

static bool is_behind(const struct stored *taker, const struct stored *rec)
{
	if (rec->loc == VT_LOC_IN)
		return taker->loc != VT_LOC_IN && taker->hop == rec->hop && taker->node == rec->node;
	return taker->loc == VT_LOC_IN && taker->hop == rec->hop + 1 && taker->outer == rec->outer;
}

/* More came out behind the place of `rec` than was seen there: one of them was itself merged until then. */
static bool appears_behind(const struct analysis *a, const struct group *other, const struct stored *rec)
{
	uint32_t before = 0, behind = 0;

	for (uint32_t r = other->recs; r; r = stored_at(a, r)->next) {
		const struct stored *seen = stored_at(a, r);

		before += seen->loc == rec->loc && seen->hop == rec->hop && seen->node == rec->node;
		behind += is_behind(seen, rec);
	}
	return behind > before;
}

/*
 * The other packet's record behind the place where `rec` is the last of its own, if the bytes are among those that it
 * has more there than it had before. MAYBE: it was not seen beside ours, so what it had before is not known; or it has
 * only the first of our bytes, since ours was cut up on the way. What becomes of the first byte decides.
 */
static enum merge merge_taker(const struct analysis *a, const struct group *other, const struct stored *rec,
                              const struct stored **ret_taker)
{
	const struct stored *before = seen_at(a, other, rec);
	enum merge found = MERGE_NO;

	if (before && !near_in_time(before, rec)) {
		if (!appears_behind(a, other, rec))
			return MERGE_NO;
		before = NULL;
	}
	for (uint32_t r = other->recs; r; r = stored_at(a, r)->next) {
		const struct stored *taker = stored_at(a, r);

		if (!is_behind(taker, rec) || !within(rec->tcp_seq, 1, taker->tcp_seq, taker->payload) ||
		    (before && rec->tcp_seq - taker->tcp_seq < before->payload))
			continue;
		if (before && within(rec->tcp_seq, rec->payload, taker->tcp_seq, taker->payload)) {
			*ret_taker = taker;
			return MERGE_YES;
		}
		found = MERGE_MAYBE;
	}
	return found;
}

/* Whether two packets were near each other: by the clock of a node that both passed; if there is none, they may be. */
static bool groups_near(const struct analysis *a, const struct group *one, const struct group *other)
{
	bool met = false;

	for (uint32_t r = one->recs; r; r = stored_at(a, r)->next) {
		const struct stored *rec = stored_at(a, r), *beside = seen_at(a, other, rec);

		if (beside && near_in_time(beside, rec))
			return true;
		met |= beside != NULL;
	}
	return !met;
}

/* The same packet_id came by here another time. */
static bool again_here(const struct stored *other, const struct stored *rec)
{
	return other != rec && other->loc == rec->loc && other->hop == rec->hop && other->node == rec->node &&
	       other->time_ns != rec->time_ns;
}

static bool comes_twice(const struct analysis *a, const struct group *group, const struct stored *rec)
{
	for (uint32_t r = group->recs; r; r = stored_at(a, r)->next) {
		if (again_here(stored_at(a, r), rec))
			return true;
	}
	return false;
}

/* Another packet with bytes of this one was under way at the same time: the segment, sent again at once. */
static bool has_twin(const struct analysis *a, uint32_t self, uint32_t taker, const struct stored *rec)
{
	const struct group *group = group_at(a, self);
	unsigned int scanned = 0;

	if (comes_twice(a, group, rec))
		return true;
	for (uint32_t back = 0; back < TWIN_BLOCKS; back++) {
		uint32_t block = ((rec->tcp_seq >> 16) - back) & 0xffff;
		const struct merge_entry *entry;

		for (uint32_t e = a->merge_heads[merge_head(rec->flow, block)]; e; e = entry->next) {
			const struct group *other;
			const struct stored *first;

			if (scanned++ >= MERGE_SCAN)
				return true;
			entry = pool_at(&a->merges, e);
			other = group_at(a, entry->group);
			first = stored_at(a, other->recs);
			if (entry->flow == rec->flow && entry->group != self && entry->group != taker &&
			    overlap(rec->tcp_seq, rec->payload, first->tcp_seq, first->payload) &&
			    groups_near(a, group, other))
				return true;
		}
	}
	return false;
}

static enum merge merge_find_one(const struct analysis *a, uint32_t self, const struct stored *rec, uint32_t *ret_group,
                                 const struct stored **ret_rec)
{
	uint32_t block = rec->tcp_seq >> 16;
	enum merge found = MERGE_NO;
	unsigned int scanned = 0;

	if (!rec->payload || !a->merge_heads)
		return MERGE_NO;
	for (uint32_t back = 0; back < MERGE_BLOCKS; back++) {
		uint32_t b = (block - back) & 0xffff;
		const struct merge_entry *entry;

		for (uint32_t e = a->merge_heads[merge_head(rec->flow, b)]; e; e = entry->next) {
			enum merge with;

			if (scanned++ >= MERGE_SCAN)
				return MERGE_MAYBE;
			entry = pool_at(&a->merges, e);
			if (entry->flow != rec->flow || entry->block != b || entry->group == self)
				continue;
			with = merge_taker(a, group_at(a, entry->group), rec, ret_rec);
			*ret_group = entry->group;
			if (with == MERGE_YES)
				return has_twin(a, self, entry->group, rec) ? MERGE_MAYBE : MERGE_YES;
			if (with > found)
				found = with;
		}
	}
	return found;
}

enum merge merge_find(const struct analysis *a, uint32_t self, const struct stored *rec, uint32_t *ret_group,
                      const struct stored **ret_rec)
{
	enum merge found = merge_find_one(a, self, rec, ret_group, ret_rec);

	/* of equal packets it may be another one that vanished here */
	for (uint32_t r = group_at(a, self)->recs; r && found == MERGE_NO; r = stored_at(a, r)->next) {
		const struct stored *other = stored_at(a, r);

		if (again_here(other, rec) && merge_find_one(a, self, other, ret_group, ret_rec) != MERGE_NO)
			found = MERGE_MAYBE;
	}
	return found;
}

static bool part_of_larger(const struct analysis *a, uint32_t self, const struct stored *rec)
{
	uint32_t block = rec->tcp_seq >> 16;
	unsigned int scanned = 0;

	for (uint32_t back = 0; back < MERGE_BLOCKS; back++) {
		uint32_t b = (block - back) & 0xffff;
		const struct merge_entry *entry;

		for (uint32_t e = a->merge_heads[merge_head(rec->flow, b)]; e && scanned++ < MERGE_SCAN;
		     e = entry->next) {
			const struct group *other;

			entry = pool_at(&a->merges, e);
			other = group_at(a, entry->group);
			if (entry->flow == rec->flow && entry->group != self && other->big &&
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
