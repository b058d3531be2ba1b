/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A burst of packets from one port, see forward.h: parse all, find all their entries, then do what these say. Tracing
 * costs one test of the burst's sets and hops, OR-ed; the two ways behind it are the same code, compiled twice.
 */
#include "forward.h"
#include "arp.h"
#include "drop.h"
#include "flow.h"
#include "icmp.h"
#include "meter.h"
#include "parse.h"
#include "slow.h"
#include "trace.h"
#include "tunnel.h"

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
			return true;
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
	if (rte_pktmbuf_data_len(p->m) < 14 + 20 || !arp_from_vm(w, p))
		return true;
	atomic_fetch_add_explicit(&w->dev->ports[p->in].own, 1, memory_order_relaxed);
	return false;
}

/* Parses what is a tenant's packet and can be read; the others are dropped. False: it was. */
static bool read_tenant(struct worker *w, struct packet *p)
{
	uint32_t bad = parse_tenant(p);

	if (!bad)
		return true;
	if (p->hop)
		trace_in(w, p);
	drop_packet(w, p, bad);
	return false;
}

/* One hop less to live, in the header and its checksum. */
static void count_hop(struct packet *p)
{
	uint8_t *ip = packet_ip(p);
	uint32_t sum;

	if (p->key.family == 6) {
		ip[7]--;
		return;
	}
	ip[8]--;
	sum = (uint32_t)(ip[10] << 8 | ip[11]) + 0x100; /* RFC 1141 */
	sum += sum >> 16;
	ip[10] = (uint8_t)(sum >> 8);
	ip[11] = (uint8_t)sum;
}

static void drop_big(struct worker *w, struct packet *p, const struct port *port)
{
	char line[160];

	snprintf(line, sizeof(line), "packet of %u bytes exceeds the MTU %u of port %s", p->l3_len, port->conf.mtu,
	         port->conf.name);
	icmp_error(w, p, ICMP_TOO_BIG, port->conf.mtu);
	drop_packet(w, p, drop_intern(w->dev->drops, "mtu-exceeded", "PACKET_TOO_BIG", "forward", line));
}

ALWAYS_INLINE void to_port(struct worker *w, struct packet *p, bool traced)
{
	const struct port *port = &w->dev->ports[p->entry->port];

	if (p->l3_len > port->conf.mtu) {
		drop_big(w, p, port);
		return;
	}
	if (traced && p->hop) {
		trace_out(w, p);
		worker_send_traced(w, p, 0);
	} else {
		worker_send(w, p->entry->port, p->m);
	}
	p->m = NULL;
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

ALWAYS_INLINE void act(struct worker *w, struct packet *p, bool traced)
{
	struct flow_entry *e = p->entry;
	uint8_t *eth;

	e->packets++;
	e->bytes += p->l3_len;
	if (traced && (e->set || p->hop))
		trace_in(w, p);
	if (e->meter && !meter_passes(w, p))
		return;
	if (e->routed && e->action != ACT_DROP) {
		if (p->ttl <= 1) {
			expire(w, p);
			return;
		}
		count_hop(p);
		eth = rte_pktmbuf_mtod(p->m, uint8_t *);
		memcpy(eth, e->dst.b, 6);
		memcpy(eth + 6, e->src.b, 6);
	}
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

void forward_burst(struct worker *w, unsigned int port, struct rte_mbuf **mbufs, unsigned int n)
{
	struct packet packets[BURST], *list[BURST] = {NULL};
	unsigned int count = 0, marks = 0;

	for (unsigned int i = 0; i < n; i++) {
		struct packet *p = &packets[i];

		memset(p, 0, sizeof(*p));
		p->m = mbufs[i];
		p->in = (uint16_t)port;
		if (take(w, p, &w->dev->ports[port]) && read_tenant(w, p))
			list[count++] = p;
	}
	flows_find(w->flows, list, count, w);
	for (unsigned int i = 0; i < count; i++) {
		if (!list[i]->entry)
			slow_path(w, list[i]);
		marks |= list[i]->entry->set | list[i]->hop;
	}
	if (marks)
		act_traced(w, list, count);
	else
		act_plain(w, list, count);
}
