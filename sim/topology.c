// SPDX-License-Identifier: BSD-3-Clause
/*
 * Nodes, their tunnel addresses and clocks, and ways through the network. A way is a list of nodes; any two nodes can
 * send to each other through the underlay. The same router may be on a way twice.
 */
#include "sim/world.h"

#include <stdio.h>
#include <string.h>

static void node_address(struct world *w, uint8_t addr[16], uint32_t number)
{
	bool v6 = w->seed % 5 == 0; /* the underlay of a run is of one kind */

	memset(addr, 0, 16);
	if (v6) {
		addr[0] = 0xfd;
	} else {
		addr[10] = addr[11] = 0xff;
		addr[12] = 10;
	}
	addr[13] = (uint8_t)(number >> 16);
	addr[14] = (uint8_t)(number >> 8);
	addr[15] = (uint8_t)number;
}

static void node_make(struct world *w, uint16_t index)
{
	struct node *node = &w->nodes[index];

	node->index = index;
	node->kind = random_percent(&w->rnd, 40) ? VT_KIND_VROUTER : VT_KIND_VSWITCH;
	snprintf(node->name, sizeof(node->name), "%s%u", node->kind == VT_KIND_VROUTER ? "gw" : "h", index);
	node->has_agent = !w->knobs.agentless || random_percent(&w->rnd, 80);
	node->n_addrs = random_one_in(&w->rnd, 4) ? 2 : 1;
	for (uint32_t i = 0; i < node->n_addrs; i++)
		node_address(w, node->addrs[i], 2u * index + i + 1);
	/* monotonic clocks begin when a machine boots: anything between seconds and years */
	node->clock_ns =
	    (int64_t)random_between(&w->rnd, 0, 400 * S) - (random_one_in(&w->rnd, 2) ? 0 : 30 * (int64_t)S);
	if (w->knobs.offload) {
		node->gro_behind = random_percent(&w->rnd, 50);
		node->gro_before = random_percent(&w->rnd, 25);
		node->gro_any = random_percent(&w->rnd, 15);
	}
	node->reassembles = w->knobs.fragments && random_percent(&w->rnd, 30);
	node->cut_from = node->stall_from = node->full_from = node->kill_at = node->restart_at = UINT64_MAX;
	node->down_at = UINT64_MAX;
	node->uplink_delay = random_between(&w->rnd, 50 * US, 3 * MS);
	node->uplink_jitter = random_between(&w->rnd, 0, 5 * MS);
}

void topology_make(struct world *w)
{
	w->n_nodes = w->knobs.nodes;
	w->nodes = arena_take(&w->arena, w->n_nodes * sizeof(*w->nodes));
	for (uint32_t i = 0; i < w->n_nodes; i++)
		node_make(w, (uint16_t)i);
}

const uint8_t *node_addr(const struct node *node, uint32_t hash)
{
	return node->addrs[hash % node->n_addrs];
}

struct route *route_make(struct world *w, uint16_t first, uint16_t last, uint32_t hops)
{
	struct route *route = arena_take(&w->arena, sizeof(*route));

	route->nodes[route->n++] = first;
	while (w->n_nodes > 2 && route->n + 1u < hops && route->n + 1 < ROUTE_MAX) {
		uint16_t node = (uint16_t)random_below(&w->rnd, w->n_nodes);

		/* mostly routers lie between */
		if (w->nodes[node].kind != VT_KIND_VROUTER && random_percent(&w->rnd, 60))
			node = (uint16_t)random_below(&w->rnd, w->n_nodes);
		if (node == route->nodes[route->n - 1])
			node = (uint16_t)((node + 1) % w->n_nodes);
		route->nodes[route->n++] = node;
	}
	if (route->n > 1 && route->nodes[route->n - 1] == last)
		route->n--;
	if (route->nodes[route->n - 1] != last)
		route->nodes[route->n++] = last;
	route->flood_at = route->n;
	route->end = WAY_VM;
	route->port = 10 + random_below(&w->rnd, 40);
	return route;
}
