// SPDX-License-Identifier: BSD-3-Clause
/* The ring of drop verdicts and the join with drop records; see verdicts.h. */
#include "datapath/linux/inspect/verdicts.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#define ETHERNET_PAYLOAD_MIN 46 /* shorter packets are padded: a record's length may count the padding */

struct verdicts {
	struct verdict ring[VERDICTS_MAX];
	uint64_t head, tail; /* head: oldest not yet forgotten; tail: next to write; index is modulo VERDICTS_MAX */
};

static struct verdict *verdicts_at(struct verdicts *verdicts, uint64_t i)
{
	return &verdicts->ring[i % VERDICTS_MAX];
}

struct verdicts *verdicts_new(void)
{
	return calloc(1, sizeof(struct verdicts));
}

static void verdicts_forget(struct verdicts *verdicts)
{
	struct verdict *verdict = verdicts_at(verdicts, verdicts->head++);

	free(verdict->table);
	free(verdict->chain);
	memset(verdict, 0, sizeof(*verdict));
}

void verdicts_clear(struct verdicts *verdicts)
{
	while (verdicts->head < verdicts->tail)
		verdicts_forget(verdicts);
}

void verdicts_free(struct verdicts *verdicts)
{
	if (!verdicts)
		return;
	verdicts_clear(verdicts);
	free(verdicts);
}

void verdicts_add(struct verdicts *verdicts, const struct verdict *verdict)
{
	struct verdict *slot;
	char *table = strdup(verdict->table), *chain = strdup(verdict->chain);

	if (!table || !chain) {
		free(table);
		free(chain);
		return;
	}
	if (verdicts->tail - verdicts->head == VERDICTS_MAX)
		verdicts_forget(verdicts);
	slot = verdicts_at(verdicts, verdicts->tail++);
	*slot = *verdict;
	slot->table = table;
	slot->chain = chain;
	slot->taken = false;
}

static bool length_equal(uint32_t record, uint32_t header)
{
	return record == header || (header < ETHERNET_PAYLOAD_MIN && record > header && record <= ETHERNET_PAYLOAD_MIN);
}

static bool verdict_is_inner(const struct verdict_packet *packet, const struct vt_record *rec)
{
	const struct vt_flow *a = &packet->flow, *b = &rec->flow;

	if (a->family != b->family || memcmp(a->src, b->src, 16) || memcmp(a->dst, b->dst, 16))
		return false;
	if (packet->has_proto && a->proto != b->proto)
		return false;
	if (packet->has_proto && packet->has_ports && (a->sport != b->sport || a->dport != b->dport))
		return false;
	if (packet->has_ports && packet->has_proto && a->proto == IPPROTO_TCP && packet->tcp_seq != rec->tcp_seq)
		return false;
	return length_equal(rec->length, packet->length);
}

/* Outer header: IP, UDP, VXLAN, the tenant's Ethernet header with or without a VLAN tag. */
static bool verdict_is_outer(const struct verdict_packet *packet, const struct vt_record *rec)
{
	const struct vt_flow *flow = &packet->flow;
	uint32_t overhead = (flow->family == 6 ? 40 : 20) + 8 + 8 + 14;

	if (flow->proto != IPPROTO_UDP || memcmp(flow->src, rec->outer_src, 16) ||
	    memcmp(flow->dst, rec->outer_dst, 16))
		return false;
	return packet->length == rec->length + overhead || packet->length == rec->length + overhead + 4;
}

static bool record_has_outer(const struct vt_record *rec)
{
	static const uint8_t none[16];

	return memcmp(rec->outer_dst, none, sizeof(none)) != 0;
}

const struct verdict *verdicts_take(struct verdicts *verdicts, const struct vt_record *rec, bool *ret_outer)
{
	bool has_outer = record_has_outer(rec);

	while (verdicts->head < verdicts->tail) {
		struct verdict *oldest = verdicts_at(verdicts, verdicts->head);

		if (!oldest->taken && oldest->time_ns + VERDICTS_AGE_NS > rec->time_ns)
			break;
		verdicts_forget(verdicts);
	}
	for (uint64_t i = verdicts->head; i < verdicts->tail; i++) {
		struct verdict *verdict = verdicts_at(verdicts, i);
		bool outer;

		if (verdict->taken)
			continue;
		outer = has_outer && verdict_is_outer(&verdict->packet, rec);
		if (!outer && !verdict_is_inner(&verdict->packet, rec))
			continue;
		verdict->taken = true;
		*ret_outer = outer;
		return verdict;
	}
	return NULL;
}

static void address_map(uint8_t to[16], const uint8_t *ipv4)
{
	memset(to, 0, 10);
	to[10] = to[11] = 0xff;
	memcpy(to + 12, ipv4, 4);
}

static uint16_t read16(const uint8_t *at)
{
	return (uint16_t)(at[0] << 8 | at[1]);
}

static bool parse_network(const uint8_t *net, size_t len, struct verdict_packet *packet)
{
	struct vt_flow *flow = &packet->flow;

	if (len >= 20 && net[0] >> 4 == 4) {
		flow->family = 4;
		flow->proto = net[9];
		packet->has_proto = true;
		packet->length = read16(net + 2);
		address_map(flow->src, net + 12);
		address_map(flow->dst, net + 16);
		return true;
	}
	if (len >= 40 && net[0] >> 4 == 6) {
		flow->family = 6;
		flow->proto = net[6];
		packet->has_proto = net[6] != IPPROTO_HOPOPTS && net[6] != IPPROTO_ROUTING &&
		                    net[6] != IPPROTO_FRAGMENT && net[6] != IPPROTO_DSTOPTS;
		packet->length = read16(net + 4) + 40U;
		memcpy(flow->src, net + 8, 16);
		memcpy(flow->dst, net + 24, 16);
		return true;
	}
	return false;
}

static bool icmp_has_id(uint8_t proto, uint8_t type)
{
	if (proto == IPPROTO_ICMPV6)
		return type == 128 || type == 129;
	return type == 0 || type == 8;
}

bool verdict_packet_parse(const uint8_t *net, size_t net_len, const uint8_t *transport, size_t transport_len,
                          struct verdict_packet *packet)
{
	struct vt_flow *flow = &packet->flow;

	memset(packet, 0, sizeof(*packet));
	if (!parse_network(net, net_len, packet))
		return false;
	if (!packet->has_proto || transport_len < 8)
		return true;
	switch (flow->proto) {
	case IPPROTO_TCP:
		if (transport_len < 12)
			return true;
		packet->tcp_seq = (uint32_t)read16(transport + 4) << 16 | read16(transport + 6);
		/* fall through */
	case IPPROTO_UDP:
		flow->sport = read16(transport);
		flow->dport = read16(transport + 2);
		break;
	case IPPROTO_ICMP:
	case IPPROTO_ICMPV6:
		flow->dport = (uint16_t)(transport[0] << 8 | transport[1]);
		if (icmp_has_id(flow->proto, transport[0]))
			flow->sport = read16(transport + 4);
		break;
	}
	packet->has_ports = true;
	return true;
}
