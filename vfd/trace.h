/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * VTrace in this device: between the forwarding code and libvdg (include/vtrace/vdg.h).
 *
 * The set of tasks that want a flow lies in its entry. A burst's sets and hops are OR-ed and tested once; only if that
 * is not 0 the burst takes the way on which the functions here are called. Without --socket none of them does anything.
 * With VFD_TRACE 0 the forwarding code is compiled without all of it: bench/ compares with that.
 */
#ifndef VFD_TRACE_H
#define VFD_TRACE_H

#include "device.h"
#include "vtrace/vdg.h"

#ifndef VFD_TRACE
#define VFD_TRACE 1
#endif

/* Opens libvdg and tells it ports and addresses; -errno and error (VDG_ERROR_MAX). Before workers start. */
int trace_open(struct device *dev, const char *socket, char *error);
void trace_close(struct device *dev); /* behind them */

#if VFD_TRACE

static inline void trace_turn(struct worker *w) /* between two bursts, vdg_turn() */
{
	if (w->vdg)
		vdg_turn(w->vdg);
}

static inline void trace_idle(struct worker *w)
{
	if (w->vdg)
		vdg_idle(w->vdg);
}

static inline uint8_t trace_hop(uint8_t outer_tos) /* 0: not coloured */
{
	return (uint8_t)vdg_hop_of_dscp(outer_tos >> 2);
}

uint16_t trace_match(struct worker *w, const struct flow_key *k, uint32_t vni); /* slow path: the flow's set */
uint16_t trace_match_packet(struct worker *w, const struct packet *p);          /* the same, of what came in */

void trace_in(struct worker *w,
              struct packet *p); /* p->hop: from the outer DSCP's to the packet's here, 0: not traced */
void trace_local(struct worker *w, const struct packet *p);
void trace_drop(struct worker *w, const struct packet *p, uint32_t why);

/* To entry->port, in the tunnel where entry->remote is set: the DSCP for the outer header; and the same taken back. */
uint8_t trace_out(struct worker *w, const struct packet *p);
void trace_out_failed(struct worker *w, const struct packet *p, uint32_t why);

#else

static inline void trace_turn(struct worker *w)
{
}

static inline void trace_idle(struct worker *w)
{
}

static inline uint8_t trace_hop(uint8_t outer_tos)
{
	return 0;
}

static inline uint16_t trace_match(struct worker *w, const struct flow_key *k, uint32_t vni)
{
	return 0;
}

static inline uint16_t trace_match_packet(struct worker *w, const struct packet *p)
{
	return 0;
}

static inline void trace_in(struct worker *w, struct packet *p)
{
}

static inline void trace_local(struct worker *w, const struct packet *p)
{
}

static inline void trace_drop(struct worker *w, const struct packet *p, uint32_t why)
{
}

static inline uint8_t trace_out(struct worker *w, const struct packet *p)
{
	return 0;
}

static inline void trace_out_failed(struct worker *w, const struct packet *p, uint32_t why)
{
}

#endif

#endif
