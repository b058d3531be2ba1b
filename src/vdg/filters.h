// SPDX-License-Identifier: BSD-3-Clause
/*
 * Which filters a flow matches, found without asking each: tuple space search (Srinivasan et al., SIGCOMM 1999).
 *
 * Filters that look at the same fields, and at as many bits of the addresses, have one shape; a flow is hashed once a
 * shape. People trace one flow each, so that tasks have few shapes. What finds no free shape takes the first one, which
 * looks at nothing: its filters are asked one by one.
 *
 * Workers search while the control thread adds and hides. A filter that is hidden is not found by a search that begins
 * later; its number may be added again once all workers have turned since (control.c), for then no search of before
 * goes on.
 */
#ifndef VT_VDG_FILTERS_H
#define VT_VDG_FILTERS_H

#include <stdatomic.h>

#include "core/task.h"
#include <vtrace/vdg.h>

#define FILTERS_MAX     (2 * VDG_TASKS_MAX) /* numbers are below this */
#define FILTERS_SHAPES  64                  /* bits of a word; a flow pays some nanoseconds for each that is there */
#define FILTERS_BUCKETS 32768

/* What of a flow a shape looks at: a mask, or a flow under one. Words, so that it is masked and hashed quickly. */
union filters_key {
	struct {
		uint8_t src[16], dst[16];
		uint32_t vni;
		uint16_t sport, dport;
		uint8_t proto, family, zero[6];
	};
	uint64_t words[6];
};

struct filters_shape {
	uint32_t shown; /* filters that workers find */
	uint32_t held;  /* those, and the hidden ones that a search may still be at: 0, and the mask may change */
	union filters_key mask;
};

struct filters_entry {
	const struct vt_filter *filter;
	uint32_t bucket;
	uint8_t shape;
	_Atomic uint32_t next; /* number + 1, 0: the last one */
};

struct filters {
	_Atomic uint64_t shown; /* bit n: shapes[n] has filters that workers find */
	struct filters_shape shapes[FILTERS_SHAPES];
	_Atomic uint32_t buckets[FILTERS_BUCKETS];
	struct filters_entry entries[FILTERS_MAX];
};

/* For the control thread. `filter` must stay where it is until filters_free(). */
void filters_add(struct filters *filters, unsigned int number, const struct vt_filter *filter);
void filters_hide(struct filters *filters, unsigned int number);
void filters_free(struct filters *filters, unsigned int number);

/* For workers: the numbers, ascending, at most `max` of them; how many there are. */
unsigned int filters_match(const struct filters *filters, const struct vt_flow *flow, uint32_t vni, uint16_t *numbers,
                           unsigned int max);

#endif
