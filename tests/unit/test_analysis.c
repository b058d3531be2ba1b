// SPDX-License-Identifier: BSD-3-Clause
/*
 * The analysis over time: what it says before, at and after its deadlines, what makes it careful, its limits, and that
 * the order in which batches of different nodes arrive changes nothing. What verdict follows from which records is told
 * by the golden cases (tests/golden).
 */
#include "analysis_fixture.h"

static void test_delivered_settles_at_once(void **state)
{
	struct fixture f = fixture();
	uint64_t next;

	colour(f.h1, 7, 1);
	leave(f.h1, 1, 7, f.h2);
	send(f.a, f.h1, f.now);
	enter(f.h2, 2, 7, f.h1);
	deliver(f.h2, 2, 7);
	send(f.a, f.h2, f.now);
	next = analysis_advance(f.a, f.now);
	assert_int_equal(next, f.now + 30 * MS);
	analysis_advance(f.a, next - 1);
	assert_int_equal(progress_of(&f).unsettled, 1);
	assert_packets(&f, 0, 0, 0, 1);
	assert_int_equal(analysis_advance(f.a, next), UINT64_MAX);
	assert_int_equal(progress_of(&f).settled, 1);
	assert_packets(&f, 1, 0, 0, 0);
	fixture_done(&f);
}

static void test_settled_all_follows_stopped(void **state)
{
	struct fixture f = fixture();

	colour(f.h1, 7, 1);
	drop(f.h1, 1, 7, "a rule");
	send(f.a, f.h1, f.now);
	analysis_advance(f.a, f.now += 30 * MS);
	assert_false(progress_of(&f).settled_all);
	analysis_stop(f.a, 1, f.now);
	stopped(f.h1, 1, 1, 0);
	progress(f.h1, 0);
	send(f.a, f.h1, f.now);
	stopped(f.h2, 1, 0, 0);
	progress(f.h2, 0);
	send(f.a, f.h2, f.now);
	assert_false(progress_of(&f).settled_all);
	assert_int_equal(progress_of(&f).stopped, 2);
	stopped(f.h3, 1, 0, 0);
	progress(f.h3, 0);
	send(f.a, f.h3, f.now);
	assert_true(progress_of(&f).settled_all);
	assert_packets(&f, 0, 1, 0, 0);
	fixture_done(&f);
}

/* A node says it coloured two, one record has come: the other is awaited until long_buffer is over, unless it is known
 * lost. */
static void test_settled_all_waits_for_coloured(void **state)
{
	for (int known_lost = 0; known_lost < 2; known_lost++) {
		struct fixture f = fixture();

		colour(f.h1, 7, 1);
		drop(f.h1, 1, 7, "a rule");
		stopped(f.h1, 1, 2, 0);
		progress(f.h1, (uint64_t)known_lost);
		send(f.a, f.h1, f.now);
		stopped(f.h2, 1, 0, 0);
		progress(f.h2, 0);
		send(f.a, f.h2, f.now);
		stopped(f.h3, 1, 0, 0);
		progress(f.h3, 0);
		send(f.a, f.h3, f.now);
		analysis_stop(f.a, 1, f.now);
		analysis_advance(f.a, f.now + 30 * MS);
		assert_int_equal(progress_of(&f).settled_all, known_lost);
		assert_int_equal(progress_of(&f).coloured[0], 2);
		assert_true(analysis_advance(f.a, f.now + 1 * S) <= f.now + 4 * S || known_lost);
		analysis_advance(f.a, f.now + 4 * S);
		assert_true(progress_of(&f).settled_all);
		/* with records lost at the same time, the drop could be that of an equal packet */
		assert_packets(&f, 0, !known_lost, 0, 1 + (uint64_t)known_lost);
		fixture_done(&f);
	}
}

/* Whoever calls at the times that advance() names gets to the end. */
static void test_next_times_lead_to_the_end(void **state)
{
	struct fixture f = fixture();
	uint64_t next;
	int calls = 0;

	colour(f.h1, 1, 1); /* silent */
	colour(f.h1, 2, 1); /* into the underlay */
	leave(f.h1, 1, 2, f.h2);
	send(f.a, f.h1, f.now);
	while ((next = analysis_advance(f.a, f.now)) != UINT64_MAX) {
		assert_true(next > f.now);
		assert_true(++calls < 1000);
		f.now = next;
	}
	assert_int_equal(progress_of(&f).unsettled, 0);
	assert_packets(&f, 0, 0, 0, 2); /* nobody proved anything */
	fixture_done(&f);
}

static void gap(struct fixture *f)
{
	colour(f->h1, 7, 1);
	leave(f->h1, 1, 7, f->h2);
	send(f->a, f->h1, f->now);
}

static void test_gap_needs_time_and_proof(void **state)
{
	struct fixture f = fixture();
	struct vt_result result;

	gap(&f);
	pass(&f, 900 * MS, NULL);
	assert_packets(&f, 0, 0, 0, 1);
	assert_int_equal(progress_of(&f).unsettled, 1);
	pass(&f, 300 * MS, NULL);
	assert_packets(&f, 0, 0, 1, 0);
	result = result_of(f.a, 1);
	assert_string_equal(result.causes[0].node, "h1");
	assert_int_equal(result.causes[0].code, VT_CAUSE_UNDERLAY_LOST);
	vt_result_done(&result);
	fixture_done(&f);
}

static void test_gap_without_proof_is_unfinished(void **state)
{
	for (int far_side = 0; far_side < 2; far_side++) {
		struct fixture f = fixture();

		gap(&f);
		pass(&f, 6 * S, far_side ? f.h2 : f.h1);
		assert_int_equal(progress_of(&f).unsettled, 0);
		assert_packets(&f, 0, 0, 0, 1);
		fixture_done(&f);
	}
}

#define H2_CLOCK (77 * S) /* so much is the clock of h2 ahead of ours */

static void h2_says(struct fixture *f, uint64_t said)
{
	progress_of_time(f->h2, 0, said + H2_CLOCK);
	send(f->a, f->h2, f->now);
}

/* A node's upload stalls, then its backlog comes at once: the progress in it was made before the packet got there. */
static void test_backlog_proves_nothing(void **state)
{
	struct fixture f = fixture();
	uint64_t stalled;

	pass(&f, 200 * MS, f.h2);
	h2_says(&f, f.now);
	gap(&f);
	stalled = f.now;
	pass(&f, 2 * S, f.h2);
	h2_says(&f, stalled + 100 * MS);
	f.now += MS;
	h2_says(&f, stalled + 200 * MS);
	analysis_advance(f.a, f.now += 100 * MS);
	assert_packets(&f, 0, 0, 0, 1);
	enter(f.h2, 2, 7, f.h1);
	deliver(f.h2, 2, 7);
	send(f.a, f.h2, f.now);
	analysis_advance(f.a, f.now += 30 * MS);
	assert_packets(&f, 1, 0, 0, 0);
	fixture_done(&f);
}

/* A backlog that grows while progress keeps coming: each is older than the one before, and proves so much less. */
static void test_old_progress_proves_little(void **state)
{
	struct fixture f = fixture();
	uint64_t sent, age = 0;

	pass(&f, 200 * MS, f.h2);
	h2_says(&f, f.now);
	gap(&f);
	sent = f.now;
	for (; f.now < sent + 3 * S; age += 90 * MS) {
		pass(&f, 100 * MS, f.h2);
		h2_says(&f, f.now - age);
		assert_packets(&f, 0, 0, 0, 1);
	}
	pass(&f, 100 * MS, f.h2);
	h2_says(&f, f.now);
	analysis_advance(f.a, f.now += 100 * MS);
	assert_packets(&f, 0, 0, 1, 0);
	fixture_done(&f);
}

static void test_record_reopens(void **state)
{
	struct fixture f = fixture();
	struct vt_result result;

	colour(f.h1, 7, 1);
	leave(f.h1, 1, 7, f.h3);
	drop(f.h1, 1, 7, "a rule");
	send(f.a, f.h1, f.now);
	pass(&f, 1200 * MS, NULL);
	assert_packets(&f, 0, 1, 0, 0);
	enter(f.h3, 2, 7, f.h1);
	deliver(f.h3, 2, 7);
	send(f.a, f.h3, f.now);
	assert_packets(&f, 0, 0, 0, 1);
	analysis_advance(f.a, f.now += 30 * MS);
	assert_packets(&f, 1, 0, 0, 0);
	result = result_of(f.a, 1);
	assert_int_equal(result.n_causes, 0);
	assert_int_equal(result.n_paths, 1);
	assert_int_equal(result.list[0].path, 0);
	vt_result_done(&result);
	fixture_done(&f);
}

/* An incident long before a packet does not weaken what is said about it. */
static void test_old_incident_is_forgotten(void **state)
{
	struct fixture f = fixture();

	progress(f.h2, 3);
	send(f.a, f.h2, f.now);
	for (int i = 0; i < 45; i++) { /* 4.5 s */
		f.now += 100 * MS;
		progress(f.h2, 3);
		send(f.a, f.h2, f.now);
	}
	gap(&f);
	for (int i = 0; i < 13; i++) {
		f.now += 100 * MS;
		progress(f.h1, 0);
		send(f.a, f.h1, f.now);
		progress(f.h2, 3);
		send(f.a, f.h2, f.now);
		analysis_advance(f.a, f.now);
	}
	assert_packets(&f, 0, 0, 1, 0);
	fixture_done(&f);
}

static void test_reconnect_heals(void **state)
{
	for (int skip = 0; skip < 2; skip++) {
		struct fixture f = fixture();

		gap(&f);
		analysis_node_down(f.a, "h2", f.now);
		f.h2->batch.number += (uint64_t)skip;
		f.now += 10 * MS;
		progress(f.h2, 0);
		send(f.a, f.h2, f.now);
		pass(&f, 1500 * MS, NULL);
		assert_packets(&f, 0, 0, !skip, skip);
		fixture_done(&f);
	}
}

/* A new boot forgets what was armed: it is not complete for this trace again, however long ago it was. */
static void test_reboot_is_for_good(void **state)
{
	struct fixture f = fixture();

	f.h2->batch.boot = 2;
	f.h2->batch.number = 0;
	pass(&f, 6 * S, NULL);
	gap(&f);
	pass(&f, 2 * S, NULL);
	assert_packets(&f, 0, 0, 0, 1);
	fixture_done(&f);
}

static void test_shared_address_is_nobodys(void **state)
{
	struct fixture f = fixture();
	struct vt_item *item = say(f.h3, VT_ITEM_NODE);

	item->node.n_addrs = 2;
	feed_addr(item->node.addrs[0], 2); /* as h2 */
	feed_addr(item->node.addrs[1], 2);
	send(f.a, f.h3, f.now);
	gap(&f);
	pass(&f, 2 * S, NULL);
	assert_packets(&f, 0, 0, 0, 1);
	item = say(f.h3, VT_ITEM_NODE); /* and gives it back */
	item->node.n_addrs = 0;
	send(f.a, f.h3, f.now);
	colour(f.h1, 8, 1);
	leave(f.h1, 1, 8, f.h2);
	send(f.a, f.h1, f.now);
	pass(&f, 2 * S, NULL);
	assert_packets(&f, 0, 0, 1, 1);
	fixture_done(&f);
}

static void test_duplicates_and_counters(void **state)
{
	struct fixture f = fixture();
	struct analysis_stats stats;

	colour(f.h1, 7, 1);
	deliver(f.h1, 1, 7);
	f.h1->batch.number++;
	f.h1->batch.items = f.h1->items;
	assert_int_equal(analysis_batch(f.a, &f.h1->batch, f.now), 1);
	assert_int_equal(analysis_batch(f.a, &f.h1->batch, f.now), 0);
	f.h1->batch.n_items = 0;
	deliver(f.h2, 2, 99); /* nobody's */
	send(f.a, f.h2, f.now);
	analysis_advance(f.a, f.now + 9 * S);
	analysis_stats(f.a, &stats);
	assert_int_equal(stats.batches, 5);
	assert_int_equal(stats.duplicate_batches, 1);
	assert_int_equal(stats.records, 3);
	assert_int_equal(stats.orphans, 1);
	assert_int_equal(stats.missing, 0);
	assert_int_equal(stats.packets, 1);
	assert_int_equal(stats.nodes, 3);
	analysis_end(f.a, 1);
	analysis_stats(f.a, &stats);
	assert_int_equal(stats.packets, 0);
	fixture_done(&f);
}

static void test_errors(void **state)
{
	struct fixture f = fixture();
	struct vt_task task = feed_task(1, 1);
	struct analysis_progress p;
	struct vt_result result;

	assert_int_equal(analysis_begin(f.a, &task, f.now), -EEXIST);
	assert_int_equal(analysis_progress(f.a, 2, &p), -ENOENT);
	assert_int_equal(analysis_result(f.a, 2, false, &result), -ENOENT);
	for (task.id = 2; task.id <= 1024; task.id++)
		assert_int_equal(analysis_begin(f.a, &task, f.now), 0);
	assert_int_equal(analysis_begin(f.a, &task, f.now), -ENOSPC);
	analysis_end(f.a, 17);
	analysis_end(f.a, 17);
	assert_int_equal(analysis_begin(f.a, &task, f.now), 0);
	fixture_done(&f);
}

/* Past max_records: counted as missing, the node is incomplete, and a gap behind it is no loss. */
static void test_record_limit(void **state)
{
	struct analysis_config config = {.max_records = 2};
	struct fixture f = fixture_with(&config);
	struct analysis_stats stats;
	struct vt_result result;

	gap(&f);
	enter(f.h2, 2, 7, f.h1);
	send(f.a, f.h2, f.now);
	analysis_stats(f.a, &stats);
	assert_int_equal(stats.missing, 1);
	pass(&f, 2 * S, NULL);
	assert_packets(&f, 0, 0, 0, 1);
	result = result_of(f.a, 1);
	assert_int_equal(result.missing, 1);
	vt_result_done(&result);
	fixture_done(&f);
}

static void test_packet_and_node_limits(void **state)
{
	struct analysis_config config = {.max_packets = 2, .max_nodes = 3};
	struct fixture f = fixture_with(&config);
	struct feed_node *h4 = feed_node("h4", 4);
	struct vt_result result;

	for (uint64_t id = 1; id <= 3; id++) {
		colour(f.h1, id, 1);
		deliver(f.h1, 1, id);
	}
	send(f.a, f.h1, f.now);
	colour(h4, 9, 1);
	assert_int_equal(send(f.a, h4, f.now), 1);
	analysis_advance(f.a, f.now + 30 * MS);
	result = result_of(f.a, 1);
	assert_int_equal(result.coloured, 3);
	assert_int_equal(result.delivered, 2);
	assert_int_equal(result.unfinished, 1);
	assert_true(result.missing >= 1);
	vt_result_done(&result);
	free(h4);
	fixture_done(&f);
}

static void test_many_causes_are_joined(void **state)
{
	struct fixture f = fixture();
	uint64_t packets = 0, listed = 0;
	struct vt_result result;

	for (uint64_t id = 1; id <= 200; id++) {
		struct vt_log *log;

		colour(f.h1, id, 1);
		log = drop(f.h1, 1, id, "");
		snprintf(log->evidence, sizeof(log->evidence), "rule %u", (unsigned int)id);
		if (id > 100) /* also of different kinds, not only with different words */
			snprintf(log->site, sizeof(log->site), "site+%u", (unsigned int)id);
	}
	send(f.a, f.h1, f.now);
	analysis_advance(f.a, f.now + 30 * MS);
	result = result_of(f.a, 1);
	assert_int_equal(result.dropped, 200);
	assert_true(result.n_causes > 16 && result.n_causes <= 32);
	for (unsigned int i = 0; i < result.n_causes; i++) {
		packets += result.causes[i].packets;
		assert_true(!i || result.causes[i].packets <= result.causes[i - 1].packets);
	}
	assert_int_equal(packets, 200);
	for (unsigned int i = 0; i < result.n_paths; i++)
		listed += result.paths[i].packets;
	assert_int_equal(listed, 200);
	vt_result_done(&result);
	fixture_done(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_delivered_settles_at_once),
	    cmocka_unit_test(test_settled_all_follows_stopped),
	    cmocka_unit_test(test_settled_all_waits_for_coloured),
	    cmocka_unit_test(test_next_times_lead_to_the_end),
	    cmocka_unit_test(test_gap_needs_time_and_proof),
	    cmocka_unit_test(test_gap_without_proof_is_unfinished),
	    cmocka_unit_test(test_backlog_proves_nothing),
	    cmocka_unit_test(test_old_progress_proves_little),
	    cmocka_unit_test(test_record_reopens),
	    cmocka_unit_test(test_old_incident_is_forgotten),
	    cmocka_unit_test(test_reconnect_heals),
	    cmocka_unit_test(test_reboot_is_for_good),
	    cmocka_unit_test(test_shared_address_is_nobodys),
	    cmocka_unit_test(test_duplicates_and_counters),
	    cmocka_unit_test(test_errors),
	    cmocka_unit_test(test_record_limit),
	    cmocka_unit_test(test_packet_and_node_limits),
	    cmocka_unit_test(test_many_causes_are_joined),
	};

	return cmocka_run_group_tests_name("analysis", tests, NULL, NULL);
}
