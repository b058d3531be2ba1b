/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A worker's cache of flow entries. An entry counts as long as its epoch is the device's and it is not older than
 * FLOW_MS; one that does not is compiled anew in its place.
 */
#ifndef VFD_FLOW_H
#define VFD_FLOW_H

#include "device.h"

#include <jansson.h>

struct flows *flows_new(unsigned int number); /* NULL without memory */
void flows_free(struct flows *flows);

/* Sets p->entry of n packets; NULL where none counts. */
void flows_find(struct flows *flows, struct packet *const *packets, unsigned int n, const struct worker *w);

/* The place for a flow's entry, zeroed but for its counters; there is room for a burst behind flows_find(). */
struct flow_entry *flows_place(struct flows *flows, const struct flow_key *key);

/* A list of at most `max` entries. What it reads changes meanwhile: it is for people. */
json_t *flows_json(const struct flows *flows, const struct worker *w, unsigned int max);

#endif
