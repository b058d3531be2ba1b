// SPDX-License-Identifier: BSD-3-Clause
/* Tasks and their budgets; see tasks.h. */
#include "vdg/tasks.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

bool tasks_init(struct tasks *tasks)
{
	tasks->places = calloc(VDG_TASKS_MAX, sizeof(*tasks->places));
	tasks->slots = aligned_alloc(sizeof(*tasks->slots), FILTERS_MAX * sizeof(*tasks->slots));
	tasks->filters = calloc(1, sizeof(*tasks->filters));
	tasks->sets = calloc(1, sizeof(*tasks->sets));
	if (!tasks->places || !tasks->slots || !tasks->filters || !tasks->sets)
		return false;
	memset(tasks->slots, 0, FILTERS_MAX * sizeof(*tasks->slots));
	for (int i = VDG_TASKS_MAX - 1; i >= 0; i--)
		DL_PREPEND(tasks->unused, &tasks->places[i]);
	return true;
}

void tasks_done(struct tasks *tasks)
{
	HASH_CLEAR(hh, tasks->armed);
	free(tasks->places);
	free(tasks->slots);
	free(tasks->filters);
	free(tasks->sets);
}

static unsigned int slot_of(const struct tasks *tasks, const struct place *place, unsigned int direction)
{
	return 2 * (unsigned int)(place - tasks->places) + direction;
}

bool place_wants(const struct place *place, unsigned int direction, const struct vt_flow *flow, uint32_t vni)
{
	return direction < place->directions && vt_filter_match(&place->filters[direction], flow, vni);
}

uint16_t tasks_match(struct tasks *tasks, const struct vt_flow *flow, uint32_t vni, bool *ret_full)
{
	uint16_t slots[VDG_MATCHES_MAX], number = 0;
	unsigned int n = filters_match(tasks->filters, flow, vni, slots, VDG_MATCHES_MAX);

	if (n && n <= VDG_MATCHES_MAX)
		number = sets_intern(tasks->sets, slots, n);
	*ret_full = n && !number;
	return number;
}

static bool budget_left(uint64_t budget)
{
	return (uint32_t)budget < budget >> 32;
}

bool tasks_left(const struct tasks *tasks, unsigned int slot)
{
	return budget_left(atomic_load_explicit(&tasks->slots[slot].budget, memory_order_relaxed));
}

bool tasks_spent(const struct tasks *tasks, unsigned int slot)
{
	uint64_t budget = atomic_load_explicit(&tasks->slots[slot].budget, memory_order_relaxed);

	return budget >> 32 && !budget_left(budget);
}

/* Looks first, so that `used` passes the limit by no more than the number of workers. */
bool tasks_take(struct tasks *tasks, unsigned int slot)
{
	return tasks_left(tasks, slot) &&
	       budget_left(atomic_fetch_add_explicit(&tasks->slots[slot].budget, 1, memory_order_relaxed));
}

struct place *tasks_find(const struct tasks *tasks, uint32_t id)
{
	struct place *place;

	HASH_FIND(hh, tasks->armed, &id, sizeof(id), place);
	return place;
}

static void make(struct tasks *tasks, struct place *place, const struct vt_task *task)
{
	*place = (struct place){.state = PLACE_ARMED, .task = *task, .directions = 1};
	place->filters[0] = task->filter;
	vt_filter_reverse(&task->filter, &place->filters[1]);
	if (task->bidirectional && memcmp(&place->filters[1], &task->filter, sizeof(task->filter)))
		place->directions = 2;
	for (unsigned int i = 0; i < place->directions; i++) {
		atomic_store(&tasks->slots[slot_of(tasks, place, i)].budget, 0);
		filters_add(tasks->filters, slot_of(tasks, place, i), &place->filters[i]);
	}
}

struct place *tasks_add(struct tasks *tasks, const struct vt_task *task, struct vt_err *err)
{
	struct place *place = tasks->unused;

	if (tasks_find(tasks, task->id)) {
		vt_fail(err, EEXIST, "task %u is armed already", task->id);
		return NULL;
	}
	if (!place) {
		vt_fail(err, ENOSPC, "this device has %d tasks armed, the limit (wait for traces to end)",
		        VDG_TASKS_MAX);
		return NULL;
	}
	DL_DELETE(tasks->unused, place);
	make(tasks, place, task);
	HASH_ADD(hh, tasks->armed, task.id, sizeof(place->task.id), place);
	atomic_fetch_add(&tasks->n, 1);
	return place;
}

void tasks_start(struct tasks *tasks, struct place *place)
{
	if (place->started || place->stopped)
		return;
	place->started = true;
	for (unsigned int i = 0; i < place->directions; i++)
		atomic_store(&tasks->slots[slot_of(tasks, place, i)].budget, (uint64_t)place->task.packet_count << 32);
}

/* With the limit gone in the same operation that reads the count nobody can take one any more: the count is final. */
void tasks_stop(struct tasks *tasks, struct place *place, uint64_t coloured[2])
{
	uint32_t most = place->task.packet_count;

	for (unsigned int i = 0; i < place->directions && !place->stopped; i++) {
		uint32_t used = (uint32_t)atomic_exchange(&tasks->slots[slot_of(tasks, place, i)].budget, 0);

		place->coloured[i] = used < most ? used : most;
	}
	place->stopped = true;
	memcpy(coloured, place->coloured, sizeof(place->coloured));
}

void tasks_hide(struct tasks *tasks, struct place *place)
{
	uint64_t ignored[2];

	tasks_stop(tasks, place, ignored);
	for (unsigned int i = 0; i < place->directions; i++)
		filters_hide(tasks->filters, slot_of(tasks, place, i));
	HASH_DELETE(hh, tasks->armed, place);
	DL_APPEND(tasks->leaving, place);
	atomic_fetch_sub(&tasks->n, 1);
	place->state = PLACE_LEAVING;
}

void tasks_fade(struct tasks *tasks, struct place *place)
{
	sets_kill(tasks->sets, slot_of(tasks, place, 0), slot_of(tasks, place, 2));
	place->state = PLACE_FADING;
}

void tasks_free(struct tasks *tasks, struct place *place)
{
	sets_bury(tasks->sets, slot_of(tasks, place, 0), slot_of(tasks, place, 2));
	for (unsigned int i = 0; i < place->directions; i++)
		filters_free(tasks->filters, slot_of(tasks, place, i));
	DL_DELETE(tasks->leaving, place);
	DL_APPEND(tasks->unused, place);
	place->state = PLACE_FREE;
}
