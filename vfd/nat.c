/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Translations, see nat.h. One table has each of them twice: by what is inside, and by what is outside. The lock is
 * taken in the slow path only; a translation's ends do not change while it is used: flow entries point to it no longer
 * than FLOW_MS after the slow path has seen it, and it stays longer than that (NAT_IDLE_MIN).
 */
#include "nat.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <rte_hash.h>
#include <rte_hash_crc.h>
#include <stdio.h>
#include <stdlib.h>

#define SWEEP_MS 1000 /* between two searches of a full table for translations that have ended */

_Static_assert(NAT_IDLE_MIN * 1000 > FLOW_MS, "a translation outlives the flow entries that point to it");

/* A key of the table: one end in one network. */
struct tuple {
	struct addr addr;
	uint32_t vni;
	uint16_t port;
	uint8_t proto, outside;
} __attribute__((aligned(8))); /* rte_hash_crc() reads words */
_Static_assert(sizeof(struct tuple) == 24, "keys are compared as bytes: no padding");

struct translation {
	struct tuple inside, outside;
	uint32_t idle_ms;
	atomic_uint seen_ms;
	atomic_bool connected, closing; /* TCP: beyond the handshake; FIN or RST was seen */
	bool used;
};

struct nats {
	rte_spinlock_t lock;
	struct rte_hash *hash; /* of tuples; the data is the translation's number */
	unsigned int count, next;
	uint32_t swept_ms;
	struct translation list[NATS_MAX];
};

struct nats *nats_new(void)
{
	struct nats *n = calloc(1, sizeof(*n));
	struct rte_hash_parameters how = {.name = "nats",
	                                  .entries = 2 * NATS_MAX,
	                                  .key_len = sizeof(struct tuple),
	                                  .hash_func = rte_hash_crc,
	                                  .extra_flag = RTE_HASH_EXTRA_FLAGS_EXT_TABLE};

	if (!n)
		return NULL;
	n->hash = rte_hash_create(&how);
	if (n->hash)
		return n;
	free(n);
	return NULL;
}

void nats_free(struct nats *nats)
{
	if (!nats)
		return;
	rte_hash_free(nats->hash);
	free(nats);
}

static bool is_echo(const struct flow_key *k)
{
	uint16_t type = k->dport >> 8;

	return (k->proto == IPPROTO_ICMP && (type == 0 || type == 8)) ||
	       (k->proto == IPPROTO_ICMPV6 && (type == 128 || type == 129));
}

static bool has_end(const struct flow_key *k)
{
	return k->proto == IPPROTO_TCP || k->proto == IPPROTO_UDP || is_echo(k);
}

static struct tuple tuple_of(const struct vpc *vpc, const struct flow_key *k, bool outside)
{
	return (struct tuple){.addr = outside ? k->dst : k->src,
	                      .vni = vpc->vni,
	                      .port = outside && !is_echo(k) ? k->dport : k->sport,
	                      .proto = k->proto,
	                      .outside = outside};
}

static bool has_ended(const struct translation *t, uint32_t now_ms)
{
	return now_ms - t->seen_ms >= (t->connected && !t->closing ? NAT_TCP_MS : t->idle_ms);
}

static void end(struct nats *n, struct translation *t)
{
	rte_hash_del_key(n->hash, &t->inside);
	rte_hash_del_key(n->hash, &t->outside);
	t->used = false;
	n->count--;
}

/* NULL: there is none; one that has ended is removed. */
static struct translation *find(struct nats *n, const struct tuple *key, uint32_t now_ms)
{
	struct translation *t;
	void *data;

	if (rte_hash_lookup_data(n->hash, key, &data) < 0)
		return NULL;
	t = &n->list[(uintptr_t)data];
	if (!has_ended(t, now_ms))
		return t;
	end(n, t);
	return NULL;
}

static void sweep(struct nats *n, uint32_t now_ms)
{
	if (now_ms - n->swept_ms < SWEEP_MS)
		return;
	n->swept_ms = now_ms;
	for (unsigned int i = 0; i < NATS_MAX; i++)
		if (n->list[i].used && has_ended(&n->list[i], now_ms))
			end(n, &n->list[i]);
}

/* NULL: the table is full. What has just been removed is used again as late as can be. */
static struct translation *add(struct nats *n, const struct nat_rule *r, const struct tuple *inside,
                               const struct tuple *outside, uint32_t now_ms)
{
	struct translation *t;

	if (n->count == NATS_MAX)
		sweep(n, now_ms);
	if (n->count == NATS_MAX)
		return NULL;
	while (n->list[n->next].used)
		n->next = (n->next + 1) % NATS_MAX;
	t = &n->list[n->next];
	*t = (struct translation){
	    .inside = *inside, .outside = *outside, .idle_ms = r->idle_ms, .seen_ms = now_ms, .used = true};
	if (rte_hash_add_key_data(n->hash, inside, (void *)(uintptr_t)n->next) ||
	    rte_hash_add_key_data(n->hash, outside, (void *)(uintptr_t)n->next)) {
		rte_hash_del_key(n->hash, inside);
		t->used = false;
		return NULL;
	}
	n->count++;
	n->next = (n->next + 1) % NATS_MAX;
	return t;
}

/* Whether a rule would still make this translation: a reload may have taken it away. */
static bool makes(const struct config *c, const struct nat_rule *r, const struct translation *t)
{
	return c->vpcs[r->outside].vni == t->outside.vni && (!r->proto || r->proto == t->inside.proto) &&
	       (!r->port || r->port == t->inside.port) && prefix_has(&r->prefix, &t->inside.addr) &&
	       addr_among(r->public, r->npublic, &t->outside.addr) && t->outside.port >= r->lo &&
	       t->outside.port <= r->hi;
}

/* NULL if no rule makes it any more; else the VPC inside. */
static const struct vpc *owner(const struct config *c, const struct translation *t)
{
	const struct vpc *vpc = config_vpc_of_vni(c, t->inside.vni);

	for (size_t i = 0; vpc && i < vpc->nnats; i++)
		if (makes(c, &vpc->nats[i], t))
			return vpc;
	return NULL;
}

static struct translation *find_made(struct nats *n, const struct config *c, const struct tuple *key, uint32_t now_ms)
{
	struct translation *t = find(n, key, now_ms);

	if (!t || owner(c, t))
		return t;
	end(n, t);
	return NULL;
}

/* The dnat rule for a public end, NULL: none. */
static const struct nat_rule *forwarder(const struct config *c, const struct tuple *outside, const struct vpc **ret_vpc)
{
	for (size_t v = 0; v < c->nvpcs; v++)
		for (size_t i = 0; i < c->vpcs[v].nnats; i++) {
			const struct nat_rule *r = &c->vpcs[v].nats[i];

			*ret_vpc = &c->vpcs[v];
			if (r->kind == NAT_DESTINATION && c->vpcs[r->outside].vni == outside->vni &&
			    r->proto == outside->proto && r->lo == outside->port &&
			    addr_among(r->public, r->npublic, &outside->addr))
				return r;
		}
	return NULL;
}

/* A free end of the rule's pool; 0, or how many were looked at. */
static unsigned int pick(struct nats *n, const struct config *c, const struct nat_rule *r, struct tuple *outside,
                         const struct tuple *inside, uint32_t now_ms)
{
	unsigned int ports = r->hi - r->lo + 1u, all = ports * (unsigned int)r->npublic;
	unsigned int tries = all < NAT_TRIES ? all : NAT_TRIES;
	uint32_t hash = rte_hash_crc(&inside->addr, sizeof(inside->addr), 0);
	bool own = inside->port >= r->lo && inside->port <= r->hi;
	unsigned int first =
	    hash % (unsigned int)r->npublic * ports +
	    (own ? (unsigned int)(inside->port - r->lo) : rte_hash_crc_4byte(inside->port, hash) % ports);
	const struct vpc *vpc;

	for (unsigned int i = 0; i < tries; i++) {
		unsigned int at = (first + i) % all;

		outside->addr = r->public[at / ports];
		outside->port = (uint16_t)(r->lo + at % ports);
		if (!find(n, outside, now_ms) && !forwarder(c, outside, &vpc))
			return 0;
	}
	return tries;
}

static enum nat_answer refuse(struct judgement *why, const char *code, const char *reason, const char *site)
{
	why->code = code;
	why->reason = reason;
	why->site = site;
	return NAT_REFUSE;
}

static enum nat_answer refuse_full(struct judgement *why, const char *site)
{
	snprintf(why->evidence, sizeof(why->evidence), "all %d translations of the device are in use", NATS_MAX);
	return refuse(why, "conntrack-full", "NAT_TABLE_FULL", site);
}

static enum nat_answer refuse_protocol(struct judgement *why, const struct nat_rule *r, const struct vpc *vpc,
                                       const struct flow_key *key, const char *site)
{
	snprintf(why->evidence, sizeof(why->evidence),
	         "nat rule %s of VPC %s: TCP, UDP and ICMP echo can be translated, not protocol %u%s", r->name,
	         vpc->name, key->proto,
	         key->proto == IPPROTO_ICMP || key->proto == IPPROTO_ICMPV6 ? " of another type" : "");
	return refuse(why, "protocol-unsupported", "NAT_PROTOCOL", site);
}

/* The rule for a flow outwards: one that leads the same end inwards goes before pools. */
static const struct nat_rule *rule_outwards(const struct config *c, const struct vpc *from, const struct vpc *to,
                                            const struct flow_key *key)
{
	const struct nat_rule *pool = NULL;

	for (size_t i = 0; i < from->nnats; i++) {
		const struct nat_rule *r = &from->nats[i];

		if (&c->vpcs[r->outside] != to || !prefix_has(&r->prefix, &key->src))
			continue;
		if (r->kind == NAT_DESTINATION && r->proto == key->proto && r->port == key->sport)
			return r;
		if (r->kind == NAT_SOURCE && !pool && addr_is4(&r->public[0]) == (key->family == 4))
			pool = r;
	}
	return pool;
}

static enum nat_answer make_outwards(struct worker *w, const struct nat_rule *r, const struct vpc *from,
                                     const struct tuple *inside, struct translation **ret, struct judgement *why)
{
	struct tuple outside = {.vni = w->config->vpcs[r->outside].vni,
	                        .proto = inside->proto,
	                        .outside = 1,
	                        .port = r->lo,
	                        .addr = r->public[0]};
	char text[ADDR_TEXT_MAX];
	unsigned int tried = 0;

	if (r->kind == NAT_SOURCE)
		tried = pick(w->dev->nats, w->config, r, &outside, inside, w->now_ms);
	if (tried) {
		snprintf(why->evidence, sizeof(why->evidence),
		         "nat rule %s of VPC %s: %u ports from %u to %u of %s%s were tried, none is free", r->name,
		         from->name, tried, r->lo, r->hi, addr_text(&r->public[0], text),
		         r->npublic > 1 ? " and its other addresses" : "");
		return refuse(why, "nat-pool-exhausted", "NAT_POOL_EXHAUSTED", "nat_outwards");
	}
	*ret = add(w->dev->nats, r, inside, &outside, w->now_ms);
	return *ret ? NAT_DONE : refuse_full(why, "nat_outwards");
}

enum nat_answer nat_outwards(struct worker *w, const struct vpc *from, const struct vpc *to, const struct flow_key *key,
                             uint32_t *ret_nat, struct judgement *ret_why)
{
	const struct nat_rule *r = rule_outwards(w->config, from, to, key);
	struct tuple inside = tuple_of(from, key, false);
	struct nats *n = w->dev->nats;
	enum nat_answer answer = NAT_DONE;
	struct translation *t;

	if (!r)
		return NAT_NONE;
	if (!has_end(key))
		return refuse_protocol(ret_why, r, from, key, "nat_outwards");
	rte_spinlock_lock(&n->lock);
	t = find_made(n, w->config, &inside, w->now_ms);
	if (t && t->outside.vni != to->vni) { /* it used to go elsewhere */
		end(n, t);
		t = NULL;
	}
	if (!t)
		answer = make_outwards(w, r, from, &inside, &t, ret_why);
	if (t) {
		t->seen_ms = w->now_ms;
		*ret_nat = (uint32_t)(t - n->list);
	}
	rte_spinlock_unlock(&n->lock);
	return answer;
}

/* Whether an address is a rule's; such packets go no further without a translation. */
static const struct nat_rule *public_rule(const struct config *c, const struct vpc *outside, const struct addr *addr,
                                          const struct vpc **ret_vpc)
{
	*ret_vpc = NULL;
	for (size_t v = 0; v < c->nvpcs; v++)
		for (size_t i = 0; i < c->vpcs[v].nnats; i++) {
			*ret_vpc = &c->vpcs[v];
			if (&c->vpcs[c->vpcs[v].nats[i].outside] == outside &&
			    addr_among(c->vpcs[v].nats[i].public, c->vpcs[v].nats[i].npublic, addr))
				return &c->vpcs[v].nats[i];
		}
	return NULL;
}

static enum nat_answer refuse_unmapped(struct judgement *why, const struct nat_rule *r, const struct vpc *vpc,
                                       const struct tuple *outside)
{
	char text[ADDR_TEXT_MAX];

	snprintf(why->evidence, sizeof(why->evidence),
	         "%s is an address of nat rule %s of VPC %s, but there is no translation and no dnat rule for its port "
	         "%u of protocol %u",
	         addr_text(&outside->addr, text), r->name, vpc->name, outside->port, outside->proto);
	return refuse(why, "nat-unmapped", "NAT_UNMAPPED", "nat_inwards");
}

/* For what has an end and no translation yet: a dnat rule makes one. */
static enum nat_answer make_inwards(struct worker *w, const struct tuple *outside, struct translation **ret,
                                    struct judgement *why)
{
	const struct vpc *vpc;
	const struct nat_rule *r = forwarder(w->config, outside, &vpc);
	struct tuple inside;
	struct translation *old;

	if (!r)
		return NAT_NONE;
	inside = (struct tuple){.addr = r->prefix.addr, .vni = vpc->vni, .port = r->port, .proto = r->proto};
	old = find(w->dev->nats, &inside, w->now_ms);
	if (old) /* of a pool, or of another public end: the rule goes before it */
		end(w->dev->nats, old);
	*ret = add(w->dev->nats, r, &inside, outside, w->now_ms);
	return *ret ? NAT_DONE : refuse_full(why, "nat_inwards");
}

enum nat_answer nat_inwards(struct worker *w, const struct vpc *from, const struct flow_key *key, uint32_t *ret_nat,
                            const struct vpc **ret_to, struct judgement *ret_why)
{
	const struct vpc *vpc;
	const struct nat_rule *r = public_rule(w->config, from, &key->dst, &vpc);
	struct tuple outside = tuple_of(from, key, true);
	struct nats *n = w->dev->nats;
	enum nat_answer answer = NAT_DONE;
	struct translation *t;

	if (!r)
		return NAT_NONE;
	if (!has_end(key))
		return addr_among(from->gateway, from->ngateway, &key->dst)
		           ? NAT_NONE
		           : refuse_protocol(ret_why, r, vpc, key, "nat_inwards");
	rte_spinlock_lock(&n->lock);
	t = find_made(n, w->config, &outside, w->now_ms);
	if (!t)
		answer = make_inwards(w, &outside, &t, ret_why);
	if (t) {
		t->seen_ms = w->now_ms;
		*ret_nat = (uint32_t)(t - n->list);
		*ret_to = config_vpc_of_vni(w->config, t->inside.vni);
	}
	rte_spinlock_unlock(&n->lock);
	if (answer == NAT_NONE && !addr_among(from->gateway, from->ngateway, &key->dst))
		return refuse_unmapped(ret_why, r, vpc, &outside);
	return answer;
}

struct nat_end nat_inside(const struct device *dev, uint32_t nat)
{
	const struct tuple *t = &dev->nats->list[nat].inside;

	return (struct nat_end){t->addr, t->port};
}

struct nat_end nat_outside(const struct device *dev, uint32_t nat)
{
	const struct tuple *t = &dev->nats->list[nat].outside;

	return (struct nat_end){t->addr, t->port};
}

struct flow_key nat_key(const struct device *dev, uint32_t nat, unsigned int way, const struct flow_key *key)
{
	struct nat_end to = way == NAT_OUT ? nat_outside(dev, nat) : nat_inside(dev, nat);
	struct flow_key k = *key;

	*(way == NAT_OUT ? &k.src : &k.dst) = to.addr;
	*(way == NAT_OUT || is_echo(key) ? &k.sport : &k.dport) = to.port;
	return k;
}

void nat_passes(struct worker *w, uint32_t nat, uint8_t tcp_flags)
{
	struct translation *t = &w->dev->nats->list[nat];

	t->seen_ms = w->now_ms;
	if (tcp_flags & (TH_FIN | TH_RST))
		t->closing = true;
	else if (tcp_flags & TH_SYN)
		t->connected = t->closing = false;
	else if (tcp_flags & TH_ACK)
		t->connected = true;
}

json_t *nats_json(struct device *dev, unsigned int max)
{
	json_t *list = json_array();
	struct nats *n = dev->nats;
	char in[ADDR_TEXT_MAX], out[ADDR_TEXT_MAX];

	rte_spinlock_lock(&n->lock);
	for (unsigned int i = 0; i < NATS_MAX && json_array_size(list) < max; i++) {
		const struct translation *t = &n->list[i];

		if (t->used && !has_ended(t, dev->workers[0].now_ms))
			json_array_append_new(
			    list, json_pack("{s:i, s:s, s:i, s:i, s:s, s:i, s:i}", "proto", t->inside.proto, "inside",
			                    addr_text(&t->inside.addr, in), "inside_port", t->inside.port, "inside_vni",
			                    (int)t->inside.vni, "outside", addr_text(&t->outside.addr, out),
			                    "outside_port", t->outside.port, "outside_vni", (int)t->outside.vni));
	}
	rte_spinlock_unlock(&n->lock);
	return list;
}
