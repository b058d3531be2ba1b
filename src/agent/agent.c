// SPDX-License-Identifier: BSD-3-Clause
/*
 * The agent's loop. A step waits, then always goes the same way: commands, the datapath's logs, tasks that are due, the
 * node, progress, flush. That order carries the promise of PROGRESS ("all records made before this are in this or
 * earlier batches"): whatever a step says, it has drained the datapath just before.
 */
#include "agent/agent.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "agent/host.h"
#include "agent/outbox.h"
#include "agent/task_table.h"

#define MS               1000000ULL
#define NODE_CHECK_NS    (1000 * MS) /* how stale what the server knows of the node may be: a person reads it */
#define BUSY_CHECK_NS    (10 * MS)   /* how often to ask whether inspectors are done; they may end without a log */
#define PROGRESS_WITH_NS (20 * MS)   /* records take a PROGRESS along if the last one is older than this */
#define MAX_RECORDS      65536       /* 70 MB: a minute of a busy trace while the server restarts */

struct agent {
	struct datapath *dp;
	struct uplink *up;
	struct agent_config config; /* limits filled in */
	int epoll;                  /* the datapath's descriptor and wake_fd, as one */
	struct task_table tasks;
	struct outbox out;
	struct vt_node_info info; /* as last said */
	uint64_t now, node_check;
	uint64_t progress_last;
	bool progress_now; /* something ended: say so as soon as the datapath is drained */
	bool connected, ready;
};

static void agent_say(struct agent *agent, enum agent_notice notice, const char *text)
{
	if (agent->config.notice)
		agent->config.notice(agent->config.arg, notice, text ? text : "");
}

static uint64_t agent_lost(const struct agent *agent)
{
	struct datapath_stats stats = {0};

	agent->dp->ops->stats(agent->dp, &stats);
	return stats.lost + agent->out.lost;
}

/* Answers FAILED, and keeps the task known so that START and STOP for it are not taken for surprises. */
static void task_failed(struct agent *agent, uint32_t id, const char *text)
{
	struct vt_item *item = outbox_answer(&agent->out, VT_ITEM_FAILED, id);
	struct task_entry *entry = task_table_find(&agent->tasks, id);
	char line[VT_ERR_MAX + 32];

	if (item)
		snprintf(item->text, sizeof(item->text), "%s", text);
	if (!entry)
		entry = task_table_add(&agent->tasks, id);
	if (entry) {
		entry->state = TASK_FAILED;
		if (!entry->life_ns)
			entry->life_ns = agent->config.orphan_ms * MS;
		entry->deadline = agent->now + entry->life_ns;
	}
	snprintf(line, sizeof(line), "task %u: %s", id, text);
	agent_say(agent, AGENT_REFUSED, line);
}

static void task_arm(struct agent *agent, const struct uplink_command *command)
{
	const struct vt_task *task = &command->task;
	struct task_entry *entry = task_table_find(&agent->tasks, task->id);
	struct vt_err err = {0};

	/* Asked again after a reconnection: the answer of then is on its way or was taken, and a second one would look
	 * late. */
	if (entry)
		return;
	if (command->text) {
		task_failed(agent, task->id, command->text);
		return;
	}
	entry = task_table_add(&agent->tasks, task->id);
	if (!entry) {
		task_failed(agent, task->id, "this node has too many tasks (wait for some to end)");
		return;
	}
	entry->life_ns = (task->trace_time_ms + (uint64_t)agent->config.orphan_ms) * MS;
	entry->deadline = agent->now + entry->life_ns;
	entry->state = TASK_ARMED;
	if (agent->dp->ops->arm(agent->dp, task, &err) < 0)
		task_failed(agent, task->id, err.text);
	else
		outbox_answer(&agent->out, VT_ITEM_ARMED, task->id);
}

static void task_start(struct agent *agent, uint32_t id)
{
	struct task_entry *entry = task_table_find(&agent->tasks, id);
	struct vt_err err = {0};

	if (!entry || entry->state != TASK_ARMED)
		return;
	if (agent->dp->ops->start(agent->dp, id, &err) < 0) {
		agent->dp->ops->disarm(agent->dp, id);
		task_failed(agent, id, err.text);
		return;
	}
	entry->state = TASK_STARTED;
	entry->deadline = agent->now + entry->life_ns;
}

/* Ends colouring; STOPPED is said when the records made so far are out. */
static void task_stop(struct agent *agent, struct task_entry *entry)
{
	struct vt_err err = {0};

	if (!entry || (entry->state != TASK_ARMED && entry->state != TASK_STARTED))
		return;
	if (agent->dp->ops->stop(agent->dp, entry->id, entry->coloured, &err) < 0) {
		agent->dp->ops->disarm(agent->dp, entry->id);
		task_failed(agent, entry->id, err.text);
		return;
	}
	entry->state = TASK_STOPPING;
	entry->stop_by = agent->now + agent->config.drain_ms * MS;
}

static void task_stopped(struct agent *agent, struct task_entry *entry)
{
	struct vt_item *item = outbox_answer(&agent->out, VT_ITEM_STOPPED, entry->id);

	if (item)
		memcpy(item->coloured, entry->coloured, sizeof(item->coloured));
	entry->state = TASK_STOPPED;
	agent->progress_now = true;
}

static void task_disarm(struct agent *agent, struct task_entry *entry)
{
	if (!entry)
		return;
	agent->dp->ops->disarm(agent->dp, entry->id);
	task_table_remove(&agent->tasks, entry);
}

static bool snapshot_has(const struct uplink_command *command, uint32_t id)
{
	for (uint32_t i = 0; i < command->n_snapshot; i++)
		if (command->snapshot[i] == id)
			return true;
	return false;
}

static void agent_snapshot(struct agent *agent, const struct uplink_command *command)
{
	for (unsigned int i = agent->tasks.n; i-- > 0;)
		if (!snapshot_has(command, agent->tasks.entries[i].id))
			task_disarm(agent, &agent->tasks.entries[i]);
}

/* Says what the node is; what the driver leaves open is filled in. */
static void agent_say_node(struct agent *agent, const struct vt_node_info *info)
{
	struct vt_item *item = outbox_answer(&agent->out, VT_ITEM_NODE, 0);

	if (item)
		item->node = *info;
	agent->info = *info;
}

static void agent_node_info(struct agent *agent, struct vt_node_info *info)
{
	memset(info, 0, sizeof(*info));
	agent->dp->ops->node(agent->dp, info);
	if (!info->datapath[0])
		snprintf(info->datapath, sizeof(info->datapath), "%s", agent->dp->ops->name);
	if (!info->version[0])
		snprintf(info->version, sizeof(info->version), "%s", VTRACE_VERSION);
	agent->node_check = agent->now + NODE_CHECK_NS;
}

static void agent_up(struct agent *agent)
{
	struct vt_node_info info;

	if (agent->ready && !agent->connected)
		agent_say(agent, AGENT_UP, "");
	agent->connected = true;
	agent_node_info(agent, &info);
	agent_say_node(agent, &info);
}

static void agent_command(struct agent *agent, const struct uplink_command *command)
{
	struct task_table *tasks = &agent->tasks;

	switch (command->op) {
	case UPLINK_ARM:
		task_arm(agent, command);
		break;
	case UPLINK_START:
		task_start(agent, command->task.id);
		break;
	case UPLINK_STOP:
		task_stop(agent, task_table_find(tasks, command->task.id));
		break;
	case UPLINK_DISARM:
		task_disarm(agent, task_table_find(tasks, command->task.id));
		break;
	case UPLINK_SNAPSHOT:
		agent_snapshot(agent, command);
		break;
	case UPLINK_UP:
		agent_up(agent);
		break;
	case UPLINK_DOWN:
		agent->connected = false;
		agent_say(agent, AGENT_DOWN, command->text);
		break;
	case UPLINK_TROUBLE:
		agent->out.lost += command->lost;
		agent_say(agent, AGENT_TROUBLE, command->text);
		break;
	}
}

static void agent_sink(void *arg, const struct vt_log *log)
{
	struct agent *agent = arg;

	outbox_record(&agent->out, log, agent->now);
}

/* Tasks whose STOP or deadline has come. Runs after the datapath was drained. */
static void agent_tasks_due(struct agent *agent)
{
	for (unsigned int i = agent->tasks.n; i-- > 0;) {
		struct task_entry *entry = &agent->tasks.entries[i];
		bool expired = agent->now >= entry->deadline;

		if (expired)
			task_stop(agent, entry);
		if (entry->state == TASK_STOPPING &&
		    (expired || agent->now >= entry->stop_by || !agent->dp->ops->busy(agent->dp)))
			task_stopped(agent, entry);
		if (expired)
			task_disarm(agent, entry);
	}
}

static void agent_node_due(struct agent *agent)
{
	struct vt_node_info info;

	if (!agent->connected || agent->now < agent->node_check)
		return;
	agent_node_info(agent, &info);
	if (memcmp(&info, &agent->info, sizeof(info)))
		agent_say_node(agent, &info);
}

static bool agent_tracing(const struct agent *agent)
{
	for (unsigned int i = 0; i < agent->tasks.n; i++)
		if (agent->tasks.entries[i].state != TASK_FAILED)
			return true;
	return false;
}

/* When the next PROGRESS is due, whether or not the datapath lets us say it then. */
static uint64_t agent_progress_at(const struct agent *agent)
{
	if (agent->progress_now)
		return 0;
	if (!agent_tracing(agent))
		return UINT64_MAX;
	if (agent->out.queue.records && agent->out.flush_at <= agent->now)
		return agent->progress_last + PROGRESS_WITH_NS;
	return agent->progress_last + agent->config.progress_ms * MS;
}

static void agent_progress(struct agent *agent)
{
	if (agent->now < agent_progress_at(agent) || agent->dp->ops->busy(agent->dp))
		return;
	outbox_progress(&agent->out, agent_lost(agent), agent->now);
	agent->progress_last = agent->now;
	agent->progress_now = false;
}

static void agent_ready(struct agent *agent)
{
	if (agent->ready || !agent->connected || !outbox_node_known(&agent->out))
		return;
	agent->ready = true;
	agent_say(agent, AGENT_READY, "");
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* The time until which a step may sleep. */
static uint64_t agent_next(const struct agent *agent, int timeout_ms)
{
	uint64_t now = agent->now, progress = agent_progress_at(agent), due = now + (uint64_t)timeout_ms * MS;

	for (unsigned int i = 0; i < agent->tasks.n; i++) {
		const struct task_entry *entry = &agent->tasks.entries[i];

		due = earlier(due, entry->deadline);
		if (entry->state == TASK_STOPPING)
			due = earlier(due, now + BUSY_CHECK_NS);
	}
	if (agent->connected)
		due = earlier(due, agent->node_check);
	/* Due already and not said in the last step: the datapath is busy. */
	due = earlier(due, progress <= now ? now + BUSY_CHECK_NS : progress);
	return earlier(due, outbox_due(&agent->out, now));
}

static int agent_wait_ms(struct agent *agent, int timeout_ms)
{
	uint64_t due;

	agent->now = agent_now_ns();
	due = agent_next(agent, timeout_ms);
	return due <= agent->now ? 0 : (int)((due - agent->now + MS - 1) / MS);
}

int agent_step(struct agent *agent, int timeout_ms, struct vt_err *err)
{
	struct uplink_command command;
	int ret;

	agent->up->ops->wait(agent->up, agent->epoll, agent_wait_ms(agent, timeout_ms));
	agent->now = agent_now_ns();
	while (agent->up->ops->command(agent->up, &command))
		agent_command(agent, &command);
	ret = agent->dp->ops->poll(agent->dp, agent_sink, agent, err);
	if (ret < 0)
		return ret;
	agent_tasks_due(agent);
	agent_node_due(agent);
	agent_progress(agent);
	outbox_flush(&agent->out, agent->now);
	agent_ready(agent);
	return 0;
}

/* Everything is stopped and said first, then disarmed: records that are still in the datapath come with the poll
 * between. */
static void agent_end_tasks(struct agent *agent)
{
	for (unsigned int i = agent->tasks.n; i-- > 0;)
		task_stop(agent, &agent->tasks.entries[i]);
	agent->dp->ops->poll(agent->dp, agent_sink, agent, NULL);
	for (unsigned int i = agent->tasks.n; i-- > 0;)
		if (agent->tasks.entries[i].state == TASK_STOPPING)
			task_stopped(agent, &agent->tasks.entries[i]);
	agent_progress(agent);
	while (agent->tasks.n)
		task_disarm(agent, &agent->tasks.entries[agent->tasks.n - 1]);
}

void agent_shutdown(struct agent *agent, int timeout_ms)
{
	uint64_t end;

	agent->now = agent_now_ns();
	end = agent->now + (uint64_t)timeout_ms * MS;
	agent_end_tasks(agent);
	agent->out.urgent = true;
	agent->out.flush_at = 0;
	outbox_flush(&agent->out, agent->now);
	while (agent->connected && (agent->out.queue.items || agent->up->ops->unacknowledged(agent->up))) {
		struct uplink_command command;

		if (agent->now >= end)
			break;
		agent->up->ops->wait(agent->up, -1,
		                     (int)earlier((end - agent->now + MS - 1) / MS, OUTBOX_RETRY_NS / MS));
		/* Only the connection matters now; the tasks that commands could be about are gone. */
		while (agent->up->ops->command(agent->up, &command))
			if (command.op == UPLINK_DOWN)
				agent->connected = false;
		agent->now = agent_now_ns();
		outbox_flush(&agent->out, agent->now);
	}
}

static int agent_watch(struct agent *agent, int fd)
{
	struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};

	return fd < 0 ? 0 : epoll_ctl(agent->epoll, EPOLL_CTL_ADD, fd, &event);
}

static uint32_t limit(uint32_t value, uint32_t otherwise)
{
	return value ? value : otherwise;
}

static void agent_configure(struct agent *agent, const struct agent_config *config)
{
	struct agent_config *c = &agent->config;

	*c = *config;
	c->batch_items = limit(c->batch_items, VT_BATCH_ITEMS_MAX);
	if (c->batch_items > VT_BATCH_ITEMS_MAX)
		c->batch_items = VT_BATCH_ITEMS_MAX;
	c->max_records = limit(c->max_records, MAX_RECORDS);
	c->flush_us = limit(c->flush_us, 2000);
	c->progress_ms = limit(c->progress_ms, 100);
	c->drain_ms = limit(c->drain_ms, 100);
	c->orphan_ms = limit(c->orphan_ms, 30000);
	c->node = NULL;
}

struct agent *agent_new(struct datapath *dp, struct uplink *up, const struct agent_config *config)
{
	struct agent *agent = calloc(1, sizeof(*agent));

	if (!agent)
		return NULL;
	agent_configure(agent, config);
	agent->dp = dp;
	agent->up = up;
	agent->out.up = up;
	agent->out.flush_ns = agent->config.flush_us * 1000ULL;
	agent->out.flush_at = UINT64_MAX;
	agent->out.queue.batch_items = agent->config.batch_items;
	agent->out.queue.max_records = agent->config.max_records;
	agent->out.batch.kind = config->kind;
	agent->out.batch.boot = config->boot;
	snprintf(agent->out.batch.node, sizeof(agent->out.batch.node), "%s", config->node);
	agent->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (agent->epoll < 0 || agent_watch(agent, dp->ops->fd(dp)) < 0 || agent_watch(agent, config->wake_fd) < 0) {
		agent_free(agent);
		return NULL;
	}
	return agent;
}

void agent_free(struct agent *agent)
{
	if (!agent)
		return;
	outbox_done(&agent->out);
	if (agent->epoll >= 0)
		close(agent->epoll);
	free(agent);
}

void agent_stats(const struct agent *agent, struct agent_stats *stats)
{
	*stats = (struct agent_stats){
	    .records = agent->out.seq,
	    .lost = agent_lost(agent),
	    .batches = agent->out.batch.number,
	    .queued = agent->out.queue.items,
	    .tasks = agent->tasks.n,
	    .connected = agent->connected,
	};
}
