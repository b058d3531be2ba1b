// SPDX-License-Identifier: BSD-3-Clause
/* The local uplink, and the queue of commands that it shares with the one over HTTP. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "agent/command_queue.h"
#include "agent/uplink_local.h"

struct taken {
	int answer;
	unsigned int n;
	uint64_t number;
};

static int take(void *arg, const struct vt_batch *batch)
{
	struct taken *taken = arg;

	taken->n++;
	taken->number = batch->number;
	return taken->answer;
}

static struct uplink *uplink_up(struct taken *taken)
{
	struct uplink *up = uplink_local_new(take, taken);
	struct uplink_command command;

	assert_non_null(up);
	assert_true(up->ops->command(up, &command));
	assert_int_equal(command.op, UPLINK_UP);
	assert_false(up->ops->command(up, &command));
	return up;
}

static void test_commands_come_in_order_with_copies(void **state)
{
	struct taken taken = {0};
	struct uplink *up = uplink_up(&taken);
	struct uplink_command command = {.op = UPLINK_SNAPSHOT};
	uint32_t ids[] = {4, 5, 6};
	char text[] = "because";

	command.snapshot = ids;
	command.n_snapshot = 3;
	assert_int_equal(uplink_local_push(up, &command), 0);
	command = (struct uplink_command){.op = UPLINK_DOWN, .text = text};
	assert_int_equal(uplink_local_push(up, &command), 0);
	command = (struct uplink_command){.op = UPLINK_STOP, .task = {.id = 8}};
	assert_int_equal(uplink_local_push(up, &command), 0);
	memset(ids, 0, sizeof(ids));
	memset(text, 0, sizeof(text));

	assert_true(up->ops->command(up, &command));
	assert_int_equal(command.op, UPLINK_SNAPSHOT);
	assert_int_equal(command.n_snapshot, 3);
	assert_int_equal(command.snapshot[0], 4);
	assert_int_equal(command.snapshot[2], 6);
	assert_true(up->ops->command(up, &command));
	assert_int_equal(command.op, UPLINK_DOWN);
	assert_string_equal(command.text, "because");
	assert_true(up->ops->command(up, &command));
	assert_int_equal(command.op, UPLINK_STOP);
	assert_int_equal(command.task.id, 8);
	assert_null(command.text);
	assert_false(up->ops->command(up, &command));
	up->ops->close(up);
}

static void test_wait(void **state)
{
	const struct uplink_command command = {.op = UPLINK_STOP, .task = {.id = 1}};
	struct taken taken = {0};
	struct uplink *up = uplink_up(&taken);
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

	assert_int_equal(up->ops->wait(up, fd, 0), 0);
	assert_int_equal(up->ops->wait(up, -1, 1), 0);
	eventfd_write(fd, 1);
	assert_int_equal(up->ops->wait(up, fd, 60000), 1);
	assert_int_equal(uplink_local_push(up, &command), 0);
	/* A command that waits makes it return at once; a minute would fail the test by its time limit. */
	assert_int_equal(up->ops->wait(up, -1, 60000), 0);
	up->ops->close(up);
	close(fd);
}

static void test_batches_go_to_the_owner_at_once(void **state)
{
	struct taken taken = {0};
	struct uplink *up = uplink_up(&taken);
	struct vt_batch batch = {.node = "n", .number = 12};

	assert_int_equal(up->ops->send(up, &batch), 0);
	assert_int_equal(taken.n, 1);
	assert_int_equal(taken.number, 12);
	assert_int_equal(up->ops->unacknowledged(up), 0);
	taken.answer = -EAGAIN;
	assert_int_equal(up->ops->send(up, &batch), -EAGAIN);
	up->ops->close(up);
}

static void test_commands_are_limited(void **state)
{
	const struct uplink_command command = {.op = UPLINK_STOP, .task = {.id = 1}};
	struct taken taken = {0};
	struct uplink *up = uplink_up(&taken);
	struct uplink_command got;

	for (int i = 0; i < COMMAND_QUEUE_MAX; i++)
		assert_int_equal(uplink_local_push(up, &command), 0);
	assert_int_equal(uplink_local_push(up, &command), -ENOBUFS);
	assert_true(up->ops->command(up, &got));
	assert_int_equal(uplink_local_push(up, &command), 0);
	up->ops->close(up);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_commands_come_in_order_with_copies),
	    cmocka_unit_test(test_wait),
	    cmocka_unit_test(test_batches_go_to_the_owner_at_once),
	    cmocka_unit_test(test_commands_are_limited),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
