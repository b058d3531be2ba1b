// SPDX-License-Identifier: BSD-3-Clause
/*
 * The controller: runs the traces. It tells the agents what to do, feeds the analysis from the record log, and puts
 * results into the store.
 *
 * One thread of its own, the analysis thread, takes batches, advances the traces with the clock and writes results; the
 * functions below are called by the HTTP threads. Everything is behind one mutex, which is never held while a result is
 * rendered or stored. Locks are taken in the order controller, then store or stream, then libmicrohttpd's.
 */
#ifndef VT_SERVER_CONTROLLER_H
#define VT_SERVER_CONTROLLER_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "analysis/analysis.h"
#include "core/result.h"
#include "server/nodes.h"
#include "server/recordlog.h"
#include "server/stats.h"
#include "server/store.h"
#include "server/stream.h"

#define CONTROLLER_ACTIVE_MAX 1024 /* each node holds 256; four times that lets several groups of nodes be busy */
#define CONTROLLER_HEARTBEAT_NS \
	5000000000ULL /* an agent that hears nothing for some of these looks for the server anew */

struct controller;

struct controller_config {
	struct store *store;
	struct recordlog *log;
	struct stats *stats;
};

/* The configuration's parts stay the caller's. Traces that a former server left unfinished become `failed`. */
int controller_new(const struct controller_config *config, struct controller **ret_controller, struct vt_err *err);
void controller_free(struct controller *ctl); /* after controller_stop(), or if it was never started */

int controller_start(struct controller *ctl, struct vt_err *err);

/*
 * Ends the analysis thread, the agents' streams and all waiting; traces that run stay unfinished in the store.
 * Connections are then safe to close.
 */
void controller_stop(struct controller *ctl);

/*
 * Adds a trace. Without a connected agent it is `failed` at once, with an error that says so. -EBUSY: too many run;
 * -ESHUTDOWN: the server is ending; others from the store.
 */
int controller_add(struct controller *ctl, const struct vt_task *task, uint32_t *ret_id, enum vt_state *ret_state,
                   struct vt_err *err);

/* Ends a trace early; it is final soon after (controller_wait()). -ENOENT: no such trace runs. */
int controller_cancel(struct controller *ctl, uint32_t id);

/*
 * The result of a running trace so far, the caller's to vt_result_done(). -ENOENT: no such trace runs; it may be in the
 * store, where it is before this says -ENOENT.
 */
int controller_result(struct controller *ctl, uint32_t id, bool with_list, struct vt_result *result);

/* The state of a running trace. -ENOENT: no such trace runs. */
int controller_state(struct controller *ctl, uint32_t id, enum vt_state *ret_state);

/* Someone who waits for a trace to become final or to begin. The caller owns it; it is the controller's from park to
 * wake. */
struct waiter {
	uint32_t id;
	uint64_t deadline_ns;                /* CLOCK_MONOTONIC */
	bool until_start;                    /* already enough: all nodes colour */
	void (*park)(struct waiter *waiter); /* called before controller_wait() returns true */
	void (*wake)(struct waiter *waiter); /* called once, later, by any thread, with the controller's lock held */
	struct waiter *prev, *next;          /* the controller's */
};

/* False: there is nothing to wait for. */
bool controller_wait(struct controller *ctl, struct waiter *waiter);

/*
 * An agent connects: the stream gets a snapshot of what runs, then all changes. -EEXIST, -ENOSPC as nodes_connect();
 * -ESHUTDOWN. On failure the stream is untouched.
 */
int controller_connect(struct controller *ctl, const struct node_hello *hello, struct stream *stream,
                       struct vt_err *err);

/* For stream_new(): the stream is gone. `arg` is the controller. */
void controller_closed(void *arg, struct stream *stream);

/* The other side of a stream hung up, and libmicrohttpd cannot see it while the stream is silent. */
void controller_hangup(struct controller *ctl, uint64_t stream_number);

json_t *controller_nodes(struct controller *ctl); /* the contract's list */

struct controller_stats {
	struct analysis_stats analysis;
	unsigned int active, nodes_connected, nodes_known;
};
void controller_stats(struct controller *ctl, struct controller_stats *stats);

#endif
