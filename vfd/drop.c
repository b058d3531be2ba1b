/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Reasons of drops and the one place where packets are dropped, see drop.h.
 */
#include "drop.h"
#include "trace.h"

#include <pthread.h>
#include <rte_hash_crc.h>
#include <stdio.h>
#include <stdlib.h>

#define SPARE 64 /* of the table: for reasons without evidence once it is full */

struct drop {
	char code[32], reason[48], site[48], evidence[200];
	uint32_t hash, why;
	uint16_t next; /* of the same place in heads; number + 1, 0: none */
	atomic_ullong packets;
};

struct drops {
	struct device *dev;
	pthread_mutex_t lock;
	atomic_uint count;
	struct drop list[DROPS_MAX];
	uint16_t heads[DROPS_MAX]; /* by hash: whoever forges addresses makes a reason a packet */
};

static const struct {
	const char *code, *reason, *site, *evidence;
} fixed[DROP_FIXED_MAX] = {
    [DROP_UNEXPLAINED] = {"unexplained", "TABLE_OF_REASONS_FULL", "drop_intern"},
    [DROP_HEADER] = {"header-bad", "HEADER_BAD", "parse"},
    [DROP_CHECKSUM] = {"checksum-bad", "IP_CHECKSUM", "route_packet"},
    [DROP_ETHERTYPE] = {"protocol-unsupported", "ETHERTYPE", "parse"},
    [DROP_MULTICAST] = {"protocol-unsupported", "MULTICAST", "parse"},
    [DROP_TTL] = {"ttl-expired", "TTL_EXPIRED", "forward"},
    [DROP_OUTER_ECN] = {"underlay-ecn", "OUTER_ECN", "parse_outer"},
    [DROP_OUTER_OTHER] = {"unexplained", "NOT_FOR_TUNNEL", "parse_outer"},
    [DROP_NO_MBUF] = {"out-of-memory", "NO_MBUF", "icmp_error"},
    [DROP_NO_MBUF_CUT] = {"out-of-memory", "NO_MBUF", "frag_cut"},
    [DROP_CUT] = {"unexplained", "PACKET_CUT_SHORT", "parse",
                  "the port's driver gave fewer bytes than the IP header has: net_af_packet puts fragments together, "
                  "and cuts what is above 2 KB then"},
    [DROP_FRAG_TIMEOUT] = {"fragment-missing", "FIRST_FRAGMENT_MISSING", "frags_tick",
                           "a fragment came, and the first one of its datagram did not, for a second"},
    [DROP_FRAG_FULL] = {"queue-full", "FRAGMENTS_FULL", "frag_take",
                        "too many fragments wait for the first ones of their datagrams"},
    [DROP_FRAG_INSIDE] = {"header-bad", "FRAGMENT_INSIDE_HEADER", "frag_take",
                          "a fragment overlaps the TCP header of the first one"},
    [DROP_TX_FULL] = {"queue-full", "TX_FULL", "worker_flush"},
};

struct drops *drops_new(struct device *dev)
{
	struct drops *d = calloc(1, sizeof(*d));

	if (!d)
		return NULL;
	d->dev = dev;
	pthread_mutex_init(&d->lock, NULL);
	for (unsigned int i = 0; i < DROP_FIXED_MAX; i++)
		drop_intern(d, fixed[i].code, fixed[i].reason, fixed[i].site, fixed[i].evidence ?: "");
	return d;
}

void drops_free(struct drops *drops)
{
	free(drops);
}

static bool same(const struct drop *a, const struct drop *b)
{
	return a->hash == b->hash && !strcmp(a->code, b->code) && !strcmp(a->reason, b->reason) &&
	       !strcmp(a->site, b->site) && !strcmp(a->evidence, b->evidence);
}

/* DROPS_MAX if there is none and no room for one. */
static uint32_t find_or_add(struct drops *d, const struct drop *wanted, uint32_t room)
{
	uint16_t *head = &d->heads[wanted->hash % DROPS_MAX];
	uint32_t n = d->count;

	for (uint32_t i = *head; i; i = d->list[i - 1].next)
		if (same(&d->list[i - 1], wanted))
			return i - 1;
	if (n >= room)
		return DROPS_MAX;
	d->list[n] = *wanted;
	d->list[n].next = *head;
	*head = (uint16_t)(n + 1);
	d->count = n + 1;
	if (d->dev->vdg)
		d->list[n].why = vdg_why(d->dev->vdg, wanted->code, wanted->reason, wanted->site, wanted->evidence);
	return n;
}

static void fill(struct drop *drop, const char *code, const char *reason, const char *site, const char *evidence)
{
	memset(drop, 0, sizeof(*drop));
	snprintf(drop->code, sizeof(drop->code), "%s", code);
	snprintf(drop->reason, sizeof(drop->reason), "%s", reason);
	snprintf(drop->site, sizeof(drop->site), "%s", site);
	snprintf(drop->evidence, sizeof(drop->evidence), "%s", evidence);
	drop->hash =
	    rte_hash_crc(drop->reason, sizeof(drop->reason), rte_hash_crc(drop->evidence, sizeof(drop->evidence), 0));
}

uint32_t drop_intern(struct drops *drops, const char *code, const char *reason, const char *site, const char *evidence)
{
	struct drop wanted;
	uint32_t n;

	fill(&wanted, code, reason, site, evidence);
	pthread_mutex_lock(&drops->lock);
	n = find_or_add(drops, &wanted, DROPS_MAX - SPARE);
	if (n == DROPS_MAX) {
		fill(&wanted, code, reason, site, "");
		n = find_or_add(drops, &wanted, DROPS_MAX);
	}
	pthread_mutex_unlock(&drops->lock);
	return n == DROPS_MAX ? DROP_UNEXPLAINED : n;
}

void drop_count(struct device *dev, uint32_t drop, unsigned int packets)
{
	atomic_fetch_add_explicit(&dev->drops->list[drop].packets, packets, memory_order_relaxed);
}

uint32_t drop_why(const struct device *dev, uint32_t drop)
{
	return dev->drops->list[drop].why;
}

void drop_packet(struct worker *w, struct packet *p, uint32_t drop)
{
	drop_count(w->dev, drop, 1);
	if (p->hop && p->m)
		trace_drop(w, p, drop_why(w->dev, drop));
	rte_pktmbuf_free(p->m);
	p->m = NULL;
}

json_t *drops_json(struct drops *drops)
{
	json_t *list = json_array();

	for (uint32_t i = 0; i < drops->count; i++) {
		const struct drop *d = &drops->list[i];

		if (d->packets)
			json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:s, s:I}", "code", d->code, "reason",
			                                      d->reason, "site", d->site, "evidence", d->evidence,
			                                      "packets", (json_int_t)d->packets));
	}
	return list;
}
