// SPDX-License-Identifier: BSD-3-Clause
/*
 * The store: every trace with what was asked, its state and its result, in one SQLite file. Its ids are the ids of
 * traces and tasks; they are never used twice, also not after a restart. Safe to call from any thread.
 */
#ifndef VT_SERVER_STORE_H
#define VT_SERVER_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "core/result.h"
#include "core/task.h"

#define STORE_TRACES_MAX      10000           /* a listing of all of them stays under a second */
#define STORE_LISTS_MAX_BYTES (1024ULL << 20) /* packet lists: 100 000 packets take 20 MiB, so the last 50 such fit */

struct store;

struct store_limits {
	unsigned int max_traces; /* 0: STORE_TRACES_MAX */
	uint64_t max_list_bytes; /* 0: STORE_LISTS_MAX_BYTES */
};

/* Opens or creates the file. NULL limits mean the defaults. */
int store_open(const char *path, const struct store_limits *limits, struct store **ret_store, struct vt_err *err);
void store_close(struct store *store);

/*
 * Adds a trace in state `new` and gives it its id (task->id is not looked at). Past the limit the oldest finished
 * traces are deleted.
 */
int store_insert(struct store *store, const struct vt_task *task, int64_t created_us, uint32_t *ret_id,
                 struct vt_err *err);

int store_set_state(struct store *store, uint32_t id, enum vt_state state, struct vt_err *err);

struct store_final {
	enum vt_state state; /* a final one */
	int64_t finished_us;
	const char *error;   /* NULL: none */
	const char *packets; /* JSON text of the result's member of that name */
	const char *verdict; /* the same; "null" where nothing was lost */
	const char *result;  /* JSON text of the whole result without "list" */
	const char *list;    /* JSON text of the result's "list", or NULL */
};

/* Makes a trace final. Past STORE_LISTS_MAX_BYTES the oldest packet lists are dropped. -ENOENT for an unknown id. */
int store_finish(struct store *store, uint32_t id, const struct store_final *final, struct vt_err *err);

/*
 * The result of a final trace as JSON text that the caller frees. With with_list it has the member "list", null if the
 * list was dropped to keep the limit. -ENOENT: unknown id; -EBUSY: it is not final yet.
 */
int store_result(struct store *store, uint32_t id, bool with_list, char **ret_json, struct vt_err *err);

int store_state(struct store *store, uint32_t id, enum vt_state *ret_state, struct vt_err *err); /* -ENOENT */

struct store_query {
	const char *filter;  /* normal form, NULL: any */
	enum vt_state state; /* 0: any */
	uint32_t before;     /* only ids below it; 0: all */
	unsigned int limit;  /* at most so many rows */
};

/* Strings hold during the callback only. */
struct store_row {
	uint32_t id;
	const char *filter;
	bool bidirectional;
	uint32_t packet_count, trace_time_ms;
	enum vt_state state;
	const char *error; /* or NULL */
	int64_t created_us;
	int64_t finished_us;           /* 0: not yet */
	const char *packets, *verdict; /* JSON texts, NULL until the trace is final */
};

/* Calls `row` for each trace, newest first, with the store locked: it must not call the store. Returns how many. */
int store_list(struct store *store, const struct store_query *query,
               void (*row)(void *arg, const struct store_row *row), void *arg, struct vt_err *err);

/* Number of traces in each state, indexed by enum vt_state. */
int store_counts(struct store *store, uint64_t counts[VT_FAILED + 1], struct vt_err *err);

#endif
