// SPDX-License-Identifier: BSD-3-Clause
/*
 * The agents: the production agent's tasks.c, outbox.c and item_queue.c, stepped by simulated time in the order of
 * agent.c's loop (commands, drain, tasks, progress, flush), over the simulated datapath and uplink. They stall, are
 * killed with all that they had not sent, and start again under a new boot id.
 */
#include "sim/world.h"

#include <stdio.h>
#include <string.h>

#define PROGRESS_EVERY (100 * MS) /* agent.c's defaults */
#define PROGRESS_WITH  (20 * MS)
#define FLUSH          (2 * MS)
#define DRAIN          (100 * MS)
#define ORPHAN         (30 * S)
#define BUSY_CHECK     (10 * MS)
#define SILENT_DEATH   (3 * S) /* until a host that is gone without a word is missed */

static void say_node(struct agent_run *agent)
{
	struct vt_item *item = outbox_answer(&agent->out, VT_ITEM_NODE, 0);

	if (!item)
		return;
	snprintf(item->node.datapath, sizeof(item->node.datapath), "sim");
	snprintf(item->node.version, sizeof(item->node.version), "0");
	item->node.n_addrs = agent->node->n_addrs;
	memcpy(item->node.addrs, agent->node->addrs, sizeof(agent->node->addrs));
}

static void take_command(struct agent_run *agent, const struct uplink_command *command, uint64_t now)
{
	switch (command->op) {
	case UPLINK_ARM:
	case UPLINK_START:
	case UPLINK_STOP:
	case UPLINK_DISARM:
	case UPLINK_SNAPSHOT:
		tasks_command(&agent->tasks, command, now);
		break;
	case UPLINK_UP:
		agent->connected = true;
		uplink_retry(&agent->up);
		say_node(agent);
		break;
	case UPLINK_DOWN:
		agent->connected = false;
		break;
	case UPLINK_TROUBLE:
		agent->out.lost += command->lost;
		break;
	}
}

static uint64_t progress_at(const struct agent_run *agent, uint64_t now)
{
	if (agent->tasks.ended)
		return 0;
	if (!tasks_active(&agent->tasks))
		return UINT64_MAX;
	if (agent->out.queue.records && agent->out.flush_at <= now)
		return agent->progress_last + PROGRESS_WITH;
	return agent->progress_last + PROGRESS_EVERY;
}

static void progress(struct agent_run *agent, uint64_t now)
{
	if (now < progress_at(agent, now) || agent->dp.dp.ops->busy(&agent->dp.dp))
		return;
	outbox_progress(&agent->out, datapath_lost(&agent->dp), (uint64_t)((int64_t)now + agent->node->clock_ns), now);
	agent->progress_last = now;
	agent->tasks.ended = false;
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static uint64_t step_next(const struct agent_run *agent, uint64_t now)
{
	uint64_t due = tasks_next(&agent->tasks, now), said = progress_at(agent, now);

	due = earlier(due, said <= now ? now + BUSY_CHECK : said);
	due = earlier(due, outbox_due(&agent->out, now));
	due = earlier(due, datapath_next(&agent->dp, now));
	return due <= now ? now + 1 * MS : due;
}

static void step(struct world *w, void *what, uint64_t number)
{
	struct agent_run *agent = what;
	const struct node *node = agent->node;
	uint64_t next;

	if (!agent->alive || agent->step_at != number)
		return; /* an earlier one was planned since */
	agent->step_at = UINT64_MAX;
	if (w->now >= node->stall_from && w->now < node->stall_to) {
		agent_wake(w, agent, node->stall_to);
		return;
	}
	while (agent->commands) {
		struct queued *queued = agent->commands;

		agent->commands = queued->next;
		take_command(agent, &queued->command, w->now);
	}
	agent->last_command = NULL;
	datapath_drain(w, &agent->dp, &agent->out);
	tasks_due(&agent->tasks, w->now);
	progress(agent, w->now);
	outbox_flush(&agent->out, w->now);
	next = step_next(agent, w->now);
	if (next != UINT64_MAX)
		agent_wake(w, agent, next);
}

void agent_wake(struct world *w, struct agent_run *agent, uint64_t at)
{
	if (agent->step_at <= at)
		return;
	agent->step_at = at;
	events_add(&w->events, at, step, agent, at);
}

/* --- commands ----------------------------------------------------------------------------------------------------- */

struct delivery {
	struct agent_run *agent;
	struct queued queued;
};

static void deliver(struct world *w, void *what, uint64_t number)
{
	struct delivery *delivery = what;
	struct agent_run *agent = delivery->agent;

	if (!agent->alive)
		return;
	if (agent->last_command)
		agent->last_command->next = &delivery->queued;
	else
		agent->commands = &delivery->queued;
	agent->last_command = &delivery->queued;
	agent_wake(w, agent, w->now);
}

void agent_command(struct world *w, struct node *node, const struct uplink_command *command, uint64_t delay)
{
	struct delivery *delivery;

	if (!node->agent || !node->agent->alive)
		return;
	delivery = arena_take(&w->arena, sizeof(*delivery));
	delivery->agent = node->agent;
	delivery->queued.command = *command;
	events_add(&w->events, w->now + delay, deliver, delivery, 0);
}

static void refused(void *arg, const char *text)
{
}

/* --- birth and death ---------------------------------------------------------------------------------------------- */

static void connect_node(struct world *w, void *what, uint64_t boot)
{
	struct node *node = what;

	if (node->agent->alive && node->agent->out.batch.boot == boot && !node_cut(node, w->now))
		server_connect(w, node, boot);
}

static void birth(struct world *w, void *what, uint64_t number)
{
	struct node *node = what;
	struct agent_run *agent = arena_take(&w->arena, sizeof(*agent));

	node->agent = agent;
	agent->node = node;
	agent->alive = true;
	agent->step_at = UINT64_MAX;
	uplink_open(w, &agent->up, node);
	datapath_open(&agent->dp, node);
	agent->out = (struct outbox){.up = &agent->up.up,
	                             .flush_ns = FLUSH,
	                             .flush_at = UINT64_MAX,
	                             .queue = {.batch_items = w->knobs.batch_items, .max_records = 65536},
	                             .batch = {.kind = node->kind, .boot = ++w->next_boot * 0x9e3779b97f4a7c15ULL}};
	snprintf(agent->out.batch.node, sizeof(agent->out.batch.node), "%s", node->name);
	agent->tasks.dp = &agent->dp.dp;
	agent->tasks.out = &agent->out;
	agent->tasks.drain_ns = DRAIN;
	agent->tasks.orphan_ns = ORPHAN;
	agent->tasks.refused = refused;
	if (number)
		story(w, "%s: a new agent starts", node->name);
	events_add(&w->events, w->now + random_between(&w->rnd, 1 * MS, 20 * MS), connect_node, node,
	           agent->out.batch.boot);
}

static void notice_death(struct world *w, void *what, uint64_t boot)
{
	struct node *node = what;

	if (node->boot == boot)
		server_disconnect(w, node);
}

/* What was queued dies with the agent. */
static void lose_items(struct world *w, struct item_queue *queue)
{
	struct vt_item *items;
	uint32_t n;
	bool full;

	while ((items = item_queue_batch(queue, &n, &full))) {
		truth_items_lost(w, items, n);
		item_queue_pop(queue);
	}
}

static void death(struct world *w, void *what, uint64_t number)
{
	struct node *node = what;
	struct agent_run *agent = node->agent;

	story(w, "%s: the agent is killed, %u records in its ring, %u items not sent", node->name, agent->dp.n_ring,
	      agent->out.queue.items);
	agent->alive = false;
	lose_items(w, &agent->out.queue);
	datapath_close(&agent->dp);
	outbox_done(&agent->out);
	uplink_free(&agent->up);
	events_add(&w->events, w->now + (random_one_in(&w->rnd, 4) ? SILENT_DEATH : 0), notice_death, node,
	           agent->out.batch.boot);
}

static void cut(struct world *w, void *what, uint64_t number)
{
	struct uplink_command down = {.op = UPLINK_DOWN};
	struct node *node = what;

	story(w, "%s: the connection to the server breaks", node->name);
	server_disconnect(w, node);
	agent_command(w, node, &down, 0);
}

static void mend(struct world *w, void *what, uint64_t number)
{
	struct node *node = what;

	story(w, "%s: the server can be reached again", node->name);
	if (node->agent->alive)
		events_add(&w->events, w->now + random_between(&w->rnd, 1 * MS, 300 * MS), connect_node, node,
		           node->agent->out.batch.boot);
}

void agents_make(struct world *w)
{
	for (uint32_t i = 0; i < w->n_nodes; i++) {
		struct node *node = &w->nodes[i];

		if (!node->has_agent)
			continue;
		birth(w, node, 0);
		if (node->cut_from != UINT64_MAX) {
			events_add(&w->events, node->cut_from, cut, node, 0);
			events_add(&w->events, node->cut_to, mend, node, 0);
		}
		if (node->kill_at != UINT64_MAX)
			events_add(&w->events, node->kill_at, death, node, 0);
		if (node->restart_at != UINT64_MAX)
			events_add(&w->events, node->restart_at, birth, node, 1);
	}
}

void agents_free(struct world *w)
{
	for (uint32_t i = 0; i < w->n_nodes; i++) {
		struct agent_run *agent = w->nodes[i].agent;

		if (!agent || !agent->alive)
			continue;
		outbox_done(&agent->out);
		uplink_free(&agent->up);
	}
}
