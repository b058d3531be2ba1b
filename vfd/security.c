/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Security groups and their sessions, see security.h. Of all rules of a VM's groups the one with the lowest priority
 * number that fits decides, and of equal ones the first.
 */
#include "security.h"
#include "drop.h"

#include <netinet/in.h>
#include <rte_hash.h>
#include <rte_hash_crc.h>
#include <stdio.h>
#include <stdlib.h>

struct session_key {
	struct addr src, dst; /* as the session's first packet has them */
	uint16_t sport, dport;
	uint16_t vm_port; /* whose groups allowed it */
	uint16_t proto;
	uint32_t vni;
};

struct sessions {
	rte_spinlock_t lock;
	struct rte_hash *hash;
	uint32_t swept_ms;
	uint32_t seen_ms[SESSIONS_MAX + 64];
};

struct sessions *sessions_new(void)
{
	struct sessions *s = calloc(1, sizeof(*s));
	struct rte_hash_parameters how = {.name = "sessions",
	                                  .entries = SESSIONS_MAX,
	                                  .key_len = sizeof(struct session_key),
	                                  .hash_func = rte_hash_crc,
	                                  .extra_flag = RTE_HASH_EXTRA_FLAGS_EXT_TABLE};

	if (!s)
		return NULL;
	s->hash = rte_hash_create(&how);
	if (s->hash)
		return s;
	free(s);
	return NULL;
}

void sessions_free(struct sessions *sessions)
{
	if (!sessions)
		return;
	rte_hash_free(sessions->hash);
	free(sessions);
}

static bool is_echo(const struct flow_key *k)
{
	uint8_t type = (uint8_t)(k->dport >> 8);

	return (k->proto == IPPROTO_ICMP && (type == 0 || type == 8)) ||
	       (k->proto == IPPROTO_ICMPV6 && (type == 128 || type == 129));
}

/* `back`: of the session that this flow would be the answer in. */
static struct session_key session_key(const struct vm *vm, const struct vpc *vpc, const struct flow_key *k, bool back)
{
	struct session_key key = {.vm_port = (uint16_t)vm->port, .proto = k->proto, .vni = vpc->vni};
	bool echo = is_echo(k);

	key.src = back ? k->dst : k->src;
	key.dst = back ? k->src : k->dst;
	key.sport = back && !echo ? k->dport : k->sport;
	key.dport = back && !echo ? k->sport : k->dport;
	if (echo)
		key.dport = 0;
	return key;
}

static bool session_has(struct worker *w, const struct session_key *key)
{
	struct sessions *s = w->dev->sessions;
	int32_t at;
	bool has;

	rte_spinlock_lock(&s->lock);
	at = rte_hash_lookup(s->hash, key);
	has = at >= 0 && w->now_ms - s->seen_ms[at] < SESSION_MS;
	if (has)
		s->seen_ms[at] = w->now_ms;
	rte_spinlock_unlock(&s->lock);
	return has;
}

static void sweep(struct sessions *s, uint32_t now_ms)
{
	const void *key;
	void *data;
	uint32_t next = 0;
	int32_t at;

	if (now_ms - s->swept_ms < SWEEP_MS)
		return; /* a flood of flows must not have it done for each */
	s->swept_ms = now_ms;
	while ((at = rte_hash_iterate(s->hash, &key, &data, &next)) >= 0)
		if (now_ms - s->seen_ms[at] >= SESSION_MS)
			rte_hash_del_key(s->hash, key);
}

static bool session_keep(struct worker *w, const struct session_key *key)
{
	struct sessions *s = w->dev->sessions;
	int32_t at;

	rte_spinlock_lock(&s->lock);
	if (rte_hash_count(s->hash) >= SESSIONS_MAX)
		sweep(s, w->now_ms);
	at = rte_hash_count(s->hash) < SESSIONS_MAX ? rte_hash_add_key(s->hash, key) : rte_hash_lookup(s->hash, key);
	if (at >= 0)
		s->seen_ms[at] = w->now_ms;
	rte_spinlock_unlock(&s->lock);
	return at >= 0;
}

static void session_end(struct worker *w, const struct session_key *key)
{
	struct sessions *s = w->dev->sessions;

	rte_spinlock_lock(&s->lock);
	rte_hash_del_key(s->hash, key);
	rte_spinlock_unlock(&s->lock);
}

static bool fits(const struct rule *r, bool in, const struct flow_key *k)
{
	bool icmp = k->proto == IPPROTO_ICMP || k->proto == IPPROTO_ICMPV6;
	uint16_t value = icmp ? k->dport >> 8 : k->dport;

	if (r->in != in || (r->proto && r->proto != k->proto))
		return false;
	if (r->peer.len && !prefix_has(&r->peer, in ? &k->src : &k->dst))
		return false;
	return value >= r->lo && value <= r->hi;
}

static const struct rule *decide(const struct config *c, const struct vm *vm, bool in, const struct flow_key *k,
                                 const struct group **ret_group)
{
	const struct rule *best = NULL;

	for (size_t g = 0; g < vm->ngroups; g++) {
		const struct group *group = &c->groups[vm->groups[g]];

		for (size_t i = 0; i < group->nrules; i++) {
			const struct rule *r = &group->rules[i];

			if (!fits(r, in, k) || (best && best->priority <= r->priority))
				continue;
			best = r;
			*ret_group = group;
			break; /* the rest of the group comes later */
		}
	}
	return best;
}

static void explain(struct judgement *why, const struct worker *w, const struct vm *vm, bool in, const struct rule *r,
                    const struct group *group)
{
	const char *port = w->dev->ports[vm->port].conf.name, *word = in ? "in" : "out";

	why->site = in ? "groups_in" : "groups_out";
	if (r) {
		why->code = "policy-group-rule";
		why->reason = "GROUP_RULE";
		snprintf(why->evidence, sizeof(why->evidence),
		         "security group %s rule %s (%s, deny, priority %d) of port %s", group->name, r->name, word,
		         r->priority, port);
		return;
	}
	why->code = "policy-group-default";
	why->reason = "GROUP_DEFAULT";
	snprintf(why->evidence, sizeof(why->evidence),
	         "no rule of direction %s of port %s allows it; the first group is %s", word, port,
	         w->config->groups[vm->groups[0]].name);
}

bool security_allows(struct worker *w, const struct vm *vm, const struct vpc *vpc, bool in, const struct flow_key *key,
                     struct judgement *ret_why)
{
	struct session_key own = session_key(vm, vpc, key, false), back = session_key(vm, vpc, key, true);
	const struct group *group = NULL;
	const struct rule *r;

	if (!vm->ngroups || session_has(w, &back))
		return true;
	r = decide(w->config, vm, in, key, &group);
	if (r && r->allow) {
		if (session_keep(w, &own))
			return true;
		ret_why->code = "conntrack-full";
		ret_why->reason = "SESSIONS_FULL";
		ret_why->site = "session_keep";
		snprintf(ret_why->evidence, sizeof(ret_why->evidence), "all %d sessions are in use", SESSIONS_MAX);
		return false;
	}
	session_end(w, &own);
	explain(ret_why, w, vm, in, r, group);
	return false;
}
