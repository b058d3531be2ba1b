// SPDX-License-Identifier: BSD-3-Clause
/*
 * The fast path: what workers call. Nothing here blocks, allocates or locks. A worker writes to its own ring and
 * counters only, and to the budgets.
 */
#include <string.h>

#include "base/clock.h"
#include "vdg/packet.h"
#include "vdg/state.h"

void vdg_turn(struct vdg_worker *worker)
{
	turn_take(&worker->turn, &worker->vdg->turns);
}

void vdg_idle(struct vdg_worker *worker)
{
	turn_idle(&worker->turn);
}

uint16_t vdg_match(struct vdg_worker *worker, const struct vdg_flow *flow)
{
	struct tasks *tasks = &worker->vdg->tasks;
	struct vt_flow key;
	uint16_t number;
	bool full;

	if (!atomic_load_explicit(&tasks->n, memory_order_acquire))
		return 0;
	key = flow_of(flow);
	number = tasks_match(tasks, &key, flow->vni, &full);
	if (full)
		ring_count_lost(&worker->ring);
	return number;
}

static void count_unparsed(struct vdg_worker *worker)
{
	uint64_t n = atomic_load_explicit(&worker->unparsed, memory_order_relaxed);

	atomic_store_explicit(&worker->unparsed, n + 1, memory_order_release);
}

/* A record of a packet with a hop. */
static void see(struct vdg_worker *worker, unsigned int hop, const struct vdg_packet *packet, enum vt_loc loc,
                unsigned int flags, uint32_t why)
{
	struct vt_record rec = {.loc = (__u8)loc, .hop = (__u8)hop, .flags = (__u16)flags};

	if (!hop || hop > VDG_HOP_MAX || !atomic_load_explicit(&worker->vdg->tasks.n, memory_order_relaxed))
		return;
	if (!packet_read(packet, &rec)) {
		count_unparsed(worker);
		return;
	}
	rec.time_ns = vt_now_ns();
	ring_put(&worker->ring, &rec, why);
}

static bool any_left(const struct tasks *tasks, const struct set *set)
{
	for (unsigned int i = 0; i < set->n; i++)
		if (tasks_left(tasks, set->slots[i]))
			return true;
	return false;
}

/* A device whose flow entries outlived their time colours no packet that the filter does not want. */
static bool wants(const struct place *place, unsigned int direction, const struct vt_record *rec,
                  const struct vdg_packet *packet)
{
	struct vt_flow translated;

	if (place_wants(place, direction, &rec->flow, rec->vni))
		return true;
	if (!packet->flow)
		return false;
	translated = flow_of(packet->flow);
	return place_wants(place, direction, &translated, packet->flow->vni);
}

/*
 * Takes one from the budget of each slot of the set, and writes a COLOURED `in` for each that had one left, all of one
 * time: by that they are known to be of one packet.
 */
static unsigned int colour(struct vdg_worker *worker, const struct set *set, const struct vdg_packet *packet)
{
	struct tasks *tasks = &worker->vdg->tasks;
	struct vt_record rec = {.loc = VT_LOC_IN, .hop = 1};
	unsigned int hop = 0;
	uint16_t flags;

	if (!any_left(tasks, set) || !packet_read(packet, &rec))
		return 0;
	rec.time_ns = vt_now_ns();
	flags = rec.flags;
	for (unsigned int i = 0; i < set->n; i++) {
		unsigned int slot = set->slots[i];
		const struct place *place = &tasks->places[slot / 2];

		if (!wants(place, slot & 1, &rec, packet) || !tasks_take(tasks, slot))
			continue;
		rec.task = place->task.id;
		rec.flags = (__u16)(flags | VT_REC_COLOURED | (slot & 1 ? VT_REC_REVERSE : 0));
		ring_put(&worker->ring, &rec, 0);
		hop = 1;
	}
	return hop;
}

unsigned int vdg_in(struct vdg_worker *worker, uint16_t number, unsigned int hop, const struct vdg_packet *packet)
{
	const struct set *set;

	if (hop) {
		if (hop > VDG_HOP_MAX || !atomic_load_explicit(&worker->vdg->tasks.n, memory_order_acquire))
			return 0;
		see(worker, hop, packet, VT_LOC_IN, 0, 0);
		return hop;
	}
	if (!number || (packet->encapsulated && !packet->flow))
		return 0;
	set = sets_get(worker->vdg->tasks.sets, number);
	return set ? colour(worker, set, packet) : 0;
}

bool vdg_spent(struct vdg_worker *worker, uint16_t number)
{
	const struct tasks *tasks = &worker->vdg->tasks;
	const struct set *set = sets_get(tasks->sets, number);

	for (unsigned int i = 0; set && i < set->n; i++)
		if (!tasks_spent(tasks, set->slots[i]))
			return false;
	return set;
}

uint8_t vdg_out(struct vdg_worker *worker, unsigned int hop, const struct vdg_packet *packet)
{
	bool last = packet->encapsulated && hop >= VDG_HOP_MAX;

	see(worker, hop, packet, VT_LOC_OUT, last ? VT_REC_HOP_LIMIT : 0, 0);
	return hop && packet->encapsulated && !last ? vdg_dscp_of_hop(hop + 1) : 0;
}

void vdg_local(struct vdg_worker *worker, unsigned int hop, const struct vdg_packet *packet)
{
	see(worker, hop, packet, VT_LOC_OUT, VT_REC_LOCAL, 0);
}

static unsigned int outer(const struct vdg_packet *packet)
{
	return packet->encapsulated ? VT_REC_OUTER : 0;
}

void vdg_drop(struct vdg_worker *worker, unsigned int hop, const struct vdg_packet *packet, uint32_t why)
{
	see(worker, hop, packet, VT_LOC_ERROR, outer(packet), why);
}

void vdg_drop_after_out(struct vdg_worker *worker, unsigned int hop, const struct vdg_packet *packet, uint32_t why)
{
	see(worker, hop, packet, VT_LOC_ERROR, VT_REC_AFTER_OUT | outer(packet), why);
}
