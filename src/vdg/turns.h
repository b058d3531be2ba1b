// SPDX-License-Identifier: BSD-3-Clause
/*
 * When is what all workers may hold gone? A counter, and for each worker the last value of it that it has seen between
 * two bursts (quiescent-state based reclamation). What was changed before turns_ask() gave n is seen by every worker
 * that has seen n, and what a worker did in bursts before that is seen by whoever found turns_done(n).
 */
#ifndef VT_VDG_TURNS_H
#define VT_VDG_TURNS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define TURN_IDLE UINT64_MAX /* the worker is in no burst, and holds nothing */

struct turn {
	_Alignas(64) _Atomic uint64_t seen;
};

struct turns {
	_Alignas(64) _Atomic uint64_t now;
};

static inline void turn_take(struct turn *turn, const struct turns *turns)
{
	/* Out of idleness the worker must be visible before it reads anything: a total order makes it so. */
	if (atomic_load_explicit(&turn->seen, memory_order_relaxed) == TURN_IDLE) {
		atomic_exchange(&turn->seen, 0);
		atomic_store_explicit(&turn->seen, atomic_load(&turns->now), memory_order_release);
		return;
	}
	atomic_store_explicit(&turn->seen, atomic_load_explicit(&turns->now, memory_order_acquire),
	                      memory_order_release);
}

static inline void turn_idle(struct turn *turn)
{
	atomic_store_explicit(&turn->seen, TURN_IDLE, memory_order_release);
}

static inline uint64_t turns_ask(struct turns *turns)
{
	return atomic_fetch_add(&turns->now, 1) + 1;
}

static inline bool turn_done(const struct turn *turn, uint64_t asked)
{
	return atomic_load(&turn->seen) >= asked;
}

#endif
