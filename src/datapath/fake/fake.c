// SPDX-License-Identifier: BSD-3-Clause
/*
 * The fake datapath; fake.h says what it replays. Records that are due wait in ready[] until poll() hands them out; the
 * eventfd is readable exactly while something waits there (or the VFD is gone), as datapath.h wants it.
 */
#include "datapath/fake/fake.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <uthash.h>

#include "datapath/fake/script.h"

struct fake_task {
	struct vt_task task;
	bool started;
	uint64_t coloured[2];
};

struct fake {
	struct datapath dp;
	char node[VT_NODE_MAX];
	int event;
	struct script script;
	bool introduced; /* records without a COLOURED one were handed out */
	unsigned int n_tasks;
	struct fake_task tasks[VT_TASKS_MAX];
	size_t n_ready, room;
	struct vt_log *ready;
	uint64_t records, lost;
	bool busy, broken;
	struct vt_err refusal; /* code 0: arm() works */
	struct vt_node_info info;
};

/* A packet that the task coloured in this replay. */
struct replay_packet {
	uint64_t packet_id;
	uint32_t script_task; /* the same packet is in the script once for each task it was coloured for then */
	bool coloured;
	UT_hash_handle hh;
};

struct replay {
	struct fake *fake;
	struct fake_task *task;
	struct vt_filter reverse;
	struct replay_packet *packets;
	uint64_t coloured[SCRIPT_NODES_MAX][2];
	bool first; /* replay of this datapath */
};

static struct fake *fake_of(struct datapath *dp)
{
	return (struct fake *)dp;
}

static struct fake_task *task_find(struct fake *fake, uint32_t id)
{
	for (unsigned int i = 0; i < fake->n_tasks; i++)
		if (fake->tasks[i].task.id == id)
			return &fake->tasks[i];
	return NULL;
}

static void event_set(struct fake *fake, bool readable)
{
	eventfd_t count;

	eventfd_read(fake->event, &count);
	if (readable)
		eventfd_write(fake->event, 1);
}

static int ready_add(struct fake *fake, const struct vt_log *log)
{
	if (fake->n_ready == fake->room) {
		size_t room = fake->room ? 2 * fake->room : 64;
		struct vt_log *grown = realloc(fake->ready, room * sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		fake->ready = grown;
		fake->room = room;
	}
	fake->ready[fake->n_ready++] = *log;
	event_set(fake, true);
	return 0;
}

/* 0 forward, 1 reverse, -1: the task does not want it. */
static int replay_direction(const struct replay *replay, const struct vt_record *rec)
{
	const struct vt_task *task = &replay->task->task;

	if (vt_filter_match(&task->filter, &rec->flow, rec->vni))
		return 0;
	return task->bidirectional && vt_filter_match(&replay->reverse, &rec->flow, rec->vni) ? 1 : -1;
}

/* A COLOURED record of the script: is the packet coloured this time? Hands the record out if it is this node's. */
static int replay_colour(struct replay *replay, const struct script_line *line, bool own)
{
	const struct vt_record *rec = &line->log.rec;
	int direction = replay_direction(replay, rec);
	struct replay_packet *packet;
	struct vt_log log = line->log;

	HASH_FIND(hh, replay->packets, &rec->packet_id, sizeof(rec->packet_id), packet);
	if (packet && packet->script_task != rec->task)
		return 0;
	if (!packet) {
		packet = calloc(1, sizeof(*packet));
		if (!packet)
			return -ENOMEM;
		packet->packet_id = rec->packet_id;
		packet->script_task = rec->task;
		HASH_ADD(hh, replay->packets, packet_id, sizeof(packet->packet_id), packet);
	}
	if (direction < 0 || replay->coloured[line->node][direction] >= replay->task->task.packet_count)
		return 0;
	packet->coloured = true;
	replay->coloured[line->node][direction]++;
	if (!own)
		return 0;
	replay->task->coloured[direction]++;
	log.rec.task = replay->task->task.id;
	log.rec.flags = (__u16)((log.rec.flags & ~VT_REC_REVERSE) | (direction ? VT_REC_REVERSE : 0));
	return ready_add(replay->fake, &log);
}

static int replay_later(struct replay *replay, const struct script_line *line)
{
	struct replay_packet *packet;

	HASH_FIND(hh, replay->packets, &line->log.rec.packet_id, sizeof(line->log.rec.packet_id), packet);
	if (packet ? packet->coloured : replay->first)
		return ready_add(replay->fake, &line->log);
	return 0;
}

static int replay_run(struct replay *replay)
{
	const struct script *script = &replay->fake->script;
	int ret = 0;

	for (size_t i = 0; !ret && i < script->n_lines; i++) {
		const struct script_line *line = &script->lines[i];
		bool own = !strcmp(script->nodes[line->node], replay->fake->node);

		if (line->log.rec.flags & VT_REC_COLOURED)
			ret = replay_colour(replay, line, own);
		else if (own)
			ret = replay_later(replay, line);
	}
	return ret;
}

static int replay_start(struct fake *fake, struct fake_task *task)
{
	struct replay *replay = calloc(1, sizeof(*replay));
	struct replay_packet *packet, *next;
	int ret;

	if (!replay)
		return -ENOMEM;
	replay->fake = fake;
	replay->task = task;
	replay->first = !fake->introduced;
	fake->introduced = true;
	vt_filter_reverse(&task->task.filter, &replay->reverse);
	ret = replay_run(replay);
	HASH_ITER (hh, replay->packets, packet, next) {
		HASH_DEL(replay->packets, packet);
		free(packet);
	}
	free(replay);
	return ret;
}

static int op_arm(struct datapath *dp, const struct vt_task *task, struct vt_err *err)
{
	struct fake *fake = fake_of(dp);

	if (fake->refusal.code)
		return vt_fail(err, fake->refusal.code, "%s", fake->refusal.text);
	if (task_find(fake, task->id))
		return vt_fail(err, EEXIST, "task %u is armed already", task->id);
	if (fake->n_tasks == VT_TASKS_MAX)
		return vt_fail(err, ENOSPC, "%d tasks are armed already (wait for one to end)", VT_TASKS_MAX);
	fake->tasks[fake->n_tasks++] = (struct fake_task){.task = *task};
	return 0;
}

static int op_start(struct datapath *dp, uint32_t id, struct vt_err *err)
{
	struct fake_task *task = task_find(fake_of(dp), id);

	if (!task)
		return vt_fail(err, ENOENT, "task %u is not armed", id);
	if (task->started)
		return 0;
	task->started = true;
	if (replay_start(fake_of(dp), task) < 0)
		return vt_fail(err, ENOMEM, "task %u: out of memory", id);
	return 0;
}

static int op_stop(struct datapath *dp, uint32_t id, uint64_t coloured[2], struct vt_err *err)
{
	struct fake_task *task = task_find(fake_of(dp), id);

	if (!task)
		return vt_fail(err, ENOENT, "task %u is not armed", id);
	task->started = false;
	coloured[0] = task->coloured[0];
	coloured[1] = task->coloured[1];
	return 0;
}

static void op_disarm(struct datapath *dp, uint32_t id)
{
	struct fake *fake = fake_of(dp);
	struct fake_task *task = task_find(fake, id);

	if (!task)
		return;
	memmove(task, task + 1, (size_t)(fake->tasks + --fake->n_tasks - task) * sizeof(*task));
	if (fake->n_tasks)
		return;
	fake->n_ready = 0;
	event_set(fake, fake->broken);
}

static int op_fd(struct datapath *dp)
{
	return fake_of(dp)->event;
}

static int op_poll(struct datapath *dp, datapath_sink sink, void *arg, struct vt_err *err)
{
	struct fake *fake = fake_of(dp);
	size_t n = fake->n_ready;

	if (fake->broken)
		return vt_fail(err, ENODEV, "the fake forwarding device is gone");
	for (size_t i = 0; i < n; i++)
		sink(arg, &fake->ready[i]);
	fake->n_ready = 0;
	fake->records += n;
	event_set(fake, false);
	return (int)n;
}

static int op_busy(struct datapath *dp)
{
	return fake_of(dp)->busy;
}

static void op_node(struct datapath *dp, struct vt_node_info *info)
{
	*info = fake_of(dp)->info;
}

static void op_stats(struct datapath *dp, struct datapath_stats *stats)
{
	const struct fake *fake = fake_of(dp);

	*stats = (struct datapath_stats){.devices = fake->info.devices,
	                                 .attached = fake->n_tasks ? fake->info.devices : 0,
	                                 .records = fake->records,
	                                 .lost = fake->lost};
}

static void op_close(struct datapath *dp)
{
	struct fake *fake = fake_of(dp);

	if (fake->event >= 0)
		close(fake->event);
	script_done(&fake->script);
	free(fake->ready);
	free(fake);
}

static const struct datapath_ops fake_ops = {
    .name = "fake",
    .arm = op_arm,
    .start = op_start,
    .stop = op_stop,
    .disarm = op_disarm,
    .fd = op_fd,
    .poll = op_poll,
    .busy = op_busy,
    .node = op_node,
    .stats = op_stats,
    .close = op_close,
};

int fake_open(struct datapath **ret, const struct datapath_config *config, struct vt_err *err)
{
	struct fake *fake = calloc(1, sizeof(*fake));
	int code;

	if (!fake)
		return vt_fail(err, ENOMEM, "out of memory");
	fake->dp.ops = &fake_ops;
	fake->info.devices = 1;
	snprintf(fake->info.datapath, sizeof(fake->info.datapath), "%s", fake_ops.name);
	snprintf(fake->node, sizeof(fake->node), "%s", config->node);
	fake->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (fake->event < 0)
		code = vt_fail(err, errno, "no eventfd: %s", strerror(errno));
	else
		code = config->arg ? script_load(&fake->script, config->arg, err) : 0;
	if (code < 0)
		op_close(&fake->dp);
	else
		*ret = &fake->dp;
	return code;
}

const struct datapath_driver datapath_fake_driver = {.name = "fake", .open = fake_open};

int fake_script(struct datapath *dp, const struct vt_log *log)
{
	return script_add(&fake_of(dp)->script, fake_of(dp)->node, log);
}

int fake_emit(struct datapath *dp, const struct vt_log *log)
{
	return fake_of(dp)->n_tasks ? ready_add(fake_of(dp), log) : 0;
}

void fake_busy(struct datapath *dp, bool busy)
{
	fake_of(dp)->busy = busy;
}

void fake_lose(struct datapath *dp, uint64_t records)
{
	fake_of(dp)->lost += records;
}

void fake_refuse(struct datapath *dp, int code, const char *text)
{
	struct vt_err *refusal = &fake_of(dp)->refusal;

	refusal->code = code;
	snprintf(refusal->text, sizeof(refusal->text), "%s", text ? text : "");
}

void fake_break(struct datapath *dp)
{
	fake_of(dp)->broken = true;
	event_set(fake_of(dp), true);
}

void fake_node(struct datapath *dp, const struct vt_node_info *info)
{
	fake_of(dp)->info = *info;
}

unsigned int fake_armed(const struct datapath *dp, uint32_t *ret_ids)
{
	const struct fake *fake = (const struct fake *)dp;

	for (unsigned int i = 0; ret_ids && i < fake->n_tasks; i++)
		ret_ids[i] = fake->tasks[i].task.id;
	return fake->n_tasks;
}

unsigned int fake_started(const struct datapath *dp)
{
	const struct fake *fake = (const struct fake *)dp;
	unsigned int n = 0;

	for (unsigned int i = 0; i < fake->n_tasks; i++)
		n += fake->tasks[i].started;
	return n;
}
