/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A worker's cache of flow entries. An entry counts as long as its epoch is the device's and it is not older than
 * FLOW_MS; one that does not is compiled anew in its place. Where only tasks have changed, its set alone is.
 *
 * The cache has a fixed size. Full, it makes room for a burst at a time by the clock algorithm (second chance): a hand
 * goes round over the entries, and one that was not used since it came by last goes. So flows that send stay, whatever
 * comes by once.
 */
#ifndef VFD_FLOW_H
#define VFD_FLOW_H

#include "device.h"

#include <jansson.h>

struct flows *flows_new(unsigned int number, unsigned int max); /* of worker `number`; NULL without memory */
void flows_free(struct flows *flows);

/* Sets p->hash, p->entry and p->known of n packets; entry is NULL where none counts. */
void flows_find(struct flows *flows, struct packet *const *packets, unsigned int n, struct worker *w);

/* The place for a packet's entry, zeroed but for its counters; there is room for a burst behind flows_find(). */
struct flow_entry *flows_place(struct flows *flows, const struct packet *p);

/* A list of at most `max` entries. What it reads changes meanwhile: it is for people. */
json_t *flows_json(const struct flows *flows, const struct worker *w, unsigned int max);

#endif
