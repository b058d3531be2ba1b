// SPDX-License-Identifier: BSD-3-Clause
/*
 * What an agent asks for, one request after the other, and the leaving of tasks.
 *
 * A task is armed when each flow that it wants has been matched with it: it is made visible, changed() tells the
 * device, and all workers turn twice (the first ends a slow path that had read the tasks before; the second ends the
 * bursts that use entries made by it). Removed in the same way, its sets are in no entry any more; they are marked
 * dead, and when all workers have turned once more nobody looks at one, and the place and the sets' numbers are free.
 *
 * STOP makes the counts final at once. It answers when the records of the packets that were counted have been sent, as
 * SYNC does: all workers turn, which ends the bursts in which such packets are, and the rings are taken up to there.
 */
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <utlist.h>

#include "core/result.h"
#include "vdg/packet.h"
#include "vdg/state.h"

#define MATCH_TURNS    2
#define CHANGING_ASKED 64 /* with more tasks that come or go at once, asking costs more than each flow's next match */

static bool all_turned(const struct vdg *vdg, uint64_t asked)
{
	for (unsigned int i = 0; i < vdg->config.workers; i++)
		if (!turn_done(&vdg->workers[i].turn, asked))
			return false;
	return true;
}

/* Whether the last of `turns` is over; asks for the next one where one is. */
static bool turns_over(struct vdg *vdg, uint64_t *turn, unsigned int *turns)
{
	while (all_turned(vdg, *turn)) {
		if (!--*turns)
			return true;
		*turn = turns_ask(&vdg->turns);
	}
	return false;
}

static void changing(struct vdg *vdg, struct place *place)
{
	place->next_changing = vdg->changing;
	vdg->changing = place;
	vdg->n_changing++;
}

static void tell_changed(struct vdg *vdg)
{
	if (vdg->config.changed)
		vdg->config.changed(vdg->config.arg, vdg);
	vdg->changing = NULL;
	vdg->n_changing = 0;
}

bool vdg_concerned(const struct vdg *vdg, const struct vdg_flow *flow)
{
	struct vt_flow key = flow_of(flow);

	if (vdg->n_changing > CHANGING_ASKED)
		return true;
	for (const struct place *place = vdg->changing; place; place = place->next_changing)
		if (place_wants(place, 0, &key, flow->vni) || place_wants(place, 1, &key, flow->vni))
			return true;
	return false;
}

static void leave(struct vdg *vdg, struct place *place)
{
	tasks_hide(&vdg->tasks, place);
	changing(vdg, place);
	place->turns = MATCH_TURNS;
}

/* After changed() has been told. */
static void leave_begun(struct vdg *vdg)
{
	uint64_t turn = turns_ask(&vdg->turns);
	struct place *place;

	DL_FOREACH (vdg->tasks.leaving, place)
		if (!place->turn)
			place->turn = turn;
}

static void leave_go_on(struct vdg *vdg)
{
	struct place *place, *next;

	DL_FOREACH_SAFE (vdg->tasks.leaving, place, next) {
		if (place->state == PLACE_LEAVING && turns_over(vdg, &place->turn, &place->turns)) {
			tasks_fade(&vdg->tasks, place);
			place->turn = turns_ask(&vdg->turns);
		}
		if (place->state == PLACE_FADING && all_turned(vdg, place->turn))
			tasks_free(&vdg->tasks, place);
	}
}

bool control_waits(const struct vdg *vdg)
{
	return vdg->pending.type || vdg->tasks.leaving;
}

void control_agent_gone(struct vdg *vdg)
{
	struct place *place, *next;

	vdg->pending.type = 0;
	vdg->greeted = false;
	if (!vdg->tasks.armed)
		return;
	HASH_ITER (hh, vdg->tasks.armed, place, next)
		leave(vdg, place);
	tell_changed(vdg);
	leave_begun(vdg);
}

static void answer_ok(struct vdg *vdg, uint32_t id)
{
	vdg_wire_put(&vdg->link.out, VDG_WIRE_OK, id, NULL, 0);
}

static void wait_for(struct vdg *vdg, const struct vdg_message *message, unsigned int turns)
{
	struct pending *pending = &vdg->pending;

	pending->type = message->type;
	pending->id = message->id;
	pending->step = PENDING_TURN;
	pending->turns = turns;
	pending->turn = turns_ask(&vdg->turns);
}

static void put_node(struct vdg *vdg)
{
	vdg->items[0] = (struct vt_item){.type = VT_ITEM_NODE, .node = vdg->node};
	drain_batch(vdg, 1);
	vdg->node_changed = false;
}

static void put_progress(struct vdg *vdg)
{
	vdg->items[0] = (struct vt_item){.type = VT_ITEM_PROGRESS, .progress = {.lost = drain_lost(vdg)}};
	drain_batch(vdg, 1);
}

static void on_hello(struct vdg *vdg, const struct vdg_message *message)
{
	struct vt_reader in = {.at = message->body, .end = message->body + message->len};
	const void *magic = vt_read_bytes(&in, 4);
	unsigned int version = vt_read_le16(&in);
	char text[128];

	if (in.failed || memcmp(magic, VDG_WIRE_MAGIC, 4)) {
		link_break(vdg, EBADMSG, "this is not an agent of VTrace (bad greeting)");
	} else if (version != VDG_WIRE_VERSION) {
		snprintf(text, sizeof(text),
		         "the agent speaks version %u of libvdg's protocol, this device version %d (update the older)",
		         version, VDG_WIRE_VERSION);
		link_break(vdg, EPROTONOSUPPORT, text);
	} else {
		drain_rings(vdg); /* what a former agent left there is counted before this one begins to count */
		vdg->greeted = true;
		put_node(vdg);
		put_progress(vdg);
		answer_ok(vdg, message->id);
	}
}

static void on_arm(struct vdg *vdg, const struct vdg_message *message)
{
	json_t *json = json_loadb((const char *)message->body, message->len, JSON_REJECT_DUPLICATES, NULL);
	struct vt_err err = {0};
	struct vt_task task;
	struct place *place;

	if (!json || vt_task_from_json(json, &task, &err) < 0) {
		json_decref(json);
		link_break(vdg, EBADMSG, err.code ? err.text : "a task that is not JSON");
		return;
	}
	json_decref(json);
	place = tasks_add(&vdg->tasks, &task, &err);
	if (!place) {
		vdg_wire_put_fail(&vdg->link.out, message->id, err.code, err.text);
		return;
	}
	changing(vdg, place);
	tell_changed(vdg);
	wait_for(vdg, message, MATCH_TURNS);
}

/* START, STOP, DISARM. */
static void on_task(struct vdg *vdg, const struct vdg_message *message)
{
	struct vt_reader in = {.at = message->body, .end = message->body + message->len};
	uint32_t task = vt_read_le32(&in);
	struct place *place = tasks_find(&vdg->tasks, task);
	char text[64];

	if (in.failed || in.at != in.end) {
		link_break(vdg, EBADMSG, "a request about a task has a bad length");
	} else if (!place) {
		snprintf(text, sizeof(text), "task %u is not armed here", task);
		vdg_wire_put_fail(&vdg->link.out, message->id, ENOENT, text);
	} else if (message->type == VDG_WIRE_START) {
		tasks_start(&vdg->tasks, place);
		answer_ok(vdg, message->id);
	} else if (message->type == VDG_WIRE_STOP) {
		tasks_stop(&vdg->tasks, place, vdg->pending.coloured);
		vdg->pending.task = task;
		wait_for(vdg, message, 1);
	} else {
		leave(vdg, place);
		tell_changed(vdg);
		leave_begun(vdg);
		answer_ok(vdg, message->id);
	}
}

static void request(struct vdg *vdg, const struct vdg_message *message)
{
	char text[64];

	if (!vdg->greeted && message->type != VDG_WIRE_HELLO) {
		link_break(vdg, EBADMSG, "this is not an agent of VTrace (no greeting)");
		return;
	}
	switch (message->type) {
	case VDG_WIRE_HELLO:
		on_hello(vdg, message);
		break;
	case VDG_WIRE_ARM:
		on_arm(vdg, message);
		break;
	case VDG_WIRE_START:
	case VDG_WIRE_STOP:
	case VDG_WIRE_DISARM:
		on_task(vdg, message);
		break;
	case VDG_WIRE_SYNC:
		wait_for(vdg, message, 1);
		break;
	default:
		snprintf(text, sizeof(text), "there is no request of type %u", message->type);
		link_break(vdg, EBADMSG, text);
	}
}

static void mark_heads(struct vdg *vdg)
{
	vdg->pending.step = PENDING_DRAIN;
	for (unsigned int i = 0; i < vdg->config.workers; i++)
		vdg->pending.heads[i] = atomic_load_explicit(&vdg->workers[i].ring.head, memory_order_acquire);
}

static bool drained(const struct vdg *vdg)
{
	for (unsigned int i = 0; i < vdg->config.workers; i++)
		if (atomic_load_explicit(&vdg->workers[i].ring.tail, memory_order_relaxed) < vdg->pending.heads[i])
			return false;
	return true;
}

static void pending_done(struct vdg *vdg)
{
	struct pending *pending = &vdg->pending;

	if (pending->type != VDG_WIRE_ARM)
		put_progress(vdg);
	if (pending->type == VDG_WIRE_STOP) {
		vdg->items[0] = (struct vt_item){.type = VT_ITEM_STOPPED, .task = pending->task};
		memcpy(vdg->items[0].coloured, pending->coloured, sizeof(pending->coloured));
		drain_batch(vdg, 1);
	}
	answer_ok(vdg, pending->id);
	pending->type = 0;
}

static void pending_go_on(struct vdg *vdg)
{
	struct pending *pending = &vdg->pending;

	if (!pending->type)
		return;
	if (pending->step == PENDING_TURN) {
		if (!turns_over(vdg, &pending->turn, &pending->turns))
			return;
		mark_heads(vdg);
	}
	drain_rings(vdg);
	if (pending->type == VDG_WIRE_ARM || drained(vdg))
		pending_done(vdg);
}

void control_run(struct vdg *vdg)
{
	struct vdg_message message;
	int size;

	leave_go_on(vdg);
	pending_go_on(vdg);
	while (!vdg->pending.type && link_next(vdg, &message, &size)) {
		request(vdg, &message);
		link_used(vdg, size);
		pending_go_on(vdg);
	}
	if (vdg->greeted && vdg->node_changed)
		put_node(vdg);
}
