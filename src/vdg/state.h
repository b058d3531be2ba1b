// SPDX-License-Identifier: BSD-3-Clause
/*
 * A device and its workers, for the files of this folder: worker.c is the fast path, tasks.c what it reads; control.c
 * answers the agent, link.c is the socket, node.c what the device says of itself.
 */
#ifndef VT_VDG_STATE_H
#define VT_VDG_STATE_H

#include <uthash.h>

#include "base/buf.h"
#include "core/batch.h"
#include "core/vdg_wire.h"
#include "vdg/ring.h"
#include "vdg/tasks.h"
#include "vdg/turns.h"
#include "vdg/whys.h"

#define PORTS_MAX 65536 /* ports that came, and went a moment ago */

struct vdg_worker {
	struct turn turn;
	struct ring ring;
	struct vdg *vdg;
	_Alignas(64) _Atomic uint64_t unparsed;
};

struct port {
	uint32_t number;
	bool gone; /* kept for the names of records that are on their way */
	char name[VT_DEVICE_MAX];
	UT_hash_handle hh;
};

/* The connection; one agent at a time. */
struct link {
	int listener, agent, epoll, timer;
	bool timer_on;
	struct vt_buf out;
	size_t sent; /* bytes of out that are gone */
	size_t n_in;
	uint8_t in[VDG_REQUEST_MAX];
};

enum pending_step { PENDING_TURN, PENDING_DRAIN };

/* The request that is being answered; those behind it wait in the socket. type 0: none. */
struct pending {
	uint8_t type;
	uint32_t id, task;
	enum pending_step step;
	uint64_t turn;      /* what all workers have to have seen */
	unsigned int turns; /* how many more have to be asked for */
	uint64_t coloured[2];
	uint64_t heads[VDG_WORKERS_MAX]; /* DRAIN: up to which the rings have to be taken */
};

struct vdg {
	struct turns turns;
	struct tasks tasks;
	struct whys *whys;
	struct vdg_config config; /* its strings are below, or not used after vdg_open() */
	struct vdg_worker *workers;
	struct link link;
	struct pending pending;
	bool greeted;           /* the agent has said HELLO */
	struct place *changing; /* changed() is called for these, by next_changing */
	unsigned int n_changing;
	uint64_t batches;
	uint64_t records;      /* taken from the rings for an agent */
	uint64_t discarded;    /* taken with no agent to send them to */
	struct vt_item *items; /* VT_BATCH_ITEMS_MAX, for the batch that is being made */
	struct vt_node_info node;
	bool node_changed;
	struct port *ports;
	char *path;
	uint64_t path_dev, path_ino; /* of the socket that we made there */
};

/* link.c */
int link_open(struct vdg *vdg, char *error);
void link_close(struct vdg *vdg);
void link_accept(struct vdg *vdg);
/* The next request; false if there is none yet. The message is in link.in until link_used(). */
bool link_next(struct vdg *vdg, struct vdg_message *message, int *ret_size);
void link_used(struct vdg *vdg, int size);
void link_flush(struct vdg *vdg);
bool link_full(const struct vdg *vdg);                        /* more than this the agent has to read first */
void link_break(struct vdg *vdg, int code, const char *text); /* says why, and lets the agent go */
void link_tick(struct vdg *vdg, uint64_t interval_ns);        /* 0: no timer */

/* control.c */
void control_run(struct vdg *vdg);
void control_agent_gone(struct vdg *vdg);
bool control_waits(const struct vdg *vdg); /* for workers */

/* drain.c */
void drain_batch(struct vdg *vdg, uint32_t n_items); /* sends items[] as a batch */
void drain_rings(struct vdg *vdg);
uint64_t drain_lost(const struct vdg *vdg);

/* node.c */
void node_done(struct vdg *vdg);
const char *node_port_name(const struct vdg *vdg, uint32_t number); /* "" if it is not known */

#endif
