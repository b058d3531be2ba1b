/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Rate limits of VMs: one rte_meter for what a VM sends, shared by the workers.
 */
#ifndef VFD_METER_H
#define VFD_METER_H

#include "device.h"

/* A meter for each port, set up from a configuration; what a meter counted is forgotten. 0 or -ENOMEM, -EINVAL. */
int meters_load(struct device *dev, const struct config *config);
void meters_free(struct device *dev);

uint16_t meter_of(const struct vm *vm); /* for a flow entry; 0: none */

/* False: over the limit, and the packet is dropped. */
bool meter_passes(struct worker *w, struct packet *p);

#endif
