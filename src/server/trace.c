// SPDX-License-Identifier: BSD-3-Clause
/* See trace.h. */
#include "server/trace.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct trace *trace_new(const struct vt_task *task, int64_t created_us)
{
	struct trace *trace = calloc(1, sizeof(*trace));

	if (!trace)
		return NULL;
	trace->id = task->id;
	trace->task = *task;
	trace->created_us = created_us;
	trace->shown = VT_NEW;
	return trace;
}

void trace_free(struct trace *trace)
{
	if (!trace)
		return;
	trace_texts_done(&trace->texts);
	if (trace->result)
		vt_result_done(trace->result);
	free(trace->result);
	free(trace->nodes);
	free(trace);
}

static int note_node(struct trace *trace, const char *name, enum trace_answer answer)
{
	struct trace_node *nodes = realloc(trace->nodes, (trace->n_nodes + 1) * sizeof(*nodes));

	if (!nodes)
		return -ENOMEM;
	trace->nodes = nodes;
	nodes += trace->n_nodes++;
	snprintf(nodes->name, sizeof(nodes->name), "%s", name);
	nodes->answer = answer;
	return 0;
}

int trace_asked(struct trace *trace, const char *name)
{
	return note_node(trace, name, TRACE_ASKED);
}

int trace_joined(struct trace *trace, const char *name)
{
	for (unsigned int i = 0; i < trace->n_nodes; i++) {
		if (!strcmp(trace->nodes[i].name, name))
			return 0;
	}
	return note_node(trace, name, TRACE_JOINED);
}

void trace_answered(struct trace *trace, const char *name, enum vt_item_type type)
{
	for (unsigned int i = 0; i < trace->n_nodes; i++) {
		struct trace_node *node = &trace->nodes[i];

		if (strcmp(node->name, name) != 0)
			continue;
		if (type == VT_ITEM_FAILED)
			node->answer = TRACE_REFUSED;
		else if (type == VT_ITEM_STARTED)
			node->answer = node->answer == TRACE_ARMED ? TRACE_STARTED : node->answer;
		else if (node->answer == TRACE_ASKED)
			node->answer = TRACE_ARMED;
		else if (node->answer == TRACE_JOINED)
			node->answer = TRACE_STARTED; /* nobody waits for it; that it was late the analysis knows */
		else if (node->answer == TRACE_SILENT || node->answer == TRACE_GONE)
			node->answer = TRACE_LATE;
	}
}

bool trace_under_way(const struct trace *trace)
{
	if (trace->life.state != VT_TRACING)
		return trace->life.state == VT_ANALYZING;
	for (unsigned int i = 0; i < trace->n_nodes; i++)
		if (trace->nodes[i].answer == TRACE_ARMED)
			return false;
	return true;
}

void trace_give_up_silent(struct trace *trace, bool (*connected)(void *arg, const char *name), void *arg)
{
	for (unsigned int i = 0; i < trace->n_nodes; i++) {
		struct trace_node *node = &trace->nodes[i];

		if (node->answer == TRACE_ASKED)
			node->answer = connected(arg, node->name) ? TRACE_SILENT : TRACE_GONE;
	}
}

/* Why a node is among the failed; NULL if it is not, or if the analysis has it already. */
static const char *answer_error(enum trace_answer answer)
{
	switch (answer) {
	case TRACE_SILENT:
		return "did not answer within 1 s; is its agent overloaded?";
	case TRACE_GONE:
		return "its agent disconnected before it answered";
	case TRACE_LATE:
		return "answered only after 1 s; what it saw before that is missing";
	case TRACE_JOINED:
		return "connected while the trace ran, and did not answer";
	case TRACE_ASKED:
	case TRACE_ARMED:
	case TRACE_STARTED:
	case TRACE_REFUSED:
		break;
	}
	return NULL;
}

static int add_failed(struct vt_result *result, const char *name, const char *error)
{
	struct vt_result_node_error *failed = realloc(result->failed, (result->n_failed + 1) * sizeof(*failed));

	if (!failed)
		return -ENOMEM;
	result->failed = failed;
	failed += result->n_failed++;
	snprintf(failed->node, sizeof(failed->node), "%s", name);
	snprintf(failed->error, sizeof(failed->error), "%s", error);
	return 0;
}

/* A trace that failed without saying why had no node that armed; the first one's reason is the best there is. */
static void explain_failure(struct vt_result *result)
{
	if (result->n_failed)
		snprintf(result->error, sizeof(result->error), "no node could be armed: %s: %.300s",
		         result->failed[0].node, result->failed[0].error);
	else
		snprintf(result->error, sizeof(result->error), "no node could be armed");
}

int trace_complete(const struct trace *trace, enum vt_state state, int64_t finished_us, const char *error,
                   struct vt_result *result)
{
	result->task = trace->task;
	result->state = state;
	result->created_us = trace->created_us;
	result->finished_us = finished_us;
	snprintf(result->id, sizeof(result->id), "%" PRIu32, trace->id);
	for (unsigned int i = 0; i < trace->n_nodes; i++) {
		const char *why = answer_error(trace->nodes[i].answer);

		if (why && add_failed(result, trace->nodes[i].name, why))
			return -ENOMEM;
	}
	snprintf(result->error, sizeof(result->error), "%s", error ? error : "");
	if (state == VT_FAILED && !error)
		explain_failure(result);
	return 0;
}

static char *dump_member(json_t *object, const char *name)
{
	json_t *member = json_object_get(object, name);

	return member ? json_dumps(member, JSON_COMPACT | JSON_ENCODE_ANY) : NULL;
}

static void fill_final(const struct vt_result *result, struct trace_texts *texts)
{
	texts->verdict = result->n_causes ? result->causes[0].code : VT_CAUSE_NONE;
	texts->final = (struct store_final){
	    .state = result->state,
	    .finished_us = result->finished_us,
	    .error = texts->error,
	    .packets = texts->packets,
	    .verdict = texts->ranked_first,
	    .result = texts->result,
	    .list = texts->list,
	};
}

int trace_render(const struct vt_result *result, struct trace_texts *texts)
{
	json_t *json = vt_result_to_json(result, true);

	*texts = (struct trace_texts){0};
	if (!json)
		return -ENOMEM;
	texts->list = dump_member(json, "list");
	json_object_del(json, "list");
	texts->packets = dump_member(json, "packets");
	texts->ranked_first = dump_member(json, "verdict");
	texts->result = json_dumps(json, JSON_COMPACT);
	texts->error = *result->error ? strdup(result->error) : NULL;
	json_decref(json);
	if (!texts->packets || !texts->ranked_first || !texts->result) {
		trace_texts_done(texts);
		return -ENOMEM;
	}
	fill_final(result, texts);
	return 0;
}

void trace_texts_done(struct trace_texts *texts)
{
	free(texts->packets);
	free(texts->ranked_first);
	free(texts->result);
	free(texts->list);
	free(texts->error);
	*texts = (struct trace_texts){0};
}
