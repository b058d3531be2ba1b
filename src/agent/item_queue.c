// SPDX-License-Identifier: BSD-3-Clause
/* Items in chunks of a batch; see item_queue.h. Invariant: no chunk in the list is empty. */
#include "agent/item_queue.h"

#include <stdlib.h>
#include <string.h>

struct item_chunk {
	struct item_chunk *next;
	uint32_t n, records;
	struct vt_item items[];
};

static struct item_chunk *chunk_new(struct item_queue *queue)
{
	struct item_chunk *chunk = queue->spare;

	queue->spare = NULL;
	if (!chunk)
		chunk = malloc(sizeof(*chunk) + queue->batch_items * sizeof(chunk->items[0]));
	if (chunk)
		*chunk = (struct item_chunk){0};
	return chunk;
}

static struct item_chunk *chunk_open(struct item_queue *queue)
{
	struct item_chunk *chunk = queue->tail;

	if (chunk && chunk->n < queue->batch_items)
		return chunk;
	chunk = chunk_new(queue);
	if (!chunk)
		return NULL;
	if (queue->tail)
		queue->tail->next = chunk;
	else
		queue->head = chunk;
	queue->tail = chunk;
	return chunk;
}

struct vt_item *item_queue_add(struct item_queue *queue, enum vt_item_type type)
{
	struct item_chunk *chunk;
	struct vt_item *item;

	if (type == VT_ITEM_RECORD && queue->records >= queue->max_records)
		return NULL;
	chunk = chunk_open(queue);
	if (!chunk)
		return NULL;
	item = &chunk->items[chunk->n++];
	/* A record is overwritten as a whole by its log; clearing it first would cost as much as the copy. */
	if (type != VT_ITEM_RECORD)
		memset(item, 0, sizeof(*item));
	item->type = type;
	item->task = 0;
	queue->items++;
	if (type == VT_ITEM_RECORD) {
		chunk->records++;
		queue->records++;
	}
	return item;
}

struct vt_item *item_queue_last(struct item_queue *queue)
{
	return queue->tail ? &queue->tail->items[queue->tail->n - 1] : NULL;
}

struct vt_item *item_queue_batch(const struct item_queue *queue, uint32_t *ret_n, bool *ret_full)
{
	struct item_chunk *chunk = queue->head;

	if (!chunk)
		return NULL;
	*ret_n = chunk->n;
	*ret_full = chunk->n == queue->batch_items;
	return chunk->items;
}

uint32_t item_queue_pop(struct item_queue *queue)
{
	struct item_chunk *chunk = queue->head;
	uint32_t records = chunk->records;

	queue->head = chunk->next;
	if (!queue->head)
		queue->tail = NULL;
	queue->items -= chunk->n;
	queue->records -= records;
	free(queue->spare);
	queue->spare = chunk;
	return records;
}

void item_queue_done(struct item_queue *queue)
{
	while (queue->head)
		item_queue_pop(queue);
	free(queue->spare);
	queue->spare = NULL;
}
