// SPDX-License-Identifier: BSD-3-Clause
/*
 * What the server counts besides what its parts count themselves. Each counter has one writer's meaning and is only
 * ever increased; relaxed atomics are enough, because nothing is decided by them.
 */
#ifndef VT_SERVER_STATS_H
#define VT_SERVER_STATS_H

#include <stdatomic.h>
#include <stdint.h>

#include "core/cause.h"

#define STATS_STATUS_MAX 600 /* HTTP status codes are below it */

struct stats {
	atomic_uint_fast64_t batches_malformed;          /* refused by the decoder: those records are lost */
	atomic_uint_fast64_t streams_overrun;            /* agents' streams ended because they fell behind */
	atomic_uint_fast64_t store_errors;               /* writes that failed; results are tried again */
	atomic_uint_fast64_t verdicts[VT_CAUSE_COUNT];   /* finished traces by their verdict; NONE: nothing was lost */
	atomic_uint_fast64_t requests[STATS_STATUS_MAX]; /* HTTP requests by status of the answer */
};

static inline void stats_add(atomic_uint_fast64_t *counter)
{
	atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
}

static inline uint64_t stats_get(const atomic_uint_fast64_t *counter)
{
	return atomic_load_explicit(counter, memory_order_relaxed);
}

#endif
