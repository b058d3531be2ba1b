// SPDX-License-Identifier: BSD-3-Clause
/* The analysis under disorder: records in any order, nonsense, one id for all packets. Seeds are fixed. */
#include "analysis_fixture.h"

static uint64_t next_random(uint64_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return *seed;
}

/* What happens to packet `id`: a function of the id alone, so that the truth is known whatever the order. */
static void play(struct fixture *f, uint64_t id)
{
	colour(f->h1, id, 1);
	if (id % 7 == 0) {
		drop(f->h1, 1, id, "rule a");
		return;
	}
	leave(f->h1, 1, id, f->h2);
	if (id % 5 == 0)
		return; /* the underlay took it */
	enter(f->h2, 2, id, f->h1);
	if (id % 3 == 0)
		return; /* vanished in h2 */
	leave(f->h2, 2, id, f->h3);
	enter(f->h3, 3, id, f->h2);
	if (id % 2)
		drop(f->h3, 3, id, "rule b");
	else
		deliver(f->h3, 3, id);
}

/* Nodes send when they like; the result does not depend on it. */
static void test_order_of_arrival_is_nothing(void **state)
{
	for (uint64_t round = 1; round <= 50; round++) {
		uint64_t seed = round * 0x9e3779b97f4a7c15ULL, want[4] = {0};
		struct fixture f = fixture();
		struct vt_result result;

		for (uint64_t id = 1; id <= 120; id++) {
			struct feed_node *nodes[] = {f.h1, f.h2, f.h3};

			play(&f, id);
			want[id % 7 == 0 ? 1 : id % 5 == 0 || id % 3 == 0 ? 2 : id % 2 ? 1 : 0]++;
			if (next_random(&seed) % 3 == 0)
				send(f.a, nodes[next_random(&seed) % 3], f.now);
			f.now += next_random(&seed) % 8 * MS;
			analysis_advance(f.a, f.now);
		}
		pass(&f, 6 * S, NULL);
		assert_packets(&f, want[0], want[1], want[2], 0);
		result = result_of(f.a, 1);
		assert_int_equal(result.n_causes, 4);
		assert_int_equal(result.ambiguous, 0);
		vt_result_done(&result);
		fixture_done(&f);
	}
}

/* Any record at all from a sane wire: nothing breaks, and the sums hold. */
static void test_nonsense(void **state)
{
	for (uint64_t round = 1; round <= 60; round++) {
		uint64_t seed = round * 0xd1342543de82ef95ULL;
		struct fixture f = fixture();
		struct vt_result result;
		uint64_t coloured = 0;

		for (int i = 0; i < 600; i++) {
			struct feed_node *nodes[] = {f.h1, f.h2, f.h3};
			struct feed_node *node = nodes[next_random(&seed) % 3];
			struct vt_record *rec = record(
			    node, (enum vt_loc)(next_random(&seed) % 3 + 1), (unsigned int)(next_random(&seed) % 17),
			    next_random(&seed) % 12 + 1, next_random(&seed) % 2 ? "eth0" : "vm1");

			rec->flags = (__u16)(next_random(&seed) & 0x1ff);
			rec->flags &= next_random(&seed) % 4 ? (__u16)~VT_REC_COLOURED : 0xffff;
			rec->task = (rec->flags & VT_REC_COLOURED) ? 1 : 0;
			rec->flow.sport = (__u16)(next_random(&seed) % 3);
			rec->vni = (__u32)(next_random(&seed) % 2);
			rec->tcp_seq = (__u32)(next_random(&seed) % 8) * 500;
			rec->payload = (__u32)(next_random(&seed) % 4) * 500;
			rec->segments = (__u16)(next_random(&seed) % 3);
			rec->time_ns = next_random(&seed) % 50;
			feed_addr(rec->outer_src, (uint8_t)(next_random(&seed) % 4 + 1));
			feed_addr(rec->outer_dst, (uint8_t)(next_random(&seed) % 4 + 1));
			coloured += rec->task && rec->hop >= 1 && rec->hop <= VT_HOP_MAX;
			if (next_random(&seed) % 8 == 0) {
				node->batch.number += next_random(&seed) % 20 == 0;
				send(f.a, node, f.now);
				f.now += next_random(&seed) % 200 * MS;
				analysis_advance(f.a, f.now);
			}
		}
		pass(&f, 12 * S, NULL);
		assert_int_equal(progress_of(&f).unsettled, 0);
		result = result_of(f.a, 1);
		assert_true(result.coloured >= coloured);
		vt_result_done(&result);
		fixture_done(&f);
	}
}

/* Thousands of packets with one id (IPv6 datagrams with one payload): still one at a time, and in bearable time. */
static void test_one_id_for_all(void **state)
{
	const uint64_t n = 3000;
	struct fixture f = fixture();
	struct vt_result result;

	for (uint64_t i = 0; i < n; i++) {
		colour(f.h1, 7, 1);
		leave(f.h1, 1, 7, f.h2);
		enter(f.h2, 2, 7, f.h1);
		if (i % 3)
			deliver(f.h2, 2, 7);
		else
			drop(f.h2, 2, 7, "rule");
		if (i % 200 == 199) {
			send(f.a, f.h1, f.now);
			send(f.a, f.h2, f.now);
			analysis_advance(f.a, f.now += 10 * MS);
		}
	}
	analysis_advance(f.a, f.now + 50 * MS);
	result = result_of(f.a, 1);
	assert_int_equal(result.delivered, n - n / 3);
	assert_int_equal(result.dropped, n / 3);
	assert_int_equal(result.ambiguous, n);
	assert_int_equal(result.received, 4 * n);
	assert_false(result.causes[0].proven);
	vt_result_done(&result);
	fixture_done(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_order_of_arrival_is_nothing),
	    cmocka_unit_test(test_nonsense),
	    cmocka_unit_test(test_one_id_for_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
