/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * How many flows a port may begin: each costs a pass of the slow path, some times a packet's work. A VM that sends to
 * everybody shall not take the time of the others, nor of its own flows that run already.
 */
#ifndef VFD_ADMIT_H
#define VFD_ADMIT_H

#include "device.h"

#define NEW_FLOWS_BURST 4 /* at once: what comes in 1 / 4 second */

/* Takes one of its port's from the budget for a packet of a new flow. False: it was used up, the packet is dropped. */
bool admit_flow(struct worker *w, struct packet *p);

#endif
