// SPDX-License-Identifier: BSD-3-Clause
/*
 * What a VFD sees: the records that the Linux datapath (bpf/vtrace.bpf.c) would write, in a ring that may be full,
 * until the agent drains it. Arm, start, stop and disarm are called by the agent's real tasks.c.
 */
#include "sim/world.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define INSPECT_MAX (12 * MS) /* an inspector asks the kernel over netlink, or waits for the trace of a rule */

static struct sim_datapath *sim_of(struct datapath *dp)
{
	return (struct sim_datapath *)dp;
}

static struct local_task *task_find(struct sim_datapath *dp, uint32_t id)
{
	for (uint32_t i = 0; i < LOCAL_TASKS; i++) {
		if (dp->tasks[i].used && dp->tasks[i].task.id == id)
			return &dp->tasks[i];
	}
	return NULL;
}

static int dp_arm(struct datapath *base, const struct vt_task *task, struct vt_err *err)
{
	struct sim_datapath *dp = sim_of(base);

	if (dp->refuse_task == task->id)
		return vt_fail(err, ENOMEM, "no memory for the filter");
	for (uint32_t i = 0; i < LOCAL_TASKS; i++) {
		struct local_task *local = &dp->tasks[i];

		if (local->used)
			continue;
		*local = (struct local_task){.task = *task, .used = true};
		vt_filter_reverse(&task->filter, &local->reverse);
		dp->n_armed++;
		return 0;
	}
	return vt_fail(err, ENOSPC, "too many tasks");
}

static int dp_start(struct datapath *base, uint32_t task, struct vt_err *err)
{
	struct local_task *local = task_find(sim_of(base), task);

	if (!local)
		return vt_fail(err, ENOENT, "not armed");
	local->started = true;
	return 0;
}

static int dp_stop(struct datapath *base, uint32_t task, uint64_t coloured[2], struct vt_err *err)
{
	struct local_task *local = task_find(sim_of(base), task);

	if (!local)
		return vt_fail(err, ENOENT, "not armed");
	local->started = false;
	coloured[0] = local->coloured[0];
	coloured[1] = local->coloured[1];
	return 0;
}

static void dp_disarm(struct datapath *base, uint32_t task)
{
	struct local_task *local = task_find(sim_of(base), task);

	if (!local)
		return;
	local->used = false;
	sim_of(base)->n_armed--;
}

/* In the simulation `now` reaches the driver through what is in the ring: an entry that is not ready is at work. */
static int dp_busy(struct datapath *base)
{
	return sim_of(base)->head != NULL; /* right after a drain only those are left */
}

static const struct datapath_ops dp_ops = {
    .name = "sim", .arm = dp_arm, .start = dp_start, .stop = dp_stop, .disarm = dp_disarm, .busy = dp_busy};

void datapath_open(struct sim_datapath *dp, struct node *node)
{
	*dp =
	    (struct sim_datapath){.dp.ops = &dp_ops, .node = node, .ring_size = 4096, .refuse_task = node->refuse_task};
}

bool datapath_attached(const struct node *node)
{
	return node->agent && node->agent->alive && node->agent->dp.n_armed;
}

static bool ring_takes(struct world *w, struct node *node, const struct sim_datapath *dp)
{
	if (dp->n_ring >= dp->ring_size)
		return false;
	return w->now < node->full_from || w->now >= node->full_to || !random_percent(&w->rnd, node->full_percent);
}

static void fill_record(struct world *w, const struct node *node, const struct copy *copy, struct vt_record *rec)
{
	rec->version = VT_RECORD_VERSION;
	rec->packet_id = copy->packet->id;
	rec->time_ns = (uint64_t)((int64_t)w->now + node->clock_ns);
	rec->hop = copy->colour;
	rec->vni = copy->vni;
	rec->length = copy->length;
	rec->tcp_seq = copy->seq;
	rec->payload = copy->payload;
	rec->segments = copy->segments;
	rec->flow = copy->tuple;
	if (rec->flags & (VT_REC_ENCAP | VT_REC_OUTER)) {
		memcpy(rec->outer_src, copy->outer_src, 16);
		memcpy(rec->outer_dst, copy->outer_dst, 16);
	}
}

static void emit(struct world *w, struct node *node, struct copy *copy, const struct ring_entry *what)
{
	struct sim_datapath *dp = &node->agent->dp;
	struct ring_entry *entry;

	copy->packet->ident->made++;
	w->records++;
	if (!(what->rec.flags & VT_REC_OTHERHOST))
		truth_visit(w, copy->packet, node->index, copy->colour);
	for (const struct copy *rider = copy->riders; rider; rider = rider->next)
		truth_visit(w, rider->packet, node->index, copy->colour);
	if (!ring_takes(w, node, dp)) {
		dp->lost++;
		copy->packet->ident->lost++;
		story(w, "%s: ring full, a record of packet %u is lost", node->name, copy->packet->number);
		return;
	}
	entry = arena_take(&w->arena, sizeof(*entry));
	*entry = *what;
	fill_record(w, node, copy, &entry->rec);
	entry->packet = copy->packet;
	if (entry->rec.loc == VT_LOC_ERROR)
		entry->ready_at = w->now + (random_one_in(&w->rnd, 3) ? random_between(&w->rnd, 0, INSPECT_MAX) : 0);
	if (dp->tail)
		dp->tail->next = entry;
	else
		dp->head = entry;
	dp->tail = entry;
	dp->n_ring++;
	agent_wake(w, node->agent, w->now + random_between(&w->rnd, 1 * MS, 3 * MS));
}

static bool task_wants(const struct local_task *local, const struct copy *copy, bool reverse)
{
	const struct vt_filter *filter = reverse ? &local->reverse : &local->task.filter;

	return local->used && local->started && (!reverse || local->task.bidirectional) &&
	       local->coloured[reverse] < local->task.packet_count && vt_filter_match(filter, &copy->tuple, copy->vni);
}

/* An uncoloured packet enters by a VM's port or from the world: held against the tasks. */
void datapath_colour(struct world *w, struct node *node, struct copy *copy, uint32_t ifindex, const char *device)
{
	struct sim_datapath *dp = &node->agent->dp;
	uint64_t time_ns = (uint64_t)((int64_t)w->now + node->clock_ns);
	bool coloured = false;

	for (uint32_t i = 0; i < LOCAL_TASKS * 2; i++) {
		struct local_task *local = &dp->tasks[i / 2];
		bool reverse = i & 1;
		struct ring_entry entry = {
		    .rec = {.loc = VT_LOC_IN,
		            .task = local->task.id,
		            .ifindex = ifindex,
		            .flags = (uint16_t)(VT_REC_COLOURED | (reverse ? VT_REC_REVERSE : 0) | copy->frag_flags)},
		    .device = device};

		if (!task_wants(local, copy, reverse))
			continue;
		local->coloured[reverse]++;
		copy->colour = 1;
		coloured = true;
		truth_claim(w, copy->packet, local->task.id, node->index, time_ns, reverse);
		emit(w, node, copy, &entry);
	}
	if (!coloured)
		copy->colour = 0;
}

void datapath_log(struct world *w, struct node *node, struct copy *copy, enum vt_loc loc, uint16_t flags,
                  uint32_t ifindex, const char *device, const struct fault *fault)
{
	struct ring_entry entry = {
	    .rec = {.loc = (uint8_t)loc,
	            .ifindex = ifindex,
	            .flags = (uint16_t)(flags | copy->frag_flags |
	                                (copy->no_mark && loc != VT_LOC_IN ? VT_REC_NO_MARK : 0))},
	    .fault = fault,
	    .device = device};

	emit(w, node, copy, &entry);
}

static void fill_words(const struct ring_entry *entry, struct vt_log *log)
{
	const struct fault *fault = entry->fault;

	log->cause = fault->kind == FAULT_STOLEN ? VT_CAUSE_VANISHED_IN_NODE : fault->cause;
	snprintf(log->reason, sizeof(log->reason), "%s",
	         fault->cause == VT_CAUSE_UNEXPLAINED ? "NOT_SPECIFIED" : "SIM");
	snprintf(log->site, sizeof(log->site), "sim_drop+0x%x", (unsigned int)fault->kind);
	if (fault->own_words)
		snprintf(log->evidence, sizeof(log->evidence), "%s, packet %u", fault->evidence, entry->packet->number);
	else
		snprintf(log->evidence, sizeof(log->evidence), "%s", fault->evidence);
}

uint32_t datapath_drain(struct world *w, struct sim_datapath *dp, struct outbox *out)
{
	static struct vt_log log;
	struct ring_entry **link = &dp->head, *entry, *last = NULL;
	uint32_t n = 0;

	while ((entry = *link)) {
		if (entry->ready_at > w->now) {
			last = entry;
			link = &entry->next;
			continue;
		}
		*link = entry->next;
		dp->n_ring--;
		log.rec = entry->rec;
		log.cause = VT_CAUSE_NONE;
		log.reason[0] = log.site[0] = log.evidence[0] = '\0';
		snprintf(log.device, sizeof(log.device), "%s", entry->device);
		if (entry->fault && entry->rec.loc == VT_LOC_ERROR)
			fill_words(entry, &log);
		outbox_record(out, &log, w->now);
		n++;
	}
	dp->tail = last;
	return n;
}

void datapath_close(struct sim_datapath *dp)
{
	for (const struct ring_entry *entry = dp->head; entry; entry = entry->next)
		entry->packet->ident->lost++;
}

uint64_t datapath_next(const struct sim_datapath *dp, uint64_t now)
{
	uint64_t next = UINT64_MAX;

	for (const struct ring_entry *entry = dp->head; entry; entry = entry->next) {
		uint64_t at = entry->ready_at > now ? entry->ready_at : now + 2 * MS;

		next = at < next ? at : next;
	}
	return next;
}

uint64_t datapath_lost(const struct sim_datapath *dp)
{
	return dp->lost;
}
