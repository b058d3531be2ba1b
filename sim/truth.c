// SPDX-License-Identifier: BSD-3-Clause
/*
 * What really happened: how every copy of every packet ended, where it became invisible, which nodes it passed, which
 * packets were coloured for which task. Written while it happens, read by check.c when all is over.
 */
#include "sim/world.h"

#include <stdlib.h>

#include "core/wire.h"

static uint32_t bucket(uint64_t id)
{
	return (uint32_t)(id ^ id >> 32) % IDENT_BUCKETS;
}

struct ident *truth_ident(struct world *w, uint64_t id)
{
	struct ident **head = &w->idents[bucket(id)], *ident;

	for (ident = *head; ident; ident = ident->next) {
		if (ident->id == id)
			return ident;
	}
	ident = arena_take(&w->arena, sizeof(*ident));
	*ident = (struct ident){.next = *head, .id = id};
	*head = ident;
	return ident;
}

void truth_items_lost(struct world *w, const struct vt_item *items, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		if (items[i].type == VT_ITEM_RECORD)
			truth_ident(w, items[i].log.rec.packet_id)->lost++;
	}
}

void truth_batch_lost(struct world *w, const uint8_t *bytes, size_t size)
{
	struct vt_batch *batch = NULL;

	if (vt_wire_decode(bytes, size, &batch, NULL) < 0)
		return;
	truth_items_lost(w, batch->items, batch->n_items);
	vt_batch_free(batch);
}

struct packet *truth_packet(struct world *w, struct flow *flow, uint64_t id)
{
	struct packet *packet = arena_take(&w->arena, sizeof(*packet));

	if (w->n_packets == w->cap_packets) {
		w->cap_packets = w->cap_packets ? w->cap_packets * 2 : 1024;
		w->packets = realloc(w->packets, w->cap_packets * sizeof(struct packet *));
		if (!w->packets)
			abort();
	}
	packet->number = w->n_packets + 1;
	packet->flow = flow;
	packet->id = id;
	packet->ident = truth_ident(w, id);
	packet->sent_at = w->now;
	w->packets[w->n_packets++] = packet;
	return packet;
}

static const char *const end_words[] = {
    [END_DELIVERED] = "delivered",     [END_DROPPED] = "dropped",           [END_SILENT] = "taken away in silence",
    [END_BETWEEN] = "lost on the way", [END_RIDER] = "merged into another",
};

static void end_one(struct world *w, struct packet *packet, const struct end *what)
{
	struct end *end = arena_take(&w->arena, sizeof(*end));

	*end = *what;
	end->next_end = packet->ends;
	packet->ends = end;
	packet->alive--;
	w->alive--;
	packet->arrived |= end->kind == END_DELIVERED;
}

void truth_end(struct world *w, const struct copy *copy, enum end_kind kind, uint16_t node, uint16_t next,
               const struct fault *fault, const char *device)
{
	struct end end = {.kind = kind,
	                  .node = node,
	                  .next = next,
	                  .cause = fault ? fault->cause : VT_CAUSE_NONE,
	                  .device = device,
	                  .seen_by_trace = copy->colour,
	                  .at = w->now};

	end_one(w, copy->packet, &end);
	for (const struct copy *rider = copy->riders; rider; rider = rider->next)
		truth_end(w, rider, kind, node, next, fault, device);
	if (copy->packet->coloured)
		story(w, "packet %u: %s at %s%s%s%s%s", copy->packet->number, end_words[kind], w->nodes[node].name,
		      kind == END_BETWEEN ? " to " : "", kind == END_BETWEEN ? w->nodes[next].name : "",
		      end.cause ? ", " : "", end.cause ? vt_cause_info(end.cause)->code : "");
}

/* The copy went on, but VTrace cannot see it any more. */
void truth_blind(struct world *w, struct copy *copy, enum blind_kind kind, uint16_t node, uint16_t next)
{
	static const char *const words[] = {
	    [BLIND_BLEACHED] = "bleached behind",     [BLIND_ERASED] = "its colour erased in",
	    [BLIND_MERGED] = "hidden by a merge in",  [BLIND_UNWATCHED] = "passes the unwatched",
	    [BLIND_HOPS] = "past the last hop, left",
	};
	struct blind *blind;

	if (!copy->colour)
		return;
	blind = arena_take(&w->arena, sizeof(*blind));
	*blind = (struct blind){copy->packet->blinds, kind, node, next};
	copy->packet->blinds = blind;
	if (copy->packet->coloured)
		story(w, "packet %u: %s %s", copy->packet->number, words[kind], w->nodes[node].name);
	for (struct copy *rider = copy->riders; rider; rider = rider->next)
		truth_blind(w, rider, kind, node, next);
	copy->colour = 0;
}

void truth_visit(struct world *w, struct packet *packet, uint16_t node, uint8_t hop)
{
	struct visit_truth *visit;

	for (visit = packet->visits; visit; visit = visit->next) {
		if (visit->node == node && visit->hop == hop)
			return;
	}
	visit = arena_take(&w->arena, sizeof(*visit));
	*visit = (struct visit_truth){packet->visits, node, hop};
	packet->visits = visit;
}

void truth_claim(struct world *w, struct packet *packet, uint32_t task, uint16_t node, uint64_t time_ns, bool reverse)
{
	struct claim_truth *claim = arena_take(&w->arena, sizeof(*claim));
	struct claim_truth **head = &w->claims[bucket(packet->id) % CLAIM_BUCKETS];

	*claim = (struct claim_truth){.next = *head,
	                              .packet = packet,
	                              .task = task,
	                              .id = packet->id,
	                              .time_ns = time_ns,
	                              .node = node,
	                              .reverse = reverse};
	*head = claim;
	w->n_claims++;
	if (!packet->coloured)
		story(w, "packet %u: coloured at %s for task %u, id %016llx", packet->number, w->nodes[node].name, task,
		      (unsigned long long)packet->id);
	packet->coloured = true;
}

struct claim_truth *truth_find(const struct world *w, uint32_t task, uint64_t id, uint64_t time_ns, bool reverse)
{
	struct claim_truth *claim = w->claims[bucket(id) % CLAIM_BUCKETS];

	while (claim && !(claim->task == task && claim->id == id && claim->time_ns == time_ns &&
	                  claim->reverse == reverse && !claim->listed))
		claim = claim->next;
	return claim;
}
