// SPDX-License-Identifier: BSD-3-Clause
/* See node.h. */
#include "analysis/node.h"

#include <stdlib.h>
#include <string.h>

struct node *node_find(const struct analysis *a, const char *name)
{
	struct node *node;

	HASH_FIND_STR(a->nodes_by_name, name, node);
	return node;
}

struct node *node_get(struct analysis *a, const char *name)
{
	struct node *node = node_find(a, name), **nodes;

	if (node || a->n_nodes >= a->config.max_nodes)
		return node;
	nodes = realloc(a->nodes, (a->n_nodes + 1) * sizeof(struct node *));
	if (!nodes)
		return NULL;
	a->nodes = nodes;
	node = calloc(1, sizeof(*node));
	if (!node)
		return NULL;
	strncpy(node->name, name, sizeof(node->name) - 1);
	node->index = (uint16_t)a->n_nodes;
	node->kind = VT_KIND_VSWITCH;
	a->nodes[a->n_nodes++] = node;
	HASH_ADD_STR(a->nodes_by_name, name, node);
	return node;
}

static void node_drop_addrs(struct analysis *a, struct node *node)
{
	for (uint32_t i = 0; i < node->n_addrs; i++) {
		struct node_addr *entry;

		HASH_FIND(hh, a->addrs, node->addrs[i], 16, entry);
		if (!entry)
			continue;
		entry->node_xor ^= node->index;
		if (--entry->claims == 0) {
			HASH_DEL(a->addrs, entry);
			free(entry);
		}
	}
	free(node->addrs);
	node->addrs = NULL;
	node->n_addrs = 0;
}

void nodes_free(struct analysis *a)
{
	struct arrival *arrival, *next;

	for (uint32_t i = 0; i < a->n_nodes; i++)
		node_drop_addrs(a, a->nodes[i]);
	HASH_CLEAR(hh, a->nodes_by_name);
	for (uint32_t i = 0; i < a->n_nodes; i++)
		free(a->nodes[i]);
	free(a->nodes);
	HASH_ITER (hh, a->arrivals, arrival, next) {
		HASH_DEL(a->arrivals, arrival);
		free(arrival);
	}
}

/* Makes room by joining the two oldest: the joined one covers both and what lies between. */
static struct incident *incident_new(struct node *node)
{
	struct incident *list = node->incidents;

	if (node->n_incidents == NODE_INCIDENTS) {
		if (list[0].to > list[1].to)
			list[1].to = list[0].to;
		if (list[0].from < list[1].from)
			list[1].from = list[0].from;
		list[1].kind = INCIDENT_LOST;
		memmove(list, list + 1, (NODE_INCIDENTS - 1) * sizeof(*list));
		node->n_incidents--;
	}
	return &list[node->n_incidents++];
}

void node_doubt(struct analysis *a, struct node *node)
{
	uint64_t since = node->heard_at < node->last_at ? node->heard_at : node->last_at;

	if (!node->doubted || since < node->doubt_since)
		node->doubt_since = since;
	a->doubt = node->doubted = true;
}

void node_take_answer(struct node *node, uint64_t asked, uint64_t now)
{
	node->lag = now > asked ? now - asked : 0;
}

static void incident_add(struct analysis *a, struct node *node, enum incident_kind kind, uint64_t to, uint64_t hole)
{
	struct incident *last = node->n_incidents ? &node->incidents[node->n_incidents - 1] : NULL;
	uint64_t from = kind == INCIDENT_LOST && node->heard_at < node->last_at ? node->heard_at : node->last_at;

	node_doubt(a, node);
	if ((kind == INCIDENT_LOST || kind == INCIDENT_FULL) && last && last->kind == kind && from <= last->to) {
		last->to = to; /* a ring that stays full is one incident */
		return;
	}
	*incident_new(node) = (struct incident){.kind = kind, .from = from, .to = to, .hole = hole};
}

/* Removes the incident of this kind (and hole); true if there was one. */
static bool incident_remove(struct node *node, enum incident_kind kind, uint64_t hole)
{
	for (unsigned int i = 0; i < node->n_incidents; i++) {
		struct incident *incident = &node->incidents[i];

		if (incident->kind != kind || incident->hole != hole)
			continue;
		memmove(incident, incident + 1, (node->n_incidents - i - 1) * sizeof(*incident));
		node->n_incidents--;
		return true;
	}
	return false;
}

static bool incident_has(const struct node *node, enum incident_kind kind)
{
	for (unsigned int i = 0; i < node->n_incidents; i++) {
		if (node->incidents[i].kind == kind)
			return true;
	}
	return false;
}

static void node_count_missing(struct analysis *a, struct node *node, uint64_t count)
{
	node->missing += count;
	a->stats.missing += count;
}

void node_lost(struct analysis *a, struct node *node, uint64_t count)
{
	node_count_missing(a, node, count);
	incident_add(a, node, INCIDENT_LOST, a->now, 0);
}

static bool is_former(const struct node *node, uint64_t boot)
{
	for (int i = 0; i < NODE_BOOTS; i++) {
		if (boot && node->former[i] == boot)
			return true;
	}
	return false;
}

void node_no_room(struct analysis *a, struct node *node)
{
	node_count_missing(a, node, 1);
	incident_add(a, node, INCIDENT_FULL, a->now, 0);
}

static void node_new_boot(struct analysis *a, struct node *node, const struct vt_batch *batch)
{
	if (node->seen)
		incident_add(a, node, INCIDENT_BOOT, a->now, 0);
	for (unsigned int i = 0; i < node->n_incidents; i++) {
		if (node->incidents[i].kind == INCIDENT_HOLE) /* of numbers that now mean other batches */
			node->incidents[i].kind = INCIDENT_LOST;
	}
	memmove(node->former + 1, node->former, (NODE_BOOTS - 1) * sizeof(node->former[0]));
	node->former[0] = node->boot;
	node->boot = batch->boot;
	node->next_number = 1;
	node->last_seq = node->lost = node->apart_at = 0;
	node->based = node->seen || batch->number == 1;
}

/* Batches next_number..number-1 did not come. Each is an incident of its own so that a late one can heal it. */
static void node_skip(struct analysis *a, struct node *node, uint64_t number)
{
	uint64_t first = node->next_number, holes = number - first;

	if (!node->seen && first == 1)
		return; /* we were started after the agent: what came before is of no trace of ours */
	if (holes > NODE_INCIDENTS / 2) {
		incident_add(a, node, INCIDENT_LOST, a->now, 0);
		return;
	}
	for (uint64_t hole = first; hole < number; hole++)
		incident_add(a, node, INCIDENT_HOLE, a->now, hole);
}

int node_take_batch(struct analysis *a, struct node *node, const struct vt_batch *batch)
{
	bool contiguous;

	if (is_former(node, batch->boot))
		return 0; /* a restart is known, and what was under way then counts as lost */
	node->kind = batch->kind;
	if (!node->seen || batch->boot != node->boot)
		node_new_boot(a, node, batch);
	if (batch->number < node->next_number) {
		if (!incident_remove(node, INCIDENT_HOLE, batch->number))
			return 0;
		node->seen = true;
		return 1;
	}
	contiguous = batch->number == node->next_number;
	if (!contiguous)
		node_skip(a, node, batch->number);
	if (node->down) {
		/* Only the connection broke: nothing is missing if the numbers go on. */
		incident_remove(node, INCIDENT_DOWN, 0);
		if (!contiguous)
			incident_add(a, node, INCIDENT_LOST, a->now, 0);
		node->down = false;
	}
	node->next_number = batch->number + 1;
	node->last_at = a->now;
	node->seen = true;
	return 1;
}

/* A record of a batch that came late: it had been counted as missing, perhaps before a trace began. */
static void node_found(struct analysis *a, struct node *node)
{
	if (!node->missing || !a->stats.missing)
		return;
	node->missing--;
	a->stats.missing--;
	for (struct trace *trace = a->traces; trace; trace = trace->hh.next) {
		struct member *member = member_find(trace, node);

		if (member && member->missing_before > node->missing)
			member->missing_before = node->missing;
	}
}

/* Everything up to number `seq` was sent before this moment, and has come by now, or is missing. */
static void expect_up_to(struct analysis *a, struct node *node, uint64_t seq)
{
	if (seq <= node->last_seq)
		return;
	if (node->last_seq || node->based) {
		node_count_missing(a, node, seq - node->last_seq);
		if (!incident_has(node, INCIDENT_HOLE)) /* else it is what the missing batch had, and may still come */
			incident_add(a, node, INCIDENT_LOST, a->now, 0);
	}
	node->last_seq = seq;
}

void node_take_seq(struct analysis *a, struct node *node, uint64_t seq)
{
	if (!seq)
		return;
	if (seq <= node->last_seq) {
		node_found(a, node);
		return;
	}
	expect_up_to(a, node, seq - 1);
	node->last_seq = seq;
}

/*
 * When a PROGRESS that comes now was said, by our clock; at the latest, since no PROGRESS ever took less time than that
 * which took the least, and neither clock gains on the other by more than 1 in 1024.
 */
static uint64_t said_at(const struct analysis *a, struct node *node, uint64_t time_ns)
{
	uint64_t apart = a->now - time_ns, allowed = node->apart + (a->now - node->apart_at) / 1024;

	if (!time_ns)
		return a->now;
	if (!node->apart_at || (int64_t)(allowed - apart) > 0)
		allowed = apart;
	node->apart = allowed;
	node->apart_at = a->now;
	return time_ns + allowed;
}

void node_take_progress(struct analysis *a, struct node *node, const struct vt_progress *progress)
{
	uint64_t lost = progress->lost, said = said_at(a, node, progress->time_ns);

	if (node->based && lost > node->lost)
		node_lost(a, node, lost - node->lost);
	node->lost = lost;
	expect_up_to(a, node, progress->seq);
	node->based = true;
	node->heard++;
	node->heard_at = a->now;
	if (said > node->progress_at)
		node->progress_at = said;
}

static bool node_has_addr(const struct node *node, const uint8_t addr[16])
{
	for (uint32_t i = 0; i < node->n_addrs; i++) {
		if (!memcmp(node->addrs[i], addr, 16))
			return true;
	}
	return false;
}

void node_take_info(struct analysis *a, struct node *node, const struct vt_node_info *info)
{
	uint32_t n = info->n_addrs < VT_NODE_ADDRS_MAX ? info->n_addrs : VT_NODE_ADDRS_MAX;

	node_drop_addrs(a, node);
	node->addrs = calloc(n ? n : 1, sizeof(*node->addrs));
	for (uint32_t i = 0; node->addrs && i < n; i++) {
		struct node_addr *entry;

		if (node_has_addr(node, info->addrs[i]))
			continue;
		HASH_FIND(hh, a->addrs, info->addrs[i], 16, entry);
		if (!entry) {
			entry = calloc(1, sizeof(*entry));
			if (!entry)
				return;
			memcpy(entry->addr, info->addrs[i], 16);
			HASH_ADD(hh, a->addrs, addr, 16, entry);
		}
		entry->claims++;
		entry->node_xor ^= node->index;
		memcpy(node->addrs[node->n_addrs++], info->addrs[i], 16);
	}
}

void node_down(struct analysis *a, struct node *node)
{
	if (node->down)
		return;
	node->down = true;
	incident_add(a, node, INCIDENT_DOWN, UINT64_MAX, 0);
}

struct node *node_by_addr(const struct analysis *a, const uint8_t addr[16])
{
	struct node_addr *entry;

	HASH_FIND(hh, a->addrs, addr, 16, entry);
	return entry && entry->claims == 1 ? a->nodes[entry->node_xor] : NULL;
}

bool addr_is_known(const struct analysis *a, const uint8_t addr[16])
{
	struct node_addr *entry;

	HASH_FIND(hh, a->addrs, addr, 16, entry);
	return entry != NULL;
}

bool node_complete(const struct node *node, uint64_t since)
{
	if (node->down)
		return false;
	for (unsigned int i = 0; i < node->n_incidents; i++) {
		if (node->incidents[i].to >= since)
			return false;
	}
	return true;
}

bool node_lost_between(const struct node *node, uint64_t from, uint64_t to)
{
	for (unsigned int i = 0; i < node->n_incidents; i++) {
		const struct incident *incident = &node->incidents[i];

		if (incident->kind != INCIDENT_FULL && incident->from <= to && incident->to >= from)
			return true;
	}
	return false;
}

struct member *member_get(struct trace *trace, const struct node *node)
{
	if (node->index >= trace->n_members) {
		uint32_t n = node->index + 1;
		struct member *members = realloc(trace->members, n * sizeof(*members));

		if (!members)
			return NULL;
		memset(members + trace->n_members, 0, (n - trace->n_members) * sizeof(*members));
		trace->members = members;
		trace->n_members = n;
	}
	return &trace->members[node->index];
}

bool member_complete(const struct trace *trace, const struct node *node, uint64_t since)
{
	const struct member *member = member_find(trace, node);

	return member && member->state == MEMBER_ARMED && member->boot == node->boot && !member->gone &&
	       node_complete(node, since);
}

void node_queue_dropped(struct node *node, uint32_t ifindex, uint64_t now)
{
	struct queue_drop *oldest = &node->queue_drops[0];

	for (int i = 0; i < NODE_QUEUES; i++) {
		struct queue_drop *drop = &node->queue_drops[i];

		if (drop->ifindex == ifindex) {
			drop->at = now;
			return;
		}
		if (drop->at < oldest->at)
			oldest = drop;
	}
	*oldest = (struct queue_drop){ifindex, now};
}

bool node_queue_drops(const struct node *node, uint32_t ifindex, uint64_t since)
{
	for (int i = 0; i < NODE_QUEUES; i++)
		if (node->queue_drops[i].ifindex == ifindex)
			return node->queue_drops[i].at >= since;
	return false;
}
