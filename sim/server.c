// SPDX-License-Identifier: BSD-3-Clause
/*
 * The server: the production analysis and life cycles, driven as server/lifecycles.c drives them, with simulated time.
 * Batches come through a backlog that grows while the server stalls. It may be restarted before the traces begin, so
 * that its analysis meets agents in the middle of their lives.
 */
#include "sim/world.h"

#include <stdlib.h>
#include <string.h>

#include "core/wire.h"

#define GRACE      (2 * S) /* server/nodes.h: a broken connection is often back at once */
#define BATCH_RUN  16      /* server/lifecycles.c */
#define LOOK_AGAIN (300 * US)
#define NEVER      UINT64_MAX
#define LINE_TIME  (3 * MS) /* a command takes this long at most */

struct backlog {
	struct backlog *next;
	const uint8_t *bytes; /* in the arena */
	size_t size;
};

static void work(struct world *w, void *what, uint64_t number);

static void plan(struct world *w, uint64_t at)
{
	if (w->server.advance_at <= at)
		return;
	w->server.advance_at = at;
	events_add(&w->events, at, work, NULL, at);
}

void server_plan(struct world *w)
{
	plan(w, w->now);
}

void server_take(struct world *w, const uint8_t *bytes, size_t size)
{
	struct backlog *entry = arena_take(&w->arena, sizeof(*entry));

	*entry = (struct backlog){.bytes = bytes, .size = size};
	if (w->server.backlog_last)
		w->server.backlog_last->next = entry;
	else
		w->server.backlog = entry;
	w->server.backlog_last = entry;
	plan(w, w->now + LOOK_AGAIN);
}

/* --- nodes -------------------------------------------------------------------------------------------------------- */

static void command(struct world *w, struct node *node, const struct uplink_command *line)
{
	uint64_t delay = LINE_TIME;

	if (line->op == UPLINK_ARM && node->deaf_task == line->task.id)
		delay = random_between(&w->rnd, 500 * MS, 6 * S);
	if (line->op == UPLINK_STOP && node->mute_task == line->task.id)
		delay = random_between(&w->rnd, 1 * S, 6 * S);
	agent_command(w, node, line, delay);
}

static void broadcast(struct world *w, enum uplink_op op, const struct vt_task *task)
{
	struct uplink_command line = {.op = op, .task = *task};

	for (uint32_t i = 0; i < w->n_nodes; i++) {
		if (w->nodes[i].connected)
			command(w, &w->nodes[i], &line);
	}
}

/* What a node that comes late, or back, is told: where each task is now. */
static void snapshot(struct world *w, struct node *node)
{
	uint32_t *ids = arena_take(&w->arena, TASKS_MAX * sizeof(*ids));
	struct uplink_command line = {.op = UPLINK_SNAPSHOT, .snapshot = ids};

	for (uint32_t i = 0; i < w->server.n_traces; i++) {
		if (w->server.traces[i].begun && !w->server.traces[i].over)
			ids[line.n_snapshot++] = w->server.traces[i].id;
	}
	agent_command(w, node, &line, LINE_TIME);
	for (uint32_t i = 0; i < w->server.n_traces; i++) {
		struct trace_run *trace = &w->server.traces[i];
		struct uplink_command arm = {.op = UPLINK_ARM, .task = trace->task};

		if (!trace->begun || trace->over)
			continue;
		trace->asked[node->index] = true;
		command(w, node, &arm);
		if (trace->life.state == VT_TRACING)
			command(w, node, &(struct uplink_command){.op = UPLINK_START, .task = trace->task});
		if (trace->life.state == VT_ANALYZING)
			command(w, node, &(struct uplink_command){.op = UPLINK_STOP, .task = trace->task});
	}
}

void server_connect(struct world *w, struct node *node, uint64_t boot)
{
	struct uplink_command up = {.op = UPLINK_UP};

	if (node->boot != boot) /* what the former agent still had is gone with it */
		analysis_node_down(w->server.a, node->name, w->now);
	node->connected = true;
	node->boot = boot;
	node->down_at = NEVER;
	agent_command(w, node, &up, LINE_TIME);
	snapshot(w, node);
}

static void expire(struct world *w, void *what, uint64_t number)
{
	struct node *node = what;

	if (node->down_at != w->now)
		return;
	node->down_at = NEVER;
	story(w, "server: %s is gone", node->name);
	analysis_node_down(w->server.a, node->name, w->now);
	plan(w, w->now);
}

void server_disconnect(struct world *w, struct node *node)
{
	if (!node->connected)
		return;
	node->connected = false;
	node->down_at = w->now + GRACE;
	events_add(&w->events, node->down_at, expire, node, 0);
}

/* --- traces ------------------------------------------------------------------------------------------------------- */

static void begin(struct world *w, void *what, uint64_t number)
{
	struct trace_run *trace = what;
	unsigned int connected = 0;

	trace->asked = arena_take(&w->arena, w->n_nodes * sizeof(*trace->asked));
	for (uint32_t i = 0; i < w->n_nodes; i++) {
		trace->asked[i] = w->nodes[i].connected;
		connected += w->nodes[i].connected;
	}
	if (lifecycle_begin(&trace->life, w->server.a, &trace->task, connected, w->now) < 0)
		abort();
	trace->begun = true;
	story(w, "server: task %u begins, %u nodes are asked to arm", trace->id, connected);
	broadcast(w, UPLINK_ARM, &trace->task);
	plan(w, w->now);
}

/* Of each packet: was a record with its id lost by now? */
static void note_missing(struct world *w, struct trace_run *trace)
{
	const struct vt_result *result = &trace->result;

	trace->missing = arena_take(&w->arena, (result->n_list + 1) * sizeof(*trace->missing));
	for (uint64_t i = 0; i < result->n_list; i++) {
		trace->missing[i] = truth_ident(w, result->list[i].packet_id)->lost;
	}
}

static void note_silent(const struct world *w, struct trace_run *trace)
{
	for (uint32_t i = 0; i < w->n_nodes; i++)
		trace->silent += trace->asked[i];
}

static void finish(struct world *w, struct trace_run *trace)
{
	analysis_progress(w->server.a, trace->id, &trace->progress);
	if (analysis_result(w->server.a, trace->id, true, &trace->result) < 0)
		abort();
	trace->result.state = trace->life.state;
	trace->have_result = trace->over = true;
	trace->over_at = w->now;
	w->server.n_over++;
	note_missing(w, trace);
	note_silent(w, trace);
	story(w, "server: task %u is %s%s", trace->id, vt_state_name(trace->life.state),
	      trace->progress.settled_all ? "" : ", with packets unsettled");
	analysis_end(w->server.a, trace->id);
	broadcast(w, UPLINK_DISARM, &trace->task);
}

static uint64_t advance(struct world *w, struct trace_run *trace)
{
	uint64_t next = NEVER;

	for (;;) {
		switch (lifecycle_advance(&trace->life, w->server.a, w->now, &next)) {
		case LIFECYCLE_WAIT:
			return next;
		case LIFECYCLE_START:
			story(w, "server: task %u starts", trace->id);
			broadcast(w, UPLINK_START, &trace->task);
			break;
		case LIFECYCLE_STOP:
			story(w, "server: task %u stops", trace->id);
			broadcast(w, UPLINK_STOP, &trace->task);
			break;
		case LIFECYCLE_FINISH:
			finish(w, trace);
			return NEVER;
		}
	}
}

/* --- the loop ----------------------------------------------------------------------------------------------------- */

/* Who was asked to arm and never answered is known to the server (server/trace.c), not to the analysis. */
static void note_answer(struct world *w, const struct vt_batch *batch, uint32_t task)
{
	struct trace_run *trace = task && task <= w->server.n_traces ? &w->server.traces[task - 1] : NULL;

	for (uint32_t i = 0; trace && trace->asked && i < w->n_nodes; i++) {
		if (!strcmp(w->nodes[i].name, batch->node))
			trace->asked[i] = false;
	}
}

static void take_item(struct world *w, const struct vt_batch *batch, const struct vt_item *item)
{
	if (item->type == VT_ITEM_ARMED || item->type == VT_ITEM_FAILED)
		note_answer(w, batch, item->task);
}

static void take_batch(struct world *w, const struct backlog *entry)
{
	struct vt_batch *batch = NULL;
	struct vt_err err = {0};

	if (vt_wire_decode(entry->bytes, entry->size, &batch, &err) < 0) {
		story(w, "server: %s", err.text);
		w->violations++;
		return;
	}
	w->batches++;
	if (analysis_batch(w->server.a, batch, w->now) > 0) {
		for (uint32_t i = 0; i < batch->n_items; i++)
			take_item(w, batch, &batch->items[i]);
	}
	vt_batch_free(batch);
}

static bool take_batches(struct world *w)
{
	for (int i = 0; i < BATCH_RUN && w->server.backlog; i++) {
		struct backlog *entry = w->server.backlog;

		w->server.backlog = entry->next;
		if (!entry->next)
			w->server.backlog_last = NULL;
		take_batch(w, entry);
	}
	return w->server.backlog;
}

static void work(struct world *w, void *what, uint64_t number)
{
	uint64_t due, next;

	if (w->server.advance_at != number)
		return;
	w->server.advance_at = NEVER;
	if (w->now < w->server.stalled_until) {
		plan(w, w->server.stalled_until);
		return;
	}
	if (take_batches(w))
		plan(w, w->now + LOOK_AGAIN);
	due = analysis_advance(w->server.a, w->now);
	for (uint32_t i = 0; i < w->server.n_traces; i++) {
		struct trace_run *trace = &w->server.traces[i];

		next = trace->begun && !trace->over ? advance(w, trace) : NEVER;
		due = next < due ? next : due;
	}
	if (due != NEVER)
		plan(w, due > w->now ? due : w->now + LOOK_AGAIN);
}

static void stall(struct world *w, void *what, uint64_t number)
{
	story(w, "server: stalls for %llu ms", (unsigned long long)(number / MS));
	w->server.stalled_until = w->now + number;
}

/* --- from start to end -------------------------------------------------------------------------------------------- */

static void reconnect(struct world *w, void *what, uint64_t number)
{
	struct node *node = what;

	if (node->agent && node->agent->alive && !node->connected && !node_cut(node, w->now))
		server_connect(w, node, node->agent->out.batch.boot);
}

/* A new server knows nothing: traces that ran have failed, agents come back one by one. */
static void restart(struct world *w, void *what, uint64_t number)
{
	story(w, "server: is killed and starts again");
	analysis_free(w->server.a);
	w->server.a = analysis_new(&w->server.config);
	w->server.backlog = w->server.backlog_last = NULL;
	for (uint32_t i = 0; i < w->server.n_traces; i++) {
		struct trace_run *trace = &w->server.traces[i];

		if (!trace->begun || trace->over)
			continue;
		trace->over = trace->aborted = true;
		w->server.n_over++;
	}
	for (uint32_t i = 0; i < w->n_nodes; i++) {
		struct node *node = &w->nodes[i];

		node->connected = false;
		node->boot = 0;
		node->down_at = NEVER;
		if (node->agent)
			events_add(&w->events, w->now + random_between(&w->rnd, 1 * MS, 400 * MS), reconnect, node, 0);
	}
}

void server_open(struct world *w)
{
	if (w->knobs.tight) {
		w->server.config.max_records = 20 + random_below(&w->rnd, 1000);
		w->server.config.max_packets = 5 + random_below(&w->rnd, 200);
		w->server.config.max_nodes = random_one_in(&w->rnd, 3) ? 1 + random_below(&w->rnd, w->n_nodes) : 0;
	}
	w->server.a = analysis_new(&w->server.config);
	w->server.advance_at = NEVER;
	for (uint32_t i = 0; i < w->server.n_traces; i++)
		events_add(&w->events, w->server.traces[i].begin_at, begin, &w->server.traces[i], 0);
	if (w->knobs.restart_server)
		events_add(&w->events, random_between(&w->rnd, 100 * MS, 2 * S), restart, NULL, 0);
	if (w->knobs.server_stalls)
		events_add(&w->events, random_between(&w->rnd, 300 * MS, 4 * S), stall, NULL,
		           random_between(&w->rnd, 10 * MS, 2500 * MS));
}

void server_free(struct world *w)
{
	analysis_free(w->server.a);
	for (uint32_t i = 0; i < w->server.n_traces; i++) {
		if (w->server.traces[i].have_result)
			vt_result_done(&w->server.traces[i].result);
	}
}
