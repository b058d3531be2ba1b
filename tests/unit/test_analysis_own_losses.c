// SPDX-License-Identifier: BSD-3-Clause
/* What is said of packets when VTrace itself lost something, or learns of it late. */
#include "analysis_fixture.h"

static void gap(struct fixture *f)
{
	colour(f->h1, 7, 1);
	leave(f->h1, 1, 7, f->h2);
	send(f->a, f->h1, f->now);
}

/* A loss was proven by a PROGRESS that may have been under way for long: when its node is given up, it is taken back.
 */
static void test_give_up_takes_losses_back(void **state)
{
	struct fixture f = fixture();

	gap(&f);
	pass(&f, 1200 * MS, NULL);
	assert_packets(&f, 0, 0, 1, 0);
	analysis_stop(f.a, 1, f.now);
	stopped(f.h1, 1, 1, 0);
	send(f.a, f.h1, f.now);
	analysis_give_up(f.a, 1, f.now += 2 * S);
	assert_false(progress_of(&f).settled_all); /* not before it has been thought over */
	analysis_advance(f.a, f.now += 30 * MS);
	assert_packets(&f, 0, 0, 0, 1);
	assert_int_equal(progress_of(&f).unsettled, 0);
	fixture_done(&f);
}

/* So it is when the node's connection breaks, and when it skips a batch. */
static void test_broken_node_takes_losses_back(void **state)
{
	for (int skip = 0; skip < 2; skip++) {
		struct fixture f = fixture();

		gap(&f);
		pass(&f, 1200 * MS, NULL);
		assert_packets(&f, 0, 0, 1, 0);
		if (skip) {
			f.h2->batch.number++;
			progress(f.h2, 0);
			send(f.a, f.h2, f.now);
		} else {
			analysis_node_down(f.a, "h2", f.now);
		}
		analysis_advance(f.a, f.now += 30 * MS);
		analysis_advance(f.a, f.now += 30 * MS);
		assert_packets(&f, 0, 0, 0, 1);
		fixture_done(&f);
	}
}

/*
 * A record that is lost with its number is missed once: whether the next record's number shows it, or a PROGRESS, for
 * want of a next record. One that is lost without a number is counted by PROGRESS alone.
 */
static void test_lost_records_count_once(void **state)
{
	struct fixture f = fixture();
	struct vt_result result;

	f.h1->seq += 3;
	gap(&f);
	progress_of_seq(f.h1, 0, f.h1->seq);
	send(f.a, f.h1, f.now);
	progress_of_seq(f.h1, 2, f.h1->seq + 4);
	send(f.a, f.h1, f.now);
	f.h1->seq += 4;
	deliver(f.h1, 1, 7);
	send(f.a, f.h1, f.now);
	result = result_of(f.a, 1);
	assert_int_equal(result.missing, 3 + 2 + 4);
	vt_result_done(&result);
	fixture_done(&f);
}

/* What was said long before is not touched. */
static void test_old_losses_stand(void **state)
{
	struct fixture f = fixture();

	gap(&f);
	pass(&f, 8 * S, NULL);
	analysis_node_down(f.a, "h2", f.now);
	analysis_advance(f.a, f.now += 30 * MS);
	assert_packets(&f, 0, 0, 1, 0);
	fixture_done(&f);
}

/* A node that takes half a second to answer takes it to report as well. */
static void test_slow_node_proves_later(void **state)
{
	struct analysis *a = analysis_new(NULL);
	struct vt_task task = feed_task(1, 100);
	struct fixture f = {.a = a, .h1 = feed_node("h1", 1), .h2 = feed_node("h2", 2), .h3 = feed_node("h3", 3)};
	struct feed_node *nodes[] = {f.h1, f.h2, f.h3};

	f.now = FEED_START;
	assert_int_equal(analysis_begin(a, &task, f.now), 0);
	for (int i = 0; i < 3; i++) {
		say(nodes[i], VT_ITEM_ARMED)->task = 1;
		send(a, nodes[i], f.now + (nodes[i] == f.h2 ? 500 * MS : 0));
	}
	analysis_start(a, 1, f.now += 500 * MS);
	gap(&f);
	pass(&f, 1400 * MS, NULL);
	assert_packets(&f, 0, 0, 0, 1);
	pass(&f, 300 * MS, NULL);
	assert_packets(&f, 0, 0, 1, 0);
	fixture_done(&f);
}

/* Another task's packet with this id: when that task is gone, its records are still not ours. */
static void test_equal_packet_of_a_task_that_is_gone(void **state)
{
	struct fixture f = fixture();
	struct vt_task task = feed_task(2, 100);
	struct feed_node *nodes[] = {f.h1, f.h2, f.h3};

	analysis_begin(f.a, &task, f.now);
	for (int i = 0; i < 3; i++) {
		say(nodes[i], VT_ITEM_ARMED)->task = 2;
		send(f.a, nodes[i], f.now);
	}
	analysis_start(f.a, 2, f.now);
	colour(f.h1, 7, 1);
	leave(f.h1, 1, 7, f.h2);
	colour(f.h1, 7, 2);
	leave(f.h1, 1, 7, f.h2);
	send(f.a, f.h1, f.now);
	analysis_end(f.a, 2);
	enter(f.h2, 2, 7, f.h1);
	drop(f.h2, 2, 7, "a rule");
	enter(f.h2, 2, 7, f.h1);
	deliver(f.h2, 2, 7);
	send(f.a, f.h2, f.now);
	pass(&f, 6 * S, NULL);
	assert_packets(&f, 0, 0, 0, 1);
	fixture_done(&f);
}

/* What an agent had under way when it was restarted comes too late, and twice is no better. */
static void test_batch_of_a_former_boot(void **state)
{
	struct fixture f = fixture();
	struct analysis_stats stats;

	colour(f.h1, 7, 1);
	f.h1->batch.boot = 2;
	f.h1->batch.number = 0;
	progress(f.h2, 0);
	assert_int_equal(send(f.a, f.h1, f.now), 1);
	f.h1->batch.boot = 1;
	f.h1->batch.number = 1;
	colour(f.h1, 8, 1);
	assert_int_equal(send(f.a, f.h1, f.now), 0);
	analysis_stats(f.a, &stats);
	assert_int_equal(stats.packets, 1);
	fixture_done(&f);
}

/* A batch that was missing before the restart is no batch of the new agent. */
static void test_hole_of_a_former_boot(void **state)
{
	struct fixture f = fixture();

	f.h1->batch.number = 2; /* batch 2 is missing */
	progress(f.h1, 0);
	assert_int_equal(send(f.a, f.h1, f.now), 1);
	f.h1->batch.boot = 2;
	f.h1->batch.number = 0;
	for (int i = 0; i < 2; i++) {
		progress(f.h1, 0);
		assert_int_equal(send(f.a, f.h1, f.now), 1);
	}
	f.h1->batch.number = 1;
	progress(f.h1, 0);
	assert_int_equal(send(f.a, f.h1, f.now), 0); /* batch 2 once more */
	fixture_done(&f);
}

/* A batch is missing and no record came after it: the result says so all the same. */
static void test_missing_batch_is_shown(void **state)
{
	struct fixture f = fixture();
	struct vt_result result;

	f.h2->batch.number++;
	progress(f.h2, 0);
	send(f.a, f.h2, f.now);
	result = result_of(f.a, 1);
	assert_int_equal(result.missing, 0);
	assert_int_equal(result.n_failed, 1);
	assert_string_equal(result.failed[0].node, "h2");
	vt_result_done(&result);
	fixture_done(&f);
}

/* The last answer is in, but not what the node lost until then. */
static void test_end_waits_for_the_count(void **state)
{
	struct fixture f = fixture();
	struct feed_node *nodes[] = {f.h1, f.h2, f.h3};

	analysis_stop(f.a, 1, f.now);
	for (int i = 0; i < 3; i++) {
		stopped(nodes[i], 1, 0, 0);
		send(f.a, nodes[i], f.now);
	}
	assert_false(progress_of(&f).settled_all);
	for (int i = 0; i < 3; i++) {
		progress(nodes[i], 0);
		send(f.a, nodes[i], f.now);
	}
	assert_true(progress_of(&f).settled_all);
	fixture_done(&f);
}

/* More nodes than there is room for: what they send is missing, and shown. */
static void test_nodes_without_room_are_shown(void **state)
{
	const struct analysis_config config = {.max_nodes = 2};
	struct fixture f = fixture_with(&config); /* h3 found no room */
	struct vt_result result = result_of(f.a, 1);

	assert_int_equal(result.armed, 2);
	assert_int_equal(result.missing, 1);
	vt_result_done(&result);
	deliver(f.h3, 2, 7);
	send(f.a, f.h3, f.now);
	result = result_of(f.a, 1);
	assert_int_equal(result.missing, 2);
	vt_result_done(&result);
	fixture_done(&f);
}

/* A node that is not connected is named where packets went there, and only then. */
static void test_absent_node_is_named_where_it_matters(void **state)
{
	for (int goes_there = 0; goes_there < 2; goes_there++) {
		struct fixture f = fixture();
		struct vt_task task = feed_task(2, 100);
		struct vt_result result;

		analysis_node_down(f.a, "h2", f.now);
		analysis_begin(f.a, &task, f.now);
		say(f.h1, VT_ITEM_ARMED)->task = 2;
		say(f.h3, VT_ITEM_ARMED)->task = 2;
		send(f.a, f.h1, f.now);
		send(f.a, f.h3, f.now);
		analysis_start(f.a, 2, f.now);
		colour(f.h1, 7, 2);
		if (goes_there)
			leave(f.h1, 1, 7, f.h2);
		else
			deliver(f.h1, 1, 7);
		send(f.a, f.h1, f.now);
		pass(&f, 6 * S, f.h2);
		result = result_of(f.a, 2);
		assert_int_equal(result.unfinished, goes_there);
		assert_int_equal(result.n_failed, goes_there);
		vt_result_done(&result);
		fixture_done(&f);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_give_up_takes_losses_back),
	    cmocka_unit_test(test_broken_node_takes_losses_back),
	    cmocka_unit_test(test_lost_records_count_once),
	    cmocka_unit_test(test_old_losses_stand),
	    cmocka_unit_test(test_slow_node_proves_later),
	    cmocka_unit_test(test_equal_packet_of_a_task_that_is_gone),
	    cmocka_unit_test(test_batch_of_a_former_boot),
	    cmocka_unit_test(test_hole_of_a_former_boot),
	    cmocka_unit_test(test_missing_batch_is_shown),
	    cmocka_unit_test(test_end_waits_for_the_count),
	    cmocka_unit_test(test_nodes_without_room_are_shown),
	    cmocka_unit_test(test_absent_node_is_named_where_it_matters),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
