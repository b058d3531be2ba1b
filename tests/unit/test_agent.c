// SPDX-License-Identifier: BSD-3-Clause
/*
 * The agent between a fake datapath and the local uplink: what it answers, in which order, how it batches, and that
 * every record is either delivered or counted. Nothing here sleeps; a test waits for an item and fails if it does not
 * come.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "agent/agent.h"
#include "agent/uplink_local.h"
#include "base/clock.h"
#include "datapath/fake/fake.h"

#define PATIENCE_NS 5000000000ULL /* far more than anything takes, also on a loaded machine */
#define ITEMS_MAX   4096

struct seen {
	struct vt_item item;
	uint64_t batch;
};

struct fixture {
	struct datapath *dp;
	struct uplink *up;
	struct agent *agent;
	bool stalled;
	unsigned int n_batches, n;
	uint32_t largest; /* items in a batch */
	struct seen *seen;
	unsigned int notices[AGENT_TROUBLE + 1];
	char text[AGENT_TROUBLE + 1][VT_ERR_MAX]; /* of the last notice of each kind */
};

static int take(void *arg, const struct vt_batch *batch)
{
	struct fixture *f = arg;

	if (f->stalled)
		return -EAGAIN;
	assert_string_equal(batch->node, "n1");
	assert_int_equal(batch->kind, VT_KIND_VROUTER);
	assert_int_equal(batch->boot, 77);
	assert_int_equal(batch->number, ++f->n_batches);
	assert_in_range(batch->n_items, 1, VT_BATCH_ITEMS_MAX);
	if (batch->n_items > f->largest)
		f->largest = batch->n_items;
	for (uint32_t i = 0; i < batch->n_items; i++) {
		assert_true(f->n < ITEMS_MAX);
		f->seen[f->n++] = (struct seen){.item = batch->items[i], .batch = batch->number};
	}
	return 0;
}

static void notice(void *arg, enum agent_notice kind, const char *text)
{
	struct fixture *f = arg;

	f->notices[kind]++;
	snprintf(f->text[kind], sizeof(f->text[kind]), "%s", text);
}

static struct fixture *fixture_new(struct agent_config config)
{
	const struct datapath_config dp_config = {.node = "n1"};
	struct fixture *f = calloc(1, sizeof(*f));
	struct vt_err err = {0};

	assert_non_null(f);
	f->seen = calloc(ITEMS_MAX, sizeof(*f->seen));
	assert_non_null(f->seen);
	assert_int_equal(fake_open(&f->dp, &dp_config, &err), 0);
	f->up = uplink_local_new(take, f);
	assert_non_null(f->up);
	config.node = "n1";
	config.kind = VT_KIND_VROUTER;
	config.boot = 77;
	if (!config.wake_fd)
		config.wake_fd = -1;
	config.notice = notice;
	config.arg = f;
	f->agent = agent_new(f->dp, f->up, &config);
	assert_non_null(f->agent);
	return f;
}

static void fixture_free(struct fixture *f)
{
	agent_free(f->agent);
	f->up->ops->close(f->up);
	f->dp->ops->close(f->dp);
	free(f->seen);
	free(f);
}

static void step(struct fixture *f, int timeout_ms)
{
	struct vt_err err = {0};

	if (agent_step(f->agent, timeout_ms, &err) < 0)
		fail_msg("agent_step: %s", err.text);
}

/* The n-th item (from 1) of this type and task; NULL if it has not come. */
static const struct seen *find(const struct fixture *f, enum vt_item_type type, uint32_t task, unsigned int nth)
{
	for (unsigned int i = 0; i < f->n; i++)
		if (f->seen[i].item.type == type && f->seen[i].item.task == task && !--nth)
			return &f->seen[i];
	return NULL;
}

static unsigned int count(const struct fixture *f, enum vt_item_type type)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < f->n; i++)
		n += f->seen[i].item.type == type;
	return n;
}

static const struct seen *await(struct fixture *f, enum vt_item_type type, uint32_t task, unsigned int nth)
{
	uint64_t end = vt_now_ns() + PATIENCE_NS;
	const struct seen *seen;

	while (!(seen = find(f, type, task, nth)) && vt_now_ns() < end)
		step(f, 100);
	if (!seen)
		fail_msg("item %u of type %d for task %u never came", nth, type, task);
	return seen;
}

static struct vt_task task_of(uint32_t id)
{
	struct vt_task task = {.id = id, .packet_count = 100, .trace_time_ms = 60000};

	task.filter.fields = VT_FILTER_PROTO | VT_FILTER_DPORT;
	task.filter.proto = 17;
	task.filter.dport = 53;
	return task;
}

static void push(struct fixture *f, enum uplink_op op, uint32_t task)
{
	const struct uplink_command command = {.op = op, .task = task_of(task)};

	assert_int_equal(uplink_local_push(f->up, &command), 0);
}

static struct vt_log log_of(uint64_t packet, enum vt_loc loc, unsigned int flags)
{
	struct vt_log log = {
	    .rec = {.version = VT_RECORD_VERSION, .loc = loc, .hop = 1, .packet_id = packet, .segments = 1}};

	log.rec.flags = (__u16)flags;
	log.rec.flow.family = 4;
	log.rec.flow.proto = 17;
	log.rec.flow.sport = 4000;
	log.rec.flow.dport = 53;
	return log;
}

static void script(struct fixture *f, uint64_t packet)
{
	struct vt_log in = log_of(packet, VT_LOC_IN, VT_REC_COLOURED), out = log_of(packet, VT_LOC_OUT, 0);

	assert_int_equal(fake_script(f->dp, &in), 0);
	assert_int_equal(fake_script(f->dp, &out), 0);
}

static void emit(struct fixture *f, uint64_t packet)
{
	struct vt_log log = log_of(packet, VT_LOC_OUT, 0);

	assert_int_equal(fake_emit(f->dp, &log), 0);
}

static void test_node_comes_first(void **state)
{
	struct fixture *f = fixture_new((struct agent_config){0});

	await(f, VT_ITEM_NODE, 0, 1);
	assert_int_equal(f->seen[0].item.type, VT_ITEM_NODE);
	assert_string_equal(f->seen[0].item.node.datapath, "fake");
	assert_string_equal(f->seen[0].item.node.version, VTRACE_VERSION);
	assert_int_equal(f->seen[0].item.node.devices, 1);
	assert_int_equal(f->notices[AGENT_READY], 1);
	fixture_free(f);
}

static void test_a_changed_node_is_said_again(void **state)
{
	struct vt_node_info info = {.datapath = "fake", .devices = 5, .n_addrs = 1, .addrs = {{[15] = 9}}};
	struct fixture *f = fixture_new((struct agent_config){0});

	await(f, VT_ITEM_NODE, 0, 1);
	fake_node(f->dp, &info);
	assert_int_equal(await(f, VT_ITEM_NODE, 0, 2)->item.node.devices, 5);
	assert_int_equal(f->seen[f->n - 1].item.node.addrs[0][15], 9);
	fixture_free(f);
}

static void test_a_task_from_arm_to_disarm(void **state)
{
	struct fixture *f = fixture_new((struct agent_config){0});
	const struct seen *stopped, *progress;

	for (uint64_t packet = 1; packet <= 3; packet++)
		script(f, packet);
	push(f, UPLINK_ARM, 7);
	await(f, VT_ITEM_ARMED, 7, 1);
	assert_int_equal(fake_armed(f->dp, NULL), 1);
	assert_int_equal(fake_started(f->dp), 0);
	assert_int_equal(count(f, VT_ITEM_RECORD), 0);

	push(f, UPLINK_START, 7);
	await(f, VT_ITEM_RECORD, 0, 6);
	assert_int_equal(find(f, VT_ITEM_RECORD, 0, 1)->item.log.rec.task, 7);
	assert_int_equal(find(f, VT_ITEM_RECORD, 0, 2)->item.log.rec.task, 0);

	push(f, UPLINK_STOP, 7);
	stopped = await(f, VT_ITEM_STOPPED, 7, 1);
	assert_int_equal(stopped->item.coloured[0], 3);
	assert_int_equal(stopped->item.coloured[1], 0);
	while (f->seen[f->n - 1].item.type != VT_ITEM_PROGRESS)
		step(f, 100);
	progress = &f->seen[f->n - 1];
	assert_true(progress > stopped);
	assert_int_equal(progress->item.progress.lost, 0);
	assert_int_equal(progress->batch, stopped->batch); /* at once, not with the next period */

	push(f, UPLINK_DISARM, 7);
	step(f, 0);
	assert_int_equal(fake_armed(f->dp, NULL), 0);
	fixture_free(f);
}

static void test_records_are_numbered_without_gaps(void **state)
{
	struct fixture *f = fixture_new((struct agent_config){.batch_items = 4});

	for (uint64_t packet = 1; packet <= 20; packet++)
		script(f, packet);
	push(f, UPLINK_ARM, 1);
	push(f, UPLINK_START, 1);
	await(f, VT_ITEM_RECORD, 0, 40);
	for (unsigned int i = 1; i <= 40; i++)
		assert_int_equal(find(f, VT_ITEM_RECORD, 0, i)->item.log.rec.seq, i);
	assert_int_equal(f->largest, 4);
	fixture_free(f);
}

static void test_a_single_record_does_not_wait_for_others(void **state)
{
	struct fixture *f = fixture_new((struct agent_config){.progress_ms = 60000});
	uint64_t begin;

	push(f, UPLINK_ARM, 1);
	await(f, VT_ITEM_ARMED, 1, 1);
	emit(f, 1);
	begin = vt_now_ns();
	await(f, VT_ITEM_RECORD, 0, 1);
	assert_true(vt_now_ns() - begin < 100000000ULL); /* 2 ms, and what a loaded machine adds */
	fixture_free(f);
}

static void test_a_refused_task_is_answered_once(void **state)
{
	struct fixture *f = fixture_new((struct agent_config){0});
	struct agent_stats stats;

	fake_refuse(f->dp, EPERM, "no CAP_BPF (run as root)");
	push(f, UPLINK_ARM, 3);
	assert_string_equal(await(f, VT_ITEM_FAILED, 3, 1)->item.text, "no CAP_BPF (run as root)");
	assert_int_equal(f->notices[AGENT_REFUSED], 1);
	assert_string_equal(f->text[AGENT_REFUSED], "task 3: no CAP_BPF (run as root)");
	push(f, UPLINK_START, 3);
	push(f, UPLINK_STOP, 3);
	push(f, UPLINK_ARM, 3);
	step(f, 0);
	assert_int_equal(count(f, VT_ITEM_FAILED), 1);
	assert_int_equal(count(f, VT_ITEM_STOPPED), 0);

	fake_refuse(f->dp, 0, NULL);
	push(f, UPLINK_DISARM, 3);
	push(f, UPLINK_ARM, 3);
	await(f, VT_ITEM_ARMED, 3, 1);
	agent_stats(f->agent, &stats);
	assert_int_equal(stats.tasks, 1);
	fixture_free(f);
}

static void test_a_task_that_was_not_understood_fails(void **state)
{
	const struct uplink_command command = {.op = UPLINK_ARM, .task = {.id = 9}, .text = "unknown word 'gre'"};
	struct fixture *f = fixture_new((struct agent_config){0});

	assert_int_equal(uplink_local_push(f->up, &command), 0);
	assert_string_equal(await(f, VT_ITEM_FAILED, 9, 1)->item.text, "unknown word 'gre'");
	assert_int_equal(fake_armed(f->dp, NULL), 0);
	fixture_free(f);
}

static void test_more_tasks_than_a_node_takes(void **state)
{
	struct fixture *f = fixture_new((struct agent_config){0});

	for (uint32_t id = 1; id <= VT_TASKS_MAX + 1; id++)
		push(f, UPLINK_ARM, id);
	await(f, VT_ITEM_FAILED, VT_TASKS_MAX + 1, 1);
	assert_int_equal(count(f, VT_ITEM_ARMED), VT_TASKS_MAX);
	assert_int_equal(fake_armed(f->dp, NULL), VT_TASKS_MAX);
	fixture_free(f);
}

static void test_commands_for_unknown_tasks_are_passed_over(void **state)
{
	struct fixture *f = fixture_new((struct agent_config){0});

	await(f, VT_ITEM_NODE, 0, 1);
	push(f, UPLINK_START, 5);
	push(f, UPLINK_STOP, 5);
	push(f, UPLINK_DISARM, 5);
	push(f, UPLINK_ARM, 6);
	await(f, VT_ITEM_ARMED, 6, 1);
	assert_int_equal(count(f, VT_ITEM_FAILED), 0);
	assert_int_equal(count(f, VT_ITEM_STOPPED), 0);
	assert_null(find(f, VT_ITEM_ARMED, 5, 1));
	fixture_free(f);
}

static void test_losses_of_a_stalled_uplink_are_counted(void **state)
{
	struct fixture *f = fixture_new((struct agent_config){.batch_items = 4, .max_records = 8, .progress_ms = 5});
	struct agent_stats stats;
	const struct seen *last;

	push(f, UPLINK_ARM, 1);
	await(f, VT_ITEM_ARMED, 1, 1);
	f->stalled = true;
	for (uint64_t packet = 1; packet <= 20; packet++)
		emit(f, packet);
	fake_lose(f->dp, 3);
	for (int i = 0; i < 5; i++)
		step(f, 10);
	agent_stats(f->agent, &stats);
	assert_int_equal(stats.records, 20);
	assert_int_equal(stats.lost, 12 + 3);

	f->stalled = false;
	last = await(f, VT_ITEM_RECORD, 0, 8);
	assert_int_equal(last->item.log.rec.seq, 8);
	while (f->seen[f->n - 1].item.type != VT_ITEM_PROGRESS)
		step(f, 10);
	assert_int_equal(f->seen[f->n - 1].item.progress.lost, 15);
	assert_int_equal(count(f, VT_ITEM_RECORD), 8);

	emit(f, 21); /* the gap in the numbers is where the records were lost */
	assert_int_equal(await(f, VT_ITEM_RECORD, 0, 9)->item.log.rec.seq, 21);
	fixture_free(f);
}

/* While nothing gets through, PROGRESS does not pile up. */
static void test_a_stalled_uplink_gets_one_progress(void **state)
{
	struct fixture *f = fixture_new((struct agent_config){.progress_ms = 1});
	struct agent_stats stats;

	push(f, UPLINK_ARM, 1);
	await(f, VT_ITEM_ARMED, 1, 1);
	f->stalled = true;
	for (int i = 0; i < 20; i++)
		step(f, 2);
	agent_stats(f->agent, &stats);
	assert_int_equal(stats.queued, 1);
	fixture_free(f);
}

static void test_records_the_uplink_gave_up_are_counted(void **state)
{
	const struct uplink_command trouble = {.op = UPLINK_TROUBLE, .text = "refused", .lost = 40};
	struct fixture *f = fixture_new((struct agent_config){0});

	push(f, UPLINK_ARM, 1);
	await(f, VT_ITEM_ARMED, 1, 1);
	assert_int_equal(uplink_local_push(f->up, &trouble), 0);
	while (!f->n || f->seen[f->n - 1].item.type != VT_ITEM_PROGRESS || !f->seen[f->n - 1].item.progress.lost)
		step(f, 10);
	assert_int_equal(f->seen[f->n - 1].item.progress.lost, 40);
	assert_int_equal(f->notices[AGENT_TROUBLE], 1);
	fixture_free(f);
}

static void test_a_snapshot_disarms_what_is_not_in_it(void **state)
{
	static const uint32_t ids[] = {2, 9};
	const struct uplink_command snapshot = {.op = UPLINK_SNAPSHOT, .n_snapshot = 2, .snapshot = ids};
	struct fixture *f = fixture_new((struct agent_config){0});
	uint32_t armed[VT_TASKS_MAX];

	for (uint32_t id = 1; id <= 3; id++)
		push(f, UPLINK_ARM, id);
	push(f, UPLINK_START, 2);
	await(f, VT_ITEM_ARMED, 3, 1);
	assert_int_equal(uplink_local_push(f->up, &snapshot), 0);
	push(f, UPLINK_ARM, 2); /* as a reconnection says it again */
	push(f, UPLINK_START, 2);
	push(f, UPLINK_ARM, 9);
	await(f, VT_ITEM_ARMED, 9, 1);
	assert_int_equal(fake_armed(f->dp, armed), 2);
	assert_int_equal(armed[0], 2);
	assert_int_equal(armed[1], 9);
	assert_int_equal(fake_started(f->dp), 1);
	assert_null(find(f, VT_ITEM_ARMED, 2, 2));
	fixture_free(f);
}

static void test_a_task_nobody_disarms_ends_itself(void **state)
{
	const struct uplink_command down = {.op = UPLINK_DOWN, .text = "connection refused"};
	struct uplink_command arm = {.op = UPLINK_ARM, .task = task_of(4)};
	struct fixture *f = fixture_new((struct agent_config){.orphan_ms = 30});
	uint64_t begin;

	arm.task.trace_time_ms = 1;
	script(f, 1);
	begin = vt_now_ns();
	assert_int_equal(uplink_local_push(f->up, &arm), 0);
	push(f, UPLINK_START, 4);
	push(f, UPLINK_ARM, 5);
	assert_int_equal(uplink_local_push(f->up, &down), 0);
	assert_int_equal(await(f, VT_ITEM_STOPPED, 4, 1)->item.coloured[0], 1);
	assert_true(vt_now_ns() - begin >= 31000000ULL);
	assert_int_equal(fake_armed(f->dp, NULL), 1); /* task 5 has a minute */
	assert_int_equal(f->notices[AGENT_DOWN], 1);
	assert_string_equal(f->text[AGENT_DOWN], "connection refused");
	fixture_free(f);
}

static void test_stop_waits_for_inspectors(void **state)
{
	struct fixture *f = fixture_new((struct agent_config){.drain_ms = 60000, .progress_ms = 5});
	const struct seen *record, *stopped;
	unsigned int progress;

	push(f, UPLINK_ARM, 1);
	push(f, UPLINK_START, 1);
	await(f, VT_ITEM_ARMED, 1, 1);
	fake_busy(f->dp, true);
	push(f, UPLINK_STOP, 1);
	step(f, 0);
	progress = count(f, VT_ITEM_PROGRESS);
	for (int i = 0; i < 5; i++)
		step(f, 10);
	assert_int_equal(count(f, VT_ITEM_STOPPED), 0);
	assert_int_equal(count(f, VT_ITEM_PROGRESS), progress); /* a log may still come: nothing is promised */

	emit(f, 1);
	fake_busy(f->dp, false);
	stopped = await(f, VT_ITEM_STOPPED, 1, 1);
	record = find(f, VT_ITEM_RECORD, 0, 1);
	assert_non_null(record);
	assert_true(record < stopped);
	fixture_free(f);
}

static void test_stop_does_not_wait_for_ever(void **state)
{
	struct fixture *f = fixture_new((struct agent_config){.drain_ms = 20, .progress_ms = 5});

	push(f, UPLINK_ARM, 1);
	await(f, VT_ITEM_ARMED, 1, 1);
	fake_busy(f->dp, true);
	push(f, UPLINK_STOP, 1);
	await(f, VT_ITEM_STOPPED, 1, 1);
	emit(f, 8); /* late, but not lost */
	await(f, VT_ITEM_RECORD, 0, 1);
	assert_int_not_equal(f->seen[f->n - 1].item.type, VT_ITEM_PROGRESS);
	fake_busy(f->dp, false);
	while (f->seen[f->n - 1].item.type != VT_ITEM_PROGRESS)
		step(f, 10);
	fixture_free(f);
}

static void test_progress_comes_only_while_a_task_is_armed(void **state)
{
	struct fixture *f = fixture_new((struct agent_config){.progress_ms = 5});
	unsigned int before;

	await(f, VT_ITEM_NODE, 0, 1);
	for (int i = 0; i < 4; i++)
		step(f, 10);
	assert_int_equal(f->n, 1);
	push(f, UPLINK_ARM, 1);
	await(f, VT_ITEM_PROGRESS, 0, 5);
	push(f, UPLINK_DISARM, 1);
	step(f, 0);
	before = f->n;
	for (int i = 0; i < 4; i++)
		step(f, 10);
	assert_int_equal(f->n, before);
	fixture_free(f);
}

static void test_a_datapath_that_is_gone_ends_the_agent(void **state)
{
	struct fixture *f = fixture_new((struct agent_config){0});
	struct vt_err err = {0};

	await(f, VT_ITEM_NODE, 0, 1);
	fake_break(f->dp);
	assert_int_equal(agent_step(f->agent, 5000, &err), -ENODEV);
	assert_non_null(strstr(err.text, "gone"));
	fixture_free(f);
}

static void test_shutdown_says_what_was_found(void **state)
{
	struct fixture *f = fixture_new((struct agent_config){0});

	script(f, 1);
	push(f, UPLINK_ARM, 1);
	push(f, UPLINK_ARM, 2);
	push(f, UPLINK_START, 1);
	await(f, VT_ITEM_RECORD, 0, 2);
	emit(f, 5);
	agent_shutdown(f->agent, 1000);
	assert_int_equal(fake_armed(f->dp, NULL), 0);
	assert_int_equal(count(f, VT_ITEM_RECORD), 3);
	assert_non_null(find(f, VT_ITEM_STOPPED, 2, 1));
	assert_int_equal(find(f, VT_ITEM_STOPPED, 1, 1)->item.coloured[0], 1);
	assert_int_equal(f->seen[f->n - 1].item.type, VT_ITEM_PROGRESS);
	fixture_free(f);
}

static void test_a_signal_wakes_the_agent(void **state)
{
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	struct fixture *f = fixture_new((struct agent_config){.wake_fd = fd});
	uint64_t begin;

	await(f, VT_ITEM_NODE, 0, 1);
	begin = vt_now_ns();
	assert_int_equal(eventfd_write(fd, 1), 0);
	step(f, 60000);
	assert_true(vt_now_ns() - begin < PATIENCE_NS);
	fixture_free(f);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_node_comes_first),
	    cmocka_unit_test(test_a_changed_node_is_said_again),
	    cmocka_unit_test(test_a_task_from_arm_to_disarm),
	    cmocka_unit_test(test_records_are_numbered_without_gaps),
	    cmocka_unit_test(test_a_single_record_does_not_wait_for_others),
	    cmocka_unit_test(test_a_refused_task_is_answered_once),
	    cmocka_unit_test(test_a_task_that_was_not_understood_fails),
	    cmocka_unit_test(test_more_tasks_than_a_node_takes),
	    cmocka_unit_test(test_commands_for_unknown_tasks_are_passed_over),
	    cmocka_unit_test(test_losses_of_a_stalled_uplink_are_counted),
	    cmocka_unit_test(test_a_stalled_uplink_gets_one_progress),
	    cmocka_unit_test(test_records_the_uplink_gave_up_are_counted),
	    cmocka_unit_test(test_a_snapshot_disarms_what_is_not_in_it),
	    cmocka_unit_test(test_a_task_nobody_disarms_ends_itself),
	    cmocka_unit_test(test_stop_waits_for_inspectors),
	    cmocka_unit_test(test_stop_does_not_wait_for_ever),
	    cmocka_unit_test(test_progress_comes_only_while_a_task_is_armed),
	    cmocka_unit_test(test_a_datapath_that_is_gone_ends_the_agent),
	    cmocka_unit_test(test_shutdown_says_what_was_found),
	    cmocka_unit_test(test_a_signal_wakes_the_agent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
