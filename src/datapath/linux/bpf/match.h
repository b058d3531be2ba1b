// SPDX-License-Identifier: (GPL-2.0-only OR BSD-3-Clause)
/*
 * Is an uncoloured packet wanted by a task? This is the path that ordinary traffic pays for, so it reads the packet
 * directly and leaves at the first certain "no".
 */
#ifndef VT_BPF_MATCH_H
#define VT_BPF_MATCH_H

#include "datapath/linux/bpf/packet.h"

/* The five-tuple as a key; the mask's index is filled in by the look-up. */
static __always_inline void key_of_flow(const struct vt_flow *flow, struct rule_key *key)
{
	__builtin_memcpy(key->src, flow->src, 16);
	__builtin_memcpy(key->dst, flow->dst, 16);
	key->sport = flow->sport;
	key->dport = flow->dport;
	key->proto = flow->proto;
	key->family = flow->family;
}

struct lookup {
	const struct rule_key *key;
	struct rule_slots *found;
	__u32 hit;
};

/* Body of a bpf_loop(): looks the key up under mask i. */
static long lookup_mask(__u32 i, void *arg)
{
	struct lookup *l = arg;
	const struct rule_key *mask = &config.masks[i & (RULE_MASKS_MAX - 1)];
	const struct rule_slots *slots_of;
	struct rule_key k = {.mask = i};

	k.src[0] = l->key->src[0] & mask->src[0];
	k.src[1] = l->key->src[1] & mask->src[1];
	k.dst[0] = l->key->dst[0] & mask->dst[0];
	k.dst[1] = l->key->dst[1] & mask->dst[1];
	k.sport = l->key->sport & mask->sport;
	k.dport = l->key->dport & mask->dport;
	k.vni = l->key->vni & mask->vni;
	k.proto = l->key->proto & mask->proto;
	k.family = l->key->family & mask->family;
	slots_of = bpf_map_lookup_elem(&rules, &k);
	if (!slots_of)
		return 0;
	for (int w = 0; w < RULE_SLOTS_MAX / 64; w++)
		l->found->bits[w] |= slots_of->bits[w];
	l->hit = 1; /* a count would keep the verifier from seeing that iterations are alike */
	return 0;
}

/* ORs the slots of all rules that `key` meets into `found`; returns whether any did. */
static __always_inline int rules_lookup(const struct rule_key *key, struct rule_slots *found)
{
	struct lookup l = {.key = key, .found = found};

	bpf_loop(config.n_masks, lookup_mask, &l, 0);
	return l.hit;
}

#endif
