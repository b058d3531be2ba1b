// SPDX-License-Identifier: BSD-3-Clause
/* The server's stream of lines, turned into commands: in whatever pieces it comes, and whatever is wrong with it. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent/task_stream.h"

#define TASK(id, more)                                                                                 \
	"{\"id\":" id ",\"filter\":\"udp and dst port 53\",\"bidirectional\":true,\"packet_count\":5," \
	"\"trace_time_ms\":2500" more "}"
#define EMPTY "{\"op\":\"snapshot\",\"tasks\":[]}\n"

struct fixture {
	struct command_queue commands;
	struct task_stream stream;
	struct vt_err err;
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	*state = f;
	if (f)
		f->stream.commands = &f->commands;
	return f ? 0 : -1;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	task_stream_done(&f->stream);
	command_queue_done(&f->commands);
	free(f);
	return 0;
}

static int feed(struct fixture *f, const char *text)
{
	return task_stream_feed(&f->stream, text, strlen(text), &f->err);
}

static struct uplink_command next(struct fixture *f, enum uplink_op op)
{
	struct uplink_command command;

	assert_true(command_queue_take(&f->commands, &command));
	assert_int_equal(command.op, op);
	return command;
}

static void none(struct fixture *f)
{
	struct uplink_command command;

	assert_false(command_queue_take(&f->commands, &command));
}

static void expect_snapshot(struct fixture *f)
{
	struct uplink_command command;

	next(f, UPLINK_UP);
	command = next(f, UPLINK_SNAPSHOT);
	assert_int_equal(command.n_snapshot, 3);
	assert_int_equal(command.snapshot[0], 7);
	assert_int_equal(command.snapshot[2], 9);
	command = next(f, UPLINK_ARM);
	assert_int_equal(command.task.id, 7);
	assert_int_equal(command.task.packet_count, 5);
	assert_int_equal(command.task.trace_time_ms, 2500);
	assert_true(command.task.bidirectional);
	assert_int_equal(command.task.filter.dport, 53);
	assert_null(command.text);
	assert_int_equal(next(f, UPLINK_ARM).task.id, 8);
	assert_int_equal(next(f, UPLINK_START).task.id, 8);
	assert_int_equal(next(f, UPLINK_ARM).task.id, 9);
	assert_int_equal(next(f, UPLINK_STOP).task.id, 9);
	none(f);
}

#define SNAPSHOT                                                                                      \
	"{\"op\":\"snapshot\",\"tasks\":[" TASK("7", "") "," TASK("8", ",\"started\":true") "," TASK( \
	    "9", ",\"started\":true,\"stopped\":true") "]}\n"

static void test_snapshot(void **state)
{
	assert_int_equal(feed(*state, SNAPSHOT), 0);
	expect_snapshot(*state);
}

static void test_bytes_one_by_one(void **state)
{
	struct fixture *f = *state;

	for (const char *c = SNAPSHOT; *c; c++)
		assert_int_equal(task_stream_feed(&f->stream, c, 1, &f->err), 0);
	expect_snapshot(f);
}

static void test_changes(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(
	    feed(f, EMPTY "\r\n{\"op\":\"arm\",\"task\":" TASK(
	                "3", "") "}\r\n{\"op\":\"start\",\"id\":3}\n"
	                         "{\"op\":\"heartbeat\"}\n{\"op\":\"later\",\"id\":1}\n"
	                         "{\"op\":\"stop\",\"id\":3}\n{\"op\":\"disarm\",\"id\":4294967295}\n{\"op\":"),
	    0);
	next(f, UPLINK_UP);
	assert_int_equal(next(f, UPLINK_SNAPSHOT).n_snapshot, 0);
	assert_int_equal(next(f, UPLINK_ARM).task.id, 3);
	assert_int_equal(next(f, UPLINK_START).task.id, 3);
	assert_int_equal(next(f, UPLINK_STOP).task.id, 3);
	assert_int_equal(next(f, UPLINK_DISARM).task.id, 4294967295);
	none(f);
}

static void test_up_is_said_once_a_connection(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(feed(f, EMPTY EMPTY "{\"op\":\"st"), 0);
	next(f, UPLINK_UP);
	next(f, UPLINK_SNAPSHOT);
	next(f, UPLINK_SNAPSHOT);
	none(f);
	task_stream_reset(&f->stream);
	assert_int_equal(feed(f, EMPTY), 0);
	next(f, UPLINK_UP);
	next(f, UPLINK_SNAPSHOT);
	none(f);
}

static void test_a_filter_it_does_not_know_is_passed_on(void **state)
{
	struct fixture *f = *state;
	struct uplink_command command;

	assert_int_equal(feed(f, EMPTY "{\"op\":\"arm\",\"task\":{\"id\":4,\"filter\":\"gre\",\"packet_count\":1,"
	                               "\"trace_time_ms\":1}}\n"),
	                 0);
	next(f, UPLINK_UP);
	next(f, UPLINK_SNAPSHOT);
	command = next(f, UPLINK_ARM);
	assert_int_equal(command.task.id, 4);
	assert_non_null(command.text);
	assert_non_null(strstr(command.text, "gre"));
}

static void test_faults(void **state)
{
	static const char *const faults[] = {
	    "<html>\n",
	    "[]\n",
	    "{\"op\":1}\n",
	    "{\"op\":\"heartbeat\"}\n", /* before the snapshot */
	    "{\"op\":\"snapshot\"}\n",
	    "{\"op\":\"snapshot\",\"tasks\":[1]}\n",
	    "{\"op\":\"snapshot\",\"tasks\":[{\"id\":0}]}\n",
	    EMPTY "{\"op\":\"arm\"}\n",
	    EMPTY "{\"op\":\"start\"}\n",
	    EMPTY "{\"op\":\"start\",\"id\":-1}\n",
	    EMPTY "{\"op\":\"start\",\"id\":4294967296}\n",
	    EMPTY "{\"op\":\"start\",\"id\":\"1\"}\n",
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
		f->err = (struct vt_err){0};
		task_stream_reset(&f->stream);
		if (feed(f, faults[i]) != -EBADMSG || !f->err.text[0])
			fail_msg("taken: %s", faults[i]);
	}
}

static void test_a_line_without_end(void **state)
{
	struct fixture *f = *state;
	char blanks[4096];
	size_t n = 0;
	int ret = 0;

	memset(blanks, ' ', sizeof(blanks));
	for (; !ret && n <= TASK_STREAM_LINE_MAX; n += sizeof(blanks))
		ret = task_stream_feed(&f->stream, blanks, sizeof(blanks), &f->err);
	assert_int_equal(ret, -EBADMSG);
	assert_true(n > TASK_STREAM_LINE_MAX);
}

static void test_more_commands_than_are_taken(void **state)
{
	struct fixture *f = *state;
	int ret = feed(f, EMPTY);

	for (int i = 0; !ret && i <= COMMAND_QUEUE_MAX; i++)
		ret = feed(f, "{\"op\":\"stop\",\"id\":1}\n");
	assert_int_equal(ret, -ENOBUFS);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_snapshot),
	    TEST(test_bytes_one_by_one),
	    TEST(test_changes),
	    TEST(test_up_is_said_once_a_connection),
	    TEST(test_a_filter_it_does_not_know_is_passed_on),
	    TEST(test_faults),
	    TEST(test_a_line_without_end),
	    TEST(test_more_commands_than_are_taken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
