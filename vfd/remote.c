/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Remote tunnel ends, see remote.h. Workers share the table; the lock is taken off the fast path only.
 */
#include "remote.h"
#include "arp.h"
#include "drop.h"
#include "tunnel.h"

#include <stdio.h>
#include <stdlib.h>

struct remotes {
	rte_spinlock_t lock;
	unsigned int count;
	struct remote list[REMOTES_MAX];
};

struct remotes *remotes_new(void)
{
	return calloc(1, sizeof(struct remotes));
}

void remotes_free(struct remotes *remotes)
{
	for (unsigned int i = 0; remotes && i < remotes->count; i++)
		for (unsigned int n = 0; n < remotes->list[i].nparked; n++)
			rte_pktmbuf_free(remotes->list[i].parked[n].packet.m);
	free(remotes);
}

static bool next_hop(const struct vtep_config *v, const struct addr *vtep, struct addr *ret_hop, const char **ret_why)
{
	int six = !addr_is4(vtep);

	*ret_why = "no VTEP address of that family";
	if (!v->has[six])
		return false;
	*ret_hop = *vtep;
	if (prefix_has(&v->net[six], vtep))
		return true;
	*ret_why = "not in the underlay's net, and no gateway";
	*ret_hop = v->gateway[six];
	return v->has_gateway[six];
}

static void ask(struct worker *w, struct remote *r)
{
	r->asked_ms = w->now_ms;
	r->asks++;
	arp_ask(w, &w->config->vtep, &r->hop);
}

static struct remote *add(struct worker *w, struct remotes *rs, const struct addr *vtep, const struct addr *hop)
{
	const struct vtep_config *v = &w->config->vtep;
	struct remote *r = &rs->list[rs->count];
	char text[ADDR_TEXT_MAX], line[128];

	r->vtep = *vtep;
	r->hop = *hop;
	snprintf(line, sizeof(line), "%s did not answer %u questions for its MAC on port %s", addr_text(hop, text),
	         ASKS_MAX, w->dev->ports[v->port].conf.name);
	r->drop = drop_intern(w->dev->drops, "vtep-neighbour-failed", "NEIGHBOUR_FAILED", "remote", line);
	for (size_t i = 0; i < v->nstatics; i++) {
		if (!addr_equal(&v->statics[i].addr, hop))
			continue;
		r->mac = v->statics[i].mac;
		r->fixed = true;
		r->state = REMOTE_KNOWN;
	}
	rs->count++;
	if (!r->fixed)
		ask(w, r);
	return r;
}

struct remote *remote_get(struct worker *w, const struct addr *vtep, const char **ret_why)
{
	struct remotes *rs = w->dev->remotes;
	struct remote *found = NULL;
	struct addr hop;

	if (!next_hop(&w->config->vtep, vtep, &hop, ret_why))
		return NULL;
	rte_spinlock_lock(&rs->lock);
	for (unsigned int i = 0; i < rs->count && !found; i++)
		if (addr_equal(&rs->list[i].vtep, vtep) && addr_equal(&rs->list[i].hop, &hop))
			found = &rs->list[i];
	*ret_why = "the table of remote ends is full";
	if (!found && rs->count < REMOTES_MAX)
		found = add(w, rs, vtep, &hop);
	rte_spinlock_unlock(&rs->lock);
	return found;
}

void remote_park(struct worker *w, struct remote *r, struct packet *p)
{
	struct remotes *rs = w->dev->remotes;
	bool parked = false;

	rte_spinlock_lock(&rs->lock);
	if (r->state == REMOTE_ASKING && r->nparked < PARKED_MAX) {
		struct parked *place = &r->parked[r->nparked++];

		place->packet = *p;
		place->entry = *p->entry;
		place->packet.entry = &place->entry;
		p->m = NULL;
		parked = true;
	}
	rte_spinlock_unlock(&rs->lock);
	if (parked)
		return;
	if (r->state == REMOTE_FAILED)
		drop_packet(w, p, r->drop);
	else
		drop_packet(w, p, drop_intern(w->dev->drops, "queue-full", "NEIGHBOUR_QUEUE_FULL", "remote_park", ""));
}

/* Takes the parked packets out under the lock; the caller sends or drops them without it. */
static unsigned int unpark(struct remote *r, struct parked *list)
{
	unsigned int n = r->nparked;

	memcpy(list, r->parked, n * sizeof(*list));
	for (unsigned int i = 0; i < n; i++)
		list[i].packet.entry = &list[i].entry;
	r->nparked = 0;
	return n;
}

void remote_learn(struct worker *w, const struct addr *addr, const uint8_t *mac)
{
	struct remotes *rs = w->dev->remotes;
	struct parked list[PARKED_MAX];
	unsigned int n;

	for (unsigned int i = 0; i < rs->count; i++) {
		struct remote *r = &rs->list[i];

		if (r->fixed || !addr_equal(&r->hop, addr))
			continue;
		rte_spinlock_lock(&rs->lock);
		memcpy(r->mac.b, mac, 6);
		r->asks = 0;
		r->known_ms = w->now_ms;
		r->state = REMOTE_KNOWN;
		n = unpark(r, list);
		rte_spinlock_unlock(&rs->lock);
		for (unsigned int k = 0; k < n; k++)
			tunnel_send(w, &list[k].packet, true);
	}
}

void remotes_forget(struct remotes *remotes)
{
	rte_spinlock_lock(&remotes->lock);
	for (unsigned int i = 0; i < remotes->count; i++) {
		struct remote *r = &remotes->list[i];

		if (r->fixed)
			continue;
		r->state = REMOTE_ASKING;
		r->asks = 0;
		r->asked_ms -= ASK_MS; /* at the next tick */
	}
	rte_spinlock_unlock(&remotes->lock);
}

static void tick_one(struct worker *w, struct remotes *rs, struct remote *r)
{
	struct parked list[PARKED_MAX];
	unsigned int n = 0;

	rte_spinlock_lock(&rs->lock);
	if (r->state == REMOTE_KNOWN && !r->asks && w->now_ms - r->known_ms < KNOWN_MS) {
		rte_spinlock_unlock(&rs->lock);
		return;
	}
	if (r->asks < ASKS_MAX) {
		ask(w, r);
	} else {
		r->state = REMOTE_FAILED;
		r->asks = 0; /* and it is asked for again, while packets are told at once */
		n = unpark(r, list);
	}
	rte_spinlock_unlock(&rs->lock);
	for (unsigned int i = 0; i < n; i++)
		drop_packet(w, &list[i].packet, r->drop);
}

void remotes_tick(struct worker *w)
{
	struct remotes *rs = w->dev->remotes;

	for (unsigned int i = 0; i < rs->count; i++)
		if (!rs->list[i].fixed && w->now_ms - rs->list[i].asked_ms >= ASK_MS)
			tick_one(w, rs, &rs->list[i]);
}
