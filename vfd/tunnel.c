/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * VXLAN encapsulation over IPv4 and IPv6, see tunnel.h.
 */
#include "tunnel.h"
#include "drop.h"
#include "frag.h"
#include "icmp.h"
#include "remote.h"
#include "rewrite.h"
#include "trace.h"

#include <assert.h>
#include <netinet/in.h>
#include <rte_ether.h>
#include <rte_hash_crc.h>
#include <rte_ip.h>
#include <stdio.h>

#define UDP_VXLAN  16 /* bytes of both headers */
#define OUTER_TTL  64
#define SOURCE_MIN 49152 /* of the outer UDP source ports that spread flows over the underlay's paths */

static void put16(uint8_t *at, uint32_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

static uint8_t inner_ecn(const uint8_t *ip)
{
	return ip[0] >> 4 == 4 ? ip[1] & 3 : (ip[1] >> 4) & 3;
}

static void head4(uint8_t *ip, uint32_t len, uint8_t tos, const struct addr *src, const struct addr *dst)
{
	uint16_t sum;

	ip[0] = 0x45;
	ip[1] = tos;
	put16(ip + 2, len + 20);
	ip[6] = 0x40; /* DF */
	ip[8] = OUTER_TTL;
	ip[9] = IPPROTO_UDP;
	memcpy(ip + 12, src->b + 12, 4);
	memcpy(ip + 16, dst->b + 12, 4);
	sum = rte_ipv4_cksum((struct rte_ipv4_hdr *)ip);
	memcpy(ip + 10, &sum, 2);
}

static void head6(uint8_t *ip, uint32_t len, uint8_t tos, const struct addr *src, const struct addr *dst)
{
	uint16_t sum;

	put16(ip, 0x6000u | (uint32_t)tos << 4);
	put16(ip + 4, len);
	ip[6] = IPPROTO_UDP;
	ip[7] = OUTER_TTL;
	memcpy(ip + 8, src->b, 16);
	memcpy(ip + 24, dst->b, 16);
	sum = rte_ipv6_udptcp_cksum((struct rte_ipv6_hdr *)ip, ip + 40); /* must not be 0 over IPv6 */
	memcpy(ip + 46, &sum, 2);
}

static void drop_too_big(struct worker *w, struct packet *p, const struct port_config *port, uint32_t head)
{
	char line[160];

	snprintf(line, sizeof(line), "packet of %u bytes and %u of the tunnel's headers exceed the MTU %u of port %s",
	         p->l3_len, head, port->mtu, port->name);
	rewrite_back(p);
	icmp_error(w, p, ICMP_TOO_BIG, (uint16_t)(port->mtu - head));
	drop_packet(w, p, drop_intern(w->dev->drops, "underlay-mtu", "TUNNEL_TOO_BIG", "tunnel_send", line));
}

static void encapsulate(const struct worker *w, const struct packet *p, uint8_t *at, uint8_t tos, uint32_t inner_len)
{
	const struct vtep_config *v = &w->config->vtep;
	const struct remote *r = p->entry->remote;
	bool four = addr_is4(&r->vtep);
	uint8_t *ip = at + 14, *udp = ip + (four ? 20 : 40);

	memcpy(at, r->mac.b, 6);
	memcpy(at + 6, w->dev->ports[v->port].mac.b, 6);
	put16(at + 12, four ? RTE_ETHER_TYPE_IPV4 : RTE_ETHER_TYPE_IPV6);
	put16(udp, SOURCE_MIN + (rte_hash_crc(&p->key, offsetof(struct flow_key, port), 0) & 0x3fff));
	put16(udp + 2, v->udp_port);
	put16(udp + 4, inner_len + UDP_VXLAN);
	udp[8] = 8; /* the VNI counts */
	put16(udp + 12, p->entry->vni >> 8);
	udp[14] = (uint8_t)p->entry->vni;
	if (four)
		head4(ip, inner_len + UDP_VXLAN, tos, &v->addr[0], &r->vtep);
	else
		head6(ip, inner_len + UDP_VXLAN, tos, &v->addr[1], &r->vtep);
}

/* Too big for the underlay: in pieces, or not at all. */
static void send_big(struct worker *w, struct packet *p, const struct port_config *port, uint16_t head)
{
	struct packet pieces[FRAG_PIECES_MAX];
	unsigned int n = frag_cut(w, p, (uint16_t)(port->mtu - head), pieces);

	for (unsigned int i = 0; i < n; i++)
		tunnel_send(w, &pieces[i], true);
	if (p->m)
		drop_too_big(w, p, port, head);
}

void tunnel_send(struct worker *w, struct packet *p, bool traced)
{
	const struct vtep_config *v = &w->config->vtep;
	const struct port_config *port = &w->config->ports[v->port];
	struct remote *r = p->entry->remote;
	uint32_t inner_len = rte_pktmbuf_pkt_len(p->m);
	uint16_t head = (uint16_t)((addr_is4(&r->vtep) ? 20 : 40) + UDP_VXLAN + 14);
	uint8_t tos = inner_ecn(packet_ip(p)), *at;

	if (p->l3_len + head > port->mtu) {
		send_big(w, p, port, head);
		return;
	}
	if (r->state != REMOTE_KNOWN) {
		remote_park(w, r, p);
		return;
	}
	if (traced && p->hop)
		tos |= (uint8_t)(trace_out(w, p) << 2);
	at = (uint8_t *)rte_pktmbuf_prepend(p->m, head);
	assert(at); /* a burst's mbufs are the device's own, with 128 bytes of room */
	memset(at, 0, head);
	encapsulate(w, p, at, tos, inner_len);
	if (traced && p->hop)
		worker_send_traced(w, p, head);
	else
		worker_send(w, v->port, p->m);
	p->m = NULL;
}

void tunnel_answer(struct worker *w, const struct packet *to, struct rte_mbuf *m)
{
	struct flow_entry entry = {.vni = to->key.vni, .port = (uint16_t)w->config->vtep.port, .action = ACT_TUNNEL};
	struct packet p = {.m = m, .in = to->in, .at = entry.port, .key = to->key, .entry = &entry};
	const char *why = "";

	p.l3_len = (uint16_t)(rte_pktmbuf_pkt_len(m) - 14);
	entry.remote = remote_get(w, &to->outer_src, &why);
	if (entry.remote)
		tunnel_send(w, &p, false);
	else
		drop_packet(w, &p,
		            drop_intern(w->dev->drops, "vtep-unroutable", "VTEP_UNROUTABLE", "tunnel_answer", why));
}
