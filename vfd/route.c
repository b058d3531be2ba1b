/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Trees of routes, see route.h. A node's value is the route's place in the list; of two routes for one prefix the first
 * counts, as in the list.
 */
#include "route.h"

#include <errno.h>
#include <rte_errno.h>
#include <rte_memory.h>
#include <rte_rib6.h>
#include <stdio.h>

static int load(struct vpc *vpc)
{
	static unsigned int made; /* names must be new ones: the old configuration's trees are still there */
	struct rte_rib6_conf how = {.max_nodes = 2 * (int)vpc->nroutes}; /* a fork for each but the first */
	char name[32];

	snprintf(name, sizeof(name), "routes%u", made++);
	vpc->tree = rte_rib6_create(name, SOCKET_ID_ANY, &how);
	for (size_t i = 0; vpc->tree && i < vpc->nroutes; i++) {
		const struct prefix *p = &vpc->routes[i].prefix;
		struct rte_rib6_node *node = rte_rib6_insert(vpc->tree, p->addr.b, p->len);

		if (node)
			rte_rib6_set_nh(node, i);
		else if (rte_errno != EEXIST)
			return -ENOMEM;
	}
	return vpc->tree ? 0 : -ENOMEM;
}

int routes_load(struct config *config)
{
	int bad = 0;

	for (size_t i = 0; i < config->nvpcs && !bad; i++)
		if (config->vpcs[i].nroutes >= ROUTE_TREE_MIN)
			bad = load(&config->vpcs[i]);
	if (bad)
		routes_free(config);
	return bad;
}

void routes_free(struct config *config)
{
	for (size_t i = 0; i < config->nvpcs; i++) {
		rte_rib6_free(config->vpcs[i].tree);
		config->vpcs[i].tree = NULL;
	}
}
