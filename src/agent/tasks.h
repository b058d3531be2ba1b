// SPDX-License-Identifier: BSD-3-Clause
/*
 * The agent's tasks: carries out what the uplink commands in the datapath, and puts the answers into the outbox. Each
 * task goes armed -> started -> stopping -> stopped, or fails, and is forgotten when it is disarmed or its deadline is
 * over. Who drains the datapath and when is the agent's business: STOPPED is said by tasks_due(), which runs right
 * after that.
 */
#ifndef VT_AGENT_TASKS_H
#define VT_AGENT_TASKS_H

#include "agent/outbox.h"
#include "agent/task_table.h"

struct tasks {
	struct datapath *dp;
	struct outbox *out;
	uint64_t drain_ns;                            /* after STOP, how long inspectors may take */
	uint64_t orphan_ns;                           /* how long a task lives beyond its trace time */
	void (*refused)(void *arg, const char *text); /* tells a person that a task could not be installed */
	void *arg;
	struct task_table table;
	bool ended; /* STOPPED was said since the owner last cleared this */
};

/* ARM, START, STOP, DISARM or SNAPSHOT; what does not fit the task's state is passed over. */
void tasks_command(struct tasks *tasks, const struct uplink_command *command, uint64_t now);

/* Says STOPPED for what is drained, and ends tasks whose deadline is over. Runs after the datapath was drained. */
void tasks_due(struct tasks *tasks, uint64_t now);

/* When tasks_due() has something to do, UINT64_MAX for never. */
uint64_t tasks_next(const struct tasks *tasks, uint64_t now);

/* The datapath has a task of ours, so it may have something to tell. */
bool tasks_active(const struct tasks *tasks);

/* The end, in three steps: stop everything; once the datapath is drained say so; disarm. */
void tasks_stop_all(struct tasks *tasks, uint64_t now);
void tasks_settle_all(struct tasks *tasks);
void tasks_disarm_all(struct tasks *tasks);

#endif
