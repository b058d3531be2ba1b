// SPDX-License-Identifier: BSD-3-Clause
/*
 * The tasks an agent knows, and how far each has come. A task that failed stays known until it is disarmed, so that it
 * is answered once and later commands for it are no surprise.
 */
#ifndef VT_AGENT_TASK_TABLE_H
#define VT_AGENT_TASK_TABLE_H

#include <stdbool.h>
#include <stdint.h>

#include "datapath/datapath.h"

#define TASK_TABLE_MAX (2 * VT_TASKS_MAX) /* as many as a datapath takes, and as many that it refused */

enum task_state { TASK_ARMED = 1, TASK_STARTED, TASK_STOPPING, TASK_STOPPED, TASK_FAILED };

struct task_entry {
	uint32_t id;
	enum task_state state;
	uint64_t life_ns;     /* how long it may live after ARM or START */
	uint64_t deadline;    /* when it goes though nobody disarmed it */
	uint64_t stop_by;     /* STOPPING: when STOPPED is said though inspectors are still at work */
	uint64_t coloured[2]; /* STOPPING, STOPPED: final */
};

struct task_table {
	unsigned int n;
	struct task_entry entries[TASK_TABLE_MAX];
};

struct task_entry *task_table_find(struct task_table *table, uint32_t id);  /* NULL if it is not there */
struct task_entry *task_table_add(struct task_table *table, uint32_t id);   /* NULL if the table is full */
void task_table_remove(struct task_table *table, struct task_entry *entry); /* entries behind it move up */

#endif
