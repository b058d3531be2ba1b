/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Rewriting of headers, see rewrite.h. Checksums are mended, not made anew (RFC 1624): what was wrong stays wrong.
 */
#include "rewrite.h"
#include "nat.h"

#include <netinet/in.h>

/* The checksum at `sum` after len (even) bytes under it went from `old` to `new`: RFC 1624, equation 3. */
static void mend(uint8_t *sum, const void *old, const void *new, unsigned int len)
{
	const uint8_t *a = old, *b = new;
	uint32_t total = (uint16_t) ~(sum[0] << 8 | sum[1]);

	for (unsigned int i = 0; i < len; i += 2)
		total += (uint16_t) ~(a[i] << 8 | a[i + 1]) + (uint32_t)(b[i] << 8 | b[i + 1]);
	while (total >> 16)
		total = (total & 0xffff) + (total >> 16);
	sum[0] = (uint8_t)(~total >> 8);
	sum[1] = (uint8_t)~total;
}

void rewrite_hop(struct packet *p)
{
	uint8_t *ip = packet_ip(p), old[2];

	if (p->key.family == 6) {
		ip[7]--;
		return;
	}
	memcpy(old, ip + 8, 2);
	ip[8]--;
	mend(ip + 10, old, ip + 8, 2);
}

/* The transport header's checksum, NULL: it has none. */
static uint8_t *l4_sum(const struct packet *p, uint8_t *l4)
{
	switch (p->key.proto) {
	case IPPROTO_TCP:
		return l4 + 16;
	case IPPROTO_UDP:
		return l4[6] || l4[7] || p->key.family == 6 ? l4 + 6 : NULL;
	case IPPROTO_ICMP:
	case IPPROTO_ICMPV6:
		return l4 + 2;
	}
	return NULL;
}

/* Ports lie at 0 and 2, the id of an ICMP echo at 4. */
static void rewrite_port(const struct packet *p, bool source, uint16_t port)
{
	bool icmp = p->key.proto == IPPROTO_ICMP || p->key.proto == IPPROTO_ICMPV6;
	uint8_t *l4 = packet_ip(p) + p->l4_off, *sum = l4_sum(p, l4), *at = l4 + (icmp ? 4 : source ? 0 : 2);
	uint8_t new[2] = {(uint8_t)(port >> 8), (uint8_t)port};

	if (sum)
		mend(sum, at, new, 2);
	memcpy(at, new, 2);
}

static void rewrite_address(const struct packet *p, bool source, const struct addr *addr)
{
	bool six = p->key.family == 6;
	uint8_t *ip = packet_ip(p), *l4 = ip + p->l4_off, *at = ip + (six ? 8 : 12), *sum;
	unsigned int len = six ? 16 : 4;
	const uint8_t *new = addr->b + 16 - len;

	if (!source)
		at += len;
	if (!six)
		mend(ip + 10, at, new, len);
	if (!p->later && p->key.proto != IPPROTO_ICMP) { /* the others' pseudo headers have the addresses */
		sum = l4_sum(p, l4);
		if (sum)
			mend(sum, at, new, len);
	}
	memcpy(at, new, len);
}

static void rewrite_end(const struct packet *p, bool source, const struct addr *addr, uint16_t port)
{
	uint8_t *udp = packet_ip(p) + p->l4_off;
	bool summed = p->key.proto == IPPROTO_UDP && !p->later && l4_sum(p, udp);

	rewrite_address(p, source, addr);
	if (!p->later)
		rewrite_port(p, source, port);
	if (summed && !udp[6] && !udp[7]) /* 0 would say that there is none */
		udp[6] = udp[7] = 0xff;
}

void rewrite_nat(struct worker *w, struct packet *p)
{
	const struct flow_entry *e = p->entry;
	bool out = e->routed & NAT_OUT;
	struct nat_end to = out ? nat_outside(w->dev, e->nat) : nat_inside(w->dev, e->nat);
	const uint8_t *l4 = packet_ip(p) + p->l4_off;

	nat_passes(w, e->nat, p->key.proto == IPPROTO_TCP && !p->later ? l4[13] : 0);
	rewrite_end(p, out, &to.addr, to.port);
}

void rewrite_back(struct packet *p)
{
	bool icmp = p->key.proto == IPPROTO_ICMP || p->key.proto == IPPROTO_ICMPV6;

	if (p->entry->routed & NAT_OUT)
		rewrite_end(p, true, &p->key.src, p->key.sport);
	else if (p->entry->routed & NAT_IN)
		rewrite_end(p, false, &p->key.dst, icmp ? p->key.sport : p->key.dport);
}
