// SPDX-License-Identifier: BSD-3-Clause
/* Tasks from ARM to DISARM; see tasks.h. */
#include "agent/tasks.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"

#define BUSY_CHECK_NS (10 * VT_MSEC_NS) /* how often to ask whether inspectors are done; they may end without a log */

/* Answers FAILED, and keeps the task known so that START and STOP for it are not taken for surprises. */
static void task_failed(struct tasks *tasks, uint32_t id, const char *text, uint64_t now)
{
	struct vt_item *item = outbox_answer(tasks->out, VT_ITEM_FAILED, id);
	struct task_entry *entry = task_table_find(&tasks->table, id);
	char line[VT_ERR_MAX + 32];

	if (item)
		vt_text_copy(item->text, sizeof(item->text), text);
	if (!entry)
		entry = task_table_add(&tasks->table, id);
	if (entry) {
		entry->state = TASK_FAILED;
		if (!entry->life_ns)
			entry->life_ns = tasks->orphan_ns;
		entry->deadline = now + entry->life_ns;
	}
	snprintf(line, sizeof(line), "task %u: %s", id, text);
	tasks->refused(tasks->arg, line);
}

/* A task that is known already was asked for again after a reconnection: a second answer would look like a late one. */
static void task_arm(struct tasks *tasks, const struct uplink_command *command, uint64_t now)
{
	const struct vt_task *task = &command->task;
	struct task_entry *entry = task_table_find(&tasks->table, task->id);
	struct vt_err err = {0};

	if (entry)
		return;
	if (command->text) {
		task_failed(tasks, task->id, command->text, now);
		return;
	}
	entry = task_table_add(&tasks->table, task->id);
	if (!entry) {
		task_failed(tasks, task->id, "this node has too many tasks (wait for some to end)", now);
		return;
	}
	entry->life_ns = task->trace_time_ms * VT_MSEC_NS + tasks->orphan_ns;
	entry->deadline = now + entry->life_ns;
	entry->state = TASK_ARMED;
	if (tasks->dp->ops->arm(tasks->dp, task, &err) < 0)
		task_failed(tasks, task->id, err.text, now);
	else
		outbox_answer(tasks->out, VT_ITEM_ARMED, task->id);
}

static void task_start(struct tasks *tasks, struct task_entry *entry, uint64_t now)
{
	struct vt_err err = {0};

	if (!entry || entry->state != TASK_ARMED)
		return;
	if (tasks->dp->ops->start(tasks->dp, entry->id, &err) < 0) {
		tasks->dp->ops->disarm(tasks->dp, entry->id);
		task_failed(tasks, entry->id, err.text, now);
		return;
	}
	entry->state = TASK_STARTED;
	entry->deadline = now + entry->life_ns;
	outbox_answer(tasks->out, VT_ITEM_STARTED, entry->id);
}

/* Ends colouring; STOPPED is said when the records made so far are out. */
static void task_stop(struct tasks *tasks, struct task_entry *entry, uint64_t now)
{
	struct vt_err err = {0};

	if (!entry || (entry->state != TASK_ARMED && entry->state != TASK_STARTED))
		return;
	if (tasks->dp->ops->stop(tasks->dp, entry->id, entry->coloured, &err) < 0) {
		tasks->dp->ops->disarm(tasks->dp, entry->id);
		task_failed(tasks, entry->id, err.text, now);
		return;
	}
	entry->state = TASK_STOPPING;
	entry->stop_by = now + tasks->drain_ns;
}

static void task_stopped(struct tasks *tasks, struct task_entry *entry)
{
	struct vt_item *item = outbox_answer(tasks->out, VT_ITEM_STOPPED, entry->id);

	if (item)
		memcpy(item->coloured, entry->coloured, sizeof(item->coloured));
	entry->state = TASK_STOPPED;
	tasks->ended = true;
}

static void task_disarm(struct tasks *tasks, struct task_entry *entry)
{
	if (!entry)
		return;
	tasks->dp->ops->disarm(tasks->dp, entry->id);
	task_table_remove(&tasks->table, entry);
}

static bool snapshot_has(const struct uplink_command *command, uint32_t id)
{
	for (uint32_t i = 0; i < command->n_snapshot; i++)
		if (command->snapshot[i] == id)
			return true;
	return false;
}

static void tasks_snapshot(struct tasks *tasks, const struct uplink_command *command)
{
	for (unsigned int i = tasks->table.n; i-- > 0;)
		if (!snapshot_has(command, tasks->table.entries[i].id))
			task_disarm(tasks, &tasks->table.entries[i]);
}

void tasks_command(struct tasks *tasks, const struct uplink_command *command, uint64_t now)
{
	struct task_entry *entry = task_table_find(&tasks->table, command->task.id);

	switch (command->op) {
	case UPLINK_ARM:
		task_arm(tasks, command, now);
		break;
	case UPLINK_START:
		task_start(tasks, entry, now);
		break;
	case UPLINK_STOP:
		task_stop(tasks, entry, now);
		break;
	case UPLINK_DISARM:
		task_disarm(tasks, entry);
		break;
	case UPLINK_SNAPSHOT:
		tasks_snapshot(tasks, command);
		break;
	case UPLINK_UP:
	case UPLINK_DOWN:
	case UPLINK_TROUBLE:
		break;
	}
}

void tasks_due(struct tasks *tasks, uint64_t now)
{
	for (unsigned int i = tasks->table.n; i-- > 0;) {
		struct task_entry *entry = &tasks->table.entries[i];
		bool expired = now >= entry->deadline;

		if (expired)
			task_stop(tasks, entry, now);
		if (entry->state == TASK_STOPPING &&
		    (expired || now >= entry->stop_by || !tasks->dp->ops->busy(tasks->dp)))
			task_stopped(tasks, entry);
		if (expired)
			task_disarm(tasks, entry);
	}
}

uint64_t tasks_next(const struct tasks *tasks, uint64_t now)
{
	uint64_t next = UINT64_MAX;

	for (unsigned int i = 0; i < tasks->table.n; i++) {
		const struct task_entry *entry = &tasks->table.entries[i];

		if (entry->deadline < next)
			next = entry->deadline;
		if (entry->state == TASK_STOPPING && now + BUSY_CHECK_NS < next)
			next = now + BUSY_CHECK_NS;
	}
	return next;
}

bool tasks_active(const struct tasks *tasks)
{
	for (unsigned int i = 0; i < tasks->table.n; i++)
		if (tasks->table.entries[i].state != TASK_FAILED)
			return true;
	return false;
}

void tasks_stop_all(struct tasks *tasks, uint64_t now)
{
	for (unsigned int i = 0; i < tasks->table.n; i++)
		task_stop(tasks, &tasks->table.entries[i], now);
}

void tasks_settle_all(struct tasks *tasks)
{
	for (unsigned int i = 0; i < tasks->table.n; i++)
		if (tasks->table.entries[i].state == TASK_STOPPING)
			task_stopped(tasks, &tasks->table.entries[i]);
}

void tasks_disarm_all(struct tasks *tasks)
{
	while (tasks->table.n)
		task_disarm(tasks, &tasks->table.entries[tasks->table.n - 1]);
}
