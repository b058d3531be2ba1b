// SPDX-License-Identifier: BSD-3-Clause
/* Items out, in batches; see outbox.h. */
#include "agent/outbox.h"

#include <errno.h>

void outbox_record(struct outbox *outbox, const struct vt_log *log, uint64_t now)
{
	struct vt_item *item = item_queue_add(&outbox->queue, VT_ITEM_RECORD);

	outbox->seq++;
	if (!item) {
		outbox->lost++;
		return;
	}
	item->log = *log;
	item->log.rec.seq = outbox->seq;
	if (outbox->flush_at > now + outbox->flush_ns)
		outbox->flush_at = now + outbox->flush_ns;
}

void outbox_hurry(struct outbox *outbox)
{
	outbox->urgent = true;
	outbox->flush_at = 0;
}

struct vt_item *outbox_answer(struct outbox *outbox, enum vt_item_type type, uint32_t task)
{
	struct vt_item *item = item_queue_add(&outbox->queue, type);

	if (!item) {
		outbox->seq++; /* as if it had been a record: its absence shows */
		outbox->lost++;
		return NULL;
	}
	item->task = task;
	outbox_hurry(outbox);
	return item;
}

void outbox_progress(struct outbox *outbox, uint64_t lost, uint64_t time_ns, uint64_t now)
{
	struct vt_item *item = item_queue_last(&outbox->queue);

	if (!item || item->type != VT_ITEM_PROGRESS)
		item = item_queue_add(&outbox->queue, VT_ITEM_PROGRESS);
	if (!item)
		return;
	item->progress = (struct vt_progress){.lost = lost, .seq = outbox->seq, .time_ns = time_ns};
	if (outbox->flush_at > now)
		outbox->flush_at = now;
}

/* More of what is queued may share a batch while enough is in flight. */
static bool outbox_held(const struct outbox *outbox)
{
	return !outbox->urgent && outbox->up->ops->unacknowledged(outbox->up) >= OUTBOX_INFLIGHT;
}

static void outbox_note_node(struct outbox *outbox)
{
	for (uint32_t i = 0; i < outbox->batch.n_items; i++)
		if (outbox->batch.items[i].type == VT_ITEM_NODE)
			outbox->node_batch = outbox->batch.number;
}

/* Sends the first batch of the queue; false if the uplink takes none now. */
static bool outbox_send(struct outbox *outbox)
{
	struct vt_batch *batch = &outbox->batch;
	int ret;

	batch->number++;
	ret = outbox->up->ops->send(outbox->up, batch);
	outbox->blocked = ret == -EAGAIN;
	if (outbox->blocked) {
		batch->number--;
		return false;
	}
	if (!ret)
		outbox_note_node(outbox);
	/* A batch that cannot be sent at all leaves its number behind: the gap tells the analysis, the count tells the
	 * user. */
	uint32_t records = item_queue_pop(&outbox->queue);

	if (ret)
		outbox->lost += records;
	return true;
}

void outbox_flush(struct outbox *outbox, uint64_t now)
{
	bool full;

	for (;;) {
		outbox->batch.items = item_queue_batch(&outbox->queue, &outbox->batch.n_items, &full);
		if (!outbox->batch.items)
			break;
		if (!full && (now < outbox->flush_at || outbox_held(outbox)))
			return;
		if (!outbox_send(outbox))
			return;
	}
	outbox->flush_at = UINT64_MAX;
	outbox->urgent = false;
}

uint64_t outbox_due(const struct outbox *outbox, uint64_t now)
{
	if (!outbox->queue.items)
		return UINT64_MAX;
	if (outbox->blocked)
		return now + OUTBOX_RETRY_NS;
	return outbox_held(outbox) ? UINT64_MAX : outbox->flush_at;
}

bool outbox_node_known(const struct outbox *outbox)
{
	uint64_t acknowledged = outbox->batch.number - outbox->up->ops->unacknowledged(outbox->up);

	return outbox->node_batch && acknowledged >= outbox->node_batch;
}

void outbox_done(struct outbox *outbox)
{
	item_queue_done(&outbox->queue);
}
