// SPDX-License-Identifier: BSD-3-Clause
/* libvdg with workers that run: counts are exact, a stop is final and loses nothing, tasks come and go under them. */
#include "vdg_fixture.h"

#include <errno.h>
#include <sched.h>

#define WORKERS 4
#define TASKS   60
#define PORTS   8 /* flows, by their destination ports: 1000, 1001, ... */

/* A worker that sends its packets through the device until it is told to end, as a real one would. */
struct runner {
	struct device *d;
	pthread_t thread;
	unsigned int number;
	atomic_bool end;
	bool sleepy; /* is idle between bursts */
	uint64_t coloured, packets;
};

static void run_burst(struct runner *r, struct vdg_worker *worker)
{
	for (int i = 0; i < 32; i++) {
		struct datagram bytes;
		uint16_t port = (uint16_t)(1000 + r->packets % PORTS);
		struct vdg_packet packet = packet_udp(&bytes, (uint16_t)r->number, port, (uint16_t)r->packets);
		uint16_t set = match(r->d, r->number, (uint16_t)r->number, port); /* every packet takes the slow path */
		unsigned int hop = set ? vdg_in(worker, set, 0, &packet) : 0;

		r->coloured += hop != 0;
		r->packets++;
		if (hop)
			vdg_local(worker, hop, &packet);
	}
}

static void *run(void *arg)
{
	struct runner *r = arg;
	struct vdg_worker *worker = vdg_worker(r->d->vdg, r->number);

	while (!r->end) {
		vdg_turn(worker);
		run_burst(r, worker);
		if (r->sleepy && r->packets % 7 == 0)
			vdg_idle(worker);
		sched_yield(); /* there are more workers than processors, and all have to turn */
	}
	vdg_idle(worker);
	return NULL;
}

/* Of the heap: a test that fails leaves them running. */
static struct runner *begin(struct device *d)
{
	struct runner *runners = calloc(WORKERS, sizeof(*runners));

	for (unsigned int i = 0; i < WORKERS; i++) {
		runners[i].d = d;
		runners[i].number = i;
		runners[i].sleepy = i & 1;
		assert_int_equal(pthread_create(&runners[i].thread, NULL, run, &runners[i]), 0);
	}
	return runners;
}

/* Returns how many packets they had coloured. */
static uint64_t end(struct runner *runners)
{
	uint64_t coloured = 0;

	for (unsigned int i = 0; i < WORKERS; i++)
		runners[i].end = true;
	for (unsigned int i = 0; i < WORKERS; i++) {
		pthread_join(runners[i].thread, NULL);
		coloured += runners[i].coloured;
	}
	free(runners);
	return coloured;
}

static uint64_t count(const struct device *d, uint32_t task, enum vt_loc loc)
{
	uint64_t n = 0;

	for (size_t i = 0; i < d->n_logs; i++)
		n += d->logs[i].rec.loc == loc && d->logs[i].rec.task == task;
	return n;
}

/* Takes records until the task's are `n`, or until all are there. */
static void await_coloured(struct device *d, uint32_t task, uint64_t n)
{
	uint64_t limit = vt_now_ns() + LIMIT_NS;

	while (count(d, task, VT_LOC_IN) < n) {
		assert_true(vt_now_ns() < limit);
		settle(d);
	}
}

static void check_nothing_lost(struct device *d)
{
	struct datapath_stats stats;

	d->dp->ops->stats(d->dp, &stats);
	assert_int_equal(stats.lost, 0);
}

static void test_count_is_exact(void **state)
{
	struct device *d = device_new(WORKERS, 0);
	struct runner *runners;
	uint64_t coloured[2];

	agent_open(d);
	arm(d, 5, "udp", false, 3001);
	runners = begin(d);
	start(d, 5);
	await_coloured(d, 5, 3001);
	stop(d, 5, coloured);
	assert_int_equal(coloured[0], 3001);
	assert_int_equal(end(runners), 3001);
	settle(d);
	assert_int_equal(count(d, 5, VT_LOC_IN), 3001);
	assert_int_equal(count(d, 0, VT_LOC_OUT), 3001);
	check_nothing_lost(d);
	device_free(d);
}

/* What STOP says is what was coloured, and what settles after it has all records of those packets, the last ones too.
 */
static void test_stop_is_final(void **state)
{
	struct device *d = device_new(WORKERS, 1 << 18);
	struct runner *runners;
	uint64_t coloured[2], total = 0, between = 0;

	agent_open(d);
	runners = begin(d);
	for (uint32_t id = 1; id <= 60; id++) {
		d->n_logs = 0;
		arm(d, id, "udp", false, 100000);
		start(d, id);
		if (id & 1)
			await_coloured(d, id, 1);
		stop(d, id, coloured);
		settle(d);
		assert_in_range(coloured[0], id & 1, 100000);
		assert_int_equal(count(d, id, VT_LOC_IN), coloured[0]);
		assert_int_equal(count(d, 0, VT_LOC_OUT), coloured[0]);
		between += coloured[0] > 0 && coloured[0] < 100000;
		total += coloured[0];
		stop(d, id, coloured);
		assert_int_equal(count(d, id, VT_LOC_IN), coloured[0]); /* again the same */
		d->dp->ops->disarm(d->dp, id);
	}
	assert_int_equal(end(runners), total);
	assert_true(between > 5); /* stops that came into the midst of it, which is the point */
	check_nothing_lost(d);
	device_free(d);
}

/* Records that were made before a question are there when busy() has said no, without a stop. */
static void test_complete(void **state)
{
	struct device *d = device_new(1, 0);
	struct datagram bytes;
	struct vdg_packet packet = packet_udp(&bytes, 1, 2, 3);
	uint64_t asked;

	agent_open(d);
	arm(d, 1, "udp", false, 1);
	for (unsigned int i = 1; i <= 200; i++) {
		vdg_turn(vdg_worker(d->vdg, 0));
		vdg_local(vdg_worker(d->vdg, 0), 1, &packet);
		vdg_idle(vdg_worker(d->vdg, 0));
		asked = vt_now_ns();
		settle(d); /* a fresh answer of the last round does not do for this one */
		while (d->dp->ops->complete(d->dp) < asked)
			settle(d);
		assert_int_equal(d->n_logs, i);
		assert_true(d->dp->ops->complete(d->dp) <= vt_now_ns());
	}
	device_free(d);
}

/* A worker that does not turn holds up whoever asks, for a second; then that fails with words, and all goes on. */
static void test_worker_that_does_not_turn(void **state)
{
	struct device *d = device_new(2, 0);
	struct vt_task task = {.id = 1, .packet_count = 1, .trace_time_ms = 1000};
	struct vt_err err = {0};

	agent_open(d);
	assert_int_equal(vt_filter_parse("udp", &task.filter, &err), 0);
	vdg_turn(vdg_worker(d->vdg, 1));
	assert_int_equal(d->dp->ops->arm(d->dp, &task, &err), -ETIMEDOUT);
	assert_non_null(strstr(err.text, "vdg_turn()"));
	vdg_idle(vdg_worker(d->vdg, 1));
	device_settled(d, 0); /* it was armed late, and forgotten */
	arm(d, 1, "udp", false, 1);
	device_free(d);
}

struct arming {
	struct device *d;
	atomic_bool done;
};

static void *arm_one(void *arg)
{
	struct arming *a = arg;

	arm(a->d, 1, "udp", false, 1);
	a->done = true;
	return NULL;
}

/* Until the control thread has polled so many times from now on. */
static void await_polls(struct device *d, unsigned int n)
{
	pthread_mutex_lock(&d->lock);
	while (n--)
		pthread_cond_wait(&d->polled, &d->lock);
	pthread_mutex_unlock(&d->lock);
}

/*
 * One turn ends a slow path that did not see the task, the second one the burst that still uses the entry it made:
 * before that a task is not armed.
 */
static void test_armed_after_two_turns(void **state)
{
	struct device *d = device_new(1, 0);
	struct vdg_worker *worker = vdg_worker(d->vdg, 0);
	struct arming a = {.d = d};
	pthread_t thread;

	agent_open(d);
	vdg_turn(worker); /* in a burst */
	assert_int_equal(pthread_create(&thread, NULL, arm_one, &a), 0);
	while (!d->changed)
		await_polls(d, 1);
	await_polls(d, 3);
	assert_false(a.done);
	vdg_turn(worker);
	await_polls(d, 3);
	assert_false(a.done);
	vdg_turn(worker);
	pthread_join(thread, NULL);
	device_free(d);
}

/* Tasks come and go, places and sets are used again, and each flow's records are of tasks that want that flow. */
static void test_tasks_come_and_go(void **state)
{
	struct device *d = device_new(WORKERS, 0);
	struct runner *runners;
	uint64_t coloured[2], total = 0;
	char filter[64];

	agent_open(d);
	runners = begin(d);
	for (uint32_t id = 1; id <= TASKS; id++) {
		snprintf(filter, sizeof(filter), "udp and dst port %u", 1000 + id % PORTS);
		arm(d, id, filter, false, 20);
		start(d, id);
		if (id <= 3)
			continue;
		if (id % 16 == 0)
			await_coloured(d, id - 3, 20);
		stop(d, id - 3, coloured);
		total += coloured[0];
		d->dp->ops->disarm(d->dp, id - 3);
	}
	for (uint32_t id = TASKS - 2; id <= TASKS; id++) {
		stop(d, id, coloured);
		total += coloured[0];
	}
	settle(d);
	end(runners);
	for (size_t i = 0; i < d->n_logs; i++) {
		const struct vt_record *rec = &d->logs[i].rec;

		if (rec->loc != VT_LOC_IN)
			continue;
		assert_int_equal(rec->flow.dport, 1000 + rec->task % PORTS);
		total--;
	}
	assert_int_equal(total, 0);
	check_nothing_lost(d);
	device_free(d);
}

static void test_agent_goes_while_workers_run(void **state)
{
	struct device *d = device_new(WORKERS, 0);
	struct runner *runners;

	runners = begin(d);
	for (int i = 0; i < 20; i++) {
		d->n_logs = 0;
		agent_open(d);
		arm(d, 1, "udp", false, 1000);
		start(d, 1);
		if (i & 1)
			await_coloured(d, 1, 10);
		agent_close(d);
	}
	device_settled(d, 0);
	end(runners);
	device_free(d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_count_is_exact),
	    cmocka_unit_test(test_stop_is_final),
	    cmocka_unit_test(test_complete),
	    cmocka_unit_test(test_worker_that_does_not_turn),
	    cmocka_unit_test(test_armed_after_two_turns),
	    cmocka_unit_test(test_tasks_come_and_go),
	    cmocka_unit_test(test_agent_goes_while_workers_run),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
