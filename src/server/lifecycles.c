// SPDX-License-Identifier: BSD-3-Clause
/*
 * The analysis thread: takes batches from the record log, advances every trace with the clock, tells the agents what is
 * due, writes what came of it to the store. See controller.h.
 *
 * A trace that has ended goes through three steps: under the lock its result is taken and it is put into `finishing`;
 * with the lock released the result is rendered and stored; under the lock again it leaves the table and those who wait
 * for it are woken. So a reader finds it in the table or in the store, never in neither.
 */
#include "server/controller_impl.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "base/clock.h"
#include "base/log.h"
#include "core/wire.h"

#define RETRY_NS  VT_SECOND_NS /* between two tries to store a result: a full disk is seldom freed faster */
#define BATCH_RUN 16           /* batches between two looks at the clock; each takes at most some 2 ms */

json_t *controller_line(const char *op, uint32_t id)
{
	return json_pack("{s:s, s:I}", "op", op, "id", (json_int_t)id);
}

void controller_tell(struct controller *ctl, json_t *line)
{
	unsigned int overrun = nodes_broadcast(&ctl->nodes, line);

	while (overrun--)
		stats_add(&ctl->config.stats->streams_overrun);
}

/* --- batches ------------------------------------------------------------------------------------------------------ */

static void note_answers(struct controller *ctl, const struct vt_batch *batch)
{
	for (uint32_t i = 0; i < batch->n_items; i++) {
		const struct vt_item *item = &batch->items[i];
		struct trace *trace;

		if (item->type != VT_ITEM_ARMED && item->type != VT_ITEM_STARTED && item->type != VT_ITEM_FAILED)
			continue;
		trace = controller_find(ctl, item->task);
		if (trace)
			trace_answered(trace, batch->node, item->type);
	}
}

static void take_batch(struct controller *ctl, const struct vt_batch *batch)
{
	pthread_mutex_lock(&ctl->lock);
	if (analysis_batch(ctl->analysis, batch, vt_now_ns()) > 0) {
		nodes_saw_batch(&ctl->nodes, batch);
		note_answers(ctl, batch);
	}
	pthread_mutex_unlock(&ctl->lock);
}

static void take_batches(struct controller *ctl, uint64_t deadline_ns)
{
	struct vt_batch *batch = recordlog_take(ctl->config.log, deadline_ns);

	for (int i = 1; batch; i++) {
		take_batch(ctl, batch);
		vt_batch_free(batch);
		batch = i < BATCH_RUN ? recordlog_take(ctl->config.log, 0) : NULL;
	}
}

/* --- what is due -------------------------------------------------------------------------------------------------- */

static bool is_connected(void *arg, const char *name)
{
	struct controller *ctl = arg;

	return nodes_connected(&ctl->nodes, name);
}

static struct vt_result *take_result(struct controller *ctl, const struct trace *trace)
{
	struct vt_result *result = calloc(1, sizeof(*result));

	if (!result || !analysis_result(ctl->analysis, trace->id, true, result))
		return result;
	vt_result_done(result);
	free(result);
	return NULL;
}

/* Takes the result; the trace stays in the table, shown as it was, until the result is stored. */
static void begin_finish(struct controller *ctl, struct trace *trace)
{
	if (trace->life.state == VT_FAILED)
		trace_give_up_silent(trace, is_connected, ctl);
	trace->result = take_result(ctl, trace);
	trace->finishing = true;
	LL_PREPEND(ctl->finishing, trace);
	controller_tell(ctl, controller_line("disarm", trace->id));
}

static void note_change(struct controller *ctl, struct trace *trace)
{
	struct state_change *changes;

	if (trace->shown == trace->life.state)
		return;
	trace->shown = trace->life.state;
	changes = realloc(ctl->changes, (ctl->n_changes + 1) * sizeof(*changes));
	if (!changes)
		return; /* only the listing shows an old state for a while */
	ctl->changes = changes;
	ctl->changes[ctl->n_changes++] = (struct state_change){trace->id, trace->shown};
}

/* Advances one trace as far as it goes; returns when it wants to be looked at again. */
static uint64_t advance_trace(struct controller *ctl, struct trace *trace, uint64_t now)
{
	uint64_t next = UINT64_MAX;

	for (;;) {
		switch (lifecycle_advance(&trace->life, ctl->analysis, now, &next)) {
		case LIFECYCLE_WAIT:
			note_change(ctl, trace);
			return next;
		case LIFECYCLE_START:
			controller_tell(ctl, controller_line("start", trace->id));
			trace_give_up_silent(trace, is_connected, ctl);
			break;
		case LIFECYCLE_STOP:
			controller_tell(ctl, controller_line("stop", trace->id));
			break;
		case LIFECYCLE_FINISH:
			begin_finish(ctl, trace);
			return UINT64_MAX;
		}
		note_change(ctl, trace);
	}
}

static uint64_t advance_traces(struct controller *ctl, uint64_t now)
{
	struct trace *trace, *after;
	uint64_t due = UINT64_MAX;

	HASH_ITER (hh, ctl->traces, trace, after) {
		uint64_t next = trace->finishing ? UINT64_MAX : advance_trace(ctl, trace, now);

		due = next < due ? next : due;
	}
	return due;
}

static bool waiter_due(struct controller *ctl, const struct waiter *waiter, uint32_t final_id, uint64_t now)
{
	const struct trace *trace;

	if (waiter->id == final_id || waiter->deadline_ns <= now)
		return true;
	trace = waiter->until_start ? controller_find(ctl, waiter->id) : NULL;
	return trace && trace_under_way(trace);
}

/* Wakes those whose deadline has come, or whose trace is `final_id` or has begun as they wish. */
static uint64_t wake_waiters(struct controller *ctl, uint32_t final_id, uint64_t now)
{
	struct waiter *waiter, *next;
	uint64_t due = UINT64_MAX;

	DL_FOREACH_SAFE (ctl->waiters, waiter, next) {
		if (waiter_due(ctl, waiter, final_id, now)) {
			DL_DELETE(ctl->waiters, waiter);
			waiter->wake(waiter);
		} else if (waiter->deadline_ns < due) {
			due = waiter->deadline_ns;
		}
	}
	return due;
}

static uint64_t heartbeat(struct controller *ctl, uint64_t now)
{
	if (now >= ctl->heartbeat_at) {
		controller_tell(ctl, json_pack("{s:s}", "op", "heartbeat"));
		ctl->heartbeat_at = now + CONTROLLER_HEARTBEAT_NS;
	}
	return ctl->heartbeat_at;
}

static void node_down(void *arg, const char *name)
{
	struct controller *ctl = arg;

	analysis_node_down(ctl->analysis, name, vt_now_ns());
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* Does what is due under the lock; returns when to come again. */
static uint64_t advance(struct controller *ctl)
{
	uint64_t due, now;

	pthread_mutex_lock(&ctl->lock);
	now = vt_now_ns();
	due = nodes_expire(&ctl->nodes, now, node_down, ctl);
	due = earlier(due, analysis_advance(ctl->analysis, now));
	due = earlier(due, advance_traces(ctl, now));
	due = earlier(due, wake_waiters(ctl, 0, now));
	due = earlier(due, heartbeat(ctl, now));
	pthread_mutex_unlock(&ctl->lock);
	return due;
}

/* --- results ------------------------------------------------------------------------------------------------------ */

static void write_changes(struct controller *ctl)
{
	struct vt_err err;

	for (unsigned int i = 0; i < ctl->n_changes; i++) {
		if (!store_set_state(ctl->config.store, ctl->changes[i].id, ctl->changes[i].state, &err))
			continue;
		stats_add(&ctl->config.stats->store_errors); /* only the listing is wrong, until the result is stored */
		log_warn("%s", err.text);
	}
	ctl->n_changes = 0;
}

static int render(struct trace *trace, struct vt_err *err)
{
	struct vt_result *result = trace->result;
	int rc;

	if (!result)
		return vt_fail(err, ENOMEM, "trace %" PRIu32 ": no memory for its result", trace->id);
	rc = trace_complete(trace, trace->life.state, vt_real_us(), NULL, result);
	if (!rc)
		rc = trace_render(result, &trace->texts);
	vt_result_done(result);
	free(result);
	trace->result = NULL;
	return rc ? vt_fail(err, ENOMEM, "trace %" PRIu32 ": its result cannot be rendered", trace->id) : 0;
}

/* A result that cannot be rendered is replaced by one that says so: there always is an answer. */
static void render_failure(struct trace *trace, const char *error)
{
	struct vt_result result = {0};

	if (!trace_complete(trace, VT_FAILED, vt_real_us(), error, &result))
		trace_render(&result, &trace->texts);
	vt_result_done(&result);
}

static int store_trace(struct controller *ctl, struct trace *trace)
{
	struct vt_err err = {0};
	int rc;

	if (!trace->texts.result && render(trace, &err)) {
		log_error("%s", err.text);
		render_failure(trace, err.text);
	}
	if (trace->texts.result)
		rc = store_finish(ctl->config.store, trace->id, &trace->texts.final, &err);
	else
		rc = vt_fail(&err, ENOMEM, "no memory for its result");
	if (!rc)
		return 0;
	stats_add(&ctl->config.stats->store_errors);
	if (!trace->retry_at)
		log_error("trace %" PRIu32 ": %s; trying again", trace->id, err.text);
	trace->retry_at = vt_now_ns() + RETRY_NS;
	return rc;
}

static void end_trace(struct controller *ctl, struct trace *trace)
{
	stats_add(&ctl->config.stats->verdicts[trace->texts.verdict]);
	pthread_mutex_lock(&ctl->lock);
	analysis_end(ctl->analysis, trace->id);
	HASH_DEL(ctl->traces, trace);
	wake_waiters(ctl, trace->id, 0);
	pthread_mutex_unlock(&ctl->lock);
	trace_free(trace);
}

/* Stores what has ended; returns when to try the rest again. */
static uint64_t finish_traces(struct controller *ctl)
{
	struct trace *trace, *next;
	uint64_t due = UINT64_MAX;

	LL_FOREACH_SAFE (ctl->finishing, trace, next) {
		if (trace->retry_at > vt_now_ns() || store_trace(ctl, trace)) {
			due = earlier(due, trace->retry_at);
			continue;
		}
		LL_DELETE(ctl->finishing, trace);
		end_trace(ctl, trace);
	}
	return due;
}

void *controller_thread(void *arg)
{
	struct controller *ctl = arg;
	uint64_t due = vt_now_ns();
	bool stopping = false;

	while (!stopping) {
		take_batches(ctl, due);
		due = advance(ctl);
		write_changes(ctl);
		due = earlier(due, finish_traces(ctl));
		pthread_mutex_lock(&ctl->lock);
		stopping = ctl->stopping;
		pthread_mutex_unlock(&ctl->lock);
	}
	return NULL;
}
