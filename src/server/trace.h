// SPDX-License-Identifier: BSD-3-Clause
/*
 * One trace that runs: its life cycle, the nodes that were asked to arm, and in the end its result as the texts that
 * the store keeps. Part of the controller; the functions that take no analysis touch nothing but the trace.
 */
#ifndef VT_SERVER_TRACE_H
#define VT_SERVER_TRACE_H

#include <stdbool.h>
#include <stdint.h>
#include <uthash.h>

#include "analysis/lifecycle.h"
#include "core/batch.h"
#include "server/store.h"

enum trace_answer {
	TRACE_ASKED = 1, /* ARM was sent */
	TRACE_ARMED,     /* ARMED came before colouring began */
	TRACE_STARTED,   /* STARTED came: it colours */
	TRACE_REFUSED,   /* FAILED came; the analysis knows why */
	TRACE_SILENT,    /* no answer when colouring began */
	TRACE_GONE,      /* no answer, and its agent was not connected any more */
	TRACE_LATE,      /* ARMED came after colouring had begun */
	TRACE_JOINED,    /* connected while the trace ran, and has not answered */
};

struct trace_node {
	char name[VT_NODE_MAX];
	enum trace_answer answer;
};

/* A final result as the store takes it; all but `final` is owned. */
struct trace_texts {
	struct store_final final;
	enum vt_cause verdict;
	char *packets, *ranked_first, *result, *list, *error;
};

struct trace {
	uint32_t id;
	struct vt_task task;
	struct lifecycle life;
	int64_t created_us;
	enum vt_state shown; /* what users see; never a final one, with that it is in the store */
	unsigned int n_nodes;
	struct trace_node *nodes; /* those that were sent ARM, or came later */
	bool finishing;           /* it has ended and is in the analysis thread's list, by `next` */
	struct trace *next;
	struct vt_result *result; /* while it is in that list and not yet rendered */
	struct trace_texts texts; /* once it is rendered */
	uint64_t retry_at;        /* when to try again to store them */
	UT_hash_handle hh;        /* by id */
};

struct trace *trace_new(const struct vt_task *task, int64_t created_us); /* NULL without memory */
void trace_free(struct trace *trace);

/* Notes that `name` was sent ARM. -ENOMEM. */
int trace_asked(struct trace *trace, const char *name);

/* Notes that `name` connected while the trace runs, and was told of it; nothing new where it was asked before. -ENOMEM.
 */
int trace_joined(struct trace *trace, const char *name);

/* Notes what a node answered (ARMED, STARTED or FAILED). */
void trace_answered(struct trace *trace, const char *name, enum vt_item_type type);

/*
 * Whether every node that armed has begun to colour, or colouring is over: from now on traffic is traced. Not for a
 * trace that failed or was cancelled: who waits is woken when that is in the store.
 */
bool trace_under_way(const struct trace *trace);

/* Colouring begins, or the trace failed: nodes that have not answered are given up. */
void trace_give_up_silent(struct trace *trace, bool (*connected)(void *arg, const char *name), void *arg);

/* Puts into `result` what the analysis does not know: id, state, times, error, nodes that did not arm. -ENOMEM. */
int trace_complete(const struct trace *trace, enum vt_state state, int64_t finished_us, const char *error,
                   struct vt_result *result);

/* Renders a completed result. -ENOMEM. trace_texts_done() frees. */
int trace_render(const struct vt_result *result, struct trace_texts *texts);
void trace_texts_done(struct trace_texts *texts);

#endif
