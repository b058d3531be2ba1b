/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * ARP and neighbour discovery, see arp.h. Frames are written byte by byte: they are few.
 */
#include "arp.h"
#include "remote.h"
#include "trace.h"
#include "tunnel.h"

#include <netinet/in.h>
#include <rte_ether.h>
#include <rte_ip.h>

#define ARP_LEN (14 + 28)
#define ND_LEN  (14 + 40 + 32) /* a solicitation or advertisement with one option */

enum {
	ND_SOLICIT = 135,
	ND_ADVERT = 136,
};

static uint8_t *frame_new(struct worker *w, uint16_t len, struct rte_mbuf **ret_m)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(w->dev->pool);
	uint8_t *at = m ? (uint8_t *)rte_pktmbuf_append(m, len) : NULL;

	*ret_m = m;
	if (at)
		memset(at, 0, len);
	return at;
}

static void ether(uint8_t *at, const uint8_t *dst, const uint8_t *src, uint16_t type)
{
	memcpy(at, dst, 6);
	memcpy(at + 6, src, 6);
	at[12] = (uint8_t)(type >> 8);
	at[13] = (uint8_t)type;
}

/* By the way that the question came. NULL: there was no memory for the answer, and it is asked again. */
static void answer(struct worker *w, const struct packet *asked, struct rte_mbuf *m)
{
	if (!m)
		return;
	atomic_fetch_add_explicit(&w->dev->ports[asked->in].made, 1, memory_order_relaxed);
	if (asked->outer)
		tunnel_answer(w, asked, m);
	else
		worker_send(w, asked->in, m);
}

/* dst_mac NULL: to everybody. The address src is at the MAC src_mac. NULL without memory. */
static struct rte_mbuf *arp_frame(struct worker *w, bool reply, const uint8_t *dst_mac, const uint8_t *dst,
                                  const uint8_t *src_mac, const uint8_t *src)
{
	static const uint8_t all[6] = {255, 255, 255, 255, 255, 255}, head[] = {0, 1, 8, 0, 6, 4, 0};
	struct rte_mbuf *m;
	uint8_t *at = frame_new(w, ARP_LEN, &m);

	if (!at)
		return NULL;
	ether(at, dst_mac ? dst_mac : all, src_mac, RTE_ETHER_TYPE_ARP);
	memcpy(at + 14, head, sizeof(head));
	at[21] = reply ? 2 : 1;
	memcpy(at + 22, src_mac, 6);
	memcpy(at + 28, src, 4);
	if (dst_mac)
		memcpy(at + 32, dst_mac, 6);
	memcpy(at + 38, dst, 4);
	return m;
}

/* A solicitation for `target`, or an advertisement of it: both carry the sender's MAC as an option. */
static struct rte_mbuf *nd_frame(struct worker *w, uint8_t type, const uint8_t *dst_mac, const uint8_t *dst,
                                 const uint8_t *src_mac, const uint8_t *src, const uint8_t *target)
{
	struct rte_mbuf *m;
	uint8_t *at = frame_new(w, ND_LEN, &m), *ip = at + 14, *icmp = ip + 40;
	uint16_t sum;

	if (!at)
		return NULL;
	ether(at, dst_mac, src_mac, RTE_ETHER_TYPE_IPV6);
	ip[0] = 0x60;
	ip[5] = 32;
	ip[6] = IPPROTO_ICMPV6;
	ip[7] = 255;
	memcpy(ip + 8, src, 16);
	memcpy(ip + 24, dst, 16);
	icmp[0] = type;
	icmp[4] = type == ND_ADVERT ? 0x60 : 0; /* solicited, override */
	memcpy(icmp + 8, target, 16);
	icmp[24] = type == ND_ADVERT ? 2 : 1;
	icmp[25] = 1;
	memcpy(icmp + 26, src_mac, 6);
	sum = rte_ipv6_udptcp_cksum((struct rte_ipv6_hdr *)ip, icmp);
	memcpy(icmp + 2, &sum, 2);
	return m;
}

void arp_ask(struct worker *w, const struct vtep_config *vtep, const struct addr *hop)
{
	const uint8_t *mac = w->dev->ports[vtep->port].mac.b;
	uint8_t group[16] = {0xff, 2, [11] = 1, [12] = 0xff}, group_mac[6] = {0x33, 0x33, 0xff};
	struct rte_mbuf *m;

	memcpy(group + 13, hop->b + 13, 3);
	memcpy(group_mac + 3, hop->b + 13, 3);
	if (addr_is4(hop))
		m = arp_frame(w, false, NULL, hop->b + 12, mac, vtep->addr[0].b + 12);
	else
		m = nd_frame(w, ND_SOLICIT, group_mac, group, mac, vtep->addr[1].b, hop->b);
	if (!m)
		return;
	atomic_fetch_add_explicit(&w->dev->ports[vtep->port].made, 1, memory_order_relaxed);
	worker_send(w, vtep->port, m);
}

static const uint8_t *gateway_mac(const struct vpc *vpc, const struct addr *addr)
{
	return addr_among(vpc->gateway, vpc->ngateway, addr) ? vpc->gateway_mac.b : NULL;
}

/* The MAC that a VM shall use for an address of its network, NULL: nobody has it. */
static const uint8_t *mac_for(const struct vpc *vpc, const struct vm *asking, const struct addr *addr)
{
	const uint8_t *gateway = gateway_mac(vpc, addr);
	const struct route *r = config_route(vpc, addr);

	if (gateway || !r)
		return gateway;
	if (r->kind == ROUTE_VM)
		return &vpc->vms[r->vm] == asking ? NULL : vpc->vms[r->vm].mac.b;
	return r->kind == ROUTE_REMOTE && r->has_mac ? r->mac.b : vpc->gateway_mac.b;
}

/* The MAC that others shall use who ask by the tunnel: what is here is answered for here. */
static const uint8_t *mac_here(const struct vpc *vpc, const struct addr *addr)
{
	const uint8_t *gateway = gateway_mac(vpc, addr);
	const struct route *r = config_route(vpc, addr);

	return gateway || !r || r->kind != ROUTE_VM ? gateway : vpc->vms[r->vm].mac.b;
}

/* Whether some address of the network is behind this tunnel end: others are not answered. */
static bool is_peer(const struct vpc *vpc, const struct addr *vtep)
{
	for (size_t i = 0; i < vpc->nroutes; i++)
		if (vpc->routes[i].kind == ROUTE_REMOTE && addr_equal(&vpc->routes[i].vtep, vtep))
			return true;
	return false;
}

static bool is_nd(const uint8_t *at, uint32_t len, uint8_t type)
{
	return len >= 14 + 40 + 24 && at[12] == 0x86 && at[13] == 0xdd && at[20] == IPPROTO_ICMPV6 && at[54] == type;
}

static bool is_arp(const uint8_t *at, uint32_t len)
{
	return len >= ARP_LEN && at[12] == 8 && at[13] == 6 && at[18] == 6 && at[19] == 4;
}

/* A VM that tells all the others of itself: they know it from the configuration. */
static bool is_announcement(const uint8_t *at, uint32_t len)
{
	return is_nd(at, len, ND_ADVERT) && at[0] == 0x33;
}

static void answer_nd(struct worker *w, const struct packet *p, const uint8_t *mac, const uint8_t *target)
{
	static const uint8_t none[16];
	const uint8_t *at = rte_pktmbuf_mtod(p->m, const uint8_t *);

	if (memcmp(at + 22, none, 16)) /* not a VM that looks for duplicates of its own address */
		answer(w, p, nd_frame(w, ND_ADVERT, at + 6, at + 22, mac, target, target));
}

bool arp_from_tenant(struct worker *w, struct packet *p)
{
	const uint8_t *at = rte_pktmbuf_mtod(p->m, const uint8_t *), *mac = NULL;
	uint32_t len = rte_pktmbuf_data_len(p->m);
	bool arp = is_arp(at, len), solicit = is_nd(at, len, ND_SOLICIT);
	const struct vpc *vpc = NULL;
	const struct vm *vm = NULL;
	struct addr target;

	if (!arp && !solicit && !is_announcement(at, len))
		return false;
	if (arp)
		target = addr_of4(at + 38);
	else
		memcpy(target.b, at + 62, 16);
	if (p->outer)
		vpc = config_vpc_of_vni(w->config, p->key.vni);
	else
		vm = config_vm_of_port(w->config, p->in, &vpc);
	if (vm)
		mac = mac_for(vpc, vm, &target);
	else if (p->outer && vpc && is_peer(vpc, &p->outer_src))
		mac = mac_here(vpc, &target);
	if (arp && at[21] == 1 && mac)
		answer(w, p, arp_frame(w, true, at + 22, at + 28, mac, at + 38));
	else if (solicit && mac)
		answer_nd(w, p, mac, target.b);
	if (p->hop) { /* coloured by a device that floods it */
		trace_in(w, p);
		trace_local(w, p);
	}
	rte_pktmbuf_free(p->m);
	p->m = NULL;
	return true;
}

static void underlay_arp(struct worker *w, const struct vtep_config *v, struct packet *p)
{
	const uint8_t *at = rte_pktmbuf_mtod(p->m, const uint8_t *);
	struct addr sender = addr_of4(at + 28), target = addr_of4(at + 38);

	remote_learn(w, &sender, at + 22);
	if (at[21] == 1 && v->has[0] && addr_equal(&target, &v->addr[0]))
		answer(w, p, arp_frame(w, true, at + 22, at + 28, w->dev->ports[v->port].mac.b, at + 38));
}

static void underlay_nd(struct worker *w, const struct vtep_config *v, struct packet *p)
{
	const uint8_t *at = rte_pktmbuf_mtod(p->m, const uint8_t *);
	struct addr target, sender;

	if (rte_pktmbuf_data_len(p->m) < ND_LEN - 8 || at[21] != 255) /* hop limit: from this link */
		return;
	memcpy(target.b, at + 62, 16);
	memcpy(sender.b, at + 22, 16);
	if (at[54] == ND_ADVERT)
		remote_learn(w, &target, at + 6);
	if (at[54] != ND_SOLICIT || !v->has[1] || !addr_equal(&target, &v->addr[1]))
		return;
	remote_learn(w, &sender, at + 6);
	answer_nd(w, p, w->dev->ports[v->port].mac.b, target.b);
}

void arp_from_underlay(struct worker *w, struct packet *p)
{
	const struct vtep_config *v = &w->config->vtep;
	const uint8_t *at = rte_pktmbuf_mtod(p->m, const uint8_t *);
	uint32_t len = rte_pktmbuf_data_len(p->m);

	if (is_arp(at, len))
		underlay_arp(w, v, p);
	else if (at[12] == 0x86)
		underlay_nd(w, v, p);
	rte_pktmbuf_free(p->m);
	p->m = NULL;
}
