// SPDX-License-Identifier: BSD-3-Clause
/*
 * Items on their way into batches, in order. They lie in chunks that are each the items of one batch, so that a batch
 * is sent without copying. Only records are limited; the other items are answers to commands, and the owner keeps them
 * few.
 */
#ifndef VT_AGENT_ITEM_QUEUE_H
#define VT_AGENT_ITEM_QUEUE_H

#include <stdbool.h>
#include <stdint.h>

#include "core/batch.h"

struct item_chunk;

struct item_queue {
	uint32_t batch_items, max_records; /* limits, set by the owner before the first item */
	uint32_t items, records;           /* in the queue */
	struct item_chunk *head, *tail;
	struct item_chunk *spare; /* the last chunk that was emptied: a steady flow allocates nothing */
};

/* Appends an item for the caller to fill; NULL past max_records (RECORD) and without memory. */
struct vt_item *item_queue_add(struct item_queue *queue, enum vt_item_type type);

/* The item added last, NULL if the queue is empty. */
struct vt_item *item_queue_last(struct item_queue *queue);

/* The items of the next batch and how many; NULL if there are none. *ret_full: it will get no more. */
struct vt_item *item_queue_batch(const struct item_queue *queue, uint32_t *ret_n, bool *ret_full);

/* Forgets the items of the next batch; returns how many of them were records. */
uint32_t item_queue_pop(struct item_queue *queue);

void item_queue_done(struct item_queue *queue);

#endif
