// SPDX-License-Identifier: BSD-3-Clause
/*
 * The agent: tasks in, records out (paper section 4, data generation). It sits between one datapath and one uplink, in
 * one thread and one loop: commands from the uplink arm, start, stop and disarm tasks in the datapath; what the
 * datapath logs is numbered, put into batches and sent. It knows neither HTTP nor BPF, and it counts every record that
 * it loses.
 */
#ifndef VT_AGENT_AGENT_H
#define VT_AGENT_AGENT_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/uplink.h"
#include "datapath/datapath.h"

struct agent;

/* What a person who watches the agent wants to know. */
enum agent_notice {
	AGENT_READY = 1, /* connected for the first time, and what this node is has been acknowledged: it could arm */
	AGENT_UP,        /* connected again */
	AGENT_DOWN,      /* not connected; text says why */
	AGENT_REFUSED,   /* a task could not be installed; text says which and why */
	AGENT_TROUBLE,   /* batches do not get through; text says why */
};

struct agent_config {
	const char *node; /* copied */
	enum vt_kind kind;
	uint64_t boot; /* agent_boot_id() */
	int wake_fd;   /* agent_step() returns early while it is readable; the caller reads it. -1: none */
	void (*notice)(void *arg, enum agent_notice notice, const char *text); /* may be NULL; text is never NULL */
	void *arg;
	/* Limits; 0 means the default. */
	uint32_t batch_items; /* items of a full batch; default and most VT_BATCH_ITEMS_MAX */
	uint32_t
	    max_records;   /* records kept while the uplink takes none; default 65536, 70 MB. Past it they are lost. */
	uint32_t flush_us; /* the first record of a batch waits at most this long for others; default 2000 */
	uint32_t progress_ms; /* longest time between two PROGRESS items while a task is armed; default 100 */
	uint32_t
	    drain_ms; /* after STOP, how long inspectors may take before STOPPED is said all the same; default 100 */
	uint32_t orphan_ms; /* a task nobody disarms goes this long after its trace time; default 30 000 */
};

struct agent_stats {
	uint64_t records; /* taken from the datapath */
	uint64_t lost;    /* records lost, by the datapath and by the agent */
	uint64_t batches; /* handed to the uplink */
	uint32_t queued;  /* items not yet handed to it */
	uint32_t tasks;   /* known now */
	bool connected;
};

/* Neither datapath nor uplink is owned: the caller closes them after agent_free(). NULL without memory or descriptors.
 */
struct agent *agent_new(struct datapath *dp, struct uplink *up, const struct agent_config *config);

/* Leaves tasks in the datapath as they are; agent_shutdown() is the clean way. */
void agent_free(struct agent *agent);

/*
 * Waits at most timeout_ms for something to do and does all that is due. 0, or -errno when the datapath is gone. After
 * a failure only agent_shutdown() and agent_free() may follow.
 */
int agent_step(struct agent *agent, int timeout_ms, struct vt_err *err);

/* Stops and disarms all tasks, says so, and gives the uplink at most timeout_ms to get everything through. */
void agent_shutdown(struct agent *agent, int timeout_ms);

void agent_stats(const struct agent *agent, struct agent_stats *stats);

#endif
