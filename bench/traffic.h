// SPDX-License-Identifier: BSD-3-Clause
/*
 * Generator, sink and clock around a worker of vtrace-vfd whose ports are rings: a step fills the rings of the VMs'
 * ports, lets the worker take its turns, timed, and empties the underlay's ring. Only the device's work is in the time.
 *
 * Frames are 60 bytes of UDP (64 with the checksum that no ring has) with a sequence number; the sink looks into the
 * tunnel for it, and counts what is lost, and what overtakes. A step in which another process got this CPU is not in
 * the figures of time.
 */
#ifndef BENCH_TRAFFIC_H
#define BENCH_TRAFFIC_H

#include "vfd/device.h"

#define TRAFFIC_STEP  256 /* packets for a port in a step: a quarter of its ring, in the cache as a NIC's would be */
#define TRAFFIC_PORTS 2   /* of VMs */
#define TRAFFIC_STEPS 131072

typedef unsigned int (*traffic_turn)(struct worker *w);

/* What a VM sends: flows 0 .. flows - 1, in an order in which neighbours are far apart; 0: nothing. */
struct source {
	uint32_t flows, at;
	uint32_t random; /* 0; else the state of a generator: every packet is another flow's */
	uint8_t vm;      /* its address is 10.0.0.(vm + 1) */
	uint64_t sent, received, overtaken, expected;
};

/* Of the device, in steps that were not disturbed. */
struct timing {
	uint64_t cycles, packets;
	uint32_t *turns; /* cycles of each turn, as far as there is room */
	uint32_t nturns;
	struct step {
		uint64_t cycles;
		uint32_t passed[TRAFFIC_PORTS]; /* packets of each VM */
	} * steps;
	uint32_t nsteps;
};

struct traffic {
	struct worker *worker;
	struct rte_ring *in[TRAFFIC_PORTS], *out;
	struct source sources[TRAFFIC_PORTS];
	bool quiet; /* the VMs send nothing */
};

int traffic_open(struct traffic *t, struct worker *worker); /* -ENOENT: the device has no such ports */
void traffic_reset(struct traffic *t);                      /* of all counts */
void traffic_step(struct traffic *t, traffic_turn turn, struct timing *timing);
void traffic_drain(struct traffic *t); /* until all that was sent has gone through the device */

bool timing_init(struct timing *timing); /* false: no memory */
void timing_reset(struct timing *timing);
uint32_t timing_median(struct timing *timing); /* cycles of the median turn: what else runs does not show in it */

/* Packets of the first VM, and cycles in which they passed: of all steps but those that took thrice the median's time.
 */
uint64_t timing_passed(struct timing *timing, uint64_t *ret_cycles);

#endif
