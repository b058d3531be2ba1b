// SPDX-License-Identifier: BSD-3-Clause
/* A binary heap; see events.h. */
#include "sim/events.h"

#include <stdio.h>
#include <stdlib.h>

static bool before(const struct event *a, const struct event *b)
{
	return a->at != b->at ? a->at < b->at : a->order < b->order;
}

static void events_grow(struct events *events)
{
	events->cap = events->cap ? events->cap * 2 : 1024;
	events->heap = realloc(events->heap, events->cap * sizeof(*events->heap));
	if (!events->heap) {
		fputs("vtrace-sim: out of memory\n", stderr);
		exit(2);
	}
}

void events_add(struct events *events, uint64_t at, event_fn fn, void *what, uint64_t number)
{
	struct event event = {.at = at, .order = events->order++, .fn = fn, .what = what, .number = number};
	uint32_t i;

	if (events->n == events->cap)
		events_grow(events);
	for (i = events->n++; i && before(&event, &events->heap[(i - 1) / 2]); i = (i - 1) / 2)
		events->heap[i] = events->heap[(i - 1) / 2];
	events->heap[i] = event;
}

bool events_take(struct events *events, struct event *ret)
{
	struct event last;
	uint32_t i = 0, child;

	if (!events->n)
		return false;
	*ret = events->heap[0];
	last = events->heap[--events->n];
	while ((child = 2 * i + 1) < events->n) {
		if (child + 1 < events->n && before(&events->heap[child + 1], &events->heap[child]))
			child++;
		if (!before(&events->heap[child], &last))
			break;
		events->heap[i] = events->heap[child];
		i = child;
	}
	events->heap[i] = last;
	return true;
}

void events_done(struct events *events)
{
	free(events->heap);
	*events = (struct events){0};
}
