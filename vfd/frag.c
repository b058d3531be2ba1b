/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Fragments, see frag.h. Workers share the table, as a datagram's fragments may come by several; packets that are no
 * fragments never take its lock.
 */
#include "frag.h"
#include "drop.h"
#include "trace.h"

#include <netinet/in.h>
#include <rte_hash.h>
#include <rte_hash_crc.h>
#include <rte_ip.h>
#include <rte_ip_frag.h>
#include <stdlib.h>

#define TCP_HEAD 20 /* bytes without options, which the first fragment has */

/* A datagram: RFC 791's four, and the network that they are of. */
struct datagram_key {
	struct addr src, dst;
	uint32_t id, vni, port;
	uint16_t proto, family;
} __attribute__((aligned(8))); /* rte_hash_crc() reads words */
_Static_assert(sizeof(struct datagram_key) == 48, "keys are compared as bytes: no padding");

struct datagram {
	uint32_t made_ms;
	bool known; /* the first fragment has come: */
	uint16_t sport, dport;
	uint16_t waiting; /* a chain of places, 0: none */
};

/* Place 0 is nobody's, so that 0 ends a chain. */
struct place {
	struct packet packet;
	uint16_t next;
};

struct frags {
	rte_spinlock_t lock;
	struct rte_hash *hash;
	struct datagram list[FRAG_DATAGRAMS + 64];
	struct place places[FRAG_WAITING_MAX + 1];
	uint16_t empty, ready; /* chains of places: free, and need not wait any more */
	atomic_bool any_ready;
};

struct frags *frags_new(void)
{
	struct frags *f = calloc(1, sizeof(*f));
	struct rte_hash_parameters how = {.name = "frags",
	                                  .entries = FRAG_DATAGRAMS,
	                                  .key_len = sizeof(struct datagram_key),
	                                  .hash_func = rte_hash_crc,
	                                  .extra_flag = RTE_HASH_EXTRA_FLAGS_EXT_TABLE};

	if (!f)
		return NULL;
	for (uint16_t i = FRAG_WAITING_MAX; i; i--) {
		f->places[i].next = f->empty;
		f->empty = i;
	}
	f->hash = rte_hash_create(&how);
	if (f->hash)
		return f;
	free(f);
	return NULL;
}

void frags_free(struct frags *frags)
{
	if (!frags)
		return;
	for (unsigned int i = 0; i <= FRAG_WAITING_MAX; i++)
		rte_pktmbuf_free(frags->places[i].packet.m);
	rte_hash_free(frags->hash);
	free(frags);
}

static bool has_ports(uint8_t proto)
{
	return proto == IPPROTO_TCP || proto == IPPROTO_UDP || proto == IPPROTO_SCTP || proto == IPPROTO_ICMP ||
	       proto == IPPROTO_ICMPV6;
}

/* One that never got as far as a flow entry: it is traced if a task wants it by what it has. */
static void give_up(struct worker *w, struct packet *p, uint32_t drop)
{
	struct flow_entry entry = {.action = ACT_DROP};
	const struct vpc *vpc;

	if (!p->outer && config_vm_of_port(w->config, p->in, &vpc))
		entry.set = trace_match(w, &p->key, vpc->vni);
	p->entry = &entry;
	trace_in(w, p);
	drop_packet(w, p, drop);
	p->entry = NULL;
}

static int32_t datagram_new(struct frags *f, const struct datagram_key *key, uint32_t now_ms)
{
	int32_t at = rte_hash_lookup(f->hash, key);

	if (at < 0 && rte_hash_count(f->hash) < FRAG_DATAGRAMS) {
		at = rte_hash_add_key(f->hash, key);
		if (at >= 0)
			f->list[at] = (struct datagram){.made_ms = now_ms};
	}
	return at;
}

static void append(struct frags *f, uint16_t *chain, uint16_t place)
{
	while (*chain)
		chain = &f->places[*chain].next;
	*chain = place;
}

/* The first fragment tells the ports, and nobody waits for them any more. */
static void learn(struct frags *f, const struct datagram_key *key, const struct packet *p, uint32_t now_ms)
{
	int32_t at = datagram_new(f, key, now_ms);
	struct datagram *d;

	if (at < 0)
		return; /* the others of it will wait in vain, and be dropped */
	d = &f->list[at];
	d->made_ms = now_ms;
	d->known = true;
	d->sport = p->key.sport;
	d->dport = p->key.dport;
	for (uint16_t i = d->waiting; i; i = f->places[i].next) {
		f->places[i].packet.key.sport = d->sport;
		f->places[i].packet.key.dport = d->dport;
	}
	append(f, &f->ready, d->waiting);
	d->waiting = 0;
	f->any_ready = f->ready;
}

/* False: there is no room. */
static bool wait_for_first(struct frags *f, const struct datagram_key *key, struct packet *p, uint32_t now_ms)
{
	int32_t at = f->empty ? datagram_new(f, key, now_ms) : -1;
	uint16_t place = f->empty;

	if (at < 0)
		return false;
	f->empty = f->places[place].next;
	f->places[place] = (struct place){.packet = *p};
	append(f, &f->list[at].waiting, place);
	p->m = NULL;
	return true;
}

static bool take_later(struct worker *w, struct frags *f, const struct datagram_key *key, struct packet *p)
{
	int32_t at = rte_hash_lookup(f->hash, key);

	if (at >= 0 && f->list[at].known && w->now_ms - f->list[at].made_ms < FRAG_MS) {
		p->key.sport = f->list[at].sport;
		p->key.dport = f->list[at].dport;
		return true;
	}
	if (!wait_for_first(f, key, p, w->now_ms))
		give_up(w, p, DROP_FRAG_FULL);
	return false;
}

bool frag_take(struct worker *w, struct packet *p)
{
	struct frags *f = w->dev->frags;
	struct datagram_key key = {.src = p->key.src,
	                           .dst = p->key.dst,
	                           .id = p->frag_id,
	                           .vni = p->key.vni,
	                           .port = p->key.port,
	                           .proto = p->key.proto,
	                           .family = p->key.family};
	bool goes_on = true;

	if (!has_ports(p->key.proto))
		return true;
	if (p->later && p->key.proto == IPPROTO_TCP && p->frag_off < TCP_HEAD) { /* RFC 1858, RFC 3128 */
		give_up(w, p, DROP_FRAG_INSIDE);
		return false;
	}
	rte_spinlock_lock(&f->lock);
	if (p->later)
		goes_on = take_later(w, f, &key, p);
	else
		learn(f, &key, p, w->now_ms);
	rte_spinlock_unlock(&f->lock);
	return goes_on;
}

bool frag_next(struct worker *w, struct packet *ret)
{
	struct frags *f = w->dev->frags;
	uint16_t place;

	if (!atomic_load_explicit(&f->any_ready, memory_order_relaxed))
		return false;
	rte_spinlock_lock(&f->lock);
	place = f->ready;
	if (place) {
		*ret = f->places[place].packet;
		f->places[place].packet.m = NULL;
		f->ready = f->places[place].next;
		f->places[place].next = f->empty;
		f->empty = place;
	}
	f->any_ready = f->ready;
	rte_spinlock_unlock(&f->lock);
	return place;
}

static void expire(struct worker *w, struct frags *f, struct datagram *d)
{
	while (d->waiting) {
		struct place *p = &f->places[d->waiting];
		uint16_t next = p->next;

		give_up(w, &p->packet, DROP_FRAG_TIMEOUT);
		p->next = f->empty;
		f->empty = d->waiting;
		d->waiting = next;
	}
}

void frags_tick(struct worker *w)
{
	struct frags *f = w->dev->frags;
	const void *key;
	void *data;
	uint32_t next = 0;
	int32_t at;

	rte_spinlock_lock(&f->lock);
	while ((at = rte_hash_iterate(f->hash, &key, &data, &next)) >= 0) {
		if (w->now_ms - f->list[at].made_ms < FRAG_MS)
			continue;
		expire(w, f, &f->list[at]);
		rte_hash_del_key(f->hash, key);
	}
	rte_spinlock_unlock(&f->lock);
}

/* A fragment that begins with its IP header gets the Ethernet header and its checksum, and is a packet as p was. */
static struct packet piece_of(const struct packet *p, struct rte_mbuf *m, const uint8_t *eth)
{
	struct rte_ipv4_hdr *ip = rte_pktmbuf_mtod(m, struct rte_ipv4_hdr *);
	struct packet piece = *p;

	ip->hdr_checksum = 0;
	ip->hdr_checksum = rte_ipv4_cksum(ip);
	piece.m = m;
	piece.l3_len = (uint16_t)rte_pktmbuf_pkt_len(m);
	memcpy(rte_pktmbuf_prepend(m, 14), eth, 14);
	return piece;
}

unsigned int frag_cut(struct worker *w, struct packet *p, uint16_t mtu, struct packet *pieces)
{
	struct rte_mbuf *mbufs[FRAG_PIECES_MAX];
	uint8_t eth[14];
	int n;

	if (p->key.family != 4 || p->df)
		return 0;
	memcpy(eth, rte_pktmbuf_mtod(p->m, const uint8_t *), 14);
	rte_pktmbuf_trim(p->m, (uint16_t)(rte_pktmbuf_pkt_len(p->m) - 14u - p->l3_len)); /* the link's padding */
	rte_pktmbuf_adj(p->m, 14);
	n = rte_ipv4_fragment_copy_nonseg_packet(p->m, mbufs, FRAG_PIECES_MAX, mtu, w->dev->pool);
	if (n <= 0) {
		rte_pktmbuf_prepend(p->m, 14);
		drop_packet(w, p, DROP_NO_MBUF_CUT);
		return 0;
	}
	rte_pktmbuf_free(p->m);
	for (int i = 0; i < n; i++) {
		pieces[i] = piece_of(p, mbufs[i], eth);
		pieces[i].hop = i ? 0 : p->hop;
	}
	p->m = NULL;
	return (unsigned int)n;
}
