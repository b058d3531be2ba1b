// SPDX-License-Identifier: BSD-3-Clause
/* The life of a task: which state follows which, what is to be sent, and that no silent agent holds it up. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>

#include "analysis/lifecycle.h"
#include "analysis_feed.h"

struct fixture {
	struct analysis *a;
	struct feed_node *h1, *h2;
	struct lifecycle life;
	uint64_t now, next;
};

static struct fixture fixture(unsigned int expected, bool bidirectional)
{
	struct fixture f = {
	    .a = analysis_new(NULL), .h1 = feed_node("h1", 1), .h2 = feed_node("h2", 2), .now = FEED_START};
	struct vt_task task = feed_task(1, 2);

	task.bidirectional = bidirectional;
	assert_int_equal(lifecycle_begin(&f.life, f.a, &task, expected, f.now), 0);
	assert_int_equal(f.life.state, VT_READY);
	return f;
}

static void fixture_done(struct fixture *f)
{
	analysis_free(f->a);
	free(f->h1);
	free(f->h2);
}

static enum lifecycle_action advance(struct fixture *f, uint64_t ns)
{
	return lifecycle_advance(&f->life, f->a, f->now += ns, &f->next);
}

static void answer(struct fixture *f, struct feed_node *node, enum vt_item_type type)
{
	say(node, type)->task = 1;
	send(f->a, node, f->now);
}

/* Both nodes armed, START sent. */
static struct fixture tracing(bool bidirectional)
{
	struct fixture f = fixture(2, bidirectional);

	answer(&f, f.h1, VT_ITEM_ARMED);
	assert_int_equal(advance(&f, 0), LIFECYCLE_WAIT);
	assert_int_equal(f.next, f.now + LIFECYCLE_ARM_NS);
	answer(&f, f.h2, VT_ITEM_ARMED);
	assert_int_equal(advance(&f, MS), LIFECYCLE_START);
	assert_int_equal(f.life.state, VT_TRACING);
	assert_int_equal(advance(&f, 0), LIFECYCLE_WAIT);
	assert_int_equal(f.next, f.now + 10 * S);
	return f;
}

static void healthy(struct fixture *f, uint64_t id, bool reverse)
{
	struct vt_record *rec = colour(f->h1, id, 1);

	rec->flags |= reverse ? VT_REC_REVERSE : 0;
	deliver(f->h1, 1, id);
	send(f->a, f->h1, f->now);
}

static void stop_answers(struct fixture *f, uint64_t forward, uint64_t reverse)
{
	stopped(f->h1, 1, forward, reverse);
	progress(f->h1, 0);
	send(f->a, f->h1, f->now);
	stopped(f->h2, 1, 0, 0);
	progress(f->h2, 0);
	send(f->a, f->h2, f->now);
}

static void test_count_ends_it(void **state)
{
	struct fixture f = tracing(false);
	uint64_t end;

	healthy(&f, 1, false);
	assert_int_equal(advance(&f, MS), LIFECYCLE_WAIT);
	healthy(&f, 2, false);
	assert_int_equal(advance(&f, 0), LIFECYCLE_STOP); /* at once */
	assert_int_equal(f.life.state, VT_ANALYZING);
	assert_int_equal(advance(&f, MS), LIFECYCLE_WAIT);
	stop_answers(&f, 2, 0);
	end = f.now + 30 * MS;
	while (advance(&f, 0) == LIFECYCLE_WAIT) { /* one packet settles, then the other */
		assert_true(f.next > f.now && f.next <= end);
		f.now = f.next;
	}
	assert_int_equal(f.life.state, VT_DONE);
	assert_int_equal(advance(&f, S), LIFECYCLE_FINISH);
	fixture_done(&f);
}

static void test_count_is_per_direction(void **state)
{
	struct fixture f = tracing(true);

	for (uint64_t id = 1; id <= 3; id++)
		healthy(&f, id, false);
	assert_int_equal(advance(&f, MS), LIFECYCLE_WAIT);
	healthy(&f, 4, true);
	healthy(&f, 5, true);
	assert_int_equal(advance(&f, MS), LIFECYCLE_STOP);
	fixture_done(&f);
}

static void test_time_ends_it(void **state)
{
	struct fixture f = tracing(false);

	assert_int_equal(advance(&f, 10 * S - 1), LIFECYCLE_WAIT);
	assert_int_equal(advance(&f, 1), LIFECYCLE_STOP);
	stop_answers(&f, 0, 0);
	assert_int_equal(advance(&f, 0), LIFECYCLE_FINISH);
	assert_int_equal(f.life.state, VT_DONE);
	fixture_done(&f);
}

static void test_late_node_is_not_waited_for(void **state)
{
	struct fixture f = fixture(3, false);
	struct vt_result result;

	answer(&f, f.h1, VT_ITEM_ARMED);
	send(f.a, f.h2, f.now); /* connected, says nothing about the task */
	assert_int_equal(advance(&f, LIFECYCLE_ARM_NS - 1), LIFECYCLE_WAIT);
	assert_int_equal(advance(&f, 1), LIFECYCLE_START);
	assert_int_equal(analysis_result(f.a, 1, false, &result), 0);
	assert_int_equal(result.armed, 1);
	assert_int_equal(result.n_failed, 1);
	assert_string_equal(result.failed[0].node, "h2");
	vt_result_done(&result);
	fixture_done(&f);
}

static void test_failed_nodes(void **state)
{
	struct fixture f = fixture(2, false);
	struct vt_item *item = say(f.h1, VT_ITEM_FAILED);

	item->task = 1;
	strcpy(item->text, "no BTF");
	send(f.a, f.h1, f.now);
	assert_int_equal(advance(&f, 0), LIFECYCLE_WAIT);
	answer(&f, f.h2, VT_ITEM_FAILED);
	assert_int_equal(advance(&f, 0), LIFECYCLE_FINISH);
	assert_int_equal(f.life.state, VT_FAILED);
	fixture_done(&f);
}

static void test_no_agents(void **state)
{
	struct fixture f = fixture(0, false);

	assert_int_equal(advance(&f, 0), LIFECYCLE_FINISH);
	assert_int_equal(f.life.state, VT_FAILED);
	fixture_done(&f);
}

/* h2 never answers STOP: after the flush time it counts as gone, and what rests on it is not claimed. */
static void test_silent_agent_is_given_up(void **state)
{
	struct fixture f = tracing(false);
	struct vt_result result;

	healthy(&f, 1, false);
	healthy(&f, 2, false);
	assert_int_equal(advance(&f, 0), LIFECYCLE_STOP);
	stopped(f.h1, 1, 2, 0);
	progress(f.h1, 0);
	send(f.a, f.h1, f.now);
	assert_int_equal(advance(&f, LIFECYCLE_FLUSH_NS - 1), LIFECYCLE_WAIT);
	assert_int_equal(advance(&f, 1), LIFECYCLE_FINISH);
	assert_int_equal(f.life.state, VT_DONE);
	assert_int_equal(analysis_result(f.a, 1, false, &result), 0);
	assert_int_equal(result.delivered, 2);
	assert_int_equal(result.n_failed, 1);
	assert_string_equal(result.failed[0].node, "h2");
	vt_result_done(&result);
	fixture_done(&f);
}

static void test_broken_agent_is_not_waited_for(void **state)
{
	struct fixture f = tracing(false);

	assert_int_equal(advance(&f, 10 * S), LIFECYCLE_STOP);
	stopped(f.h1, 1, 0, 0);
	progress(f.h1, 0);
	send(f.a, f.h1, f.now);
	assert_int_equal(advance(&f, 0), LIFECYCLE_WAIT);
	analysis_node_down(f.a, "h2", f.now);
	assert_int_equal(advance(&f, 0), LIFECYCLE_FINISH);
	fixture_done(&f);
}

/* A node that was given up goes on sending packets of the trace: there is an end all the same. */
static void test_endless_records_end(void **state)
{
	struct fixture f = tracing(false);
	enum lifecycle_action action = LIFECYCLE_WAIT;
	uint64_t stop;

	assert_int_equal(advance(&f, 10 * S), LIFECYCLE_STOP);
	stop = f.now;
	for (uint64_t id = 1; action == LIFECYCLE_WAIT; id++) {
		assert_true(f.now <= stop + LIFECYCLE_FLUSH_NS + LIFECYCLE_SETTLE_NS);
		healthy(&f, id, false);
		action = advance(&f, 20 * MS);
	}
	assert_int_equal(action, LIFECYCLE_FINISH);
	assert_int_equal(f.life.state, VT_DONE);
	fixture_done(&f);
}

static void test_cancel(void **state)
{
	struct fixture f = tracing(false);
	struct vt_result result;

	healthy(&f, 1, false);
	f.now += 30 * MS;
	lifecycle_cancel(&f.life, f.a, f.now);
	assert_int_equal(f.life.state, VT_CANCELLED);
	assert_int_equal(advance(&f, 0), LIFECYCLE_FINISH);
	assert_int_equal(f.life.state, VT_CANCELLED);
	assert_int_equal(analysis_result(f.a, 1, false, &result), 0);
	assert_int_equal(result.delivered, 1);
	vt_result_done(&result);
	fixture_done(&f);
}

static void test_same_task_twice(void **state)
{
	struct fixture f = fixture(1, false);
	struct vt_task task = feed_task(1, 1);
	struct lifecycle other;

	assert_int_equal(lifecycle_begin(&other, f.a, &task, 1, f.now), -EEXIST);
	fixture_done(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_count_ends_it),
	    cmocka_unit_test(test_count_is_per_direction),
	    cmocka_unit_test(test_time_ends_it),
	    cmocka_unit_test(test_late_node_is_not_waited_for),
	    cmocka_unit_test(test_failed_nodes),
	    cmocka_unit_test(test_no_agents),
	    cmocka_unit_test(test_silent_agent_is_given_up),
	    cmocka_unit_test(test_broken_agent_is_not_waited_for),
	    cmocka_unit_test(test_endless_records_end),
	    cmocka_unit_test(test_cancel),
	    cmocka_unit_test(test_same_task_twice),
	};

	return cmocka_run_group_tests_name("lifecycle", tests, NULL, NULL);
}
