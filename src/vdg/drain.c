// SPDX-License-Identifier: BSD-3-Clause
/*
 * From the workers' rings to batches for the agent. With an agent that does not read, the rings fill, and what finds
 * them full is counted there; without an agent what is in them is thrown away, and counted here.
 */
#include <stdlib.h>

#include "base/text.h"
#include "vdg/state.h"

void drain_batch(struct vdg *vdg, uint32_t n_items)
{
	const struct vt_batch batch = {.node = "vfd",
	                               .kind = VT_KIND_VSWITCH,
	                               .boot = 1,
	                               .number = ++vdg->batches,
	                               .n_items = n_items,
	                               .items = vdg->items};
	uint8_t *bytes;
	size_t size;

	if (vt_wire_encode(&batch, &bytes, &size, NULL) < 0) {
		vdg->discarded += n_items; /* no memory */
		return;
	}
	vdg_wire_put(&vdg->link.out, VDG_WIRE_BATCH, 0, bytes, size);
	free(bytes);
}

static void entry_to_item(const struct vdg *vdg, const struct ring_entry *entry, struct vt_item *item)
{
	const struct why *why = whys_get(vdg->whys, entry->why);
	struct vt_log *log = &item->log;

	item->type = VT_ITEM_RECORD;
	log->rec = entry->rec;
	log->cause = VT_CAUSE_NONE;
	log->reason[0] = log->site[0] = log->evidence[0] = '\0';
	vt_text_copy(log->device, sizeof(log->device), node_port_name(vdg, entry->rec.ifindex));
	if (entry->rec.loc != VT_LOC_ERROR)
		return;
	log->cause = why ? why->cause : VT_CAUSE_UNEXPLAINED;
	if (!why)
		return;
	vt_text_copy(log->reason, sizeof(log->reason), why->reason);
	vt_text_copy(log->site, sizeof(log->site), why->site);
	vt_text_copy(log->evidence, sizeof(log->evidence), why->evidence);
}

static uint32_t take_some(struct vdg *vdg, struct ring *ring)
{
	const struct ring_entry *entry;
	uint32_t n = 0;

	while (n < VT_BATCH_ITEMS_MAX && (entry = ring_peek(ring))) {
		entry_to_item(vdg, entry, &vdg->items[n++]);
		ring_take(ring);
	}
	return n;
}

static void discard_all(struct vdg *vdg, struct ring *ring)
{
	uint64_t head = atomic_load_explicit(&ring->head, memory_order_acquire);
	uint64_t tail = atomic_load_explicit(&ring->tail, memory_order_relaxed);

	vdg->discarded += head - tail;
	atomic_store_explicit(&ring->tail, head, memory_order_release);
}

/* At most a ring's worth a call, so that workers that never rest do not keep us here. */
void drain_rings(struct vdg *vdg)
{
	for (unsigned int i = 0; i < vdg->config.workers; i++) {
		struct ring *ring = &vdg->workers[i].ring;
		uint64_t taken = 0;
		uint32_t n;

		if (!vdg->greeted) {
			discard_all(vdg, ring);
			continue;
		}
		while (taken <= ring->mask && !link_full(vdg) && (n = take_some(vdg, ring)) > 0) {
			drain_batch(vdg, n);
			taken += n;
		}
		vdg->records += taken;
	}
}

uint64_t drain_lost(const struct vdg *vdg)
{
	uint64_t lost = vdg->discarded;

	for (unsigned int i = 0; i < vdg->config.workers; i++)
		lost += atomic_load_explicit(&vdg->workers[i].ring.lost, memory_order_acquire) +
		        atomic_load_explicit(&vdg->workers[i].unparsed, memory_order_acquire);
	return lost;
}
