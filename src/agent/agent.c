// SPDX-License-Identifier: BSD-3-Clause
/*
 * The agent's loop. A step waits, then always goes the same way: commands, the datapath's logs, tasks that are due, the
 * node, progress, flush. That order carries the promise of PROGRESS ("all records made before this are in this or
 * earlier batches"): whatever a step says, it has drained the datapath just before.
 */
#include "agent/agent.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "agent/tasks.h"
#include "base/clock.h"

#define MS               VT_MSEC_NS
#define NODE_CHECK_NS    (1000 * MS) /* how stale what the server knows of the node may be: a person reads it */
#define BUSY_CHECK_NS    (10 * MS)   /* how often to ask whether the datapath is still busy when PROGRESS is due */
#define PROGRESS_WITH_NS (20 * MS)   /* records take a PROGRESS along if the last one is older than this */
#define MAX_RECORDS      65536       /* 70 MB: a minute of a busy trace while the server restarts */

struct agent {
	struct datapath *dp;
	struct uplink *up;
	struct agent_config config; /* limits filled in */
	int epoll;                  /* the datapath's descriptor and wake_fd, as one */
	struct tasks tasks;
	struct outbox out;
	struct vt_node_info info; /* as last said */
	uint64_t now, node_check;
	uint64_t progress_last;
	bool connected, ready;
};

static void agent_say(struct agent *agent, enum agent_notice notice, const char *text)
{
	if (agent->config.notice)
		agent->config.notice(agent->config.arg, notice, text ? text : "");
}

static void agent_refused(void *arg, const char *text)
{
	agent_say(arg, AGENT_REFUSED, text);
}

static uint64_t datapath_lost(const struct agent *agent)
{
	struct datapath_stats stats = {0};

	agent->dp->ops->stats(agent->dp, &stats);
	return stats.lost;
}

static void agent_say_node(struct agent *agent, const struct vt_node_info *info)
{
	struct vt_item *item = outbox_answer(&agent->out, VT_ITEM_NODE, 0);

	if (item)
		item->node = *info;
	agent->info = *info;
}

/* What the node is; what the driver leaves open is filled in. */
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
	switch (command->op) {
	case UPLINK_ARM:
	case UPLINK_START:
	case UPLINK_STOP:
	case UPLINK_DISARM:
	case UPLINK_SNAPSHOT:
		tasks_command(&agent->tasks, command, agent->now);
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

static void agent_node_due(struct agent *agent)
{
	struct vt_node_info info;

	if (!agent->connected || agent->now < agent->node_check)
		return;
	agent_node_info(agent, &info);
	if (memcmp(&info, &agent->info, sizeof(info)))
		agent_say_node(agent, &info);
}

/* When the next PROGRESS is due, whether or not the datapath lets us say it then. */
static uint64_t agent_progress_at(const struct agent *agent)
{
	if (agent->tasks.ended)
		return 0;
	if (!tasks_active(&agent->tasks))
		return UINT64_MAX;
	if (agent->out.queue.records && agent->out.flush_at <= agent->now)
		return agent->progress_last + PROGRESS_WITH_NS;
	return agent->progress_last + agent->config.progress_ms * MS;
}

/* The time for which PROGRESS holds; agent->now is from before the last poll(). */
static uint64_t agent_complete(const struct agent *agent)
{
	uint64_t (*complete)(struct datapath * dp) = agent->dp->ops->complete;

	return complete ? complete(agent->dp) : agent->now;
}

static void agent_progress(struct agent *agent)
{
	if (agent->now < agent_progress_at(agent) || agent->dp->ops->busy(agent->dp))
		return;
	outbox_progress(&agent->out, datapath_lost(agent), agent_complete(agent), agent->now);
	agent->progress_last = agent->now;
	agent->tasks.ended = false;
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

	due = earlier(due, tasks_next(&agent->tasks, now));
	if (agent->connected)
		due = earlier(due, agent->node_check);
	/* Due already and not said in the last step: the datapath is busy. */
	due = earlier(due, progress <= now ? now + BUSY_CHECK_NS : progress);
	return earlier(due, outbox_due(&agent->out, now));
}

static int agent_wait_ms(struct agent *agent, int timeout_ms)
{
	uint64_t due;

	agent->now = vt_now_ns();
	due = agent_next(agent, timeout_ms);
	return due <= agent->now ? 0 : (int)((due - agent->now + MS - 1) / MS);
}

int agent_step(struct agent *agent, int timeout_ms, struct vt_err *err)
{
	struct uplink_command command;
	int ret;

	agent->up->ops->wait(agent->up, agent->epoll, agent_wait_ms(agent, timeout_ms));
	agent->now = vt_now_ns();
	while (agent->up->ops->command(agent->up, &command))
		agent_command(agent, &command);
	/* Arming takes milliseconds: what is due is judged by the time at which the datapath is drained. */
	agent->now = vt_now_ns();
	ret = agent->dp->ops->poll(agent->dp, agent_sink, agent, err);
	if (ret < 0)
		return ret;
	tasks_due(&agent->tasks, agent->now);
	agent_node_due(agent);
	agent_progress(agent);
	outbox_flush(&agent->out, agent->now);
	agent_ready(agent);
	return 0;
}

/* Records that are still in the datapath come with the poll between stopping and disarming. */
static void agent_end_tasks(struct agent *agent)
{
	tasks_stop_all(&agent->tasks, agent->now);
	agent->dp->ops->poll(agent->dp, agent_sink, agent, NULL);
	tasks_settle_all(&agent->tasks);
	agent_progress(agent);
	tasks_disarm_all(&agent->tasks);
	outbox_hurry(&agent->out);
}

void agent_shutdown(struct agent *agent, int timeout_ms)
{
	uint64_t end;

	agent->now = vt_now_ns();
	end = agent->now + (uint64_t)timeout_ms * MS;
	agent_end_tasks(agent);
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
		agent->now = vt_now_ns();
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
	c->node = NULL; /* the copy is in the outbox */
}

static void agent_connect_parts(struct agent *agent, const char *node)
{
	const struct agent_config *c = &agent->config;

	agent->out = (struct outbox){.up = agent->up,
	                             .flush_ns = c->flush_us * 1000ULL,
	                             .flush_at = UINT64_MAX,
	                             .queue = {.batch_items = c->batch_items, .max_records = c->max_records},
	                             .batch = {.kind = c->kind, .boot = c->boot}};
	snprintf(agent->out.batch.node, sizeof(agent->out.batch.node), "%s", node);
	agent->tasks.dp = agent->dp;
	agent->tasks.out = &agent->out;
	agent->tasks.drain_ns = c->drain_ms * MS;
	agent->tasks.orphan_ns = c->orphan_ms * MS;
	agent->tasks.refused = agent_refused;
	agent->tasks.arg = agent;
}

struct agent *agent_new(struct datapath *dp, struct uplink *up, const struct agent_config *config)
{
	struct agent *agent = calloc(1, sizeof(*agent));

	if (!agent)
		return NULL;
	agent->dp = dp;
	agent->up = up;
	agent_configure(agent, config);
	agent_connect_parts(agent, config->node);
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
	    .lost = datapath_lost(agent) + agent->out.lost,
	    .batches = agent->out.batch.number,
	    .queued = agent->out.queue.items,
	    .tasks = agent->tasks.table.n,
	    .connected = agent->connected,
	};
}
