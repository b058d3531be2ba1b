// SPDX-License-Identifier: BSD-3-Clause
/*
 * What goes wrong. First a run draws what kinds of trouble it has at all (knobs): most runs have few, so that each kind
 * is met alone, in pairs, and all together. Then faults are laid where flows pass, and nodes get troubles of VTrace's
 * own. A run without any fault is as important as the others: there nothing may be blamed.
 */
#include "sim/world.h"

#include <string.h>

static uint32_t draw_nodes(struct random *r, uint32_t most)
{
	uint32_t dice = random_below(r, 1000), n;

	if (dice < 750)
		n = 1 + random_below(r, 10);
	else if (dice < 960)
		n = 8 + random_below(r, 50);
	else if (dice < 995)
		n = 50 + random_below(r, 200);
	else
		n = 250 + random_below(r, SIM_NODES_MAX - 249);
	return n < most ? n : most;
}

void knobs_draw(struct world *w, uint32_t nodes_max)
{
	struct random *r = &w->rnd;
	static const uint32_t sizes[] = {4, 16, 64, VT_BATCH_ITEMS_MAX};

	w->knobs = (struct knobs){
	    .nodes = draw_nodes(r, nodes_max),
	    .own_losses = random_percent(r, 40),
	    .agentless = random_percent(r, 25),
	    .flooding = random_percent(r, 20),
	    .reroutes = random_percent(r, 25),
	    .duplicates = random_percent(r, 20),
	    .bleaching = random_percent(r, 15),
	    .offload = random_percent(r, 35),
	    .equal_ids = random_percent(r, 25),
	    .fragments = random_percent(r, 15),
	    .queues = random_percent(r, 25),
	    .slow_uplink = random_percent(r, 10),
	    .lossy_log = random_percent(r, 15),
	    .restart_server = random_percent(r, 10),
	    .server_stalls = random_percent(r, 10),
	    .many_faults = random_percent(r, 2),
	    .tight = random_percent(r, 5),
	    .faults = random_percent(r, 25) ? 0 : 1 + random_below(r, 4),
	    .batch_items = sizes[random_below(r, 4)],
	};
	if (w->knobs.many_faults)
		w->knobs.faults = 80;
	w->strays_percent = random_percent(&w->switches, 25) ? 1 + random_below(&w->switches, 100) : 0;
}

/* --- packets' trouble --------------------------------------------------------------------------------------------- */

static enum vt_cause draw_cause(struct world *w)
{
	enum vt_cause cause;

	if (random_one_in(&w->rnd, 6))
		return VT_CAUSE_UNEXPLAINED;
	do {
		cause = (enum vt_cause)(1 + random_below(&w->rnd, VT_CAUSE_COUNT - 1));
	} while (cause == VT_CAUSE_UNDERLAY_LOST || cause == VT_CAUSE_VANISHED_IN_NODE);
	return cause;
}

static enum fault_kind draw_kind(struct world *w)
{
	uint32_t dice = random_below(&w->rnd, 100);

	if (w->knobs.bleaching && dice < 20)
		return FAULT_BLEACH;
	if (w->knobs.duplicates && dice < 40)
		return FAULT_DUPLICATE;
	if (w->knobs.queues && dice < 60)
		return FAULT_QUEUE;
	dice = random_below(&w->rnd, 100);
	if (dice < 45)
		return FAULT_DROP;
	if (dice < 70)
		return FAULT_LINK;
	if (dice < 78)
		return FAULT_LATE;
	if (dice < 88)
		return FAULT_STOLEN;
	return dice < 95 ? FAULT_ERASED : FAULT_LOCAL;
}

static void draw_matching(struct world *w, struct fault *fault, const struct flow *flow)
{
	static const uint32_t one_in[] = {1, 1, 1, 2, 3, 5, 10};

	fault->flow = random_percent(&w->rnd, 50) ? flow : NULL;
	fault->one_in = one_in[random_below(&w->rnd, 7)];
	fault->paths = 0xf;
	if ((fault->kind == FAULT_LINK || fault->kind == FAULT_BLEACH) && random_percent(&w->rnd, 30))
		fault->paths = 1 + random_below(&w->rnd, 15);
	if (fault->kind == FAULT_BLEACH)
		fault->one_in = 1;
	fault->to = UINT64_MAX;
	if (fault->kind != FAULT_BLEACH && random_percent(&w->rnd, 30)) {
		fault->from = random_between(&w->rnd, 500 * MS, 3 * S);
		fault->to = fault->from + random_between(&w->rnd, 50 * MS, 3 * S);
	}
}

static void fault_make(struct world *w)
{
	const struct flow *flow = w->flows[random_below(&w->rnd, w->n_flows)];
	const struct route *route = flow->routes[random_below(&w->rnd, flow->n_routes)];
	struct fault *fault = arena_take(&w->arena, sizeof(*fault));
	uint32_t at = random_below(&w->rnd, route->n);

	fault->kind = draw_kind(w);
	if (at + 1 == route->n && at &&
	    (fault->kind == FAULT_LINK || fault->kind == FAULT_BLEACH || fault->kind == FAULT_DUPLICATE ||
	     fault->kind == FAULT_QUEUE))
		at--;
	fault->node = route->nodes[at];
	fault->peer = at + 1 < route->n ? route->nodes[at + 1] : fault->node;
	draw_matching(w, fault, flow);
	fault->cause = draw_cause(w);
	fault->evidence = "table inet sim chain forward handle 7: drop";
	fault->own_words = random_one_in(&w->rnd, 8);
	fault->behind_nat = random_one_in(&w->rnd, 2);
	fault->late_ns = random_between(&w->rnd, 1 * S, 3200 * MS);
	fault->index = w->n_faults;
	fault->next = w->nodes[fault->node].faults;
	w->nodes[fault->node].faults = fault;
	w->faults[w->n_faults++] = fault;
}

static bool fault_hits(struct world *w, struct fault *fault, const struct copy *copy)
{
	if (w->now < fault->from || w->now >= fault->to || (fault->flow && fault->flow != copy->packet->flow))
		return false;
	if (!(fault->paths >> (copy->packet->flow->hash / 16 % 4) & 1))
		return false;
	fault->hits++;
	if (fault->kind == FAULT_QUEUE)
		return true; /* it is in that queue; which ones are dropped is the queue's business */
	return random_one_in(&w->rnd, fault->one_in);
}

struct fault *fault_at(struct world *w, uint16_t node, int peer, const struct copy *copy, uint32_t kinds)
{
	for (struct fault *fault = w->nodes[node].faults; fault; fault = fault->next) {
		if (kinds >> fault->kind & 1 && (peer < 0 || fault->peer == peer) && fault_hits(w, fault, copy))
			return fault;
	}
	return NULL;
}

/* --- VTrace's own trouble ----------------------------------------------------------------------------------------- */

static void node_trouble(struct world *w, struct node *node)
{
	struct random *r = &w->rnd;
	uint64_t at = random_between(r, 300 * MS, 4 * S);

	switch (random_below(r, 8)) {
	case 0:
		node->full_from = at;
		node->full_to = at + random_between(r, 5 * MS, 1 * S);
		node->full_percent = 20 + random_below(r, 81);
		break;
	case 1:
		node->cut_from = at;
		node->cut_to = at + random_between(r, 20 * MS, 4 * S);
		break;
	case 2:
		node->stall_from = at;
		node->stall_to = at + random_between(r, 20 * MS, 3 * S);
		break;
	case 3:
		node->kill_at = at;
		if (random_percent(r, 70))
			node->restart_at = at + random_between(r, 20 * MS, 3 * S);
		break;
	case 4:
		node->refuse_task = 1 + random_below(r, w->server.n_traces);
		break;
	case 5:
		node->deaf_task = 1 + random_below(r, w->server.n_traces);
		break;
	case 6:
		node->mute_task = 1 + random_below(r, w->server.n_traces);
		break;
	case 7:
		node->twice_percent = 1 + random_below(r, 50);
		break;
	}
}

/* A node that matters: one that a flow passes. */
static struct node *passed_node(struct world *w)
{
	const struct flow *flow = w->flows[random_below(&w->rnd, w->n_flows)];
	const struct route *route = flow->routes[random_below(&w->rnd, flow->n_routes)];

	return &w->nodes[route->nodes[random_below(&w->rnd, route->n)]];
}

/*
 * Two gateways behind one tunnel address: the underlay chooses, and nobody can tell from the address which one it was.
 * Not where the server may not know of one of them; then the other would seem to be the only one.
 */
static void share_address(struct world *w)
{
	struct node *one = passed_node(w), *two = passed_node(w);

	if (one == two || !one->has_agent || !two->has_agent || w->knobs.own_losses || w->knobs.lossy_log ||
	    w->knobs.slow_uplink || w->knobs.restart_server)
		return;
	memcpy(two->addrs[0], one->addrs[0], 16);
}

static void own_trouble(struct world *w)
{
	uint32_t troubles = w->knobs.own_losses ? 1 + random_below(&w->rnd, 4) : 0;

	while (troubles--)
		node_trouble(w, passed_node(w));
	if (w->knobs.slow_uplink)
		passed_node(w)->uplink_delay = random_between(&w->rnd, 100 * MS, 2800 * MS);
	for (uint32_t i = 0; w->knobs.lossy_log && i < 1 + w->seed % 3; i++) {
		struct node *node = passed_node(w);

		node->lose_percent = random_one_in(&w->rnd, 2) ? random_below(&w->rnd, 30) : 0;
		node->late_percent = random_one_in(&w->rnd, 2) ? random_below(&w->rnd, 30) : 0;
		node->twice_percent = random_below(&w->rnd, 30);
	}
}

void faults_make(struct world *w)
{
	w->faults = arena_take(&w->arena, (w->knobs.faults + 1) * sizeof(struct fault *));
	while (w->n_faults < w->knobs.faults)
		fault_make(w);
	if (w->n_nodes > 3 && random_one_in(&w->rnd, 4))
		share_address(w);
	own_trouble(w);
}
