// SPDX-License-Identifier: BSD-3-Clause
/* The fake datapath keeps datapath.h's contract: other tests rely on it. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/result.h"
#include "datapath/fake/fake.h"

#define LOGS_MAX 64

struct sunk {
	unsigned int n;
	struct vt_log logs[LOGS_MAX];
};

static void sink(void *arg, const struct vt_log *log)
{
	struct sunk *sunk = arg;

	assert_true(sunk->n < LOGS_MAX);
	sunk->logs[sunk->n++] = *log;
}

static struct datapath *fake(const char *node, const char *file)
{
	const struct datapath_config config = {.node = node, .arg = file};
	struct datapath *dp = NULL;
	struct vt_err err = {0};

	if (fake_open(&dp, &config, &err) < 0)
		fail_msg("%s", err.text);
	return dp;
}

static struct vt_log log_of(uint64_t packet, enum vt_loc loc, unsigned int flags, uint16_t sport, uint16_t dport)
{
	struct vt_log log = {
	    .rec = {.version = VT_RECORD_VERSION, .loc = loc, .hop = 1, .packet_id = packet, .segments = 1}};

	log.rec.flags = (__u16)flags;
	log.rec.flow.family = 4;
	log.rec.flow.proto = 17;
	memset(log.rec.flow.src + 10, 0xff, 2);
	memset(log.rec.flow.dst + 10, 0xff, 2);
	log.rec.flow.sport = sport;
	log.rec.flow.dport = dport;
	return log;
}

static void script(struct datapath *dp, uint64_t packet, uint16_t sport, uint16_t dport)
{
	struct vt_log in = log_of(packet, VT_LOC_IN, VT_REC_COLOURED, sport, dport);
	struct vt_log out = log_of(packet, VT_LOC_OUT, 0, sport, dport);

	assert_int_equal(fake_script(dp, &in), 0);
	assert_int_equal(fake_script(dp, &out), 0);
}

static struct vt_task task_of(uint32_t id, uint32_t packet_count, bool bidirectional)
{
	struct vt_task task = {.id = id, .packet_count = packet_count, .trace_time_ms = 1000};

	task.filter.fields = VT_FILTER_DPORT;
	task.filter.dport = 53;
	task.bidirectional = bidirectional;
	return task;
}

static bool readable(struct datapath *dp)
{
	struct pollfd fd = {.fd = dp->ops->fd(dp), .events = POLLIN};

	return poll(&fd, 1, 0) > 0;
}

static void arm(struct datapath *dp, const struct vt_task *task)
{
	struct vt_err err = {0};

	assert_int_equal(dp->ops->arm(dp, task, &err), 0);
	assert_int_equal(dp->ops->start(dp, task->id, &err), 0);
}

static void drain(struct datapath *dp, struct sunk *sunk)
{
	struct vt_err err = {0};
	int n;

	sunk->n = 0;
	n = dp->ops->poll(dp, sink, sunk, &err);
	assert_int_equal(n, sunk->n);
	assert_false(readable(dp));
}

static void test_it_colours_as_the_task_says(void **state)
{
	const struct vt_task task = task_of(5, 2, true);
	struct datapath *dp = fake("n1", NULL);
	struct sunk *sunk = calloc(1, sizeof(*sunk));
	struct vt_err err = {0};
	uint64_t coloured[2];

	for (uint64_t packet = 1; packet <= 4; packet++)
		script(dp, packet, 4000, 53);
	script(dp, 50, 4000, 80); /* no task wants it */
	script(dp, 60, 53, 4000); /* the reverse direction */
	arm(dp, &task);
	assert_true(readable(dp));
	drain(dp, sunk);
	assert_int_equal(sunk->n, 6);
	for (unsigned int i = 0; i < 6; i += 2) {
		assert_int_equal(sunk->logs[i].rec.task, 5);
		assert_int_equal(sunk->logs[i + 1].rec.task, 0);
		assert_int_equal(sunk->logs[i].rec.packet_id, sunk->logs[i + 1].rec.packet_id);
	}
	assert_int_equal(sunk->logs[2].rec.packet_id, 2);
	assert_int_equal(sunk->logs[4].rec.packet_id, 60);
	assert_int_equal(sunk->logs[4].rec.flags, VT_REC_COLOURED | VT_REC_REVERSE);
	assert_int_equal(dp->ops->stop(dp, 5, coloured, &err), 0);
	assert_int_equal(coloured[0], 2);
	assert_int_equal(coloured[1], 1);
	assert_int_equal(dp->ops->stop(dp, 5, coloured, &err), 0); /* idempotent */
	assert_int_equal(coloured[0], 2);
	dp->ops->close(dp);
	free(sunk);
}

static void test_calls_out_of_order(void **state)
{
	const struct vt_task task = task_of(5, 2, false);
	struct datapath *dp = fake("n1", NULL);
	struct vt_err err = {0};
	uint64_t coloured[2];

	assert_int_equal(dp->ops->start(dp, 5, &err), -ENOENT);
	assert_int_equal(dp->ops->stop(dp, 5, coloured, &err), -ENOENT);
	dp->ops->disarm(dp, 5);
	assert_int_equal(dp->ops->arm(dp, &task, &err), 0);
	assert_int_equal(dp->ops->arm(dp, &task, &err), -EEXIST);
	dp->ops->close(dp);
}

static void test_nothing_is_attached_without_tasks(void **state)
{
	const struct vt_task task = task_of(5, 2, false);
	struct vt_log log = log_of(9, VT_LOC_OUT, 0, 1, 2);
	struct datapath *dp = fake("n1", NULL);
	struct datapath_stats stats;

	dp->ops->stats(dp, &stats);
	assert_int_equal(stats.attached, 0);
	arm(dp, &task);
	dp->ops->stats(dp, &stats);
	assert_int_equal(stats.attached, stats.devices);
	assert_int_equal(fake_emit(dp, &log), 0);
	assert_true(readable(dp));
	dp->ops->disarm(dp, 5);
	assert_false(readable(dp));
	assert_int_equal(fake_emit(dp, &log), 0);
	assert_false(readable(dp));
	dp->ops->close(dp);
}

static void write_log(FILE *file, const struct vt_log *log, const char *node)
{
	json_t *json = vt_log_to_json(log, node, 1);

	assert_non_null(json);
	assert_int_equal(json_dumpf(json, file, JSON_COMPACT), 0);
	fputc('\n', file);
	json_decref(json);
}

/* Two packets of node a, both seen at node b: the fakes of both nodes agree about which one is coloured. */
static void test_two_nodes_replay_one_file(void **state)
{
	const struct vt_task task = task_of(5, 1, false);
	struct sunk *sunk = calloc(1, sizeof(*sunk));
	char path[] = "/tmp/vtrace-test-fake-XXXXXX";
	FILE *file = fdopen(mkstemp(path), "w");
	struct datapath *a, *b;

	assert_non_null(file);
	fputs("{\"task\":{\"id\":1}}\n\n{\"event\":\"start\"}\n", file);
	for (uint64_t packet = 1; packet <= 2; packet++) {
		struct vt_log in = log_of(packet, VT_LOC_IN, VT_REC_COLOURED, 4000, 53);
		struct vt_log out = log_of(packet, VT_LOC_OUT, 0, 4000, 53);

		write_log(file, &in, "a");
		write_log(file, &out, "b");
	}
	fclose(file);
	a = fake("a", path);
	b = fake("b", path);
	arm(a, &task);
	arm(b, &task);
	drain(a, sunk);
	assert_int_equal(sunk->n, 1);
	assert_int_equal(sunk->logs[0].rec.loc, VT_LOC_IN);
	drain(b, sunk);
	assert_int_equal(sunk->n, 1);
	assert_int_equal(sunk->logs[0].rec.loc, VT_LOC_OUT);
	assert_int_equal(sunk->logs[0].rec.packet_id, 1);
	a->ops->close(a);
	b->ops->close(b);
	unlink(path);
	free(sunk);
}

static void test_a_bad_file_names_its_line(void **state)
{
	char path[] = "/tmp/vtrace-test-fake-XXXXXX";
	struct datapath_config config = {.node = "a", .arg = path};
	FILE *file = fdopen(mkstemp(path), "w");
	struct datapath *dp = NULL;
	struct vt_err err = {0};

	assert_non_null(file);
	fputs("{\"event\":\"start\"}\n{\"loc\":\n", file);
	fclose(file);
	assert_true(fake_open(&dp, &config, &err) < 0);
	assert_non_null(strstr(err.text, "line 2"));
	assert_null(dp);
	unlink(path);
	assert_int_equal(fake_open(&dp, &config, &err), -ENOENT);
}

static void test_drivers_are_found_by_name(void **state)
{
	const struct datapath_driver drivers[] = {{.name = "linux"}, {.name = "vfd"}};
	struct vt_err err = {0};
	const char *arg;

	assert_ptr_equal(datapath_find(drivers, 2, NULL, &arg, &err), &drivers[0]);
	assert_null(arg);
	assert_ptr_equal(datapath_find(drivers, 2, "vfd:/run/a:b", &arg, &err), &drivers[1]);
	assert_string_equal(arg, "/run/a:b");
	assert_ptr_equal(datapath_find(drivers, 2, "vfd:", &arg, &err), &drivers[1]);
	assert_null(arg);
	assert_null(datapath_find(drivers, 2, "lin", &arg, &err));
	assert_null(datapath_find(drivers, 2, "", &arg, &err));
	assert_non_null(strstr(err.text, "linux, vfd"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_it_colours_as_the_task_says),       cmocka_unit_test(test_calls_out_of_order),
	    cmocka_unit_test(test_nothing_is_attached_without_tasks), cmocka_unit_test(test_two_nodes_replay_one_file),
	    cmocka_unit_test(test_a_bad_file_names_its_line),         cmocka_unit_test(test_drivers_are_found_by_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
