// SPDX-License-Identifier: BSD-3-Clause
/* What the tests of the analysis share: an analysis with a task and three nodes, time that passes, and what comes of
 * it. */
#ifndef VT_TESTS_ANALYSIS_FIXTURE_H
#define VT_TESTS_ANALYSIS_FIXTURE_H

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include "analysis_feed.h"

struct fixture {
	struct analysis *a;
	struct feed_node *h1, *h2, *h3;
	uint64_t now;
};

/* Three nodes, task 1 armed on all and started. */
static inline struct fixture fixture_with(const struct analysis_config *config)
{
	struct fixture f = {.a = analysis_new(config), .now = FEED_START};
	struct vt_task task = feed_task(1, 100);
	struct feed_node *nodes[3];

	f.h1 = nodes[0] = feed_node("h1", 1);
	f.h2 = nodes[1] = feed_node("h2", 2);
	f.h3 = nodes[2] = feed_node("h3", 3);
	assert_int_equal(analysis_begin(f.a, &task, f.now), 0);
	for (int i = 0; i < 3; i++) {
		say(nodes[i], VT_ITEM_ARMED)->task = 1;
		assert_int_equal(send(f.a, nodes[i], f.now), 1);
	}
	analysis_start(f.a, 1, f.now);
	return f;
}

static inline struct fixture fixture(void)
{
	return fixture_with(NULL);
}

static inline void fixture_done(struct fixture *f)
{
	analysis_free(f->a);
	free(f->h1);
	free(f->h2);
	free(f->h3);
}

/* Lets time pass in steps of 100 ms in which all nodes but `silent` report progress, as agents do. */
static inline void pass(struct fixture *f, uint64_t ns, const struct feed_node *silent)
{
	struct feed_node *nodes[] = {f->h1, f->h2, f->h3};

	for (uint64_t end = f->now + ns; f->now < end;) {
		f->now += 100 * MS;
		for (int i = 0; i < 3; i++) {
			if (nodes[i] == silent)
				continue;
			progress(nodes[i], 0);
			send(f->a, nodes[i], f->now);
		}
		analysis_advance(f->a, f->now);
	}
}

static inline struct vt_result result_of(const struct analysis *a, uint32_t task)
{
	struct vt_result result;

	assert_int_equal(analysis_result(a, task, true, &result), 0);
	assert_int_equal(result.coloured, result.delivered + result.dropped + result.lost + result.unfinished);
	return result;
}

static inline void assert_packets(const struct fixture *f, uint64_t delivered, uint64_t dropped, uint64_t lost,
                                  uint64_t unfinished)
{
	struct vt_result result = result_of(f->a, 1);

	assert_int_equal(result.delivered, delivered);
	assert_int_equal(result.dropped, dropped);
	assert_int_equal(result.lost, lost);
	assert_int_equal(result.unfinished, unfinished);
	vt_result_done(&result);
}

static inline struct analysis_progress progress_of(const struct fixture *f)
{
	struct analysis_progress p;

	assert_int_equal(analysis_progress(f->a, 1, &p), 0);
	return p;
}

#endif
