// SPDX-License-Identifier: BSD-3-Clause
/*
 * A worker's ring of records: it alone puts, the control thread alone takes, neither waits for the other. A record that
 * finds it full is counted, not written.
 */
#ifndef VT_VDG_RING_H
#define VT_VDG_RING_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/record.h"

struct ring_entry {
	struct vt_record rec;
	uint32_t why; /* number of the reason of an `error`, 0: none */
	uint32_t pad;
};

struct ring {
	_Alignas(64) _Atomic uint64_t head; /* records put since the ring was made */
	uint64_t tail_seen;                 /* the worker's copy of tail, which may be old */
	_Atomic uint64_t lost;
	_Alignas(64) _Atomic uint64_t tail; /* records taken */
	_Alignas(64) struct ring_entry *entries;
	uint64_t mask;
};

static inline void ring_count_lost(struct ring *ring)
{
	atomic_store_explicit(&ring->lost, atomic_load_explicit(&ring->lost, memory_order_relaxed) + 1,
	                      memory_order_release);
}

static inline void ring_put(struct ring *ring, const struct vt_record *rec, uint32_t why)
{
	uint64_t head = atomic_load_explicit(&ring->head, memory_order_relaxed);

	if (head - ring->tail_seen > ring->mask) {
		ring->tail_seen = atomic_load_explicit(&ring->tail, memory_order_acquire);
		if (head - ring->tail_seen > ring->mask) {
			ring_count_lost(ring);
			return;
		}
	}
	ring->entries[head & ring->mask].rec = *rec;
	ring->entries[head & ring->mask].why = why;
	atomic_store_explicit(&ring->head, head + 1, memory_order_release);
}

/* The oldest entry, NULL if there is none; it stays until ring_take(). */
static inline const struct ring_entry *ring_peek(const struct ring *ring)
{
	uint64_t tail = atomic_load_explicit(&ring->tail, memory_order_relaxed);

	if (tail == atomic_load_explicit(&ring->head, memory_order_acquire))
		return NULL;
	return &ring->entries[tail & ring->mask];
}

static inline void ring_take(struct ring *ring)
{
	atomic_store_explicit(&ring->tail, atomic_load_explicit(&ring->tail, memory_order_relaxed) + 1,
	                      memory_order_release);
}

#endif
