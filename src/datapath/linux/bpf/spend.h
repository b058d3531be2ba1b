// SPDX-License-Identifier: (GPL-2.0-only OR BSD-3-Clause)
/* The colouring budgets: a packet that tasks want takes one from each, and is coloured if there was any left. */
#ifndef VT_BPF_SPEND_H
#define VT_BPF_SPEND_H

#include "datapath/linux/bpf/emit.h"

struct spending {
	struct packet *packet;
	struct sighting *sighting;
	const struct rule_slots *want;
	__u64 bits; /* of the present word that are still to be looked at */
	__u32 word;
	__u32 coloured;
};

/* Takes one packet from the budget of a slot. False if there is none left. */
static __always_inline bool slot_take(struct slot *slot)
{
	__u32 limit = *(volatile __u32 *)&slot->limit;

	return *(volatile __u64 *)&slot->used < limit && __sync_fetch_and_add(&slot->used, 1) < limit;
}

/* Position of the lowest bit. clang 14 does not come to an end over __builtin_ctzll() for BPF. */
__noinline __u32 lowest_bit(__u64 bits)
{
	__u32 at = 0;

	for (__u32 step = 32; step; step >>= 1) {
		__u64 low = (1ULL << step) - 1;

		if (!(bits & low)) {
			at += step;
			bits >>= step;
		}
	}
	return at;
}

/* Body of a bpf_loop(): the next slot that wants the packet; 1 ends the loop. */
static long spend_next(__u32 i, void *arg)
{
	struct spending *sp = arg;
	struct slot *slot;
	__u32 index;

	if (!sp->bits) {
		if (++sp->word >= RULE_SLOTS_MAX / 64)
			return 1;
		sp->bits = sp->want->bits[sp->word & (RULE_SLOTS_MAX / 64 - 1)];
		return 0;
	}
	index = sp->word * 64 + lowest_bit(sp->bits);
	sp->bits &= sp->bits - 1;
	slot = bpf_map_lookup_elem(&slots, &index);
	if (!slot || !slot_take(slot))
		return 0;
	sp->sighting->task = slot->task;
	sp->sighting->flags = VT_REC_COLOURED | (index & 1 ? VT_REC_REVERSE : 0);
	emit(sp->packet, sp->sighting);
	sp->coloured = 1;
	return 0;
}

/*
 * Takes one from the budget of every task in `want` and writes a COLOURED `in` for each that had one left. Returns
 * whether any had. The sighting is that of an `in` at hop 1 but for task and flags.
 */
static __always_inline bool spend(struct packet *p, struct sighting *s, const struct rule_slots *want)
{
	struct spending sp = {.packet = p, .sighting = s, .want = want};

	sp.bits = want->bits[0];
	bpf_loop(RULE_SLOTS_MAX + RULE_SLOTS_MAX / 64, spend_next, &sp, 0);
	return sp.coloured;
}

#endif
