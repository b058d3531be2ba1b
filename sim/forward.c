// SPDX-License-Identifier: BSD-3-Clause
/*
 * A packet's way: it enters a node, something may befall it there, it leaves for the next node or for its receiver. The
 * hooks lie where Linux has them: ingress before everything, egress before the queue, so a queue's drop comes after
 * `out`. Colour is one number: the hop, on the wire in the outer DSCP, at a node in the packet's mark.
 *
 * What the analysis may take for granted, and so the world keeps: between two hooks a packet is under way for less than
 * short_buffer (1 s), unless it waits in a queue that was seen dropping, and a kernel reports a drop within long_buffer
 * (4 s). Whatever else takes longer would be called lost by anybody. And a path of the underlay treats the DSCP in the
 * same way for as long as a trace runs: one that clears it now and then does what a lossy one does. Nor does the
 * underlay double a packet that has an equal: a doubled one beside a lost one looks like two that arrived.
 */
#include "sim/world.h"

#include <stdio.h>
#include <string.h>

#define ETH0       2
#define EXT0       5
#define QUEUE_WAIT (2500 * MS) /* a queue that drops may hold what it took for this long */

static struct node *node_of(struct world *w, const struct copy *copy)
{
	return &w->nodes[copy->route->nodes[copy->at]];
}

static const char *port_name(struct world *w, uint32_t port)
{
	char *name = arena_take(&w->arena, 16);

	snprintf(name, 16, "vm%u", port);
	return name;
}

static bool is_last(const struct copy *copy)
{
	return copy->at + 1 == copy->route->n;
}

/* By which device it leaves the node. */
static const char *way_out(struct world *w, const struct copy *copy, uint32_t *ret_ifindex)
{
	if (!is_last(copy)) {
		*ret_ifindex = ETH0;
		return "eth0";
	}
	if (copy->route->end == WAY_WORLD) {
		*ret_ifindex = EXT0;
		return "ext0";
	}
	*ret_ifindex = copy->route->port;
	return port_name(w, copy->route->port);
}

static void encapsulate(struct world *w, struct copy *copy)
{
	const struct node *node = node_of(w, copy), *next = &w->nodes[copy->route->nodes[copy->at + 1]];

	memcpy(copy->outer_src, node_addr(node, copy->packet->flow->hash), 16);
	memcpy(copy->outer_dst, node_addr(next, copy->packet->flow->hash / 4), 16);
}

static struct copy *clone(struct world *w, const struct copy *copy)
{
	struct copy *twin = arena_take(&w->arena, sizeof(*twin));

	*twin = *copy;
	twin->riders = NULL; /* what is flooded or doubled has none */
	twin->next = NULL;
	twin->packet->alive++;
	w->alive++;
	return twin;
}

void copy_lost(struct world *w, struct copy *copy, enum end_kind kind, uint16_t next, const struct fault *fault,
               const char *device)
{
	truth_end(w, copy, kind, node_of(w, copy)->index, next, fault, device);
}

static bool watched(const struct node *node, const struct copy *copy)
{
	return copy->colour && datapath_attached(node);
}

/* --- on the wire -------------------------------------------------------------------------------------------------- */

static void arrive(struct world *w, void *what, uint64_t number)
{
	struct copy *copy = what;

	copy->at++;
	if (!offload_hold(w, copy, false))
		copy_enter(w, copy);
}

/* Software segmentation behind the hook: the first piece keeps the id, the others are packets of their own. */
static void cut_up(struct world *w, struct copy *copy)
{
	uint32_t piece = copy->payload / copy->segments, pieces = copy->segments;

	for (uint32_t i = 1; i < pieces; i++) {
		struct copy *part = clone(w, copy);

		copy->packet->alive--;
		part->packet = truth_packet(w, copy->packet->flow, copy->packet->id * 31 + i);
		part->packet->alive = 1;
		part->seq = copy->seq + i * piece;
		part->payload = piece;
		part->segments = 1;
		events_add(&w->events, w->now + 30 * US + i * US, arrive, part, 0);
	}
	copy->length -= copy->payload - piece;
	copy->payload = piece;
	copy->segments = 1;
}

/* What offload had merged is cut up again for the wire: the segments are themselves again. */
static void part(struct world *w, struct copy *copy)
{
	for (struct copy *rider = copy->riders, *next; rider; rider = next) {
		uint32_t payload = rider->payload, length = rider->length, seq = rider->seq;
		uint16_t segments = rider->segments;
		struct packet *packet = rider->packet;

		next = rider->next;
		copy->payload -= payload;
		copy->length -= payload;
		copy->segments = (uint16_t)(copy->segments - segments);
		*rider = *copy;
		rider->packet = packet;
		rider->payload = payload;
		rider->length = length;
		rider->seq = seq;
		rider->segments = segments;
		rider->riders = rider->next = NULL;
		events_add(&w->events, w->now + 30 * US + random_between(&w->rnd, 1 * US, 20 * US), arrive, rider, 0);
	}
	copy->riders = NULL;
}

static uint64_t wire_time(struct world *w)
{
	if (random_percent(&w->rnd, 5)) /* overtaken by others */
		return random_between(&w->rnd, 100 * US, 8 * MS);
	return random_between(&w->rnd, 20 * US, 200 * US);
}

/* Packets of this flow may have one id: nothing in them differs. */
static bool has_equals(const struct flow *flow)
{
	return flow->no_ip_id && (flow->tuple.proto == 6 ? !flow->timestamps : flow->same_payload);
}

static void stray_enters(struct world *w, void *what, uint64_t number)
{
	struct node *node = &w->nodes[number];

	if (datapath_attached(node))
		datapath_log(w, node, what, VT_LOC_IN, VT_REC_ENCAP | VT_REC_OTHERHOST, ETH0, "eth0", NULL);
}

/* A switch of the underlay floods: copies reach nodes that they are not for, are seen coming in, and are thrown away.
 */
static void flood_underlay(struct world *w, const struct copy *copy, uint16_t next)
{
	uint32_t n = random_percent(&w->switches, w->strays_percent) ? 1 + random_below(&w->switches, 3) : 0;

	for (; n && copy->colour; n--) {
		uint32_t node = random_below(&w->switches, w->n_nodes);
		struct copy *stray;

		if (node == next || node == node_of(w, copy)->index)
			continue;
		stray = arena_take(&w->arena, sizeof(*stray));
		*stray = *copy;
		stray->riders = stray->next = NULL;
		stray->no_mark = false;
		events_add(&w->events, w->now + random_between(&w->switches, 20 * US, 200 * US), stray_enters, stray,
		           node);
	}
}

static void cross(struct world *w, void *what, uint64_t number)
{
	struct copy *copy = what;
	const struct node *node = node_of(w, copy);
	uint16_t next = copy->route->nodes[copy->at + 1];

	if (copy->colour == VT_HOP_MAX)
		truth_blind(w, copy, BLIND_HOPS, node->index, next);
	else if (copy->colour)
		copy->colour++;
	flood_underlay(w, copy, next);
	if (fault_at(w, node->index, next, copy, 1 << FAULT_LINK)) {
		copy_lost(w, copy, END_BETWEEN, next, NULL, NULL);
		return;
	}
	if (fault_at(w, node->index, next, copy, 1 << FAULT_BLEACH))
		truth_blind(w, copy, BLIND_BLEACHED, node->index, next);
	if (!copy->riders && !has_equals(copy->packet->flow) &&
	    fault_at(w, node->index, next, copy, 1 << FAULT_DUPLICATE))
		events_add(&w->events, w->now + wire_time(w), arrive, clone(w, copy), 0);
	copy->no_mark = false; /* the mark does not cross a wire */
	if (copy->riders && random_percent(&w->rnd, 50))
		part(w, copy);
	if (copy->segments > 1 && !copy->riders && random_percent(&w->rnd, 30))
		cut_up(w, copy);
	events_add(&w->events, w->now + wire_time(w), arrive, copy, 0);
}

/* --- leaving ------------------------------------------------------------------------------------------------------ */

static void received(struct world *w, void *what, uint64_t number)
{
	copy_lost(w, what, END_DELIVERED, 0, NULL, NULL);
}

/* The queue behind the egress hook: drops, or holds the packet for a while. */
static void enqueue(struct world *w, struct copy *copy, uint32_t ifindex, const char *device)
{
	struct node *node = node_of(w, copy);
	struct fault *queue = is_last(copy) ? NULL : fault_at(w, node->index, -1, copy, 1 << FAULT_QUEUE);
	uint64_t wait = random_between(&w->rnd, 0, 20 * US);

	if (queue && queue->hits % queue->one_in == 0) {
		if (watched(node, copy)) {
			datapath_log(w, node, copy, VT_LOC_ERROR, VT_REC_AFTER_OUT | VT_REC_OUTER | VT_REC_ENCAP,
			             ifindex, device, queue);
			queue->last_hit = w->now;
		}
		copy_lost(w, copy, END_DROPPED, 0, queue, device);
		return;
	}
	if (queue)
		wait = random_between(&w->rnd, 0, queue->last_hit ? QUEUE_WAIT : 500 * MS);
	events_add(&w->events, w->now + wait, is_last(copy) ? received : cross, copy, 0);
}

static void leave(struct world *w, struct copy *copy)
{
	struct node *node = node_of(w, copy);
	uint32_t ifindex;
	const char *device = way_out(w, copy, &ifindex);
	uint16_t flags = 0;

	copy->encap = !is_last(copy);
	if (copy->encap) {
		encapsulate(w, copy);
		flags = VT_REC_ENCAP | (copy->colour == VT_HOP_MAX ? VT_REC_HOP_LIMIT : 0);
	}
	if (watched(node, copy))
		datapath_log(w, node, copy, VT_LOC_OUT, flags, ifindex, device, NULL);
	else
		truth_blind(w, copy, BLIND_UNWATCHED, node->index, node->index);
	enqueue(w, copy, ifindex, device);
}

static void flood(struct world *w, const struct copy *copy)
{
	if (copy->route->flood_at != copy->at)
		return;
	for (uint32_t i = 0; i < copy->route->n_floods; i++) {
		struct copy *twin = clone(w, copy);

		twin->route = copy->route->floods[i];
		leave(w, twin);
	}
}

/* --- inside a node ------------------------------------------------------------------------------------------------ */

static void translate(struct world *w, struct copy *copy)
{
	const struct flow *flow = copy->packet->flow;

	for (uint32_t i = 0; i < flow->n_translations; i++) {
		if (flow->translations[i].node != node_of(w, copy)->index)
			continue;
		copy->tuple = flow->translations[i].flow;
		copy->vni = flow->translations[i].vni;
		if (copy->frag_flags & VT_REC_LATER_FRAG)
			copy->tuple.sport = copy->tuple.dport = 0;
	}
}

static void drop(struct world *w, void *what, uint64_t number)
{
	struct copy *copy = what;
	const struct fault *fault = w->faults[number];
	struct node *node = node_of(w, copy);
	uint32_t ifindex;
	const char *device = way_out(w, copy, &ifindex);

	if (watched(node, copy))
		datapath_log(w, node, copy, VT_LOC_ERROR, 0, ifindex, device, fault);
	copy_lost(w, copy, END_DROPPED, 0, fault, device);
}

static void refuse(struct world *w, void *what, uint64_t number)
{
	struct copy *copy = what;
	const struct fault *fault = w->faults[number];

	if (watched(node_of(w, copy), copy))
		datapath_log(w, node_of(w, copy), copy, VT_LOC_ERROR, 0, ETH0, "eth0", fault);
	copy_lost(w, copy, END_DROPPED, 0, fault, "eth0");
}

/* The node's own stack takes the packet; nobody listens there, so it is dropped after all. */
static void take_in(struct world *w, struct copy *copy, const struct fault *fault)
{
	if (watched(node_of(w, copy), copy))
		datapath_log(w, node_of(w, copy), copy, VT_LOC_OUT, VT_REC_LOCAL, ETH0, "eth0", NULL);
	events_add(&w->events, w->now + random_between(&w->rnd, 1 * US, 5 * US), refuse, copy, fault->index);
}

static void go_on(struct world *w, struct copy *copy)
{
	translate(w, copy);
	if (is_last(copy) && copy->route->end == WAY_LOCAL) {
		if (watched(node_of(w, copy), copy))
			datapath_log(w, node_of(w, copy), copy, VT_LOC_OUT, VT_REC_LOCAL, ETH0, "eth0", NULL);
		copy_lost(w, copy, END_DELIVERED, 0, NULL, NULL);
		return;
	}
	flood(w, copy);
	leave(w, copy);
}

static void decide(struct world *w, void *what, uint64_t number)
{
	struct copy *copy = what;
	struct node *node = node_of(w, copy);
	struct fault *fault =
	    fault_at(w, node->index, -1, copy,
	             1 << FAULT_DROP | 1 << FAULT_LATE | 1 << FAULT_STOLEN | 1 << FAULT_ERASED | 1 << FAULT_LOCAL);

	if (!fault) {
		go_on(w, copy);
		return;
	}
	if (fault->behind_nat)
		translate(w, copy);
	switch (fault->kind) {
	case FAULT_DROP:
		drop(w, copy, fault->index);
		return;
	case FAULT_LATE:
		events_add(&w->events, w->now + fault->late_ns, drop, copy, fault->index);
		return;
	case FAULT_STOLEN:
		if (fault->index % 2 && watched(node, copy)) /* by a filter, which can be seen */
			datapath_log(w, node, copy, VT_LOC_ERROR, 0, ETH0, "eth0", fault);
		copy_lost(w, copy, END_SILENT, 0, fault, NULL);
		return;
	case FAULT_LOCAL:
		take_in(w, copy, fault);
		return;
	case FAULT_ERASED:
		truth_blind(w, copy, BLIND_ERASED, node->index, node->index);
		break;
	case FAULT_QUEUE:
	case FAULT_LINK:
	case FAULT_BLEACH:
	case FAULT_DUPLICATE:
	case FAULT_COUNT:
		break;
	}
	go_on(w, copy);
}

void copy_process(struct world *w, struct copy *copy)
{
	struct node *node = node_of(w, copy);

	if (copy->encap && node->reassembles && copy->frag_flags & VT_REC_LATER_FRAG)
		truth_blind(w, copy, BLIND_MERGED, node->index, node->index);
	if (copy->colour && random_percent(&w->rnd, 2))
		copy->no_mark = true; /* a rule of others overwrites the mark; the second carrier stays */
	events_add(&w->events, w->now + random_between(&w->rnd, 2 * US, 60 * US), decide, copy, 0);
}

void copy_enter(struct world *w, struct copy *copy)
{
	struct node *node = node_of(w, copy);

	if (!copy->encap) {
		const struct flow *flow = copy->packet->flow;

		if (datapath_attached(node))
			datapath_colour(w, node, copy, flow->from_world ? EXT0 : flow->port,
			                flow->from_world ? "ext0" : port_name(w, flow->port));
		copy_process(w, copy);
		return;
	}
	if (watched(node, copy))
		datapath_log(w, node, copy, VT_LOC_IN, VT_REC_ENCAP, ETH0, "eth0", NULL);
	else
		truth_blind(w, copy, BLIND_UNWATCHED, node->index, node->index);
	if (!offload_hold(w, copy, true))
		copy_process(w, copy);
}

void copy_send(struct world *w, struct copy *copy)
{
	copy->packet->alive = 1;
	w->alive++;
	copy_enter(w, copy);
}
