// SPDX-License-Identifier: BSD-3-Clause
/* A list of commands; each entry is one allocation with the snapshot and the text behind it. */
#include "agent/command_queue.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct queued_command {
	struct queued_command *next;
	struct uplink_command command;
	uint32_t snapshot[]; /* n_snapshot ids, then the text */
};

int command_queue_add(struct command_queue *queue, const struct uplink_command *command)
{
	size_t ids = command->n_snapshot * sizeof(uint32_t), text = command->text ? strlen(command->text) + 1 : 0;
	struct queued_command *entry;

	if (queue->n == COMMAND_QUEUE_MAX)
		return -ENOBUFS;
	entry = malloc(sizeof(*entry) + ids + text);
	if (!entry)
		return -ENOMEM;
	entry->next = NULL;
	entry->command = *command;
	entry->command.snapshot = entry->snapshot;
	if (ids)
		memcpy(entry->snapshot, command->snapshot, ids);
	if (text)
		entry->command.text = memcpy((char *)entry->snapshot + ids, command->text, text);
	if (queue->tail)
		queue->tail->next = entry;
	else
		queue->head = entry;
	queue->tail = entry;
	queue->n++;
	return 0;
}

bool command_queue_take(struct command_queue *queue, struct uplink_command *ret)
{
	struct queued_command *entry = queue->head;

	free(queue->taken);
	queue->taken = entry;
	if (!entry)
		return false;
	queue->head = entry->next;
	if (!queue->head)
		queue->tail = NULL;
	queue->n--;
	*ret = entry->command;
	return true;
}

void command_queue_done(struct command_queue *queue)
{
	struct uplink_command command;

	while (command_queue_take(queue, &command))
		;
}
