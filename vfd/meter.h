/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Rate limits: one rte_meter for all that a VM sends, and one for each flow of a VM that has a limit for flows; shared
 * by the workers.
 */
#ifndef VFD_METER_H
#define VFD_METER_H

#include "device.h"

#define FLOW_METERS_MAX 16384 /* flows of VMs with a limit for flows: 2 MB */
#define FLOW_TEXTS_MAX  1024  /* flows that drops name; the table of reasons has others to hold, too (DROPS_MAX) */

/* A meter for each port, set up from a configuration; what meters counted is forgotten. 0 or -ENOMEM, -EINVAL. */
int meters_load(struct device *dev, const struct config *config);
void meters_free(struct device *dev);

uint16_t meter_of(const struct vm *vm); /* for a flow entry; 0: none */

/* Slow path: the same for the flow; false: all are in use. */
bool meter_of_flow(struct worker *w, const struct vm *vm, const struct flow_key *key, uint16_t *ret_meter);

/* False: over the VM's limit or the flow's, and the packet is dropped. */
bool meter_passes(struct worker *w, struct packet *p);

#endif
