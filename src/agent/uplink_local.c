// SPDX-License-Identifier: BSD-3-Clause
/* The uplink within one process; see uplink_local.h. A batch that was taken is acknowledged. */
#include "agent/uplink_local.h"

#include <poll.h>
#include <stdlib.h>

#include "agent/command_queue.h"

struct uplink_local {
	struct uplink up;
	struct command_queue commands;
	uplink_local_take take;
	void *arg;
};

static struct uplink_local *local_of(struct uplink *up)
{
	return (struct uplink_local *)up;
}

static int local_wait(struct uplink *up, int fd, int timeout_ms)
{
	struct pollfd watch = {.fd = fd, .events = POLLIN};

	return poll(&watch, 1, local_of(up)->commands.n ? 0 : timeout_ms) > 0;
}

static bool local_command(struct uplink *up, struct uplink_command *command)
{
	return command_queue_take(&local_of(up)->commands, command);
}

static int local_send(struct uplink *up, const struct vt_batch *batch)
{
	return local_of(up)->take(local_of(up)->arg, batch);
}

static unsigned int local_unacknowledged(struct uplink *up)
{
	return 0;
}

static void local_close(struct uplink *up)
{
	command_queue_done(&local_of(up)->commands);
	free(up);
}

static const struct uplink_ops local_ops = {
    .wait = local_wait,
    .command = local_command,
    .send = local_send,
    .unacknowledged = local_unacknowledged,
    .close = local_close,
};

struct uplink *uplink_local_new(uplink_local_take take, void *arg)
{
	static const struct uplink_command up_now = {.op = UPLINK_UP};
	struct uplink_local *local = calloc(1, sizeof(*local));

	if (!local)
		return NULL;
	local->up.ops = &local_ops;
	local->take = take;
	local->arg = arg;
	if (command_queue_add(&local->commands, &up_now) < 0) {
		free(local);
		return NULL;
	}
	return &local->up;
}

int uplink_local_push(struct uplink *up, const struct uplink_command *command)
{
	return command_queue_add(&local_of(up)->commands, command);
}
