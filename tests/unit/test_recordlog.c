// SPDX-License-Identifier: BSD-3-Clause
/* The record log: order, both limits, waking, and a writer and a reader in two threads. */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "core/wire.h"
#include "server/recordlog.h"

/* A batch as vt_wire_decode() makes it: the only maker of what vt_batch_free() frees. */
static struct vt_batch *make_batch(uint64_t number, uint32_t n_items)
{
	struct vt_item *items = calloc(n_items + 1, sizeof(*items));
	struct vt_batch batch = {
	    .node = "h1", .kind = VT_KIND_VSWITCH, .boot = 1, .number = number, .n_items = n_items, .items = items};
	struct vt_batch *decoded = NULL;
	uint8_t *bytes = NULL;
	size_t size = 0;

	for (uint32_t i = 0; i < n_items; i++)
		items[i].type = VT_ITEM_PROGRESS;
	assert_int_equal(vt_wire_encode(&batch, &bytes, &size, NULL), 0);
	assert_int_equal(vt_wire_decode(bytes, size, &decoded, NULL), 0);
	free(bytes);
	free(items);
	return decoded;
}

static void take_expect(struct recordlog *log, uint64_t number)
{
	struct vt_batch *batch = recordlog_take(log, 0);

	assert_non_null(batch);
	assert_int_equal(batch->number, number);
	vt_batch_free(batch);
}

static void batches_come_out_in_order(void **state)
{
	struct recordlog *log = recordlog_new(NULL);

	assert_null(recordlog_take(log, 0));
	for (uint64_t n = 1; n <= 3; n++)
		assert_int_equal(recordlog_append(log, make_batch(n, 1)), 0);
	for (uint64_t n = 1; n <= 3; n++)
		take_expect(log, n);
	assert_null(recordlog_take(log, 0));
	recordlog_free(log);
}

static void full_by_number(void **state)
{
	struct recordlog *log = recordlog_new(&(struct recordlog_config){.max_batches = 2});
	struct vt_batch *third = make_batch(3, 1);
	struct recordlog_stats stats;

	assert_int_equal(recordlog_append(log, make_batch(1, 1)), 0);
	assert_int_equal(recordlog_append(log, make_batch(2, 1)), 0);
	assert_int_equal(recordlog_append(log, third), -EAGAIN);
	recordlog_stats(log, &stats);
	assert_int_equal(stats.batches, 2);
	assert_int_equal(stats.appended, 2);
	assert_int_equal(stats.refused, 1);
	take_expect(log, 1);
	assert_int_equal(recordlog_append(log, third), 0); /* it was still ours */
	take_expect(log, 2);
	take_expect(log, 3);
	recordlog_free(log);
}

static void full_by_bytes(void **state)
{
	struct recordlog *log = recordlog_new(&(struct recordlog_config){.max_bytes = 10 * sizeof(struct vt_item)});
	struct vt_batch *small = make_batch(2, 1);
	struct recordlog_stats stats;

	/* Larger than the log, but the log is empty: otherwise it could never be delivered. */
	assert_int_equal(recordlog_append(log, make_batch(1, 20)), 0);
	assert_int_equal(recordlog_append(log, small), -EAGAIN);
	take_expect(log, 1);
	assert_int_equal(recordlog_append(log, small), 0);
	recordlog_stats(log, &stats);
	assert_true(stats.bytes >= sizeof(struct vt_item) && stats.bytes < 2 * sizeof(struct vt_item));
	take_expect(log, 2);
	recordlog_stats(log, &stats);
	assert_int_equal(stats.bytes, 0);
	recordlog_free(log);
}

static void free_frees_what_waits(void **state)
{
	struct recordlog *log = recordlog_new(NULL);

	assert_int_equal(recordlog_append(log, make_batch(1, 5)), 0); /* the leak checker is the judge */
	recordlog_free(log);
}

static void deadline_ends_the_wait(void **state)
{
	struct recordlog *log = recordlog_new(NULL);
	uint64_t deadline = vt_now_ns() + 20 * VT_MSEC_NS;

	assert_null(recordlog_take(log, deadline));
	assert_true(vt_now_ns() >= deadline);
	recordlog_free(log);
}

static void wake_before_the_wait_is_kept(void **state)
{
	struct recordlog *log = recordlog_new(NULL);
	uint64_t deadline = vt_now_ns() + 3600 * VT_SECOND_NS;

	recordlog_wake(log);
	assert_null(recordlog_take(log, deadline));
	assert_true(vt_now_ns() < deadline);
	recordlog_free(log);
}

#define STREAMED 2000

static void *append_many(void *arg)
{
	struct recordlog *log = arg;

	for (uint64_t n = 1; n <= STREAMED; n++) {
		struct vt_batch *batch = make_batch(n, 1);

		while (recordlog_append(log, batch))
			sched_yield();
	}
	return NULL;
}

static void two_threads(void **state)
{
	struct recordlog *log = recordlog_new(&(struct recordlog_config){.max_batches = 8});
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, append_many, log), 0);
	for (uint64_t n = 1; n <= STREAMED; n++) {
		struct vt_batch *batch = recordlog_take(log, UINT64_MAX);

		assert_non_null(batch);
		assert_int_equal(batch->number, n);
		vt_batch_free(batch);
	}
	pthread_join(thread, NULL);
	recordlog_free(log);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(batches_come_out_in_order),
	    cmocka_unit_test(full_by_number),
	    cmocka_unit_test(full_by_bytes),
	    cmocka_unit_test(free_frees_what_waits),
	    cmocka_unit_test(deadline_ends_the_wait),
	    cmocka_unit_test(wake_before_the_wait_is_kept),
	    cmocka_unit_test(two_threads),
	};

	return cmocka_run_group_tests_name("recordlog", tests, NULL, NULL);
}
