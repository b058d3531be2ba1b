// SPDX-License-Identifier: BSD-3-Clause
/* The store: what is written comes back, also after it was opened anew; its limits; files that are no store. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "server/store.h"

struct fixture {
	char dir[64], path[96];
	struct store *store;
};

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	strcpy(f->dir, "/tmp/vtrace-store-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	snprintf(f->path, sizeof(f->path), "%s/traces.db", f->dir);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	static const char *const suffixes[] = {"", "-wal", "-shm"};
	struct fixture *f = *state;
	char path[128];

	store_close(f->store);
	for (size_t i = 0; i < sizeof(suffixes) / sizeof(*suffixes); i++) {
		snprintf(path, sizeof(path), "%s%s", f->path, suffixes[i]);
		unlink(path);
	}
	rmdir(f->dir);
	free(f);
	return 0;
}

static void open_with(struct fixture *f, const struct store_limits *limits)
{
	struct vt_err err = {0};

	if (store_open(f->path, limits, &f->store, &err))
		fail_msg("%s", err.text);
}

static void open_again(struct fixture *f)
{
	store_close(f->store);
	f->store = NULL;
	open_with(f, NULL);
}

static uint32_t insert(struct fixture *f, const char *filter)
{
	struct vt_task task = {.bidirectional = true, .packet_count = 7, .trace_time_ms = 1500};
	struct vt_err err = {0};
	uint32_t id = 0;

	assert_int_equal(vt_filter_parse(filter, &task.filter, NULL), 0);
	if (store_insert(f->store, &task, 1000000, &id, &err))
		fail_msg("%s", err.text);
	return id;
}

static int finish(struct fixture *f, uint32_t id, enum vt_state state, const char *list)
{
	const struct store_final final = {
	    .state = state,
	    .finished_us = 2000000,
	    .error = state == VT_FAILED ? "it failed" : NULL,
	    .packets = "{\"coloured\":1}",
	    .verdict = "null",
	    .result = "{\"id\":\"x\"}",
	    .list = list,
	};

	return store_finish(f->store, id, &final, NULL);
}

/* Rows as seen by store_list(). */
struct rows {
	unsigned int n;
	uint32_t ids[64];
	struct store_row last; /* without its strings */
	char filter[VT_FILTER_MAX], error[64], packets[64];
};

static void take_row(void *arg, const struct store_row *row)
{
	struct rows *rows = arg;

	assert_true(rows->n < 64);
	rows->ids[rows->n++] = row->id;
	rows->last = *row;
	snprintf(rows->filter, sizeof(rows->filter), "%s", row->filter);
	snprintf(rows->error, sizeof(rows->error), "%s", row->error ? row->error : "-");
	snprintf(rows->packets, sizeof(rows->packets), "%s", row->packets ? row->packets : "-");
}

static struct rows list(struct fixture *f, const struct store_query *query)
{
	struct rows rows = {0};
	int n = store_list(f->store, query, take_row, &rows, NULL);

	assert_int_equal(n, rows.n);
	return rows;
}

static void a_trace_comes_back(void **state)
{
	struct fixture *f = *state;
	struct rows rows;
	char *json = NULL;
	uint32_t id;

	open_with(f, NULL);
	id = insert(f, "dst port 53 and udp");
	rows = list(f, &(struct store_query){.limit = 10});
	assert_int_equal(rows.n, 1);
	assert_int_equal(rows.last.id, id);
	assert_int_equal(rows.last.state, VT_NEW);
	assert_true(rows.last.bidirectional);
	assert_int_equal(rows.last.packet_count, 7);
	assert_int_equal(rows.last.trace_time_ms, 1500);
	assert_int_equal(rows.last.created_us, 1000000);
	assert_int_equal(rows.last.finished_us, 0);
	assert_string_equal(rows.filter, "udp and dst port 53"); /* the normal form */
	assert_int_equal(store_result(f->store, id, false, &json, NULL), -EBUSY);

	assert_int_equal(finish(f, id, VT_FAILED, NULL), 0);
	open_again(f);
	rows = list(f, &(struct store_query){.limit = 10});
	assert_int_equal(rows.last.state, VT_FAILED);
	assert_int_equal(rows.last.finished_us, 2000000);
	assert_string_equal(rows.error, "it failed");
	assert_string_equal(rows.packets, "{\"coloured\":1}");
	assert_int_equal(store_result(f->store, id, false, &json, NULL), 0);
	assert_string_equal(json, "{\"id\":\"x\"}");
	free(json);
}

static void the_list_is_a_member_when_asked_for(void **state)
{
	struct fixture *f = *state;
	char *json = NULL;
	uint32_t id;

	open_with(f, NULL);
	id = insert(f, "udp");
	assert_int_equal(finish(f, id, VT_DONE, "[1,2]"), 0);
	assert_int_equal(store_result(f->store, id, false, &json, NULL), 0);
	assert_string_equal(json, "{\"id\":\"x\"}");
	free(json);
	assert_int_equal(store_result(f->store, id, true, &json, NULL), 0);
	assert_string_equal(json, "{\"id\":\"x\",\"list\":[1,2]}");
	free(json);
}

static void old_lists_are_dropped_first(void **state)
{
	struct fixture *f = *state;
	uint32_t ids[3];
	char *json = NULL;

	open_with(f, &(struct store_limits){.max_list_bytes = 12});
	for (int i = 0; i < 3; i++) {
		ids[i] = insert(f, "udp");
		assert_int_equal(finish(f, ids[i], VT_DONE, "[1,2]"), 0);
	}
	assert_int_equal(store_result(f->store, ids[0], true, &json, NULL), 0);
	assert_string_equal(json, "{\"id\":\"x\",\"list\":null}");
	free(json);
	for (int i = 1; i < 3; i++) {
		assert_int_equal(store_result(f->store, ids[i], true, &json, NULL), 0);
		assert_string_equal(json, "{\"id\":\"x\",\"list\":[1,2]}");
		free(json);
	}
	/* A list that is too large by itself is kept as long as it is the newest. */
	ids[0] = insert(f, "udp");
	assert_int_equal(finish(f, ids[0], VT_DONE, "[1,2,3,4,5,6,7]"), 0);
	assert_int_equal(store_result(f->store, ids[0], true, &json, NULL), 0);
	assert_non_null(strstr(json, "[1,2,3,4,5,6,7]"));
	free(json);
}

static void old_finished_traces_are_deleted(void **state)
{
	struct fixture *f = *state;
	uint32_t running, ids[4];
	struct rows rows;
	char *json = NULL;

	open_with(f, &(struct store_limits){.max_traces = 3});
	running = insert(f, "tcp");
	for (int i = 0; i < 4; i++) {
		ids[i] = insert(f, "udp");
		assert_int_equal(finish(f, ids[i], VT_DONE, "[]"), 0);
	}
	rows = list(f, &(struct store_query){.limit = 10});
	assert_int_equal(rows.n, 3);
	assert_int_equal(rows.ids[0], ids[3]);
	assert_int_equal(rows.ids[1], ids[2]);
	assert_int_equal(rows.ids[2], running); /* the oldest, but it runs */
	assert_int_equal(store_result(f->store, ids[0], true, &json, NULL), -ENOENT);
}

static void ids_are_never_used_twice(void **state)
{
	struct fixture *f = *state;
	uint32_t first, second;

	open_with(f, &(struct store_limits){.max_traces = 1});
	first = insert(f, "udp");
	assert_int_equal(finish(f, first, VT_DONE, NULL), 0);
	second = insert(f, "udp"); /* pushes the first one out */
	assert_int_equal(finish(f, second, VT_DONE, NULL), 0);
	open_again(f);
	assert_true(insert(f, "udp") > second && second > first);
}

static void listing(void **state)
{
	struct fixture *f = *state;
	uint32_t ids[6];
	struct rows rows;

	open_with(f, NULL);
	for (int i = 0; i < 6; i++)
		ids[i] = insert(f, i % 2 ? "tcp" : "udp");
	assert_int_equal(store_set_state(f->store, ids[2], VT_TRACING, NULL), 0);

	rows = list(f, &(struct store_query){.limit = 2});
	assert_int_equal(rows.n, 2);
	assert_int_equal(rows.ids[0], ids[5]);
	rows = list(f, &(struct store_query){.limit = 64, .before = rows.ids[1]});
	assert_int_equal(rows.n, 4);
	assert_int_equal(rows.ids[0], ids[3]);
	rows = list(f, &(struct store_query){.limit = 64, .filter = "udp"});
	assert_int_equal(rows.n, 3);
	rows = list(f, &(struct store_query){.limit = 64, .state = VT_TRACING});
	assert_int_equal(rows.n, 1);
	assert_int_equal(rows.ids[0], ids[2]);
	rows = list(f, &(struct store_query){.limit = 64, .filter = "tcp", .state = VT_TRACING});
	assert_int_equal(rows.n, 0);
}

static void states_and_counts(void **state)
{
	struct fixture *f = *state;
	uint64_t counts[VT_FAILED + 1];
	enum vt_state now;
	uint32_t a, b;

	open_with(f, NULL);
	a = insert(f, "udp");
	b = insert(f, "udp");
	assert_int_equal(finish(f, b, VT_CANCELLED, NULL), 0);
	assert_int_equal(store_set_state(f->store, b, VT_TRACING, NULL), 0); /* too late: it is final */
	assert_int_equal(store_state(f->store, b, &now, NULL), 0);
	assert_int_equal(now, VT_CANCELLED);
	assert_int_equal(store_counts(f->store, counts, NULL), 0);
	assert_int_equal(counts[VT_NEW], 1);
	assert_int_equal(counts[VT_CANCELLED], 1);
	assert_int_equal(counts[VT_DONE], 0);
	assert_int_equal(store_state(f->store, a + 1000, &now, NULL), -ENOENT);
	assert_int_equal(finish(f, a + 1000, VT_DONE, "[]"), -ENOENT);
}

static void words_of_sql_are_just_words(void **state)
{
	struct fixture *f = *state;

	open_with(f, NULL);
	insert(f, "udp");
	assert_int_equal(list(f, &(struct store_query){.limit = 9, .filter = "' OR 1=1 --"}).n, 0);
}

static void expect_refused(struct fixture *f, int code, const char *word)
{
	struct vt_err err = {0};

	assert_int_equal(store_open(f->path, NULL, &f->store, &err), -code);
	assert_null(f->store);
	assert_non_null(strstr(err.text, word));
	assert_non_null(strstr(err.text, f->path));
	assert_null(strchr(err.text, '\n'));
}

static void a_newer_store_is_refused(void **state)
{
	struct fixture *f = *state;
	sqlite3 *db;

	assert_int_equal(sqlite3_open(f->path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "PRAGMA user_version = 99", NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
	expect_refused(f, EPROTONOSUPPORT, "newer vtrace");
}

static void something_else_is_refused(void **state)
{
	struct fixture *f = *state;
	FILE *file = fopen(f->path, "w");

	for (int i = 0; i < 1000; i++)
		fputs("this is no database\n", file);
	fclose(file);
	expect_refused(f, EIO, "not a database");
}

static void a_missing_directory_is_refused(void **state)
{
	struct fixture *f = *state;

	snprintf(f->path, sizeof(f->path), "%s/none/traces.db", f->dir);
	expect_refused(f, EIO, "unable to open");
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
	    T(a_trace_comes_back),
	    T(the_list_is_a_member_when_asked_for),
	    T(old_lists_are_dropped_first),
	    T(old_finished_traces_are_deleted),
	    T(ids_are_never_used_twice),
	    T(listing),
	    T(states_and_counts),
	    T(words_of_sql_are_just_words),
	    T(a_newer_store_is_refused),
	    T(something_else_is_refused),
	    T(a_missing_directory_is_refused),
	};

	return cmocka_run_group_tests_name("store", tests, NULL, NULL);
}
