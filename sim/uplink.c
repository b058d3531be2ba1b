// SPDX-License-Identifier: BSD-3-Clause
/*
 * The uplink, as agent/records_post.c is over HTTP: batches are encoded when they are sent, kept until acknowledged,
 * and posted one at a time in order. The way to the server takes time, breaks, and answers get lost, so that a batch is
 * posted twice. Behind the acknowledgement lies a log that may lose a batch or let others overtake it, as a distributed
 * one would.
 */
#include "sim/world.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/wire.h"

#define RETRY    (100 * MS)
#define LATE_MAX (3 * S)

static struct sim_uplink *sim_of(struct uplink *up)
{
	return (struct sim_uplink *)up;
}

bool node_cut(const struct node *node, uint64_t now)
{
	return now >= node->cut_from && now < node->cut_to;
}

static uint64_t one_way(struct sim_uplink *up)
{
	const struct node *node = up->node;

	return node->uplink_delay + random_between(&up->w->rnd, 0, node->uplink_jitter);
}

/* --- behind the acknowledgement ----------------------------------------------------------------------------------- */

struct parcel {
	uint8_t *bytes;
	size_t size;
};

static void hand_over(struct world *w, void *what, uint64_t number)
{
	struct parcel *parcel = what;

	server_take(w, parcel->bytes, parcel->size);
}

static void log_append(struct world *w, const struct body *body, uint64_t delay)
{
	struct parcel *parcel = arena_take(&w->arena, sizeof(*parcel));

	parcel->bytes = arena_take(&w->arena, body->size);
	memcpy(parcel->bytes, body->bytes, body->size);
	parcel->size = body->size;
	events_add(&w->events, w->now + delay, hand_over, parcel, 0);
}

static void log_take(struct sim_uplink *up, const struct body *body)
{
	const struct node *node = up->node;
	struct world *w = up->w;

	if (random_percent(&w->rnd, node->lose_percent)) {
		story(w, "%s: batch %llu is lost behind its acknowledgement", node->name,
		      (unsigned long long)body->number);
		truth_batch_lost(w, body->bytes, body->size);
		return;
	}
	if (random_percent(&w->rnd, node->late_percent)) {
		story(w, "%s: batch %llu comes late", node->name, (unsigned long long)body->number);
		log_append(w, body, random_between(&w->rnd, 1 * MS, LATE_MAX));
		return;
	}
	log_append(w, body, 0);
	if (random_percent(&w->rnd, node->twice_percent))
		log_append(w, body, random_between(&w->rnd, 0, 1 * S));
}

/* --- posting ------------------------------------------------------------------------------------------------------ */

static void post(struct sim_uplink *up);

static void retry(struct world *w, void *what, uint64_t serial)
{
	struct sim_uplink *up = what;

	if (up->serial != serial)
		return;
	up->busy = false;
	post(up);
}

static void body_pop(struct sim_uplink *up)
{
	free(up->bodies[up->first].bytes);
	up->first = (up->first + 1) % UPLINK_BODIES;
	up->n--;
}

static void acknowledged(struct world *w, void *what, uint64_t serial)
{
	struct sim_uplink *up = what;

	if (up->serial != serial)
		return;
	if (node_cut(up->node, w->now)) { /* the answer is lost: it will be posted again */
		events_add(&w->events, w->now + RETRY, retry, up, serial);
		return;
	}
	body_pop(up);
	up->busy = false;
	post(up);
	agent_wake(w, up->node->agent, w->now);
}

/* The server takes this batch in no way: the records are given up and counted, its number is skipped. */
static bool refuse(struct world *w, struct sim_uplink *up)
{
	struct uplink_command trouble = {.op = UPLINK_TROUBLE, .lost = up->bodies[up->first].records};

	if (!up->node->lose_percent || !random_one_in(&w->rnd, 20))
		return false;
	story(w, "%s: batch %llu is refused, %u records", up->node->name,
	      (unsigned long long)up->bodies[up->first].number, up->bodies[up->first].records);
	truth_batch_lost(w, up->bodies[up->first].bytes, up->bodies[up->first].size);
	agent_command(w, up->node, &trouble, 0);
	body_pop(up);
	up->busy = false;
	post(up);
	return true;
}

static void posted(struct world *w, void *what, uint64_t serial)
{
	struct sim_uplink *up = what;

	if (up->serial != serial)
		return;
	if (node_cut(up->node, w->now)) {
		events_add(&w->events, w->now + RETRY, retry, up, serial);
		return;
	}
	if (refuse(w, up))
		return;
	log_take(up, &up->bodies[up->first]);
	events_add(&w->events, w->now + one_way(up) / 4, acknowledged, up, serial);
}

static void post(struct sim_uplink *up)
{
	if (up->busy || !up->n)
		return;
	up->busy = true;
	up->serial++;
	events_add(&up->w->events, up->w->now + one_way(up), posted, up, up->serial);
}

static int up_send(struct uplink *base, const struct vt_batch *batch)
{
	struct sim_uplink *up = sim_of(base);
	struct body *body = &up->bodies[(up->first + up->n) % UPLINK_BODIES];
	int err;

	if (up->n == UPLINK_BODIES)
		return -EAGAIN;
	*body = (struct body){.number = batch->number};
	err = vt_wire_encode(batch, &body->bytes, &body->size, NULL);
	if (err < 0)
		return err;
	for (uint32_t i = 0; i < batch->n_items; i++)
		body->records += batch->items[i].type == VT_ITEM_RECORD;
	up->n++;
	post(up);
	return 0;
}

static unsigned int up_unacknowledged(struct uplink *base)
{
	return sim_of(base)->n;
}

static const struct uplink_ops up_ops = {.send = up_send, .unacknowledged = up_unacknowledged};

void uplink_open(struct world *w, struct sim_uplink *up, struct node *node)
{
	*up = (struct sim_uplink){.up.ops = &up_ops, .w = w, .node = node};
}

void uplink_retry(struct sim_uplink *up)
{
	post(up);
}

void uplink_free(struct sim_uplink *up)
{
	/* what was on the wire when the agent died may still come */
	if (up->busy && up->n && !node_cut(up->node, up->w->now) && random_one_in(&up->w->rnd, 2))
		log_append(up->w, &up->bodies[up->first], one_way(up));
	for (; up->n; body_pop(up))
		truth_batch_lost(up->w, up->bodies[up->first].bytes, up->bodies[up->first].size);
	up->serial++;
}
