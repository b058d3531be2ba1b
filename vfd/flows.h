/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The flow cache: what the slow path decided about a flow at a port, for the fast path to repeat. It belongs to one
 * worker. An entry whose epoch is not the device's counts for nothing: the flow passes the slow path again.
 */
#ifndef VFD_FLOWS_H
#define VFD_FLOWS_H

#include "vfd/config.h"
#include "vfd/drops.h"
#include "vtrace/vdg.h"

#define FLOWS_MAX   65536 /* when it is full it is emptied: flows cost a slow path each, no packet is lost */
#define FLOWS_BURST 32

/* Zeroed before it is filled: hashed as bytes. */
struct flow_key {
	struct vdg_flow flow;
	uint32_t port; /* where it comes in */
};

enum flow_action { FLOW_DROP = 0, FLOW_PORT, FLOW_TUNNEL };

struct flow_entry {
	uint32_t epoch;
	uint8_t action;      /* enum flow_action */
	uint8_t drop;        /* enum drop, with FLOW_DROP */
	uint16_t port;       /* where it goes out */
	uint16_t set;        /* of tasks that want it: vdg_match() */
	uint32_t why;        /* of FLOW_DROP; else why it is dropped where it is too big for the way out */
	uint8_t mac[6];      /* of the receiver */
	uint8_t next_mac[6]; /* FLOW_TUNNEL: of the tunnel end's neighbour */
	uint8_t vtep[16];
	uint32_t vni;
	uint64_t packets;
};

struct flows;

struct flows *flows_new(const char *name); /* NULL without memory */
void flows_free(struct flows *flows);

/* The entries of n keys, made where they are new (with epoch 0); n is at most FLOWS_BURST. */
void flows_get(struct flows *flows, const struct flow_key *keys, unsigned int n, struct flow_entry *entries[]);

/*
 * Connections: a flow that was let in or out lets its answers pass. They are forgotten when the cache is emptied, and
 * then come again with the next packet of the side that may begin.
 */
void flows_connect(struct flows *flows, const struct vdg_flow *flow);
bool flows_is_answer(const struct flows *flows, const struct vdg_flow *flow);

unsigned int flows_count(const struct flows *flows);
void flows_clear(struct flows *flows);

/* Calls fn for each flow that is in the cache. For the worker itself, or while it stands still. */
void flows_each(const struct flows *flows, void (*fn)(void *arg, const struct flow_key *, const struct flow_entry *),
                void *arg);

#endif
