/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A burst of packets from one port, see forward.h: parse all, find all their entries, then do what these say. Tracing
 * costs one test of the burst's sets and hops, OR-ed; the two ways behind it are the same code, compiled twice.
 */
#include "forward.h"
#include "admit.h"
#include "arp.h"
#include "drop.h"
#include "flow.h"
#include "frag.h"
#include "icmp.h"
#include "meter.h"
#include "parse.h"
#include "rewrite.h"
#include "slow.h"
#include "trace.h"
#include "tunnel.h"

#include <rte_ip.h>
#include <stdio.h>

#define ALWAYS_INLINE static inline __attribute__((always_inline))

/* False: the packet has gone another way. */
static bool take(struct worker *w, struct packet *p, const struct port *port)
{
	const struct vtep_config *vtep = &w->config->vtep;

	p->key.port = p->in;
	if (port->conf.kind == PORT_UNDERLAY) {
		switch (parse_outer(p, vtep)) {
		case OUTER_TUNNEL:
			break;
		case OUTER_ARP:
			arp_from_underlay(w, p);
			atomic_fetch_add_explicit(&w->dev->ports[p->in].own, 1, memory_order_relaxed);
			return false;
		case OUTER_ECN:
			parse_tenant(p);
			trace_in(w, p);
			drop_packet(w, p, DROP_OUTER_ECN);
			return false;
		case OUTER_OTHER:
			drop_packet(w, p, DROP_OUTER_OTHER);
			return false;
		}
	}
	if (rte_pktmbuf_data_len(p->m) < 14 + 20 || !arp_from_tenant(w, p))
		return true;
	atomic_fetch_add_explicit(&w->dev->ports[p->in].own, 1, memory_order_relaxed);
	return false;
}

/* Parses what is a tenant's packet and can be read; the others are dropped. False: it was. */
static bool read_tenant(struct worker *w, struct packet *p)
{
	uint32_t bad = parse_tenant(p);

	if (!bad)
		return !p->fragment || frag_take(w, p);
	if (p->hop)
		trace_in(w, p);
	drop_packet(w, p, bad);
	return false;
}

static void drop_big(struct worker *w, struct packet *p, const struct port_config *port)
{
	char line[160];

	snprintf(line, sizeof(line), "packet of %u bytes exceeds the MTU %u of port %s", p->l3_len, port->mtu,
	         port->name);
	rewrite_back(p);
	icmp_error(w, p, ICMP_TOO_BIG, port->mtu);
	drop_packet(w, p, drop_intern(w->dev->drops, "mtu-exceeded", "PACKET_TOO_BIG", "forward", line));
}

ALWAYS_INLINE void put(struct worker *w, struct packet *p, bool traced)
{
	if (traced && p->hop) {
		trace_out(w, p);
		worker_send_traced(w, p, 0);
	} else {
		worker_send(w, p->entry->port, p->m);
	}
	p->m = NULL;
}

/* Too big for the port: in pieces, or not at all. */
static void put_big(struct worker *w, struct packet *p, const struct port_config *port)
{
	struct packet pieces[FRAG_PIECES_MAX];
	unsigned int n = frag_cut(w, p, port->mtu, pieces);

	for (unsigned int i = 0; i < n; i++)
		put(w, &pieces[i], true);
	if (p->m)
		drop_big(w, p, port);
}

ALWAYS_INLINE void to_port(struct worker *w, struct packet *p, bool traced)
{
	const struct port_config *port = &w->config->ports[p->entry->port];

	if (p->l3_len > port->mtu)
		put_big(w, p, port);
	else
		put(w, p, traced);
}

static void to_gateway(struct worker *w, struct packet *p, bool traced)
{
	if (traced && p->hop)
		trace_local(w, p);
	atomic_fetch_add_explicit(&w->dev->ports[p->in].own, 1, memory_order_relaxed);
	if (icmp_echo(w, p))
		return;
	rte_pktmbuf_free(p->m); /* the gateway has nothing else to say */
	p->m = NULL;
}

static void expire(struct worker *w, struct packet *p)
{
	icmp_error(w, p, ICMP_TTL_EXPIRED, 0);
	drop_packet(w, p, DROP_TTL);
}

/* What a router does to a packet (RFC 1812, 5.2); false: dropped. */
static bool route_packet(struct worker *w, struct packet *p)
{
	const struct flow_entry *e = p->entry;
	uint8_t *eth = rte_pktmbuf_mtod(p->m, uint8_t *);

	if (p->key.family == 4 && rte_raw_cksum(eth + 14, p->l4_off) != 0xffff) {
		drop_packet(w, p, DROP_CHECKSUM);
		return false;
	}
	if (p->ttl <= 1) {
		expire(w, p);
		return false;
	}
	rewrite_hop(p);
	if (e->routed & (NAT_OUT | NAT_IN))
		rewrite_nat(w, p);
	memcpy(eth, e->dst.b, 6);
	memcpy(eth + 6, e->src.b, 6);
	return true;
}

ALWAYS_INLINE void act(struct worker *w, struct packet *p, bool traced)
{
	struct flow_entry *e = p->entry;

	e->packets++;
	e->bytes += p->l3_len;
	if (traced && (e->set || p->hop))
		trace_in(w, p);
	if ((e->meter | e->flow_meter) && !meter_passes(w, p))
		return;
	if (e->routed && e->action != ACT_DROP && !route_packet(w, p))
		return;
	p->at = e->port;
	switch ((enum action)e->action) {
	case ACT_PORT:
		to_port(w, p, traced);
		break;
	case ACT_TUNNEL:
		tunnel_send(w, p, traced);
		break;
	case ACT_LOCAL:
		to_gateway(w, p, traced);
		break;
	case ACT_DROP:
		icmp_error(w, p, e->icmp, 0);
		drop_packet(w, p, e->drop);
		break;
	}
}

static void act_plain(struct worker *w, struct packet *const *list, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++)
		act(w, list[i], false);
}

static __attribute__((noinline)) void act_traced(struct worker *w, struct packet *const *list, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++)
		act(w, list[i], true);
}

/* Fragments whose first one has come. */
static void forward_waiting(struct worker *w)
{
	struct packet p, *list[] = {&p};

	while (frag_next(w, &p)) {
		flows_find(w->flows, list, 1, w);
		if (!p.entry)
			slow_path(w, &p);
		act_traced(w, list, 1);
	}
}

void forward_burst(struct worker *w, unsigned int port, struct rte_mbuf **mbufs, unsigned int n)
{
	struct packet packets[BURST], *list[BURST] = {NULL};
	unsigned int count = 0, kept = 0, marks = 0;

	for (unsigned int i = 0; i < n; i++) {
		struct packet *p = &packets[i];

		memset(p, 0, sizeof(*p));
		p->m = mbufs[i];
		p->in = p->at = (uint16_t)port;
		if (take(w, p, &w->dev->ports[port]) && read_tenant(w, p))
			list[count++] = p;
	}
	flows_find(w->flows, list, count, w);
	for (unsigned int i = 0; i < count; i++) {
		if (!list[i]->entry && !list[i]->known && !admit_flow(w, list[i]))
			continue;
		if (!list[i]->entry)
			slow_path(w, list[i]);
		marks |= list[i]->entry->set | list[i]->hop;
		list[kept++] = list[i];
	}
	if (VFD_TRACE && marks)
		act_traced(w, list, kept);
	else
		act_plain(w, list, kept);
	forward_waiting(w);
}
