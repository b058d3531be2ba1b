/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The slow path's tables, made from a configuration: who lives where, routes, security groups. A reload makes new ones;
 * a worker asks one and the same for a whole burst.
 */
#ifndef VFD_TABLES_H
#define VFD_TABLES_H

#include "vfd/config.h"
#include "vtrace/vdg.h"

struct tables;

/* Takes the configuration over. NULL without memory. */
struct tables *tables_new(struct config *config);
void tables_free(struct tables *tables);

const struct config *tables_config(const struct tables *tables);
const struct place_config *tables_place(const struct tables *tables, int network, const uint8_t address[16]);
const struct route_config *tables_route(const struct tables *tables, int network, const uint8_t address[16]);
int tables_network(const struct tables *tables, uint32_t vni); /* index, -1: none */

/* The rule of the group that decides about the flow, NULL if none does. `out`: it leaves the group's VM. */
const struct rule_config *tables_rule(const struct tables *tables, int group, bool out, const struct vdg_flow *flow);

const uint8_t *tables_neighbour(const struct tables *tables, const uint8_t address[16]); /* its MAC, NULL */

#endif
