// SPDX-License-Identifier: BSD-3-Clause
/*
 * What happens when: the simulated clock is the time of the earliest event. Events of one moment happen in the order in
 * which they were planned, so that a seed repeats exactly.
 */
#ifndef SIM_EVENTS_H
#define SIM_EVENTS_H

#include <stdbool.h>
#include <stdint.h>

struct world;

typedef void (*event_fn)(struct world *w, void *what, uint64_t number);

struct event {
	uint64_t at, order;
	event_fn fn;
	void *what;
	uint64_t number;
};

struct events {
	struct event *heap;
	uint32_t n, cap;
	uint64_t order;
};

void events_add(struct events *events, uint64_t at, event_fn fn, void *what, uint64_t number);
bool events_take(struct events *events, struct event *ret); /* the earliest; false if there is none */
void events_done(struct events *events);

#endif
