// SPDX-License-Identifier: BSD-3-Clause
/* Commands on their way from an uplink to the agent, in order, with their own copies of what they point to. */
#ifndef VT_AGENT_COMMAND_QUEUE_H
#define VT_AGENT_COMMAND_QUEUE_H

#include "agent/uplink.h"

#define COMMAND_QUEUE_MAX 4096 /* a snapshot of 256 tasks is 770 commands; an agent empties the queue at each step */

struct queued_command;

struct command_queue {
	unsigned int n;
	struct queued_command *head, *tail;
	struct queued_command *taken; /* what the last command_queue_take() gave out */
};

/* -ENOBUFS past the limit, -ENOMEM. */
int command_queue_add(struct command_queue *queue, const struct uplink_command *command);

/* False if there is none. Pointers in *ret hold until the next call. */
bool command_queue_take(struct command_queue *queue, struct uplink_command *ret);

void command_queue_done(struct command_queue *queue);

#endif
