// SPDX-License-Identifier: BSD-3-Clause
/*
 * The store on SQLite: one connection under one mutex, in WAL mode, with statements prepared once. A transaction is not
 * forced to the disk (synchronous=NORMAL): after a power failure the last few traces may be gone, the file stays whole.
 *
 * Results are kept as the JSON text that is served. The packet list, by far the largest part, lies in a table of its
 * own, so that it costs nothing when it is not asked for and can be dropped by itself.
 */
#include "server/store.h"

#include <errno.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SCHEMA_VERSION 1

static const char schema[] = "BEGIN IMMEDIATE;"
                             "CREATE TABLE trace ("
                             " id INTEGER PRIMARY KEY AUTOINCREMENT,"
                             " filter TEXT NOT NULL," /* normal form */
                             " bidirectional INTEGER NOT NULL,"
                             " packet_count INTEGER NOT NULL,"
                             " trace_time_ms INTEGER NOT NULL,"
                             " state INTEGER NOT NULL," /* enum vt_state */
                             " created_us INTEGER NOT NULL,"
                             " finished_us INTEGER,"
                             " error TEXT,"
                             " packets TEXT,"
                             " verdict TEXT,"
                             " result TEXT);"
                             "CREATE INDEX trace_filter ON trace (filter, id);"
                             "CREATE INDEX trace_state ON trace (state, id);"
                             "CREATE TABLE packet_list ("
                             " trace INTEGER PRIMARY KEY REFERENCES trace (id) ON DELETE CASCADE,"
                             " bytes INTEGER NOT NULL,"
                             " list TEXT NOT NULL);"
                             "PRAGMA user_version = 1;"
                             "COMMIT;";

enum statement {
	INSERT,
	SET_STATE,
	FINISH,
	ADD_LIST,
	RESULT,
	LIST,
	COUNTS,
	TRIM_TRACES,
	LIST_BYTES,
	DROP_OLDEST_LIST,
	N_STATEMENTS,
};

/* States 5 to 7 are the final ones; store_open() holds that against vt_state_final(). */
static const char *const statement_sql[N_STATEMENTS] = {
    [INSERT] = "INSERT INTO trace (filter, bidirectional, packet_count, trace_time_ms, state, created_us)"
               " VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    [SET_STATE] = "UPDATE trace SET state = ?2 WHERE id = ?1 AND result IS NULL",
    [FINISH] = "UPDATE trace SET state = ?2, finished_us = ?3, error = ?4, packets = ?5, verdict = ?6, result = ?7"
               " WHERE id = ?1",
    [ADD_LIST] = "INSERT OR REPLACE INTO packet_list (trace, bytes, list) VALUES (?1, ?2, ?3)",
    [RESULT] = "SELECT t.state, t.result, CASE WHEN ?2 THEN (SELECT list FROM packet_list WHERE trace = t.id) END"
               " FROM trace t WHERE t.id = ?1",
    [LIST] = "SELECT id, filter, bidirectional, packet_count, trace_time_ms, state, error, created_us, finished_us,"
             " packets, verdict FROM trace"
             " WHERE (?1 IS NULL OR filter = ?1) AND (?2 = 0 OR state = ?2) AND (?3 = 0 OR id < ?3)"
             " ORDER BY id DESC LIMIT ?4",
    [COUNTS] = "SELECT state, count(*) FROM trace GROUP BY state",
    [TRIM_TRACES] = "DELETE FROM trace WHERE id IN (SELECT id FROM trace WHERE state >= 5 ORDER BY id"
                    " LIMIT max(0, (SELECT count(*) FROM trace) - ?1))",
    [LIST_BYTES] = "SELECT total(bytes), count(*) FROM packet_list",
    [DROP_OLDEST_LIST] = "DELETE FROM packet_list WHERE trace = (SELECT min(trace) FROM packet_list)",
};

_Static_assert(VT_DONE == 5 && VT_CANCELLED == 6 && VT_FAILED == 7, "the final states' numbers stand in the file");

struct store {
	pthread_mutex_t lock;
	sqlite3 *db;
	sqlite3_stmt *statement[N_STATEMENTS];
	struct store_limits limits;
	char *path;
};

static int store_fail(struct store *store, const char *what, struct vt_err *err)
{
	int rc = sqlite3_errcode(store->db);
	int code = rc == SQLITE_FULL ? ENOSPC : rc == SQLITE_NOMEM ? ENOMEM : EIO;

	return vt_fail(err, code, "store %s: %s: %s (is the disk full, or the file damaged?)", store->path, what,
	               sqlite3_errmsg(store->db));
}

static int exec(struct store *store, const char *sql, struct vt_err *err)
{
	if (sqlite3_exec(store->db, sql, NULL, NULL, NULL) != SQLITE_OK)
		return store_fail(store, "set up", err);
	return 0;
}

static int read_version(struct store *store, int *ret_version, struct vt_err *err)
{
	sqlite3_stmt *stmt = NULL;
	int rc = 0;

	if (sqlite3_prepare_v2(store->db, "PRAGMA user_version", -1, &stmt, NULL) != SQLITE_OK ||
	    sqlite3_step(stmt) != SQLITE_ROW)
		rc = store_fail(store, "read its version", err);
	else
		*ret_version = sqlite3_column_int(stmt, 0);
	sqlite3_finalize(stmt);
	return rc;
}

static int set_up(struct store *store, struct vt_err *err)
{
	int version = 0;
	int rc = read_version(store, &version, err);

	if (!rc && version > SCHEMA_VERSION)
		return vt_fail(err, EPROTONOSUPPORT,
		               "store %s: written by a newer vtrace (schema %d, this one knows %d): use that one, or "
		               "another --data directory",
		               store->path, version, SCHEMA_VERSION);
	if (!rc)
		rc = exec(store, "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA foreign_keys = ON;",
		          err);
	if (!rc && version == 0)
		rc = exec(store, schema, err);
	return rc;
}

static int prepare_all(struct store *store, struct vt_err *err)
{
	for (int i = 0; i < N_STATEMENTS; i++) {
		if (sqlite3_prepare_v3(store->db, statement_sql[i], -1, SQLITE_PREPARE_PERSISTENT, &store->statement[i],
		                       NULL) != SQLITE_OK)
			return store_fail(store, "prepare (is this a vtrace store?)", err);
	}
	return 0;
}

int store_open(const char *path, const struct store_limits *limits, struct store **ret_store, struct vt_err *err)
{
	struct store *store = calloc(1, sizeof(*store));
	int rc = 0;

	if (!store || !(store->path = strdup(path))) {
		free(store);
		return vt_fail(err, ENOMEM, "store %s: no memory", path);
	}
	pthread_mutex_init(&store->lock, NULL);
	store->limits.max_traces = limits && limits->max_traces ? limits->max_traces : STORE_TRACES_MAX;
	store->limits.max_list_bytes =
	    limits && limits->max_list_bytes ? limits->max_list_bytes : STORE_LISTS_MAX_BYTES;
	if (sqlite3_open_v2(path, &store->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, NULL) !=
	    SQLITE_OK)
		rc = store_fail(store, "open", err);
	if (!rc)
		rc = set_up(store, err);
	if (!rc)
		rc = prepare_all(store, err);
	if (rc) {
		store_close(store);
		return rc;
	}
	*ret_store = store;
	return 0;
}

void store_close(struct store *store)
{
	if (!store)
		return;
	for (int i = 0; i < N_STATEMENTS; i++)
		sqlite3_finalize(store->statement[i]);
	sqlite3_close(store->db);
	pthread_mutex_destroy(&store->lock);
	free(store->path);
	free(store);
}

static sqlite3_stmt *begin(struct store *store, enum statement which)
{
	sqlite3_stmt *stmt = store->statement[which];

	sqlite3_reset(stmt);
	sqlite3_clear_bindings(stmt);
	return stmt;
}

/* Runs a statement that returns no rows, and leaves it ready for the next use. */
static int run(struct store *store, sqlite3_stmt *stmt, const char *what, struct vt_err *err)
{
	int rc = 0;

	if (sqlite3_step(stmt) != SQLITE_DONE)
		rc = store_fail(store, what, err);
	sqlite3_reset(stmt);
	return rc;
}

static void bind_text(sqlite3_stmt *stmt, int at, const char *text)
{
	if (text)
		sqlite3_bind_text(stmt, at, text, -1, SQLITE_STATIC);
}

static int trim_traces(struct store *store, struct vt_err *err)
{
	sqlite3_stmt *stmt = begin(store, TRIM_TRACES);

	sqlite3_bind_int64(stmt, 1, store->limits.max_traces);
	return run(store, stmt, "delete the oldest traces", err);
}

int store_insert(struct store *store, const struct vt_task *task, int64_t created_us, uint32_t *ret_id,
                 struct vt_err *err)
{
	char filter[VT_FILTER_MAX];
	sqlite3_stmt *stmt;
	int rc;

	vt_filter_format(&task->filter, filter);
	pthread_mutex_lock(&store->lock);
	stmt = begin(store, INSERT);
	bind_text(stmt, 1, filter);
	sqlite3_bind_int(stmt, 2, task->bidirectional);
	sqlite3_bind_int64(stmt, 3, task->packet_count);
	sqlite3_bind_int64(stmt, 4, task->trace_time_ms);
	sqlite3_bind_int(stmt, 5, VT_NEW);
	sqlite3_bind_int64(stmt, 6, created_us);
	rc = run(store, stmt, "add a trace", err);
	if (!rc && sqlite3_last_insert_rowid(store->db) > UINT32_MAX)
		rc = vt_fail(err, EOVERFLOW, "store %s: all trace ids are used up: start with another --data directory",
		             store->path);
	if (!rc) {
		*ret_id = (uint32_t)sqlite3_last_insert_rowid(store->db);
		rc = trim_traces(store, err);
	}
	pthread_mutex_unlock(&store->lock);
	return rc;
}

int store_set_state(struct store *store, uint32_t id, enum vt_state state, struct vt_err *err)
{
	sqlite3_stmt *stmt;
	int rc;

	pthread_mutex_lock(&store->lock);
	stmt = begin(store, SET_STATE);
	sqlite3_bind_int64(stmt, 1, id);
	sqlite3_bind_int(stmt, 2, (int)state);
	rc = run(store, stmt, "set a state", err);
	pthread_mutex_unlock(&store->lock);
	return rc;
}

static int add_list(struct store *store, uint32_t id, const char *list, struct vt_err *err)
{
	sqlite3_stmt *stmt = begin(store, ADD_LIST);

	sqlite3_bind_int64(stmt, 1, id);
	sqlite3_bind_int64(stmt, 2, (sqlite3_int64)strlen(list));
	bind_text(stmt, 3, list);
	return run(store, stmt, "add a packet list", err);
}

/* Drops packet lists, oldest first, until their sum keeps the limit or one is left. */
static int trim_lists(struct store *store, struct vt_err *err)
{
	for (;;) {
		sqlite3_stmt *stmt = begin(store, LIST_BYTES);
		bool over = false;
		int rc = 0;

		if (sqlite3_step(stmt) != SQLITE_ROW)
			rc = store_fail(store, "sum the packet lists", err);
		else
			over = sqlite3_column_double(stmt, 0) > (double)store->limits.max_list_bytes &&
			       sqlite3_column_int64(stmt, 1) > 1;
		sqlite3_reset(stmt);
		if (rc || !over)
			return rc;
		rc = run(store, begin(store, DROP_OLDEST_LIST), "drop the oldest packet list", err);
		if (rc)
			return rc;
	}
}

static int finish(struct store *store, uint32_t id, const struct store_final *final, struct vt_err *err)
{
	sqlite3_stmt *stmt = begin(store, FINISH);
	int rc;

	sqlite3_bind_int64(stmt, 1, id);
	sqlite3_bind_int(stmt, 2, (int) final->state);
	sqlite3_bind_int64(stmt, 3, final->finished_us);
	bind_text(stmt, 4, final->error);
	bind_text(stmt, 5, final->packets);
	bind_text(stmt, 6, final->verdict);
	bind_text(stmt, 7, final->result);
	rc = run(store, stmt, "store a result", err);
	if (!rc && sqlite3_changes(store->db) == 0)
		rc = vt_fail(err, ENOENT, "store %s: there is no trace %u", store->path, id);
	if (!rc && final->list)
		rc = add_list(store, id, final->list, err);
	if (!rc && final->list)
		rc = trim_lists(store, err);
	return rc;
}

int store_finish(struct store *store, uint32_t id, const struct store_final *final, struct vt_err *err)
{
	int rc;

	pthread_mutex_lock(&store->lock);
	rc = exec(store, "BEGIN IMMEDIATE", err);
	if (!rc) {
		rc = finish(store, id, final, err);
		if (!rc)
			rc = exec(store, "COMMIT", err);
		if (rc)
			sqlite3_exec(store->db, "ROLLBACK", NULL, NULL, NULL);
	}
	pthread_mutex_unlock(&store->lock);
	return rc;
}

/* `result` is a JSON object's text; puts one more member at its end. */
static char *splice_list(const char *result, const char *list)
{
	size_t size = strlen(result) + strlen(list) + sizeof(",\"list\":");
	char *text = malloc(size);

	if (text)
		snprintf(text, size, "%.*s,\"list\":%s}", (int)strlen(result) - 1, result, list);
	return text;
}

static int read_result(struct store *store, sqlite3_stmt *stmt, bool with_list, char **ret_json, struct vt_err *err)
{
	const char *result, *list;

	result = (const char *)sqlite3_column_text(stmt, 1);
	list = (const char *)sqlite3_column_text(stmt, 2);
	if (!result)
		return vt_fail(err, EBUSY, "store %s: the trace is not final yet", store->path);
	*ret_json = with_list ? splice_list(result, list ? list : "null") : strdup(result);
	return *ret_json ? 0 : vt_fail(err, ENOMEM, "store %s: no memory for a result", store->path);
}

/* Finds a trace by id: -ENOENT, or 0 with the RESULT statement on its row. The caller resets it. */
static int find(struct store *store, uint32_t id, bool with_list, sqlite3_stmt **ret_stmt, struct vt_err *err)
{
	sqlite3_stmt *stmt = begin(store, RESULT);
	int step;

	sqlite3_bind_int64(stmt, 1, id);
	sqlite3_bind_int(stmt, 2, with_list);
	*ret_stmt = stmt;
	step = sqlite3_step(stmt);
	if (step == SQLITE_ROW)
		return 0;
	if (step == SQLITE_DONE)
		return vt_fail(err, ENOENT, "there is no trace %u", id);
	return store_fail(store, "read a result", err);
}

int store_result(struct store *store, uint32_t id, bool with_list, char **ret_json, struct vt_err *err)
{
	sqlite3_stmt *stmt;
	int rc;

	pthread_mutex_lock(&store->lock);
	rc = find(store, id, with_list, &stmt, err);
	if (!rc)
		rc = read_result(store, stmt, with_list, ret_json, err);
	sqlite3_reset(stmt);
	pthread_mutex_unlock(&store->lock);
	return rc;
}

int store_state(struct store *store, uint32_t id, enum vt_state *ret_state, struct vt_err *err)
{
	sqlite3_stmt *stmt;
	int rc;

	pthread_mutex_lock(&store->lock);
	rc = find(store, id, false, &stmt, err);
	if (!rc)
		*ret_state = (enum vt_state)sqlite3_column_int(stmt, 0);
	sqlite3_reset(stmt);
	pthread_mutex_unlock(&store->lock);
	return rc;
}

static void read_row(sqlite3_stmt *stmt, struct store_row *row)
{
	row->id = (uint32_t)sqlite3_column_int64(stmt, 0);
	row->filter = (const char *)sqlite3_column_text(stmt, 1);
	row->bidirectional = sqlite3_column_int(stmt, 2) != 0;
	row->packet_count = (uint32_t)sqlite3_column_int64(stmt, 3);
	row->trace_time_ms = (uint32_t)sqlite3_column_int64(stmt, 4);
	row->state = (enum vt_state)sqlite3_column_int(stmt, 5);
	row->error = (const char *)sqlite3_column_text(stmt, 6);
	row->created_us = sqlite3_column_int64(stmt, 7);
	row->finished_us = sqlite3_column_int64(stmt, 8);
	row->packets = (const char *)sqlite3_column_text(stmt, 9);
	row->verdict = (const char *)sqlite3_column_text(stmt, 10);
}

int store_list(struct store *store, const struct store_query *query,
               void (*row)(void *arg, const struct store_row *row), void *arg, struct vt_err *err)
{
	struct store_row columns;
	sqlite3_stmt *stmt;
	int n = 0, step;

	pthread_mutex_lock(&store->lock);
	stmt = begin(store, LIST);
	bind_text(stmt, 1, query->filter);
	sqlite3_bind_int(stmt, 2, (int)query->state);
	sqlite3_bind_int64(stmt, 3, query->before);
	sqlite3_bind_int64(stmt, 4, query->limit);
	while ((step = sqlite3_step(stmt)) == SQLITE_ROW) {
		read_row(stmt, &columns);
		row(arg, &columns);
		n++;
	}
	if (step != SQLITE_DONE)
		n = store_fail(store, "list the traces", err);
	sqlite3_reset(stmt);
	pthread_mutex_unlock(&store->lock);
	return n;
}

int store_counts(struct store *store, uint64_t counts[VT_FAILED + 1], struct vt_err *err)
{
	sqlite3_stmt *stmt;
	int step, rc = 0;

	memset(counts, 0, (VT_FAILED + 1) * sizeof(*counts));
	pthread_mutex_lock(&store->lock);
	stmt = begin(store, COUNTS);
	while ((step = sqlite3_step(stmt)) == SQLITE_ROW) {
		int state = sqlite3_column_int(stmt, 0);

		if (state >= VT_NEW && state <= VT_FAILED)
			counts[state] = (uint64_t)sqlite3_column_int64(stmt, 1);
	}
	if (step != SQLITE_DONE)
		rc = store_fail(store, "count the traces", err);
	sqlite3_reset(stmt);
	pthread_mutex_unlock(&store->lock);
	return rc;
}
