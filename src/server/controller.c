// SPDX-License-Identifier: BSD-3-Clause
/*
 * See controller.h: what the HTTP threads call, and the set-up. The analysis thread's work is in lifecycles.c.
 */
#include "server/controller_impl.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "base/clock.h"

#define ERROR_NO_AGENT  "no agent is connected (start `vtrace agent --server URL` on the hosts)"
#define ERROR_RESTARTED "the server was restarted while the trace ran; run it again"

static void lock(struct controller *ctl)
{
	pthread_mutex_lock(&ctl->lock);
}

static void unlock(struct controller *ctl)
{
	pthread_mutex_unlock(&ctl->lock);
}

/* --- set-up ------------------------------------------------------------------------------------------------------- */

/* Stores a trace as failed that never had an analysis, or has none any more. */
static int store_failed(struct controller *ctl, const struct vt_task *task, int64_t created_us, const char *error,
                        struct vt_err *err)
{
	struct trace trace = {.id = task->id, .task = *task, .created_us = created_us};
	struct vt_result result = {0};
	struct trace_texts texts = {0};
	int rc = trace_complete(&trace, VT_FAILED, vt_real_us(), error, &result);

	if (!rc)
		rc = trace_render(&result, &texts);
	if (rc)
		rc = vt_fail(err, ENOMEM, "trace %" PRIu32 ": no memory for its result", task->id);
	else
		rc = store_finish(ctl->config.store, task->id, &texts.final, err);
	trace_texts_done(&texts);
	vt_result_done(&result);
	return rc;
}

struct left_over {
	unsigned int n;
	struct left_over_trace {
		struct vt_task task;
		int64_t created_us;
	} traces[CONTROLLER_ACTIVE_MAX];
};

static void collect_left_over(void *arg, const struct store_row *row)
{
	struct left_over *left = arg;
	struct left_over_trace *trace = &left->traces[left->n];

	*trace = (struct left_over_trace){.created_us = row->created_us};
	if (vt_filter_parse(row->filter, &trace->task.filter, NULL))
		trace->task.filter =
		    (struct vt_filter){0}; /* written by another version: the trace is over all the same */
	trace->task.id = row->id;
	trace->task.bidirectional = row->bidirectional;
	trace->task.packet_count = row->packet_count;
	trace->task.trace_time_ms = row->trace_time_ms;
	left->n++;
}

/* Fails the traces in one state, a block at a time. */
static int fail_left_over(struct controller *ctl, enum vt_state state, struct left_over *left, struct vt_err *err)
{
	const struct store_query query = {.state = state, .limit = CONTROLLER_ACTIVE_MAX};
	int n;

	do {
		left->n = 0;
		n = store_list(ctl->config.store, &query, collect_left_over, left, err);
		for (unsigned int i = 0; i < left->n; i++) {
			int rc =
			    store_failed(ctl, &left->traces[i].task, left->traces[i].created_us, ERROR_RESTARTED, err);

			if (rc)
				return rc;
		}
	} while (n > 0);
	return n;
}

static int recover(struct controller *ctl, struct vt_err *err)
{
	static const enum vt_state running[] = {VT_NEW, VT_READY, VT_TRACING, VT_ANALYZING};
	struct left_over *left = malloc(sizeof(*left));
	int rc = left ? 0 : vt_fail(err, ENOMEM, "controller: no memory");

	for (size_t i = 0; !rc && i < sizeof(running) / sizeof(*running); i++)
		rc = fail_left_over(ctl, running[i], left, err);
	free(left);
	return rc;
}

int controller_new(const struct controller_config *config, struct controller **ret_controller, struct vt_err *err)
{
	struct controller *ctl = calloc(1, sizeof(*ctl));
	int rc;

	if (!ctl)
		return vt_fail(err, ENOMEM, "controller: no memory");
	ctl->config = *config;
	pthread_mutex_init(&ctl->lock, NULL);
	ctl->analysis = analysis_new(NULL);
	rc = ctl->analysis ? recover(ctl, err) : vt_fail(err, ENOMEM, "analysis: no memory");
	if (rc) {
		controller_free(ctl);
		return rc;
	}
	*ret_controller = ctl;
	return 0;
}

void controller_free(struct controller *ctl)
{
	struct trace *trace, *next;

	if (!ctl)
		return;
	HASH_ITER (hh, ctl->traces, trace, next) {
		HASH_DEL(ctl->traces, trace);
		trace_free(trace);
	}
	nodes_done(&ctl->nodes);
	analysis_free(ctl->analysis);
	free(ctl->changes);
	pthread_mutex_destroy(&ctl->lock);
	free(ctl);
}

int controller_start(struct controller *ctl, struct vt_err *err)
{
	int rc = pthread_create(&ctl->thread, NULL, controller_thread, ctl);

	if (rc)
		return vt_fail(err, rc, "controller: cannot start a thread: %s", strerror(rc));
	ctl->started = true;
	return 0;
}

void controller_stop(struct controller *ctl)
{
	struct waiter *waiter, *next;

	lock(ctl);
	ctl->stopping = true;
	DL_FOREACH_SAFE (ctl->waiters, waiter, next) {
		DL_DELETE(ctl->waiters, waiter);
		waiter->wake(waiter);
	}
	nodes_end_streams(&ctl->nodes);
	unlock(ctl);
	recordlog_wake(ctl->config.log);
	if (ctl->started)
		pthread_join(ctl->thread, NULL);
	ctl->started = false;
}

/* --- traces ------------------------------------------------------------------------------------------------------- */

static json_t *arm_line(const struct vt_task *task)
{
	return json_pack("{s:s, s:o}", "op", "arm", "task", vt_task_to_json(task));
}

/* Notes whom ARM goes to; -ENOMEM. */
static int ask_nodes(struct controller *ctl, struct trace *trace)
{
	struct node *node, *next;

	HASH_ITER (hh, ctl->nodes.table, node, next) {
		if (node->stream && trace_asked(trace, node->hello.name))
			return -ENOMEM;
	}
	return 0;
}

/* Starts the trace's life; on failure nothing is left of it but its row in the store. */
static int begin(struct controller *ctl, const struct vt_task *task, int64_t created_us, struct vt_err *err)
{
	struct trace *trace = trace_new(task, created_us);
	int rc = trace ? ask_nodes(ctl, trace) : -ENOMEM;

	if (!rc)
		rc = lifecycle_begin(&trace->life, ctl->analysis, task, trace->n_nodes, vt_now_ns());
	if (rc) {
		trace_free(trace);
		return vt_fail(err, -rc, "the analysis cannot take another trace: %s", strerror(-rc));
	}
	HASH_ADD(hh, ctl->traces, id, sizeof(trace->id), trace);
	controller_tell(ctl, arm_line(task));
	trace->shown = trace->life.state;
	if (store_set_state(ctl->config.store, trace->id, trace->shown, NULL))
		stats_add(&ctl->config.stats->store_errors);
	return 0;
}

static int add(struct controller *ctl, struct vt_task *task, enum vt_state *ret_state, struct vt_err *err)
{
	int64_t created_us = vt_real_us();
	struct vt_err why = {.text = ERROR_NO_AGENT};
	int rc;

	if (ctl->stopping)
		return vt_fail(err, ESHUTDOWN, "the server is shutting down");
	if (HASH_COUNT(ctl->traces) >= CONTROLLER_ACTIVE_MAX)
		return vt_fail(err, EBUSY, "%d traces are running, the limit", CONTROLLER_ACTIVE_MAX);
	rc = store_insert(ctl->config.store, task, created_us, &task->id, err);
	if (rc)
		return rc;
	*ret_state = VT_READY;
	if (ctl->nodes.connected && !begin(ctl, task, created_us, &why))
		return 0;
	*ret_state = VT_FAILED;
	return store_failed(ctl, task, created_us, why.text, err);
}

int controller_add(struct controller *ctl, const struct vt_task *task, uint32_t *ret_id, enum vt_state *ret_state,
                   struct vt_err *err)
{
	struct vt_task copy = *task;
	int rc;

	lock(ctl);
	rc = add(ctl, &copy, ret_state, err);
	unlock(ctl);
	if (rc) {
		if (rc != -EBUSY && rc != -ESHUTDOWN)
			stats_add(&ctl->config.stats->store_errors);
		return rc;
	}
	*ret_id = copy.id;
	recordlog_wake(ctl->config.log);
	return 0;
}

struct trace *controller_find(struct controller *ctl, uint32_t id)
{
	struct trace *trace;

	HASH_FIND(hh, ctl->traces, &id, sizeof(id), trace);
	return trace;
}

int controller_cancel(struct controller *ctl, uint32_t id)
{
	struct trace *trace;

	lock(ctl);
	trace = controller_find(ctl, id);
	if (trace && !vt_state_final(trace->life.state))
		lifecycle_cancel(&trace->life, ctl->analysis, vt_now_ns());
	unlock(ctl);
	recordlog_wake(ctl->config.log);
	return trace ? 0 : -ENOENT;
}

int controller_result(struct controller *ctl, uint32_t id, bool with_list, struct vt_result *result)
{
	struct trace *trace;
	int rc = -ENOENT;

	*result = (struct vt_result){0};
	lock(ctl);
	trace = controller_find(ctl, id);
	if (trace)
		rc = analysis_result(ctl->analysis, id, with_list, result);
	if (trace && !rc)
		rc = trace_complete(trace, trace->shown, 0, NULL, result);
	unlock(ctl);
	if (rc)
		vt_result_done(result);
	return rc;
}

int controller_state(struct controller *ctl, uint32_t id, enum vt_state *ret_state)
{
	struct trace *trace;

	lock(ctl);
	trace = controller_find(ctl, id);
	if (trace)
		*ret_state = trace->shown;
	unlock(ctl);
	return trace ? 0 : -ENOENT;
}

bool controller_wait(struct controller *ctl, struct waiter *waiter)
{
	bool parked;

	lock(ctl);
	parked = !ctl->stopping && controller_find(ctl, waiter->id);
	if (parked) {
		waiter->park(waiter);
		DL_APPEND(ctl->waiters, waiter);
	}
	unlock(ctl);
	if (parked)
		recordlog_wake(ctl->config.log); /* its deadline may be the next thing due */
	return parked;
}

/* --- nodes -------------------------------------------------------------------------------------------------------- */

/* A node that comes late, or back, is told where each task is now. */
static json_t *snapshot_task(const struct trace *trace)
{
	json_t *json = vt_task_to_json(&trace->task);

	json_object_set_new(json, "started", json_boolean(trace->life.state == VT_TRACING));
	json_object_set_new(json, "stopped", json_boolean(trace->life.state == VT_ANALYZING));
	return json;
}

/* Without memory a node is merely not named where it fails. */
static void send_snapshot(struct controller *ctl, const char *name, struct stream *stream)
{
	json_t *tasks = json_array();
	struct trace *trace, *next;

	HASH_ITER (hh, ctl->traces, trace, next) {
		if (vt_state_final(trace->life.state))
			continue;
		json_array_append_new(tasks, snapshot_task(trace));
		if (trace->life.state != VT_ANALYZING)
			trace_joined(trace, name);
	}
	nodes_send(stream, json_pack("{s:s, s:o}", "op", "snapshot", "tasks", tasks));
}

int controller_connect(struct controller *ctl, const struct node_hello *hello, struct stream *stream,
                       struct vt_err *err)
{
	bool new_boot = false;
	int rc;

	lock(ctl);
	rc = ctl->stopping ? vt_fail(err, ESHUTDOWN, "the server is shutting down")
	                   : nodes_connect(&ctl->nodes, hello, stream, &new_boot, err);
	if (!rc) {
		if (new_boot) /* what the former agent still had is gone with it */
			analysis_node_down(ctl->analysis, hello->name, vt_now_ns());
		send_snapshot(ctl, hello->name, stream);
	}
	unlock(ctl);
	return rc;
}

void controller_closed(void *arg, struct stream *stream)
{
	struct controller *ctl = arg;

	lock(ctl);
	nodes_closed(&ctl->nodes, stream, vt_now_ns());
	unlock(ctl);
	recordlog_wake(ctl->config.log);
}

void controller_hangup(struct controller *ctl, uint64_t stream_number)
{
	lock(ctl);
	nodes_hangup(&ctl->nodes, stream_number);
	unlock(ctl);
}

json_t *controller_nodes(struct controller *ctl)
{
	json_t *list;

	lock(ctl);
	list = nodes_to_json(&ctl->nodes);
	unlock(ctl);
	return list;
}

void controller_stats(struct controller *ctl, struct controller_stats *stats)
{
	lock(ctl);
	analysis_stats(ctl->analysis, &stats->analysis);
	stats->active = HASH_COUNT(ctl->traces);
	stats->nodes_connected = ctl->nodes.connected;
	stats->nodes_known = HASH_COUNT(ctl->nodes.table);
	unlock(ctl);
}
