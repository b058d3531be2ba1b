// SPDX-License-Identifier: BSD-3-Clause
/* For which time the agent's PROGRESS is: a datapath that knows until when it has handed out all is believed. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "agent/agent.h"
#include "agent/uplink_local.h"
#include "base/clock.h"
#include "datapath/fake/fake.h"

#define PATIENCE_NS   5000000000ULL /* far more than anything takes, also on a loaded machine */
#define COMPLETE_TIME 12345

static int take(void *arg, const struct vt_batch *batch)
{
	uint64_t *said = arg;

	for (uint32_t i = 0; i < batch->n_items; i++)
		if (batch->items[i].type == VT_ITEM_PROGRESS)
			*said = batch->items[i].progress.time_ns;
	return 0;
}

static uint64_t complete_until(struct datapath *dp)
{
	return COMPLETE_TIME;
}

/* The time of the first PROGRESS that comes from now on. */
static uint64_t await_progress(struct agent *agent, uint64_t *said)
{
	uint64_t end = vt_now_ns() + PATIENCE_NS;
	struct vt_err err = {0};

	*said = 0;
	while (!*said) {
		assert_true(vt_now_ns() < end);
		assert_int_equal(agent_step(agent, 10, &err), 0);
	}
	return *said;
}

static void test_progress_is_of_the_time_that_is_complete(void **state)
{
	const struct datapath_config dp_config = {.node = "n1"};
	struct agent_config config = {
	    .node = "n1", .kind = VT_KIND_VSWITCH, .boot = 7, .wake_fd = -1, .progress_ms = 5};
	struct uplink_command arm = {.op = UPLINK_ARM, .task = {.id = 1, .packet_count = 1, .trace_time_ms = 60000}};
	uint64_t said = 0, before = vt_now_ns();
	struct datapath_ops ops;
	struct vt_err err = {0};
	struct datapath *dp;
	struct agent *agent;
	struct uplink *up;

	assert_int_equal(fake_open(&dp, &dp_config, &err), 0);
	up = uplink_local_new(take, &said);
	agent = agent_new(dp, up, &config);
	assert_int_equal(vt_filter_parse("udp", &arm.task.filter, &err), 0);
	assert_int_equal(uplink_local_push(up, &arm), 0);
	await_progress(agent, &said);
	assert_in_range(said, before, vt_now_ns());
	ops = *dp->ops;
	ops.complete = complete_until;
	dp->ops = &ops;
	await_progress(agent, &said); /* may have waited in the queue */
	assert_int_equal(await_progress(agent, &said), COMPLETE_TIME);
	agent_free(agent);
	up->ops->close(up);
	dp->ops->close(dp);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_progress_is_of_the_time_that_is_complete)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
