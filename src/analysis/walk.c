// SPDX-License-Identifier: BSD-3-Clause
/*
 * See walk.h. A packet's records of one node at one hop are a station. Stations form a tree, since a flooded packet
 * branches: the parent of a station is the station of the hop before with the `out` that led to it, found by tunnel
 * ends or by who owns the outer destination address. Each branch ends in a leaf, and the leaves decide: one delivered
 * copy makes the packet delivered; otherwise a branch that we cannot see to its end forbids any claim; otherwise the
 * drop furthest down is it.
 *
 * A station that nothing leads to (records of the hop between are missing) is loose. It proves that the packet got
 * there, so an end before it is no end.
 */
#include "analysis/walk.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/merge.h"
#include "analysis/node.h"

#define STATION_NONE (-1)

struct station {
	uint32_t first, end; /* records */
	uint8_t hop;
	uint16_t node;
	int parent;                      /* station, or STATION_NONE */
	const struct stored *parent_out; /* the parent's record that led here */
	uint32_t came, ended;            /* copies that came in; that left or were dropped */
};

struct walk_scratch {
	uint32_t cap;
	struct station *stations;
	bool *cancelled; /* recs[i] is an `out` that a later error took back */
	bool *led_on;    /* recs[i] is an `out` with a station behind it */
};

struct walker {
	struct analysis *a;
	struct walk_scratch *s;
	const struct owned *owned;
	const struct stored **recs; /* of this packet */
	uint32_t group, p, n_recs, n_stations;
	unsigned int depth;
	struct trail *trail;
	int leaf_station;
	int deepest_loose; /* hop of the last loose station, 0 for none */
	uint64_t since;    /* what happened before, by arrival, is of no concern */
};

static void scratch_free(struct walk_scratch *s)
{
	if (!s)
		return;
	free(s->stations);
	free(s->cancelled);
	free(s->led_on);
	free(s);
}

void walk_free(struct analysis *a)
{
	for (unsigned int i = 0; i < MERGE_DEPTH; i++)
		scratch_free(a->walk[i]);
}

static struct walk_scratch *scratch_get(struct analysis *a, uint32_t n_recs, unsigned int depth)
{
	struct walk_scratch *s = a->walk[depth];
	uint32_t cap = 64;

	if (s && s->cap >= n_recs)
		return s;
	while (cap < n_recs)
		cap *= 2;
	scratch_free(s);
	s = a->walk[depth] = calloc(1, sizeof(*s));
	if (!s)
		return NULL;
	s->stations = calloc(cap, sizeof(*s->stations));
	s->cancelled = calloc(cap, sizeof(*s->cancelled));
	s->led_on = calloc(cap, sizeof(*s->led_on));
	if (!s->stations || !s->cancelled || !s->led_on) {
		scratch_free(s);
		a->walk[depth] = NULL;
		return NULL;
	}
	s->cap = cap;
	return s;
}

static void add_node(struct trail *trail, uint16_t node)
{
	for (unsigned int i = 0; i < trail->n_nodes && i < TRAIL_NODES; i++) {
		if (trail->nodes[i] == node)
			return;
	}
	if (trail->n_nodes < TRAIL_NODES)
		trail->nodes[trail->n_nodes] = node;
	trail->n_nodes++;
}

/*
 * A drop takes the last `out` before it on its device back: one behind the egress hook (a queue, a driver), or one in
 * the node's own stack (no listener) after the stack had taken the packet.
 */
static void cancel_out(struct walker *w, const struct station *station, uint32_t error)
{
	bool after_out = w->recs[error]->flags & VT_REC_AFTER_OUT;

	for (uint32_t i = error; i-- > station->first;) {
		if (w->recs[i]->loc == VT_LOC_OUT && !w->s->cancelled[i] &&
		    (after_out || w->recs[i]->flags & VT_REC_LOCAL) && w->recs[i]->ifindex == w->recs[error]->ifindex) {
			w->s->cancelled[i] = true;
			return;
		}
	}
}

/* Coloured for several tasks, a packet has a record `in` for each, of the same moment. */
static bool is_again(const struct walker *w, uint32_t i)
{
	return i && w->recs[i]->flags & w->recs[i - 1]->flags & VT_REC_COLOURED &&
	       w->recs[i]->time_ns == w->recs[i - 1]->time_ns && w->recs[i]->node == w->recs[i - 1]->node;
}

static void count_copies(const struct walker *w, struct station *station)
{
	for (uint32_t i = station->first; i < station->end; i++) {
		if (w->recs[i]->loc == VT_LOC_IN)
			station->came += !is_again(w, i);
		else
			station->ended += !w->s->cancelled[i];
	}
}

static void build_stations(struct walker *w)
{
	for (uint32_t first = 0, end; first < w->n_recs; first = end) {
		struct station *station = &w->s->stations[w->n_stations++];
		const struct stored *rec = w->recs[first];

		*station = (struct station){.first = first, .hop = rec->hop, .node = rec->node, .parent = STATION_NONE};
		add_node(w->trail, rec->node);
		for (end = first; end < w->n_recs && w->recs[end]->hop == rec->hop && w->recs[end]->node == rec->node;
		     end++) {
			w->s->cancelled[end] = w->s->led_on[end] = false;
			if (w->recs[end]->loc == VT_LOC_ERROR)
				cancel_out(w, station, end);
		}
		station->end = end;
		count_copies(w, station);
	}
}

static bool goes_on(const struct walker *w, uint32_t i)
{
	const struct stored *rec = w->recs[i];

	return rec->loc == VT_LOC_OUT && !w->s->cancelled[i] && rec->flags & VT_REC_ENCAP &&
	       !(rec->flags & (VT_REC_LOCAL | VT_REC_HOP_LIMIT));
}

static struct node *target_of(const struct walker *w, const struct stored *out)
{
	const struct outer *outer = intern_get(&w->a->outers, out->outer);

	return outer ? node_by_addr(w->a, outer->dst) : NULL;
}

static bool leads_to(const struct walker *w, uint32_t out, const struct station *station)
{
	const struct stored *rec = w->recs[out], *first = w->recs[station->first];
	const struct node *target;

	if (rec->outer && rec->outer == first->outer)
		return true;
	target = target_of(w, rec);
	return target && target->index == station->node;
}

/*
 * Nothing leads to this station, so records are missing. But it comes in with the flow with which it left the VFD
 * before, and from where it came is on the wire: at hop 2 that is the VFD that coloured the packet; at hop 3 one that
 * was seen at hop 2, or to which the first had sent it. Else it is another packet.
 */
static bool is_foreign(const struct walker *w, const struct station *station)
{
	const struct stored *in = w->recs[station->first];
	const struct outer *outer = intern_get(&w->a->outers, in->outer);
	const struct node *sender = outer ? node_by_addr(w->a, outer->src) : NULL;
	bool left = false, same_flow = false, known = !sender || station->hop > 3;

	for (uint32_t r = 0; r < w->n_recs && w->recs[r]->hop < station->hop; r++) {
		const struct stored *rec = w->recs[r];
		const struct node *target = goes_on(w, r) ? target_of(w, rec) : NULL;

		if (rec->hop == station->hop - 1) {
			left |= goes_on(w, r);
			same_flow |= goes_on(w, r) && rec->flow == in->flow;
			known |= sender && rec->node == sender->index;
		} else if (rec->hop == station->hop - 2 && goes_on(w, r)) {
			known |= !target || target == sender;
		}
	}
	return w->recs[0]->hop == 1 && (!known || (left && !same_flow));
}

/* Of the `out`s that lead here the first is the parent's; as many as copies came in have led on. */
static void find_parent(struct walker *w, int child)
{
	struct station *station = &w->s->stations[child];
	uint32_t came = 0;

	for (int i = child - 1; i >= 0; i--) {
		const struct station *before = &w->s->stations[i];

		if (before->hop + 1 < station->hop)
			break;
		if (before->hop + 1 > station->hop)
			continue;
		for (uint32_t r = before->first; r < before->end && (!came || came < station->came); r++) {
			if (!goes_on(w, r) || !leads_to(w, r, station))
				continue;
			if (!came++) {
				station->parent = i;
				station->parent_out = w->recs[r];
			}
			w->s->led_on[r] = true;
		}
	}
	if (station->parent != STATION_NONE || station->hop == 1)
		return;
	w->trail->foreign |= is_foreign(w, station);
	if (station->hop > w->deepest_loose)
		w->deepest_loose = station->hop;
}

/* Loose stations hang on the nearest station of an earlier hop, best on one whose `out` led nowhere. */
static void adopt_loose(struct walker *w)
{
	for (uint32_t c = 1; c < w->n_stations; c++) {
		struct station *station = &w->s->stations[c];

		if (station->hop == 1 || station->parent != STATION_NONE)
			continue;
		for (int i = (int)c - 1; i >= 0; i--) {
			const struct station *before = &w->s->stations[i];

			if (before->hop == station->hop)
				continue;
			if (station->parent == STATION_NONE)
				station->parent = i;
			for (uint32_t r = before->first; r < before->end && !station->parent_out; r++) {
				if (goes_on(w, r) && !w->s->led_on[r]) {
					station->parent = i;
					station->parent_out = w->recs[r];
				}
			}
			if (station->parent_out)
				break;
		}
	}
}

static int leaf_rank(enum leaf leaf)
{
	switch (leaf) {
	case LEAF_DELIVERED:
		return 5;
	case LEAF_BEYOND:
		return 4;
	case LEAF_DROP:
		return 3;
	case LEAF_GAP:
		return 2;
	case LEAF_SILENT:
		return 1;
	case LEAF_NONE:
		return 0;
	}
	return 0;
}

static bool explained(const struct walker *w, const struct stored *error)
{
	const struct detail *detail = intern_get(&w->a->details, error->detail);

	return detail && detail->cause != VT_CAUSE_NONE && detail->cause != VT_CAUSE_UNEXPLAINED;
}

/* No drop: another program was seen keeping the packet, and may yet send it on. */
static bool was_taken(const struct walker *w, const struct stored *error)
{
	const struct detail *detail = intern_get(&w->a->details, error->detail);

	return detail && detail->cause == VT_CAUSE_VANISHED_IN_NODE;
}

/* Of two drops the one further down decides, and at one hop the one with a known cause. */
static bool better_drop(const struct walker *w, const struct stored *new, const struct stored *old)
{
	if (new->hop != old->hop)
		return new->hop > old->hop;
	return explained(w, new) && !explained(w, old);
}

static void take_leaf(struct walker *w, int station, enum leaf leaf, const struct stored *rec)
{
	struct trail *trail = w->trail;

	trail->gap |= leaf == LEAF_GAP;
	trail->silent |= leaf == LEAF_SILENT;
	trail->beyond |= leaf == LEAF_BEYOND;
	if (leaf_rank(leaf) < leaf_rank(trail->leaf))
		return;
	if (leaf == trail->leaf && !(leaf == LEAF_DROP && better_drop(w, rec, trail->last)) &&
	    !(leaf == LEAF_DELIVERED && trail->last->flags & VT_REC_LOCAL))
		return;
	trail->leaf = leaf;
	trail->last = rec;
	w->leaf_station = station;
}

static void append_visits(struct trail *trail, const struct trail *other, const struct stored *from)
{
	unsigned int i = 0;

	while (i < other->n_visits && (other->visits[i].hop != from->hop || other->visits[i].node != from->node))
		i++;
	if (i < other->n_visits && from->loc != VT_LOC_IN && trail->n_visits) {
		/* the same VFD: ours came in, the other one left */
		struct visit *visit = &trail->visits[trail->n_visits - 1];

		visit->out = other->visits[i].out;
		visit->error = other->visits[i].error;
		visit->merged = true;
		i++;
	}
	for (; i < other->n_visits && trail->n_visits < TRAIL_VISITS; i++)
		trail->visits[trail->n_visits++] = other->visits[i];
}

static void trace_back(struct walker *w);

/*
 * The packet went on as another one (`from` is where it is seen first): it shares that one's end. This replaces the
 * whole trail, as a packet that is merged or coloured again is not flooded as well.
 */
static void follow(struct walker *w, int station, const struct stored *last, const struct trail *other,
                   const struct stored *from)
{
	struct trail *trail = w->trail;
	uint64_t last_at = trail->last_at;

	trail->leaf = other->leaf;
	trail->last = last;
	w->leaf_station = station;
	trace_back(w);
	append_visits(trail, other, from);
	trail->gap |= other->gap;
	trail->silent |= other->silent;
	trail->beyond |= other->beyond;
	trail->queued |= other->queued;
	trail->foreign |= other->foreign;
	trail->loose |= other->loose;
	trail->merge_possible |= other->merge_possible;
	trail->rides |= other->rides;
	trail->last = other->last;
	trail->next_node = other->next_node;
	trail->last_at = other->last_at > last_at ? other->last_at : last_at;
	for (unsigned int i = 0; i < other->n_nodes && i < TRAIL_NODES; i++)
		add_node(trail, other->nodes[i]);
}

/* Which packet of a group has this record. */
static uint32_t phys_with(const struct owned *owned, const struct stored *rec)
{
	for (uint32_t p = 0; p < owned->n_phys; p++) {
		for (uint32_t i = 0; i < owned->phys[p].n; i++) {
			if (owned->recs[owned->phys[p].first + i] == rec)
				return p;
		}
	}
	return UINT32_MAX;
}

/* Receive offload: the bytes went on inside another packet. True if that one was found. */
static bool follow_merge(struct walker *w, int station, const struct stored *last)
{
	const struct stored *taker;
	struct owned owned;
	struct trail other;
	uint32_t number, p;
	enum merge merge = merge_find(w->a, w->group, last, &number, &taker);

	w->trail->merge_possible |= merge == MERGE_MAYBE;
	if (merge != MERGE_YES || w->depth + 1 >= MERGE_DEPTH ||
	    owner_sort(w->a, group_at(w->a, number), w->depth + 1, &owned) < 0)
		return false;
	p = phys_with(&owned, taker);
	if (p == UINT32_MAX || owned.phys[p].mixed || owned.phys[p].ambiguous) {
		/* one of several equal packets: which end is its own is not certain enough for others */
		w->trail->merge_possible = true;
		return false;
	}
	if (walk(w->a, number, &owned, p, w->depth + 1, &other) < 0)
		return false;
	follow(w, station, last, &other, taker);
	w->trail->rides = true;
	return true;
}

/*
 * A bleached packet: the next VFD saw it without colour and coloured it afresh, with the same id, flow, VNI and tunnel
 * ends. It is the same packet, so it shares the end of the second one.
 */
static bool follow_recolour(struct walker *w, int station, const struct stored *out)
{
	struct trail other;

	for (uint32_t p = 0; p < w->owned->n_phys && w->depth + 1 < MERGE_DEPTH; p++) {
		const struct stored *colour = w->owned->phys[p].colour;

		if (p == w->p || !colour || !(colour->flags & VT_REC_ENCAP) || colour->outer != out->outer ||
		    colour->flow != out->flow || colour->vni != out->vni || colour->node == out->node)
			continue;
		if (walk(w->a, w->group, w->owned, p, w->depth + 1, &other) < 0)
			return false;
		follow(w, station, out, &other, colour);
		return true;
	}
	return false;
}

/* An `out` into the underlay with nothing behind it. True if the packet went on as another one. */
static bool end_of_link(struct walker *w, int station, const struct stored *out)
{
	struct node *target;

	target = target_of(w, out);
	if (w->deepest_loose > out->hop) { /* it was seen further on, so records are missing here */
		if (target)
			add_node(w->trail, target->index);
		return false;
	}
	if (follow_recolour(w, station, out) || follow_merge(w, station, out))
		return true;
	if (!target || target->index == out->node) {
		take_leaf(w, station, LEAF_BEYOND, out);
		return false;
	}
	add_node(w->trail, target->index);
	w->trail->queued |= node_queue_drops(w->a->nodes[out->node], out->ifindex, w->since);
	if (w->trail->leaf == LEAF_NONE || leaf_rank(w->trail->leaf) < leaf_rank(LEAF_GAP))
		w->trail->next_node = target->index;
	take_leaf(w, station, LEAF_GAP, out);
	return false;
}

static bool end_of_station(struct walker *w, int number)
{
	const struct station *station = &w->s->stations[number];
	const struct stored *in = w->recs[station->first];

	if (station->ended >= station->came || w->deepest_loose > station->hop)
		return false;
	/* of several copies one alone cannot be followed */
	if (station->came == 1 && follow_merge(w, number, in))
		return true;
	/* behind decapsulation, segments may go into the packet of a flow's uncoloured part; no record would say so */
	w->trail->merge_possible |= in->payload && in->flags & VT_REC_ENCAP;
	/* a VFD that reassembles swallows all fragments but the first */
	w->trail->merge_possible |= in->flags & VT_REC_LATER_FRAG;
	take_leaf(w, number, LEAF_SILENT, in);
	return false;
}

/* Looks at every branch's end. True if the trail was taken over from another packet. */
static bool find_leaves(struct walker *w)
{
	for (uint32_t n = 0; n < w->n_stations; n++) {
		const struct station *station = &w->s->stations[n];

		if (end_of_station(w, (int)n))
			return true;
		for (uint32_t i = station->first; i < station->end; i++) {
			const struct stored *rec = w->recs[i];

			if (rec->loc == VT_LOC_ERROR)
				take_leaf(w, (int)n, was_taken(w, rec) ? LEAF_SILENT : LEAF_DROP, rec);
			if (rec->loc != VT_LOC_OUT || w->s->cancelled[i] || w->s->led_on[i])
				continue;
			if (!(rec->flags & VT_REC_ENCAP) || rec->flags & VT_REC_LOCAL)
				take_leaf(w, (int)n, LEAF_DELIVERED, rec);
			else if (rec->flags & VT_REC_HOP_LIMIT)
				take_leaf(w, (int)n, LEAF_BEYOND, rec);
			else if (end_of_link(w, (int)n, rec))
				return true;
		}
	}
	return false;
}

/* The cancelled `out` that belongs to a drop behind the egress hook, for the path. */
static const struct stored *cancelled_out(const struct walker *w, const struct station *station,
                                          const struct stored *error)
{
	for (uint32_t i = station->first; i < station->end; i++) {
		if (w->s->cancelled[i] && w->recs[i]->ifindex == error->ifindex)
			return w->recs[i];
	}
	return NULL;
}

/* Writes the visits from the first VFD to the leaf's station. */
static void trace_back(struct walker *w)
{
	struct trail *trail = w->trail;
	const struct stored *out = NULL;
	unsigned int n = 0;

	for (int i = w->leaf_station; i != STATION_NONE; i = w->s->stations[i].parent)
		n++;
	trail->n_visits = n < TRAIL_VISITS ? n : TRAIL_VISITS;
	for (int i = w->leaf_station; i != STATION_NONE; i = w->s->stations[i].parent) {
		const struct station *station = &w->s->stations[i];
		const struct stored *last = i == w->leaf_station ? trail->last : NULL;
		struct visit visit = {.hop = station->hop, .node = station->node, .out = out};

		if (w->recs[station->first]->loc == VT_LOC_IN)
			visit.in = w->recs[station->first];
		if (last && last->loc == VT_LOC_OUT)
			visit.out = last;
		if (last && last->loc == VT_LOC_ERROR) {
			visit.error = last;
			visit.out = last->flags & VT_REC_AFTER_OUT ? cancelled_out(w, station, last) : NULL;
		}
		out = station->parent_out;
		if (--n < TRAIL_VISITS)
			trail->visits[n] = visit;
	}
}

uint64_t group_window(const struct analysis *a, const struct group *group)
{
	return group->first_at > a->config.long_buffer_ns ? group->first_at - a->config.long_buffer_ns : 0;
}

int walk(struct analysis *a, uint32_t group, const struct owned *owned, uint32_t p, unsigned int depth,
         struct trail *trail)
{
	const struct phys *phys = &owned->phys[p];
	struct walker w = {.a = a,
	                   .owned = owned,
	                   .recs = owned->recs + phys->first,
	                   .group = group,
	                   .p = p,
	                   .n_recs = phys->n,
	                   .depth = depth,
	                   .trail = trail,
	                   .leaf_station = STATION_NONE};

	w.since = group_window(a, group_at(a, group));
	w.s = scratch_get(a, phys->n, depth);
	if (!w.s)
		return -ENOMEM;
	trail->leaf = LEAF_NONE;
	trail->gap = trail->silent = trail->beyond = trail->merge_possible = trail->rides = trail->queued =
	    trail->foreign = false;
	trail->last = NULL;
	trail->next_node = 0;
	trail->last_at = group_at(a, group)->last_at;
	trail->n_visits = trail->n_nodes = 0;
	build_stations(&w);
	for (uint32_t i = 1; phys->colour && i < w.n_stations; i++)
		trail->foreign |= w.s->stations[i].hop == 1; /* it begins at one VFD */
	for (uint32_t i = 1; i < w.n_stations; i++)
		find_parent(&w, (int)i);
	if (w.n_stations && w.s->stations[0].hop > 1 && w.deepest_loose < w.s->stations[0].hop)
		w.deepest_loose = w.s->stations[0].hop;
	trail->loose = w.deepest_loose;
	if (w.deepest_loose)
		adopt_loose(&w);
	if (!find_leaves(&w))
		trace_back(&w);
	return 0;
}
