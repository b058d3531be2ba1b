/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * ICMP that the device itself sends, see icmp.h.
 */
#include "icmp.h"
#include "drop.h"
#include "tunnel.h"

#include <netinet/in.h>
#include <rte_ether.h>
#include <rte_ip.h>

#define QUOTE4 576  /* bytes of a whole error at most, RFC 1812 */
#define QUOTE6 1280 /* RFC 4443 */

static const struct {
	uint8_t type4, code4, type6, code6;
} kinds[] = {
    [ICMP_TTL_EXPIRED] = {11, 0, 3, 0},
    [ICMP_TOO_BIG] = {3, 4, 2, 0},
    [ICMP_NO_ROUTE] = {3, 1, 1, 0},
    [ICMP_PROHIBITED] = {3, 13, 1, 1},
};

static bool is_error(const struct flow_key *key)
{
	uint8_t type = (uint8_t)(key->dport >> 8);

	if (key->proto == IPPROTO_ICMPV6)
		return type < 128;
	return key->proto == IPPROTO_ICMP && type != 8 && type != 0 && type != 13;
}

static bool may_send(struct worker *w)
{
	if (w->icmp_ms != w->now_ms) {
		w->icmp_ms = w->now_ms;
		w->icmp_count = 0;
	}
	return w->icmp_count++ < ICMP_PER_MS;
}

/* The VPC's gateway, or in a network without one the address that the packet was for. */
static const struct addr *error_source(const struct worker *w, const struct packet *p)
{
	const struct vpc *vpc;

	if (config_vm_of_port(w->config, p->in, &vpc))
		for (size_t i = 0; i < vpc->ngateway; i++)
			if (addr_is4(&vpc->gateway[i]) == (p->key.family == 4))
				return &vpc->gateway[i];
	return &p->key.dst;
}

static void fill_ip(uint8_t *ip, const struct packet *p, const struct addr *src, uint16_t len)
{
	uint16_t sum;

	if (p->key.family == 6) {
		ip[0] = 0x60;
		ip[4] = (uint8_t)((len - 40) >> 8);
		ip[5] = (uint8_t)(len - 40);
		ip[6] = IPPROTO_ICMPV6;
		ip[7] = 64;
		memcpy(ip + 8, src->b, 16);
		memcpy(ip + 24, p->key.src.b, 16);
		return;
	}
	ip[0] = 0x45;
	ip[2] = (uint8_t)(len >> 8);
	ip[3] = (uint8_t)len;
	ip[8] = 64;
	ip[9] = IPPROTO_ICMP;
	memcpy(ip + 12, src->b + 12, 4);
	memcpy(ip + 16, p->key.src.b + 12, 4);
	sum = rte_ipv4_cksum((struct rte_ipv4_hdr *)ip);
	memcpy(ip + 10, &sum, 2);
}

static void fill_icmp(uint8_t *ip, uint8_t *icmp, const struct packet *p, enum icmp_kind kind, uint16_t mtu,
                      uint16_t quote)
{
	bool six = p->key.family == 6;
	uint16_t sum;

	icmp[0] = six ? kinds[kind].type6 : kinds[kind].type4;
	icmp[1] = six ? kinds[kind].code6 : kinds[kind].code4;
	if (kind == ICMP_TOO_BIG) {
		icmp[6] = (uint8_t)(mtu >> 8);
		icmp[7] = (uint8_t)mtu;
	}
	memcpy(icmp + 8, packet_ip(p), quote);
	sum = six ? rte_ipv6_udptcp_cksum((struct rte_ipv6_hdr *)ip, icmp) : (uint16_t)~rte_raw_cksum(icmp, 8u + quote);
	memcpy(icmp + 2, &sum, 2);
}

void icmp_error(struct worker *w, const struct packet *p, enum icmp_kind kind, uint16_t mtu)
{
	uint16_t head = p->key.family == 6 ? 40 : 20, max = p->key.family == 6 ? QUOTE6 : QUOTE4, quote = p->l3_len;
	struct rte_mbuf *m;
	uint8_t *at;

	if (kind == ICMP_NONE || p->outer || p->later || is_error(&p->key) || !may_send(w))
		return;
	if (quote > max - head - 8)
		quote = (uint16_t)(max - head - 8);
	m = rte_pktmbuf_alloc(w->dev->pool);
	at = m ? (uint8_t *)rte_pktmbuf_append(m, (uint16_t)(14 + head + 8 + quote)) : NULL;
	if (!at) {
		rte_pktmbuf_free(m);
		drop_count(w->dev, DROP_NO_MBUF, 1);
		return;
	}
	atomic_fetch_add_explicit(&w->dev->ports[p->in].made, 1, memory_order_relaxed);
	memset(at, 0, 14u + head + 8);
	memcpy(at, p->key.src_mac.b, 6);
	memcpy(at + 6, p->key.dst_mac.b, 6);
	memcpy(at + 12, rte_pktmbuf_mtod_offset(p->m, const uint8_t *, 12), 2);
	fill_ip(at + 14, p, error_source(w, p), (uint16_t)(head + 8 + quote));
	fill_icmp(at + 14, at + 14 + head, p, kind, mtu, quote);
	worker_send(w, p->in, m);
}

bool icmp_echo(struct worker *w, struct packet *p)
{
	bool six = p->key.family == 6;
	uint8_t *eth = rte_pktmbuf_mtod(p->m, uint8_t *), *ip = eth + 14, *icmp = ip + p->l4_off;
	uint16_t len = (uint16_t)(p->l3_len - p->l4_off), sum;

	if (p->key.proto != (six ? IPPROTO_ICMPV6 : IPPROTO_ICMP) || p->key.dport >> 8 != (six ? 128 : 8) ||
	    p->fragment)
		return false;
	memcpy(eth, p->key.src_mac.b, 6);
	memcpy(eth + 6, p->key.dst_mac.b, 6);
	memcpy(ip + (six ? 8 : 12), p->key.dst.b + (six ? 0 : 12), six ? 16 : 4);
	memcpy(ip + (six ? 24 : 16), p->key.src.b + (six ? 0 : 12), six ? 16 : 4);
	icmp[0] = six ? 129 : 0;
	icmp[2] = icmp[3] = 0;
	sum = six ? rte_ipv6_udptcp_cksum((struct rte_ipv6_hdr *)ip, icmp) : (uint16_t)~rte_raw_cksum(icmp, len);
	memcpy(icmp + 2, &sum, 2);
	atomic_fetch_add_explicit(&w->dev->ports[p->in].made, 1, memory_order_relaxed);
	if (p->outer)
		tunnel_answer(w, p, p->m);
	else
		worker_send(w, p->in, p->m);
	p->m = NULL;
	return true;
}
