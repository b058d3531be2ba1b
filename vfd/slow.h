/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The slow path: what is to be done with the packets of a flow, from the configuration's tables, as a flow entry.
 */
#ifndef VFD_SLOW_H
#define VFD_SLOW_H

#include "device.h"

/* Compiles the entry of this packet's flow into p->entry. Refusals are entries too, and keep their reason. */
void slow_path(struct worker *w, struct packet *p);

#endif
