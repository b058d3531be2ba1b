/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * VTrace in this device: between the forwarding code and libvdg (include/vtrace/vdg.h).
 *
 * The set of tasks that want a flow lies in its entry. A burst's sets and hops are OR-ed and tested once; only if that
 * is not 0 the burst takes the way on which the functions here are called. Without --socket none of them does anything.
 */
#ifndef VFD_TRACE_H
#define VFD_TRACE_H

#include "device.h"
#include "vtrace/vdg.h"

/* Opens libvdg and tells it ports and addresses; -errno and error (VDG_ERROR_MAX). Before workers start. */
int trace_open(struct device *dev, const char *socket, char *error);
void trace_close(struct device *dev); /* behind them */

uint16_t trace_match(struct worker *w, const struct flow_key *k, uint32_t vni); /* slow path: the flow's set */

void trace_in(struct worker *w,
              struct packet *p); /* p->hop: from the outer DSCP's to the packet's here, 0: not traced */
void trace_local(struct worker *w, const struct packet *p);
void trace_drop(struct worker *w, const struct packet *p, uint32_t why);

/* To entry->port, in the tunnel where entry->remote is set: the DSCP for the outer header; and the same taken back. */
uint8_t trace_out(struct worker *w, const struct packet *p);
void trace_out_failed(struct worker *w, const struct packet *p, uint32_t why);

#endif
