// SPDX-License-Identifier: BSD-3-Clause
/* The analysis as one object: making, feeding, advancing (analysis.h). What it knows is in model.h. */
#include "analysis/analysis.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/group.h"
#include "analysis/intake.h"
#include "analysis/node.h"
#include "analysis/owner.h"
#include "analysis/tally.h"
#include "analysis/walk.h"

#define MS 1000000ULL

/* Different words about drops in memory: the counters in some evidence texts make nearly each one different. */
#define DETAILS_MAX 65536

/* Limits of what is interned, as multiples: together with the pools they bound the memory (docs/benchmarks.md). */
#define PACKET_FLOWS 4  /* before and after translation, and as much for what no packet claims */
#define NODE_OUTERS  64 /* pairs of tunnel ends: a node sends to as many others */
#define NODE_DEVICES 64 /* names; most nodes have the same ones */

/* Small analyses, as in tests, are not held to so little that one packet fills them. */
static uint32_t intern_limit(uint32_t of, uint32_t times)
{
	uint64_t limit = (uint64_t)of * times + 256;

	return limit < UINT32_MAX ? (uint32_t)limit : UINT32_MAX;
}

static void set_defaults(struct analysis_config *config)
{
	config->settle_ns = config->settle_ns ? config->settle_ns : 30 * MS;
	config->short_buffer_ns = config->short_buffer_ns ? config->short_buffer_ns : 1000 * MS;
	config->long_buffer_ns = config->long_buffer_ns ? config->long_buffer_ns : 4000 * MS;
	config->max_packets = config->max_packets ? config->max_packets : 1000000;
	config->max_records = config->max_records ? config->max_records : 8000000;
	config->max_nodes = config->max_nodes ? config->max_nodes : 4096;
	if (config->max_nodes > UINT16_MAX)
		config->max_nodes = UINT16_MAX; /* a stored record keeps 16 bits */
}

struct analysis *analysis_new(const struct analysis_config *config)
{
	struct analysis *a = calloc(1, sizeof(*a));

	if (!a)
		return NULL;
	if (config)
		a->config = *config;
	set_defaults(&a->config);
	pool_init(&a->recs, sizeof(struct stored), a->config.max_records);
	pool_init(&a->groups, sizeof(struct group), a->config.max_records);
	pool_init(&a->claims, sizeof(struct claim), a->config.max_packets);
	pool_init(&a->merges, sizeof(struct merge_entry), a->config.max_records);
	intern_init(&a->flows, intern_limit(a->config.max_packets, PACKET_FLOWS));
	intern_init(&a->outers, intern_limit(a->config.max_nodes, NODE_OUTERS));
	intern_init(&a->devices, intern_limit(a->config.max_nodes, NODE_DEVICES));
	intern_init(&a->details, DETAILS_MAX);
	a->random = 0x9e3779b97f4a7c15ULL;
	return a;
}

static void trace_free(struct analysis *a, struct trace *trace)
{
	HASH_DEL(a->traces, trace);
	for (uint32_t i = 0; i < trace->n_claims; i++)
		group_unclaim(a, trace->claims[i]);
	tally_free(a, trace);
	for (uint32_t i = 0; i < trace->n_members; i++)
		free(trace->members[i].error);
	free(trace->members);
	free(trace->claims);
	free(trace);
}

void analysis_free(struct analysis *a)
{
	struct trace *trace, *next;

	if (!a)
		return;
	HASH_ITER (hh, a->traces, trace, next)
		trace_free(a, trace);
	nodes_free(a);
	owner_free(a);
	walk_free(a);
	pool_done(&a->recs);
	pool_done(&a->groups);
	pool_done(&a->claims);
	pool_done(&a->merges);
	intern_done(&a->flows);
	intern_done(&a->outers);
	intern_done(&a->devices);
	intern_done(&a->details);
	free(a->ids);
	free(a->merge_heads);
	free(a);
}

/* The caller's clock never goes back for us. */
static void set_now(struct analysis *a, uint64_t now)
{
	if (now > a->now)
		a->now = now;
}

static struct trace *trace_find(const struct analysis *a, uint32_t task)
{
	struct trace *trace;

	HASH_FIND(hh, a->traces, &task, sizeof(task), trace);
	return trace;
}

int analysis_begin(struct analysis *a, const struct vt_task *task, uint64_t now)
{
	struct trace *trace;

	set_now(a, now);
	if (trace_find(a, task->id))
		return -EEXIST;
	if (HASH_COUNT(a->traces) >= TRACES_MAX)
		return -ENOSPC;
	trace = calloc(1, sizeof(*trace));
	if (!trace)
		return -ENOMEM;
	trace->task = *task;
	trace->begin_at = a->now;
	HASH_ADD(hh, a->traces, task.id, sizeof(task->id), trace);
	for (uint32_t i = 0; i < a->n_nodes; i++) {
		struct member *member = member_get(trace, a->nodes[i]);

		if (member)
			member->missing_before = a->nodes[i]->missing;
	}
	return 0;
}

/* 0 means "not yet" in the trace, so a clock that begins at 0 counts as 1. */
static uint64_t moment(const struct analysis *a)
{
	return a->now ? a->now : 1;
}

void analysis_start(struct analysis *a, uint32_t task, uint64_t now)
{
	struct trace *trace = trace_find(a, task);

	set_now(a, now);
	if (trace && !trace->start_at)
		trace->start_at = moment(a);
}

void analysis_stop(struct analysis *a, uint32_t task, uint64_t now)
{
	struct trace *trace = trace_find(a, task);

	set_now(a, now);
	if (trace && !trace->stop_at)
		trace->stop_at = moment(a);
}

void analysis_give_up(struct analysis *a, uint32_t task, uint64_t now)
{
	struct trace *trace = trace_find(a, task);

	set_now(a, now);
	for (uint32_t i = 0; trace && i < trace->n_members; i++) {
		struct member *member = &trace->members[i];

		if ((member->state != MEMBER_ARMED && member->state != MEMBER_LATE) || member->stopped)
			continue;
		member->gone = true;
		node_doubt(a, a->nodes[i]);
	}
	groups_doubt(a);
}

void analysis_end(struct analysis *a, uint32_t task)
{
	struct trace *trace = trace_find(a, task);

	if (trace)
		trace_free(a, trace);
}

/*
 * Past max_nodes: the node's records are lost, and nobody is blamed for want of them. That it is armed counts too: from
 * then on it has records to lose.
 */
static void take_stranger(struct analysis *a, const struct vt_batch *batch)
{
	uint64_t records = 0;

	for (uint32_t i = 0; i < batch->n_items; i++)
		records += batch->items[i].type == VT_ITEM_RECORD || batch->items[i].type == VT_ITEM_ARMED;
	a->stats.batches++;
	a->stats.missing += records;
	for (struct trace *trace = a->traces; trace; trace = trace->hh.next)
		trace->missing += records;
}

int analysis_batch(struct analysis *a, const struct vt_batch *batch, uint64_t now)
{
	struct node *node;

	set_now(a, now);
	node = node_get(a, batch->node);
	if (!node) {
		take_stranger(a, batch);
		return 1;
	}
	if (!node_take_batch(a, node, batch)) {
		a->stats.duplicate_batches++;
		return 0;
	}
	a->stats.batches++;
	for (uint32_t i = 0; i < batch->n_items; i++)
		intake_item(a, node, &batch->items[i]);
	groups_doubt(a);
	return 1;
}

void analysis_node_down(struct analysis *a, const char *name, uint64_t now)
{
	struct node *node = node_find(a, name);

	set_now(a, now);
	if (node)
		node_down(a, node);
	groups_doubt(a);
}

uint64_t analysis_advance(struct analysis *a, uint64_t now)
{
	uint64_t next;

	set_now(a, now);
	next = groups_advance(a);
	for (struct trace *trace = a->traces; trace; trace = trace->hh.next) {
		uint64_t give_up = trace->stop_at + a->config.long_buffer_ns;

		/* see result.c: until then records of packets that a node says it coloured are awaited */
		if (trace->stop_at && give_up > a->now && give_up < next)
			next = give_up;
	}
	return next;
}
