// SPDX-License-Identifier: BSD-3-Clause
/*
 * See intake.h. A record that finds no room is lost on our side: it is counted as missing of its node, which makes the
 * node incomplete for the packets of that time.
 */
#include "analysis/intake.h"

#include <stdlib.h>
#include <string.h>

#include "analysis/group.h"
#include "analysis/merge.h"
#include "analysis/node.h"

#define ARRIVALS_MAX 65536 /* flows on links, 8 MB: what all traces of a busy server show in their lives */

/* Room for the words of one error, with three NULs. */
#define DETAIL_MAX (sizeof(struct detail) + VT_REASON_MAX + VT_SITE_MAX + VT_EVIDENCE_MAX)

static size_t detail_append(struct detail *detail, size_t at, const char *text, size_t size)
{
	size_t length = strnlen(text, size - 1);

	memcpy(detail->text + at, text, length);
	detail->text[at + length] = '\0';
	return at + length + 1;
}

static uint32_t detail_add(struct analysis *a, const struct vt_log *log)
{
	union {
		struct detail detail;
		char room[DETAIL_MAX];
	} u;
	size_t at;

	u.detail.cause = (uint32_t)log->cause;
	at = detail_append(&u.detail, 0, log->reason, sizeof(log->reason));
	u.detail.site = (uint16_t)at;
	at = detail_append(&u.detail, at, log->site, sizeof(log->site));
	u.detail.evidence = (uint16_t)at;
	at = detail_append(&u.detail, at, log->evidence, sizeof(log->evidence));
	return intern_add(&a->details, &u.detail, (uint32_t)(sizeof(struct detail) + at));
}

/* Interns the record's words and addresses; false if one finds no room. */
static bool store_words(struct analysis *a, struct stored *stored, const struct vt_log *log)
{
	const struct vt_record *rec = &log->rec;
	char device[VT_DEVICE_MAX];
	struct outer outer;

	stored->flow = intern_add(&a->flows, &rec->flow, sizeof(rec->flow));
	if (rec->flags & (VT_REC_ENCAP | VT_REC_OUTER)) {
		memcpy(outer.src, rec->outer_src, 16);
		memcpy(outer.dst, rec->outer_dst, 16);
		stored->outer = intern_add(&a->outers, &outer, sizeof(outer));
		if (!stored->outer)
			return false;
	}
	memcpy(device, log->device, sizeof(device));
	device[sizeof(device) - 1] = '\0';
	stored->device = intern_add(&a->devices, device, (uint32_t)strlen(device) + 1);
	if (rec->loc == VT_LOC_ERROR)
		stored->detail = detail_add(a, log);
	return stored->flow && stored->device && (rec->loc != VT_LOC_ERROR || stored->detail);
}

static void unstore(struct analysis *a, uint32_t number)
{
	struct stored *stored = stored_at(a, number);

	intern_put(&a->flows, stored->flow);
	intern_put(&a->outers, stored->outer);
	intern_put(&a->devices, stored->device);
	intern_put(&a->details, stored->detail);
	pool_give(&a->recs, number);
}

/* Copies a record into the store; 0 if there is no room. */
static uint32_t store(struct analysis *a, const struct node *node, const struct vt_log *log)
{
	const struct vt_record *rec = &log->rec;
	uint32_t number = pool_take(&a->recs);
	struct stored *stored;

	if (!number)
		return 0;
	stored = stored_at(a, number);
	stored->time_ns = rec->time_ns;
	stored->vni = rec->vni;
	stored->ifindex = rec->ifindex;
	stored->length = rec->length;
	stored->tcp_seq = rec->tcp_seq;
	stored->payload = rec->payload;
	stored->node = node->index;
	stored->flags = rec->flags;
	stored->segments = rec->segments;
	stored->loc = rec->loc;
	stored->hop = rec->hop;
	if (store_words(a, stored, log))
		return number;
	unstore(a, number);
	return 0;
}

static void group_append(struct analysis *a, uint32_t number, uint32_t rec)
{
	struct group *group = group_at(a, number);

	if (group->last_rec)
		stored_at(a, group->last_rec)->next = rec;
	else
		group->recs = rec;
	group->last_rec = rec;
	group->n_recs++;
}

/* Forgets what arrived before any trace that is left began. */
static void arrivals_sweep(struct analysis *a)
{
	uint64_t oldest = a->now;
	struct arrival *arrival, *next;

	for (const struct trace *trace = a->traces; trace; trace = trace->hh.next)
		oldest = trace->begin_at < oldest ? trace->begin_at : oldest;
	HASH_ITER (hh, a->arrivals, arrival, next) {
		if (arrival->last_at >= oldest)
			continue;
		HASH_DEL(a->arrivals, arrival);
		free(arrival);
	}
}

/* Remembers that something coloured of this flow, and meant for it, was seen entering the node from this sender. */
static void note_arrival(struct analysis *a, const struct node *node, const struct vt_record *rec)
{
	struct arrival_key key;
	struct arrival *arrival;

	if (rec->loc != VT_LOC_IN || !(rec->flags & VT_REC_ENCAP) || rec->flags & (VT_REC_COLOURED | VT_REC_OTHERHOST))
		return;
	memset(&key, 0, sizeof(key));
	key.flow = intern_hash(&rec->flow, sizeof(rec->flow));
	memcpy(key.src, rec->outer_src, 16);
	key.node = node->index;
	HASH_FIND(hh, a->arrivals, &key, sizeof(key), arrival);
	if (!arrival) {
		if (HASH_COUNT(a->arrivals) >= ARRIVALS_MAX && a->now >= a->arrivals_swept + a->config.long_buffer_ns) {
			arrivals_sweep(a);
			a->arrivals_swept = a->now;
		}
		/* past the limit the answer is merely less certain */
		if (HASH_COUNT(a->arrivals) >= ARRIVALS_MAX || !(arrival = calloc(1, sizeof(*arrival))))
			return;
		arrival->key = key;
		HASH_ADD(hh, a->arrivals, key, sizeof(key), arrival);
	}
	arrival->last_at = a->now;
}

static bool trace_grow(struct trace *trace)
{
	uint32_t cap = trace->cap_claims ? trace->cap_claims * 2 : 64, *claims;

	if (trace->n_claims < trace->cap_claims)
		return true;
	claims = realloc(trace->claims, cap * sizeof(*claims));
	if (!claims)
		return false;
	trace->claims = claims;
	trace->cap_claims = cap;
	return true;
}

/* A COLOURED record of a task we know: a new packet of that task. False if there is no room for it. */
static bool take_coloured(struct analysis *a, const struct node *node, uint32_t group, uint32_t rec,
                          const struct vt_record *raw)
{
	bool reverse = raw->flags & VT_REC_REVERSE;
	struct member *member;
	struct trace *trace;
	uint32_t claim;

	HASH_FIND(hh, a->traces, &raw->task, sizeof(raw->task), trace);
	if (!trace)
		return true;
	member = member_get(trace, node);
	if (!member || !trace_grow(trace))
		return false;
	member->seen[reverse]++;
	trace->coloured[reverse]++;
	claim = group_claim(a, group, rec, trace, reverse);
	if (!claim)
		return false;
	trace->claims[trace->n_claims++] = claim;
	trace->unsettled++;
	return true;
}

static bool sane(const struct vt_record *rec)
{
	return rec->hop >= 1 && rec->hop <= VT_HOP_MAX && rec->loc >= VT_LOC_IN && rec->loc <= VT_LOC_ERROR;
}

/* A record finds no room: of what is known of its packets nothing can be said any more. */
static void tear(struct analysis *a, struct node *node, uint64_t id)
{
	uint32_t group = group_find(a, id);

	if (!group) {
		node_lost(a, node, 1);
		return;
	}
	group_at(a, group)->torn = true;
	group_touch(a, group);
	node_no_room(a, node);
}

static void take_record(struct analysis *a, struct node *node, const struct vt_log *log)
{
	const struct vt_record *rec = &log->rec;
	uint32_t group, number;

	a->stats.records++;
	node_take_seq(a, node, rec->seq);
	number = sane(rec) ? store(a, node, log) : 0;
	group = number ? group_get(a, rec->packet_id) : 0;
	if (!group) {
		if (number)
			unstore(a, number);
		tear(a, node, rec->packet_id);
		return;
	}
	group_append(a, group, number);
	merge_note(a, group, stored_at(a, number));
	note_arrival(a, node, rec);
	if (rec->loc == VT_LOC_ERROR && rec->flags & VT_REC_AFTER_OUT && log->cause != VT_CAUSE_VANISHED_IN_NODE)
		node_queue_dropped(node, rec->ifindex, a->now);
	if (rec->flags & VT_REC_COLOURED && !take_coloured(a, node, group, number, rec))
		node_no_room(a, node); /* the record itself is kept, and is nobody's */
	group_touch(a, group);
}

static void take_answer(struct analysis *a, struct node *node, const struct vt_item *item)
{
	struct member *member;
	struct trace *trace;

	HASH_FIND(hh, a->traces, &item->task, sizeof(item->task), trace);
	member = trace ? member_get(trace, node) : NULL;
	if (!member)
		return;
	if (item->type == VT_ITEM_ARMED) {
		member->restarted |= member->state == MEMBER_ARMED && member->boot != node->boot;
		member->state = trace->start_at ? MEMBER_LATE : MEMBER_ARMED;
		member->boot = node->boot;
		if (!trace->start_at)
			node_take_answer(node, trace->begin_at, a->now);
	} else if (item->type == VT_ITEM_FAILED) {
		member->state = MEMBER_FAILED;
		free(member->error);
		member->error = strndup(item->text, VT_EVIDENCE_MAX - 1);
	} else {
		member->stopped = true;
		member->heard_before = node->heard;
		if (trace->stop_at)
			node_take_answer(node, trace->stop_at, a->now);
		memcpy(member->final, item->coloured, sizeof(member->final));
	}
}

void intake_item(struct analysis *a, struct node *node, const struct vt_item *item)
{
	switch (item->type) {
	case VT_ITEM_RECORD:
		take_record(a, node, &item->log);
		break;
	case VT_ITEM_ARMED:
	case VT_ITEM_FAILED:
	case VT_ITEM_STOPPED:
		take_answer(a, node, item);
		break;
	case VT_ITEM_PROGRESS:
		node_take_progress(a, node, &item->progress);
		break;
	case VT_ITEM_NODE:
		node_take_info(a, node, &item->node);
		break;
	case VT_ITEM_STARTED:
		break; /* for whoever waits to send traffic; packets speak for themselves */
	}
}
