// SPDX-License-Identifier: BSD-3-Clause
/*
 * Feeding the analysis in tests: a handful of nodes that speak as agents do. A line of a test is one record or answer;
 * say() puts it into the node's open batch, send() hands the batch over.
 */
#ifndef VT_TEST_ANALYSIS_FEED_H
#define VT_TEST_ANALYSIS_FEED_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/analysis.h"

#define MS         1000000ULL
#define S          (1000 * MS)
#define FEED_START (100 * S)
#define FEED_ITEMS VT_BATCH_ITEMS_MAX

struct feed_node {
	struct vt_batch batch;
	struct vt_item items[FEED_ITEMS];
	uint64_t clock_ns, seq;
	uint8_t last; /* of its address 192.0.2.last */
};

static inline void feed_addr(uint8_t addr[16], uint8_t last)
{
	static const uint8_t base[16] = {[10] = 0xff, 0xff, 192, 0, 2};

	memcpy(addr, base, 16);
	addr[15] = last;
}

static inline struct vt_item *say(struct feed_node *node, enum vt_item_type type)
{
	struct vt_item *item = &node->items[node->batch.n_items++];

	memset(item, 0, sizeof(*item));
	item->type = type;
	return item;
}

/* Hands the open batch over; returns what analysis_batch() says. */
static inline int send(struct analysis *a, struct feed_node *node, uint64_t now)
{
	int ret;

	node->batch.number++;
	node->batch.items = node->items;
	ret = analysis_batch(a, &node->batch, now);
	node->batch.n_items = 0;
	return ret;
}

static inline struct feed_node *feed_node(const char *name, uint8_t last)
{
	struct feed_node *node = calloc(1, sizeof(*node));
	struct vt_item *item = say(node, VT_ITEM_NODE);

	snprintf(node->batch.node, VT_NODE_MAX, "%s", name);
	node->batch.kind = VT_KIND_VSWITCH;
	node->batch.boot = 1;
	node->last = last;
	node->clock_ns = last * S; /* clocks of nodes have nothing to do with each other */
	item->node.n_addrs = 1;
	feed_addr(item->node.addrs[0], last);
	return node;
}

static inline struct vt_record *record(struct feed_node *node, enum vt_loc loc, unsigned int hop, uint64_t id,
                                       const char *device)
{
	struct vt_log *log = &say(node, VT_ITEM_RECORD)->log;
	struct vt_record *rec = &log->rec;

	rec->version = VT_RECORD_VERSION;
	rec->loc = (__u8)loc;
	rec->hop = (__u8)hop;
	rec->packet_id = id;
	rec->time_ns = node->clock_ns += 1000;
	rec->seq = ++node->seq;
	rec->vni = 100;
	rec->length = 60;
	rec->segments = 1;
	rec->ifindex = (__u32)(device[0] * 256 + device[strlen(device) - 1]);
	rec->flow.proto = 17;
	rec->flow.family = 4;
	feed_addr(rec->flow.src, 101);
	feed_addr(rec->flow.dst, 102);
	rec->flow.sport = 4000;
	rec->flow.dport = 53;
	snprintf(log->device, sizeof(log->device), "%s", device);
	return rec;
}

static inline struct vt_record *colour(struct feed_node *node, uint64_t id, uint32_t task)
{
	struct vt_record *rec = record(node, VT_LOC_IN, 1, id, "vm1");

	rec->flags = VT_REC_COLOURED;
	rec->task = task;
	return rec;
}

static inline struct vt_record *outside(struct vt_record *rec, uint8_t src, uint8_t dst)
{
	rec->flags |= VT_REC_ENCAP;
	feed_addr(rec->outer_src, src);
	feed_addr(rec->outer_dst, dst);
	return rec;
}

static inline void leave(struct feed_node *node, unsigned int hop, uint64_t id, const struct feed_node *to)
{
	outside(record(node, VT_LOC_OUT, hop, id, "eth0"), node->last, to->last);
}

static inline void enter(struct feed_node *node, unsigned int hop, uint64_t id, const struct feed_node *from)
{
	outside(record(node, VT_LOC_IN, hop, id, "eth0"), from->last, node->last);
}

static inline void deliver(struct feed_node *node, unsigned int hop, uint64_t id)
{
	record(node, VT_LOC_OUT, hop, id, "vm2");
}

static inline struct vt_log *drop(struct feed_node *node, unsigned int hop, uint64_t id, const char *evidence)
{
	record(node, VT_LOC_ERROR, hop, id, "vm2");

	struct vt_log *log = &node->items[node->batch.n_items - 1].log;

	log->cause = VT_CAUSE_POLICY_NFT_RULE;
	snprintf(log->reason, sizeof(log->reason), "NETFILTER_DROP");
	snprintf(log->evidence, sizeof(log->evidence), "%s", evidence);
	return log;
}

/* Said at this time of the node's clock; progress() leaves that open, it is taken as said when it comes. */
static inline void progress_of_time(struct feed_node *node, uint64_t lost, uint64_t time_ns)
{
	say(node, VT_ITEM_PROGRESS)->progress = (struct vt_progress){.lost = lost, .time_ns = time_ns};
}

static inline void progress_of_seq(struct feed_node *node, uint64_t lost, uint64_t seq)
{
	say(node, VT_ITEM_PROGRESS)->progress = (struct vt_progress){.lost = lost, .seq = seq};
}

static inline void progress(struct feed_node *node, uint64_t lost)
{
	progress_of_time(node, lost, 0);
}

static inline void stopped(struct feed_node *node, uint32_t task, uint64_t forward, uint64_t reverse)
{
	struct vt_item *item = say(node, VT_ITEM_STOPPED);

	item->task = task;
	item->coloured[0] = forward;
	item->coloured[1] = reverse;
}

static inline struct vt_task feed_task(uint32_t id, uint32_t count)
{
	return (struct vt_task){.id = id, .packet_count = count, .trace_time_ms = 10000};
}

#endif
