/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The device as its parts share it. The control thread changes tables and the epoch; the worker forwards. A worker
 * takes both at the beginning of a burst and keeps to them until its end; what it used before is freed two turns later.
 */
#ifndef VFD_DEVICE_H
#define VFD_DEVICE_H

#include <rte_mbuf.h>
#include <stdatomic.h>

#include "vfd/flows.h"
#include "vfd/packet.h"
#include "vfd/tables.h"

struct device_port {
	uint16_t dpdk; /* DPDK's number of it */
	_Atomic uint64_t in, out;
};

struct device {
	_Atomic(struct tables *) tables;
	_Atomic uint32_t epoch;  /* never 0 */
	_Atomic uint64_t bursts; /* the worker has begun so many, each time it is between two */
	_Atomic bool stopping;
	_Atomic bool hold, held; /* the worker is asked to stand still; it does */
	unsigned int n_ports;
	struct device_port ports[CONFIG_PORTS_MAX];
	_Atomic uint64_t drops[DROPS];
	_Atomic uint64_t slow_paths, cleared;
	struct rte_mempool *pool;
	struct flows *flows;
	struct vdg *vdg; /* NULL: no VTrace */
	struct vdg_worker *worker;
};

/* slow.c: decides about a flow and writes the entry, all but `packets`. */
void slow_path(struct device *device, const struct tables *tables, const struct flow_key *key, uint32_t epoch,
               struct flow_entry *entry);

/*
 * arp.c: answers a request that came in by a port, about an address of the network (-1: of the underlay); the answer
 * takes the frame's memory. False: none to give.
 */
bool arp_answer(const struct tables *tables, unsigned int port, int network, uint8_t *frame, uint32_t length);

/* fast.c: the worker's loop, until `stopping`. */
void *fast_path(void *device);

/* One more; counters have one writer. */
static inline void count(_Atomic uint64_t *counter)
{
	atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + 1, memory_order_relaxed);
}

#endif
