// SPDX-License-Identifier: BSD-3-Clause
/* Sets of tasks that flows match; see sets.h. */
#include "vdg/sets.h"

#include <string.h>

static bool state_is(const struct set *set, enum set_state state)
{
	return atomic_load_explicit(&set->state, memory_order_acquire) == state;
}

static bool set_equals(const struct set *set, const uint16_t *slots, unsigned int n)
{
	return set->n == n && !memcmp(set->slots, slots, n * sizeof(*slots));
}

static unsigned int set_home(const uint16_t *slots, unsigned int n)
{
	uint64_t h = n;

	for (unsigned int i = 0; i < n; i++) {
		h = (h ^ slots[i]) * 0xff51afd7ed558ccdULL;
		h ^= h >> 33;
	}
	return (unsigned int)(h % SET_PLACES);
}

static bool set_claim(struct set *set, const uint16_t *slots, unsigned int n)
{
	uint32_t empty = SET_EMPTY;

	if (!atomic_compare_exchange_strong(&set->state, &empty, SET_BUSY))
		return false;
	set->n = n;
	memcpy(set->slots, slots, n * sizeof(*slots));
	atomic_store_explicit(&set->state, SET_READY, memory_order_release);
	return true;
}

/*
 * A place that another worker is just filling is passed by: at worst a set has two numbers then, which costs a number
 * and nothing else.
 */
uint16_t sets_intern(struct sets *sets, const uint16_t *slots, unsigned int n)
{
	unsigned int at = set_home(slots, n);

	for (unsigned int i = 0; i < SET_PLACES; i++, at = (at + 1) % SET_PLACES) {
		struct set *set = &sets->places[at];

		if (state_is(set, SET_READY) && set_equals(set, slots, n))
			return (uint16_t)(at + 1);
		if (!state_is(set, SET_EMPTY))
			continue;
		if (atomic_fetch_add(&sets->n, 1) < VDG_SETS_MAX && set_claim(set, slots, n))
			return (uint16_t)(at + 1);
		if (atomic_fetch_sub(&sets->n, 1) > VDG_SETS_MAX)
			return 0;
	}
	return 0;
}

const struct set *sets_get(const struct sets *sets, uint16_t number)
{
	if (!number || number > SET_PLACES || !state_is(&sets->places[number - 1], SET_READY))
		return NULL;
	return &sets->places[number - 1];
}

static bool set_has(const struct set *set, unsigned int from, unsigned int to)
{
	for (unsigned int i = 0; i < set->n; i++)
		if (set->slots[i] >= from && set->slots[i] < to)
			return true;
	return false;
}

void sets_kill(struct sets *sets, unsigned int from, unsigned int to)
{
	for (unsigned int i = 0; i < SET_PLACES; i++) {
		struct set *set = &sets->places[i];

		if (state_is(set, SET_READY) && set_has(set, from, to))
			atomic_store_explicit(&set->state, SET_DEAD, memory_order_release);
	}
}

void sets_bury(struct sets *sets, unsigned int from, unsigned int to)
{
	for (unsigned int i = 0; i < SET_PLACES; i++) {
		struct set *set = &sets->places[i];

		if (!state_is(set, SET_DEAD) || !set_has(set, from, to))
			continue;
		atomic_store_explicit(&set->state, SET_EMPTY, memory_order_release);
		atomic_fetch_sub(&sets->n, 1);
	}
}
