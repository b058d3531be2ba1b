// SPDX-License-Identifier: BSD-3-Clause
/* Tasks, budgets and sets; see tasks.h. */
#include "vdg/tasks.h"

#include <errno.h>
#include <string.h>

#define WORD(slot) ((slot) / 64)
#define BIT(slot)  (1ULL << (slot) % 64)

static bool state_is(const struct set *set, enum set_state state)
{
	return atomic_load_explicit(&set->state, memory_order_acquire) == state;
}

static bool set_equals(const struct set *set, const uint64_t bits[SLOT_WORDS])
{
	for (int i = 0; i < SLOT_WORDS; i++)
		if (atomic_load_explicit(&set->bits[i], memory_order_relaxed) != bits[i])
			return false;
	return true;
}

static unsigned int set_home(const uint64_t bits[SLOT_WORDS])
{
	uint64_t h = 0;

	for (int i = 0; i < SLOT_WORDS; i++) {
		h = (h ^ bits[i]) * 0xff51afd7ed558ccdULL;
		h ^= h >> 33;
	}
	return (unsigned int)(h % SET_PLACES);
}

static bool set_claim(struct tasks *tasks, struct set *set, const uint64_t bits[SLOT_WORDS])
{
	uint32_t empty = SET_EMPTY;

	if (!atomic_compare_exchange_strong(&set->state, &empty, SET_BUSY))
		return false;
	for (int i = 0; i < SLOT_WORDS; i++)
		atomic_store_explicit(&set->bits[i], bits[i], memory_order_relaxed);
	atomic_store_explicit(&set->state, SET_READY, memory_order_release);
	return true;
}

/*
 * The number of a set. A place that another worker is just filling is passed by: at worst a set has two numbers then,
 * which costs a number and nothing else.
 */
static uint16_t set_intern(struct tasks *tasks, const uint64_t bits[SLOT_WORDS])
{
	unsigned int at = set_home(bits);

	for (unsigned int i = 0; i < SET_PLACES; i++, at = (at + 1) % SET_PLACES) {
		struct set *set = &tasks->sets[at];

		if (state_is(set, SET_READY) && set_equals(set, bits))
			return (uint16_t)(at + 1);
		if (!state_is(set, SET_EMPTY))
			continue;
		if (atomic_fetch_add(&tasks->n_sets, 1) < VDG_SETS_MAX && set_claim(tasks, set, bits))
			return (uint16_t)(at + 1);
		if (atomic_fetch_sub(&tasks->n_sets, 1) > VDG_SETS_MAX)
			return 0;
	}
	return 0;
}

bool place_wants(const struct place *place, unsigned int direction, const struct vt_flow *flow, uint32_t vni)
{
	return direction < place->directions && vt_filter_match(&place->filters[direction], flow, vni);
}

uint16_t tasks_match(struct tasks *tasks, const struct vt_flow *flow, uint32_t vni, bool *ret_full)
{
	uint64_t bits[SLOT_WORDS] = {0};
	bool any = false;
	uint16_t number;

	for (unsigned int word = 0; word < VDG_TASKS_MAX / 64; word++) {
		uint64_t active = atomic_load_explicit(&tasks->active[word], memory_order_acquire);

		for (; active; active &= active - 1) {
			unsigned int place = word * 64 + (unsigned int)__builtin_ctzll(active);

			for (unsigned int direction = 0; direction < 2; direction++) {
				unsigned int slot = 2 * place + direction;

				if (!place_wants(&tasks->places[place], direction, flow, vni))
					continue;
				bits[WORD(slot)] |= BIT(slot);
				any = true;
			}
		}
	}
	*ret_full = false;
	if (!any)
		return 0;
	number = set_intern(tasks, bits);
	*ret_full = !number;
	return number;
}

const struct set *tasks_set(const struct tasks *tasks, uint16_t number)
{
	if (!number || number > SET_PLACES || !state_is(&tasks->sets[number - 1], SET_READY))
		return NULL;
	return &tasks->sets[number - 1];
}

static bool budget_left(uint64_t budget)
{
	return (uint32_t)budget < budget >> 32;
}

bool tasks_left(const struct tasks *tasks, unsigned int slot)
{
	return budget_left(atomic_load_explicit(&tasks->slots[slot].budget, memory_order_relaxed));
}

/* Looks first, so that `used` passes the limit by no more than the number of workers. */
bool tasks_take(struct tasks *tasks, unsigned int slot)
{
	return tasks_left(tasks, slot) &&
	       budget_left(atomic_fetch_add_explicit(&tasks->slots[slot].budget, 1, memory_order_relaxed));
}

int tasks_find(const struct tasks *tasks, uint32_t id)
{
	for (int i = 0; i < VDG_TASKS_MAX; i++)
		if (tasks->places[i].state == PLACE_ARMED && tasks->places[i].task.id == id)
			return i;
	return -ENOENT;
}

static int place_free(const struct tasks *tasks)
{
	for (int i = 0; i < VDG_TASKS_MAX; i++)
		if (tasks->places[i].state == PLACE_FREE)
			return i;
	return -ENOSPC;
}

int tasks_add(struct tasks *tasks, const struct vt_task *task, struct vt_err *err)
{
	int at = place_free(tasks);
	struct place *place = &tasks->places[at < 0 ? 0 : at];

	if (tasks_find(tasks, task->id) >= 0)
		return vt_fail(err, EEXIST, "task %u is armed already", task->id);
	if (at < 0)
		return vt_fail(err, ENOSPC, "this device has %d tasks armed, the limit (wait for traces to end)",
		               VDG_TASKS_MAX);
	*place = (struct place){.state = PLACE_ARMED, .task = *task, .directions = 1};
	place->filters[0] = task->filter;
	vt_filter_reverse(&task->filter, &place->filters[1]);
	if (task->bidirectional && memcmp(&place->filters[1], &task->filter, sizeof(task->filter)))
		place->directions = 2;
	for (int i = 0; i < 2; i++)
		atomic_store(&tasks->slots[2 * at + i].budget, 0);
	atomic_fetch_or(&tasks->active[WORD(at)], BIT(at));
	atomic_fetch_add(&tasks->n, 1);
	return at;
}

void tasks_start(struct tasks *tasks, int at)
{
	struct place *place = &tasks->places[at];

	if (place->started || place->stopped)
		return;
	place->started = true;
	for (int i = 0; i < 2; i++)
		atomic_store(&tasks->slots[2 * at + i].budget, (uint64_t)place->task.packet_count << 32);
}

/* With the limit gone in the same operation that reads the count nobody can take one any more: the count is final. */
void tasks_stop(struct tasks *tasks, int at, uint64_t coloured[2])
{
	struct place *place = &tasks->places[at];
	uint32_t most = place->task.packet_count;

	for (int i = 0; i < 2 && !place->stopped; i++) {
		uint32_t used = (uint32_t)atomic_exchange(&tasks->slots[2 * at + i].budget, 0);

		place->coloured[i] = used < most ? used : most;
	}
	place->stopped = true;
	memcpy(coloured, place->coloured, sizeof(place->coloured));
}

void tasks_hide(struct tasks *tasks, int place)
{
	uint64_t ignored[2];

	tasks_stop(tasks, place, ignored);
	atomic_fetch_and(&tasks->active[WORD(place)], ~BIT(place));
	atomic_fetch_sub(&tasks->n, 1);
	tasks->places[place].state = PLACE_LEAVING;
}

static bool set_has(const struct set *set, int place)
{
	/* both slots of a place are in one word */
	return atomic_load_explicit(&set->bits[WORD(2 * place)], memory_order_relaxed) & 3ULL << 2 * place % 64;
}

static void sets_pass(struct tasks *tasks, int place, enum set_state from, enum set_state to)
{
	for (int i = 0; i < SET_PLACES; i++) {
		struct set *set = &tasks->sets[i];

		if (!state_is(set, from) || !set_has(set, place))
			continue;
		atomic_store_explicit(&set->state, to, memory_order_release);
		if (to == SET_EMPTY)
			atomic_fetch_sub(&tasks->n_sets, 1);
	}
}

void tasks_fade(struct tasks *tasks, int place)
{
	sets_pass(tasks, place, SET_READY, SET_DEAD);
	tasks->places[place].state = PLACE_FADING;
}

void tasks_free(struct tasks *tasks, int place)
{
	sets_pass(tasks, place, SET_DEAD, SET_EMPTY);
	tasks->places[place].state = PLACE_FREE;
}
